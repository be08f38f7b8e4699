-- Read by SQLite and Postgres alike.

-- +goose Up
-- 1: when the credential was to be revoked, the service turned out to have no way to do that.
ALTER TABLE linked_accounts ADD COLUMN unrevocable BIGINT NOT NULL DEFAULT 0;
