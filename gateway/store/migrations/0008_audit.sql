-- The audit can be added to and read, nothing else; each row is chained to the one before it when it is committed.

ALTER TABLE audit ADD COLUMN peer text;  -- address of the client that asked for it; null: the gateway itself

-- position: in the order of commits; hash: SHA-256 over the hash before it and the row, see audit_line.
CREATE TABLE audit_chain (
    position    bigint PRIMARY KEY,
    audit_id    bigint NOT NULL UNIQUE REFERENCES audit,
    hash        bytea NOT NULL
);

-- What of a row is hashed. It takes part in every hash there is: it must never change.
CREATE FUNCTION audit_line(row_ audit) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_array(row_.id, extract(epoch FROM row_.at)::text, row_.actor, row_.action, row_.object,
                             row_.reason, row_.detail, row_.peer)::text
$$;

-- Runs as its owner, so that the gateway's own role needs no right to write the chain itself.
CREATE FUNCTION chain_audit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    before audit_chain;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('mallgate.audit', 0));
    SELECT * INTO before FROM audit_chain ORDER BY position DESC LIMIT 1;
    INSERT INTO audit_chain (position, audit_id, hash)
    VALUES (coalesce(before.position, 0) + 1, NEW.id,
            sha256(coalesce(before.hash, ''::bytea) || convert_to(audit_line(NEW), 'UTF8')));
    RETURN NULL;
END
$$;

-- At the end of the transaction: whoever waits for the chain holds everything else already, so that nobody waits for him.
CREATE CONSTRAINT TRIGGER chained AFTER INSERT ON audit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chain_audit();

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What an earlier release recorded is chained in the order of its ids.
DO $$
DECLARE
    each audit;
    link bytea := '';
    place bigint := 0;
BEGIN
    FOR each IN SELECT * FROM audit ORDER BY id LOOP
        link := sha256(link || convert_to(audit_line(each), 'UTF8'));
        place := place + 1;
        INSERT INTO audit_chain (position, audit_id, hash) VALUES (place, each.id, link);
    END LOOP;
END
$$;
