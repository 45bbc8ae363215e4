"""Webhooks on PostgreSQL: two doors to one log, under the same ids, in each order's order, whatever is answered."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from aiohttp import web

from gateway.relay.inbox import Inbox
from gateway.relay.mailbox import Acknowledgement
from gateway.relay.mailbox_lanes import VISIBILITY
from gateway.relay.messages import message_json
from gateway.relay.webhook_operations import NoWebhookError
from gateway.relay.webhook_sender import WebhookSender
from gateway.store import Pool
from schemas.base import written
from schemas.orders import Kind, Operation
from schemas.orders.examples import SUPPLIER
from tests.integration.relay.desk import DAY, HOUR, Desk
from tests.integration.relay.endpoint import FORMER, SECRET, Endpoint
from tests.integration.relay.test_inbox import inbox
from tests.supplier_site import open_site, raw_server

__all__ = ["inbox"]

pytestmark = pytest.mark.engines

CONFIRM = Operation.CONFIRM
SECOND = timedelta(seconds=1)
FAR = "2027-12-23T09:30:00+08:00"


@pytest.fixture
async def endpoint(inbox: Inbox, pool: Pool) -> AsyncIterator[Endpoint]:
    async with open_site() as site:
        found = Endpoint(Desk(pool, inbox), site)
        await found.declared()
        yield found


async def state(endpoint: Endpoint) -> list[str]:
    return [found for _, found in await endpoint.desk.states()]


async def test_a_2xx_acknowledges_a_message_as_the_mailbox_does(endpoint: Endpoint) -> None:
    desk = endpoint.desk
    command = await desk.comes(1)
    assert await endpoint.sends_all() == [command]
    assert await desk.states() == [(command, "confirmed")]
    [row] = await desk.rows("SELECT reason FROM commands")
    assert row["reason"] == "acknowledged"
    assert await desk.steps() == ["delivered", "acknowledged"]
    assert await desk.ack(command) == {command: Acknowledgement.ACKNOWLEDGED}
    desk.clock.now += VISIBILITY
    assert await desk.fetch() == []
    [unanswered] = await desk.rows("SELECT acknowledged_at IS NOT NULL AS said FROM commands_unanswered")
    assert unanswered["said"]
    await desk.says(Kind.ACCEPTED, supplier_order_nos=["V-1"], payload={})
    assert await desk.told() == [("order.accepted", command)]


async def test_the_body_is_what_the_mailbox_shows_and_the_headers_are_those_of_the_standard(endpoint: Endpoint) -> None:
    desk = endpoint.desk
    endpoint.says = [500]
    command = await desk.comes(1)
    await endpoint.sends()
    [received] = endpoint.received
    [message] = await desk.fetch()
    shown = orjson.loads(message_json(message, desk.mailbox.links, desk.clock.now))
    assert received.message == {
        **shown,
        "delivery": 1,
        "visible_again_at": written(desk.clock.now + VISIBILITY),
    }
    assert (received.id, message.id) == (command, command)
    assert received.timestamp == str(int(desk.clock.now.timestamp()))
    assert (received.signed_by(SECRET), len(received.signatures)) == (True, 1)
    assert list(received.message) == ["id", "type", "delivery", "visible_again_at", "command"]


async def test_what_was_acknowledged_in_the_mailbox_is_not_sent(endpoint: Endpoint) -> None:
    desk = endpoint.desk
    command = await desk.comes(1)
    assert await desk.fetched() == [command]
    assert await endpoint.sends() == []
    await desk.ack(command)
    desk.clock.now += VISIBILITY
    assert await endpoint.sends() == []


async def test_what_was_fetched_and_not_acknowledged_is_sent_once_it_may_be_given_again(endpoint: Endpoint) -> None:
    desk = endpoint.desk
    command = await desk.comes(1)
    assert await desk.fetched() == [command]
    desk.clock.now += VISIBILITY - SECOND
    assert await endpoint.sends() == []
    desk.clock.now += SECOND
    assert await endpoint.sends() == [command]
    assert endpoint.received[0].message["delivery"] == 2


async def test_what_was_sent_in_vain_can_be_fetched_at_once_and_acknowledged_there(endpoint: Endpoint) -> None:
    desk = endpoint.desk
    endpoint.says = [500]
    command = await desk.comes(1)
    await endpoint.sends()
    assert await desk.steps() == ["delivered", "undelivered"]
    assert await desk.fetched() == [command]
    await desk.ack(command)
    desk.clock.now += DAY
    assert await endpoint.sends() == []
    await (await endpoint.delivery())._store.forget_ended()
    assert await desk.rows("SELECT FROM webhook_deliveries") == []


async def test_a_message_that_fails_holds_back_its_order_and_no_other(endpoint: Endpoint) -> None:
    desk = endpoint.desk
    poison = await desk.comes(1, order_no="A")
    later, other = await desk.comes(2, CONFIRM, order_no="A"), await desk.comes(3, order_no="B")

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=500 if request.headers["webhook-id"] == poison else 200)

    endpoint.says = [answer]
    assert sorted(await endpoint.sends_all()) == sorted([poison, other])
    endpoint.says = [200]
    desk.clock.now += 5 * SECOND
    assert await endpoint.sends_all() == [poison, later]


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 500, 503])
async def test_anything_but_a_2xx_is_a_failure_and_no_redirect_is_followed(endpoint: Endpoint, status: int) -> None:
    endpoint.says, endpoint.headers = [status], {"Location": f"http://127.0.0.1:{endpoint.site.port}/elsewhere"}
    command = await endpoint.desk.comes(1)
    assert await endpoint.sends() == [command]
    assert [request.path for request in endpoint.site.requests] == ["/hook"]
    assert await state(endpoint) == ["unknown"]
    assert (await endpoint.operations.show(SUPPLIER)).failure == f"HTTP status {status}"


async def test_a_200_counts_whatever_stands_in_its_body(endpoint: Endpoint) -> None:
    async def garbage(request: web.BaseRequest) -> web.StreamResponse:
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        return web.Response(body=b"\xff\x00<html>" * 1000, headers=headers)

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while request.transport is not None:
            await response.write(b"x" * 65_536)
        return response

    async def cut_off(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        assert request.transport is not None
        request.transport.close()
        return response

    endpoint.says = [garbage, endless, cut_off]
    for number in range(3):
        await endpoint.desk.comes(number, order_no=f"N-{number}")
        assert len(await endpoint.sends()) == 1
    assert await state(endpoint) == ["confirmed"] * 3


async def test_410_disables_until_an_operator_enables_it(endpoint: Endpoint) -> None:
    desk = endpoint.desk
    endpoint.says = [410]
    command = await desk.comes(1)
    await endpoint.sends()
    shown = await endpoint.operations.show(SUPPLIER)
    assert (shown.disabled_at, shown.disabled_for, shown.failure) == (desk.clock.now, "gone", "HTTP status 410")
    endpoint.says = [200]
    other = await desk.comes(2, order_no="B")
    desk.clock.now += HOUR
    assert await endpoint.sends() == []
    assert (await endpoint.operations.enable(SUPPLIER, "zhang", "their new release")).disabled_at is None
    assert await endpoint.sends_all() == [command, other]
    rows = await desk.rows("SELECT action, reason FROM audit WHERE action LIKE 'webhook.%'")
    assert [tuple(row) for row in rows] == [("webhook.enable", "their new release")]


async def test_another_url_is_another_webhook(endpoint: Endpoint) -> None:
    endpoint.says = [410]
    command = await endpoint.desk.comes(1)
    await endpoint.sends()
    endpoint.says = [200]
    await endpoint.declared(url=f"http://127.0.0.1:{endpoint.site.port}/anew")
    endpoint.desk.clock.now += 5 * SECOND
    assert await endpoint.sends() == [command]
    assert (await endpoint.operations.show(SUPPLIER)).disabled_at is None


async def test_where_nothing_left_a_message_expires_and_where_something_did_a_person_is_asked(
    endpoint: Endpoint,
) -> None:
    desk = endpoint.desk
    endpoint.says = [500]
    await desk.comes(1, order_no="A")
    await endpoint.sends()
    async with raw_server(lambda reader, writer: asyncio.sleep(0)) as port:
        pass
    await endpoint.declared(url=f"http://127.0.0.1:{port}/hook")
    await desk.comes(2, order_no="B")
    await endpoint.sends()
    assert await state(endpoint) == ["unknown", "retry"]
    desk.clock.now += DAY
    assert await endpoint.sends() == []
    await desk.mailbox.end_due(SUPPLIER)
    assert await state(endpoint) == ["dead", "expired"]


async def test_past_its_deadline_nothing_is_sent(endpoint: Endpoint) -> None:
    desk = endpoint.desk
    await desk.comes(1, deadline=(desk.clock.now + SECOND).isoformat())
    desk.clock.now += SECOND
    assert await endpoint.sends() == []
    endpoint.says = [500]
    command = await desk.comes(2, order_no="B", deadline=(desk.clock.now + 5 * SECOND).isoformat())
    assert await endpoint.sends() == [command]
    desk.clock.now += 5 * SECOND
    assert await endpoint.sends() == []


async def test_an_address_that_leads_inside_is_not_called(endpoint: Endpoint) -> None:
    await endpoint.declared(url=f"https://127.0.0.1:{endpoint.site.port}/hook", allow_private=False)
    await endpoint.desk.comes(1)
    assert await endpoint.sends() == []
    assert (endpoint.site.connections, await state(endpoint)) == (0, ["retry"])
    assert "forbidden" in (await endpoint.operations.show(SUPPLIER)).failure


async def test_a_name_that_leads_inside_is_not_called(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    async def inside(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr("aiohttp.connector.DefaultResolver.resolve", inside)
    await endpoint.declared(url=f"https://vendor.example.com:{endpoint.site.port}/hook", allow_private=False)
    await endpoint.desk.comes(1)
    assert await endpoint.sends() == []
    assert (endpoint.site.connections, await state(endpoint)) == (0, ["retry"])
    assert (await endpoint.operations.show(SUPPLIER)).failure.startswith("ssrf_blocked")


async def test_a_server_without_tls_is_a_failure(endpoint: Endpoint) -> None:
    await endpoint.declared(url=f"https://127.0.0.1:{endpoint.site.port}/hook")
    await endpoint.desk.comes(1)
    assert await endpoint.sends() == []
    assert await state(endpoint) == ["retry"]
    assert (await endpoint.operations.show(SUPPLIER)).failure == "No TLS connection to it can be made."


async def test_a_slow_answer_is_a_failure_and_the_message_is_sent_again(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.relay.webhook_sender.TIMEOUT_SECONDS", 0.2)
    let_go = asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        await let_go.wait()
        return web.Response()

    endpoint.says = [slow, 200]
    command = await endpoint.desk.comes(1)
    assert await endpoint.sends() == [command]
    assert await state(endpoint) == ["unknown"]
    let_go.set()
    endpoint.desk.clock.now += 5 * SECOND
    assert await endpoint.sends() == [command]
    assert await state(endpoint) == ["confirmed"]


async def test_requests_under_way_are_bounded_and_one_that_hangs_keeps_no_other_from_it(endpoint: Endpoint) -> None:
    await endpoint.declared(concurrency=2)
    let_go, hanging = asyncio.Event(), asyncio.Event()
    first = await endpoint.desk.comes(0, order_no="N-0")

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers["webhook-id"] == first:
            hanging.set()
            await let_go.wait()
        return web.Response()

    endpoint.says = [answer]
    others = [await endpoint.desk.comes(number, order_no=f"N-{number}") for number in range(1, 5)]
    delivery = await endpoint.delivery()
    async with WebhookSender(SUPPLIER, endpoint.webhook, endpoint.desk.clock) as sender, asyncio.TaskGroup() as group:
        assert await delivery.start_due(endpoint.webhook, sender, group) == 2
        await hanging.wait()
        while len(endpoint.received) < 5:
            await asyncio.sleep(0.01)
            assert await delivery.start_due(endpoint.webhook, sender, group) <= 1
        assert await state(endpoint) != ["confirmed"] * 5
        let_go.set()
    assert sorted(each.id for each in endpoint.received) == sorted([first, *others])
    assert await state(endpoint) == ["confirmed"] * 5


async def test_a_rest_that_is_asked_for_is_for_all_messages(endpoint: Endpoint) -> None:
    endpoint.says, endpoint.headers = [429], {"Retry-After": "120"}
    first = await endpoint.desk.comes(1, order_no="A")
    await endpoint.sends()
    second = await endpoint.desk.comes(2, order_no="B")
    endpoint.says = [200]
    endpoint.desk.clock.now += timedelta(seconds=119)
    assert await endpoint.sends() == []
    endpoint.desk.clock.now += SECOND
    assert sorted(await endpoint.sends()) == sorted([first, second])


async def test_two_secrets_sign_while_one_replaces_the_other(endpoint: Endpoint) -> None:
    await endpoint.declared(secrets=(SECRET, FORMER))
    await endpoint.desk.comes(1, order_no="A")
    await endpoint.sends()
    [received] = endpoint.received
    assert (received.signed_by(SECRET), received.signed_by(FORMER), len(received.signatures)) == (True, True, 2)
    assert (await endpoint.operations.show(SUPPLIER)).secrets == 2
    await endpoint.declared(secrets=(SECRET,))
    await endpoint.desk.comes(2, order_no="B")
    await endpoint.sends()
    assert (endpoint.received[1].signed_by(FORMER), len(endpoint.received[1].signatures)) == (False, 1)


async def test_a_test_sends_a_signed_message_and_changes_nothing(endpoint: Endpoint) -> None:
    endpoint.says = [200, 410]
    tested = await endpoint.operations.test(SUPPLIER, "zhang")
    [received] = endpoint.received
    assert (tested.outcome, tested.message) == ("delivered", received.id)
    assert received.signed_by(SECRET)
    assert (received.message["id"], received.message["type"]) == (received.id, "webhook.test")
    assert (await endpoint.operations.test(SUPPLIER, "zhang")).outcome == "gone"
    assert (await endpoint.operations.show(SUPPLIER)).disabled_at is None


async def test_a_replay_sends_what_came_since_once_more_in_order_and_changes_no_state(endpoint: Endpoint) -> None:
    desk = endpoint.desk
    first, second = await desk.comes(1), await desk.comes(2, CONFIRM)
    fetched = await desk.comes(3, order_no="B")
    assert await desk.fetched() == [first, fetched]
    await desk.ack(first, fetched)
    assert await endpoint.sends_all() == [second]
    desk.clock.now += VISIBILITY
    waiting = await desk.comes(4, order_no="C")
    endpoint.says = [500]
    await endpoint.sends()
    endpoint.says = [200]
    before = (await desk.states())[:3]
    resent = await endpoint.operations.replay(SUPPLIER, datetime.now(UTC) - HOUR, "zhang", "their database is lost")
    assert (resent.waiting, resent.acknowledged) == (1, 3)
    found = await endpoint.sends_all()
    assert sorted(found) == sorted([first, second, fetched, waiting])
    assert found.index(first) < found.index(second)
    assert [each for each in await desk.states() if each[0] != waiting] == [
        each for each in before if each[0] != waiting
    ]
    assert await endpoint.sends_all() == []
    nothing = await endpoint.operations.replay(SUPPLIER, datetime.now(UTC) + HOUR, "zhang", "again")
    assert (nothing.waiting, nothing.acknowledged) == (0, 0)


async def test_who_has_no_webhook_is_told_so(endpoint: Endpoint) -> None:
    await endpoint.desk.rows("UPDATE suppliers SET config = config - 'webhook'")
    with pytest.raises(NoWebhookError):
        await endpoint.operations.show(SUPPLIER)


async def next_event(endpoint: Endpoint) -> datetime | None:
    """When the next retry is due."""
    shown = await endpoint.operations.show(SUPPLIER)
    return shown.next_at and max(shown.next_at, shown.resting_until or shown.next_at)


async def test_a_webhook_that_flaps_for_five_days_gets_every_message_and_is_never_set_aside(endpoint: Endpoint) -> None:
    """Hours up and hours down by chance; an order comes every two hours, and has days to go."""
    desk, dice = endpoint.desk, random.Random(7)
    sent, up, end = list[str](), True, desk.clock.now + 5 * DAY
    flaps, comes = desk.clock.now + HOUR, desk.clock.now

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=200 if up else dice.choice([500, 502, 404, 301, 429]))

    endpoint.says = [answer]
    while desk.clock.now < end:
        if desk.clock.now >= comes:
            sent.append(await desk.comes(len(sent), order_no=f"F-{len(sent)}", deadline=FAR))
            comes += 2 * HOUR
        if desk.clock.now >= flaps:
            up, flaps = not up, flaps + timedelta(hours=dice.uniform(1, 12))
        await endpoint.sends_all()
        desk.clock.now += timedelta(minutes=20)
    up = True
    for _ in range(10):
        if "unknown" in await state(endpoint):
            desk.clock.now = max(desk.clock.now, await next_event(endpoint) or desk.clock.now)
            await endpoint.sends_all()
    assert await state(endpoint) == ["confirmed"] * len(sent)
    assert (await endpoint.operations.show(SUPPLIER)).disabled_at is None
    assert {each.id for each in endpoint.received} == set(sent)


async def test_a_webhook_down_for_five_days_is_set_aside_after_the_published_schedule(
    endpoint: Endpoint,
) -> None:
    desk = endpoint.desk
    endpoint.says, begun = [500], desk.clock.now
    command = await desk.comes(1, deadline=FAR)
    times = list[timedelta]()
    while desk.clock.now < begun + 5 * DAY:
        if await endpoint.sends():
            times.append(desk.clock.now - begun)
        desk.clock.now = max(desk.clock.now + SECOND, await next_event(endpoint) or begun + 5 * DAY)
    minutes = [round(each.total_seconds() / 60) for each in times]
    assert minutes == [0, 0, 5, 35, 155, 455, 1055, 1895, 3095, 4535]
    shown = await endpoint.operations.show(SUPPLIER)
    assert (shown.disabled_for, shown.disabled_at) == ("failing", begun + times[-1])
    assert (shown.waiting, shown.given_up) == (1, 1)
    assert await desk.fetched() == [command]
