-- Commands that were handed to a vendor who fetches them, until his answer, or their end without one, was told.
CREATE TABLE commands_unanswered (
    command_id      text COLLATE "C" PRIMARY KEY REFERENCES commands ON DELETE CASCADE,
    supplier        text COLLATE "C" NOT NULL,
    order_no        text COLLATE "C" NOT NULL,
    delivered_at    timestamptz NOT NULL DEFAULT now(),
    acknowledged_at timestamptz              -- null: he has not said yet that he has it
);
CREATE INDEX commands_unanswered_of_order ON commands_unanswered (supplier, order_no);

-- What vendors said of orders, by their keys: the same again is answered as it was the first time.
CREATE TABLE order_event_keys (
    supplier   text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    content    bytea NOT NULL,               -- SHA-256 of the order's number and of what was said
    answer     jsonb,                        -- null: it came too late
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (supplier, key)
);
CREATE INDEX order_event_keys_expiry ON order_event_keys (expires_at);
