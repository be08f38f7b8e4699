-- +goose Up
-- The clients that connections have registered for themselves at their services.
CREATE TABLE client_registrations (
    auth_id           TEXT   NOT NULL PRIMARY KEY,
    service           TEXT   NOT NULL, -- where it is registered; empty: nowhere yet
    credentials       BYTEA,           -- sealed; NULL: there is no client
    issued_at         BIGINT NOT NULL, -- of the present secret
    secret_expires_at BIGINT NOT NULL, -- 0: never
    redirect_uri      TEXT   NOT NULL,
    fingerprint       TEXT   NOT NULL, -- of what was registered
    version           BIGINT NOT NULL,
    -- Who is asking the service for a change at this moment; empty: nobody.
    claimed_at        BIGINT NOT NULL,
    claimed_by        TEXT   NOT NULL,
    in_doubt          BIGINT NOT NULL, -- 1: the service was asked, and its answer is not known
    removed_at        BIGINT NOT NULL  -- deleted by the operator, and not to be registered by itself; 0: not so
);
