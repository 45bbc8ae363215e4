"""What one lease or one facet suffers keeps no other supplier or facet from being pulled."""

from __future__ import annotations

import aiohttp
import orjson

from gateway.store import connect
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import Operator, row_of

REFUSE = """
    CREATE FUNCTION refuse_lease() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.name = 'session poisoned' THEN RAISE EXCEPTION 'poison'; END IF;
        RETURN NEW;
    END $$
"""
POISON = "CREATE TRIGGER poison BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION refuse_lease()"


async def test_a_lease_that_cannot_be_taken_keeps_no_other_supplier_from_being_pulled(ground: Ground) -> None:
    async with ground.simulator(skus=8) as simulator, ground.program() as program:
        async with connect(ground.database, name="tests") as connection:
            await connection.execute(REFUSE)
            await connection.execute(POISON)
        operator = Operator(program.admin_url)
        await operator.declare(poisoned=row_of(simulator))
        await eventually(lambda: set_aside(program.ops_url), within=30)
        await operator.declare(jd=row_of(simulator))
        await operator.until_swept("jd")
        assert (await operator.status("poisoned"))["owner"] is None


async def test_a_run_of_a_facet_of_another_release_keeps_no_other_facet_from_being_pulled(ground: Ground) -> None:
    async with ground.simulator(skus=8) as simulator, ground.swept(simulator) as operator:
        before = (await operator.status("jd"))["facets"]["price"]["fresh_at"]
        async with connect(ground.database, name="tests") as connection:
            await connection.execute("ALTER TABLE pulls DROP CONSTRAINT pulls_facet_check")
            await connection.execute(
                "INSERT INTO pulls (supplier, facet, due_at, feed_no, started_at)"
                " VALUES ('jd', 'a_video', now(), 1, now())"
            )
        await operator.ask("POST", "suppliers/jd/pull", {"facets": ["price"]})

        async def again() -> bool:
            return bool((await operator.status("jd"))["facets"]["price"]["fresh_at"] > before)

        await eventually(again)


async def set_aside(url: str) -> bool:
    """Whether the process says which supplier it cannot take."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as response:
        said = orjson.loads(await response.read())["checks"]["set_aside"]["detail"]
    return "sessions: supplier poisoned: RaiseError" in said
