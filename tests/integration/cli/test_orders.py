"""`mallgate orders` and `mallgate lanes`: what an operator types at night, and what they read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta

import pytest

from gateway.deadletters import record as record_letters
from gateway.feeds.source_offsets import ENSURE_OFFSETS
from gateway.kafka import ORDER_COMMANDS
from gateway.relay.ends import undecided_letter
from gateway.relay.inbox import Inbox
from gateway.relay.states import State
from gateway.relay.store import lanes
from gateway.store import Pool, acquired, open_pool, transaction
from gateway.suppliers import SecretBox
from schemas.orders import Operation
from tests.integration.admin.test_orders import WORDS, stop
from tests.integration.cli.conftest import Shell
from tests.integration.relay.test_inbox import PARTITION, SUBMIT, identity, record

pytestmark = pytest.mark.engines

BOX = SecretBox(bytes(range(32)))
LATER = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture
async def pool(mallgate: Shell, database: str) -> AsyncIterator[Pool]:
    """Two orders have been received by the gateway that `mallgate` talks to; the first one's answer was lost."""

    async def offered(_: str) -> Collection[str]:
        return tuple(Operation)

    async with open_pool(database, name="tests", size=2) as pool:
        async with acquired(pool) as connection:
            await connection.execute(ENSURE_OFFSETS, [ORDER_COMMANDS] * 12, list(range(12)), [0] * 12)
        orders = [record(at, command_id=identity(at), order_no=f"ORDER-{at}", deadline=LATER) for at in range(2)]
        await Inbox(pool, BOX, offered).take(PARTITION, orders, stands=0)
        async with acquired(pool) as connection:
            first = (await lanes(connection, SUBMIT.supplier, ["ORDER-0"])).found[0].commands[0]
        await stop(pool, first, State.PARKED, box=BOX)
        yield pool


async def test_an_order_in_doubt_is_found_understood_and_resolved(mallgate: Shell, pool: Pool) -> None:
    listed = await mallgate("orders", "list")
    assert (listed.status, listed.err) == (0, "")
    assert f"mallgate orders resolve {identity(0)} done|not-done --reason WHY" in listed.out
    assert "ORDER-1" not in listed.out
    shown = await mallgate("orders", "show", "ORDER-0")
    assert shown.status == 0
    assert "The answer was lost; nothing was sent twice; it waits for a person" in shown.out
    assert "attempt 1 is sent (submit_order)" in shown.out
    assert WORDS not in shown.out
    assert WORDS in (await mallgate("orders", "show", "ORDER-0", "--words")).out
    unnumbered = await mallgate("orders", "resolve", identity(0), "done", "--reason", "seen in their portal")
    assert (unnumbered.status, unnumbered.out) == (1, "")
    assert (unnumbered.err.count("\n"), "--supplier-order-no" in unnumbered.err) == (1, True)
    numbered = ("--reason", "seen in their portal", "--supplier-order-no", "JD-7", "--json")
    resolved = await mallgate("orders", "resolve", identity(0), "done", *numbered)
    assert resolved.json == {"command_id": identity(0), "order_no": "ORDER-0", "state": "confirmed"}
    assert "No order waits for a person" in (await mallgate("orders", "list")).out
    assert "everything that was asked for has ended" in (await mallgate("orders", "show", "ORDER-0")).out
    unknown = await mallgate("orders", "show", "ORDER-9")
    assert (unknown.status, unknown.out, unknown.err.count("\n")) == (1, "", 1)


async def test_a_lane_is_parked_listed_and_released(mallgate: Shell, pool: Pool) -> None:
    assert (await mallgate("lanes", "park", "ORDER-1")).status == 2
    parked = await mallgate("lanes", "park", "ORDER-1", "--reason", "odd prices")
    assert (parked.status, "parked" in parked.out) == (0, True)
    assert "mallgate orders show ORDER-1" in parked.out
    again = await mallgate("lanes", "park", "ORDER-1", "--reason", "odd prices")
    assert (again.status, "mallgate orders show ORDER-1" in again.err) == (1, True)
    nothing = await mallgate("lanes", "park", "ORDER-9", "--reason", "odd prices")
    assert (nothing.status, "mallgate orders show ORDER" in nothing.err) == (1, True)
    listed = await mallgate("lanes", "list", "--json")
    assert [(lane["order_no"], lane["state"]) for lane in listed.json] == [("ORDER-0", "parked"), ("ORDER-1", "parked")]
    assert "mallgate lanes release ORDER-1 --reason WHY" in (await mallgate("lanes", "list")).out
    refused = await mallgate("lanes", "release", "ORDER-0", "--reason", "hurry")
    assert (refused.status, "mallgate orders resolve" in refused.err) == (1, True)
    released = await mallgate("lanes", "release", "ORDER-1", "--reason", "prices are right")
    assert (released.status, "waiting" in released.out) == (0, True)


async def test_what_a_vendor_never_answered_is_found_understood_and_ended(mallgate: Shell, pool: Pool) -> None:
    async with transaction(pool) as connection:
        await connection.execute(
            "UPDATE commands SET state = 'confirmed', reason = 'acknowledged', attempt = 1, ended_at = now(),"
            " deadline = now() - interval '1 hour' WHERE command_id = $1",
            identity(1),
        )
        await connection.execute(
            "INSERT INTO commands_unanswered (command_id, supplier, order_no, acknowledged_at)"
            " VALUES ($1, $2, 'ORDER-1', now())",
            identity(1),
            SUBMIT.supplier,
        )
    listed = await mallgate("orders", "list")
    assert (listed.status, f"mallgate orders resolve {identity(1)} done|not-done" in listed.out) == (0, True)
    [row] = (await mallgate("orders", "list", "--state", "unanswered", "--json")).json
    assert (row["order_no"], row["state"]) == ("ORDER-1", "unanswered")
    shown = await mallgate("orders", "show", "ORDER-1")
    assert "Its vendor acknowledged it at " in shown.out
    assert "has not answered; its deadline was " in shown.out
    assert f"mallgate orders resolve {identity(1)} done|not-done --reason WHY" in shown.out
    ended = await mallgate("orders", "resolve", identity(1), "not-done", "--reason", "they lost it", "--json")
    assert ended.json == {"command_id": identity(1), "order_no": "ORDER-1", "state": "refused"}
    assert "ORDER-1" not in (await mallgate("orders", "list")).out


async def test_a_replay_that_could_have_a_second_effect_is_refused_with_what_to_do_instead(
    mallgate: Shell, pool: Pool
) -> None:
    async with acquired(pool) as connection:
        second = (await lanes(connection, SUBMIT.supplier, ["ORDER-1"])).found[0].commands[0]
    dead = await stop(pool, second, State.DEAD, box=BOX)
    async with transaction(pool) as connection:
        await record_letters(connection, [undecided_letter(dead)])
    [letter] = (await mallgate("deadletters", "list", "--json")).json
    assert (letter["order_no"], letter["supplier"]) == ("ORDER-1", SUBMIT.supplier)
    assert "ORDER-1" in (await mallgate("deadletters", "list")).out
    assert re.search(r"^order +ORDER-1 *$", (await mallgate("deadletters", "show", letter["id"])).out, re.MULTILINE)
    foretold = await mallgate("deadletters", "replay", "--id", letter["id"], "--dry-run", "--reason", "hurry")
    assert f"mallgate orders resolve {identity(1)} done|not-done" in " ".join(foretold.out.split())
    refused = await mallgate("deadletters", "replay", "--id", letter["id"], "--reason", "hurry")
    assert (refused.status, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert f"mallgate orders resolve {identity(1)} done|not-done --reason WHY" in refused.err
    of_a_group = await mallgate("deadletters", "replay", "--group", letter["fingerprint"], "--reason", "hurry")
    assert of_a_group.status == 1
    assert f"mallgate orders resolve {identity(1)} done|not-done" in " ".join(of_a_group.out.split())
    [still] = (await mallgate("deadletters", "list", "--state", "open", "--json")).json
    assert still["id"] == letter["id"]
