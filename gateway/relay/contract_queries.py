"""Statements about contracts. Lock order: commands, orders, then contracts by supplier and number."""

from __future__ import annotations

# The orders whose contracts are asked for, held so that no two get one of an order at once.
LOCK_ORDERS = """
    SELECT o.supplier, o.order_no, o.state
      FROM orders o JOIN unnest($1::text[], $2::text[]) AS asked (supplier, order_no) USING (supplier, order_no)
     ORDER BY o.supplier, o.order_no
       FOR UPDATE OF o
"""

LOCK = """
    SELECT c.supplier, c.contract_no, c.order_no, c.tenant, c.state, c.announcement, c.filing, c.answer, c.revision,
           c.issued_by, c.content
      FROM contracts c
      JOIN unnest($1::text[], $2::text[]) AS asked (supplier, contract_no) USING (supplier, contract_no)
     ORDER BY c.supplier, c.contract_no
       FOR UPDATE OF c
"""

STANDING = """
    SELECT c.supplier, c.order_no, c.contract_no
      FROM contracts c JOIN unnest($1::text[], $2::text[]) AS asked (supplier, order_no) USING (supplier, order_no)
     WHERE c.state IN ('generated', 'performing', 'accepted', 'settled')
"""

KEEP = """
    INSERT INTO contracts AS c (supplier, contract_no, order_no, tenant, state, announcement, filing, answer, revision,
                                issued_by, content)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::text[], $9::integer[], $10::text[], $11::bytea[])
        ON CONFLICT (supplier, contract_no) DO UPDATE
       SET order_no = excluded.order_no, tenant = excluded.tenant, state = excluded.state,
           announcement = excluded.announcement, filing = excluded.filing, answer = excluded.answer,
           revision = excluded.revision, issued_by = excluded.issued_by, content = excluded.content, changed_at = now()
"""

# Those that were just taken and came to nothing.
END_AT_ONCE = """
    UPDATE commands c SET state = e.state, reason = e.reason, ended_at = now()
      FROM unnest($1::text[], $2::text[], $3::text[]) AS e (command_id, state, reason)
     WHERE c.command_id = e.command_id AND c.state = 'waiting'
"""

# The text of a contract that its vendor was given, of one revision.
LAST_TEXT = """
    SELECT command_id, supplier, contract_no, contract_of, sealed FROM commands
     WHERE supplier = $1 AND order_no = $2 AND revision = $3 AND operation IN ('contract.issue', 'contract.amend')
       AND attempt > 0
     ORDER BY place DESC LIMIT 1
"""

TEXT = """
    SELECT command_id, supplier, contract_no, contract_of, sealed FROM commands
     WHERE command_id = $1 AND contract_no = $2 AND operation IN ('contract.issue', 'contract.amend') AND attempt > 0
"""
