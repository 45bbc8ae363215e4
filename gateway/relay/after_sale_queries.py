"""Statements about after-sale services. Lock order: orders, then after_sales, then order_goods."""

from __future__ import annotations

# The first request under a number has it; another one under it is refused when its preconditions are looked at.
OPEN = """
    INSERT INTO after_sales (supplier, order_no, service_no, command_id, kind, supplier_order_no, lines, state)
    SELECT supplier, order_no, service_no, command_id, kind, child, lines::jsonb, 'requested'
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        AS asked (supplier, order_no, service_no, command_id, kind, child, lines)
     ORDER BY supplier, order_no, service_no
        ON CONFLICT DO NOTHING
"""

_COLUMNS = "service_no, command_id, kind, supplier_order_no, lines, state, supplier_service_no, told"

LOCK = f"""
    SELECT {_COLUMNS} FROM after_sales WHERE supplier = $1 AND order_no = $2 ORDER BY service_no FOR UPDATE
"""

OF_ORDER = f"SELECT {_COLUMNS} FROM after_sales WHERE supplier = $1 AND order_no = $2 ORDER BY service_no"

SHOWN = """
    SELECT supplier, service_no, kind, supplier_order_no, lines, state, supplier_service_no, created_at, changed_at
      FROM after_sales WHERE order_no = $1 ORDER BY created_at, service_no
"""

MOVE = """
    UPDATE after_sales
       SET state = $4, supplier_service_no = coalesce($5, supplier_service_no), changed_at = now(),
           told = CASE WHEN $6 = '' OR $6 = ANY(told) THEN told ELSE told || $6 END
     WHERE supplier = $1 AND order_no = $2 AND service_no = $3
"""

ORDER = "SELECT state, before, supplier_order_no FROM orders WHERE supplier = $1 AND order_no = $2"

CHILDREN = """
    SELECT n.supplier_order_no
      FROM order_numbers n LEFT JOIN orders o USING (supplier, order_no)
     WHERE n.supplier = $1 AND n.order_no = $2 AND NOT n.superseded
       AND n.supplier_order_no IS DISTINCT FROM o.supplier_order_no
"""
