-- Numbers of feeds that Kafka knows and this database never gave out: it was put back to an older copy. What the catalog
-- topics hold under them is believed; whatever else is newer than the tables was never committed.
CREATE TABLE lost_numbers (
    first       bigint NOT NULL,
    last        bigint NOT NULL,
    found_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (first, last),
    CHECK (first <= last)
);
