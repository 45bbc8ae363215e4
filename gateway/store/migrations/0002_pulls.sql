-- Suppliers that are pulled; feeds that are the whole of a facet, and what they withdraw.

-- withdrawing: every chunk of a full feed took effect, its withdrawals are under way; held: they wait for an operator.
ALTER TABLE feeds
    DROP CONSTRAINT feeds_state_check,
    ADD CONSTRAINT feeds_state_check CHECK (
        state IN ('admitted', 'produced', 'incomplete', 'withdrawing', 'held', 'done', 'cancelled')),
    ADD COLUMN origin    text NOT NULL DEFAULT 'push' CHECK (origin IN ('push', 'sweep', 'reread')),
    ADD COLUMN flaw      text,           -- why a full feed withdraws nothing
    ADD COLUMN withdrawn integer,        -- keys that a full feed withdrew
    ADD COLUMN hold      jsonb;          -- {absent, active, limit, sample: [sku]}: what the brake held, kept when decided
DROP INDEX feeds_unfinished;
CREATE INDEX feeds_unfinished ON feeds (feed_no)
    WHERE state IN ('admitted', 'produced', 'incomplete', 'withdrawing', 'held');

-- A page of a pulled feed has a number of its own, taken before its question left: versions of its items carry it.
ALTER TABLE feed_chunks ADD COLUMN page_no bigint;          -- null: the feed's own number
CREATE INDEX feed_chunks_of_page ON feed_chunks (page_no) WHERE page_no IS NOT NULL;
ALTER TABLE dead_letters ADD COLUMN page_no bigint;

-- Processes that can own suppliers; each owns its share.
CREATE TABLE processes (
    owner       text PRIMARY KEY,
    seen_at     timestamptz NOT NULL
);

-- What the owner of a supplier last said of itself, for operators.
CREATE TABLE sessions (
    supplier    text COLLATE "C" PRIMARY KEY REFERENCES suppliers,
    owner       text NOT NULL,
    seen_at     timestamptz NOT NULL,
    health      jsonb NOT NULL           -- {rate, rate_limit, waiting, breakers: {operation: …}, faults: {task: words}}
);

-- An operator's wish to see the connection tested; the supplier's owner answers it.
CREATE TABLE supplier_checks (
    supplier    text COLLATE "C" PRIMARY KEY REFERENCES suppliers,
    id          uuid NOT NULL,
    asked_at    timestamptz NOT NULL DEFAULT now(),
    steps       jsonb                    -- null: not answered yet; else [{step, ok, detail, milliseconds}]
);

CREATE TABLE supplier_tokens (
    supplier    text COLLATE "C" PRIMARY KEY REFERENCES suppliers,
    ciphertext  bytea NOT NULL,
    expires_at  timestamptz NOT NULL,
    obtained_at timestamptz NOT NULL DEFAULT now()
);

-- One row per supplier and facet that is pulled: when it is due, what runs, how the last run ended.
CREATE TABLE pulls (
    supplier    text COLLATE "C" NOT NULL REFERENCES suppliers,
    facet       text NOT NULL CHECK (facet IN ('product', 'price', 'stock', 'listing')),
    due_at      timestamptz NOT NULL,
    feed_no     bigint,                  -- of the run under way
    cursor      jsonb,                   -- of the list's next page; null: from the start
    listed      boolean NOT NULL DEFAULT false,  -- the list was read to its end
    started_at  timestamptz,             -- of the run under way
    flaw        text,                    -- what it may have missed, and why
    ended_at    timestamptz,             -- of the last run
    outcome     text CHECK (outcome IN ('done', 'failed')),
    reason      text,                    -- why the last run failed
    fresh_at    timestamptz,             -- start of the last run that was done: everything is at least as new
    PRIMARY KEY (supplier, facet)
);

-- What a run has to read: skus in the order of the list, in portions of one question each. A portion that has to be read
-- again becomes other chunks, under other numbers; every number that was ever given out is produced in the end, so that
-- the chunks of the run can be counted.
CREATE TABLE pull_batches (
    feed_no     bigint NOT NULL,
    batch_no    integer NOT NULL,        -- from 0
    skus        text[] NOT NULL,
    chunk_nos   integer[] NOT NULL DEFAULT '{}',
    records     integer,                 -- null: not read yet; else exchanges it became
    PRIMARY KEY (feed_no, batch_no)
);
CREATE INDEX pull_batches_unread ON pull_batches (feed_no, batch_no) WHERE records IS NULL;

-- Messages of pools that were acted upon; one that comes again is only deleted again.
CREATE TABLE pool_messages (
    supplier    text COLLATE "C" NOT NULL,
    pool        text NOT NULL,
    type        text NOT NULL,
    id          text NOT NULL,
    sha256      bytea NOT NULL,          -- of its content: ids are reused
    taken_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (supplier, pool, type, id, sha256)
);
CREATE INDEX pool_messages_taken ON pool_messages (taken_at);

-- What messages ask to be read anew, once per subject. seq moves with every message: a row that moved while its
-- question was under way stays.
CREATE SEQUENCE reread_seq AS bigint;
CREATE TABLE rereads (
    supplier    text COLLATE "C" NOT NULL,
    subject     text NOT NULL CHECK (subject IN ('product', 'price', 'stock', 'listing', 'areas')),
    key         text COLLATE "C" NOT NULL,   -- sku, or parent area
    seq         bigint NOT NULL DEFAULT nextval('reread_seq'),
    asked_at    timestamptz NOT NULL DEFAULT now(),  -- of the oldest message that waits
    PRIMARY KEY (supplier, subject, key)
);
CREATE INDEX rereads_waiting ON rereads (supplier, subject, seq);

-- What is known of a supplier's own areas.
CREATE TABLE supplier_areas (
    supplier    text COLLATE "C" NOT NULL,
    area        text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    parent      text COLLATE "C" NOT NULL,
    level       integer NOT NULL,
    read_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (supplier, area)
);
