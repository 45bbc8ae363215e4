"""SQL of the outbox. Ids commit out of order, so work is found by its being there, never by a watermark."""

# In the order given: ids order the messages of a key. Writers of one key already wait for each other elsewhere.
ENQUEUE = """
    INSERT INTO outbox (topic, key, value, headers)
    SELECT topic, key, value, headers::jsonb
      FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[])
           WITH ORDINALITY AS message (topic, key, value, headers, position)
     ORDER BY position
"""

# At most $1 rows and, but for the first, about $2 bytes of values: originals of dead letters may be megabytes each.
OLDEST = """
      WITH waiting AS (
           SELECT id, coalesce(octet_length(value), 0) AS size
             FROM outbox
            WHERE refused IS NULL
            ORDER BY id
            LIMIT $1),
           measured AS (
           SELECT id, sum(size) OVER (ORDER BY id) - size AS before
             FROM waiting)
    SELECT id, topic, key, value, headers
      FROM outbox JOIN measured USING (id)
     WHERE before < $2
     ORDER BY id
"""

DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"

REFUSE = "UPDATE outbox SET refused = $2 WHERE id = $1"

COUNTS = """
    SELECT count(*) FILTER (WHERE refused IS NULL) AS pending,
           count(refused) AS refused
      FROM outbox
"""
