"""Statements of evidence. Lock order: everything else that a transaction locks, then chains by supplier and order."""

from __future__ import annotations

# Takes so many positions of each chain and keeps it locked: whoever appends next waits for the head. In the order of
# keys, so that two transactions that append to several chains never wait for each other.
TAKE_POSITIONS = r"""
    INSERT INTO evidence_chains AS c (supplier, order_no, position, head)
    SELECT supplier, order_no, entries, ''
      FROM unnest($1::text[], $2::text[], $3::integer[]) AS taken (supplier, order_no, entries)
     ORDER BY supplier, order_no
        ON CONFLICT (supplier, order_no) DO UPDATE SET position = c.position + excluded.position
    RETURNING supplier, order_no, position, head, now() AS at
"""

APPEND = """
    WITH moved AS (
         UPDATE evidence_chains c SET head = m.head
           FROM unnest($1::text[], $2::text[], $3::bytea[]) AS m (supplier, order_no, head)
          WHERE c.supplier = m.supplier AND c.order_no = m.order_no)
    INSERT INTO evidence (supplier, order_no, position, entry, hash, sealed)
    SELECT * FROM unnest($4::text[], $5::text[], $6::integer[], $7::text[], $8::bytea[], $9::bytea[])
"""

CHAINS = "SELECT supplier, order_no, position, head FROM evidence_chains WHERE order_no = $1 ORDER BY supplier"

ENTRIES = """
    SELECT position, entry, hash, sealed FROM evidence
     WHERE supplier = $1 AND order_no = $2 AND position > $3 AND position <= $4
     ORDER BY position
     LIMIT $5
"""

OPEN_ORDERS = """
    SELECT DISTINCT coalesce(contract_of, order_no) AS order_no
      FROM commands WHERE supplier = $1 AND ended_at IS NULL ORDER BY order_no LIMIT $2
"""

ORDERS_OF = """
    SELECT supplier_order_no, order_no FROM order_numbers WHERE supplier = $1 AND supplier_order_no = ANY($2::text[])
"""
