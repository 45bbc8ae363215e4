-- After-sale services that the mall asked for: where each stands, and what of its goods it takes.
CREATE TABLE after_sales (
    supplier            text COLLATE "C" NOT NULL,
    order_no            text COLLATE "C" NOT NULL,
    service_no          text COLLATE "C" NOT NULL,   -- the mall's number
    command_id          text COLLATE "C" NOT NULL,   -- of the request
    kind                text NOT NULL,
    supplier_order_no   text COLLATE "C" NOT NULL,   -- the child, '' of an order that was not split
    lines               jsonb NOT NULL,              -- sku → quantity, a plain decimal
    state               text NOT NULL,               -- as `schemas.orders.aftersales` has it
    supplier_service_no text COLLATE "C",            -- the supplier's number, once it is known
    told                text[] COLLATE "C" NOT NULL DEFAULT '{}', -- what was told of it, by name
    created_at          timestamptz NOT NULL DEFAULT now(),
    changed_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (supplier, order_no, service_no)
);
CREATE INDEX after_sales_of_order ON after_sales (order_no);

-- Goods of orders as the supplier told of them: what an order that was cut or a child holds, and what was delivered.
CREATE TABLE order_goods (
    supplier          text COLLATE "C" NOT NULL,
    order_no          text COLLATE "C" NOT NULL,
    supplier_order_no text COLLATE "C" NOT NULL,     -- the child, '' of the whole order
    delivery_no       text COLLATE "C" NOT NULL,     -- '' of what a child holds
    lines             jsonb NOT NULL,                -- sku → quantity, a plain decimal; {}: of a delivery all of it
    PRIMARY KEY (supplier, order_no, supplier_order_no, delivery_no)
);
