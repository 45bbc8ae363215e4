"""Statements that read and move commands of the inbox."""

from __future__ import annotations

FACTS = (
    "command_id, supplier, order_no, operation, place, content, deadline, due_at, revision, state, reason, attempt,"
    " spent, failures, epoch, sent_at, doubt_since, absent_at, refusal"
)
"""The columns of a `Command`, in the order of its fields but for its role, which its operation tells."""

# Lanes in the order of their first commands, each whole: of one that is long, the rest waits behind its first anyway.
OPEN_LANES = f"""
    WITH heads AS (
        SELECT order_no, min(place) AS head FROM commands WHERE supplier = $1 AND ended_at IS NULL GROUP BY order_no
         ORDER BY head LIMIT $2)
    SELECT {FACTS},
           EXISTS (SELECT FROM commands made
                    WHERE made.order_no = c.order_no AND made.supplier = c.supplier AND made.operation = $3
                      AND (made.state = 'confirmed' OR (made.state = 'superseded' AND made.doubt_since IS NOT NULL)))
           AS ordered
      FROM heads JOIN commands c USING (order_no)
     WHERE c.supplier = $1 AND c.ended_at IS NULL
     ORDER BY heads.head, c.place
"""

# A row that is not as it was has been moved by another owner: it is left alone, and counts as not moved.
MOVE = """
    UPDATE commands c
       SET state = m.state, reason = m.reason, attempt = m.attempt, spent = m.spent, failures = m.failures,
           epoch = m.epoch, due_at = m.due_at, sent_at = m.sent_at, doubt_since = m.doubt_since,
           absent_at = m.absent_at, refusal = m.refusal, ended_at = CASE WHEN m.ended THEN now() END
      FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::integer[],
                  $8::integer[], $9::integer[], $10::bigint[], $11::timestamptz[], $12::timestamptz[],
                  $13::timestamptz[], $14::timestamptz[], $15::text[], $16::boolean[])
        AS m (command_id, was_state, was_attempt, was_epoch, state, reason, attempt, spent, failures, epoch, due_at,
              sent_at, doubt_since, absent_at, refusal, ended)
     WHERE c.command_id = m.command_id AND c.state = m.was_state AND c.attempt = m.was_attempt
       AND c.epoch = m.was_epoch
    RETURNING c.command_id
"""

SEALED = "SELECT command_id, sealed FROM commands WHERE command_id = ANY($1::text[])"
