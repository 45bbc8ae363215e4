"""Applications for invoices through the real program: from the core's topic to the supplier's ledger, and back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.eventually import eventually
from tests.integration.relayed.conftest import Market


async def placed(market: Market, number: int = 1) -> dict[str, Any]:
    """An order that is confirmed, and the application for its invoices."""
    await market.core.send(order := market.order(number), confirmed := market.confirm(number))
    await market.core.ended(order, confirmed)
    return market.invoice(number)


async def letters(market: Market, code: str) -> list[dict[str, Any]]:
    """The open dead letters of one kind, of this supplier."""
    found = await market.operator.ask("GET", f"deadletters?supplier={market.supplier}&limit=50")
    return [each for each in found["letters"] if each["code"] == code]


async def test_an_application_is_taken_made_out_in_two_parts_and_mailed(market: Market) -> None:
    await market.core.send(asked := await placed(market))
    [taken] = await market.core.ended(asked)
    assert (taken["event"], taken["payload"]) == ("invoice.requested", {"mark_id": market.number()})
    await market.made_out("part", market.number())
    part = await market.core.told(market.number(), "invoice.partly_issued")
    assert part["cause"]["message"]["type"] == "11"
    await market.made_out("issue", market.number())
    issued = await market.core.told(market.number(), "invoice.issued")
    first, second = issued["payload"]["invoices"]
    assert part["payload"]["invoices"] == [first]
    assert {first["rate"], second["rate"]} == {"13"}
    await market.made_out("mail", market.number())
    mailed = await market.core.told(market.number(), "invoice.mailed")
    assert mailed["payload"]["waybill"].startswith("VA")
    effects = {"submit": 1, "confirm": 1, "invoice": 1, "invoice_part": 1, "invoice_issue": 1, "invoice_mail": 1}
    assert market.done() == {"effects": effects, "orders": 1, "duplicates": {}}
    [order] = (await market.operator.ask("GET", f"orders/{market.number()}"))["orders"]
    [shown] = order["invoices"]
    assert (shown["mark_id"], shown["state"], len(shown["invoices"])) == (market.number(), "mailed", 2)


@pytest.mark.parametrize("kind", ["reset", "status_after"])
async def test_a_lost_answer_leaves_one_application(market: Market, kind: str) -> None:
    asked = await placed(market)
    parameters = {"status": 503} if kind == "status_after" else {}
    await market.fault(kind, "invoice/submit", times=1, parameters=parameters)
    await market.core.send(asked)
    assert (await market.core.ended(asked))[0]["event"] == "invoice.requested"
    assert market.done()["effects"]["invoice"] == 1


async def test_an_invoice_that_is_off_by_a_fen_is_held_and_told_as_no_invoice(market: Market) -> None:
    await market.core.send(asked := await placed(market))
    await market.core.ended(asked)
    await market.made_out("issue", market.number(), off=1)
    mismatch = await market.core.told(market.number(), "invoice.mismatch")
    [invoice] = mismatch["payload"]["invoices"]
    assert mismatch["payload"]["told"] == "issued"
    assert mismatch["payload"]["differences"][0].startswith(f"gross of invoice {invoice['number']}: stated")

    async def is_open() -> bool:
        return bool(await letters(market, "invoice_mismatch"))

    await eventually(is_open)
    assert "invoice.issued" not in {event["event"] for event in await market.core.events(market.number())}


async def test_an_order_that_is_over_takes_no_application(market: Market) -> None:
    await market.core.send(order := market.order(), cancelled := market.cancel())
    await market.core.ended(order, cancelled)
    await market.core.send(asked := market.invoice())
    [refused] = await market.core.ended(asked)
    assert (refused["event"], refused["payload"]["code_class"]) == ("invoice.refused", "no_such_order")
    assert "invoice" not in market.done()["effects"]


async def test_a_number_is_not_used_for_another_application(market: Market) -> None:
    asked = await placed(market)
    other = market.invoice(payload={"children": ["1"]})
    await market.core.send(asked, other)
    taken, refused = await market.core.ended(asked, other)
    assert taken["event"] == "invoice.requested"
    assert (refused["event"], refused["payload"]["code_class"]) == ("invoice.refused", "conflict")
    assert market.done()["effects"]["invoice"] == 1


async def test_a_red_invoice_without_an_original_is_held(market: Market) -> None:
    await market.core.send(asked := await placed(market))
    await market.core.ended(asked)
    await market.made_out("issue", market.number())
    await market.core.told(market.number(), "invoice.issued")
    await market.made_out("red", market.number())
    mismatch = await market.core.told(market.number(), "invoice.mismatch")
    assert mismatch["payload"]["differences"][0].startswith("red invoice")


async def test_an_application_that_is_sent_back_is_told_as_refused(market: Market) -> None:
    await market.core.send(asked := await placed(market))
    await market.core.ended(asked)
    await market.made_out("reject", market.number())
    refused = await market.core.told(market.number(), "invoice.refused")
    assert refused["cause"]["message"]["type"] == "11"
