"""Evidence of orders: every exchange in a chain of hashes for each order at a supplier, and its export.

A chain is appended to in the transaction of what happened. What may be personal is sealed; the chain holds its digest.
"""

from gateway.evidence.chain import append, append_to_all, orders_of
from gateway.evidence.entry import Entry
from gateway.evidence.export import EvidenceExport, NoEvidenceError
from gateway.evidence.sealed import EVIDENCE
from gateway.evidence.wire import body_of, facts_of, private_of, record_of

__all__ = [
    "EVIDENCE",
    "Entry",
    "EvidenceExport",
    "NoEvidenceError",
    "append",
    "append_to_all",
    "body_of",
    "facts_of",
    "orders_of",
    "private_of",
    "record_of",
]
