"""SQL of sessions. Lock order: the lease, key share where an owner writes, then the one row that is written.

Every statement by which an owner writes runs in a transaction that holds its lease: one that was frozen writes nothing.
"""

from __future__ import annotations

SEEN = """
    INSERT INTO processes (owner, seen_at) VALUES ($1, now())
        ON CONFLICT (owner) DO UPDATE SET seen_at = now()
"""

LIVE = "SELECT count(*) FROM processes WHERE seen_at > now() - make_interval(secs => $1)"

GONE = "DELETE FROM processes WHERE seen_at < now() - interval '1 day'"

LEFT = "DELETE FROM processes WHERE owner = $1"

STORE_HEALTH = """
    INSERT INTO sessions (supplier, owner, seen_at, health) VALUES ($1, $2, now(), $3)
        ON CONFLICT (supplier) DO UPDATE SET owner = EXCLUDED.owner, seen_at = now(), health = EXCLUDED.health
"""

SECRETS = "SELECT name, ciphertext FROM supplier_secrets WHERE supplier = $1"

STAMP_OF_SECRETS = "SELECT (count(*), max(created_at))::text FROM supplier_secrets WHERE supplier = $1"

# What decides which questions are asked and how their answers are read; a name, a limit or a schedule does not.
SAME_SINCE = """
    WITH asked AS (
         SELECT revision, config -> 'adapter' AS adapter, config -> 'options' AS options,
                config -> 'category_map' AS category_map, config -> 'price_mismatch' AS price_mismatch,
                config #> '{http,base_url}' AS base_url
           FROM supplier_revisions WHERE supplier = $1 AND revision <= $2)
    SELECT coalesce(max(a.revision), 0) + 1
      FROM asked a, asked today
     WHERE today.revision = $2
       AND (a.adapter, a.options, a.category_map, a.price_mismatch, a.base_url)
           IS DISTINCT FROM
           (today.adapter, today.options, today.category_map, today.price_mismatch, today.base_url)
"""

# One that lets a breaker probe is of no use to an owner that comes later: its breakers are shut.
BREAKER_ORDERS = """
    SELECT operation, extract(epoch FROM open_until - now())::float8 AS seconds, actor, reason, given_at
      FROM breaker_orders
     WHERE supplier = $1 AND coalesce(open_until > now(), given_at > now() - interval '2 minutes')
"""

# What operators ask

ORDER_BREAKERS = """
    INSERT INTO breaker_orders (supplier, operation, open_until, actor, reason)
    SELECT $1, operation, now() + $3::interval, $4, $5 FROM unnest($2::text[]) AS ordered (operation) ORDER BY operation
        ON CONFLICT (supplier, operation) DO UPDATE
       SET open_until = EXCLUDED.open_until, given_at = EXCLUDED.given_at, actor = EXCLUDED.actor,
           reason = EXCLUDED.reason
"""

STATUS = """
    SELECT s.supplier, s.state, s.config ->> 'adapter' AS adapter, n.owner, n.seen_at, n.health,
           (l.until > now()) IS TRUE AS owned
      FROM suppliers s
      LEFT JOIN sessions n USING (supplier)
      LEFT JOIN leases l ON l.name = 'session ' || s.supplier
     ORDER BY s.supplier
"""

STATUS_PULLS = """
    SELECT p.supplier, p.facet, p.due_at, p.feed_no, p.listing_no IS NOT NULL AS listed, p.started_at, p.ended_at,
           p.outcome, p.reason, p.fresh_at, b.batches, b.read, coalesce(l.skus, 0) AS skus
      FROM pulls p
      LEFT JOIN listings l ON l.supplier = p.supplier AND l.listing_no > p.feed_no
      LEFT JOIN LATERAL (
           SELECT count(*) AS batches, count(records) AS read FROM pull_batches WHERE feed_no = p.feed_no
           ) b ON p.feed_no IS NOT NULL
     ORDER BY p.supplier, p.facet
"""

STATUS_REREADS = """
    SELECT supplier, subject, count(*) AS waiting, min(asked_at) AS oldest FROM rereads GROUP BY 1, 2
"""

ASK_CHECK = """
    INSERT INTO supplier_checks (supplier, id) VALUES ($1, $2)
        ON CONFLICT (supplier) DO UPDATE SET id = EXCLUDED.id, asked_at = now(), steps = NULL
"""

ASKED_CHECK = """
    SELECT id FROM supplier_checks
     WHERE supplier = $1 AND steps IS NULL AND asked_at > now() - interval '2 minutes'
"""

ANSWER_CHECK = "UPDATE supplier_checks SET steps = $3 WHERE supplier = $1 AND id = $2"

CHECKED = "SELECT steps FROM supplier_checks WHERE supplier = $1 AND id = $2"
