"""`Http` for one supplier, as its adapter is given it: tokens and retries around single attempts."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from gateway.calls.attempts import Attempts, CallsEndedError, CallTerms, TooLateError
from gateway.calls.breakers import BreakerOpenError, BreakerOrder, BreakerStatus
from gateway.calls.budget import RetryBudget
from gateway.calls.exchange import Observer
from gateway.calls.limiter import Priority
from gateway.calls.state import DICE, CallState
from gateway.calls.tokens import NoTokenError, Obtain, Tokens, TokenStore
from gateway.outbound import AddressBlockedError, Credential, HttpLimits, SupplierClient
from gateway.sdk import adapter as sdk
from gateway.sdk.errors import AuthError, ConfigError, TransientError
from gateway.sdk.http import Http, Reply, Request
from gateway.sdk.manifest import Auth, Manifest
from gateway.suppliers.config import Calls as Declared

ATTEMPTS = 4
BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class CallStatus:
    """How a supplier is called at this moment. rate, maximum: calls a second; waiting: calls without a turn yet."""

    rate: float
    maximum: float
    waiting: int
    breakers: Mapping[str, BreakerStatus]


class Calls:
    """Calls to one supplier, at one priority. tokens: None where calls carry no token."""

    def __init__(
        self,
        attempts: Attempts,
        auth: Auth,
        tokens: Tokens | None,
        *,
        priority: Priority = Priority.SWEEP,
        backoff: float = BACKOFF_SECONDS,
        suspect: bool = False,
        until: datetime | None = None,
        observe: Observer | None = None,
    ) -> None:
        self._observe = observe
        self._suspect = suspect
        self._until = until
        self._attempts = attempts
        self._auth = auth
        self._tokens = tokens
        self._priority = priority
        self._backoff = backoff

    def at(self, priority: Priority) -> Calls:
        """The same calls, limits and budget, at another priority."""
        return self._with(priority=priority)

    def until(self, deadline: datetime) -> Calls:
        """The same calls, none of which leaves any more at the deadline, however long it waited for its turn."""
        return self._with(until=deadline)

    def observed(self, observe: Observer) -> Calls:
        """The same calls, of each of which `observe` is told what went over the wire, without the credential."""
        return self._with(observe=observe)

    def suspecting(self) -> Calls:
        """The same calls, for questions that may go unanswered because of what they are about.

        Nothing is repeated, and that the supplier seems away is not held against the operation: breakers stay shut.
        """
        return self._with(suspect=True)

    def _with(
        self,
        *,
        priority: Priority | None = None,
        suspect: bool = False,
        until: datetime | None = None,
        observe: Observer | None = None,
    ) -> Calls:
        return Calls(
            self._attempts,
            self._auth,
            self._tokens,
            priority=priority or self._priority,
            backoff=self._backoff,
            suspect=suspect,
            until=until,
            observe=observe or self._observe,
        )

    @property
    def address(self) -> str:
        """The adapter and the address that are called, for as long as there are these calls."""
        return self._attempts.address

    @property
    def order_retries(self) -> RetryBudget:
        """Retries of commands that the supplier has left in this process, whatever session asks."""
        return self._attempts.order_retries

    def status(self) -> CallStatus:
        """For operators."""
        limiter = self._attempts.limiter
        return CallStatus(limiter.rate.current, limiter.rate.maximum, limiter.waiting, self._attempts.breakers.status())

    def configure(self, limits: HttpLimits) -> None:
        """Take other limits over in place; the address to call stays."""
        self._attempts.configure(limits)

    def use_secrets(self, secrets: Mapping[str, str]) -> None:
        """Have calls carry a token of these secrets from now on; what refused the former ones is tried again."""
        obtain = obtaining(self._attempts.adapter, TokenHttp(self._attempts), secrets)
        if self._tokens is not None and obtain is not None:
            self._tokens.use(obtain)
        self._attempts.breakers.probe_soon()

    def follow(self, orders: Iterable[BreakerOrder]) -> None:
        """Hold breakers open, or let them probe, as operators want."""
        self._attempts.breakers.follow(orders)

    async def end(self) -> None:
        """Send nothing more, and return once no call is under way; see `Attempts.end`."""
        await self._attempts.end()

    async def token(self) -> sdk.Token:
        """The token that calls carry now, obtained if need be. Raises as `call`, and ValueError without tokens."""
        if self._tokens is None:
            raise ValueError("calls carry no token")
        return await self._tokens.current()

    # The order of it, outermost first: retries, of reads alone; the token, renewed once when it is refused; the
    # attempt. A retry therefore takes the token that is current by then, and waits for a new turn like any other call.
    async def call(self, request: Request) -> Reply:
        """As `Http.call` says. Raises LeaseLostError too, once the supplier is another process's.

        While nobody can tell whose it is, it waits.
        """
        self._attempts.retries.call(time.monotonic())
        if self._suspect or not self._attempts.operation(request.operation).reads:
            return await self._authorised(request)
        return await self._reading()(self._authorised, request)

    async def _authorised(self, request: Request) -> Reply:
        if self._tokens is None or not self._attempts.operation(request.operation).authorised:
            return await ask_or_open_breaker(self._attempts, request, self._terms())
        token = await self._tokens.current()
        try:
            return await self._attempts.ask(request, self._terms(token))
        except AuthError:
            token = await self._tokens.renew(token)
        return await ask_or_open_breaker(self._attempts, request, self._terms(token))

    def _terms(self, token: sdk.Token | None = None) -> CallTerms:
        credential = None if token is None else self._credential(token)
        return CallTerms(self._priority, credential, suspect=self._suspect, until=self._until, observe=self._observe)

    def _credential(self, token: sdk.Token) -> Credential:
        return Credential(self._auth.carried, self._auth.name, self._auth.prefix + token.value)

    def _reading(self) -> AsyncRetrying:
        """The one policy of reads: full jitter; the limiter sees to it that a retry waits as the supplier asked."""
        return AsyncRetrying(
            retry=retry_if_exception(_is_worth_repeating),
            wait=wait_random_exponential(multiplier=self._backoff, max=LONGEST_BACKOFF_SECONDS),
            # Asked last: the budget is spent by retries that take place.
            stop=stop_after_attempt(ATTEMPTS) | _Spent(self._attempts.retries),
            reraise=True,
        )


class _Spent(stop_base):
    """Stops when the budget has no retry left."""

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget

    def __call__(self, retry_state: RetryCallState) -> bool:
        return not self._budget.spend(time.monotonic())


class TokenHttp:
    """The `Http` that obtains tokens: it carries none itself, repeats nothing, and goes before everything else."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    async def call(self, request: Request) -> Reply:
        """Ask once."""
        return await ask_or_open_breaker(self._attempts, request, CallTerms(Priority.DELTA))


async def ask_or_open_breaker(attempts: Attempts, request: Request, terms: CallTerms) -> Reply:
    """Ask with the best credential that there is: where that is refused, the operation is not called for a while."""
    try:
        return await attempts.ask(request, terms)
    except AuthError as error:
        attempts.breakers.trip(request.operation, str(error))
        raise


def limits_of(manifest: Manifest, declared: Declared) -> HttpLimits:
    """The adapter's facts, narrowed by the supplier's row. Raises ConfigError where they name no address."""
    facts = manifest.http
    base_url = declared.base_url or (facts.base_url if facts else None)
    if facts is None or base_url is None:
        raise ConfigError([f"adapter {manifest.id}: there is no address to call"])
    return HttpLimits(
        base_url=base_url,
        timeout_seconds=min(facts.timeout_seconds, declared.timeout_seconds or facts.timeout_seconds),
        rate_per_second=min(facts.rate_per_second, declared.rate_per_second or facts.rate_per_second),
        concurrency=min(facts.concurrency, declared.concurrency or facts.concurrency),
        max_reply_bytes=facts.max_reply_bytes,
        allow_private=declared.allow_private,
    )


@asynccontextmanager
async def open_calls(
    state: CallState,
    manifest: Manifest,
    adapter: sdk.Adapter,
    limits: HttpLimits,
    *,
    secrets: Mapping[str, str],
    store: TokenStore,
    owned: Callable[[], Awaitable[None]],
    backoff: float = BACKOFF_SECONDS,
) -> AsyncIterator[Calls]:
    """Calls to a supplier for as long as this process owns it.

    state: the known state of the supplier already; secrets: of its row; store: where its token is kept; owned: awaited
    before each attempt. Raises StoreUnavailableError when the token cannot be loaded.
    """
    async with SupplierClient(state.supplier, limits) as client:
        attempts = Attempts(state, adapter, manifest.operations, client, base_url=limits.base_url, owned=owned)
        obtain = obtaining(adapter, TokenHttp(attempts), secrets)
        tokens = obtain and Tokens(state.supplier, obtain, store, clock=_now, dice=DICE, backoff=backoff)
        try:
            state.show()
            if tokens is not None:
                await tokens.load()
            yield Calls(attempts, manifest.auth, tokens, backoff=backoff)
        finally:
            if tokens is not None:
                await tokens.close()
            await attempts.end()
            state.hide()


def obtaining(adapter: sdk.Adapter, http: Http, secrets: Mapping[str, str]) -> Obtain | None:
    """How an adapter obtains tokens; None for one that needs none."""
    if not isinstance(adapter, sdk.ObtainsTokens):
        return None
    obtain_token = adapter.obtain_token

    async def obtain(held: sdk.Token | None) -> sdk.Token:
        return await obtain_token(http, secrets, held, _now())

    return obtain


_NOT_REPEATED = (BreakerOpenError, CallsEndedError, TooLateError, NoTokenError, AddressBlockedError)
"""What does not pass within a few tries, or was tried often enough."""


def _is_worth_repeating(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, _NOT_REPEATED)


def _now() -> datetime:
    return datetime.now(UTC)
