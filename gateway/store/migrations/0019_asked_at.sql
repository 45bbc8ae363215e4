-- Since when an order waits to be read at its supplier, however often that was put off.
ALTER TABLE order_rereads ADD COLUMN asked_at timestamptz NOT NULL DEFAULT now();
