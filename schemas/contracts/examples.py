"""One worked example of each command and event of contracts: one contract from its issue to its signature.

The AsyncAPI document shows them; the tests hold them against the models and the schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal

from schemas.base import Model
from schemas.contracts import commands as c
from schemas.contracts import events as e
from schemas.contracts import parts as p
from schemas.contracts.records import COMMAND_TYPE
from schemas.envelope import JSON, Envelope, Headers, encode, schema_id
from schemas.orders.events import Cause, SupplierMessage
from schemas.orders.examples import AT, ORDER_NO, SUPPLIER, TENANT
from schemas.orders.payloads import ParkedReason, UnsupportedReason
from schemas.orders.records import schema_name

CONTRACT_NO = "HT20261123000017"
ISSUE_ID, AMEND_ID, TERMINATE_ID, ANNOUNCED_ID, FILED_ID = (f"01JDA8ZZ00000000000000000{n}" for n in "12345")

DOCUMENT = p.ContractDocument(
    url="https://contracts.mall.example/2026/HT20261123000017.pdf",
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    size=48213,
    name="网上商城采购合同 HT20261123000017",
)

ANNOUNCEMENT = p.Announcement(
    name="郑州市某局硒鼓采购合同",
    project_no="郑财网采-2026-1123-017",
    project_name="郑州市某局办公耗材网上商城采购",
    buyer=p.ContractParty(name="郑州市某局", address="郑州市经三路 1 号", contact="王芳", phone="0371-60000000"),
    seller=p.ContractParty(name="某电商有限公司", address="北京市亦庄 2 号", contact="李强", phone="010-60000000"),
    subjects=(
        p.Subject(
            name="硒鼓 CF228A",
            specification="CF228A，黑色，约 3000 页",
            quantity=Decimal(3),
            unit_price=p.ContractPrice(amount=Decimal("113.00")),
        ),
    ),
    amount=p.ContractAmount(amount=Decimal("345.00")),
    performance=p.Performance(
        term="2026-11-30 前交货", place="郑州市经三路 1 号 203 室", summary="验收合格并收到发票后 45 日内付款"
    ),
    procurement_method=p.ProcurementMethod.ONLINE_MALL,
    signed_on=date(2026, 11, 23),
    withheld=(p.AnnouncedField.BUYER_PHONE, p.AnnouncedField.SELLER_PHONE),
)

_PAYLOADS: Mapping[c.ContractOperation, tuple[str, int, Model]] = {
    c.ContractOperation.ISSUE: (ISSUE_ID, 1, c.ContractText(announcement=ANNOUNCEMENT, document=DOCUMENT)),
    c.ContractOperation.AMEND: (
        AMEND_ID,
        2,
        c.Amendment(announcement=ANNOUNCEMENT, document=DOCUMENT, reason="交货期顺延三日"),
    ),
    c.ContractOperation.TERMINATE: (TERMINATE_ID, 2, c.Termination(reason="订单取消")),
    c.ContractOperation.ANNOUNCED: (
        ANNOUNCED_ID,
        1,
        c.AnnouncedNotice(
            url="https://mall.example/notices/HT20261123000017",
            at=AT + timedelta(hours=3),
            withheld=ANNOUNCEMENT.withheld,
        ),
    ),
    c.ContractOperation.FILED: (
        FILED_ID,
        1,
        c.FiledNotice(filing_no="备-2026-410100-0017", at=AT + timedelta(hours=4)),
    ),
}


def _command(operation: c.ContractOperation) -> c.ContractCommand:
    command_id, revision, payload = _PAYLOADS[operation]
    return c.COMMANDS[operation].model_validate(
        {
            "command_id": command_id,
            "supplier": SUPPLIER,
            "tenant": TENANT,
            "contract_no": CONTRACT_NO,
            "order_no": ORDER_NO,
            "revision": revision,
            "issued_at": AT,
            "deadline": AT + timedelta(days=7),
            "payload": payload,
        }
    )


COMMAND_EXAMPLES: Mapping[c.ContractOperation, c.ContractCommand] = {
    operation: _command(operation) for operation in c.ContractOperation
}

_BY_ISSUE = Cause(command_id=ISSUE_ID)
_BY_VENDOR = Cause(message=SupplierMessage(type="api", id="contract-17-1"))


def _events() -> Iterator[tuple[e.ContractKind, Model, Cause]]:
    yield e.ContractKind.DELIVERED, e.DeliveredCommand(operation=c.ContractOperation.ISSUE), _BY_ISSUE
    yield e.ContractKind.ACKNOWLEDGED, e.AcknowledgedContract(note="已收到，盖章中"), _BY_VENDOR
    signed = e.SignedContract(signed_by="李强", signed_at=AT + timedelta(hours=2), document_sha256=DOCUMENT.sha256)
    yield e.ContractKind.SIGNED, signed, _BY_VENDOR
    refused = e.RefusedContract(by=e.Refuser.SUPPLIER, code_class=e.ContractRefusalClass.TERMS, reason="交货期无法满足")
    yield e.ContractKind.REFUSED, refused, _BY_VENDOR
    yield e.ContractKind.REPEATED, e.RepeatedIssue(first=ISSUE_ID), Cause(command_id=AMEND_ID)
    yield e.ContractKind.WITHDRAWN, e.WithdrawnCommand(operation=c.ContractOperation.ISSUE), _BY_ISSUE
    yield (
        e.ContractKind.EXPIRED,
        e.ExpiredCommand(operation=c.ContractOperation.ISSUE, deadline=AT + timedelta(days=7)),
        _BY_ISSUE,
    )
    nobody = e.UnsupportedCommand(reason=UnsupportedReason.UNKNOWN_OPERATION, operation="contract.issue")
    yield e.ContractKind.UNSUPPORTED, nobody, _BY_ISSUE
    yield (
        e.ContractKind.PARKED,
        e.ParkedCommand(operation=c.ContractOperation.ISSUE, reason=ParkedReason.GAVE_UP),
        _BY_ISSUE,
    )


def _event(kind: e.ContractKind, payload: Model, cause: Cause) -> e.ContractEvent:
    common: dict[str, object] = {
        "contract_no": CONTRACT_NO,
        "order_no": ORDER_NO,
        "supplier": SUPPLIER,
        "tenant": TENANT,
        "cause": cause,
        "occurred_at": AT + timedelta(hours=2),
        "payload": payload,
    }
    revision = {} if kind is e.ContractKind.UNSUPPORTED else {"revision": 1}
    return e.EVENTS[kind].model_validate({**common, **revision})


EVENT_EXAMPLES: Mapping[e.ContractKind, e.ContractEvent] = {each[0]: _event(*each) for each in _events()}


def command_headers(command: c.ContractCommand) -> Headers:
    """Headers as a program of the mall core may write them; the id is its own, here that of the command."""
    return encode(
        Envelope(
            id=command.command_id,
            source="/mall/core",
            type=COMMAND_TYPE[c.ContractOperation(command.operation)],
            subject=command.contract_no,
            time=command.issued_at,
            dataschema=schema_id(schema_name(command.operation)),
            datacontenttype=JSON,
            supplier=command.supplier,
        )
    )
