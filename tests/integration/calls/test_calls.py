"""Calls as an adapter makes them: what it never sees of tokens, faults and limits, and what it does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.calls import breaker
from gateway.calls.attempts import CallsEndedError, TooLateError
from gateway.calls.breaker import State
from gateway.calls.breakers import BreakerOpenError
from gateway.calls.calls import Calls, limits_of, open_calls
from gateway.calls.exchange import Exchange, exchange_of
from gateway.calls.limiter import Priority
from gateway.calls.state import CallState, new_state
from gateway.calls.tokens import TokenStore
from gateway.outbound import Credential, HttpLimits, Prepared
from gateway.sdk.adapter import Adapter, Options, Token
from gateway.sdk.errors import (
    AuthError,
    ConfigError,
    ContractError,
    OutcomeUnknownError,
    RateLimitError,
    RejectedError,
    Sent,
    SupplierError,
    UnavailableError,
)
from gateway.sdk.http import Http, Reply, Request
from gateway.sdk.manifest import Manifest
from gateway.store import LeaseLostError
from gateway.suppliers.config import Calls as Declared
from gateway.telemetry.metrics import REGISTRY
from tests.eventually import eventually
from tests.supplier_site import Site

MANIFEST: Mapping[str, Any] = {
    "id": "tested",
    "name": "An interface",
    "docs": "README.md",
    "capabilities": ["obtains_tokens"],
    "http": {"rate_per_second": 1000, "concurrency": 8, "timeout_seconds": 20},
    "auth": {"scheme": "token", "carried": "form", "name": "token", "secrets": ["password"]},
    "operations": {
        "token": {"path": "/token", "authorised": False},
        "read": {"path": "/goods/{sku}"},
        "delete": {"path": "/messages", "reads": False},
    },
}

READ = Request("read", path={"sku": "A1"})

FAULTS: Mapping[int, type[SupplierError]] = {401: AuthError, 409: RejectedError, 503: UnavailableError}
"""Codes that the supplier reports inside a 200."""


class Judging(Adapter):
    """An adapter of that interface."""

    def judge(self, reply: Reply) -> None:
        if reply.status == 200 and (code := orjson.loads(reply.body)["code"]):
            raise FAULTS[code](f"code {code}")

    async def obtain_token(self, http: Http, secrets: Mapping[str, str], held: Token | None, now: datetime) -> Token:
        reply = await http.call(Request("token", form={"password": secrets["password"]}))
        return Token(orjson.loads(reply.body)["token"], now + timedelta(days=1))


class Shop:
    """The supplier's side. answers: of the operations, the first is used up; then all is well."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.calls: dict[str, int] = {"token": 0, "read": 0, "delete": 0}
        self.answers: list[web.Response] = []
        self.good = "t1"
        self.seen: list[str] = []
        site.answer = self.answer

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        form = await request.post()
        if request.path == "/token":
            self.calls["token"] += 1
            assert "token" not in form
            if form["password"] != "hunter2":
                return web.json_response({"code": 401})
            self.good = f"t{self.calls['token']}"
            return web.json_response({"code": 0, "token": self.good})
        self.calls["read" if request.path.startswith("/goods") else "delete"] += 1
        self.seen.append(str(form["token"]))
        if form["token"] != self.good:
            return web.json_response({"code": 401})
        return self.answers.pop(0) if self.answers else web.json_response({"code": 0})


@pytest.fixture
def shop(site: Site) -> Shop:
    return Shop(site)


@pytest.fixture
async def calls(shop: Shop, store: TokenStore) -> AsyncIterator[Calls]:
    async with opened(shop, store) as calls:
        yield calls


@asynccontextmanager
async def opened(
    shop: Shop, store: TokenStore, *, state: CallState | None = None, **changes: Any
) -> AsyncIterator[Calls]:
    """Calls of supplier `acme`, but for the changes."""
    arguments: dict[str, Any] = {"secrets": {"password": "hunter2"}, "owned": ours} | changes
    manifest, limits = Manifest.model_validate(MANIFEST), limits_at(shop)
    state = state or new_state("acme", manifest, limits)
    async with open_calls(state, manifest, Judging(Options()), limits, store=store, backoff=0, **arguments) as calls:
        yield calls


def limits_at(shop: Shop, **changes: Any) -> HttpLimits:
    """Limits of a row whose supplier is the shop."""
    declared = Declared(base_url=f"http://127.0.0.1:{shop.site.port}", allow_private=True, **changes)
    return limits_of(Manifest.model_validate(MANIFEST), declared)


async def ours() -> None:
    """The supplier is this process's."""


def says(code: int) -> web.Response:
    return web.json_response({"code": code})


async def test_an_adapter_asks_and_knows_nothing_of_tokens(shop: Shop, calls: Calls) -> None:
    assert orjson.loads((await calls.call(READ)).body) == {"code": 0}
    await calls.call(Request("delete"))
    assert shop.calls == {"token": 1, "read": 1, "delete": 1}
    assert shop.seen == ["t1", "t1"]


async def test_a_refused_token_is_renewed_once_for_all_calls(shop: Shop, calls: Calls) -> None:
    await calls.call(READ)
    shop.good = "revoked"
    await asyncio.gather(*(calls.call(READ) for _ in range(50)))
    assert shop.calls["token"] == 2
    assert set(shop.seen) == {"t1", "t2"}
    assert calls.status().breakers["read"].state is State.CLOSED


async def test_an_operation_that_refuses_every_token_is_not_called_for_a_while(shop: Shop, calls: Calls) -> None:
    shop.answers = [says(401), says(401)]
    with pytest.raises(AuthError):
        await calls.call(READ)
    for _ in range(3):
        with pytest.raises(BreakerOpenError, match="code 401"):
            await calls.call(READ)
    assert shop.calls == {"token": 2, "read": 2, "delete": 0}
    await calls.call(Request("delete"))


async def test_a_wrong_secret_is_tried_once_and_opens_the_breaker_of_the_token(shop: Shop, store: TokenStore) -> None:
    async with opened(shop, store, secrets={"password": "wrong"}) as calls:
        with pytest.raises(AuthError):
            await calls.call(READ)
        with pytest.raises(UnavailableError):
            await calls.call(READ)
        assert calls.status().breakers["token"].state is State.OPEN
    assert shop.calls == {"token": 1, "read": 0, "delete": 0}


@pytest.mark.parametrize("fault", [503, 408, 500])
async def test_a_read_is_repeated_while_the_fault_is_passing(shop: Shop, calls: Calls, fault: int) -> None:
    shop.answers = [web.Response(status=fault) for _ in range(3)]
    assert (await calls.call(READ)).status == 200
    assert shop.calls["read"] == 4


async def test_a_read_is_given_up_after_four_attempts(shop: Shop, calls: Calls) -> None:
    shop.answers = [says(503) for _ in range(9)]
    with pytest.raises(UnavailableError) as caught:
        await calls.call(READ)
    assert shop.calls["read"] == 4
    assert (caught.value.operation, caught.value.status) == ("read", 200)


async def test_what_changes_something_is_never_repeated(shop: Shop, calls: Calls) -> None:
    shop.answers = [says(503)]
    with pytest.raises(UnavailableError):
        await calls.call(Request("delete"))
    assert shop.calls["delete"] == 1


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (says(409), RejectedError),
        (web.Response(status=302, headers={"Location": "http://127.0.0.1/"}), ContractError),
        (web.Response(status=404, body=b"what?"), ContractError),
    ],
)
async def test_what_the_supplier_means_is_not_asked_twice(
    shop: Shop, calls: Calls, answer: web.Response, fault: type[SupplierError]
) -> None:
    shop.answers = [answer]
    with pytest.raises(fault) as caught:
        await calls.call(READ)
    assert shop.calls["read"] == 1
    assert not isinstance(caught.value, ContractError) or caught.value.reply == (answer.body or b"")


@pytest.mark.parametrize("after", ["0", "1e9", "garbage", "Thu, 01 Jan 1970 00:00:00 GMT"])
async def test_a_supplier_that_is_asked_too_often_is_asked_less(shop: Shop, calls: Calls, after: str) -> None:
    shop.answers = [web.Response(status=429, headers={"Retry-After": after})]
    await calls.call(READ)
    assert shop.calls["read"] == 2
    status = calls.status()
    assert 0.5 * status.maximum <= status.rate < 0.6 * status.maximum
    assert status.breakers["read"].state is State.CLOSED


async def test_a_supplier_that_refuses_for_good_ends_a_call_with_that(shop: Shop, calls: Calls) -> None:
    shop.answers = [web.Response(status=429, headers={"Retry-After": "0"}) for _ in range(4)]
    with pytest.raises(RateLimitError):
        await calls.call(READ)
    assert shop.calls["read"] == 4


async def test_a_breaker_opens_and_closes_again_by_one_probe(
    shop: Shop, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_SECONDS", 0.2)
    monkeypatch.setattr(breaker, "LEAST_SECONDS", 0.2)
    shop.answers = [says(503) for _ in range(5)]
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await calls.call(READ)
    assert shop.calls["read"] == 5
    assert calls.status().breakers["read"].state is State.OPEN
    assert gauge("breaker_open", operation="read") == 1

    async def recovered() -> bool:
        try:
            await calls.call(READ)
        except BreakerOpenError:
            return False
        return True

    await eventually(recovered)
    assert shop.calls["read"] == 6
    assert gauge("breaker_open", operation="read") == 0


async def test_questions_asked_at_once_wait_for_the_probe_instead_of_ending_it(
    shop: Shop, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_SECONDS", 0.2)
    monkeypatch.setattr(breaker, "LEAST_SECONDS", 0.2)
    shop.answers = [says(503) for _ in range(5)]
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await calls.call(READ)

    async def recovered() -> bool:
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(calls.call(READ))
        except ExceptionGroup:
            return False
        return True

    await eventually(recovered)
    # Five that failed and three; one more where the breaker let a probe through while it refused the call before it.
    assert shop.calls["read"] in (8, 9)


async def test_retries_stop_before_they_become_the_load(shop: Shop, calls: Calls) -> None:
    shop.answers = [says(503 if attempt % 5 in (0, 2) else 0) for attempt in range(1000)]
    results = [await outcome(calls) for _ in range(100)]
    assert shop.calls["read"] <= 120
    assert UnavailableError in results
    assert calls.status().breakers["read"].state is State.CLOSED


async def outcome(calls: Calls) -> type[Exception] | None:
    try:
        await calls.call(READ)
    except UnavailableError as error:
        return type(error)
    return None


async def test_what_may_leave_until_a_moment_does_not_leave_afterwards(shop: Shop, calls: Calls) -> None:
    now = datetime.now(UTC)
    assert (await calls.until(now + timedelta(hours=1)).call(READ)).status == 200
    for request in (READ, Request("delete")):
        with pytest.raises(TooLateError) as late:
            await calls.until(now).call(request)
        assert late.value.sent in (None, Sent.NOTHING)
    assert shop.calls == {"token": 1, "read": 1, "delete": 0}


async def test_an_owner_that_has_lost_the_supplier_sends_nothing(shop: Shop, store: TokenStore) -> None:
    lost = asyncio.Event()

    async def owned() -> None:
        if lost.is_set():
            raise LeaseLostError

    async with opened(shop, store, owned=owned) as calls:
        await calls.call(READ)
        lost.set()
        with pytest.raises(LeaseLostError):
            await calls.call(READ)
    assert shop.calls["read"] == 1


async def test_calls_that_are_cancelled_leave_the_way_free(shop: Shop, calls: Calls) -> None:
    await calls.call(READ)
    hang, held = asyncio.Event(), shop.site.answer

    async def hanging(request: web.BaseRequest) -> web.StreamResponse:
        await hang.wait()
        return says(0)

    shop.site.answer = hanging
    waiting = [asyncio.create_task(calls.at(Priority.DELTA).call(READ)) for _ in range(20)]

    async def all_but_eight_wait() -> bool:
        return calls.status().waiting == 12 and len(shop.site.requests) == 2 + 8

    await eventually(all_but_eight_wait)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    hang.set()
    shop.site.answer = held
    await asyncio.gather(*(calls.call(READ) for _ in range(20)))
    assert calls.status().waiting == 0


async def test_what_is_told_of_a_supplier_ends_with_owning_it(shop: Shop, store: TokenStore) -> None:
    async with opened(shop, store) as calls:
        await calls.call(READ)
        assert gauge("supplier_rate") == 1000
    assert gauge("supplier_rate") is None


def hold_answers(shop: Shop) -> asyncio.Event:
    """Have the shop answer as ever, but nothing before the event is set."""
    leave, answer = asyncio.Event(), shop.site.answer

    async def held(request: web.BaseRequest) -> web.StreamResponse:
        await leave.wait()
        return await answer(request)

    shop.site.answer = held
    return leave


async def test_what_was_sent_is_let_end_though_whoever_asked_is_cancelled(shop: Shop, store: TokenStore) -> None:
    taken: list[bool] = []
    async with opened(shop, store) as calls:
        await calls.token()
        leave, answer = hold_answers(shop), shop.site.answer

        async def noting(request: web.BaseRequest) -> web.StreamResponse:
            response = await answer(request)
            taken.append(request.transport is not None and not request.transport.is_closing())
            return response

        shop.site.answer = noting
        waiting = [asyncio.create_task(calls.call(READ)) for _ in range(10)]

        async def eight_asked() -> bool:
            return len(shop.site.requests) == 1 + 8

        await eventually(eight_asked)
        for each in waiting:
            each.cancel()
        assert {type(each) for each in await asyncio.gather(*waiting, return_exceptions=True)} == {
            asyncio.CancelledError
        }
        again = asyncio.create_task(calls.call(READ))
        ending = asyncio.create_task(calls.end())
        await asyncio.sleep(0)
        assert not ending.done()
        leave.set()
        await ending
        with pytest.raises(CallsEndedError):
            await again
    assert taken == [True] * 8
    assert shop.calls["read"] == 8


async def test_calls_under_way_outlive_other_limits_and_secrets(shop: Shop, calls: Calls) -> None:
    await calls.call(READ)
    leave = hold_answers(shop)
    waiting = [asyncio.create_task(calls.call(READ)) for _ in range(8)]

    async def all_asked() -> bool:
        return len(shop.site.requests) == 2 + 8

    await eventually(all_asked)
    calls.configure(limits_at(shop, rate_per_second=500, concurrency=1, timeout_seconds=1))
    calls.use_secrets({"password": "hunter2"})
    leave.set()
    assert {(await each).status for each in waiting} == {200}
    assert shop.seen == ["t1"] * 9
    await calls.call(READ)
    assert shop.seen[9:] == ["t2"]
    assert calls.status().maximum == 500


async def test_what_was_learnt_of_a_supplier_outlives_the_calls_that_taught_it(shop: Shop, store: TokenStore) -> None:
    state = new_state("acme", Manifest.model_validate(MANIFEST), limits_at(shop))
    async with opened(shop, store, state=state) as calls:
        shop.answers = [web.Response(status=429, headers={"Retry-After": "0"})] + [says(503) for _ in range(9)]
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await calls.call(READ)
        asked, rate = shop.calls["read"], calls.status().rate
        assert all(calls.order_retries.spend(time.monotonic()) for _ in range(100))
    assert gauge("breaker_open", operation="read") is None
    async with opened(shop, store, state=state) as calls:
        assert gauge("breaker_open", operation="read") == 1
        assert calls.status().rate == rate < calls.status().maximum
        with pytest.raises(BreakerOpenError):
            await calls.call(READ)
        assert calls.order_retries.left(time.monotonic()) == 20
    assert shop.calls["read"] == asked


async def test_right_secrets_are_tried_at_once_however_often_wrong_ones_were_refused(
    shop: Shop, store: TokenStore
) -> None:
    async with opened(shop, store, secrets={"password": "wrong"}) as calls:
        with pytest.raises(AuthError):
            await calls.call(READ)
        with pytest.raises(UnavailableError):
            await calls.call(READ)
        calls.use_secrets({"password": "hunter2"})
        assert (await calls.call(READ)).status == 200
        shop.answers = [says(401), says(401)]
        with pytest.raises(AuthError):
            await calls.call(READ)


async def test_a_token_of_former_secrets_that_comes_late_is_used_by_nobody_else(shop: Shop, calls: Calls) -> None:
    leave, answer = asyncio.Event(), shop.site.answer

    async def late(request: web.BaseRequest) -> web.StreamResponse:
        response = await answer(request)
        if request.path == "/token" and shop.calls["token"] == 1:
            await leave.wait()
        return response

    shop.site.answer = late
    waiting = asyncio.create_task(calls.call(READ))

    async def asked() -> bool:
        return shop.calls["token"] == 1

    await eventually(asked)
    calls.use_secrets({"password": "hunter2"})
    await calls.call(READ)
    leave.set()
    await waiting
    await calls.call(READ)
    assert shop.seen[0] == shop.seen[-1] == "t2"


async def test_calls_that_end_are_answered_and_no_other_is_sent(shop: Shop, calls: Calls) -> None:
    await calls.call(READ)
    leave = hold_answers(shop)
    waiting = [asyncio.create_task(calls.call(READ)) for _ in range(11)]

    async def places_taken() -> bool:
        return len(shop.site.requests) == 2 + 8

    await eventually(places_taken)
    ending = asyncio.create_task(calls.end())
    await asyncio.sleep(0)
    assert not ending.done()
    leave.set()
    await ending
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in results] == [Reply] * 8 + [CallsEndedError] * 3
    assert len(shop.site.requests) == 2 + 8


async def test_while_nobody_can_tell_whose_the_supplier_is_calls_wait(shop: Shop, store: TokenStore) -> None:
    told = asyncio.Event()

    async def owned() -> None:
        await told.wait()

    async with opened(shop, store, owned=owned) as calls:
        waiting = [asyncio.create_task(calls.call(READ)) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert not shop.site.requests
        told.set()
        assert {(await each).status for each in waiting} == {200}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (web.Response(status=503, headers={"Retry-After": "1"}), UnavailableError),
        (web.Response(status=503), OutcomeUnknownError),
        (web.Response(status=408), UnavailableError),
        (web.Response(status=429), RateLimitError),
        (says(503), UnavailableError),
        (says(409), RejectedError),
        (web.Response(status=500), OutcomeUnknownError),
        (web.Response(status=502), OutcomeUnknownError),
        (web.Response(status=504), OutcomeUnknownError),
        (None, OutcomeUnknownError),
    ],
)
async def test_a_change_that_may_have_been_made_is_said_to_be_unknown_and_never_repeated(
    shop: Shop, calls: Calls, answer: web.Response | None, fault: type[SupplierError]
) -> None:
    good = shop.site.answer

    async def answered(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/token":
            return await good(request)
        shop.calls["delete"] += 1
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
        return answer or web.Response()

    shop.site.answer = answered
    with pytest.raises(fault) as caught:
        await calls.call(Request("delete"))
    assert type(caught.value) is fault
    assert shop.calls["delete"] == 1


async def test_outages_that_changes_meet_open_the_breaker_too(shop: Shop, calls: Calls) -> None:
    shop.answers = [web.Response(status=502) for _ in range(5)]
    for _ in range(5):
        with pytest.raises(OutcomeUnknownError):
            await calls.call(Request("delete"))
    with pytest.raises(BreakerOpenError):
        await calls.call(Request("delete"))


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"mallgate_{name}", {"supplier": "acme", **labels})


def test_a_row_narrows_the_limits_of_its_adapter() -> None:
    manifest = Manifest.model_validate(MANIFEST)
    declared = Declared(base_url="https://api.example.com", rate_per_second=5, concurrency=99)
    limits = limits_of(manifest, declared)
    assert (limits.rate_per_second, limits.concurrency, limits.timeout_seconds) == (5, 8, 20)
    with pytest.raises(ConfigError):
        limits_of(manifest, Declared())


async def test_an_observer_is_told_of_each_attempt_as_it_was_on_the_wire_but_for_the_credential(
    shop: Shop, calls: Calls
) -> None:
    await calls.call(READ)
    shop.good, seen = "revoked-token", list[Exchange]()
    await calls.observed(seen.append).call(Request("delete", form={"id": "7", "note": "狐"}))
    assert [each.error for each in seen] == ["AuthError", ""]
    for each, code in zip(seen, (401, 0), strict=True):
        assert each.request.url == f"http://127.0.0.1:{shop.site.port}/messages"
        assert each.request.body == b"id=7&note=%E7%8B%90"
        assert each.reply is not None
        assert orjson.loads(each.reply.body) == {"code": code}
        assert each.sent_at <= each.ended_at


async def test_an_observer_is_told_of_an_answer_that_did_not_come_and_of_nothing_that_was_not_sent(
    shop: Shop, calls: Calls
) -> None:
    seen = list[Exchange]()
    observed = calls.observed(seen.append)
    shop.answers += [web.Response(status=503), says(0)]
    await observed.call(READ)
    assert [(each.reply and each.reply.status, each.error) for each in seen] == [(503, "UnavailableError"), (200, "")]
    with pytest.raises(TooLateError):
        await observed.until(datetime.now(UTC) - timedelta(seconds=1)).call(Request("delete"))
    await calls.call(READ)
    assert len(seen) == 2


async def test_a_reply_that_repeats_the_credential_is_kept_without_it() -> None:
    credential = Credential("header", "Authorization", "Bearer a-long-secret-token")
    request = Prepared("read", "GET", "https://acme.example/", {}, None)
    reply = Reply("read", 200, {"x-echo": "a-long-secret-token"}, b'{"you sent": "a-long-secret-token"}')
    now = datetime.now(UTC)
    kept = exchange_of(request, credential, (now, now), reply, None).reply
    assert kept is not None
    assert "a-long-secret-token" not in f"{kept.headers} {kept.body.decode()}"
