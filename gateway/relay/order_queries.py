"""Statements about orders at suppliers. Lock order: commands, then orders by supplier and number, then the rest."""

from __future__ import annotations

# Orders of these keys, locked; those that are met for the first time are made. In the order of their keys, so that two
# transactions that hold several never wait for each other. One that another has made since the statement began is not
# among them: it is when they are asked for again.
INSERT = """
    WITH made AS (
         INSERT INTO orders AS o (supplier, order_no, tenant, state)
         SELECT supplier, order_no, tenant, 'draft'
           FROM unnest($1::text[], $2::text[], $3::text[]) AS met (supplier, order_no, tenant)
          ORDER BY supplier, order_no
             ON CONFLICT DO NOTHING
         RETURNING o.supplier, o.order_no, o.tenant, o.state, o.before, o.supplier_order_no, o.price_basis),
    known AS (
         SELECT o.supplier, o.order_no, o.tenant, o.state, o.before, o.supplier_order_no, o.price_basis
           FROM orders o JOIN unnest($1::text[], $2::text[]) AS met (supplier, order_no) USING (supplier, order_no)
          ORDER BY o.supplier, o.order_no
            FOR UPDATE OF o)
    SELECT * FROM made UNION ALL SELECT * FROM known
"""

MOVE = """
    UPDATE orders o
       SET state = m.state, before = m.before, changed_at = now(), price_basis = m.price_basis,
           tenant = coalesce(o.tenant, m.tenant),
           supplier_order_no = m.supplier_order_no
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        AS m (supplier, order_no, tenant, state, before, supplier_order_no, price_basis)
     WHERE o.supplier = m.supplier AND o.order_no = m.order_no
"""

# A number of an order that started again since may be given once more: what was told of it was told of another.
NUMBERS = """
    WITH given AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS g (supplier, number, order_no)),
    again AS (
        UPDATE order_numbers n SET superseded = false, told = '{}'
          FROM given g
         WHERE n.supplier = g.supplier AND n.supplier_order_no = g.number AND n.order_no = g.order_no AND n.superseded)
    INSERT INTO order_numbers (supplier, supplier_order_no, order_no)
    SELECT * FROM given
        ON CONFLICT DO NOTHING
"""

NUMBERS_OF_BEFORE = """
    UPDATE order_numbers n SET superseded = true
      FROM unnest($1::text[], $2::text[]) AS anew (supplier, order_no)
     WHERE n.supplier = anew.supplier AND n.order_no = anew.order_no
"""

STEPS = """
    INSERT INTO order_steps (supplier, order_no, command_id, kind, facts, words)
    SELECT supplier, order_no, command_id, kind, facts::jsonb, words
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[])
           WITH ORDINALITY AS step (supplier, order_no, command_id, kind, facts, words, position)
     ORDER BY position
"""

ASK_AGAIN = """
    INSERT INTO order_rereads AS r (supplier, supplier_order_no)
    SELECT DISTINCT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT (supplier, supplier_order_no) DO UPDATE
       SET due_at = least(r.due_at, now()), failures = 0, seq = nextval('order_reread_seq')
"""
