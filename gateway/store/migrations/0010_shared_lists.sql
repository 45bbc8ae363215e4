-- One list of a supplier's skus serves the sweeps of all its facets.

-- The newest list of each supplier, under way or ended; a newer one takes its place.
CREATE TABLE listings (
    supplier    text COLLATE "C" PRIMARY KEY,
    listing_no  bigint NOT NULL UNIQUE,  -- a feed number, taken before the first page was asked for
    revision    integer NOT NULL,        -- of the supplier's row
    started_at  timestamptz NOT NULL DEFAULT now(),
    numbers     jsonb NOT NULL,          -- {facet: feed number lower than listing_no}: of sweeps that begin later
    cursor      jsonb,                   -- of the next page; null: from the start
    pages       integer NOT NULL DEFAULT 0,
    skus        integer NOT NULL DEFAULT 0,
    flaw        text,                    -- what it may have missed, and why
    ended_at    timestamptz,
    failure     text                     -- why it did not come to its end
);

CREATE TABLE listing_skus (
    listing_no  bigint NOT NULL,
    sku         text COLLATE "C" NOT NULL,
    place       bigint GENERATED ALWAYS AS IDENTITY,  -- in the order in which they came
    PRIMARY KEY (listing_no, sku)
);

-- A run that has not got its skus reads a list of its own no more.
DELETE FROM pull_batches b USING pulls p WHERE b.feed_no = p.feed_no AND NOT p.listed;
ALTER TABLE pulls
    ADD COLUMN wished_at  timestamptz,   -- an operator wants what is so by then; null: nobody does
    ADD COLUMN listing_no bigint;        -- of the list that the run has its skus from; null: none yet
UPDATE pulls SET listing_no = feed_no WHERE listed;
ALTER TABLE pulls DROP COLUMN listed, DROP COLUMN cursor;
