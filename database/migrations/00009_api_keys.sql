-- Read by SQLite and Postgres alike.

-- +goose Up
-- The API keys of the owner's back ends. The key itself is nowhere: its hash is.
CREATE TABLE api_keys (
    id         TEXT   NOT NULL PRIMARY KEY, -- with which the key itself begins
    name       TEXT   NOT NULL,
    scopes     TEXT   NOT NULL, -- JSON array
    hash       BYTEA  NOT NULL, -- SHA-256 of the whole key
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL, -- to the minute; 0: never
    revoked_at BIGINT NOT NULL  -- 0: it is in force
);
