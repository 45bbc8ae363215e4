-- What was exchanged about each order, as evidence: the chain of an order at a supplier, and its entries.
CREATE TABLE evidence_chains (
    supplier text COLLATE "C" NOT NULL,
    order_no text COLLATE "C" NOT NULL,
    position integer NOT NULL,              -- of the last entry
    head     bytea NOT NULL,                -- its hash; empty before the first
    PRIMARY KEY (supplier, order_no)
) WITH (fillfactor = 80);
CREATE INDEX evidence_chains_of_order ON evidence_chains (order_no);

CREATE TABLE evidence (
    supplier text COLLATE "C" NOT NULL,
    order_no text COLLATE "C" NOT NULL,
    position integer NOT NULL,              -- from 1, without a gap
    entry    text NOT NULL,                 -- canonical JSON, as it was hashed: it names the hash before, nothing personal
    hash     bytea NOT NULL,
    sealed   bytea,                         -- salt and JSON of what may be personal; the entry holds its digest
    PRIMARY KEY (supplier, order_no, position)
);
