"""What a command or event of an order may say, and what contradicts itself."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from pydantic import ValidationError

from schemas.base import Model, read
from schemas.orders import Kind, Operation
from schemas.orders.commands import CancelOrder, SubmitOrder
from schemas.orders.examples import COMMAND_EXAMPLES, EVENT_EXAMPLES
from schemas.orders.parts import Totals, UnitPrice


def refuses(example: Model, change: dict[str, object], words: str) -> None:
    """Whether the example with other members of its payload is refused for that reason."""
    document = json.loads(example.model_dump_json())
    document["payload"] |= change
    with pytest.raises(ValidationError, match=words):
        read(type(example), json.dumps(document).encode())


def test_sums_that_were_checked_before_are_not_checked_again_and_all_else_is() -> None:
    document = json.loads(COMMAND_EXAMPLES[Operation.SUBMIT].model_dump_json())
    document["payload"]["totals"] |= {"gross": "0.01"}
    wrong = json.dumps(document).encode()
    with pytest.raises(ValidationError, match="gross of order"):
        read(SubmitOrder, wrong)
    assert read(SubmitOrder, wrong, sums_hold=True).payload.totals.gross == Decimal("0.01")
    document["payload"]["lines"] = []
    with pytest.raises(ValidationError, match="lines"):
        read(SubmitOrder, json.dumps(document).encode(), sums_hold=True)


@pytest.mark.parametrize("name", ["revision", "payload"])
def test_an_order_cannot_be_changed(name: str):
    submit = COMMAND_EXAMPLES[Operation.SUBMIT]
    with pytest.raises(ValidationError, match="frozen"):
        setattr(submit, name, 2)


def test_what_was_stated_is_written_as_it_was_stated():
    submit = json.loads(COMMAND_EXAMPLES[Operation.SUBMIT].model_dump_json())
    submit["payload"]["totals"]["freight"] = "6.0500"
    again = read(SubmitOrder, json.dumps(submit).encode())
    assert json.loads(again.model_dump_json()) == submit


@pytest.mark.parametrize("amount", [Decimal("1E+3"), Decimal("-0"), Decimal("0E-7"), Decimal("NaN"), 1.5, 1, True])
def test_no_amount_is_made_that_the_schema_does_not_know(amount: object):
    with pytest.raises(ValidationError):
        UnitPrice.model_validate({"gross": amount})


def test_the_price_mode_refuses_unless_said_otherwise():
    submit = json.loads(COMMAND_EXAMPLES[Operation.SUBMIT].model_dump_json())
    del submit["payload"]["price_mode"]
    assert read(SubmitOrder, json.dumps(submit).encode()).payload.price_mode == "refuse"


def test_a_receiver_can_be_called():
    refuses(COMMAND_EXAMPLES[Operation.SUBMIT], {"receiver": {"name": "王芳"}}, "a mobile number or a phone")


def test_a_special_invoice_names_the_tax_number():
    refuses(
        COMMAND_EXAMPLES[Operation.SUBMIT], {"invoice": {"kind": "special", "title": "x"}}, "tax_no, which a special"
    )


def test_freight_inside_the_gross_sum_is_stated():
    with pytest.raises(ValidationError, match="freight, which has to be stated"):
        Totals(gross=Decimal(1), freight_in_gross=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scope": "order"}, "children exactly where"),
        ({"children": []}, "children exactly where"),
        ({"children": ["A", "A"]}, "every child once"),
        ({"children": ["A\u200b"]}, "no invisible"),
        ({"reason": ""}, "reason"),
    ],
)
def test_a_cancel_says_what_it_cancels(change: dict[str, object], words: str):
    refuses(COMMAND_EXAMPLES[Operation.CANCEL], change, words)


def test_a_whole_order_is_cancelled_without_children():
    document = json.loads(COMMAND_EXAMPLES[Operation.CANCEL].model_dump_json())
    document["payload"] |= {"scope": "order", "children": []}
    assert read(CancelOrder, json.dumps(document).encode()).payload.children == ()


def test_a_child_is_there_once_or_superseded():
    split = EVENT_EXAMPLES[Kind.SPLIT]
    children = json.loads(split.model_dump_json())["payload"]["children"]
    refuses(split, {"children": [children[0], children[0]]}, "every child once")
    refuses(split, {"superseded": [children[0]["supplier_order_no"]]}, "superseded")
    refuses(split, {"children": []}, "children")


def test_a_partial_confirmation_refuses_something():
    part = {"line_no": 1, "sku": "SKU-1", "confirmed": "3", "refused": "0"}
    refuses(EVENT_EXAMPLES[Kind.PARTIALLY_CONFIRMED], {"parts": [part]}, "at least one")


@pytest.mark.parametrize("identity", ["01JDA7ZZ000000000000000001", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"])
def test_a_command_id_is_a_ulid_or_a_uuid(identity: str):
    document = json.loads(COMMAND_EXAMPLES[Operation.CANCEL].model_dump_json()) | {"command_id": identity}
    assert read(CancelOrder, json.dumps(document).encode()).command_id == identity
