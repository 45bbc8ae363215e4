"""What evidence keeps sealed: requests, replies, commands and events as they were, which name people."""

from __future__ import annotations

from gateway.suppliers import SealedTable


def sealed_as(order_no: str, position: int) -> str:
    """What the content of an entry is sealed as, beside its supplier."""
    return f"evidence {position} {order_no}"


EVIDENCE = SealedTable(
    "evidence",
    page="""
        SELECT supplier, order_no, position, 'evidence ' || position || ' ' || order_no AS name, sealed AS ciphertext,
               true AS needed
          FROM evidence
         WHERE (supplier, order_no, position) > ($1, $2, $3) AND sealed IS NOT NULL
         ORDER BY supplier, order_no, position
         LIMIT $4
    """,
    lock="SELECT sealed FROM evidence WHERE supplier = $1 AND order_no = $2 AND position = $3 FOR UPDATE",
    store="UPDATE evidence SET sealed = $4 WHERE supplier = $1 AND order_no = $2 AND position = $3",
    beginning={"supplier": "", "order_no": "", "position": 0},
)
"""Sealing it again changes no hash: entries hold digests of the content, not of its ciphertext."""
