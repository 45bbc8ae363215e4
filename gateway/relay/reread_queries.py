"""Statements about orders that are reread. Lock order: orders, then order_numbers, then order_rereads."""

from __future__ import annotations

# The one that is due longest, and is neither of an order nor itself a number that is being read already.
DUE = """
    SELECT r.supplier_order_no, n.order_no
      FROM order_rereads r LEFT JOIN order_numbers n USING (supplier, supplier_order_no)
     WHERE r.supplier = $1 AND r.due_at <= now()
       AND NOT coalesce(n.order_no = ANY($2::text[]), r.supplier_order_no = ANY($3::text[]))
     ORDER BY r.due_at, r.seq LIMIT 1
"""

ASKED_NUMBER = """
    SELECT supplier_order_no, seq, failures, asked_by FROM order_rereads WHERE supplier = $1 AND supplier_order_no = $2
"""

ASKED_ORDER = """
    SELECT r.supplier_order_no, r.seq, r.failures, r.asked_by
      FROM order_rereads r JOIN order_numbers n USING (supplier, supplier_order_no)
     WHERE r.supplier = $1 AND n.order_no = $2
     ORDER BY r.seq
"""

HOLD = """
    SELECT supplier_order_no FROM order_rereads WHERE supplier = $1 AND supplier_order_no = ANY($2::text[])
     ORDER BY supplier_order_no FOR UPDATE
"""

# Asked once more for what asked before; where something else asks already, that is what it is read for.
ASK_ONCE_MORE = """
    INSERT INTO order_rereads AS r (supplier, supplier_order_no, asked_by)
    SELECT $1, number, $3::jsonb FROM unnest($2::text[]) AS number
     ORDER BY number
        ON CONFLICT (supplier, supplier_order_no) DO UPDATE
       SET due_at = least(r.due_at, now()), failures = 0, seq = nextval('order_reread_seq')
"""

# What was asked again meanwhile has another number by now and stays.
DONE = """
    DELETE FROM order_rereads r USING unnest($2::text[], $3::bigint[]) AS done (supplier_order_no, seq)
     WHERE r.supplier = $1 AND r.supplier_order_no = done.supplier_order_no AND r.seq = done.seq
"""

LATER = """
    UPDATE order_rereads r SET due_at = now() + $4::interval, failures = r.failures + 1
      FROM unnest($2::text[], $3::bigint[]) AS asked (supplier_order_no, seq)
     WHERE r.supplier = $1 AND r.supplier_order_no = asked.supplier_order_no AND r.seq = asked.seq
"""

IS_OURS = """
    SELECT EXISTS (SELECT FROM orders WHERE supplier = $1 AND order_no = $2)
        OR EXISTS (SELECT FROM commands WHERE supplier = $1 AND order_no = $2)
"""

OWNER_OF = "SELECT order_no FROM order_numbers WHERE supplier = $1 AND supplier_order_no = $2"

UNDECIDED = "SELECT EXISTS (SELECT FROM orders WHERE supplier = $1 AND state IN ('draft', 'submitting', 'unknown'))"

NUMBERS_OF = """
    SELECT supplier_order_no, state, superseded, told FROM order_numbers WHERE supplier = $1 AND order_no = $2
     ORDER BY supplier_order_no FOR UPDATE
"""

KEEP_NUMBERS = """
    INSERT INTO order_numbers AS n (supplier, order_no, supplier_order_no, state, superseded, told)
    SELECT $1, $2, k.supplier_order_no, k.state, k.superseded, string_to_array(k.told, chr(10))
      FROM unnest($3::text[], $4::text[], $5::boolean[], $6::text[]) AS k (supplier_order_no, state, superseded, told)
     ORDER BY k.supplier_order_no
        ON CONFLICT (supplier, supplier_order_no) DO UPDATE
       SET state = EXCLUDED.state, superseded = EXCLUDED.superseded, told = EXCLUDED.told
     WHERE n.order_no = EXCLUDED.order_no
"""

# That a command of ours cancelled it was told with the command.
CHILDREN_CANCELLED = """
    UPDATE order_numbers n SET state = 'cancelled'
      FROM unnest($2::text[], $3::text[]) AS c (order_no, supplier_order_no)
     WHERE n.supplier = $1 AND n.order_no = c.order_no AND n.supplier_order_no = c.supplier_order_no
"""

SUBMIT_OF = """
    SELECT command_id, sealed FROM commands
     WHERE supplier = $1 AND order_no = $2 AND operation = $3 ORDER BY place DESC LIMIT 1
"""
