"""What vendors say of contracts by HTTP: a model for each event, and how it fits the contract. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, StringConstraints

from gateway.relay.contract_rules import Contract
from schemas.base import CONTROLS, Model
from schemas.contracts.events import (
    EVENTS,
    AcknowledgedContract,
    ContractEvent,
    ContractKind,
    ContractRefusalClass,
    RefusedContract,
    Refuser,
    SignedContract,
)
from schemas.contracts.parts import Revision
from schemas.contracts.states import ContractFact, allowed
from schemas.orders.events import Cause
from schemas.orders.parts import PersonalLine, RawText, Reference, WrittenInstant

SupplierClass = Literal["terms", "amount", "parties", "document", "other"]
"""Why a vendor does not take a contract."""


class _AnswerBase(Model):
    """What every answer of a vendor says."""

    revision: Revision = Field(description="Of which text: the revision of the message that you answer.")
    occurred_at: WrittenInstant | None = Field(None, description="When it was so, with offset; null: now.")
    supplier_contract_no: Reference | None = Field(None, description="Your own number of the contract, if any.")
    raw_code: Annotated[str, StringConstraints(pattern=rf"^[^{CONTROLS}]*$", max_length=200)] | None = Field(
        None, description="Your own code, where there is one."
    )
    raw_message: RawText | None = Field(None, description="Your own words, where there are any.")


class VendorRefusal(Model):
    """Why a contract is not taken."""

    code_class: SupplierClass = Field(description="What is wrong with it.")
    reason: PersonalLine | None = Field(None, description="What is wrong with it, in your words.")


_WHAT = "What became of the contract."
_MORE = "All about it."


class ContractAcknowledgedByVendor(_AnswerBase):
    """You take the contract on, and have yet to sign it."""

    event: Literal["contract.acknowledged"] = Field(description=_WHAT)
    payload: AcknowledgedContract = Field(AcknowledgedContract(), description=_MORE)


class ContractSignedByVendor(_AnswerBase):
    """You signed the contract."""

    event: Literal["contract.signed"] = Field(description=_WHAT)
    payload: SignedContract = Field(SignedContract(), description=_MORE)


class ContractRefusedByVendor(_AnswerBase):
    """You do not take the contract."""

    event: Literal["contract.refused"] = Field(description=_WHAT)
    payload: VendorRefusal = Field(description=_MORE)


ContractAnswer: TypeAlias = ContractAcknowledgedByVendor | ContractSignedByVendor | ContractRefusedByVendor

CONTRACT_ANSWERS: Mapping[ContractKind, type[ContractAnswer]] = {
    ContractKind.ACKNOWLEDGED: ContractAcknowledgedByVendor,
    ContractKind.SIGNED: ContractSignedByVendor,
    ContractKind.REFUSED: ContractRefusedByVendor,
}
"""What vendors can say, by its kind."""

FACTS: Mapping[ContractKind, ContractFact] = {
    ContractKind.ACKNOWLEDGED: ContractFact.ACKNOWLEDGED,
    ContractKind.SIGNED: ContractFact.SIGNED,
    ContractKind.REFUSED: ContractFact.REFUSED,
}
"""What each means for the contract."""


def allowed_next(contract: Contract) -> Sequence[ContractKind]:
    """What a vendor may say of a contract that stands so."""
    facts = allowed(contract.status)
    return [kind for kind, fact in FACTS.items() if fact in facts]


def core_event(answer: ContractAnswer, contract: Contract, cause: Cause, now: datetime) -> ContractEvent:
    """The event for the mall core. now: when it was heard, for one that does not say when it was so."""
    payload: Model = answer.payload
    if isinstance(answer, ContractRefusedByVendor):
        refusal = answer.payload
        code_class = ContractRefusalClass(refusal.code_class)
        payload = RefusedContract(by=Refuser.SUPPLIER, code_class=code_class, reason=refusal.reason)
    members: dict[str, Any] = {
        name: getattr(answer, name) for name in ("revision", "supplier_contract_no", "raw_code", "raw_message")
    } | {
        "contract_no": contract.contract_no,
        "order_no": contract.order_no,
        "supplier": contract.supplier,
        "tenant": contract.tenant,
        "cause": cause,
        "occurred_at": answer.occurred_at or now,
        "payload": payload,
    }
    return EVENTS[ContractKind(answer.event)](**members)
