-- Applications for invoices, by the mall's number of each: what was asked for, how far it has come, what was made out.
CREATE TABLE invoices (
    supplier   text COLLATE "C" NOT NULL,
    mark_id    text COLLATE "C" NOT NULL,
    order_no   text COLLATE "C" NOT NULL,
    tenant     text,
    content    bytea NOT NULL,                 -- digest of what was asked for: the same number with another is refused
    asked      jsonb NOT NULL,                 -- its amounts
    state      text NOT NULL DEFAULT 'draft',  -- as `schemas.orders.invoice_states` has it
    invoices   jsonb NOT NULL DEFAULT '[]',    -- as the supplier stated them last, without their addresses
    gross      numeric NOT NULL DEFAULT 0,     -- of those that count
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (supplier, mark_id)
);
CREATE INDEX invoices_of_order ON invoices (order_no);

-- Applications that have to be read at their supplier.
CREATE TABLE invoice_rereads (
    supplier text COLLATE "C" NOT NULL,
    mark_id  text COLLATE "C" NOT NULL,
    due_at   timestamptz NOT NULL DEFAULT now(),
    failures integer NOT NULL DEFAULT 0,
    asked_by jsonb NOT NULL,                   -- the supplier's message
    seq      bigint NOT NULL DEFAULT nextval('order_reread_seq'), -- another one each time it is asked
    PRIMARY KEY (supplier, mark_id)
);
CREATE INDEX invoice_rereads_due ON invoice_rereads (supplier, due_at);
