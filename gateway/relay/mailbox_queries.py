"""Statements of the mailbox. Lock order: commands by order and place, what waits for an answer, keys, orders."""

from __future__ import annotations

from gateway.relay.command_queries import FACTS
from gateway.relay.command_queries import UNSERVED as WHY_UNSERVED
from gateway.relay.lanes import NOT_MADE

# The first commands of orders that may be fetched, but for orders that are set aside ($5). What was sent by an owner
# before the supplier's vendor began to fetch may have taken effect: it is not handed out.
FETCHABLE_HEADS = """
    WITH heads AS (
        SELECT DISTINCT ON (order_no) command_id, order_no, place, state, due_at, sent_at, epoch
          FROM commands
         WHERE supplier = $1 AND ended_at IS NULL
         ORDER BY order_no, place),
    fetchable AS (
        SELECT command_id, order_no, place FROM heads
         WHERE ((state IN ('waiting', 'retry', 'unknown') AND due_at <= $2) OR (state = 'sending' AND sent_at <= $3))
           AND (epoch = 0 OR state IN ('waiting', 'retry'))
           AND order_no <> ALL($5::text[]))
"""

# Their orders, that which waits longest first.
FETCHABLE = f"{FETCHABLE_HEADS} SELECT order_no FROM fetchable ORDER BY place LIMIT $4"

# Orders in which something ends or stops by now: by time, or by a command that cancels what was never sent. Each one
# found is changed by the look at it; what waits only for its vendor is left out, so that it keeps no other from it.
# Orders that are set aside ($7) are left out as well.
ENDING = f"""
    WITH lanes AS (
        SELECT order_no, min(place) AS head,
               bool_or(operation IN ('order.cancel', 'contract.terminate')
                       AND scope IS DISTINCT FROM 'children') AS cancelled,
               bool_or(state IN ('waiting', 'retry') AND deadline <= $2) AS expired
          FROM commands
         WHERE supplier = $1 AND ended_at IS NULL AND order_no > $4 AND order_no <> ALL($7::text[])
         GROUP BY order_no)
    SELECT l.order_no
      FROM lanes l JOIN commands h ON h.place = l.head
     WHERE l.expired
        OR (h.deadline <= $2 AND h.state IN ('unknown', 'parked'))
        OR (h.deadline <= $2 AND h.state = 'sending' AND h.epoch = 0 AND h.sent_at <= $3)
        OR (h.epoch > 0 AND h.state IN ('sending', 'looking_up', 'unknown') AND NOT $6)
        OR (l.cancelled AND h.operation IN ('order.submit', 'contract.issue')
            AND (h.state = 'held'
                 OR (h.doubt_since IS NULL
                     AND (h.state IN ('waiting', 'retry') OR (h.state = 'parked' AND h.reason = 'by_operator')))))
        OR (h.operation IN ('invoice.request', 'aftersale.request', 'aftersale.cancel')
            AND h.state IN ('waiting', 'retry')
            AND coalesce((SELECT {WHY_UNSERVED} FROM orders o
                           WHERE o.supplier = h.supplier AND o.order_no = h.order_no), '{NOT_MADE}') <> '')
     ORDER BY l.order_no
     LIMIT $5
"""

# Whether a process still works for a supplier, as one did before its vendor began to fetch: its calls may be under way.
OWNED = "SELECT EXISTS (SELECT FROM leases WHERE name = $1 AND until > clock_timestamp())"

# Whole lanes: two who look at the same wait for each other here, and the second sees what the first has made of it.
LOCK_LANES = f"""
    SELECT {FACTS}, tenant, traceparent
      FROM commands
     WHERE supplier = $1 AND order_no = ANY($2::text[]) AND ended_at IS NULL
     ORDER BY order_no, place
       FOR UPDATE
"""

# A statement of its own behind the locks: it sees what was committed while they were waited for.
ORDERED = """
    SELECT DISTINCT order_no FROM commands
     WHERE supplier = $1 AND order_no = ANY($2::text[]) AND operation IN ('order.submit', 'contract.issue')
       AND (state = 'confirmed' OR (state = 'superseded' AND doubt_since IS NOT NULL))
"""

# Why orders cannot be served, '' where they can.
UNSERVED = f"""
    SELECT order_no, {WHY_UNSERVED} AS unserved FROM orders o WHERE supplier = $1 AND order_no = ANY($2::text[])
"""

# As many as fit into so many bytes, the first in any case.
SEALED_UP_TO = """
    SELECT command_id, supplier, sealed
      FROM (SELECT command_id, supplier, sealed, place, row_number() OVER (ORDER BY place) AS position,
                   sum(octet_length(sealed)) OVER (ORDER BY place) AS bytes
              FROM commands WHERE command_id = ANY($1::text[])) AS each
     WHERE position = 1 OR bytes <= $2
     ORDER BY place
"""

LOCK_DELIVERED = f"""
    SELECT {FACTS}, tenant, traceparent
      FROM commands
     WHERE supplier = $1 AND command_id = ANY($2::text[]) AND attempt > 0
     ORDER BY order_no, place
       FOR UPDATE
"""

UNANSWERED = """
    INSERT INTO commands_unanswered (command_id, supplier, order_no)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
        ON CONFLICT DO NOTHING
"""

ACKNOWLEDGED = """
    UPDATE commands_unanswered SET acknowledged_at = coalesce(acknowledged_at, now())
     WHERE command_id = ANY($1::text[])
"""

ANSWERED = "DELETE FROM commands_unanswered WHERE command_id = ANY($1::text[])"

# Both rows: who waits here for another answer to the same command must not find it again. The vendor has it, or had it,
# whatever operators have decided since; what has ended is answered already, unless he acknowledged it alone.
_OPEN_TO_ANSWERS = """
       (c.state IN ('sending', 'unknown', 'retry', 'parked', 'dead')
        OR (c.state = 'confirmed' AND u.acknowledged_at IS NOT NULL))
"""

LOCK_UNANSWERED = f"""
    SELECT {", ".join(f"c.{name.strip()}" for name in FACTS.split(","))}, c.tenant, c.traceparent
      FROM commands c JOIN commands_unanswered u USING (command_id)
     WHERE u.supplier = $1 AND u.order_no = $2 AND {_OPEN_TO_ANSWERS}
     ORDER BY c.place
       FOR UPDATE
"""

# Orders of which a submit waits for its vendor's answer.
STILL_SUBMITTED = f"""
    SELECT DISTINCT u.order_no
      FROM commands_unanswered u JOIN commands c USING (command_id)
     WHERE u.supplier = $1 AND u.order_no = ANY($2::text[]) AND c.operation = 'order.submit' AND {_OPEN_TO_ANSWERS}
"""

ORDER_STATE = "SELECT state FROM orders WHERE supplier = $1 AND order_no = $2"

LAST_SUBMIT = """
    SELECT command_id, sealed FROM commands
     WHERE supplier = $1 AND order_no = $2 AND operation = 'order.submit' AND attempt > 0
       AND ($3::bigint IS NULL OR place <= $3)
     ORDER BY place DESC LIMIT 1
"""

TAKE_KEY = """
    INSERT INTO order_event_keys (supplier, key, content, expires_at)
    VALUES ($1, $2, $3, now() + $4::interval)
        ON CONFLICT (supplier, key) DO UPDATE
       SET content = excluded.content, answer = NULL, expires_at = excluded.expires_at
     WHERE order_event_keys.expires_at <= now()
    RETURNING key
"""

KEY = "SELECT content, answer FROM order_event_keys WHERE supplier = $1 AND key = $2"

KEEP_ANSWER = "UPDATE order_event_keys SET answer = $3 WHERE supplier = $1 AND key = $2"

FORGET_KEYS = "DELETE FROM order_event_keys WHERE expires_at <= now()"

# Children that are there now come, those that are not there any more are superseded.
VANISHED = """
    UPDATE order_numbers n SET superseded = true
      FROM orders o
     WHERE n.supplier = $1 AND n.order_no = $2 AND NOT n.superseded AND n.supplier_order_no <> ALL($3::text[])
       AND o.supplier = n.supplier AND o.order_no = n.order_no
       AND n.supplier_order_no IS DISTINCT FROM o.supplier_order_no
    RETURNING n.supplier_order_no
"""

CHILDREN = """
    INSERT INTO order_numbers (supplier, supplier_order_no, order_no)
    SELECT $1, number, $2 FROM unnest($3::text[]) AS number
        ON CONFLICT (supplier, supplier_order_no) DO UPDATE SET superseded = false
     WHERE order_numbers.order_no = excluded.order_no
"""
