-- What the gateway has heard of each order at its supplier; the mall core owns the life of an order.
CREATE TABLE orders (
    supplier          text COLLATE "C" NOT NULL,
    order_no          text COLLATE "C" NOT NULL,
    tenant            text,
    state             text NOT NULL,           -- as `schemas.orders.states` has it
    before            text,                    -- while confirming or cancelling: the state that a failure leads back to
    supplier_order_no text COLLATE "C",        -- the supplier's number of the whole order, once it is known
    price_basis       text NOT NULL DEFAULT 'gross',
    created_at        timestamptz NOT NULL DEFAULT now(),
    changed_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (supplier, order_no)
);
CREATE INDEX orders_by_number ON orders (order_no);

-- Numbers under which a supplier speaks of an order: that of the whole, and those of the children it was split into.
CREATE TABLE order_numbers (
    supplier          text COLLATE "C" NOT NULL,
    supplier_order_no text COLLATE "C" NOT NULL,
    order_no          text COLLATE "C" NOT NULL,
    state             text,                    -- of a child; of the whole order it stands in `orders`
    superseded        boolean NOT NULL DEFAULT false,
    told              text[] COLLATE "C" NOT NULL DEFAULT '{}', -- what readings of the order told of it, by name
    PRIMARY KEY (supplier, supplier_order_no)
);
CREATE INDEX order_numbers_of_order ON order_numbers (supplier, order_no);

-- The story of an order, in the order in which the gateway went through it.
CREATE TABLE order_steps (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    supplier   text COLLATE "C" NOT NULL,
    order_no   text COLLATE "C" NOT NULL,
    command_id text COLLATE "C",
    at         timestamptz NOT NULL DEFAULT now(),
    kind       text NOT NULL,                  -- as `gateway/relay/steps.py` has it
    facts      jsonb NOT NULL DEFAULT '{}',    -- nothing personal
    words      bytea                           -- of the supplier, sealed: they may name people
);
CREATE INDEX order_steps_of_order ON order_steps (order_no, id);

-- Orders that have to be read at their supplier, because something was heard that does not fit or is not all.
CREATE SEQUENCE order_reread_seq AS bigint;
CREATE TABLE order_rereads (
    supplier          text COLLATE "C" NOT NULL,
    supplier_order_no text COLLATE "C" NOT NULL,
    due_at            timestamptz NOT NULL DEFAULT now(),
    failures          integer NOT NULL DEFAULT 0,
    asked_by          jsonb,                   -- the supplier's message, null for a doubt of ours
    seq               bigint NOT NULL DEFAULT nextval('order_reread_seq'), -- another one each time it is asked
    PRIMARY KEY (supplier, supplier_order_no)
);
CREATE INDEX order_rereads_due ON order_rereads (supplier, due_at);
