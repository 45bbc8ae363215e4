"""Orders and lanes over /admin/v1, of commands that came through the inbox and steps as the relay writes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.admin.app import PREFIX, build_admin
from gateway.admin.audit import AuditRoutes, FailedLogins
from gateway.admin.orders import OrderRoutes
from gateway.deadletters import record as record_letters
from gateway.http.server import serve
from gateway.outbound import AdminClient, RefusedError
from gateway.relay.commands import Command
from gateway.relay.counting import OrderCounts
from gateway.relay.decisions import OrderDecisions
from gateway.relay.ends import undecided_letter
from gateway.relay.inbox import Inbox
from gateway.relay.orders import News, publish_news
from gateway.relay.policy import Profile
from gateway.relay.reading import OrderReading
from gateway.relay.sealed import SEALED_BY_RELAY, sealed_as
from gateway.relay.states import ENDED, State
from gateway.relay.steps import Kind, Step, write_steps
from gateway.relay.store import lanes, move
from gateway.relay.vendor_event_service import LateVendorEvent, VendorEventReceipt
from gateway.sdk.manifest import Idempotency
from gateway.store import Pool, acquired, transaction
from gateway.suppliers import SecretBox, SupplierCache, reseal
from gateway.telemetry import metrics
from schemas.orders import Kind as EventKind
from schemas.orders import Operation
from schemas.orders.events import Cause
from schemas.orders.examples import COMMAND_EXAMPLES, EVENT_EXAMPLES, ORDER_NO, command_headers
from schemas.orders.facts import fact_of_command, fact_of_event
from tests.integration.admin.conftest import TOKEN
from tests.integration.relay.desk import Desk
from tests.integration.relay.test_counting import NEW_SUPPLIER
from tests.integration.relay.test_inbox import BOX, PARTITION, SUBMIT, identity, inbox, record

__all__ = ["inbox"]

pytestmark = pytest.mark.engines

ORDER, SUPPLIER = "ORDER-A", SUBMIT.supplier
CANCEL = COMMAND_EXAMPLES[Operation.CANCEL]
NOW = datetime.now(UTC)
LATER = (NOW + timedelta(days=1)).isoformat()
SETTLE = timedelta(seconds=30)
WORDS = "请联系王芳 13800000000"


@pytest.fixture
async def client(pool: Pool) -> AsyncIterator[AdminClient]:
    async def profile(_: str, __: str) -> Profile:
        return Profile(Idempotency.NONE, finds=False, lease_term=SETTLE / 2, timeout=SETTLE / 2)

    app = web.Application()
    orders = OrderRoutes(OrderReading(pool, BOX), OrderDecisions(pool, BOX, profile), SupplierCache(pool))
    parts = (orders, AuditRoutes(pool))
    app.add_subapp(PREFIX, build_admin(parts, TOKEN, FailedLogins(pool)))
    async with (
        serve(app, "127.0.0.1", 0, drain_timeout=1.0) as port,
        AdminClient(f"http://127.0.0.1:{port}", TOKEN, operator="ann") as client,
    ):
        yield client


@pytest.fixture
async def received(inbox: Inbox, pool: Pool) -> Mapping[str, Command]:
    """A submit and a cancel of one order, and a submit of another one; by id."""
    cancel = {**orjson.loads(CANCEL.model_dump_json()), "supplier": SUPPLIER}
    del cancel["command_id"], cancel["order_no"], cancel["deadline"]
    await inbox.take(
        PARTITION,
        [
            record(0, command_id=identity(1), order_no=ORDER, deadline=LATER),
            record(
                1,
                headers=command_headers(CANCEL),
                command_id=identity(2),
                order_no=ORDER,
                deadline=LATER,
                **cancel,
            ),
            record(2, command_id=identity(3), order_no="ORDER-B", deadline=LATER),
        ],
        stands=0,
    )
    return {each.command_id: each for each in await commands(pool)}


async def commands(pool: Pool) -> list[Command]:
    async with acquired(pool) as connection:
        found = (await lanes(connection, SUPPLIER, [ORDER, "ORDER-B"])).found
    return [each for lane in found for each in lane.commands]


async def stop(
    pool: Pool, command: Command, state: State = State.PARKED, *, box: SecretBox = BOX, **facts: Any
) -> Command:
    """The command after an attempt whose answer was lost, as the relay leaves it behind."""
    long_ago = NOW - timedelta(hours=1)
    doubt = {"attempt": 1, "spent": 1, "epoch": 4, "sent_at": long_ago, "doubt_since": long_ago}
    stopped = replace(command, state=state, **{**doubt, "reason": "ambiguous_no_idempotency", **facts})
    async with transaction(pool) as connection:
        assert await move(connection, [(command, stopped)])
        await write_steps(
            connection,
            box,
            [
                made(command, Kind.ATTEMPT, attempt=1, epoch=4, operation="order.submit", call="submit_order"),
                made(command, Kind.OUTCOME, words=WORDS, outcome="unknown", code="unavailable", state="unknown"),
                *([made(command, Kind.STOPPED, state=state.value)] if state is not State.UNKNOWN else []),
            ],
        )
    return stopped


def made(command: Command, kind: Kind, *, words: str = "", **facts: Any) -> Step:
    return Step(command.supplier, command.order_no, kind, command.command_id, facts, words)


async def refused(call: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await call
    return caught.value


async def audited(client: AdminClient) -> list[tuple[str, str, str, str | None]]:
    rows = (await client.get("audit"))["audit"]
    return [(row["actor"], row["action"], row["object"], row["reason"]) for row in rows]


async def events(pool: Pool) -> list[dict[str, Any]]:
    async with acquired(pool) as connection:
        return [orjson.loads(row["value"]) for row in await connection.fetch("SELECT value FROM outbox ORDER BY id")]


async def test_a_lost_answer_is_understood_at_a_glance(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    command = received[identity(1)]
    unknown = await stop(pool, command, State.UNKNOWN)
    found = replace(unknown, state=State.CONFIRMED, reason="found")
    example = EVENT_EXAMPLES[EventKind.ACCEPTED]
    event = example.model_copy(
        update={
            "order_no": ORDER,
            "supplier": SUPPLIER,
            "cause": Cause(command_id=command.command_id),
        }
    )
    async with transaction(pool) as connection:
        await move(connection, [(unknown, found)])
        looked = made(command, Kind.LOOK_UP, epoch=4, call="find_order")
        there = made(command, Kind.OUTCOME, outcome="found", state="confirmed")
        await write_steps(connection, BOX, [looked, there])
        sent = News(SUPPLIER, ORDER, fact_of_command(SUBMIT))
        heard = News(SUPPLIER, ORDER, fact_of_event(event), event, supplier_order_no="JD-7")
        await publish_news(connection, BOX, [sent, heard])
    shown = await client.get("orders", ORDER)
    [order] = shown["orders"]
    assert order["commands"][0]["summary"] == (
        "the answer was lost; the order was looked up by our number; it is there; nothing was sent twice; it is done"
    )
    assert [(entry["kind"], entry["text"]) for entry in order["timeline"] if entry["command_id"] == identity(1)] == [
        ("received", "received from mall.orders.commands.v1, partition 3, offset 0"),
        ("attempt", "attempt 1 is sent (submit_order)"),
        ("outcome", "the answer was lost: it may have taken effect (code unavailable)"),
        ("look_up", "the order is looked up by our number (find_order)"),
        ("outcome", "it is there"),
        ("event", "the mall was told order.accepted (supplier's code 0000); the order is reserved"),
    ]
    assert all(entry["seconds"] >= 0 for entry in order["timeline"][1:])
    assert (order["state"], order["supplier_order_no"]) == ("reserved", "JD-7")
    assert [each["supplier_order_no"] for each in order["numbers"]] == ["JD-7"]
    assert (order["lane"]["command_id"], order["lane"]["followers"]) == (identity(2), 0)


async def test_words_of_suppliers_are_read_only_when_asked_for_and_then_audited(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    await stop(pool, received[identity(1)])
    without = await client.get("orders", ORDER)
    assert WORDS not in repr(without)
    assert [entry["kind"] for entry in without["orders"][0]["timeline"] if entry["has_words"]] == ["outcome"]
    assert await audited(client) == []
    with_words = await client.get("orders", ORDER, words="true")
    assert [entry["words"] for entry in with_words["orders"][0]["timeline"] if entry["has_words"]] == [WORDS]
    assert await audited(client) == [("bootstrap:ann", "order.read_words", ORDER, None)]


async def test_an_order_that_nobody_knows_is_not_found(client: AdminClient, received: object) -> None:
    assert (await refused(client.get("orders", "no-such"))).code == "not_found"
    assert (await refused(client.post("lanes", "no-such", "park", body={"reason": "x"}))).code == "not_found"
    body = {"resolution": "done", "reason": "x"}
    assert (await refused(client.post("commands", identity(9), "resolve", body=body))).code == "not_found"


async def test_what_is_in_doubt_is_listed_page_by_page_with_what_resolves_it(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    assert (await client.get("orders"))["commands"] == []
    await stop(pool, received[identity(3)], State.DEAD)
    await stop(pool, received[identity(1)])
    first = await client.get("orders", limit=1)
    second = await client.get("orders", limit=1, after=first["next"])
    assert [each["command_id"] for each in first["commands"] + second["commands"]] == [identity(1), identity(3)]
    assert f"mallgate orders resolve {identity(1)} done|not-done" in first["commands"][0]["advice"]
    assert [each["command_id"] for each in (await client.get("orders", state="waiting"))["commands"]] == [identity(2)]
    assert (await refused(client.get("orders", state="confirmed"))).code == "bad_parameter"


async def test_a_supplier_that_nobody_has_is_told_from_one_of_which_nothing_waits(
    client: AdminClient, received: object, pool: Pool
) -> None:
    async with acquired(pool) as connection:
        await connection.execute(NEW_SUPPLIER, "known")
    for path, kind in (("orders", "commands"), ("lanes", "lanes")):
        misspelt = await refused(client.get(path, supplier="knwon"))
        assert (misspelt.code, misspelt.detail) == ("not_found", "There is no supplier 'knwon'.")
        assert (await client.get(path, supplier="known"))[kind] == []
    waiting = await client.get("orders", supplier=SUPPLIER, state="waiting")
    assert len(waiting["commands"]) == 3, "its row is gone, its orders are not"


async def test_lanes_that_wait_say_behind_whom(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    await stop(pool, received[identity(3)], State.HELD)
    found = (await client.get("lanes"))["lanes"]
    assert [(each["order_no"], each["command_id"], each["state"], each["followers"]) for each in found] == [
        (ORDER, identity(1), "waiting", 1),
        ("ORDER-B", identity(3), "held", 0),
    ]


async def test_done_is_told_to_the_mall_once_and_audited(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    await stop(pool, received[identity(1)])
    body = {"resolution": "done", "reason": "it is in their portal"}
    without = await refused(client.post("commands", identity(1), "resolve", body=body))
    assert (without.code, "--supplier-order-no" in str(without)) == ("conflict", True)
    done = await client.post("commands", identity(1), "resolve", body={**body, "supplier_order_no": "JD-7"})
    assert done == {"command_id": identity(1), "order_no": ORDER, "state": "confirmed"}
    [told] = await events(pool)
    assert told["cause"] == {"command_id": identity(1), "message": None}
    assert told["supplier_order_nos"] == ["JD-7"]
    assert (await refused(client.post("commands", identity(1), "resolve", body=body))).code == "conflict"
    assert len(await events(pool)) == 1
    assert await audited(client) == [("bootstrap:ann", "order.resolve", ORDER, "it is in their portal")]
    [order] = (await client.get("orders", ORDER))["orders"]
    assert order["supplier_order_no"] == "JD-7"
    assert "bootstrap:ann said: done; it is done" in order["commands"][0]["summary"]
    assert order["lane"]["command_id"] == identity(2)


@pytest.mark.parametrize("resolution", ["done", "not_done"])
async def test_what_a_person_found_out_closes_the_dead_letter_too(
    client: AdminClient, received: Mapping[str, Command], pool: Pool, resolution: str
) -> None:
    dead = await stop(pool, received[identity(1)], State.DEAD, reason="attempts_spent")
    async with transaction(pool) as connection:
        assert await record_letters(connection, [undecided_letter(dead)]) == 1
    number = {"supplier_order_no": "JD-7"} if resolution == "done" else {}
    body = {"resolution": resolution, "reason": "asked them", **number}
    await client.post("commands", identity(1), "resolve", body=body)
    async with acquired(pool) as connection:
        letters = await connection.fetch("SELECT state, reason FROM dead_letters")
        groups = await connection.fetch("SELECT state FROM dead_letter_groups")
    assert [tuple(letter) for letter in letters] == [("discarded", f"{resolution}: asked them")]
    assert [group["state"] for group in groups] == ["resolved"]


async def test_of_several_who_speak_at_once_one_is_heard(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    await stop(pool, received[identity(1)])
    done = {"resolution": "done", "reason": "seen", "supplier_order_no": "JD-7"}
    not_done = {"resolution": "not_done", "reason": "not seen"}
    words = [client.post("commands", identity(1), "resolve", body=body) for body in (done, not_done, done, not_done)]
    came_to = await asyncio.gather(*words, return_exceptions=True)
    assert sorted(each.code if isinstance(each, RefusedError) else "taken" for each in came_to) == [
        *["conflict"] * 3,
        "taken",
    ]
    assert len(await audited(client)) == 1


async def test_a_number_of_another_order_is_refused(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    await stop(pool, received[identity(1)])
    await stop(pool, received[identity(3)])
    body = {"resolution": "done", "reason": "seen", "supplier_order_no": "JD-7"}
    await client.post("commands", identity(1), "resolve", body=body)
    assert (await refused(client.post("commands", identity(3), "resolve", body=body))).code == "conflict"
    assert [each.state for each in await commands(pool)] == [State.WAITING, State.PARKED]


async def test_not_done_is_taken_only_once_nothing_can_happen_any_more(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    await stop(pool, received[identity(1)], sent_at=datetime.now(UTC) + timedelta(minutes=5))
    await stop(pool, received[identity(3)])
    body = {"resolution": "not_done", "reason": "not in their portal"}
    early = await refused(client.post("commands", identity(1), "resolve", body=body))
    assert (early.code, "may still take effect" in str(early)) == ("conflict", True)
    again = await client.post("commands", identity(3), "resolve", body=body)
    assert again["state"] == "retry"
    assert await events(pool) == []


async def test_a_held_order_that_a_person_accepts_has_no_second_terminal_event(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    await stop(pool, received[identity(1)], State.HELD, reason="amount")
    [shown] = (await client.get("orders", state="held"))["commands"]
    assert shown["advice"].endswith(f"mallgate orders resolve {identity(1)} done --reason WHY")
    body = {"resolution": "not_done", "reason": "it is not ours"}
    error = await refused(client.post("commands", identity(1), "resolve", body=body))
    assert (error.code, "the mall cancels it" in str(error)) == ("conflict", True)
    body = {"resolution": "done", "reason": "the buyer agrees", "supplier_order_no": "JD-7"}
    assert (await client.post("commands", identity(1), "resolve", body=body))["state"] == "confirmed"
    [event] = await events(pool)
    assert event["event"] == "order.accepted"
    assert event["cause"] == {"command_id": None, "message": {"type": "resolution", "id": identity(1)}}


async def test_not_done_after_a_refusal_tells_the_mall_that_it_was_refused(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    await stop(pool, received[identity(1)], refusal="3008")
    body = {"resolution": "not_done", "reason": "not in their portal"}
    assert (await client.post("commands", identity(1), "resolve", body=body))["state"] == "refused"
    [told] = await events(pool)
    assert (told["event"], told["payload"]["code_class"]) == ("order.refused", "operator")


async def test_a_lane_is_parked_and_goes_on_where_it_stood(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    parked = await client.post("lanes", ORDER, "park", body={"reason": "odd prices"})
    assert parked == {"command_id": identity(1), "order_no": ORDER, "state": "parked"}
    assert (await refused(client.post("lanes", ORDER, "park", body={"reason": "again"}))).code == "conflict"
    [lane] = (await client.get("lanes"))["lanes"]
    assert lane["advice"] == f"mallgate lanes release {ORDER} --reason WHY"
    done = {"resolution": "done", "reason": "x"}
    never_sent = await refused(client.post("commands", identity(1), "resolve", body=done))
    assert (never_sent.code, "lanes release" in str(never_sent)) == ("conflict", True)
    await client.post("lanes", ORDER, "release", body={"reason": "prices are right"})
    assert [each for each in await commands(pool) if each.command_id == identity(1)] == [received[identity(1)]]
    assert await audited(client) == [
        ("bootstrap:ann", "lane.release", ORDER, "prices are right"),
        ("bootstrap:ann", "lane.park", ORDER, "odd prices"),
    ]


@pytest.mark.parametrize("state", [State.PARKED, State.HELD, State.DEAD])
async def test_what_stopped_by_itself_is_not_released_without_a_resolution(
    client: AdminClient, received: Mapping[str, Command], pool: Pool, state: State
) -> None:
    await stop(pool, received[identity(1)], state)
    error = await refused(client.post("lanes", ORDER, "release", body={"reason": "hurry"}))
    assert (error.code, "mallgate orders resolve" in str(error)) == ("conflict", True)
    assert await audited(client) == []


async def test_a_reason_has_to_be_given(client: AdminClient, received: object) -> None:
    for path in (["lanes", ORDER, "park"], ["lanes", ORDER, "release"]):
        assert (await refused(client.post(*path, body={"reason": " "}))).code == "reason_required"
    body = {"resolution": "done", "reason": ""}
    assert (await refused(client.post("commands", identity(1), "resolve", body=body))).code == "reason_required"


async def test_a_call_that_begins_meanwhile_is_not_parked(
    client: AdminClient, received: Mapping[str, Command], pool: Pool
) -> None:
    await stop(pool, received[identity(1)], State.SENDING, reason="")
    error = await refused(client.post("lanes", ORDER, "park", body={"reason": "x"}))
    assert (error.code, "sending" in str(error)) == ("conflict", True)


async def test_what_the_relay_keeps_sealed_is_resealed(received: Mapping[str, Command], pool: Pool) -> None:
    for number in (1, 3):
        await stop(pool, received[identity(number)])
    rotated = SecretBox(b"\x07" * 32, bytes(32))
    assert (await reseal(pool, rotated, SEALED_BY_RELAY, "cli:ann")).resealed == 5
    assert (await reseal(pool, rotated, SEALED_BY_RELAY, "cli:ann")).current == 5
    only = SecretBox(b"\x07" * 32)
    async with acquired(pool) as connection:
        sealed: Sequence[Any] = await connection.fetch("SELECT command_id, supplier, sealed FROM commands")
        words = await connection.fetch("SELECT supplier, words FROM order_steps WHERE words IS NOT NULL")
    for row in sealed:
        assert only.open(row["supplier"], sealed_as(row["command_id"]), row["sealed"])
    assert [only.open(row["supplier"], "order words", row["words"]).decode() for row in words] == [WORDS, WORDS]


async def test_more_sealed_rows_than_a_page_are_gone_through(
    received: Mapping[str, Command], pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.suppliers.sealed.PAGE", 1)
    for number in (1, 3):
        await stop(pool, received[identity(number)])
    assert (await reseal(pool, SecretBox(b"\x07" * 32, bytes(32)), SEALED_BY_RELAY, "cli:ann")).resealed == 5


async def test_what_waits_and_what_stopped_is_counted(received: Mapping[str, Command], pool: Pool) -> None:
    async with acquired(pool) as connection:
        await connection.execute(NEW_SUPPLIER, SUPPLIER)
    await stop(pool, received[identity(3)], State.HELD)
    await OrderCounts(pool).count()
    assert value("order_lanes_waiting") == 1
    assert value("order_lanes_stopped") == 1
    assert value("order_oldest_seconds") > 0
    assert (value("order_commands", state="held"), value("order_commands", state="waiting")) == (1, 2)
    async with acquired(pool) as connection:
        await connection.execute("UPDATE commands SET state = 'refused', ended_at = now()")
    await OrderCounts(pool).count()
    assert [value(name) for name in ("order_lanes_waiting", "order_lanes_stopped", "order_oldest_seconds")] == [0, 0, 0]
    assert [value("order_commands", state=each.value) for each in State if each not in ENDED] == [0] * 8


def value(name: str, **labels: str) -> float:
    found = metrics.REGISTRY.get_sample_value(f"mallgate_{name}", {"supplier": SUPPLIER, **labels})
    assert found is not None
    return found


async def acknowledged(desk: Desk, *, hours: int = -1, operation: Operation = Operation.SUBMIT) -> str:
    """A command that its vendor acknowledged two hours ago; its deadline is so many hours from now."""
    desk.clock.now = NOW - timedelta(hours=2)
    command = await desk.comes(7, operation, deadline=(NOW + timedelta(hours=hours)).isoformat())
    assert await desk.fetched() == [command]
    await desk.ack(command)
    return command


async def test_what_a_vendor_acknowledged_and_never_answered_is_listed_once_its_deadline_has_passed(
    client: AdminClient, inbox: Inbox, pool: Pool
) -> None:
    desk = Desk(pool, inbox)
    command = await acknowledged(desk, hours=1)
    assert (await client.get("orders"))["commands"] == []
    [waits] = (await client.get("orders", state="unanswered"))["commands"]
    assert (waits["command_id"], waits["advice"].startswith("Wait for its answer; or ask ")) == (command, True)
    await desk.rows("UPDATE commands SET deadline = $1", NOW - timedelta(hours=1))
    [late] = (await client.get("orders", supplier=SUPPLIER))["commands"]
    assert (late["command_id"], late["state"]) == (command, "unanswered")
    assert (await client.get("orders", after=late["place"]))["commands"] == []
    assert (await client.get("orders", state="dead"))["commands"] == []
    [shown] = (await client.get("orders", ORDER_NO))["orders"][0]["commands"]
    assert "its vendor acknowledged it at " in shown["summary"]
    assert " and has not answered; its deadline was " in shown["summary"]
    assert shown["advice"].startswith(f"Ask {SUPPLIER} whether it has an order with our number {ORDER_NO}, then: ")
    await desk.says(EventKind.ACCEPTED)
    assert (await client.get("orders"))["commands"] == []
    [answered] = (await client.get("orders", ORDER_NO))["orders"][0]["commands"]
    assert (answered["state"], answered["advice"]) == ("confirmed", "")


async def test_a_person_ends_what_a_vendor_acknowledged_and_never_answered(
    client: AdminClient, inbox: Inbox, pool: Pool
) -> None:
    desk = Desk(pool, inbox)
    command = await acknowledged(desk)
    body = {"resolution": "not_done", "reason": "they lost it"}
    taken = await client.post("commands", command, "resolve", body=body)
    assert taken == {"command_id": command, "order_no": ORDER_NO, "state": "refused"}
    assert (await client.get("orders"))["commands"] == []
    assert await desk.told() == [("order.refused", command)]
    event = await desk.last()
    assert (event["payload"]["code_class"], event["raw_code"]) == ("operator", None)
    assert (await desk.order(), await desk.fetch()) == ("refused", [])
    [shown] = (await client.get("orders", ORDER_NO))["orders"][0]["commands"]
    assert shown["summary"].endswith("bootstrap:ann said: not done; its vendor acknowledged it, and it had no effect")
    assert (await refused(client.post("commands", command, "resolve", body=body))).code == "conflict"
    assert await audited(client) == [("bootstrap:ann", "order.resolve", ORDER_NO, "they lost it")]
    assert isinstance(await desk.says(EventKind.CONFIRMED), LateVendorEvent)


async def test_a_person_says_that_it_was_done_and_the_vendors_late_answer_tells_nothing_new(
    client: AdminClient, inbox: Inbox, pool: Pool
) -> None:
    desk = Desk(pool, inbox)
    command = await acknowledged(desk)
    body = {"resolution": "done", "reason": "seen", "supplier_order_no": "V-7"}
    assert (await client.post("commands", command, "resolve", body=body))["state"] == "confirmed"
    assert await desk.told() == [("order.accepted", command)]
    assert await desk.order() == "reserved"
    taken = await desk.says(EventKind.ACCEPTED)
    assert isinstance(taken, VendorEventReceipt)
    assert (taken.event, taken.answers) == (None, ())
    [order] = (await client.get("orders", ORDER_NO))["orders"]
    assert (order["supplier_order_no"], order["commands"][0]["state"]) == ("V-7", "confirmed")


async def test_what_is_answered_needs_no_word_of_a_person(client: AdminClient, inbox: Inbox, pool: Pool) -> None:
    desk = Desk(pool, inbox)
    command = await acknowledged(desk)
    await desk.says(EventKind.ACCEPTED)
    body = {"resolution": "not_done", "reason": "asked too late"}
    assert (await refused(client.post("commands", command, "resolve", body=body))).code == "conflict"
