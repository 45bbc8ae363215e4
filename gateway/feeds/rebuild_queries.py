"""SQL of rebuilds. Lock order: the lease (key share), keys by (supplier, sku, area), what is asked for, the job's row.

As in `queries`, no statement leaves the planner a choice of join.
"""

from __future__ import annotations

_JOB = """
    id, facet, supplier, state, actor, rate, created_at, finished_at, from_topic, from_archive, withdrawn, asked,
    missing
"""

ADD_JOB = f"""
    INSERT INTO rebuilds (facet, supplier, actor, rate, after) VALUES ($1, $2, $3, $4, ARRAY[$2, '', ''])
    ON CONFLICT DO NOTHING
    RETURNING {_JOB}
"""

RUNNING = f"SELECT {_JOB} FROM rebuilds WHERE facet = $1 AND supplier = $2 AND state = 'running'"

JOB = f"SELECT {_JOB} FROM rebuilds WHERE id = $1"

JOBS = f"SELECT {_JOB} FROM rebuilds WHERE id < $1 ORDER BY id DESC LIMIT $2"

NEXT_JOB = """
    SELECT id, facet, supplier, rate FROM rebuilds WHERE state = 'running' AND id <> ALL($1::bigint[])
     ORDER BY id LIMIT 1
"""

# One that is resumed began when it first did.
BEGIN = "UPDATE rebuilds SET begun_at = COALESCE(begun_at, clock_timestamp()) WHERE id = $1"

AFTER = "SELECT after FROM rebuilds WHERE id = $1"

ADVANCE = "UPDATE rebuilds SET after = $2 WHERE id = $1"

COUNT = """
    UPDATE rebuilds
       SET from_topic = from_topic + $2, from_archive = from_archive + $3, withdrawn = withdrawn + $4,
           asked = asked + $5, missing = missing + $6
     WHERE id = $1
"""

FINISH = "UPDATE rebuilds SET state = 'done', finished_at = now() WHERE id = $1 RETURNING facet, supplier, begun_at"

# What the topic lost before a rebuild of all suppliers began has been published again, or is listed as missing.
MENDED = "UPDATE known_topics SET lost_at = NULL WHERE topic = $1 AND lost_at < $2"

# Only a walk by the primary key stops after a batch. What was never accepted is nothing that a topic could hold.
_STATES = """
    SELECT supplier, sku, area FROM feed_state
     WHERE facet = $1::text::"char" AND (supplier, sku, area) > ($2, $3, $4) AND (hash IS NOT NULL OR withdrawn)
       AND {whose}
     ORDER BY supplier, sku, area LIMIT $6
"""
STATES = _STATES.format(whose="$5 = ''")
STATES_OF_ONE = _STATES.format(whose="supplier = $5")

# An empty hash is that of no content: whatever comes is new, and a full feed that does not name the key withdraws it.
# Every row exists and is locked: the conflict is what this is for.
CLEAR = """
    INSERT INTO feed_state (facet, version, seen, supplier, sku, area)
    SELECT $1::text::"char", 0, 0, k.* FROM unnest($2::text[], $3::text[], $4::text[]) AS k
    ON CONFLICT (facet, supplier, sku, area) DO UPDATE
       SET hash = '', source_version = NULL, published_at = NULL, partition = NULL, "offset" = NULL
"""

NOTE_MISSING = """
    INSERT INTO catalog_missing (facet, supplier, sku, area, asked)
    SELECT $1::text::"char", k.*, $5 FROM unnest($2::text[], $3::text[], $4::text[]) AS k
    ON CONFLICT (facet, supplier, sku, area) DO UPDATE SET asked = EXCLUDED.asked, noted_at = now()
"""

# OFFSET keeps it a look-up for each row.
_STILL_MISSING = """
    EXISTS (SELECT FROM feed_state s
             WHERE s.facet = m.facet AND s.supplier = m.supplier AND s.sku = m.sku AND s.area = m.area AND s.hash = ''
            OFFSET 0)
"""

FORGET_FOUND = f'DELETE FROM catalog_missing m WHERE m.facet = $1::text::"char" AND NOT {_STILL_MISSING}'

MISSING = f"""
    SELECT m.supplier, m.sku, m.area, m.asked, m.noted_at FROM catalog_missing m
     WHERE m.facet = $1::text::"char" AND (m.supplier, m.sku, m.area) > ($2, $3, $4) AND ($5 = '' OR m.supplier = $5)
       AND {_STILL_MISSING}
     ORDER BY m.supplier, m.sku, m.area LIMIT $6
"""
