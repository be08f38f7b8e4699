// Package database opens the SQL database that must not lose anything: SQLite in a directory,
// or Postgres. It owns the connection settings, the migrations and what differs between the two.
//
// Everybody else writes SQL that both understand, with $1 placeholders, and gets help from here
// where they part: InTx (who waits for whom), ForUpdate (how a row is locked), Now (whose clock
// counts), IsUniqueViolation and IsUnavailable (what an error means). Rows are read with Collect.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

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
	dialect dialect
	// writer is taken by the one transaction that SQLite allows at a time, so that those of this
	// process queue here, in order, and not by asking again and again. nil: as many as there are
	// connections.
	writer chan struct{}

	preparing sync.Mutex
	prepared  map[string]*sql.Stmt // by their text
}

type dialect int

const (
	sqlite dialect = iota
	postgres
)

// Open connects, sets what durability needs, and runs the migrations.
func Open(ctx context.Context, o Options) (*DB, error) { return open(ctx, o, (*DB).migrate) }

// OpenExisting opens a database that Open has made, and leaves its tables as they are: for a
// command beside a running server, which may be of another version. ErrNone, ErrOlder.
func OpenExisting(ctx context.Context, o Options) (*DB, error) {
	if o.URL.IsZero() {
		_, err := os.Stat(filepath.Join(o.DataDir, FileName))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNone
		}
	}
	return open(ctx, o, (*DB).checkVersion)
}

func open(ctx context.Context, o Options, prepare func(*DB, context.Context) error) (*DB, error) {
	open := openSQLite
	if !o.URL.IsZero() {
		open = openPostgres
	}
	db, err := open(o)
	if err != nil {
		return nil, err
	}
	if err := prepare(db, ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

// pingTimeout is how long a readiness check may wait: less than what load balancers grant it.
const pingTimeout = 2 * time.Second

// Ping tells within two seconds whether the database answers, by reading a row of it.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var version int64
	err := db.QueryRowContext(ctx, "SELECT version_id FROM goose_db_version LIMIT 1").Scan(&version)
	if err != nil {
		return fmt.Errorf("asking the database: %w", err)
	}
	return nil
}

// readTimeout is how long one read may take: a database that hangs must not keep a user waiting.
const readTimeout = 5 * time.Second

// ForRead is the context for one read outside of InTx, which has no deadline of its own.
func ForRead(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, readTimeout)
}

// QueryPrepared is QueryContext for a statement of the program's that is run all the time: each
// connection parses it once.
func (db *DB) QueryPrepared(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	statement, err := db.statement(ctx, query) //nolint:sqlclosecheck // see statement
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(ctx, args...)
}

// statement prepares each once. It lives as long as the database is open.
func (db *DB) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	db.preparing.Lock()
	defer db.preparing.Unlock()
	if known, ok := db.prepared[query]; ok {
		return known, nil
	}
	made, err := db.PrepareContext(ctx, query) //nolint:sqlclosecheck // see above
	if err != nil {
		return nil, err
	}
	if db.prepared == nil {
		db.prepared = map[string]*sql.Stmt{}
	}
	db.prepared[query] = made
	return made, nil
}

// Now is the time that all replicas share: the database's. SQLite is of this machine, so its
// time is ours.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	if db.dialect == sqlite {
		return time.Now(), nil
	}
	ctx, cancel := ForRead(ctx)
	defer cancel()
	var now time.Time
	if err := db.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("asking the database for the time: %w", err)
	}
	return now, nil
}

// ForUpdate ends a SELECT whose rows must stay as read until the transaction ends. In SQLite a
// transaction of InTx holds the whole database already.
func (db *DB) ForUpdate() string {
	if db.dialect == sqlite {
		return ""
	}
	return " FOR UPDATE"
}

// Millis is how a time is stored: unix milliseconds, 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time reads what Millis gave, in UTC.
func Time(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// Clip makes a text from elsewhere fit to be stored: at most that many bytes, valid UTF-8 and no NUL,
// which Postgres refuses and SQLite takes. For what people read, not for what is compared.
func Clip(s string, most int) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}
