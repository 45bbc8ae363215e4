-- What the mall core asked for, each command once. A lane is what has not ended of one order at one supplier, by place.
CREATE SEQUENCE command_place AS bigint;
CREATE TABLE commands (
    command_id  text COLLATE "C" PRIMARY KEY,
    place       bigint NOT NULL UNIQUE,     -- order in its lane: of one order, that of its records
    supplier    text COLLATE "C" NOT NULL,  -- as the command names it, '' where it cannot be read
    order_no    text COLLATE "C" NOT NULL,
    tenant      text,
    operation   text NOT NULL,              -- as the command names it, '' where it cannot be read
    revision    integer NOT NULL,
    content     bytea NOT NULL,             -- SHA-256 of what it says: the same id with another is a conflict
    sealed      bytea NOT NULL,             -- the command as JSON, which may hold personal data
    deadline    timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    topic       text NOT NULL,              -- the record it came in
    partition   integer NOT NULL,
    "offset"    bigint NOT NULL,
    traceparent text,
    state       text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    attempt     integer NOT NULL DEFAULT 0,
    spent       integer NOT NULL DEFAULT 0,
    failures    integer NOT NULL DEFAULT 0,
    epoch       bigint NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL DEFAULT now(),
    sent_at     timestamptz,
    doubt_since timestamptz,
    absent_at   timestamptz,
    refusal     text NOT NULL DEFAULT '',
    ended_at    timestamptz,
    CHECK ((ended_at IS NULL) = (state IN ('waiting', 'sending', 'retry', 'unknown', 'looking_up', 'parked', 'held', 'dead')))
);
CREATE INDEX commands_open ON commands (supplier, order_no, place) WHERE ended_at IS NULL;
CREATE INDEX commands_of_order ON commands (order_no, place);
CREATE INDEX commands_ended ON commands (ended_at) WHERE ended_at IS NOT NULL;
