"""What operators decide about commands: a word about their effect, a stop, and the end of that stop.

Each is one transaction: the command moved from what it was, its step, what the mall core is told, the audit.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway.relay import operator_queries as queries
from gateway.relay.advice import OF_ANOTHER_RELEASE
from gateway.relay.command_events import resolved_news
from gateway.relay.commands import Command, Origin, Role
from gateway.relay.contract_ends import contract_delivered, contract_not_done
from gateway.relay.lane_store import close_letters, others_submitted
from gateway.relay.mailbox_queries import ANSWERED
from gateway.relay.orders import News, publish_news
from gateway.relay.policy import Profile
from gateway.relay.states import ENDED, State
from gateway.relay.steps import Kind, Step, write_steps
from gateway.relay.store import command_of, move, opened
from gateway.relay.transitions import (
    Resolution,
    ResolutionRefused,
    park,
    release,
    resolve,
    resolve_acknowledged,
)
from gateway.sdk.errors import GatewayError
from gateway.store import Connection, Pool, Row, transaction
from gateway.store.audit import record
from gateway.suppliers import SecretBox
from gateway.telemetry.failpoints import failpoint

Profiles = Callable[[str, str], Awaitable[Profile]]
"""What is declared of an operation of a supplier."""


class UnknownCommandError(GatewayError):
    """Nothing of this waits or is under way: mallgate orders show ORDER tells what was asked for and how it ended."""


class NotDecidableError(GatewayError):
    """This cannot be said of the command as it stands."""


REFUSED = {
    "needs_resolution": "It stopped because its effect is in doubt: find out and say so with mallgate orders resolve.",
    "never_sent": "Nothing of it was sent, so that there is nothing to find out: mallgate lanes release lets it go on.",
    "number_needed": "Give the supplier's number of the order (--supplier-order-no): none is known yet.",
    "number_taken": "The supplier's number belongs to another order, or the order has another one.",
    "number_needless": "A supplier's number goes with a submit that is done.",
    "held": "The supplier has another order than was asked for: the mall cancels it, or a person accepts it as done.",
    "moved": "The gateway has moved it in this very moment: look again.",
    "unread": f"It cannot be decided here: {OF_ANOTHER_RELEASE}.",
}
"""Why a decision is refused, and what to do instead."""


@dataclass(frozen=True, slots=True)
class _Resolved:
    """A command and what a person's word makes of it.

    now: as it is kept; resolved: as it is told of: one that its vendor acknowledged stays confirmed whatever the word.
    """

    was: Command
    now: Command
    resolved: Command
    acknowledged: bool = False


class OrderDecisions:
    """Carries out what operators decide. profiles: gives what suppliers declare, for how long a request may take."""

    def __init__(self, pool: Pool, box: SecretBox, profiles: Profiles) -> None:
        self._pool = pool
        self._box = box
        self._profiles = profiles

    async def resolve(
        self, command_id: str, word: Resolution, *, actor: str, reason: str, supplier_order_no: str | None = None
    ) -> Command:
        """Take a person's word about a command's effect; what it came to. The mall is told what it ends.

        supplier_order_no: of an order that is there, where the supplier's number is not known yet.
        Raises UnknownCommandError, NotDecidableError.
        """
        supplier, operation = await self._named(command_id)
        profile = await self._profiles(supplier, operation)
        async with transaction(self._pool) as connection:
            found = await _resolved(connection, command_id, word, profile)
            await _check_number(connection, found.was, found.resolved, supplier_order_no)
            facts = {"resolution": word.value, "actor": actor, "reason": reason}
            await _move(connection, found.was, found.now)
            step = _step(found.was, Kind.RESOLVED, facts)
            if found.now.state in ENDED:
                await self._publish_end(connection, found, supplier_order_no, step)
            else:
                await write_steps(connection, self._box, [step])
            await _note(connection, found.was, found.resolved, word, actor, reason)
            failpoint("resolve.before_commit")
        failpoint("resolve.after_commit")
        return found.resolved

    async def park(self, order_no: str, *, actor: str, reason: str, supplier: str | None = None) -> Command:
        """Stop the first command of a lane before its next call. Raises UnknownCommandError, NotDecidableError."""
        return await self._of_head("park", park, order_no, supplier, actor, reason)

    async def release(self, order_no: str, *, actor: str, reason: str, supplier: str | None = None) -> Command:
        """Let one that was stopped so go on where it stood. Raises as `park`."""
        return await self._of_head("release", release, order_no, supplier, actor, reason)

    async def _named(self, command_id: str) -> tuple[str, str]:
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(queries.NAMED, command_id)
        if row is None:
            raise UnknownCommandError
        return row["supplier"], row["operation"]

    async def _of_head(
        self,
        verb: str,
        decide: Callable[[Command], Command | ResolutionRefused],
        order_no: str,
        supplier: str | None,
        actor: str,
        reason: str,
    ) -> Command:
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(queries.LOCK_HEADS, order_no, supplier)
            if not rows:
                raise UnknownCommandError
            if len(rows) > 1:
                suppliers = ", ".join(sorted(row["supplier"] for row in rows))
                raise NotDecidableError(f"The order has lanes at {suppliers}: name the supplier.")
            was = _read(rows[0])
            now = _decided(was, decide(was))
            kind = Kind.STOPPED if now.state is State.PARKED else Kind.RELEASED
            await _move(connection, was, now)
            facts = {"state": now.state.value, "actor": actor, "reason": reason}
            await write_steps(connection, self._box, [_step(was, kind, facts)])
            detail = {"command": was.command_id, "supplier": was.supplier, "state": now.state.value}
            await record(connection, actor, f"lane.{verb}", target=order_no, reason=reason, detail=detail)
        return now

    async def _publish_end(
        self, connection: Connection, found: _Resolved, supplier_order_no: str | None, step: Step
    ) -> None:
        if found.was.contract_no is not None:
            of_contract = await self._news_of_contract(connection, found)
            await connection.execute(ANSWERED, [found.was.command_id])
            await publish_news(connection, self._box, [of_contract], readable=False, steps=[step])
            return
        was_reported_held = found.was.state is State.HELD and found.was.role is Role.MAKES
        news = await self._news(connection, found.resolved, supplier_order_no, answered=was_reported_held)
        await connection.execute(ANSWERED, [found.was.command_id])
        news = [*news, *await others_submitted(connection, [found.was])]
        await publish_news(connection, self._box, news, readable=not found.acknowledged, steps=[step])

    async def _news_of_contract(self, connection: Connection, found: _Resolved) -> News:
        row = await connection.fetchrow(queries.ORIGIN, found.was.command_id)
        origin = Origin(None, None) if row is None else Origin(row["tenant"], row["traceparent"])
        contract_event = contract_delivered if found.resolved.state is State.CONFIRMED else contract_not_done
        return contract_event(found.resolved, origin, datetime.now(UTC))

    async def _news(
        self, connection: Connection, now: Command, supplier_order_no: str | None, *, answered: bool
    ) -> Sequence[News]:
        asked = (await opened(connection, self._box, now.supplier, [now.command_id]))[now.command_id]
        if isinstance(asked, Exception):
            raise NotDecidableError(f"What was asked cannot be read: {type(asked).__name__}")
        news = resolved_news(asked.command, now, datetime.now(UTC), supplier_order_no, answered=answered)
        return [] if news is None else [replace(news, traceparent=asked.traceparent)]


async def _move(connection: Connection, was: Command, now: Command) -> None:
    """Raises NotDecidableError."""
    if not await move(connection, [(was, now)]):
        raise NotDecidableError(REFUSED["moved"])


def _step(was: Command, kind: Kind, facts: Mapping[str, object]) -> Step:
    of_contract = {} if was.contract_no is None else {"contract_no": was.contract_no}
    return Step(was.supplier, was.about, kind, was.command_id, {**facts, **of_contract})


async def _locked(connection: Connection, command_id: str) -> Command:
    """Raises UnknownCommandError, NotDecidableError."""
    row = await connection.fetchrow(queries.LOCK_COMMAND, command_id)
    if row is None:
        raise UnknownCommandError
    return _read(row)


async def _note(connection: Connection, was: Command, now: Command, word: Resolution, actor: str, reason: str) -> None:
    """Note a person's word in the audit, and close the dead letter that it was waited for."""
    detail = {"command": was.command_id, "resolution": word.value, "state": now.state.value}
    await record(connection, actor, "order.resolve", target=was.about, reason=reason, detail=detail)
    await close_letters(connection, [was], f"{word.value}: {reason}")


def _read(row: Row) -> Command:
    """Raises NotDecidableError for one whose state another release has."""
    try:
        return command_of(row)
    except ValueError as error:
        raise NotDecidableError(REFUSED["unread"]) from error


async def _resolved(connection: Connection, command_id: str, word: Resolution, profile: Profile) -> _Resolved:
    """Raises UnknownCommandError, NotDecidableError."""
    was = await _locked(connection, command_id)
    if was.state is State.CONFIRMED and await connection.fetchval(queries.UNANSWERED, command_id):
        now = resolve_acknowledged(was, word)
        resolved = now if word is Resolution.DONE else replace(was, state=State.REFUSED, reason="")
        return _Resolved(was, now, resolved, acknowledged=True)
    now = _decided(was, resolve(was, word, profile, datetime.now(UTC)))
    return _Resolved(was, now, now)


def _decided(was: Command, decided: Command | ResolutionRefused) -> Command:
    """Raises NotDecidableError with what to do instead."""
    if isinstance(decided, Command):
        return decided
    if decided.until is not None:
        raise NotDecidableError(
            f"What was sent last may still take effect: not-done is taken from {decided.until:%Y-%m-%d %H:%M:%S %Z} on."
        )
    stands = f"It is {was.state}: this cannot be said of it; mallgate orders show {was.about} tells what can be done."
    raise NotDecidableError(REFUSED.get(decided.reason, stands))


async def _check_number(connection: Connection, was: Command, now: Command, given: str | None) -> None:
    """Raises NotDecidableError where the supplier's number is missing, or is another's."""
    made = was.role is Role.MAKES and was.contract_no is None and now.state is State.CONFIRMED
    if not made:
        if given is not None:
            raise NotDecidableError(REFUSED["number_needless"])
        return
    [row] = await connection.fetch(queries.NUMBER, was.supplier, was.order_no, given)
    known, owner = row["known"], row["owner"]
    if known is None and given is None:
        raise NotDecidableError(REFUSED["number_needed"])
    if given is not None and (owner not in (None, was.order_no) or known not in (None, given)):
        raise NotDecidableError(REFUSED["number_taken"])
