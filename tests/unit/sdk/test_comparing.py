"""An order at a supplier is the one that was sent only where every line, amount and person is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sdk import Standing, StatedReceiver, SupplierOrder
from gateway.sdk.comparing import differences, limit_differences
from schemas.catalog import PriceBasis
from schemas.orders import Operation, PriceMode, SubmitMode, SubmitOrder
from schemas.orders.commands import OrderedLine, PriceSnapshot
from schemas.orders.examples import COMMAND_EXAMPLES
from schemas.orders.parts import LineKind, Receiver, StatedLine, Totals, UnitPrice
from schemas.orders.payloads import StatedOrder


def price(gross: str, net: str | None = None) -> dict[str, Decimal]:
    return {"gross": Decimal(gross)} if net is None else {"gross": Decimal(gross), "net": Decimal(net)}


def ordered(**more: Any) -> SubmitOrder:
    """Two of A at 19.90 and ten of B at 1.50: 54.80."""
    example = COMMAND_EXAMPLES[Operation.SUBMIT]
    assert isinstance(example, SubmitOrder)
    lines = (
        OrderedLine(line_no=1, sku="A", quantity=Decimal(2), price=PriceSnapshot(**price("19.90", "17.61")), name="a"),
        OrderedLine(line_no=2, sku="B", quantity=Decimal(10), price=PriceSnapshot(**price("1.50", "1.33")), name="b"),
    )
    facts = {"lines": lines, "totals": Totals(), "receiver": Receiver(name="王小明", mobile="138 0000-0001"), **more}
    return example.model_copy(update={"payload": example.payload.model_copy(update=facts)})


def line(sku: str, quantity: str, gross: str | None, **more: Any) -> StatedLine:
    unit = UnitPrice() if gross is None else UnitPrice(gross=Decimal(gross))
    return StatedLine(**{"sku": sku, "quantity": Decimal(quantity), "price": unit, **more})


AS_ORDERED = (line("A", "2", "19.90"), line("B", "10", "1.50"))


def there(lines: Sequence[StatedLine] = AS_ORDERED, gross: str | None = "54.80", **more: Any) -> SupplierOrder:
    totals = {"gross": None if gross is None else Decimal(gross), "freight": Decimal(6), **more.pop("totals", {})}
    basis = more.pop("price_basis", PriceBasis.GROSS)
    stated = StatedOrder(lines=tuple(lines), totals=Totals(**totals), price_basis=basis)
    return SupplierOrder(**{"supplier_order_no": "3001", "standing": Standing.RESERVED, "stated": stated, **more})


def test_the_same_order_differs_in_nothing():
    assert differences(ordered(), there()) == ()


def test_the_order_of_lines_and_how_they_are_cut_do_not_matter():
    lines = (line("B", "4", "1.50"), line("A", "2", "19.90"), line("B", "6", "1.50"))
    assert differences(ordered(), there(lines)) == ()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (there(standing=Standing.CANCELLED), ["it is cancelled, not reserved"]),
        (there(standing=Standing.PLACED), ["it is placed, not reserved"]),
        (there(order_no="ZZ-2"), ["it has the number ZZ-2"]),
        (
            there(AS_ORDERED[:1], "39.80"),
            ["quantity of B: 10 ordered, 0 there", "gross sum: 54.80 ordered, 39.80 there"],
        ),
        (there((*AS_ORDERED, line("C", "1", "0"))), ["quantity of C: 0 ordered, 1 there"]),
        (
            there((AS_ORDERED[0], line("B", "9", "1.50")), "53.30"),
            ["quantity of B: 10 ordered, 9 there", "gross sum: 54.80 ordered, 53.30 there"],
        ),
        (
            there((AS_ORDERED[0], line("B", "10", "1.51")), "54.90"),
            ["gross price of B: 1.50 ordered, 1.51 there", "gross sum: 54.80 ordered, 54.90 there"],
        ),
        (there(gross="54.81"), ["gross sum: 54.80 ordered, 54.81 there", "gross of order: stated 54.81, sum 54.80"]),
        (there((), None), ["it states neither lines nor a sum"]),
        (there((), "54.79"), ["gross sum: 54.80 ordered, 54.79 there"]),
        (there((line("A", "2", None), line("B", "10", None)), None), 2),
        (there(price_basis=PriceBasis.NET), ["its prices are net, not gross"]),
        (there(receiver=StatedReceiver(name="王大明")), ["the receiver has another name"]),
        (there(receiver=StatedReceiver(mobile="13800000002")), ["the receiver has another telephone"]),
        (there(receiver=StatedReceiver(mobile="001")), ["the receiver has another telephone"]),
    ],
)
def test_another_order_is_told_apart(found: SupplierOrder, said: list[str] | int):
    told = differences(ordered(), found)
    assert len(told) == said if isinstance(said, int) else sorted(told) == sorted(said)


@pytest.mark.parametrize(
    "found",
    [
        there((*AS_ORDERED, line("G", "2", "0", kind=LineKind.GIFT, main_sku="A"))),
        there((*AS_ORDERED, line("G", "2", None, kind=LineKind.ACCESSORY, main_sku="A"))),
        there((line("A", "2", None), line("B", "10", None))),
        there(()),
        there(gross="60.80", totals={"freight_in_gross": True}),
        there(order_no=ordered().order_no),
        there(receiver=StatedReceiver(name="王 小明", mobile="138-0000-0001")),
        there(receiver=StatedReceiver(mobile="+86 13800000001")),
        there(receiver=StatedReceiver()),
    ],
)
def test_what_is_the_same_in_other_words_differs_in_nothing(found: SupplierOrder):
    assert differences(ordered(), found) == ()


def test_a_warranty_that_costs_something_was_ordered_by_nobody():
    lines = (*AS_ORDERED, line("W", "1", "9.90", kind=LineKind.WARRANTY, main_sku="A"))
    assert differences(ordered(), there(lines, "64.70")) == (
        "quantity of W: 0 ordered, 1 there",
        "gross sum: 54.80 ordered, 64.70 there",
    )


def test_a_tax_rate_that_has_changed_since_is_another_offer():
    def taxed(rate: str | None) -> PriceSnapshot:
        return PriceSnapshot(gross=Decimal("19.90"), tax_rate=None if rate is None else Decimal(rate))

    def order(rate: str | None) -> SubmitOrder:
        return ordered(
            lines=(OrderedLine(line_no=1, sku="A", quantity=Decimal(2), price=taxed(rate), name="a"),),
        )

    found = there([line("A", "2", "19.90", price=UnitPrice(gross=Decimal("19.90"), tax_rate=Decimal(9)))], "39.80")
    assert differences(order("13"), found) == ("tax rate of A: 13 ordered, 9 there",)
    assert differences(order("9.0"), found) == differences(order(None), found) == ()


def test_at_the_price_of_the_day_only_the_pieces_count():
    order = ordered(price_mode=PriceMode.ACCEPT, mode=SubmitMode.DIRECT)
    dearer = there((AS_ORDERED[0], line("B", "10", "1.60")), "55.80", standing=Standing.PLACED)
    assert differences(order, dearer) == ()
    assert differences(order, replace(dearer, stated=there(AS_ORDERED[:1], "39.80").stated)) == (
        "quantity of B: 10 ordered, 0 there",
    )


def test_of_a_net_contract_net_prices_and_the_net_sum_are_compared():
    order = ordered(price_basis=PriceBasis.NET)

    def net(first: str, total: str) -> SupplierOrder:
        lines = tuple(
            StatedLine(sku=sku, quantity=Decimal(pieces), price=UnitPrice(net=Decimal(each)))
            for sku, pieces, each in (("A", 2, first), ("B", 10, "1.33"))
        )
        return there(lines, "54.85", price_basis=PriceBasis.NET, totals={"net": Decimal(total)})

    assert differences(order, net("17.61", "48.52")) == ()
    assert differences(order, net("17.62", "48.54")) == (
        "net price of A: 17.61 ordered, 17.62 there",
        "net sum: 48.52 ordered, 48.54 there",
    )


def test_sums_that_do_not_add_up_are_told_in_any_mode():
    found = there(totals={"net": Decimal("48.52"), "tax": Decimal("6.27")})
    assert differences(ordered(price_mode=PriceMode.ACCEPT), found) == ("gross of order: stated 54.80, sum 54.79",)


def test_nothing_of_a_person_is_repeated():
    found = there(receiver=StatedReceiver(name="李四", mobile="13911112222"))
    assert not any(word in "".join(differences(ordered(), found)) for word in ("李四", "1391111", "王小明", "1380000"))
    assert "李四" not in repr(found)


PIECES = st.integers(1, 10**6).map(Decimal)
AMOUNTS = st.decimals("0.01", "99999.99", places=2)


@given(st.lists(st.tuples(PIECES, AMOUNTS), min_size=1, max_size=6), st.data())
def test_one_change_anywhere_is_never_missed(goods: list[tuple[Decimal, Decimal]], data: st.DataObject):
    lines = tuple(
        OrderedLine(line_no=no, sku=f"S{no}", quantity=pieces, price=PriceSnapshot(gross=each), name="x")
        for no, (pieces, each) in enumerate(goods, 1)
    )
    stated = [line(f"S{no}", str(pieces), str(each)) for no, (pieces, each) in enumerate(goods, 1)]
    total = sum((pieces * each for pieces, each in goods), Decimal(0))
    assert differences(ordered(lines=lines), there(stated, str(total))) == ()
    at = data.draw(st.integers(0, len(goods) - 1))
    pieces, each = goods[at]
    if data.draw(st.booleans()):
        pieces += 1
    else:
        each += Decimal("0.01")
    stated[at] = line(f"S{at + 1}", str(pieces), str(each))
    changed = sum((each.quantity * (each.price.gross or 0) for each in stated), Decimal(0))
    assert differences(ordered(lines=lines), there(stated, str(changed)))


def test_an_event_holds_a_hundred_differences_of_five_hundred_characters() -> None:
    assert limit_differences(["x" * 501, "y", *("z" * 3 for _ in range(200))]) == ("x" * 500, "y", *("zzz",) * 98)
