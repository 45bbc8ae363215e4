"""The verdicts on contracts, invoices and after-sale: green on what went well, each check red on its own fault."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from contrib.mall.account import Run, account, served
from contrib.mall.commands import CHINA, command_of
from contrib.mall.documents import document_of
from contrib.mall.orders import SUBMIT, Command, Event
from contrib.mall.plan import Goods, Plan, next_step, plan_orders
from contrib.mall.reader import is_sound
from contrib.mall.recorded import Effect, Record, Subject, about, effects_of_jd, effects_of_native
from contrib.mall.services import AFTER_SALE, INVOICE, ISSUE, Serving, is_served
from schemas.contracts.commands import IssueContract
from schemas.orders import RequestAfterSale, RequestInvoice

AMOUNTS = {"net": "100.00", "tax": "13.00", "gross": "113.00"}


def command(order_no: str, operation: str, **payload: Any) -> Command:
    content: dict[str, Any] = {"command_id": f"{order_no}/{operation}", "order_no": order_no, "operation": operation}
    content |= {"supplier": "shop", "payload": payload} | (
        {"contract_no": f"H{order_no}"} if operation == ISSUE else {}
    )
    return Command(orjson.dumps(content), content)


def event(asked: Command, kind: str, offset: int, *, answers: bool = False, **payload: Any) -> Event:
    """What a command is answered, or what the supplier tells of what it asks for."""
    content: dict[str, Any] = {"event": kind, "order_no": asked.order_no, "supplier": "shop", "payload": payload}
    content["cause"] = {"command_id": asked.id} if answers else {"message": {"id": str(offset)}}
    if asked.operation == ISSUE:
        content |= {"contract_no": asked.key, "revision": 1}
    return Event(f"id-{asked.order_no}-{kind}-{offset}", asked.key, 0, offset, content)


def effect(asked: Command, kind: str, number: str, amount: str = "", *, asked_for: bool = True) -> Effect:
    return Effect("shop", asked.order_no, kind, "", asked_for, number, amount)


SIGNED, REFUSED, ASTRAY = (command(no, ISSUE) for no in ("M1", "M2", "M3"))
RIGHT, WRONG = (command(no, INVOICE, mark_id=f"F{no}", amounts=AMOUNTS) for no in ("M1", "M2"))
BACK, NOT_BACK = (command(no, AFTER_SALE, service_no=f"A{no}") for no in ("M1", "M2"))


def invoice(gross: str = "113.00") -> dict[str, str]:
    return {"number": "1", **AMOUNTS, "gross": gross}


def whole_run() -> Record:
    """Two contracts, one signed; two invoices, one off by a cent and held; two services, one settled, one refused."""
    contract = [
        event(SIGNED, "contract.delivered", 1, answers=True, operation=ISSUE),
        event(SIGNED, "contract.acknowledged", 2),
        event(SIGNED, "contract.signed", 3),
        event(REFUSED, "contract.delivered", 1, answers=True, operation=ISSUE),
        event(REFUSED, "contract.refused", 2, by="supplier", code_class="terms"),
        event(ASTRAY, "contract.refused", 1, answers=True, by="gateway", code_class="unknown_order"),
    ]
    invoices = [
        event(RIGHT, "invoice.requested", 1, answers=True, mark_id="FM1"),
        event(RIGHT, "invoice.issued", 2, mark_id="FM1", invoices=[invoice()]),
        event(WRONG, "invoice.requested", 1, answers=True, mark_id="FM2"),
        event(WRONG, "invoice.mismatch", 2, mark_id="FM2", told="issued", invoices=[invoice("113.01")]),
    ]
    services = [
        event(BACK, "aftersale.accepted", 3, answers=True, service_no="AM1"),
        event(BACK, "aftersale.progress", 4, service_no="AM1", state="approved"),
        event(BACK, "refund.made", 5, service_no="AM1", amount="1.50"),
        event(BACK, "aftersale.progress", 6, service_no="AM1", state="done"),
        event(NOT_BACK, "aftersale.refused", 3, answers=True, service_no="AM2", operation=AFTER_SALE),
    ]
    effects = [
        effect(SIGNED, "issue_contract", "HM1/1"),
        effect(SIGNED, "sign_contract", "HM1/1", asked_for=False),
        effect(REFUSED, "refuse_contract", "HM2/1"),
        effect(RIGHT, "invoice", "FM1"),
        effect(RIGHT, "invoice_issue", "FM1", "113.00", asked_for=False),
        effect(WRONG, "invoice", "FM2"),
        effect(WRONG, "invoice_issue", "FM2", "113.01", asked_for=False),
        effect(BACK, "after_sale", "AM1"),
        effect(BACK, "refund", "AM1", asked_for=False),
    ]
    placed = [SIGNED, REFUSED, ASTRAY, RIGHT, WRONG, BACK, NOT_BACK]
    return Record(placed, [*contract, *invoices, *services], effects)


def without(record: Record, *kinds: str) -> Record:
    """The record with no such event and no such effect."""
    events = [each for each in record.events if each.kind not in kinds]
    return replace(record, events=events, effects=[each for each in record.effects if each.kind not in kinds])


def more(record: Record, *added: Event | Effect) -> Record:
    """The record with further events and effects."""
    return replace(
        record,
        events=[*record.events, *(each for each in added if isinstance(each, Event))],
        effects=[*record.effects, *(each for each in added if isinstance(each, Effect))],
    )


def test_what_went_well_has_no_violation_and_is_counted():
    record = whole_run()
    nothing = {"duplicates": 0, "lost": 0, "waiting": 0, "violations": []}
    assert served(record, Subject.CONTRACTS) == {"issued": 2, "signed": 1, "refused": 2, **nothing}
    assert served(record, Subject.INVOICES) == {"requested": 2, "issued": 1, "held": 1, "refused": 0, **nothing}
    assert served(record, Subject.AFTER_SALES) == {"requested": 1, "settled": 1, "refused": 1, **nothing}


def test_the_account_has_each_beside_the_orders_and_counts_none_of_them_as_an_order():
    found = account(Run(whole_run(), {each.id: 0 for each in whole_run().commands}, {}))
    assert (found["placed"], found["commands"], found["violations"]) == (0, 0, [])
    assert [found[name]["violations"] for name in ("contracts", "invoices", "aftersales")] == [[], [], []]
    assert is_sound(found)


DOUBLE = event(SIGNED, "contract.expired", 9, answers=True, operation=ISSUE)
ISSUED_TOO = event(WRONG, "invoice.issued", 9, mark_id="FM2", invoices=[invoice("113.01")])
WRONG_SUM = event(RIGHT, "invoice.issued", 2, mark_id="FM1", invoices=[invoice() | {"net": "99.00"}])


@pytest.mark.parametrize(
    ("subject", "break_it", "violations"),
    [
        (
            Subject.CONTRACTS,
            lambda record: without(record, "contract.delivered"),
            [
                "M1: contract.issue M1/contract.issue has no answer",
                "M2: contract.issue M2/contract.issue has no answer",
            ],
        ),
        (
            Subject.CONTRACTS,
            lambda record: more(record, DOUBLE),
            ["M1: contract.issue M1/contract.issue has contract.delivered, contract.expired"],
        ),
        (
            Subject.CONTRACTS,
            lambda record: more(record, effect(SIGNED, "sign_contract", "HM1/1")),
            ["HM1/1: sign_contract 2 times at shop"],
        ),
        (
            Subject.CONTRACTS,
            lambda record: without(record, "sign_contract"),
            ["HM1/1: contract.signed, and no such effect at shop"],
        ),
        (
            Subject.CONTRACTS,
            lambda record: without(record, "contract.refused"),
            [
                "M3: contract.issue M3/contract.issue has no answer",
                "HM2/1: refuse_contract at shop, and the core was not told",
            ],
        ),
        (
            Subject.INVOICES,
            lambda record: more(record, effect(RIGHT, "invoice", "FM1")),
            ["FM1: invoice 2 times at shop"],
        ),
        (
            Subject.INVOICES,
            lambda record: more(record, event(RIGHT, "invoice.issued", 8, mark_id="FM1", invoices=[invoice()])),
            ["FM1: invoice.issued 2 times"],
        ),
        (
            Subject.INVOICES,
            lambda record: more(record, ISSUED_TOO),
            [
                "FM2: issued, and invoice 1 does not add up",
                "FM2: issued with gross 113.01, asked 113.00",
                "FM2: 113.01 made out, and invoice.issued",
            ],
        ),
        (
            Subject.INVOICES,
            lambda record: without(record, "invoice.mismatch"),
            ["FM2: 113.01 made out, and no invoice.mismatch"],
        ),
        (
            Subject.INVOICES,
            lambda record: more(without(record, "invoice.issued"), WRONG_SUM),
            ["FM1: issued, and invoice 1 does not add up", "FM1: issued with net 99.00, asked 100.00"],
        ),
        (
            Subject.INVOICES,
            lambda record: without(record, "invoice"),
            [
                "FM1: invoice.requested, which is not so at shop",
                "FM2: invoice.requested, which is not so at shop",
            ],
        ),
        (
            Subject.AFTER_SALES,
            lambda record: more(record, effect(BACK, "after_sale", "AM1")),
            ["AM1: after_sale 2 times at shop"],
        ),
        (
            Subject.AFTER_SALES,
            lambda record: more(record, event(BACK, "refund.made", 9, service_no="AM1", amount="1.50")),
            ["AM1: 2 refunds"],
        ),
        (
            Subject.AFTER_SALES,
            lambda record: more(record, event(BACK, "aftersale.progress", 9, service_no="AM1", state="cancelled")),
            ["AM1: ends as done, cancelled"],
        ),
        (
            Subject.AFTER_SALES,
            lambda record: without(record, "refund"),
            ["AM1: a refund is told, and shop paid none"],
        ),
        (
            Subject.AFTER_SALES,
            lambda record: without(record, "refund.made"),
            ["AM1: shop paid back, and the core was not told"],
        ),
        (
            Subject.AFTER_SALES,
            lambda record: more(record, effect(NOT_BACK, "after_sale", "AM2")),
            ["AM2: aftersale.refused, which is not so at shop"],
        ),
    ],
)
def test_each_fault_is_found(subject: Subject, break_it: Callable[[Record], Record], violations: Sequence[str]) -> None:
    broken = break_it(whole_run())
    assert served(broken, subject)["violations"] == violations
    assert not is_sound(account(Run(broken, {each.id: 0 for each in broken.commands}, {})))


def test_a_command_without_an_answer_is_lost_unless_it_waits_for_a_person():
    silent = without(whole_run(), "contract.delivered", "invoice.requested", "aftersale.accepted")
    lost = [served(silent, subject)["lost"] for subject in (Subject.CONTRACTS, Subject.INVOICES, Subject.AFTER_SALES)]
    assert lost == [2, 2, 1]
    parked = more(silent, event(BACK, "aftersale.parked", 9, answers=True, service_no="AM1"))
    assert (served(parked, Subject.AFTER_SALES)["lost"], served(parked, Subject.AFTER_SALES)["waiting"]) == (0, 1)


def test_every_part_of_a_record_belongs_to_one_subject():
    record = whole_run()
    parts = [about(record, subject) for subject in Subject]
    for name in ("commands", "events", "effects"):
        assert sum(len(getattr(part, name)) for part in parts) == len(getattr(record, name))


def test_numbers_and_sums_are_read_from_the_ledgers_of_both_simulators():
    native = {"by": "supplier", "order_no": "M1", "supplier_order_no": ""}
    entries: list[dict[str, Any]] = [
        {**native, "effect": "sign_contract", "contract_no": "H1", "revision": 2},
        {**native, "effect": "invoice_issue", "mark_id": "F1", "event": {"payload": {"invoices": [{"gross": "1.01"}]}}},
        {**native, "effect": "refund", "service_no": "A1"},
    ]
    found = [(each.number, each.amount) for each in effects_of_native(entries, "shop")]
    assert found == [("H1/2", ""), ("F1", "1.01"), ("A1", "")]
    jd = {"by": "caller", "thirdOrder": "M1", "jdOrderId": "7"}
    entries = [
        {**jd, "effect": "invoice_issue", "markId": "F1", "made": [{"gross": 101}, {"gross": 99}]},
        {**jd, "effect": "after_sale", "afsServiceId": "9", "questionDesc": "坏了 [A1]"},
        {**jd, "effect": "refund", "afsServiceId": "9"},
    ]
    found = [(each.number, each.amount) for each in effects_of_jd(entries, "jd")]
    assert found == [("F1", "2.00"), ("A1", ""), ("A1", "")]


def test_what_the_core_asks_for_is_as_the_documents_have_it():
    shop = frozenset({"shop"})
    serving = Serving(shop, shop, shop, "http://127.0.0.1:8000")
    goods = Goods("shop", "SKU-1", "硒鼓", Decimal("1.50"), "7_412")
    [plan] = plan_orders("M", 1, 1, [goods], serving=serving)
    now = datetime.now(CHINA)
    made = {each: command_of(plan, each, now, timedelta(hours=1)) for each in (ISSUE, INVOICE, AFTER_SALE)}
    contract = IssueContract.model_validate_json(made[ISSUE].value)
    document = contract.payload.document
    content = document_of(contract.contract_no)
    assert (document.sha256, document.size) == (hashlib.sha256(content).hexdigest(), len(content))
    assert document.url == f"http://127.0.0.1:8000/contracts/{contract.contract_no}.txt"
    assert (
        contract.payload.announcement.amount.amount
        == RequestInvoice.model_validate_json(made[INVOICE].value).payload.amounts.gross
    )
    [line] = RequestAfterSale.model_validate_json(made[AFTER_SALE].value).payload.lines
    assert (line.sku, line.quantity) == ("SKU-1", Decimal(1))


def test_a_contract_and_an_invoice_are_due_once_it_is_confirmed_and_after_sale_once_it_arrived():
    goods = Goods("shop", "SKU-1", "硒鼓", Decimal("1.50"))
    plan = Plan("M1", "direct", (SUBMIT,), ((goods, 1),), services=(ISSUE, INVOICE, AFTER_SALE))
    submit = command("M1", SUBMIT)
    placed, told = [submit], [event(submit, "order.confirmed", 1, answers=True)]
    assert not is_served(plan, placed, told)
    assert next_step(plan, placed, told) == ISSUE
    placed.append(SIGNED)
    assert next_step(plan, placed, told) == INVOICE
    placed.append(RIGHT)
    assert next_step(plan, placed, told) is None
    told.append(event(submit, "shipment.delivered", 2))
    assert next_step(plan, placed, told) == AFTER_SALE
    placed.append(BACK)
    assert next_step(plan, placed, told) is None
    ends = [each for each in whole_run().events if each.content["order_no"] == "M1"]
    assert is_served(plan, placed, [*told, *ends])
    assert [
        each.kind for each in ends if not is_served(plan, placed, [*told, *(one for one in ends if one is not each)])
    ] == ["contract.signed", "invoice.issued", "aftersale.progress"]
