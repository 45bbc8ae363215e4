-- Chunks whose catalog topic took no records when they were read: their partition went on, and they are read again from
-- the feeds topic once it does. One row per record of a feeds topic; the row goes in the transaction that takes it.
CREATE TABLE deferred_chunks (
    topic         text NOT NULL,         -- where the chunk lies
    partition     integer NOT NULL,
    "offset"      bigint NOT NULL,
    catalog_topic text NOT NULL,         -- which it waits for
    feed_no       bigint NOT NULL,
    chunk_no      integer NOT NULL,
    page_no       bigint,                -- as in feed_chunks
    first_record  integer NOT NULL,
    records       integer NOT NULL,
    since         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition, "offset")
);
CREATE INDEX deferred_chunks_of_feed ON deferred_chunks (feed_no, chunk_no);
CREATE INDEX deferred_chunks_of_number ON deferred_chunks ((coalesce(page_no, feed_no)));
