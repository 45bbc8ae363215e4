-- How the webhooks of vendors fare. A row is of one URL: another one begins anew.
CREATE TABLE webhook_endpoints (
    supplier       text COLLATE "C" PRIMARY KEY REFERENCES suppliers,
    url            text NOT NULL,
    failing_since  timestamptz,             -- null: the last request went well
    resting_until  timestamptz,             -- it asked for a rest
    succeeded_at   timestamptz,
    failed_at      timestamptz,
    failure        text NOT NULL DEFAULT '', -- how the last one failed that did
    disabled_at    timestamptz,
    disabled_for   text NOT NULL DEFAULT ''  -- gone, or failing
);

-- Messages that were sent to a webhook in vain, and those that are to be sent once more though they are acknowledged.
CREATE TABLE webhook_deliveries (
    command_id text COLLATE "C" PRIMARY KEY REFERENCES commands ON DELETE CASCADE,
    supplier   text COLLATE "C" NOT NULL,
    order_no   text COLLATE "C" NOT NULL,
    place      bigint NOT NULL,
    replay     boolean NOT NULL,
    failures   integer NOT NULL DEFAULT 0,
    due_at     timestamptz,                 -- null: the schedule is through, nothing is sent any more
    failure    text NOT NULL DEFAULT ''
);
CREATE INDEX webhook_deliveries_of_order ON webhook_deliveries (supplier, order_no, place);
