"""Statements of webhooks. Lock order: commands, what is to be sent, the webhook."""

from __future__ import annotations

from gateway.relay.command_queries import FACTS
from gateway.relay.mailbox_queries import FETCHABLE_HEADS

ENDPOINT = """
    SELECT url, failing_since, resting_until, succeeded_at, failed_at, failure, disabled_at, disabled_for
      FROM webhook_endpoints WHERE supplier = $1
"""

LOCK_ENDPOINT = f"{ENDPOINT} FOR UPDATE"

KEEP_ENDPOINT = """
    INSERT INTO webhook_endpoints (supplier, url, failing_since, resting_until, succeeded_at, failed_at, failure,
                                   disabled_at, disabled_for)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (supplier) DO UPDATE
       SET url = excluded.url, failing_since = excluded.failing_since, resting_until = excluded.resting_until,
           succeeded_at = excluded.succeeded_at, failed_at = excluded.failed_at, failure = excluded.failure,
           disabled_at = excluded.disabled_at, disabled_for = excluded.disabled_for
"""

# Orders whose first message is to be sent: it may be fetched and does not wait for a retry. Where earlier messages of
# an order are sent once more they come first.
DUE = f"""
    {FETCHABLE_HEADS}
    SELECT f.order_no FROM fetchable f LEFT JOIN webhook_deliveries d USING (command_id)
     WHERE (d.command_id IS NULL OR d.due_at <= $2)
       AND NOT EXISTS (SELECT FROM webhook_deliveries r WHERE r.supplier = $1 AND r.order_no = f.order_no AND r.replay)
     ORDER BY f.place LIMIT $4
"""

# Of each order the first message that is sent once more, but for orders that are set aside ($4).
DUE_REPLAYS = """
    WITH heads AS (
        SELECT DISTINCT ON (order_no) command_id, order_no, place, due_at
          FROM webhook_deliveries
         WHERE supplier = $1 AND replay
         ORDER BY order_no, place)
    SELECT c.command_id, c.supplier, c.order_no, c.operation, c.sealed, c.attempt, c.sent_at
      FROM heads h JOIN commands c USING (command_id)
     WHERE h.due_at <= $2 AND h.order_no <> ALL($4::text[])
     ORDER BY h.place LIMIT $3
"""

LOCK_COMMAND = f"""
    SELECT {FACTS} FROM commands WHERE supplier = $1 AND command_id = $2 AND attempt > 0 FOR UPDATE
"""

FAILURES = "SELECT failures FROM webhook_deliveries WHERE command_id = $1 FOR UPDATE"

KEEP_DELIVERY = """
    INSERT INTO webhook_deliveries (command_id, supplier, order_no, place, replay, failures, due_at, failure)
    SELECT command_id, supplier, order_no, place, $2, $3, $4, $5 FROM commands WHERE command_id = $1
        ON CONFLICT (command_id) DO UPDATE
       SET failures = excluded.failures, due_at = excluded.due_at, failure = excluded.failure
"""

DELIVERED = "DELETE FROM webhook_deliveries WHERE command_id = $1"

# What was acknowledged in the mailbox, or ended, is not sent any more.
FORGET_ENDED = """
    DELETE FROM webhook_deliveries d
     USING commands c
     WHERE d.supplier = $1 AND NOT d.replay AND c.command_id = d.command_id AND c.ended_at IS NOT NULL
"""

# What operators ask

ENABLE = """
    UPDATE webhook_endpoints
       SET disabled_at = NULL, disabled_for = '', failing_since = NULL, resting_until = NULL
     WHERE supplier = $1
"""

SEND_NOW = """
    WITH anew AS (
        DELETE FROM webhook_deliveries d
         USING commands c
         WHERE d.supplier = $1 AND NOT d.replay AND c.command_id = d.command_id AND c.received_at >= $2
        RETURNING c.ended_at IS NULL AS waiting)
    SELECT count(*) FILTER (WHERE waiting) FROM anew
"""

# What the vendor has, from a moment on, whichever door it went through.
REPLAY = """
    WITH anew AS (
        INSERT INTO webhook_deliveries (command_id, supplier, order_no, place, replay, due_at)
        SELECT command_id, supplier, order_no, place, true, $3
          FROM commands
         WHERE supplier = $1 AND received_at >= $2 AND state IN ('confirmed', 'refused') AND attempt > 0 AND epoch = 0
         ORDER BY place
            ON CONFLICT (command_id) DO UPDATE SET replay = true, failures = 0, due_at = excluded.due_at, failure = ''
        RETURNING 1)
    SELECT count(*) FROM anew
"""

REPLAYS_NOW = "UPDATE webhook_deliveries SET failures = 0, due_at = $2 WHERE supplier = $1 AND replay"

WAITING = """
    SELECT count(*) AS waiting, min(c.received_at) AS oldest, count(d.command_id) AS failed,
           count(d.command_id) FILTER (WHERE d.due_at IS NULL) AS given_up, min(d.due_at) AS next_at
      FROM commands c LEFT JOIN webhook_deliveries d ON d.command_id = c.command_id AND NOT d.replay
     WHERE c.supplier = $1 AND c.ended_at IS NULL
"""

REPLAYS_WAITING = "SELECT count(*) FROM webhook_deliveries WHERE supplier = $1 AND replay"

COUNT_SECRETS = "SELECT count(*) FROM supplier_secrets WHERE supplier = $1 AND name = ANY($2::text[])"
