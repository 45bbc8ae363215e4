-- Commands about contracts stand beside those about orders. Their lane, in the column order_no, is their contract's: it
-- begins with contract/, and no number of an order holds a slash.
ALTER TABLE commands ADD COLUMN contract_no text COLLATE "C";  -- null: the command is about an order
ALTER TABLE commands ADD COLUMN contract_of text COLLATE "C";  -- number of that contract's order; null: it names none
CREATE INDEX commands_of_contract ON commands (contract_of, place) WHERE contract_of IS NOT NULL;

-- Where each contract stands, as far as the gateway takes part in it; the mall core owns the life of a contract.
CREATE TABLE contracts (
    supplier     text COLLATE "C" NOT NULL,
    contract_no  text COLLATE "C" NOT NULL,
    order_no     text COLLATE "C" NOT NULL,
    tenant       text,
    state        text NOT NULL,      -- as `schemas.contracts.states` has it, and so the three parts below
    announcement text NOT NULL,
    filing       text NOT NULL,
    answer       text NOT NULL,
    revision     integer NOT NULL,   -- of the text as it is now
    issued_by    text COLLATE "C" NOT NULL, -- the command that issued it
    content      bytea NOT NULL,     -- SHA-256 of what was issued: the same again is no other contract
    created_at   timestamptz NOT NULL DEFAULT now(),
    changed_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (supplier, contract_no)
);
-- One contract of an order and supplier, unless it came to nothing or is over.
CREATE UNIQUE INDEX contracts_of_order ON contracts (supplier, order_no)
    WHERE state IN ('generated', 'performing', 'accepted', 'settled');
CREATE INDEX contracts_by_order ON contracts (order_no);
