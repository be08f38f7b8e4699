// Package database opens the SQL database that must not lose anything: SQLite in a directory,
// or Postgres. It owns the connection settings, the migrations and what differs between the two.
package database

import (
	"context"
	"database/sql"

	"linkgate/secret"
)

// Options says which database to open.
type Options struct {
	URL     secret.Text // postgres://…; empty means SQLite
	DataDir string      // directory of linkgate.db, made if missing (0700)
}

// DB is an open, migrated database.
type DB struct {
	*sql.DB
}

// Open connects, sets what durability needs, and runs the migrations.
func Open(ctx context.Context, o Options) (*DB, error) { panic("unwritten") }

// InTx runs fn in one transaction and commits it; when the database asks for it (SQLite busy,
// Postgres serialization failure or deadlock) the whole of fn is run again.
func (db *DB) InTx(ctx context.Context, fn func(*sql.Tx) error) error { panic("unwritten") }

// IsUniqueViolation tells whether err is a unique index refusing a row.
func IsUniqueViolation(err error) bool { panic("unwritten") }
