-- Read by SQLite and Postgres alike.

-- +goose Up
-- A service that says whose access has ended names the account, and no host user.
CREATE INDEX linked_accounts_subject ON linked_accounts (auth_id, subject)
    WHERE status IN ('linking', 'linked', 'reauth_required', 'refused');
