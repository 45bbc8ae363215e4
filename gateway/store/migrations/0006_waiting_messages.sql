-- Messages of types that no adapter knows yet are left at the supplier; each comes with every fetch until an adapter
-- knows it, or an operator discards its dead letter.
ALTER TABLE pool_messages ADD COLUMN waits boolean NOT NULL DEFAULT false;
