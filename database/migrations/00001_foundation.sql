-- Read by SQLite and Postgres alike: times are unix milliseconds with 0 for none.

-- +goose Up
CREATE TABLE linked_accounts (
    id              TEXT   NOT NULL PRIMARY KEY,
    host_user_id    TEXT   NOT NULL,
    auth_id         TEXT   NOT NULL,
    host_id         TEXT   NOT NULL, -- empty until the host has answered
    issuer          TEXT   NOT NULL,
    subject         TEXT   NOT NULL,
    name            TEXT   NOT NULL,
    status          TEXT   NOT NULL,
    scopes          TEXT   NOT NULL, -- JSON array
    missing         TEXT   NOT NULL, -- JSON array
    credential      BYTEA,           -- sealed; NULL when wiped
    expires_at      BIGINT NOT NULL,
    host_deleted_at BIGINT NOT NULL,
    revoked_at      BIGINT NOT NULL,
    version         BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

-- One live account for each identity, whoever links at the same time.
CREATE UNIQUE INDEX linked_accounts_live ON linked_accounts (host_user_id, auth_id, subject, issuer)
    WHERE status IN ('linking', 'linked', 'refused');
CREATE INDEX linked_accounts_unlinking ON linked_accounts (host_user_id, auth_id, subject, issuer)
    WHERE status = 'unlinking';
CREATE INDEX linked_accounts_host_id ON linked_accounts (host_id) WHERE host_id <> '';

CREATE TABLE outbox (
    id          TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    account_id  TEXT   NOT NULL,
    payload     BYTEA  NOT NULL,
    attempts    BIGINT NOT NULL,
    due_at      BIGINT NOT NULL, -- while leased: the end of the lease
    lease_until BIGINT NOT NULL,
    lease_owner TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    last_error  TEXT   NOT NULL,
    dead_at     BIGINT NOT NULL,
    dropped_at  BIGINT NOT NULL  -- dropped while leased: goes when the lease does
);

CREATE INDEX outbox_due ON outbox (due_at) WHERE dead_at = 0;
CREATE INDEX outbox_account ON outbox (account_id, kind);

CREATE TABLE audit (
    id           TEXT   NOT NULL PRIMARY KEY, -- UUIDv7: in order of time
    at           BIGINT NOT NULL,
    name         TEXT   NOT NULL,
    host_user_id TEXT   NOT NULL,
    auth_id      TEXT   NOT NULL,
    account_id   TEXT   NOT NULL,
    detail       TEXT   NOT NULL
);

