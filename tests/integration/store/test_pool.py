"""Connections to a real PostgreSQL: what they speak, what they bound, how they come back."""

from __future__ import annotations

import pytest

from contrib.scratch import of_database
from gateway.embedded import Engines
from gateway.sdk.errors import ConfigError
from gateway.store import (
    Connection,
    ForeignClusterError,
    Pool,
    StoreUnavailableError,
    acquired,
    connect,
    open_pool,
    pin_cluster,
    ping,
    transaction,
)

CLUSTER_LEFT = "SELECT count(*) FROM kafka_cluster"


async def test_jsonb_is_python_values_both_ways(pool: Pool) -> None:
    value = {"text": "价格", "list": [1, 2.5, None, True], "nested": {"a": {}}}
    async with acquired(pool) as connection:
        assert await connection.fetchval("SELECT $1::jsonb", value) == value
        assert await connection.fetchval("""SELECT '{"a": 1}'::jsonb""") == {"a": 1}


@pytest.mark.parametrize("kind", ["json", "jsonb"])
@pytest.mark.parametrize("beyond", ["[" * 1100 + "]" * 1100, "1" + "0" * 400], ids=["deep", "large"])
async def test_json_beyond_what_is_read_is_its_text_and_keeps_no_other_row(pool: Pool, kind: str, beyond: str) -> None:
    async with acquired(pool) as connection:
        rows = await connection.fetch(f"SELECT v::{kind} AS v FROM unnest($1::text[]) AS t (v)", [beyond, '{"a": 1}'])
    assert [row["v"] for row in rows] == [beyond, {"a": 1}]


async def test_a_transaction_commits_when_its_block_ends_well(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await connection.execute("INSERT INTO kafka_cluster (cluster_id) VALUES ('one')")
    async with acquired(pool) as connection:
        assert await connection.fetchval(CLUSTER_LEFT) == 1


async def test_what_a_block_raises_rolls_back_and_passes(pool: Pool) -> None:
    class OwnError(Exception):
        """Raised by the block."""

    with pytest.raises(OwnError):
        await _insert_then_raise(pool, OwnError())
    async with acquired(pool) as connection:
        assert await connection.fetchval(CLUSTER_LEFT) == 0


async def test_connections_carry_the_bounds_and_the_name(pool: Pool) -> None:
    async with acquired(pool) as connection:
        shown = {
            name: await connection.fetchval("SELECT current_setting($1)", name)
            for name in ("lock_timeout", "statement_timeout", "synchronous_commit", "application_name", "TimeZone")
        }
    assert shown == {
        "lock_timeout": "5s",
        "statement_timeout": "1min",
        "synchronous_commit": "on",
        "application_name": "mallgate tests",
        "TimeZone": "UTC",
    }


async def test_further_server_settings_hold_for_every_connection(database: str) -> None:
    async with (
        open_pool(database, name="seq", size=2, session={"enable_seqscan": "off"}) as pool,
        acquired(pool) as one,
        acquired(pool) as other,
    ):
        assert await one.fetchval("SHOW enable_seqscan") == "off"
        assert await other.fetchval("SHOW enable_seqscan") == "off"


async def test_what_a_transaction_sets_for_itself_is_gone_with_it(database: str) -> None:
    async with open_pool(database, name="seq", size=1, session={"enable_seqscan": "off"}) as pool:
        async with transaction(pool) as connection:
            await connection.execute("SET LOCAL enable_seqscan = on")
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
        async with acquired(pool) as connection:
            assert await connection.fetchval("SHOW enable_seqscan") == "off"
            held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
            assert await connection.fetchval(held) == 0


async def test_a_lock_that_is_not_had_in_time_is_unavailability(pool: Pool) -> None:
    await pin_cluster(pool, "one")
    async with transaction(pool) as first:
        await first.execute("SELECT * FROM kafka_cluster FOR UPDATE")
        with pytest.raises(StoreUnavailableError):
            await _lock_impatiently(pool)


async def test_a_mistake_of_ours_is_not_taken_for_unavailability(pool: Pool) -> None:
    async with acquired(pool) as connection:
        with pytest.raises(Exception, match="nonsense") as caught:
            await connection.execute("SELECT nonsense")
    assert not isinstance(caught.value, StoreUnavailableError)


async def test_a_database_that_does_not_exist_is_a_mistake_of_configuration(engines: Engines) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        async with connect(of_database(engines.database_url, "nowhere"), name="tests"):
            pass


async def test_a_server_that_stays_away_is_unavailable_after_the_patience() -> None:
    with pytest.raises(StoreUnavailableError):
        async with open_pool("postgresql://nobody@127.0.0.1:1/none", name="tests", size=1, wait_seconds=0.2):
            pass


@pytest.mark.crash
async def test_a_stopped_server_is_unavailable_and_the_pool_comes_back_with_it(engines: Engines, pool: Pool) -> None:
    await ping(pool)
    await engines.postgres.stop()
    try:
        with pytest.raises(StoreUnavailableError):
            await ping(pool)
        with pytest.raises(StoreUnavailableError):
            await pin_cluster(pool, "one")
    finally:
        await engines.postgres.start()
    await pin_cluster(pool, "one")


@pytest.mark.crash
async def test_a_frozen_server_is_unavailable_in_time_and_works_once_thawed(engines: Engines, pool: Pool) -> None:
    await ping(pool)
    await engines.postgres.freeze()
    try:
        with pytest.raises(StoreUnavailableError):
            await ping(pool)
    finally:
        await engines.postgres.thaw()
    await ping(pool)


async def test_a_connection_lost_inside_a_transaction_is_unavailability(engines: Engines, pool: Pool) -> None:
    with pytest.raises(StoreUnavailableError):
        await _die_inside(engines, pool)
    async with acquired(pool) as connection:
        assert await connection.fetchval(CLUSTER_LEFT) == 0


async def test_a_database_belongs_to_one_cluster(pool: Pool) -> None:
    await pin_cluster(pool, "one")
    await pin_cluster(pool, "one")
    with pytest.raises(ForeignClusterError, match=r"one.*two"):
        await pin_cluster(pool, "two")


async def _insert_then_raise(pool: Pool, error: Exception) -> None:
    async with transaction(pool) as connection:
        await connection.execute("INSERT INTO kafka_cluster (cluster_id) VALUES ('one')")
        raise error


async def _lock_impatiently(pool: Pool) -> None:
    async with transaction(pool) as second:
        await second.execute("SET LOCAL lock_timeout = '50ms'")
        await second.execute("SELECT * FROM kafka_cluster FOR UPDATE")


async def _die_inside(engines: Engines, pool: Pool) -> None:
    async with transaction(pool) as connection:
        await connection.execute("INSERT INTO kafka_cluster (cluster_id) VALUES ('one')")
        await _end_backend(engines, await connection.fetchval("SELECT pg_backend_pid()"))
        await connection.execute("SELECT 1")


async def _end_backend(engines: Engines, pid: int) -> None:
    async with connect(engines.database_url, name="tests") as other:
        await _terminate(other, pid)


async def _terminate(connection: Connection, pid: int) -> None:
    assert await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
