"""Asking about skus so that one answer that is not understood costs the others nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from gateway.deadletters import DeadLetter
from gateway.sdk.adapter import PullsFeeds
from gateway.sdk.errors import (
    ContractError,
    GatewayError,
    InvalidMessageError,
    Issue,
    RejectedError,
    SupplierError,
)
from gateway.sdk.exchange import Exchange
from gateway.sdk.http import Http
from schemas.catalog import Facet

log = structlog.get_logger(__name__)

STAGE = "pull"
"""Where a question failed; a replay asks it again."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A sku that could not be asked about, and why."""

    sku: str
    error: Exception


@dataclass(slots=True)
class Answers:
    """What a question about several skus came to."""

    exchanges: list[Exchange] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


async def ask(adapter: PullsFeeds, http: Http, facet: Facet, skus: Sequence[str]) -> Answers:
    """Ask about these skus; where the answer is not understood, about each half, down to the single sku at fault.

    Raises the SupplierError that says nothing about the skus: the supplier is away, too busy, or refuses our
    credentials.
    """
    answers = Answers()
    waiting = [(tuple(skus), area) for area in adapter.areas(facet)]
    while waiting:
        asked, area = waiting.pop()
        try:
            answers.exchanges += await adapter.read(http, facet, asked, area)
        except (ContractError, RejectedError, InvalidMessageError) as error:
            waiting += [(half, area) for half in _halve(asked, error, answers)]
        except GatewayError:
            raise
        except Exception as error:
            log.exception("read.failed", facet=facet, skus=len(asked))
            waiting += [(half, area) for half in _halve(asked, error, answers)]
    return answers


def _halve(asked: tuple[str, ...], error: Exception, answers: Answers) -> list[tuple[str, ...]]:
    if len(asked) == 1:
        answers.lost.append(Lost(asked[0], error))
        return []
    middle = len(asked) // 2
    return [asked[middle:], asked[:middle]]


def letter_of(
    error: Exception, *, supplier: str, facet: Facet, number: int, feed_no: int | None = None, sku: str | None = None
) -> DeadLetter:
    """The dead letter of a question that was not answered as the interface promises.

    number: that versions from the answer would have carried, it tells this failure from the next; feed_no: of the feed
    that the answer was for, where that is not the number.
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
        record_index=0,
    )


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
