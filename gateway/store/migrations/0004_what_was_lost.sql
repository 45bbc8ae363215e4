-- Numbers of feeds that Kafka knows and this database never gave out: it was put back to an older copy. What the catalog
-- topics hold under them is believed; whatever else is newer than the tables was never committed.
CREATE TABLE lost_numbers (
    first       bigint NOT NULL,
    last        bigint NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (first, last),
    CHECK (first <= last)
);

-- unread: nobody could read the chunk, or it was never there to be read; it counts as taken, so that its feed ends, until
-- it comes again and can be read.
ALTER TABLE feed_chunks
    ADD COLUMN unread boolean NOT NULL DEFAULT false,
    ALTER COLUMN topic DROP NOT NULL,       -- null: it never came
    ALTER COLUMN partition DROP NOT NULL,
    ALTER COLUMN "offset" DROP NOT NULL;
