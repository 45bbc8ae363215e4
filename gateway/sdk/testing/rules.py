"""Rules of single methods, beyond the types that their Protocol states. A method without any has no row here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson

from gateway.sdk.adapter import Record, SkuPage
from gateway.sdk.after_sales import SupplierAfterSale
from gateway.sdk.exchange import Exchange, decode_exchange
from gateway.sdk.manifest import Manifest
from gateway.sdk.orders import OrderTree, SupplierOrder, Track
from gateway.sdk.testing.calls import CallCase
from gateway.sdk.testing.normalising import outcome_of, unsound

RECEIVED = datetime(2100, 1, 1, tzinfo=UTC)
"""When what a case reads is taken to have come: later than any time in it."""

_TOKENS = re.compile(r"[\w.-]+")

Arguments: TypeAlias = Mapping[str, Any]


def _unsound_page(adapter: object, asked: Arguments, page: SkuPage) -> Iterator[str]:
    if not all(sku and sku == sku.strip() for sku in page.skus):
        yield "a sku is empty or has blanks at its ends"
    if orjson.loads(orjson.dumps(page.cursor)) != page.cursor:
        yield "the cursor changes on its way through JSON"


def _unsound_reading(adapter: object, asked: Arguments, exchanges: list[Exchange]) -> Iterator[str]:
    """Exchanges cover what was asked, survive as bytes, and are the adapter's own `normalise` to bear."""
    covered = {sku for exchange in exchanges for sku in exchange.skus}
    if missing := sorted(set(asked["skus"]) - covered):
        yield f"no exchange is about {', '.join(missing)}"
    if surplus := sorted(covered - set(asked["skus"])):
        yield f"an exchange is about {', '.join(surplus)}, which nobody asked for"
    for exchange in exchanges:
        if not _survives(exchange):
            yield "an exchange changes on its way through bytes"
            continue
        record = Record(asked["facet"], exchange.encode(), RECEIVED)
        outcome = outcome_of(adapter, record)
        yield from (f"normalise: {problem}" for problem in unsound(record, outcome, pulled=True))


def _survives(exchange: Exchange) -> bool:
    try:
        return decode_exchange(exchange.encode()) == exchange
    except TypeError:  # a reply is no bytes
        return False


def _unasked_skus(adapter: object, asked: Arguments, sold: Sequence[str]) -> Iterator[str]:
    if surplus := sorted(set(sold) - set(asked["skus"])):
        yield f"{', '.join(surplus)} is said to be sold, which nobody asked about"


def _another_number(adapter: object, asked: Arguments, found: SupplierOrder | None) -> Iterator[str]:
    number = asked["order"].order_no if "order" in asked else asked["order_no"]
    if found is not None and found.order_no not in (None, number):
        yield f"the order has the number {found.order_no}, asked about was {number}"


def _broken_tree(adapter: object, asked: Arguments, tree: OrderTree) -> Iterator[str]:
    number, children = tree.order.supplier_order_no, [each.supplier_order_no for each in tree.children]
    if number != asked["supplier_order_no"]:
        yield f"order {number} is told, asked about was {asked['supplier_order_no']}"
    if len({number, *children}) <= len(children):
        yield "an order is told twice"
    if any(child.parent_no not in (None, number) for child in tree.children):
        yield "a child is of another order"


def _steps_out_of_order(adapter: object, asked: Arguments, track: Track) -> Iterator[str]:
    if [step.at for step in track.steps] != sorted(step.at for step in track.steps):
        yield "steps are not told oldest first"


def _another_service(adapter: object, asked: Arguments, found: SupplierAfterSale | None) -> Iterator[str]:
    number = asked["request"].payload.service_no
    if found is not None and found.service_no not in (None, number):
        yield f"the service has the number {found.service_no}, asked about was {number}"


def _services_twice(adapter: object, asked: Arguments, found: Sequence[SupplierAfterSale]) -> Iterator[str]:
    if len({each.supplier_service_no for each in found}) < len(found):
        yield "a service is told twice"


RESULT_RULES: Mapping[str, Callable[[Any, Arguments, Any], Iterator[str]]] = {
    "list_skus": _unsound_page,
    "read": _unsound_reading,
    "still_sold": _unasked_skus,
    "submit_order": _another_number,
    "find_order": _another_number,
    "read_order": _broken_tree,
    "read_track": _steps_out_of_order,
    "apply_after_sale": _another_service,
    "read_after_sales": _services_twice,
}
"""What else may not come of a method, whatever the supplier answered: by the adapter, the arguments and the result."""


def _reading_too_much(manifest: Manifest, adapter: Any, case: CallCase, known: set[str]) -> Iterator[str]:
    facet, skus, area = (case.call.arguments[name] for name in ("facet", "skus", "area"))
    limit = manifest.pulls.get(facet)
    if limit is None:
        yield f"pulls of the manifest has no {facet}"
    else:
        yield from _too_many(skus, f"pulls.{facet}", limit)
        yield from _carrying_too_much(case, known, f"pulls.{facet}", limit)
    if case.succeeds:
        yield from _foreign_area(adapter.areas(facet), facet, area)


def _carrying_too_much(case: CallCase, known: set[str], name: str, limit: int) -> Iterator[str]:
    for each in case.exchanges:
        carried = known.intersection(_TOKENS.findall(each.request.model_dump_json()))
        if len(carried) > limit:
            yield f"{each.request.operation} carries {len(carried)} skus; {name} is {limit}"


def _too_many(skus: Sequence[str], name: str, limit: int) -> Iterator[str]:
    if len(skus) > limit:
        yield f"asks for {len(skus)} skus; {name} is {limit}"


def _foreign_area(areas: Sequence[str], facet: str, area: str) -> Iterator[str]:
    if len(set(areas)) != len(areas):
        yield f"areas of {facet} names an area twice"
    if area not in areas:
        yield f"reads {facet} in area {area!r}; areas has {list(areas)}"


def _confirming_too_many(manifest: Manifest, adapter: object, case: CallCase, known: set[str]) -> Iterator[str]:
    return _too_many(case.call.arguments["skus"], "confirms", manifest.confirms)


def _unknown_pool(manifest: Manifest, adapter: object, case: CallCase, known: set[str]) -> Iterator[str]:
    if (pool := case.call.arguments["pool"]) not in manifest.pools:
        yield f"the manifest has no pool {pool}"


LIMIT_RULES: Mapping[str, Callable[[Manifest, Any, CallCase, set[str]], Iterator[str]]] = {
    "read": _reading_too_much,
    "still_sold": _confirming_too_many,
    "fetch": _unknown_pool,
    "acknowledge": _unknown_pool,
}
"""Where a call goes beyond its manifest: by manifest, adapter, case, and the skus that the cases know."""
