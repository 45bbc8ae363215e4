"""SQL of dead letters. Lock order: letters by age, groups by fingerprint.

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
           (id, fingerprint, supplier, facet, stage, code, issues, sku, feed_no, page_no, record_index, line, revision,
            received_at, topic, partition, "offset", key, headers, original)
    SELECT id, fingerprint, supplier, facet, stage, code, issues::jsonb, sku, feed_no, page_no, record_index, line,
           revision, received_at, topic, partition, "offset", key, headers::jsonb, original
      FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                  $9::bigint[], $10::bigint[], $11::int[], $12::int[], $13::int[], $14::timestamptz[], $15::text[],
                  $16::int[], $17::bigint[], $18::bytea[], $19::text[], $20::bytea[])
           AS letter (id, fingerprint, supplier, facet, stage, code, issues, sku, feed_no, page_no, record_index, line,
                      revision, received_at, topic, partition, "offset", key, headers, original)
        ON CONFLICT DO NOTHING
    RETURNING id, created_at
"""

# What a Filter matches: null matches everything. Always with the supplier, so that no caller can forget it.
_MATCHES = """
           ($1::text IS NULL OR letter.supplier = $1)
       AND ($2::text IS NULL OR letter.fingerprint = $2)
       AND ($3::text IS NULL OR letter.stage = $3)
       AND ($4::text IS NULL OR letter.code = $4)
       AND ($5::text IS NULL OR letter.facet = $5)
       AND ($6::text IS NULL OR letter.sku = $6)
       AND ($7::bigint IS NULL OR letter.feed_no = $7)
       AND ($8::text IS NULL OR letter.state = $8)
"""

# named: what may name an order; the bytes of a feed's record, or of much else, do not.
_SUMMARY = """
           letter.id, letter.fingerprint, letter.supplier, letter.facet, letter.stage, letter.code, letter.issues,
           letter.sku, letter.feed_no, letter.page_no, letter.record_index, letter.line, letter.revision,
           letter.received_at, letter.topic, letter.partition, letter."offset", letter.state, letter.outcome,
           letter.replays, letter.replay_issues, letter.reason, letter.created_at, letter.state_at,
           letter.key,
           CASE WHEN letter.feed_no IS NULL AND octet_length(letter.original) <= 16384 THEN letter.original END AS named
"""

LETTERS = f"""
    SELECT {_SUMMARY}
      FROM dead_letters AS letter
     WHERE {_MATCHES}
       AND ($9::timestamptz IS NULL OR (letter.created_at, letter.id) < ($9, $10::uuid))
     ORDER BY letter.created_at DESC, letter.id DESC
     LIMIT $11
"""

LETTER = f"""
    SELECT {_SUMMARY}, letter.headers, letter.original, letter.patched
      FROM dead_letters AS letter
     WHERE letter.id = $1
"""

LOCK_LETTER = f"{LETTER} FOR NO KEY UPDATE"

# The newest letter is one look at an index per group; only the groups of the page are counted.
GROUPS = """
      WITH page AS (
           SELECT kind.fingerprint, kind.stage, kind.code, kind.path, kind.message, kind.state, kind.state_at,
                  newest.created_at AS last_seen
             FROM dead_letter_groups AS kind
                  CROSS JOIN LATERAL (
                  SELECT letter.created_at
                    FROM dead_letters AS letter
                   WHERE letter.fingerprint = kind.fingerprint AND ($1::text IS NULL OR letter.supplier = $1)
                   ORDER BY letter.created_at DESC
                   LIMIT 1) AS newest
            WHERE ($2::text IS NULL OR kind.fingerprint = $2)
              AND ($3::text IS NULL OR kind.stage = $3)
              AND ($4::text IS NULL OR kind.code = $4)
              AND ($5::text IS NULL OR kind.state = $5)
              AND ($6::timestamptz IS NULL OR (newest.created_at, kind.fingerprint) < ($6, $7::text))
            ORDER BY newest.created_at DESC, kind.fingerprint DESC
            LIMIT $8)
    SELECT page.fingerprint, page.stage, page.code, page.path, page.message, page.state, page.state_at,
           counted.suppliers, counted.open, counted.failed_again, counted.replayed, counted.discarded,
           counted.first_seen, page.last_seen
      FROM page
           CROSS JOIN LATERAL (
           SELECT array_agg(DISTINCT letter.supplier) FILTER (WHERE letter.supplier IS NOT NULL) AS suppliers,
                  count(*) FILTER (WHERE letter.state = 'open') AS open,
                  count(*) FILTER (WHERE letter.state = 'open' AND letter.replays > 0) AS failed_again,
                  count(*) FILTER (WHERE letter.state = 'replayed') AS replayed,
                  count(*) FILTER (WHERE letter.state = 'discarded') AS discarded,
                  min(letter.created_at) AS first_seen
             FROM dead_letters AS letter
            WHERE letter.fingerprint = page.fingerprint AND ($1::text IS NULL OR letter.supplier = $1)) AS counted
     ORDER BY page.last_seen DESC, page.fingerprint DESC
"""

SET_GROUP = """
    UPDATE dead_letter_groups
       SET state = $2, state_at = now()
     WHERE fingerprint = $1
"""

LOCK_GROUPS = """
    SELECT fingerprint
      FROM dead_letter_groups
     WHERE fingerprint = ANY($1::text[])
     ORDER BY fingerprint
       FOR UPDATE
"""

# Not in one statement with the lock: it would judge the letters as they were before it had waited.
SETTLE_GROUPS = """
    UPDATE dead_letter_groups AS kind
       SET state = 'resolved', state_at = now()
     WHERE kind.fingerprint = ANY($1::text[])
       AND kind.state <> 'resolved'
       AND NOT EXISTS (
           SELECT FROM dead_letters AS letter
            WHERE letter.fingerprint = kind.fingerprint AND letter.state = 'open')
"""

# Open letters by a Selection, the oldest first.
CHOSEN = f"""
            SELECT letter.id, letter.created_at
              FROM dead_letters AS letter
             WHERE {_MATCHES}
               AND ($9::uuid[] IS NULL OR letter.id = ANY($9))
             ORDER BY letter.created_at, letter.id
             LIMIT $10::bigint
"""

# Letters are locked in one order before they are changed: two operators' selections may overlap.
DISCARD = f"""
      WITH chosen AS ({CHOSEN} FOR NO KEY UPDATE),
           discarded AS (
           UPDATE dead_letters AS letter
              SET state = 'discarded', reason = $11, state_at = now()
             FROM chosen
            WHERE letter.id = chosen.id
           RETURNING letter.fingerprint)
    SELECT fingerprint, count(*) AS letters
      FROM discarded
     GROUP BY fingerprint
"""

CLOSE = """
    UPDATE dead_letters
       SET state = 'replayed', outcome = $2, replays = replays + 1, replay_issues = NULL, patched = $3,
           state_at = now()
     WHERE id = $1
"""

# The original was rejected again: the letter shows the latest reasons, in the group of the latest reason.
REJECTED_AGAIN = """
    UPDATE dead_letters
       SET outcome = $2, replays = replays + 1, replay_issues = $5, fingerprint = $3, code = $4, issues = $5
     WHERE id = $1
"""

# A patch was rejected: that says nothing new of the original, and its values are none that the supplier sent.
PATCH_REJECTED = """
    UPDATE dead_letters
       SET outcome = $2, replays = replays + 1, replay_issues = $3
     WHERE id = $1
"""

MARK_FAILED = """
    UPDATE dead_letters
       SET outcome = 'failed', replays = replays + 1, replay_issues = NULL
     WHERE id = $1 AND state = 'open'
    RETURNING fingerprint
"""
