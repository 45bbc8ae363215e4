"""Orders at suppliers: what the mall core asks for, what becomes of it, and where an order then stands."""

from schemas.orders.commands import (
    COMMANDS,
    CancelOrder,
    CancelScope,
    ConfirmOrder,
    Operation,
    OrderCommand,
    PaymentKind,
    PriceMode,
    RequestInvoice,
    SubmitMode,
    SubmitOrder,
)
from schemas.orders.events import EVENTS, Kind, OrderEvent
from schemas.orders.facts import fact_of_command, fact_of_event
from schemas.orders.invoices import InvoiceState
from schemas.orders.payloads import ParkedReason, Party, RefusalClass, UnsupportedReason
from schemas.orders.records import COMMAND_TYPE, EVENT_TYPE, event_headers, event_id, order_key, schema_name
from schemas.orders.states import (
    MOVES,
    TERMINAL,
    Fact,
    Judgement,
    State,
    Status,
    Verdict,
    allowed,
    judge,
    parent_state,
)
from schemas.orders.sums import Mismatch, order_mismatches, split_mismatches

__all__ = [
    "COMMANDS",
    "COMMAND_TYPE",
    "EVENTS",
    "EVENT_TYPE",
    "MOVES",
    "TERMINAL",
    "CancelOrder",
    "CancelScope",
    "ConfirmOrder",
    "Fact",
    "InvoiceState",
    "Judgement",
    "Kind",
    "Mismatch",
    "Operation",
    "OrderCommand",
    "OrderEvent",
    "ParkedReason",
    "Party",
    "PaymentKind",
    "PriceMode",
    "RefusalClass",
    "RequestInvoice",
    "State",
    "Status",
    "SubmitMode",
    "SubmitOrder",
    "UnsupportedReason",
    "Verdict",
    "allowed",
    "event_headers",
    "event_id",
    "fact_of_command",
    "fact_of_event",
    "judge",
    "order_key",
    "order_mismatches",
    "parent_state",
    "schema_name",
    "split_mismatches",
]
