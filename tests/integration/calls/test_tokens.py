"""One token for all calls of a supplier: asked for once, kept sealed, never spent by an owner that has lost it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from gateway.calls.tokens import NoTokenError, Tokens, TokenStore
from gateway.sdk.adapter import Token
from gateway.sdk.errors import AuthError, SupplierError, UnavailableError
from gateway.store import Lease, LeaseLostError, Pool, acquired
from gateway.suppliers import SecretBox
from tests.eventually import eventually

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Issuer:
    """A supplier that gives tokens of a day's life, each under the next number."""

    def __init__(self) -> None:
        self.now = START
        self.given: list[Token] = []
        self.held: list[Token | None] = []
        self.faults: list[SupplierError] = []
        self.open = asyncio.Event()
        self.open.set()
        self.asked = 0

    async def obtain(self, held: Token | None) -> Token:
        self.asked += 1
        self.held.append(held)
        await self.open.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.given.append(Token(f"t{len(self.given) + 1}", self.now + DAY, refresh="r"))
        return self.given[-1]


@asynccontextmanager
async def owner(issuer: Issuer, store: TokenStore) -> AsyncIterator[Tokens]:
    """A process that owns the supplier."""
    tokens = Tokens("acme", issuer.obtain, store, clock=lambda: issuer.now, dice=lambda: 0.5, backoff=0)
    await tokens.load()
    yield tokens
    await tokens.close()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
async def tokens(issuer: Issuer, store: TokenStore) -> AsyncIterator[Tokens]:
    async with owner(issuer, store) as opened:
        yield opened


async def test_fifty_calls_with_a_token_that_has_ended_ask_for_one(issuer: Issuer, tokens: Tokens) -> None:
    await tokens.current()
    issuer.now += 2 * DAY
    assert {(await each).value for each in [asyncio.ensure_future(tokens.current()) for _ in range(50)]} == {"t2"}
    assert [held and held.value for held in issuer.held] == [None, "t1"]


async def test_a_call_that_was_under_way_while_the_token_changed_asks_for_no_other(
    issuer: Issuer, tokens: Tokens
) -> None:
    used = await tokens.current()
    renewed = await asyncio.gather(*(tokens.renew(used) for _ in range(50)))
    late = await tokens.renew(used)
    assert {token.value for token in (*renewed, late)} == {"t2"}
    assert issuer.asked == 2


async def test_the_next_owner_goes_on_with_the_same_token(issuer: Issuer, store: TokenStore) -> None:
    async with owner(issuer, store) as first:
        await first.current()
    async with owner(issuer, store) as second:
        assert await second.current() == issuer.given[0]
    assert issuer.asked == 1


async def test_a_token_is_sealed_where_it_is_kept(tokens: Tokens, pool: Pool) -> None:
    await tokens.current()
    async with acquired(pool) as connection:
        row = await connection.fetchrow("SELECT ciphertext, expires_at, obtained_at FROM supplier_tokens")
    assert row is not None
    assert b"t1" not in row["ciphertext"]
    assert (row["obtained_at"], row["expires_at"]) == (START, START + DAY)


async def test_what_was_sealed_under_another_key_is_no_token(
    issuer: Issuer, tokens: Tokens, pool: Pool, lease: Lease
) -> None:
    await tokens.current()
    elsewhere = TokenStore(pool, SecretBox(bytes(32)), "acme", lease.fence)
    assert await elsewhere.load() is None
    async with owner(issuer, elsewhere) as other:
        assert (await other.current()).value == "t2"


async def test_an_owner_that_has_lost_the_supplier_asks_for_no_token(
    issuer: Issuer, tokens: Tokens, pool: Pool, lease: Lease
) -> None:
    await lease.release()
    assert await Lease(pool, lease.name, "another").take()
    with pytest.raises(LeaseLostError):
        await tokens.current()
    assert issuer.asked == 0


async def test_an_owner_that_loses_the_supplier_meanwhile_keeps_no_token(
    issuer: Issuer, tokens: Tokens, store: TokenStore, pool: Pool, lease: Lease
) -> None:
    issuer.open.clear()
    asking = asyncio.create_task(tokens.current())
    await until_asked(issuer, 1)
    await lease.release()
    assert await Lease(pool, lease.name, "another").take()
    issuer.open.set()
    with pytest.raises(LeaseLostError):
        await asking
    assert await store.load() is None


async def test_a_token_is_exchanged_before_it_ends_and_no_call_waits_for_that(issuer: Issuer, tokens: Tokens) -> None:
    await tokens.current()
    issuer.now += 0.89 * DAY
    assert (await tokens.current()).value == "t1"
    assert issuer.asked == 1
    issuer.open.clear()
    issuer.now += 0.02 * DAY
    assert (await tokens.current()).value == "t1"
    await until_asked(issuer, 2)
    assert (await tokens.current()).value == "t1"
    issuer.open.set()

    async def exchanged() -> bool:
        return (await tokens.current()).value == "t2"

    await eventually(exchanged)
    assert issuer.asked == 2


async def test_a_token_that_is_still_good_serves_while_no_other_is_given(issuer: Issuer, tokens: Tokens) -> None:
    await tokens.current()
    issuer.now += 0.95 * DAY
    issuer.faults = [AuthError()]
    assert (await tokens.current()).value == "t1"
    await until_asked(issuer, 2)
    for _ in range(20):
        assert (await tokens.current()).value == "t1"
    assert issuer.asked == 2
    issuer.now += timedelta(seconds=61)
    await tokens.current()
    await until_asked(issuer, 3)


async def test_a_passing_fault_is_outwaited(issuer: Issuer, tokens: Tokens) -> None:
    issuer.faults = [UnavailableError(), UnavailableError()]
    assert (await tokens.current()).value == "t1"
    assert issuer.asked == 3


async def test_a_supplier_that_gives_no_token_is_asked_a_few_times_for_all_calls_together(
    issuer: Issuer, tokens: Tokens
) -> None:
    issuer.faults = [UnavailableError("away") for _ in range(9)]
    waiting = await asyncio.gather(*(tokens.current() for _ in range(50)), return_exceptions=True)
    assert {type(each) for each in waiting} == {NoTokenError}
    assert issuer.asked == 3


async def test_a_refused_credential_is_not_tried_again(issuer: Issuer, tokens: Tokens) -> None:
    issuer.faults = [AuthError("wrong password")]
    with pytest.raises(AuthError):
        await tokens.current()
    assert issuer.asked == 1


async def test_a_call_that_is_cancelled_does_not_end_what_others_wait_for(issuer: Issuer, tokens: Tokens) -> None:
    issuer.open.clear()
    first, second = asyncio.create_task(tokens.current()), asyncio.create_task(tokens.current())
    await until_asked(issuer, 1)
    first.cancel()
    issuer.open.set()
    assert (await second).value == "t1"
    assert issuer.asked == 1


async def test_a_supplier_whose_clock_is_behind_is_not_asked_before_every_call(issuer: Issuer, tokens: Tokens) -> None:
    issuer.now -= 2 * DAY
    await tokens.current()
    issuer.now = START
    await tokens.renew(issuer.given[-1])
    given = issuer.asked
    for _ in range(10):
        await tokens.current()
    assert issuer.asked == given


async def until_asked(issuer: Issuer, times: int) -> None:
    async def holds() -> bool:
        return issuer.asked >= times

    await eventually(holds)
