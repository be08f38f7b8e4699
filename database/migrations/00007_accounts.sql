-- Read by SQLite and Postgres alike.

-- +goose Up
-- What the app's owner calls the account and keeps with it; metadata is a JSON object.
ALTER TABLE linked_accounts ADD COLUMN display_name TEXT NOT NULL DEFAULT '';
ALTER TABLE linked_accounts ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
-- Why the credential could not be refreshed or tested, in our words, and since when; empty and 0: it could.
ALTER TABLE linked_accounts ADD COLUMN last_error TEXT NOT NULL DEFAULT '';
ALTER TABLE linked_accounts ADD COLUMN last_error_at BIGINT NOT NULL DEFAULT 0;

-- Lists go through each status from the newest account to the oldest.
CREATE INDEX linked_accounts_by_status ON linked_accounts (status, id);
CREATE INDEX linked_accounts_by_user ON linked_accounts (host_user_id, status, id);
CREATE INDEX linked_accounts_by_auth ON linked_accounts (auth_id, status, id);
CREATE INDEX linked_accounts_by_subject ON linked_accounts (subject, status, id);

-- Which of its owner's things uses which account.
CREATE TABLE components (
    id           TEXT   NOT NULL PRIMARY KEY, -- the owner's
    host_user_id TEXT   NOT NULL,
    account_id   TEXT   NOT NULL,
    auth_id      TEXT   NOT NULL,
    bound_at     BIGINT NOT NULL
);

CREATE INDEX components_account ON components (account_id, id);
