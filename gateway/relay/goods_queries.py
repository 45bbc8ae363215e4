"""Statements about goods of orders. Whoever writes them holds the locks of their orders."""

from __future__ import annotations

KEEP = """
    INSERT INTO order_goods (supplier, order_no, supplier_order_no, delivery_no, lines)
    SELECT supplier, order_no, child, delivery, lines::jsonb
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
        AS told (supplier, order_no, child, delivery, lines)
     ORDER BY supplier, order_no, child, delivery
        ON CONFLICT (supplier, order_no, supplier_order_no, delivery_no) DO UPDATE SET lines = excluded.lines
"""

FORGET = """
    DELETE FROM order_goods g
     USING unnest($1::text[], $2::text[]) AS anew (supplier, order_no)
     WHERE g.supplier = anew.supplier AND g.order_no = anew.order_no
"""

OF_ORDER = "SELECT supplier_order_no, delivery_no, lines FROM order_goods WHERE supplier = $1 AND order_no = $2"

ACCEPTED = """
    SELECT lines FROM order_goods
     WHERE supplier = $1 AND order_no = $2 AND supplier_order_no = '' AND delivery_no = ''
"""
