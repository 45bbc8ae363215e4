"""SQL of dead letters. Lock order: letters by id, then groups by fingerprint.

A group is resolved FOR UPDATE and joined FOR KEY SHARE, so that it is never resolved while a letter of it is on its way
in; neither stands in the way of other letters of the group.
"""

ADD_GROUPS = """
    INSERT INTO dead_letter_groups (fingerprint, stage, code, path, message)
    SELECT fingerprint, stage, code, path, message
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
           AS kind (fingerprint, stage, code, path, message)
     ORDER BY fingerprint
        ON CONFLICT DO NOTHING
"""

JOIN_GROUPS = """
    SELECT fingerprint, state
      FROM dead_letter_groups
     WHERE fingerprint = ANY($1::text[])
     ORDER BY fingerprint
       FOR KEY SHARE
"""

# Only who finds one resolved writes to it: the other chunks of a fault in full swing never meet here.
REOPEN_GROUPS = """
      WITH resolved AS (
           SELECT fingerprint
             FROM dead_letter_groups
            WHERE fingerprint = ANY($1::text[]) AND state = 'resolved'
            ORDER BY fingerprint
              FOR NO KEY UPDATE)
    UPDATE dead_letter_groups AS kind
       SET state = 'open', state_at = now()
      FROM resolved
     WHERE kind.fingerprint = resolved.fingerprint
"""

ADD_LETTERS = """
    INSERT INTO dead_letters
           (id, fingerprint, supplier, facet, stage, code, issues, sku, feed_no, record_index, line, revision,
            received_at, topic, partition, "offset", key, headers, original)
    SELECT id, fingerprint, supplier, facet, stage, code, issues::jsonb, sku, feed_no, record_index, line, revision,
           received_at, topic, partition, "offset", key, headers::jsonb, original
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                  $9::bigint[], $10::int[], $11::int[], $12::int[], $13::timestamptz[], $14::text[], $15::int[],
                  $16::bigint[], $17::bytea[], $18::text[], $19::bytea[])
           AS letter (id, fingerprint, supplier, facet, stage, code, issues, sku, feed_no, record_index, line, revision,
                      received_at, topic, partition, "offset", key, headers, original)
        ON CONFLICT DO NOTHING
    RETURNING id, created_at
"""
