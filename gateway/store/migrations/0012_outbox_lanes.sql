-- The outbox is published by topic, as soon as something is written or taken back.

CREATE INDEX outbox_waiting ON outbox (topic, id) WHERE refused IS NULL;

-- Few rows, but keys may be of any length. Whatever waits is compared with them: a refused row stops its key.
CREATE INDEX outbox_refused ON outbox USING hash (key) WHERE refused IS NOT NULL;

CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY outbox;
    RETURN NULL;
END $$;

CREATE TRIGGER outbox_written AFTER INSERT OR UPDATE OF refused ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox();
