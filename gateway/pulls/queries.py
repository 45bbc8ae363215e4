"""SQL of pulls. Lock order: the lease (key share), then pulls, pull_batches by number, rereads by key, feeds.

Every statement by which an owner writes runs in a transaction that holds its lease: one that was frozen writes nothing.
"""

from __future__ import annotations

# Sweeps

ENSURE_PULL = """
    INSERT INTO pulls (supplier, facet, due_at) VALUES ($1, $2, now()) ON CONFLICT DO NOTHING
"""

PULLS = """
    SELECT p.facet, p.due_at <= now() AS due, p.feed_no, p.listing_no, p.started_at, f.revision,
           p.started_at < now() - make_interval(secs => $2) AS too_old
      FROM pulls p LEFT JOIN feeds f USING (feed_no)
     WHERE p.supplier = $1
"""

WISHED_AT = "SELECT wished_at FROM pulls WHERE supplier = $1 AND facet = $2 FOR UPDATE"

# A wish that comes while the run is under way is about what is so by then: it is due again when the run has ended.
BEGIN_PULL = """
    UPDATE pulls
       SET feed_no = $3, listing_no = NULL, flaw = NULL, started_at = $4, due_at = 'infinity', wished_at = NULL
     WHERE supplier = $1 AND facet = $2
"""

NOTE_FLAW = "UPDATE pulls SET flaw = coalesce(flaw, $3) WHERE supplier = $1 AND facet = $2"

FLAW = "SELECT flaw FROM pulls WHERE supplier = $1 AND facet = $2 FOR UPDATE"

END_PULL = """
    UPDATE pulls
       SET feed_no = NULL, listing_no = NULL, ended_at = now(), outcome = $3, reason = $4,
           due_at = least(due_at, $5),
           fresh_at = CASE WHEN $3 = 'done' THEN started_at ELSE fresh_at END
     WHERE supplier = $1 AND facet = $2
"""

PULL_NOW = """
    UPDATE pulls SET due_at = now(), wished_at = now()
     WHERE supplier = $1 AND ($2::text[] IS NULL OR facet = ANY($2))
    RETURNING facet
"""

# One that was asked about already is not added to.
LAST_BATCH = """
    SELECT batch_no, skus, records IS NULL AND cardinality(chunk_nos) = 0 AS open
      FROM pull_batches WHERE feed_no = $1 ORDER BY batch_no DESC LIMIT 1 FOR UPDATE
"""

ADD_BATCH = """
    INSERT INTO pull_batches (feed_no, batch_no, skus) VALUES ($1, $2, $3)
        ON CONFLICT (feed_no, batch_no) DO UPDATE SET skus = EXCLUDED.skus
"""

ABSENT = """
    SELECT sku FROM feed_state WHERE facet = $1::text::"char" AND supplier = $2 AND sku > $4 AND hash IS NOT NULL
    EXCEPT
    SELECT unnest(skus) FROM pull_batches WHERE feed_no = $3
    ORDER BY sku LIMIT $5
"""

UNREAD = """
    SELECT batch_no, skus FROM pull_batches WHERE feed_no = $1 AND records IS NULL AND batch_no > $2
     ORDER BY batch_no LIMIT 200
"""

GIVE_NUMBERS = """
    UPDATE pull_batches
       SET chunk_nos = chunk_nos || ARRAY(
           SELECT generate_series($3::integer, $3::integer + $4::integer - 1) + cardinality(chunk_nos)
           )
     WHERE feed_no = $1 AND batch_no = $2
    RETURNING chunk_nos
"""

READ_BATCH = "UPDATE pull_batches SET records = $3 WHERE feed_no = $1 AND batch_no = $2"

TOTALS = """
    SELECT coalesce(sum(cardinality(chunk_nos)), 0)::integer AS chunks, coalesce(sum(records), 0)::integer AS records,
           count(*) AS batches, count(records) AS read
      FROM pull_batches WHERE feed_no = $1
"""

FORGET_BATCHES = "DELETE FROM pull_batches WHERE feed_no = $1"

# Pools

TAKE_MESSAGES = """
    INSERT INTO pool_messages (supplier, pool, type, id, sha256)
    SELECT $1, $2, m.* FROM unnest($3::text[], $4::text[], $5::bytea[]) AS m (type, id, sha256)
    ON CONFLICT DO NOTHING
    RETURNING type, id, sha256
"""

WAITING_MESSAGES = """
    SELECT m.type, m.id, m.sha256
      FROM pool_messages m
      JOIN unnest($3::text[], $4::text[], $5::bytea[]) AS k (type, id, sha256) USING (type, id, sha256)
     WHERE m.supplier = $1 AND m.pool = $2 AND m.waits
"""

# One that waits is not forgotten while it keeps coming: it would be a new one, with another dead letter.
MARK_WAITING = """
    UPDATE pool_messages m SET waits = k.waits, taken_at = now()
      FROM unnest($3::text[], $4::text[], $5::bytea[], $6::boolean[]) AS k (type, id, sha256, waits)
     WHERE m.supplier = $1 AND m.pool = $2 AND (m.type, m.id, m.sha256) = (k.type, k.id, k.sha256)
       AND (m.waits IS DISTINCT FROM k.waits OR m.taken_at < now() - interval '1 day')
"""

DECIDED_LETTERS = """
    SELECT id FROM dead_letters WHERE id = ANY($1) AND (state = 'discarded' OR outcome = 'requeued')
"""

FORGET_MESSAGES = "DELETE FROM pool_messages WHERE supplier = $1 AND taken_at < now() - interval '30 days'"

# What a message asks joins what waits already, but a question under way has been asked too early: its row moves on.
ASK_REREADS = """
    INSERT INTO rereads (supplier, subject, key)
    SELECT $1, r.* FROM unnest($2::text[], $3::text[]) AS r (subject, key)
    ON CONFLICT (supplier, subject, key) DO UPDATE SET seq = nextval('reread_seq')
"""

WAITING_REREADS = """
    SELECT key, seq FROM rereads WHERE supplier = $1 AND subject = $2 AND NOT key = ANY($4::text[])
     ORDER BY seq LIMIT $3
"""

REREAD = """
    DELETE FROM rereads r USING unnest($3::text[], $4::bigint[]) AS done (key, seq)
     WHERE r.supplier = $1 AND r.subject = $2 AND r.key = done.key AND r.seq = done.seq
"""

# The latest message that asked is the one that is told; who reads the order tells by `seq` that it was asked again.
ASK_ORDERS = """
    INSERT INTO order_rereads AS r (supplier, supplier_order_no, asked_by)
    SELECT $1, asked.number, asked.message::jsonb FROM unnest($2::text[], $3::text[]) AS asked (number, message)
        ON CONFLICT (supplier, supplier_order_no) DO UPDATE
       SET asked_by = EXCLUDED.asked_by, due_at = least(r.due_at, now()), failures = 0,
           seq = nextval('order_reread_seq')
"""

# The same of applications for invoices, by the mall's number of each.
ASK_INVOICES = """
    INSERT INTO invoice_rereads AS r (supplier, mark_id, asked_by)
    SELECT $1, asked.mark_id, asked.message::jsonb FROM unnest($2::text[], $3::text[]) AS asked (mark_id, message)
        ON CONFLICT (supplier, mark_id) DO UPDATE
       SET asked_by = EXCLUDED.asked_by, due_at = least(r.due_at, now()), failures = 0,
           seq = nextval('order_reread_seq')
"""

ORDERS_OF_INVOICES = "SELECT mark_id, order_no FROM invoices WHERE supplier = $1 AND mark_id = ANY($2::text[])"

FORGET_AREAS = "DELETE FROM supplier_areas WHERE supplier = $1 AND parent = $2"

KEEP_AREAS = """
    INSERT INTO supplier_areas (supplier, area, name, parent, level)
    SELECT $1, a.* FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[]) AS a
    ON CONFLICT (supplier, area) DO UPDATE
       SET name = EXCLUDED.name, parent = EXCLUDED.parent, level = EXCLUDED.level, read_at = now()
"""
