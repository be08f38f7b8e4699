-- Read by SQLite and Postgres alike.

-- +goose Up
-- What has happened, for the owner's back end. A transaction that writes here holds the one row of
-- event_sequence until it is over, so that events become visible in the order of their sequence.
CREATE TABLE events (
    sequence     BIGINT NOT NULL PRIMARY KEY, -- from 1, without gaps
    id           TEXT   NOT NULL UNIQUE,
    type         TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    account_id   TEXT   NOT NULL,
    host_user_id TEXT   NOT NULL,
    auth_id      TEXT   NOT NULL,
    data         TEXT   NOT NULL -- JSON object: what else the type tells
);
CREATE INDEX events_at ON events (at);

CREATE TABLE event_sequence (last BIGINT NOT NULL);
INSERT INTO event_sequence (last) VALUES (0);

-- Of messages with an ordinal those of one account and kind are kept in its order; 0: in any.
ALTER TABLE outbox ADD COLUMN ordinal BIGINT NOT NULL DEFAULT 0;
CREATE INDEX outbox_ordinal ON outbox (account_id, kind, ordinal) WHERE ordinal <> 0 AND dead_at = 0;
