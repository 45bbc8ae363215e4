-- What operators want of breakers, the last word for each; the supplier's owner sees to it.
CREATE TABLE breaker_orders (
    supplier   text COLLATE "C" NOT NULL REFERENCES suppliers,
    operation  text COLLATE "C" NOT NULL,   -- of its adapter
    open_until timestamptz,                 -- null: it is to be let probe
    given_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor      text NOT NULL,
    reason     text NOT NULL,
    PRIMARY KEY (supplier, operation)
);
