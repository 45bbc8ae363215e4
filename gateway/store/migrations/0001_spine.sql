-- The state of feeds, keys, dead letters and suppliers. Text keys compare by bytes (collation "C").

-- Suppliers: rows of data, every revision kept, secrets encrypted by the gateway.
CREATE TABLE suppliers (
    supplier    text COLLATE "C" PRIMARY KEY,
    revision    integer NOT NULL,
    state       text NOT NULL CHECK (state IN ('active', 'paused')),
    config      jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE supplier_revisions (
    supplier    text COLLATE "C" NOT NULL REFERENCES suppliers,
    revision    integer NOT NULL,
    config      jsonb NOT NULL,
    actor       text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (supplier, revision)
);

CREATE TABLE supplier_secrets (
    supplier    text COLLATE "C" NOT NULL REFERENCES suppliers,
    name        text NOT NULL,
    ciphertext  bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (supplier, name)
);

CREATE TABLE api_keys (
    key_id       text PRIMARY KEY,
    supplier     text COLLATE "C" NOT NULL REFERENCES suppliers,
    kind         text NOT NULL CHECK (kind IN ('bearer', 'webhook')),
    secret_hash  bytea,                 -- bearer: SHA-256 of the secret
    ciphertext   bytea,                 -- webhook: the secret itself, encrypted
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    CHECK ((kind = 'bearer') = (secret_hash IS NOT NULL)),
    CHECK ((kind = 'webhook') = (ciphertext IS NOT NULL))
);
CREATE INDEX api_keys_of_supplier ON api_keys (supplier);

CREATE TABLE audit (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    actor       text NOT NULL,
    action      text NOT NULL,          -- noun.verb, e.g. supplier.pause
    object      text NOT NULL,
    reason      text,
    detail      jsonb NOT NULL DEFAULT '{}'
);

-- Feeds. feed_no orders what suppliers say: it is taken before the body is read.
CREATE SEQUENCE feed_no AS bigint MINVALUE 1 MAXVALUE 549755813887;  -- 39 bits: feed_no * 2^24 + index stays an int64

CREATE TABLE feeds (
    feed_no      bigint PRIMARY KEY,
    supplier     text COLLATE "C" NOT NULL,
    facet        text NOT NULL CHECK (facet IN ('product', 'price', 'stock', 'listing')),
    mode         text NOT NULL CHECK (mode IN ('upsert', 'full', 'validate')),
    state        text NOT NULL CHECK (state IN ('admitted', 'produced', 'incomplete', 'done', 'cancelled')),
    revision     integer NOT NULL,       -- of the supplier's settings the feed is judged by
    lane         text NOT NULL CHECK (lane IN ('express', 'bulk')),
    chunks       integer,                -- null: not known (a feed recreated from its chunks)
    records      integer,
    bytes        bigint,                 -- decoded
    body_sha256  bytea,
    received_at  timestamptz NOT NULL,
    touched_at   timestamptz NOT NULL DEFAULT now(),  -- last sign of life of the admitting request
    produced_at  timestamptz,
    finished_at  timestamptz,
    cancel_requested_at timestamptz,
    counts       jsonb                   -- outcome -> items, written when finished
);
CREATE INDEX feeds_of_supplier ON feeds (supplier, feed_no DESC);
CREATE INDEX feeds_unfinished ON feeds (feed_no) WHERE state IN ('admitted', 'produced', 'incomplete');

CREATE TABLE idempotency_keys (
    supplier    text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    facet       text NOT NULL,
    mode        text NOT NULL,
    body_sha256 bytea NOT NULL,
    feed_no     bigint NOT NULL REFERENCES feeds,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (supplier, key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- One row per chunk that took effect; outcomes holds one byte per item in record order (see feeds/outcomes).
CREATE TABLE feed_chunks (
    feed_no      bigint NOT NULL,
    chunk_no     integer NOT NULL,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    "offset"     bigint NOT NULL,
    first_record integer NOT NULL,
    records      integer NOT NULL,
    outcomes     bytea NOT NULL,
    problems     jsonb NOT NULL,         -- rows of the feed's report, in record order
    decided_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (feed_no, chunk_no)
);

-- Where each reader of a Kafka partition goes on; stronger than the offset committed to Kafka.
CREATE TABLE source_offsets (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next        bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

CREATE TABLE kafka_cluster (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    cluster_id  text NOT NULL
);

-- The truth of every key: what was last accepted, and where it stands on the catalog topic.
CREATE TABLE feed_state (
    facet          "char" NOT NULL,      -- p(roduct), $ (price), s(tock), l(isting)
    supplier       text COLLATE "C" NOT NULL,
    sku            text COLLATE "C" NOT NULL,
    area           text COLLATE "C" NOT NULL,   -- '' for product and listing
    version        bigint NOT NULL,      -- 0: nothing accepted yet
    source_version bigint,
    hash           bytea,                -- of the facts; null: nothing accepted, or withdrawn
    seen           bigint NOT NULL,      -- highest feed_no that named the key, whatever the outcome
    seen_outcome   "char",
    partition      integer,
    "offset"       bigint,
    published_at   timestamptz,          -- observed_at of the published record
    withdrawn      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (facet, supplier, sku, area)
) WITH (fillfactor = 80);

-- What no automatic step can finish. A group says what like dead letters have in common, and holds no counter: chunks
-- that reject at the same time would wait for each other at it.
CREATE TABLE dead_letter_groups (
    fingerprint text PRIMARY KEY,
    stage       text NOT NULL,
    code        text NOT NULL,
    path        text NOT NULL,           -- indexes as *
    message     text NOT NULL,           -- without numbers, identifiers and quotations
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'resolved')),
    state_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE dead_letters (
    id           uuid PRIMARY KEY,       -- UUIDv5 of stage and source, so that a repeat is the same letter
    fingerprint  text NOT NULL REFERENCES dead_letter_groups,
    supplier     text COLLATE "C",
    facet        text,
    stage        text NOT NULL,
    code         text NOT NULL,          -- of the first issue
    issues       jsonb NOT NULL,         -- [{code, path, actual, expected}]
    sku          text,
    feed_no      bigint,
    record_index integer,
    line         integer,                -- line or ordinal in the vendor's file, from 1
    revision     integer,
    received_at  timestamptz,
    topic        text,
    partition    integer,
    "offset"     bigint,
    key          bytea,
    headers      jsonb,                  -- of the record as it was read, [[name, base64]]; null: the letter stands for itself
    original     bytea NOT NULL,
    patched      bytea,                  -- what an operator made of it, once that was taken
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'discarded')),
    outcome      text,                   -- what the last replay came to
    replays      integer NOT NULL DEFAULT 0,
    reason       text,                   -- why it was discarded
    created_at   timestamptz NOT NULL DEFAULT now(),
    state_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letters_newest ON dead_letters (created_at DESC, id DESC);
CREATE INDEX dead_letters_of_group ON dead_letters (fingerprint, created_at DESC, id DESC);
CREATE INDEX dead_letters_of_supplier ON dead_letters (supplier, created_at DESC, id DESC);
CREATE INDEX dead_letters_of_sku ON dead_letters (supplier, facet, sku, created_at DESC);
CREATE INDEX dead_letters_of_feed ON dead_letters (feed_no);

CREATE TABLE replay_jobs (
    id          uuid PRIMARY KEY,
    state       text NOT NULL CHECK (state IN ('planning', 'planned', 'running', 'done', 'cancelled')),
    actor       text NOT NULL,
    reason      text NOT NULL,
    selection   jsonb NOT NULL,          -- what was asked for; the items are what it meant then
    rate        real NOT NULL CHECK (rate > 0),  -- letters per second
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX replay_jobs_unfinished ON replay_jobs (created_at) WHERE state IN ('planning', 'running');
CREATE INDEX replay_jobs_newest ON replay_jobs (created_at DESC, id DESC);

CREATE TABLE replay_items (
    job         uuid NOT NULL REFERENCES replay_jobs,
    position    integer NOT NULL,        -- oldest letter first, from 1
    letter      uuid NOT NULL REFERENCES dead_letters,
    predicted   text,                    -- by the dry run
    outcome     text,                    -- null: not replayed yet
    detail      text,
    at          timestamptz,
    PRIMARY KEY (job, position),
    UNIQUE (job, letter)
);

-- Decided outcomes on their way to Kafka, published by the holder of lease `outbox`, deleted once Kafka has them.
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text NOT NULL,           -- without the prefix
    key         bytea,
    value       bytea,
    headers     jsonb NOT NULL,          -- name -> text
    refused     text,                    -- why Kafka will never take it; such a row waits for a person
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- One owner at a time, by PostgreSQL's clock; every write of an owner carries its epoch.
CREATE TABLE leases (
    name        text PRIMARY KEY,
    owner       text NOT NULL,
    epoch       bigint NOT NULL,
    until       timestamptz NOT NULL
);
