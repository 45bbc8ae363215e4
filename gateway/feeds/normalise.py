"""From raw records to what may be published: the adapter's facts, enriched, as canonical bytes with their hash.

Pure: time, versions and known states come in as arguments. One bad record never touches its neighbours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import jiter
import orjson
import structlog

from gateway.feeds.chunk import MAX_CARRIED, MAX_RECORD, RawRecord
from gateway.feeds.cleaning import cleaned
from gateway.feeds.plausibility import price_warnings, product_warnings
from gateway.sdk.adapter import Item, NormalisesFeeds, Record, Refusal
from gateway.sdk.errors import ContractError, InvalidMessageError, Issue
from gateway.sdk.exchange import asked_skus
from gateway.sdk.fields import FARTHEST
from gateway.sdk.problems import PROBLEMS
from gateway.sdk.storable import storable
from gateway.sdk.wire import limit_issues, may_be_crowded, room_of
from gateway.suppliers.config import PriceMismatch
from schemas.barcodes import barcode_check
from schemas.base import SHANGHAI, SKU_LENGTH, valid_sku
from schemas.brands import fold_brand
from schemas.catalog import Facet, Facts, ListingFacts, PriceFacts, ProductFacts, StockFacts
from schemas.directories import CategoryMap, match_directory

log = structlog.get_logger(__name__)


MAX_SOURCE_VERSION = 2**53
"""The highest version of a supplier's own, as adapters promise."""

START_OF_TIME, END_OF_TIME = 1000, 9000
"""Years between which every time of observation lies: in the first tables would read it back as before our era, and to
the last periods are added."""

MOST_REJECTED = 3
"""Records rejected in one stretch of normalising."""

_SKU_MEMBER = re.compile(rb'"sku"[ \t\r\n]*+:[ \t\r\n]*+("[^"\\]*+")[ \t\r\n]*+[,}]')
_ANY_SKU = re.compile(rb"""sku(?<![0-9A-Za-z_]sku)["']?[ \t\r\n]*+:""")
"""What may be meant as the name `sku` where bytes are no JSON, however it is quoted."""
_SPELLED_SKU = re.compile(rb"\\u00(?:73|6[bB]|75)")
"""A letter of `sku` as an escape: in a name it may be another sku."""
_MINUTE = timedelta(minutes=1)

_HASHER = hashlib.blake2b(digest_size=16)  # copied for every item: a new one takes five times as long


@dataclass(slots=True)  # not frozen: that would make each of millions four times as dear
class NormalisedItem:
    """One key's facts, ready to be judged.

    area: "" where the facet knows none; content: canonical JSON of the facts and what is derived from them;
    hash: 16 bytes over content, so that equal facts have equal hashes whenever they are observed; warnings: what was
    taken with a doubt.
    """

    sku: str
    area: str
    content: bytes
    hash: bytes
    observed_at: datetime
    source_version: int | None
    warnings: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """What of a record cannot be taken, and every reason: one item that is rejected.

    skus: whom it concerns, as far as that could be read; several where an exchange cannot be taken as a whole.
    """

    issues: tuple[Issue, ...]
    skus: tuple[str, ...]

    @property
    def sku(self) -> str | None:
        """The one sku that it concerns, None for none or several."""
        return self.skus[0] if len(self.skus) == 1 else None


@dataclass(frozen=True, slots=True)
class Mixed:
    """A record of several skus of which some are refused. rejections: each of one sku, every sku once."""

    items: list[NormalisedItem]
    rejections: tuple[Rejection, ...]


Result: TypeAlias = list[NormalisedItem] | Rejection | Mixed
"""What normalising makes of a record. No items at all: an exchange that says nothing of its skus."""


def parts_of(result: Result) -> tuple[list[NormalisedItem], tuple[Rejection, ...]]:
    """What is taken of a record, and what is rejected."""
    if isinstance(result, list):  # nearly always
        return result, ()
    return ([], (result,)) if isinstance(result, Rejection) else (result.items, result.rejections)


@dataclass(frozen=True, slots=True)
class Rules:
    """What of the supplier's settings bears on normalising: category map, what prices that contradict themselves come
    to, and the date that chooses the directory.

    pulled: records are exchanges; what a supplier pushes is none, whatever it looks like.
    """

    facet: Facet
    received_at: datetime
    categories: CategoryMap
    price_mismatch: PriceMismatch = "warn"
    pulled: bool = False
    on: date = field(init=False)
    """The day in China whose directory version applies."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", self.received_at.astimezone(SHANGHAI).date())


def normalise(adapter: NormalisesFeeds, record: RawRecord, rules: Rules) -> Result:
    """The items of one raw record, and what of it cannot be taken.

    Whatever an adapter raises besides its two documented errors, and whatever else it must not do, is a fault of ours
    that this record shows: it is logged with its traceback and rejected as `processing_failed` after this one attempt.
    """
    return normalise_some(adapter, (record,), rules)[0]


def normalise_some(adapter: NormalisesFeeds, records: Sequence[RawRecord], rules: Rules) -> list[Result]:
    """The same of several records, or of the first of them: a few that are rejected are enough for one stretch.

    To tell a hundred faults takes fifty times as long as to take a good record. Several cost less than one by one: all
    are read before the first is written, for a processor's cache holds the code of the one or of the other, and
    products take an eighth less time so.
    """
    read: list[tuple[RawRecord, Sequence[Item | Refusal] | Rejection]] = []
    rejected = 0
    for record in records:
        found = _read(adapter, record, rules)
        read.append((record, found))
        rejected += found.__class__ is Rejection
        if rejected == MOST_REJECTED:
            break
    return [found if isinstance(found, Rejection) else _written(record, found, rules) for record, found in read]


def _read(adapter: NormalisesFeeds, record: RawRecord, rules: Rules) -> Sequence[Item | Refusal] | Rejection:
    """What the adapter says that the record holds."""
    try:
        found = adapter.normalise(Record(rules.facet, record.raw, rules.received_at))
        return found if found.__class__ is tuple else tuple(found)  # one that yields may fail as late as here
    except Exception as error:  # noqa: BLE001 -- an adapter's bug, whatever it is
        return _rejected(error, record, rules)


def _written(record: RawRecord, found: Sequence[Item | Refusal], rules: Rules) -> Result:
    try:
        refusals: list[Refusal] = []
        items = _finished(found, rules, refusals)
        return items if items and not refusals else _without(items, refusals, record, rules)
    except Exception as error:  # noqa: BLE001 -- as above
        return _rejected(error, record, rules)


def _rejected(error: Exception, record: RawRecord, rules: Rules) -> Rejection:
    """The record by the error that it met."""
    match error:
        case InvalidMessageError() if _declared(error.issues):
            issues = (rules.pulled and _cut_off(record)) or _limited_issues(error.issues, record)
        case ContractError():
            issues = (Issue("contract_error", actual=str(error)[:200]),)
        case _:
            log.error("record.failed", facet=rules.facet, line=record.line, exc_info=error)
            issues = (Issue("processing_failed", actual=type(error).__name__),)
    return Rejection(issues, skus_of(record.raw, pulled=rules.pulled))


def _without(
    items: list[NormalisedItem], refusals: list[Refusal], record: RawRecord, rules: Rules
) -> list[NormalisedItem] | Mixed:
    """What a record comes to that holds refusals, or nothing.

    Raises TypeError for what an adapter must not say: a refusal without a sku or a reason, or nothing at all of a
    record that was pushed.
    """
    if not refusals and not (rules.pulled and asked_skus(record.raw)):
        raise TypeError("neither items nor issues")
    issues: dict[str, list[Issue]] = {}
    for refusal in refusals:
        if not (is_sku(refusal.sku) and _declared(refusal.issues)):
            raise TypeError(f"not a refusal: {refusal!r:.200}")
        issues.setdefault(refusal.sku, []).extend(refusal.issues)
    if not refusals:
        return items
    named = ((valid_sku(sku), _limited_issues(every, record)) for sku, every in issues.items())
    return Mixed(items, tuple(Rejection(every, () if sku is None else (sku,)) for sku, every in named))


def _limited_issues(issues: Iterable[Issue], record: RawRecord) -> tuple[Issue, ...]:
    """Issues as they are kept: they take about as much room as the record itself."""
    return limit_issues(issues, room=room_of(record.raw))


def _declared(issues: Sequence[Issue]) -> bool:
    return bool(issues) and all(issue.code in PROBLEMS for issue in issues)


def _cut_off(record: RawRecord) -> tuple[Issue, ...]:
    """Why an exchange does not read that was too large to be carried whole; () for all others."""
    if len(record.raw) < MAX_CARRIED or not asked_skus(record.raw):
        return ()
    return (Issue("line_too_long", actual=f"{MAX_CARRIED:,} bytes or more", expected=f"fewer than {MAX_CARRIED:,}"),)


def _finished(found: Iterable[Item | Refusal], rules: Rules, refusals: list[Refusal]) -> list[NormalisedItem]:
    """The items with their bytes and their hashes; what is refused goes to `refusals`.

    Raises TypeError for what must not go on: what tables and arithmetic cannot take would stop the partition later.
    """
    model, write = _FORMS[rules.facet]
    items = []
    for item in found:  # as a comprehension over a function it would cost two calls more
        if isinstance(item, Refusal):
            refusals.append(item)
            continue
        facts, version, at = item.facts, item.source_version, item.observed_at
        sound = (
            facts.__class__ is model
            and (version is None or (version.__class__ is int and 0 <= version <= MAX_SOURCE_VERSION))
            and (at is None or _storable_time(at))
        )
        if not sound:
            raise TypeError(f"not an item of a feed of {rules.facet}: {item!r:.200}")
        content, warnings = write(facts, rules)
        hasher = _HASHER.copy()
        hasher.update(content)
        members = facts.__dict__
        sku, area = members["sku"], members.get("area", "")
        items.append(NormalisedItem(sku, area, content, hasher.digest(), at or rules.received_at, version, warnings))
    return items


Written: TypeAlias = tuple[bytes, tuple[Issue, ...]]
"""The canonical JSON of some facts, and what was taken with a doubt."""


def _price_content(facts: PriceFacts, rules: Rules) -> Written:
    """orjson writes texts and amounts as pydantic does, in half the time.

    Amounts have no exponent, so this is their `str`; looking up the method takes less time than asking the type `str`.
    """
    warnings = price_warnings(facts)
    if warnings and rules.price_mismatch == "reject":
        contradictions = [each for each in warnings if each.code == "price_mismatch"]
        if contradictions:
            raise InvalidMessageError(*contradictions)
    return orjson.dumps(facts.__dict__, default=Decimal.to_eng_string), warnings


def _stock_content(facts: StockFacts, rules: Rules) -> Written:
    return orjson.dumps(facts.__dict__, default=Decimal.to_eng_string), ()


def _listing_content(facts: ListingFacts, rules: Rules) -> Written:
    return facts.__pydantic_serializer__.to_json(facts), ()


def _product_content(facts: ProductFacts, rules: Rules) -> Written:
    """Derived members come last; sanitised texts keep their places."""
    clean, removed = cleaned(facts)
    derived = _derived(facts, rules)
    doubts = product_warnings(facts.barcode, derived["barcode_check"], derived["no_directory_reason"])
    return orjson.dumps(facts.__dict__ | clean | derived, default=_plain), (*removed, *doubts)


_FORMS: Mapping[Facet, tuple[type[Facts], Callable[[Any, Rules], Written]]] = {
    Facet.PRODUCT: (ProductFacts, _product_content),
    Facet.PRICE: (PriceFacts, _price_content),
    Facet.STOCK: (StockFacts, _stock_content),
    Facet.LISTING: (ListingFacts, _listing_content),
}
"""By facet: what its facts are, and their canonical JSON: members in the order of the model, amounts as strings."""


def _derived(facts: ProductFacts, rules: Rules) -> dict[str, Any]:
    """What the gateway makes of a product's facts."""
    found = match_directory(facts.category_path, facts.name, rules.categories, rules.on)
    return {
        "brand": fold_brand(facts.brand_raw),
        "directory_item": found.item,
        "no_directory_reason": found.reason,
        "barcode_check": barcode_check(facts.barcode),
    }


def _plain(value: object) -> object:
    """What orjson does not know: amounts are strings, parts of a product are objects."""
    return str(value) if isinstance(value, Decimal) else vars(value)


def skus_of(raw: bytes, *, pulled: bool) -> tuple[str, ...]:
    """Whom a record that was rejected concerns, if its bytes surely say so: full feeds keep the keys of these skus.

    () for nobody knows whom, as where one of several that were asked about is no sku. pulled: as `Rules` has it.
    """
    if pulled and (asked := asked_skus(raw)):
        named = [valid_sku(sku) for sku in dict.fromkeys(asked) if is_sku(sku)]
        return () if None in named else tuple(sku for sku in dict.fromkeys(named) if sku is not None)
    hint = sku_hint(raw)
    return () if hint is None else (hint,)


def is_sku(sku: object) -> bool:
    """Whether tables take it as a sku."""
    return isinstance(sku, str) and 0 < len(sku) <= SKU_LENGTH and storable(sku) == sku


def _storable_time(at: datetime) -> bool:
    """Whether tables take it, and messages can say it: an offset in ISO 8601 has no seconds."""
    offset = at.utcoffset()
    return (
        offset is not None
        and START_OF_TIME <= at.year < END_OF_TIME
        and abs(offset) < FARTHEST
        and not offset % _MINUTE
    )


def sku_hint(raw: bytes) -> str | None:
    """The sku of a pushed record that was rejected, if its bytes surely say so.

    A wrong guess would withdraw what the record meant: no name is believed that stands there twice, in another object,
    or that is spelled so that it might.
    """
    if len(raw) > MAX_RECORD or may_be_crowded(raw):
        return _sku_before_the_fault(raw)
    try:
        found = _decoded(raw)
    except ValueError:
        return _sku_before_the_fault(raw)
    return valid_sku(found.get("sku")) if isinstance(found, dict) else None


def _decoded(raw: bytes) -> Any:
    """Raises ValueError."""
    return jiter.from_json(raw, allow_inf_nan=False, catch_duplicate_keys=True, float_mode="lossless-float")


def _sku_before_the_fault(raw: bytes) -> str | None:
    """The sku in bytes that are no JSON, or too many: where they are JSON up to its end, and say `sku` nowhere else."""
    if raw.count(b'"sku"') != 1 or _SPELLED_SKU.search(raw):  # asked first: it costs least
        return None
    member = _SKU_MEMBER.search(raw)
    if member is None or member.end() > MAX_RECORD or _ANY_SKU.search(raw, member.end()):
        return None
    if may_be_crowded(raw[: member.end()]):
        return None
    try:
        found = _decoded(raw[: member.end(1)] + b"}")
    except ValueError:
        return None
    return valid_sku(found.get("sku")) if isinstance(found, dict) else None
