"""What became of contracts at suppliers, on `mall.contracts.events.v1`; written by the gateway, read by the mall core.

Key the contract's number, `ce_type` from `EVENT_TYPE`, `ce_id` a UUIDv5 that a repeat carries again.

Exactly one of TERMINAL comes for each command whose identity can be read: most often `contract.delivered`, the vendor
has it. What the vendor then says of the contract (acknowledged, signed, refused) has a message of his as its cause.
`contract.parked` is not terminal: the command waits for a person, and one of the others follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.base import CONTROLS, Line, Model, SupplierId
from schemas.catalog import Label
from schemas.contracts.commands import ContractOperation
from schemas.contracts.parts import ContractNo, Revision
from schemas.orders.events import Cause
from schemas.orders.parts import CommandId, OrderNo, PersonalLine, RawText, Reference, SupplierInstant, Tenant
from schemas.orders.payloads import ParkedReason, UnsupportedReason


class ContractKind(StrEnum):
    """What an event says."""

    DELIVERED = "contract.delivered"
    ACKNOWLEDGED = "contract.acknowledged"
    SIGNED = "contract.signed"
    REFUSED = "contract.refused"
    REPEATED = "contract.repeated"
    WITHDRAWN = "contract.withdrawn"
    EXPIRED = "contract.expired"
    UNSUPPORTED = "contract.unsupported"
    PARKED = "contract.parked"


TERMINAL = (
    ContractKind.DELIVERED,
    ContractKind.REFUSED,
    ContractKind.REPEATED,
    ContractKind.WITHDRAWN,
    ContractKind.EXPIRED,
    ContractKind.UNSUPPORTED,
)
"""Kinds that end a command where they name it as their cause."""


class ContractRefusalClass(StrEnum):
    """Why a command or a contract is refused.

    By the gateway, before anything is sent: unknown_order, order_not_confirmed, other_contract (the order has another
    one), other_content (the contract was issued with other content: amend it), not_issued, stale_revision (one as high
    was taken before), contract_over, operator. By the supplier: terms, amount, parties, document, other.
    """

    UNKNOWN_ORDER = "unknown_order"
    ORDER_NOT_CONFIRMED = "order_not_confirmed"
    OTHER_CONTRACT = "other_contract"
    OTHER_CONTENT = "other_content"
    NOT_ISSUED = "not_issued"
    STALE_REVISION = "stale_revision"
    CONTRACT_OVER = "contract_over"
    OPERATOR = "operator"
    TERMS = "terms"
    AMOUNT = "amount"
    PARTIES = "parties"
    DOCUMENT = "document"
    OTHER = "other"


class Refuser(StrEnum):
    """Who refused: the gateway a command, the supplier a contract."""

    GATEWAY = "gateway"
    SUPPLIER = "supplier"


class DeliveredCommand(Model):
    """The vendor has the command."""

    operation: ContractOperation = Field(description="What was delivered. Source: the command.")


class AcknowledgedContract(Model):
    """The vendor has read the contract and takes it on; he has yet to sign it."""

    note: PersonalLine | None = Field(None, description="Words of the vendor. Source: supplier.")


class SignedContract(Model):
    """The vendor signed the contract."""

    signed_by: PersonalLine | None = Field(None, description="Who signed for him. Source: supplier.")
    signed_at: SupplierInstant | None = Field(None, description="When; null is unknown. Source: supplier.")
    document_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="SHA-256 of the document that he signed; it is the one he was given. Source: supplier."
    )


class RefusedContract(Model):
    """A command had no effect, or the vendor does not take the contract."""

    by: Refuser = Field(description="Who refused. Source: gateway.")
    code_class: ContractRefusalClass = Field(description="Why. Source: gateway, else supplier.")
    operation: ContractOperation | None = Field(
        None, description="The command; null: the contract itself. Source: core."
    )
    stands: Label | None = Field(None, description="What stands instead: a number, a state. Source: gateway.")
    reason: PersonalLine | None = Field(None, description="Words of the vendor. Source: supplier.")


class RepeatedIssue(Model):
    """The contract was issued with this very content already; nothing more is sent."""

    first: CommandId = Field(description="The command whose events say what becomes of it. Source: core.")


class WithdrawnCommand(Model):
    """The contract was terminated before the vendor was given it: he is given neither."""

    operation: ContractOperation = Field(description="What ended so. Source: the command.")


class ExpiredCommand(Model):
    """The deadline passed and the vendor was not given the command."""

    operation: ContractOperation = Field(description="What was asked. Source: the command.")
    deadline: SupplierInstant = Field(description="The deadline. Source: the command.")


class UnsupportedCommand(Model):
    """The gateway cannot act on the command; nothing was sent."""

    reason: UnsupportedReason = Field(description="Why. Source: gateway.")
    operation: Label | None = Field(None, description="The operation as the command names it. Source: core.")
    problems: Annotated[tuple[Line, ...], Field(max_length=100)] = Field(
        (), description="What is wrong where, without personal data. Source: gateway."
    )


class ParkedCommand(Model):
    """The command waits for a person."""

    operation: ContractOperation = Field(description="What was asked. Source: the command.")
    reason: ParkedReason = Field(description="Why. Source: gateway.")


class ContractEventBase(Model):
    """What every event of a contract says."""

    contract_no: ContractNo = Field(description="The mall's number of the contract, key of the record. Source: core.")
    order_no: OrderNo | None = Field(None, description="The order's number; null: unreadable. Source: the command.")
    tenant: Tenant | None = Field(None, description="Jurisdiction that buys; null: unreadable. Source: the command.")
    cause: Cause = Field(description="What it answers or reports. Source: core, else supplier.")
    occurred_at: SupplierInstant = Field(description="When it was so. Source: supplier, else the gateway's clock.")


class SupplierContractEvent(ContractEventBase):
    """An event of a contract at a known supplier."""

    supplier: SupplierId = Field(description="At whom. Source: the command, or whose message it is.")
    revision: Revision = Field(description="Of which text of the contract. Source: the command, else supplier.")
    raw_code: Annotated[str, StringConstraints(pattern=rf"^[^{CONTROLS}]*$", max_length=200)] | None = Field(
        None, description="The supplier's own code, as it came; null: there is none. Source: supplier."
    )
    raw_message: RawText | None = Field(None, description="The supplier's own words, as they came. Source: supplier.")
    supplier_contract_no: Reference | None = Field(
        None, description="The supplier's number of the contract. Source: supplier."
    )


_WHAT = "What became of the contract. Source: gateway."
_MORE = "All about it. Source: as its fields say."


class ContractDelivered(SupplierContractEvent):
    """The vendor has the command."""

    event: Literal["contract.delivered"] = Field("contract.delivered", description=_WHAT)
    payload: DeliveredCommand = Field(description=_MORE)


class ContractAcknowledged(SupplierContractEvent):
    """The vendor takes the contract on."""

    event: Literal["contract.acknowledged"] = Field("contract.acknowledged", description=_WHAT)
    payload: AcknowledgedContract = Field(description=_MORE)


class ContractSigned(SupplierContractEvent):
    """The vendor signed the contract."""

    event: Literal["contract.signed"] = Field("contract.signed", description=_WHAT)
    payload: SignedContract = Field(description=_MORE)


class ContractRefused(SupplierContractEvent):
    """The gateway refused a command, or the vendor the contract."""

    event: Literal["contract.refused"] = Field("contract.refused", description=_WHAT)
    payload: RefusedContract = Field(description=_MORE)


class ContractRepeated(SupplierContractEvent):
    """The contract was issued already, with the same content."""

    event: Literal["contract.repeated"] = Field("contract.repeated", description=_WHAT)
    payload: RepeatedIssue = Field(description=_MORE)


class ContractWithdrawn(SupplierContractEvent):
    """The command ended undelivered, because the contract was terminated before."""

    event: Literal["contract.withdrawn"] = Field("contract.withdrawn", description=_WHAT)
    payload: WithdrawnCommand = Field(description=_MORE)


class ContractExpired(SupplierContractEvent):
    """The command's deadline passed and it was not delivered."""

    event: Literal["contract.expired"] = Field("contract.expired", description=_WHAT)
    payload: ExpiredCommand = Field(description=_MORE)


class ContractUnsupported(ContractEventBase):
    """Nobody can act on the command."""

    event: Literal["contract.unsupported"] = Field("contract.unsupported", description=_WHAT)
    supplier: Label | None = Field(None, description="Supplier as the command names it. Source: core.")
    payload: UnsupportedCommand = Field(description=_MORE)


class ContractParked(SupplierContractEvent):
    """The command waits for a person; another event follows."""

    event: Literal["contract.parked"] = Field("contract.parked", description=_WHAT)
    payload: ParkedCommand = Field(description=_MORE)


ContractEvent = (
    ContractDelivered
    | ContractAcknowledged
    | ContractSigned
    | ContractRefused
    | ContractRepeated
    | ContractWithdrawn
    | ContractExpired
    | ContractUnsupported
    | ContractParked
)

EVENTS: Mapping[ContractKind, type[ContractEvent]] = {
    ContractKind.DELIVERED: ContractDelivered,
    ContractKind.ACKNOWLEDGED: ContractAcknowledged,
    ContractKind.SIGNED: ContractSigned,
    ContractKind.REFUSED: ContractRefused,
    ContractKind.REPEATED: ContractRepeated,
    ContractKind.WITHDRAWN: ContractWithdrawn,
    ContractKind.EXPIRED: ContractExpired,
    ContractKind.UNSUPPORTED: ContractUnsupported,
    ContractKind.PARKED: ContractParked,
}
"""The event of each kind."""
