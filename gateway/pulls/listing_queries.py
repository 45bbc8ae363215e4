"""SQL of lists. Lock order: the lease (key share), then pulls, pull_batches by number, listings, listing_skus."""

from __future__ import annotations

_COLUMNS = "listing_no, revision, started_at, numbers, cursor, pages, skus, ended_at IS NOT NULL AS ended, failure"

NEWEST = f"SELECT {_COLUMNS} FROM listings WHERE supplier = $1"

# Of a database that was put back, numbers that a list keeps may have been used by sweeps that it knows nothing of.
NEWEST_THAT_KEEPS_NUMBERS = f"""
    SELECT {_COLUMNS}, now() AS now
      FROM listings l
     WHERE supplier = $1 AND NOT EXISTS (SELECT FROM lost_numbers WHERE found_at > l.started_at)
       FOR UPDATE OF l
"""

FORGET_SKUS = """
    DELETE FROM listing_skus s USING listings l WHERE l.supplier = $1 AND s.listing_no = l.listing_no
"""

BEGIN = f"""
    INSERT INTO listings (supplier, listing_no, revision, numbers) VALUES ($1, $2, $3, $4)
        ON CONFLICT (supplier) DO UPDATE
       SET listing_no = EXCLUDED.listing_no, revision = EXCLUDED.revision, numbers = EXCLUDED.numbers,
           started_at = now(), cursor = NULL, pages = 0, skus = 0, flaw = NULL, ended_at = NULL, failure = NULL
    RETURNING {_COLUMNS}
"""

ADD_SKUS = """
    WITH added AS (
         INSERT INTO listing_skus (listing_no, sku)
         SELECT $1::bigint, sku FROM unnest($2::text[]) WITH ORDINALITY AS s (sku, place) ORDER BY place
             ON CONFLICT DO NOTHING
         RETURNING true)
    SELECT count(*) FROM added
"""

ADD_PAGE = f"""
    UPDATE listings
       SET cursor = $2, pages = pages + 1, skus = skus + $3, flaw = coalesce(flaw, $4),
           ended_at = CASE WHEN $5 THEN now() END
     WHERE listing_no = $1
    RETURNING {_COLUMNS}
"""

FAIL = "UPDATE listings SET ended_at = now(), failure = $2 WHERE listing_no = $1"

USE_NUMBER = "UPDATE listings SET numbers = numbers - $2::text WHERE listing_no = $1"

# What a sweep takes of a list

TAKE = """
    UPDATE pulls p SET listing_no = l.listing_no, flaw = coalesce(p.flaw, l.flaw)
      FROM listings l
     WHERE p.supplier = $1 AND p.facet = $2 AND l.listing_no = $3
"""

TAKE_SKUS = """
    INSERT INTO pull_batches (feed_no, batch_no, skus)
    SELECT $1::bigint, (nth - 1) / $3::integer, array_agg(sku ORDER BY nth)
      FROM (SELECT sku, row_number() OVER (ORDER BY place) AS nth FROM listing_skus WHERE listing_no = $2) listed
     GROUP BY 2
"""

TAKEN = "SELECT listing_no FROM pulls WHERE supplier = $1 AND facet = $2"

NOTE_FLAW = """
    UPDATE pulls p SET flaw = coalesce(p.flaw, l.flaw)
      FROM listings l
     WHERE p.supplier = $1 AND p.facet = $2 AND l.listing_no = $3
"""

TAKE_OTHER_SKUS = """
    INSERT INTO pull_batches (feed_no, batch_no, skus)
    SELECT $1::bigint,
           (SELECT coalesce(max(batch_no) + 1, 0) FROM pull_batches WHERE feed_no = $1) + (nth - 1) / $3::integer,
           array_agg(sku ORDER BY nth)
      FROM (SELECT sku, row_number() OVER (ORDER BY sku) AS nth
              FROM (SELECT sku FROM listing_skus WHERE listing_no = $2
                    EXCEPT
                    SELECT unnest(skus) FROM pull_batches WHERE feed_no = $1) other) listed
     GROUP BY 2
"""
