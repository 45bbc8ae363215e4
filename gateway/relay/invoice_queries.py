"""Statements about applications for invoices. Lock order: commands, orders, then applications by mark_id."""

from __future__ import annotations

# In the order of their keys, so that two inboxes that take the same never wait for each other.
INSERT = """
    INSERT INTO invoices (supplier, mark_id, order_no, tenant, content, asked)
    SELECT supplier, mark_id, order_no, tenant, content, asked::jsonb
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[])
        AS met (supplier, mark_id, order_no, tenant, content, asked)
     ORDER BY supplier, mark_id
        ON CONFLICT DO NOTHING
"""

CONTENTS = """
    SELECT supplier, mark_id, content
      FROM invoices JOIN unnest($1::text[], $2::text[]) AS met (supplier, mark_id) USING (supplier, mark_id)
"""

LOCK = """
    SELECT supplier, mark_id, order_no, tenant, asked, state, invoices
      FROM invoices JOIN unnest($1::text[], $2::text[]) AS met (supplier, mark_id) USING (supplier, mark_id)
     ORDER BY supplier, mark_id
       FOR UPDATE OF invoices
"""

KEEP = """
    UPDATE invoices i
       SET state = k.state, invoices = k.invoices::jsonb, gross = k.gross, changed_at = now()
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::numeric[])
        AS k (supplier, mark_id, state, invoices, gross)
     WHERE i.supplier = k.supplier AND i.mark_id = k.mark_id
"""

ELSEWHERE = "SELECT coalesce(sum(gross), 0) FROM invoices WHERE supplier = $1 AND order_no = $2 AND mark_id <> $3"

OF_ORDER = """
    SELECT supplier, mark_id, state, asked, invoices, changed_at FROM invoices
     WHERE order_no = $1
     ORDER BY supplier, mark_id
"""

OF_MARKS = "SELECT mark_id, order_no FROM invoices WHERE supplier = $1 AND mark_id = ANY($2::text[])"

ASK = """
    INSERT INTO invoice_rereads AS r (supplier, mark_id, asked_by)
    SELECT $1, asked.mark_id, asked.message::jsonb FROM unnest($2::text[], $3::text[]) AS asked (mark_id, message)
     ORDER BY asked.mark_id
        ON CONFLICT (supplier, mark_id) DO UPDATE
       SET asked_by = EXCLUDED.asked_by, due_at = least(r.due_at, now()), failures = 0,
           seq = nextval('order_reread_seq')
"""

DUE = """
    SELECT mark_id, seq, failures, asked_by FROM invoice_rereads
     WHERE supplier = $1 AND due_at <= now()
     ORDER BY due_at, seq LIMIT 1
"""

# What was asked again meanwhile has another number by now and stays.
DONE = "DELETE FROM invoice_rereads WHERE supplier = $1 AND mark_id = $2 AND seq = $3"

LATER = """
    UPDATE invoice_rereads SET due_at = now() + $4::interval, failures = failures + 1
     WHERE supplier = $1 AND mark_id = $2 AND seq = $3
"""
