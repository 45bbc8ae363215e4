"""Contracts with suppliers: what the mall core issues, what becomes of it, and where a contract then stands."""

from schemas.contracts.commands import COMMANDS, TEXTS, ContractCommand, ContractOperation, IssueContract
from schemas.contracts.events import EVENTS, TERMINAL, ContractEvent, ContractKind, ContractRefusalClass, Refuser
from schemas.contracts.records import (
    COMMAND_TYPE,
    EVENT_TYPE,
    contract_event_headers,
    contract_event_id,
    contract_key,
)

__all__ = [
    "COMMANDS",
    "COMMAND_TYPE",
    "EVENTS",
    "EVENT_TYPE",
    "TERMINAL",
    "TEXTS",
    "ContractCommand",
    "ContractEvent",
    "ContractKind",
    "ContractOperation",
    "ContractRefusalClass",
    "IssueContract",
    "Refuser",
    "contract_event_headers",
    "contract_event_id",
    "contract_key",
]
