-- +goose Up
-- Grows whenever the credential is replaced, by linking or by a refresh: what a refresh is saved over.
ALTER TABLE linked_accounts ADD COLUMN token_version BIGINT NOT NULL DEFAULT 1;
-- When a refresh token was sent whose answer has not been dealt with, and by whom; 0 and empty: none is out.
ALTER TABLE linked_accounts ADD COLUMN claimed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE linked_accounts ADD COLUMN claimed_by TEXT NOT NULL DEFAULT '';
-- When the background worker looks at the account next; 0: never.
ALTER TABLE linked_accounts ADD COLUMN refresh_at BIGINT NOT NULL DEFAULT 0;
-- When the credential was last handed out for a call, to the minute; 0: never.
ALTER TABLE linked_accounts ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
-- When the user last signed in at the service for it; what is older takes its creation for that.
ALTER TABLE linked_accounts ADD COLUMN linked_at BIGINT NOT NULL DEFAULT 0;
UPDATE linked_accounts SET linked_at = created_at;
-- What URLs of the connection may use of the account as {placeholders}; a JSON object.
ALTER TABLE linked_accounts ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

CREATE INDEX linked_accounts_refresh ON linked_accounts (refresh_at) WHERE refresh_at <> 0;
-- An account whose user must sign in again is still the user's account.
DROP INDEX linked_accounts_live;
CREATE UNIQUE INDEX linked_accounts_live ON linked_accounts (host_user_id, auth_id, subject, issuer)
    WHERE status IN ('linking', 'linked', 'reauth_required', 'refused');
