"""What the mall core asks suppliers to do with a contract, on `mall.contracts.commands.v1`.

The core writes these records: key the contract's number, `ce_type` from `COMMAND_TYPE`, `ce_id` of its own making. A
repeat with the same command_id and the same content is the same command; with other content it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Line, Model, Personal, SupplierId
from schemas.catalog import Label
from schemas.contracts.parts import Announcement, ContractDocument, ContractNo, Revision, Url, Withheld
from schemas.orders.parts import CommandId, OrderNo, Tenant, WrittenInstant


class ContractOperation(StrEnum):
    """What a command asks for. The last two are notices: receipts that the supplier is told of."""

    ISSUE = "contract.issue"
    AMEND = "contract.amend"
    TERMINATE = "contract.terminate"
    ANNOUNCED = "contract.announced"
    FILED = "contract.filed"


class ContractText(Model):
    """What `contract.issue` carries: the contract, whole."""

    announcement: Announcement = Field(description="The contract in fields, as it is announced. Source: core.")
    document: ContractDocument = Field(description="The contract as a document. Source: core.")


class Amendment(ContractText):
    """What `contract.amend` carries: the contract, whole, as it is from then on."""

    reason: Annotated[Line, Personal()] = Field(description="Why, for the supplier. Source: core.")


class Termination(Model):
    """What `contract.terminate` carries."""

    reason: Annotated[Line, Personal()] = Field(description="Why, for the supplier. Source: core.")


class AnnouncedNotice(Model):
    """What `contract.announced` carries: the receipt of the publication."""

    url: Url = Field(description="Where it is published. Source: core.")
    at: WrittenInstant = Field(description="When it was published, with offset. Source: core.")
    withheld: Withheld = Field((), description="Fields that were not published. Source: core.")


class FiledNotice(Model):
    """What `contract.filed` carries: the receipt of the filing."""

    filing_no: Label = Field(description="Number under which it is filed (备案). Source: core.")
    at: WrittenInstant = Field(description="When it was filed, with offset. Source: core.")


class ContractCommandBase(Model):
    """What every command of a contract says."""

    command_id: CommandId = Field(description="Identity of the command, ULID or UUID. Source: core.")
    supplier: SupplierId = Field(description="Who shall act. Source: core.")
    tenant: Tenant = Field(description="Jurisdiction that buys, GB/T 2260. Source: core.")
    contract_no: ContractNo = Field(description="The mall's number of the contract, key of the record. Source: core.")
    order_no: OrderNo = Field(description="The mall's number of the order that it is the contract of. Source: core.")
    revision: Revision = Field(
        description="Revision of the contract that this makes, or speaks of; an amendment has a higher one than any "
        "before. Source: core."
    )
    issued_at: WrittenInstant = Field(description="When the core wrote it, with offset. Source: core.")
    deadline: WrittenInstant = Field(description="Past it nothing is sent any more, with offset. Source: core.")


_ASKED = "What is asked. Source: core."


class IssueContract(ContractCommandBase):
    """Gives a supplier the contract of an order that it confirmed."""

    operation: Literal["contract.issue"] = Field("contract.issue", description=_ASKED)
    payload: ContractText = Field(description="The contract. Source: core.")


class AmendContract(ContractCommandBase):
    """Puts another text of a contract in place of the one before."""

    operation: Literal["contract.amend"] = Field("contract.amend", description=_ASKED)
    payload: Amendment = Field(description="The contract as it is now, and why. Source: core.")


class TerminateContract(ContractCommandBase):
    """Ends a contract."""

    operation: Literal["contract.terminate"] = Field("contract.terminate", description=_ASKED)
    payload: Termination = Field(description="Why. Source: core.")


class ContractAnnounced(ContractCommandBase):
    """Tells a supplier that the contract was announced."""

    operation: Literal["contract.announced"] = Field("contract.announced", description=_ASKED)
    payload: AnnouncedNotice = Field(description="The receipt. Source: core.")


class ContractFiled(ContractCommandBase):
    """Tells a supplier that the contract was filed."""

    operation: Literal["contract.filed"] = Field("contract.filed", description=_ASKED)
    payload: FiledNotice = Field(description="The receipt. Source: core.")


ContractCommand = IssueContract | AmendContract | TerminateContract | ContractAnnounced | ContractFiled

COMMANDS: Mapping[ContractOperation, type[ContractCommand]] = {
    ContractOperation.ISSUE: IssueContract,
    ContractOperation.AMEND: AmendContract,
    ContractOperation.TERMINATE: TerminateContract,
    ContractOperation.ANNOUNCED: ContractAnnounced,
    ContractOperation.FILED: ContractFiled,
}
"""The command of each operation."""

TEXTS = (ContractOperation.ISSUE, ContractOperation.AMEND)
"""Those that carry a text of the contract, and its document."""
