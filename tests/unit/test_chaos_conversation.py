"""What a long run notes of contracts, invoices and services: by the ledgers of suppliers, and of what vendors get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from tests.chaos.conversation_read import effects, found_done
from tests.chaos.ledgers import API, FETCHES, HOOK, Ledgers
from tests.chaos.receiver import digest
from tests.history.conversation_recorded import Effect

WORDS = "打印有底灰 [AS-1]"


def at_jd(effect: str, by: str = "caller", **members: Any) -> dict[str, Any]:
    return {"effect": effect, "by": by, "thirdOrder": "M1", **members}


def at_vendor(effect: str, by: str = "caller", **members: Any) -> dict[str, Any]:
    return {"effect": effect, "by": by, "order_no": "M2", "lines": [], **members}


def written(tmp_path: Path) -> Ledgers:
    ledgers = Ledgers.below(tmp_path)
    service: dict[str, Any] = {"afsServiceId": "7", "skuId": 5, "skuNum": 2, "questionDesc": WORDS}
    api = [
        at_jd("deliver", "supplier", lines=[{"skuId": "5", "num": 2}]),
        at_jd("invoice", markId="FP-1"),
        at_jd("after_sale", **service),
        at_jd("cancel_after_sale", afsServiceId="7"),
        at_jd("submit"),
    ]
    lines = [{"sku": "S", "quantity": "1"}, {"sku": "S", "quantity": "2"}]
    hook = [at_vendor("after_sale", service_no="AS-2", lines=lines), at_vendor("note_contract", message_id="C-1")]
    for path, entries in ((ledgers.api, api), (ledgers.fetches, [at_vendor("answer")]), (ledgers.hook, hook)):
        path.write_bytes(b"".join(orjson.dumps(entry) + b"\n" for entry in entries))
    return ledgers


def test_effects_are_told_by_our_numbers(tmp_path: Path) -> None:
    assert [*effects(written(tmp_path))] == [
        Effect(HOOK, "after_sale", "M2", "AS-2", {"S": 3.0}, asked=True),
        Effect(API, "deliver", "M1", "", {"5": 2.0}, asked=False),
        Effect(API, "invoice", "M1", "FP-1", {}, asked=True),
        Effect(API, "after_sale", "M1", "AS-1", {"5": 2.0}, asked=True),
        Effect(API, "cancel_after_sale", "M1", "AS-1", {}, asked=True),
    ]


def test_a_supplier_says_what_he_has_done(tmp_path: Path) -> None:
    ledgers = written(tmp_path)
    asked = {"supplier": API, "operation": "invoice.request", "payload": {"mark_id": "FP-1"}}
    contract = {"command_id": "C-1", "supplier": HOOK, "operation": "contract.filed", "payload": {}}
    assert found_done(asked, ledgers)
    assert not found_done({**asked, "supplier": FETCHES}, ledgers)
    assert found_done(contract, ledgers)
    assert not found_done({**contract, "supplier": FETCHES}, ledgers)


def test_the_address_of_a_document_is_no_part_of_what_is_compared() -> None:
    document = {"sha256": "ab", "size": 1}
    one, other = ({"payload": {"document": {**document, "url": url}}} for url in ("/a", "/b"))
    assert digest(one) == digest(other)
    assert digest(one) != digest({"payload": {"document": {**document, "size": 2}}})
