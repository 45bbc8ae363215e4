-- What a full feed leaves behind, which keys a rejected record keeps, and versions that had to be raised.

-- The last full feed that was whole: what is older, and unknown or withdrawn by then, stays off sale.
CREATE TABLE horizons (
    supplier    text COLLATE "C" NOT NULL,
    facet       text NOT NULL CHECK (facet IN ('product', 'price', 'stock', 'listing')),
    feed_no     bigint NOT NULL,
    PRIMARY KEY (supplier, facet)
);

-- Skus that rejected records named, whether any key of theirs is known or not: full feeds up to that one keep them.
CREATE TABLE sku_marks (
    facet       "char" NOT NULL,         -- as in feed_state
    supplier    text COLLATE "C" NOT NULL,
    sku         text COLLATE "C" NOT NULL,
    seen        bigint NOT NULL,         -- highest feed_no that named the sku in a record that was rejected
    PRIMARY KEY (facet, supplier, sku)
);

-- The version that a key's state has by its feed and record. null: it is `version`, which is higher where the state had
-- to be published above another one that came under a higher number.
ALTER TABLE feed_state ADD COLUMN own_version bigint;
