"""Statements by which operators read and decide about orders and lanes. Lock order: commands, orders, the rest."""

from __future__ import annotations

from gateway.relay.command_queries import FACTS

_SINCE = """
    coalesce((SELECT at FROM order_steps s
               WHERE s.order_no = c.order_no AND s.command_id = c.command_id AND s.kind <> 'event'
               ORDER BY id DESC LIMIT 1), c.received_at) AS since
"""
"""When something last happened to a command."""

_UNANSWERED = "LEFT JOIN (SELECT command_id, acknowledged_at FROM commands_unanswered) u USING (command_id)"
"""When a vendor acknowledged a command that he has not answered."""

# Found apart: by its index of places, it would be read past everything that ever ended. unanswered: of what vendors
# acknowledged, $5: at all, $6: before the deadline too.
LIST = f"""
    WITH found AS MATERIALIZED (
         SELECT place FROM commands
          WHERE ended_at IS NULL AND state = ANY($1::text[]) AND ($2::text IS NULL OR supplier = $2) AND place > $3
         UNION ALL
         SELECT c.place FROM commands_unanswered u JOIN commands c USING (command_id)
          WHERE $5::boolean AND u.acknowledged_at IS NOT NULL AND c.state = 'confirmed'
            AND ($6::boolean OR c.deadline <= now()) AND ($2::text IS NULL OR c.supplier = $2) AND c.place > $3)
    SELECT {FACTS}, acknowledged_at, {_SINCE}
      FROM (SELECT place FROM found ORDER BY place LIMIT $4) page JOIN commands c USING (place) {_UNANSWERED}
     ORDER BY place
"""

# Those that wait for a person, and those in which something waits behind another command.
LANES = f"""
    WITH lanes AS (
         SELECT min(place) AS place, count(*) - 1 AS followers
           FROM commands
          WHERE ended_at IS NULL AND ($1::text IS NULL OR supplier = $1)
          GROUP BY supplier, order_no)
    SELECT {FACTS}, followers, {_SINCE}
      FROM lanes JOIN commands c USING (place)
     WHERE (followers > 0 OR state = ANY($2::text[])) AND place > $3
     ORDER BY place
     LIMIT $4
"""

COMMANDS = f"""
    SELECT {FACTS}, topic, partition, "offset", received_at, ended_at, acknowledged_at, {_SINCE}
      FROM commands c {_UNANSWERED}
     WHERE order_no = $1 OR contract_of = $1
     ORDER BY place
"""

CONTRACTS = """
    SELECT supplier, contract_no, state, announcement, filing, answer, revision, changed_at
      FROM contracts
     WHERE order_no = $1
     ORDER BY created_at, contract_no
"""

ORDERS = "SELECT supplier, state, before, supplier_order_no, changed_at FROM orders WHERE order_no = $1"

NUMBERS = """
    SELECT supplier, supplier_order_no, state, superseded
      FROM order_numbers
     WHERE supplier = ANY($1::text[]) AND order_no = $2
     ORDER BY supplier, supplier_order_no
"""

# The last ones: of an order that was tried for weeks, its beginning is left off.
STEPS = """
    SELECT id, supplier, command_id, at, kind, facts, words
      FROM order_steps
     WHERE order_no = $1
     ORDER BY id DESC
     LIMIT $2
"""

ORIGIN = "SELECT tenant, traceparent FROM commands WHERE command_id = $1"

NAMED = "SELECT supplier, operation FROM commands WHERE command_id = $1"

COMMAND = f"SELECT {FACTS} FROM commands WHERE command_id = $1"

LOCK_COMMAND = f"SELECT {FACTS} FROM commands WHERE command_id = $1 FOR UPDATE"

UNANSWERED = """
    SELECT EXISTS (SELECT FROM commands_unanswered WHERE command_id = $1 AND acknowledged_at IS NOT NULL)
"""

# The first of each lane of this order: one per supplier.
LOCK_HEADS = f"""
    SELECT {FACTS}
      FROM commands c
     WHERE order_no = $1 AND ended_at IS NULL AND ($2::text IS NULL OR supplier = $2)
       AND place = (SELECT min(place) FROM commands f
                     WHERE f.supplier = c.supplier AND f.order_no = c.order_no AND f.ended_at IS NULL)
     ORDER BY command_id
       FOR UPDATE
"""

NUMBER = """
    SELECT (SELECT supplier_order_no FROM orders WHERE supplier = $1 AND order_no = $2) AS known,
           (SELECT order_no FROM order_numbers WHERE supplier = $1 AND supplier_order_no = $3) AS owner
"""
