"""SIGKILL while an operator replays dead letters of orders: each letter has one outcome, and each effect comes once."""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from contrib.simulators.jd_vop.ledger import read, summary
from gateway.telemetry.failpoints import REPLAY_POINTS
from tests.crash.pulled import LEASE, rows
from tests.crash.test_relay import core_of, plan, row
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.integration.pulled.test_orders import DIRECT, kinds, placing
from tests.program import fault
from tests.pulling import Operator

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

REPLAYED = "SELECT detail ->> 'outcome' AS outcome FROM audit WHERE action = 'deadletter.replay'"


async def open_letters(operator: Operator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await operator.ask("GET", "deadletters?state=open&limit=50"))["letters"]
    return found


async def test_a_command_that_an_operator_mends_is_carried_out_once_although_the_program_was_killed_as_he_did(
    ground: Ground, tmp_path: Path
) -> None:
    ledger, before, letter = tmp_path / "ledger.jsonl", REPLAY_POINTS[0], dict[str, Any]()
    async with ground.simulator(ledger=ledger) as simulator:
        [[wanted], _] = plan(simulator, 1)
        replaying = {"reason": "its id was missing", "patch": orjson.dumps(wanted).decode()}
        for point in REPLAY_POINTS:
            mark = tmp_path / point
            async with ground.program(**LEASE, **fault(point, "kill", mark)) as program:
                operator = Operator(program.admin_url)
                if point is before:
                    await operator.declare(jd=row(simulator))
                    await core_of(ground).send({**wanted, "command_id": None})

                async def is_there(operator: Operator = operator) -> bool:
                    return len(await open_letters(operator)) == 1

                await eventually(is_there)
                [letter] = await open_letters(operator)
                with suppress(aiohttp.ClientError):
                    await operator.ask("POST", f"deadletters/{letter['id']}/replay", replaying)
                assert await program.ended() == -signal.SIGKILL
            assert mark.read_text() == f"{point}\n"
        async with ground.program(**LEASE) as program:
            operator = Operator(program.admin_url)
            assert [each["event"] for each in await core_of(ground).ended(wanted)] == ["order.accepted"]
            with pytest.raises(AssertionError, match="conflict"):
                await operator.ask("POST", f"deadletters/{letter['id']}/replay", replaying)
            assert (await open_letters(operator), await rows(ground, REPLAYED)) == ([], [{"outcome": "requeued"}])
    assert summary(read(ledger)) == {"effects": {"submit": 1}, "orders": 1, "duplicates": {}}


@pytest.mark.parametrize("point", REPLAY_POINTS)
async def test_orders_that_a_job_has_read_again_are_told_once_although_the_program_was_killed_as_it_did(
    ground: Ground, tmp_path: Path, point: str
) -> None:
    mark = tmp_path / "mark"
    async with placing(ground, "jd") as placed:
        await placed.place("K1", *DIRECT, known=False)
        await placed.act("deliver")
        async with ground.program(**LEASE, **fault(point, "kill", mark)) as program:
            operator = await placed.declare(program)
            await placed.settled()
            letters = await open_letters(operator)
            await placed.know("K1", *DIRECT)
            planned = {"reason": "the order is known now", "selection": {"ids": [each["id"] for each in letters]}}
            job = (await operator.ask("POST", "replays", planned))["id"]
            with suppress(aiohttp.ClientError):
                await operator.ask("POST", f"replays/{job}/start")
            assert await program.ended() == -signal.SIGKILL
        assert mark.read_text() == f"{point}\n"
        async with ground.program(**LEASE) as program:
            operator = Operator(program.admin_url)

            async def done() -> bool:
                return bool((await operator.ask("GET", f"replays/{job}"))["state"] == "done")

            await eventually(done, within=60)
            await placed.settled()
            items = (await operator.ask("GET", f"replays/{job}/items"))["items"]
            assert Counter(each["outcome"] for each in items) == {"requeued": len(letters)}
            assert {each["state"] for each in await operator.letters("jd")} == {"replayed"}
        assert kinds(await placed.told("K1")).count("shipment.delivered") == 1
        assert await placed.state("K1") == "delivered"
