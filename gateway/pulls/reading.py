"""Asking about skus so that one sku or area that spoils the answer costs the others nothing.

An answer that is not understood, or that says no, may be the fault of one sku: `search` finds it. So may an answer that
reads like an outage, when the supplier answers for others meanwhile: only a sku that was answered for lately tells the
one from the other, and it is asked about before any sku is held at fault. An outage is waited for, and costs no sku.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import structlog

from gateway.calls.attempts import CallsEndedError
from gateway.calls.breakers import BreakerOpenError
from gateway.calls.tokens import NoTokenError
from gateway.deadletters import DeadLetter
from gateway.outbound import AddressBlockedError
from gateway.pulls.errors import foremost
from gateway.pulls.search import Found, search
from gateway.sdk.adapter import PullsFeeds
from gateway.sdk.errors import (
    AreaRefusedError,
    ContractError,
    GatewayError,
    InvalidMessageError,
    Issue,
    RejectedError,
    SupplierError,
    TransientError,
    UnavailableError,
)
from gateway.sdk.exchange import Exchange
from gateway.sdk.http import Http
from schemas.catalog import Facet

log = structlog.get_logger(__name__)

STAGE = "pull"
"""Where a question failed; a replay asks it again."""

OF_THE_WAY = frozenset({502, 503, 504})
"""Status of answers that come from what stands before the supplier: they say nothing of a sku."""

UNANSWERED = 5
"""Skus that went unanswered alone, with none answered for yet, before it is taken for an outage."""


class AreaUnansweredError(UnavailableError):
    """One area went unanswered while another was answered: it may be the area that is away, not the supplier."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A sku that could not be asked about, and why."""

    sku: str
    error: Exception


@dataclass(frozen=True, slots=True)
class Refused:
    """An area in which nothing was answered. area: "" where the facet knows none.

    sure: whatever the sku; else it may have been these skus, of which the search asked about several alone.
    """

    area: str
    error: Exception
    sure: bool


@dataclass(slots=True)
class Answers:
    """What a question about several skus came to.

    lost: each sku once, though it may be lost in several areas; answered: areas in which something was answered for.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)


class Witness(NamedTuple):
    """What was answered for lately."""

    sku: str
    area: str


class Reading:
    """Questions about one facet of one supplier. patient, suspecting: see `Calls.suspecting`.

    witnesses: by facet what was answered for last, whoever asked.
    """

    def __init__(
        self, adapter: PullsFeeds, facet: Facet, http: Http, suspecting: Http, witnesses: dict[Facet, Witness]
    ) -> None:
        self._adapter = adapter
        self._facet = facet
        self._http = http
        self._suspecting = suspecting
        self._witnesses = witnesses

    async def ask(self, skus: Sequence[str], *, closed: Collection[str] = (), suspect: bool = False) -> Answers:
        """Ask about these skus in every area but the closed ones.

        suspect: the same question went unanswered before, while others were answered: whatever way it goes unanswered
        now may be the fault of a sku or an area. Raises the SupplierError that says nothing about the skus: the
        supplier is away, too busy, or refuses our credentials; AreaUnansweredError where only an area is away.
        """
        areas = self._adapter.areas(self._facet)
        if not areas:
            nowhere = ContractError("This is asked for by area, and the supplier's row names none.")
            return Answers(refused=[Refused("", nowhere, sure=True)])
        if suspect and self._facet in self._witnesses:
            await self._supplier_answers()
        # An area that answered goes first: a breaker that another one opened lets a single call through.
        last = self._witnesses[self._facet].area if self._facet in self._witnesses else ""
        in_order = sorted(set(areas).difference(closed), key=lambda area: (area != last, areas.index(area)))
        questions = [_Question(self, tuple(skus), area, suspect=suspect) for area in in_order]
        try:
            async with asyncio.TaskGroup() as group:
                for question in questions:
                    group.create_task(question.begin(), name=f"ask {self._facet} {question.area}")
        except ExceptionGroup as errors:
            raise foremost(errors) from errors
        whole = any(question.whole for question in questions)
        for question in questions:
            question.raise_unanswered(elsewhere=whole)
        for question in questions:
            await question.finish(answered_elsewhere=whole)
        return _merged(questions)

    async def read(self, skus: tuple[str, ...], area: str, *, suspecting: bool) -> Sequence[Exchange]:
        """One question. Raises as the adapter does."""
        http = self._suspecting if suspecting else self._http
        exchanges = await self._adapter.read(http, self._facet, skus, area)
        self._witnesses[self._facet] = Witness(skus[0], area)
        return exchanges

    async def _supplier_answers(self) -> None:
        """Return once what was answered for lately is answered for again. Raises what it comes to otherwise."""
        sku, area = self._witnesses[self._facet]
        try:
            await self._adapter.read(self._http, self._facet, (sku,), area)
        except SupplierError as error:
            if not isinstance(error, TransientError) or may_be_of_a_sku(error, suspect=False):
                self._witnesses.pop(self._facet, None)  # it may be at fault itself by now: another one will do
            raise

    async def again(self, sku: str, area: str, error: Exception) -> Exception | Sequence[Exchange]:
        """After a sku went unanswered alone: what it comes to again, once the supplier has answered for another.

        Raises `error` while nothing was ever answered for, and what the other sku's question comes to: it is an outage.
        """
        witness = self._witnesses.get(self._facet)
        if witness is None or witness == (sku, area):
            raise error
        await self._supplier_answers()
        try:
            return await self.read((sku,), area, suspecting=True)
        except SupplierError as again:
            if not may_be_of_a_sku(again, suspect=True):
                raise
            return again


class _Question:
    """One question in one area, asked in parts where it has to be."""

    def __init__(self, reading: Reading, skus: tuple[str, ...], area: str, *, suspect: bool) -> None:
        self.area = area
        self.whole = False
        self.exchanges: list[Exchange] = []
        self.lost: list[Lost] = []
        self.refused: Refused | None = None
        self._reading = reading
        self._skus = skus
        self._suspect = suspect
        self._error: Exception | None = None
        self._away: UnavailableError | None = None
        self._doubtful: list[Lost] = []

    async def begin(self) -> None:
        """Ask about all at once. An outage waits for the other areas, which tell whose it is."""
        try:
            self.whole = await self._asked(self._skus)
        except UnavailableError as error:
            self._away = error

    def raise_unanswered(self, *, elsewhere: bool) -> None:
        """Raise the outage that the question met. elsewhere: the same question was answered in another area."""
        if self._away is None:
            return
        if not elsewhere:
            raise self._away
        operation, status = self._away.operation, self._away.status
        raise AreaUnansweredError(f"area {self.area}: {self._away}", operation=operation, status=status) from self._away

    async def finish(self, *, answered_elsewhere: bool) -> None:
        """Find out which skus spoilt it, where any did. answered_elsewhere: the same question was, in another area."""
        if self.whole or self.refused is not None:
            return
        if answered_elsewhere and isinstance(self._error, RejectedError):
            self.refused = Refused(self.area, self._error, sure=True)
            return
        unasked = await self._search()
        for each in self._doubtful:
            await self._unanswered(each)
        if unasked and self._error is not None:
            self.refused, self.lost = Refused(self.area, self._error, sure=False), []

    async def _search(self) -> Sequence[str]:
        """Ask in parts, after all at once were not answered for; what was left because nothing was."""
        searching = search(self._skus)
        next(searching)
        answered = False
        while self.refused is None:
            try:
                group = searching.send(answered)
            except StopIteration as end:
                return cast(Found, end.value).unasked
            answered = await self._asked(group)
        return ()

    async def _asked(self, skus: tuple[str, ...]) -> bool:
        """Whether these were answered for; a single sku that was not is lost, or what is raised is of the supplier."""
        try:
            suspecting = self._suspect or len(skus) < len(self._skus)
            self.exchanges += await self._reading.read(skus, self.area, suspecting=suspecting)
        except AreaRefusedError as error:
            self.refused = Refused(self.area, error, sure=True)
        except (ContractError, RejectedError, InvalidMessageError) as error:
            self._failed(skus, error)
        except UnavailableError as error:
            if not may_be_of_a_sku(error, suspect=self._suspect):
                raise
            self._error = error
            return len(skus) == 1 and await self._alone(Lost(skus[0], error))
        except GatewayError:
            raise
        except Exception as error:
            if skus == self._skus:  # its parts fail alike
                log.exception("read.failed", area=self.area, skus=len(skus))
            self._failed(skus, error)
        else:
            return True
        return False

    def _failed(self, skus: tuple[str, ...], error: Exception) -> None:
        self._error = error
        if len(skus) == 1:
            self.lost.append(Lost(skus[0], error))

    async def _alone(self, lost: Lost) -> bool:
        """After a single sku went unanswered; it is in doubt while the supplier may not answer at all."""
        if self.exchanges or len(self._doubtful) + 1 >= min(UNANSWERED, len(self._skus)):
            return await self._unanswered(lost)
        self._doubtful.append(lost)
        return False

    async def _unanswered(self, lost: Lost) -> bool:
        """Whether it is answered for after all; if not, it is lost."""
        found = await self._reading.again(lost.sku, self.area, lost.error)
        if isinstance(found, Exception):
            self._failed((lost.sku,), found)
            return False
        self.exchanges += found
        return True


def may_be_of_a_sku(error: SupplierError, *, suspect: bool) -> bool:
    """Whether an outage may be only that of a sku: the supplier itself answered, or it is suspected already."""
    if not isinstance(error, UnavailableError) or isinstance(
        error, BreakerOpenError | CallsEndedError | NoTokenError | AddressBlockedError
    ):
        return False
    return suspect or (error.status is not None and error.status not in OF_THE_WAY)


def _merged(questions: Sequence[_Question]) -> Answers:
    """The answers of all areas, in the order in which the skus were asked about."""
    answers = Answers(refused=[each.refused for each in questions if each.refused is not None])
    lost: dict[str, Lost] = {}
    for question in questions:
        answers.exchanges += question.exchanges
        if question.exchanges:
            answers.answered.add(question.area)
        for each in question.lost:
            lost.setdefault(each.sku, each)
    answers.lost += lost.values()
    return answers


def letter_of(
    error: Exception,
    *,
    supplier: str,
    facet: Facet,
    number: int,
    feed_no: int | None = None,
    sku: str | None = None,
    place: int = 0,
) -> DeadLetter:
    """The dead letter of a question that was not answered as the interface promises.

    number: that versions from the answer would have carried, it tells this failure from the next; feed_no: of the feed
    that the answer was for, where that is not the number; place: tells it from others of the same number and sku.
    """
    return DeadLetter(
        stage=STAGE,
        issues=issues_of(error),
        original=error.reply if isinstance(error, ContractError) else b"",
        supplier=supplier,
        facet=facet,
        sku=sku,
        feed_no=feed_no or number,
        page_no=number if feed_no else None,
        record_index=place,
    )


def letters_of(
    answers: Answers, *, supplier: str, facet: Facet, number: int, feed_no: int | None = None
) -> list[DeadLetter]:
    """The dead letters of all that went unanswered: one a sku, one an area."""
    of_skus = [
        letter_of(each.error, supplier=supplier, facet=facet, number=number, feed_no=feed_no, sku=each.sku)
        for each in answers.lost
    ]
    of_areas = [
        letter_of(each.error, supplier=supplier, facet=facet, number=number, feed_no=feed_no, place=place)
        for place, each in enumerate(answers.refused)
    ]
    return of_skus + of_areas


def issues_of(error: Exception) -> tuple[Issue, ...]:
    """What went wrong, as a report says it."""
    match error:
        case InvalidMessageError(issues=issues) if issues:
            return tuple(issues)
        case SupplierError():
            code = f" ({error.supplier_code})" if error.supplier_code else ""
            return (Issue("contract_error", actual=f"{error.operation or 'call'}: {error}{code}"[:200]),)
        case _:
            return (Issue("processing_failed", actual=type(error).__name__),)
