"""Statements that read and move commands of the inbox."""

from __future__ import annotations

from gateway.relay.lanes import NOT_MADE, OVER

FACTS = (
    "command_id, supplier, order_no, operation, scope, place, content, deadline, due_at, revision, state, reason,"
    " attempt, spent, failures, epoch, sent_at, doubt_since, absent_at, refusal, sent_to, contract_no, contract_of"
)
"""The columns of a `Command`, in the order of its fields but for its role, which its operation and scope tell."""

UNSERVED = f"""
    CASE WHEN o.state = 'draft' THEN '{NOT_MADE}'
         WHEN o.state IN ('cancelled', 'refused', 'expired', 'abandoned') THEN '{OVER}'
         ELSE '' END
"""
"""Why an order cannot be served, '' where it can."""

# A row that is not as it was has been moved by another owner: it is left alone, and counts as not moved.
MOVE = """
    UPDATE commands c
       SET state = m.state, reason = m.reason, attempt = m.attempt, spent = m.spent, failures = m.failures,
           epoch = m.epoch, due_at = m.due_at, sent_at = m.sent_at, doubt_since = m.doubt_since,
           absent_at = m.absent_at, refusal = m.refusal, ended_at = CASE WHEN m.ended THEN now() END,
           sent_to = m.sent_to
      FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::text[], $7::integer[],
                  $8::integer[], $9::integer[], $10::bigint[], $11::timestamptz[], $12::timestamptz[],
                  $13::timestamptz[], $14::timestamptz[], $15::text[], $16::boolean[], $17::text[])
        AS m (command_id, was_state, was_attempt, was_epoch, state, reason, attempt, spent, failures, epoch, due_at,
              sent_at, doubt_since, absent_at, refusal, ended, sent_to)
     WHERE c.command_id = m.command_id AND c.state = m.was_state AND c.attempt = m.was_attempt
       AND c.epoch = m.was_epoch
    RETURNING c.command_id
"""

# Lanes of orders in which something may be done now, the one that is due longest first; contracts are fetched by their
# vendors, and nothing of them is called. Operations whose breaker lets nothing
# through are left out, but for what ends by its deadline; those behind a command that stopped are no longer looked at,
# unless they may take its place. $2: what is due by then, null: by now.
DUE = """
    WITH lanes AS (
        SELECT order_no, min(place) AS head, count(*) > 1 AS followed,
               bool_or(operation = $3 AND scope IS DISTINCT FROM 'children') AS cancelled,
               bool_or(state IN ('waiting', 'retry') AND deadline <= coalesce($2::timestamptz, now())) AS expired
          FROM commands WHERE supplier = $1 AND ended_at IS NULL AND contract_no IS NULL GROUP BY order_no)
    SELECT l.order_no, h.due_at, h.place
      FROM lanes l JOIN commands h ON h.place = l.head
     WHERE ($7::timestamptz IS NULL OR (h.due_at, h.place) > ($7, $8::bigint))
       AND (l.expired
        OR (h.state IN ('waiting', 'retry', 'unknown')
            AND ((h.due_at <= coalesce($2, now()) AND h.operation <> ALL($4::text[]))
                 OR h.deadline <= coalesce($2, now())))
        OR (h.state = 'parked' AND h.deadline <= coalesce($2, now()))
        OR ((h.state IN ('waiting', 'retry') OR (h.state = 'parked' AND h.reason = 'by_operator'))
            AND l.cancelled AND h.operation = $5 AND h.doubt_since IS NULL)
        OR (h.state = 'held' AND l.followed))
     ORDER BY h.due_at, h.place
     LIMIT $6
"""

# Lanes in the order given, as many as fit into $5 commands and $6 bytes, the first in any case; `more`: some did not.
# Of a lane of more than $4 commands or $6 bytes its beginning is read (two commands at least), and from behind that
# what ends by its deadline, the first cancel and the first newer revision: what is planned follows from these alone.
# What is read stays locked, the first of each lane with it: what an operator decides about a lane meanwhile comes
# before what is planned in it, or after. `ordered`: whether a submit that has ended left an order, null: none has
# ended; `submitted`: where the first of those stood; `unserved`: why the order cannot be served, empty where it can.
# All three are looked up once a lane, the last one not as an EXISTS, which may be answered by reading all orders ever.
LANES = f"""
    WITH places AS MATERIALIZED (
         SELECT w.number, w.order_no, c.place, c.revision, c.bytes,
                row_number() OVER (PARTITION BY w.number ORDER BY c.place) AS position,
                sum(c.bytes) OVER (PARTITION BY w.number ORDER BY c.place) AS bytes_so_far
           FROM unnest($2::text[]) WITH ORDINALITY AS w (order_no, number)
          CROSS JOIN LATERAL (
                SELECT place, revision, octet_length(sealed) AS bytes
                  FROM commands
                 WHERE supplier = $1 AND order_no = w.order_no AND ended_at IS NULL
                 ORDER BY place LIMIT $4::bigint + 1) c),
    beginnings AS (
         SELECT *, position <= 2 OR (position <= $4 AND bytes_so_far <= $6) AS is_read FROM places),
    lanes AS MATERIALIZED (
         SELECT number, order_no, max(place) FILTER (WHERE is_read) AS last,
                min(revision) FILTER (WHERE position = 1) AS revision, NOT bool_and(is_read) AS is_cut,
                number = min(number) OVER ()
                OR (sum(count(*) FILTER (WHERE is_read)) OVER (ORDER BY number) <= $5::bigint
                    AND sum(sum(bytes) FILTER (WHERE is_read)) OVER (ORDER BY number) <= $6) AS fits
           FROM beginnings GROUP BY number, order_no),
    behind AS MATERIALIZED (
         SELECT f.place
           FROM lanes l
          CROSS JOIN LATERAL (
                (SELECT place
                   FROM (SELECT place, row_number() OVER (ORDER BY place) AS position,
                                sum(bytes) OVER (ORDER BY place) AS bytes_so_far
                           FROM (SELECT place, octet_length(sealed) AS bytes
                                   FROM commands
                                  WHERE supplier = $1 AND order_no = l.order_no AND ended_at IS NULL AND place > l.last
                                    AND state IN ('waiting', 'retry') AND deadline <= now()
                                  ORDER BY place LIMIT $4) late) late
                  WHERE position = 1 OR bytes_so_far <= $6)
                UNION
                (SELECT place FROM commands
                  WHERE supplier = $1 AND order_no = l.order_no AND ended_at IS NULL AND place > l.last
                    AND operation = $7 AND scope IS DISTINCT FROM 'children'
                  ORDER BY place LIMIT 1)
                UNION
                (SELECT place FROM commands
                  WHERE supplier = $1 AND order_no = l.order_no AND ended_at IS NULL AND place > l.last
                    AND operation = $3 AND revision > l.revision
                  ORDER BY place LIMIT 1)) f
          WHERE l.fits AND l.is_cut),
    read AS MATERIALIZED (
         SELECT b.place FROM beginnings b JOIN lanes l USING (number) WHERE l.fits AND b.is_read
          UNION ALL
         SELECT place FROM behind),
    made AS MATERIALIZED (
         SELECT l.order_no, submits.ordered, submits.submitted,
                coalesce((SELECT {UNSERVED} FROM orders o
                           WHERE o.supplier = $1 AND o.order_no = l.order_no), '{NOT_MADE}') AS unserved
           FROM lanes l
          CROSS JOIN LATERAL (
                SELECT bool_or(state = 'confirmed' OR (state = 'superseded' AND doubt_since IS NOT NULL)) AS ordered,
                       min(place) AS submitted
                  FROM commands
                 WHERE order_no = l.order_no AND supplier = $1 AND operation = $3 AND ended_at IS NOT NULL) submits
          WHERE l.fits)
    SELECT {FACTS},
           made.ordered, made.submitted, made.unserved,
           c.order_no = ANY (ARRAY(SELECT order_no FROM lanes WHERE is_cut)) AS is_cut,
           c.place = ANY (ARRAY(SELECT place FROM behind)) AS is_behind,
           EXISTS (SELECT FROM lanes WHERE NOT fits) AS more
      FROM commands c
      JOIN made USING (order_no)
     WHERE c.place = ANY (ARRAY(SELECT place FROM read)) AND c.ended_at IS NULL
     ORDER BY c.order_no, c.place
       FOR UPDATE OF c
"""

BUSY = f"""
    SELECT {FACTS} FROM commands
     WHERE supplier = $1 AND ended_at IS NULL AND contract_no IS NULL AND state IN ('sending', 'looking_up')
"""

SEALED = "SELECT command_id, operation, sealed, traceparent FROM commands WHERE command_id = ANY($1::text[])"

# The last submit of each order that took effect: what a confirm is of.
SUBMITTED = """
    SELECT DISTINCT ON (order_no) order_no, command_id, sealed FROM commands
     WHERE supplier = $1 AND order_no = ANY($2::text[]) AND operation = $3 AND state = 'confirmed'
     ORDER BY order_no, place DESC
"""

# One that is another order's is none of it, whatever was told first.
NUMBERS = """
    SELECT o.order_no, o.supplier_order_no FROM orders o
     WHERE o.supplier = $1 AND o.order_no = ANY($2::text[]) AND o.supplier_order_no IS NOT NULL
       AND NOT EXISTS (
           SELECT FROM order_numbers n
            WHERE n.supplier = o.supplier AND n.supplier_order_no = o.supplier_order_no AND n.order_no <> o.order_no)
"""

# Whether the supplier is paused is asked in the turn itself: once an operator was answered nothing is begun any more.
NOW = "SELECT clock_timestamp() AS now, (SELECT state FROM suppliers WHERE supplier = $1) = 'active' AS active"
