-- +goose Up
-- The account's version when its credential was linked; 0 is from before it was kept.
ALTER TABLE linked_accounts ADD COLUMN credential_version BIGINT NOT NULL DEFAULT 0;
