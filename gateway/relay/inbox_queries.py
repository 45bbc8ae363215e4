"""Statements of the inbox."""

from __future__ import annotations

LOCK_OFFSET = "SELECT next FROM source_offsets WHERE topic = $1 AND partition = $2 FOR UPDATE"

MOVE_OFFSET = "UPDATE source_offsets SET next = $3 WHERE topic = $1 AND partition = $2"

OFFSETS = "SELECT nextval('command_place') FROM generate_series(1, $1)"

# In the order of ids, so that two processes that have the same ids in another order never wait for each other. Due at
# once by the clock that says what is due: a writer and a gateway whose clocks are ahead put nothing off.
ADD = """
    INSERT INTO commands (command_id, place, supplier, order_no, tenant, operation, scope, revision, content, sealed,
                          deadline, topic, partition, "offset", traceparent, state, reason, due_at, ended_at,
                          contract_no, contract_of)
    SELECT command_id, place, supplier, order_no, tenant, operation, scope, revision, content, sealed, deadline,
           topic, partition, "offset", traceparent, state, reason, LEAST(due_at, now()),
           CASE WHEN ended THEN now() END, contract_no, contract_of
      FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::integer[],
                  $9::bytea[], $10::bytea[], $11::timestamptz[], $12::text[], $13::integer[], $14::bigint[],
                  $15::text[], $16::text[], $17::text[], $18::timestamptz[], $19::boolean[], $20::text[], $21::text[])
        AS added (command_id, place, supplier, order_no, tenant, operation, scope, revision, content, sealed, deadline,
                  topic, partition, "offset", traceparent, state, reason, due_at, ended, contract_no, contract_of)
     ORDER BY command_id
        ON CONFLICT (command_id) DO NOTHING
    RETURNING command_id
"""

CONTENTS = "SELECT command_id, content FROM commands WHERE command_id = ANY($1::text[])"

# What was taken of an order behind a record that was not. Where a topic is recreated its offsets begin again: what was
# taken since the dead letter was written counts as well.
LATER = """
    SELECT command_id FROM commands
     WHERE supplier = $1 AND order_no = $2 AND command_id <> $3
       AND ((topic = $4 AND partition = $5 AND "offset" > $6) OR received_at > $7)
     ORDER BY place LIMIT 1
"""
