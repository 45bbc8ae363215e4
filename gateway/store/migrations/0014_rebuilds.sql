-- Topics that the gateway reads back, as it last knew them: one that was made anew has another id under its name.
CREATE TABLE known_topics (
    topic       text COLLATE "C" PRIMARY KEY,
    id          uuid,         -- null: this Kafka tells none
    forget_from bigint[],     -- places from there on, by partition, are to be taken out of feed_state; '{}': all of them
    lost_at     timestamptz   -- records were lost then, and the catalog was not rebuilt since
);

-- A facet published anew, for one supplier or all (''), key after key: the cursor is the last key that is done.
CREATE TABLE rebuilds (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facet       text NOT NULL CHECK (facet IN ('product', 'price', 'stock', 'listing')),
    supplier    text COLLATE "C" NOT NULL,
    state       text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done')),
    actor       text NOT NULL,
    rate        double precision NOT NULL,     -- keys per second at most
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    begun_at    timestamptz,                   -- before its first key: what the topic lost until then is brought back
    finished_at timestamptz,
    after       text[] COLLATE "C" NOT NULL,   -- supplier, sku, area
    from_topic  bigint NOT NULL DEFAULT 0,     -- keys by where their content was found
    from_archive bigint NOT NULL DEFAULT 0,
    withdrawn   bigint NOT NULL DEFAULT 0,
    asked       bigint NOT NULL DEFAULT 0,     -- found nowhere; their suppliers are asked for them
    missing     bigint NOT NULL DEFAULT 0      -- found nowhere; their suppliers have to push them
);
CREATE UNIQUE INDEX rebuilds_running ON rebuilds (facet, supplier) WHERE state = 'running';

-- Keys of which a rebuild found the content nowhere. One whose feed_state.hash is no longer empty has come back since.
CREATE TABLE catalog_missing (
    facet    "char" NOT NULL,
    supplier text COLLATE "C" NOT NULL,
    sku      text COLLATE "C" NOT NULL,
    area     text COLLATE "C" NOT NULL,
    asked    boolean NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (facet, supplier, sku, area)
);
