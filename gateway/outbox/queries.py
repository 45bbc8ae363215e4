"""SQL of the outbox. Ids commit out of order, so work is found by its being there, never by a watermark."""

# In the order given: ids order the messages of a key. Writers of one key already wait for each other elsewhere.
ENQUEUE = """
    INSERT INTO outbox (topic, key, value, headers)
    SELECT topic, key, value, headers::jsonb
      FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[])
           WITH ORDINALITY AS message (topic, key, value, headers, position)
     ORDER BY position
"""

CHANNEL = "outbox"
"""Told by a trigger when rows are written, or a refusal is taken back."""

# One look into the index per topic, however many rows wait.
TOPICS = """
    WITH RECURSIVE waiting AS (
         (SELECT topic FROM outbox WHERE refused IS NULL ORDER BY topic LIMIT 1)
         UNION ALL
         SELECT (SELECT o.topic FROM outbox o WHERE o.refused IS NULL AND o.topic > waiting.topic
                  ORDER BY o.topic LIMIT 1)
           FROM waiting WHERE waiting.topic IS NOT NULL)
    SELECT topic FROM waiting WHERE topic IS NOT NULL
"""

# At most $2 rows and, but for the first, about $3 bytes of values: originals of dead letters may be megabytes each.
# A refused row stops the later ones of its key, for they are in order.
OLDEST = """
      WITH waiting AS (
           SELECT id, coalesce(octet_length(value), 0) AS size
             FROM outbox o
            WHERE topic = $1 AND refused IS NULL
              AND NOT EXISTS (SELECT FROM outbox r
                               WHERE r.refused IS NOT NULL AND r.key = o.key AND r.topic = o.topic AND r.id < o.id)
            ORDER BY id
            LIMIT $2),
           measured AS (
           SELECT id, sum(size) OVER (ORDER BY id) - size AS before
             FROM waiting)
    SELECT id, topic, key, value, headers
      FROM outbox JOIN measured USING (id)
     WHERE before < $3
     ORDER BY id
"""

DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"

REFUSE = "UPDATE outbox SET refused = $2 WHERE id = $1"

COUNTS = """
    SELECT topic, count(*) FILTER (WHERE refused IS NULL) AS pending, count(refused) AS refused,
           coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE refused IS NULL)), 0)::float8 AS seconds
      FROM outbox
     GROUP BY topic
"""
