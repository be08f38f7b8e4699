-- +goose Up
-- When a message failed for the first time, or for the first time since an operator had it tried again.
ALTER TABLE outbox ADD COLUMN failing_since BIGINT NOT NULL DEFAULT 0;
