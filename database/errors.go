package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	driversqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// IsUniqueViolation tells whether err is a unique index refusing a row.
func IsUniqueViolation(err error) bool {
	if code, ok := sqliteCode(err); ok {
		return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return sqlState(err) == "23505"
}

// IsUnavailable tells whether err means that the database can't be had now, so that the same
// request may succeed later: not there, not answering in time, going down, full, or too busy. A
// caller that left (context.Canceled) says nothing about the database.
func IsUnavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if code, ok := sqliteCode(err); ok {
		return isSQLiteWeather(code)
	}
	if state := sqlState(err); state != "" {
		return isPostgresWeather(state)
	}
	return isConnectionTrouble(err)
}

// isRetryable tells whether a transaction was undone for the sake of another one.
func isRetryable(err error) bool {
	if code, ok := sqliteCode(err); ok {
		primary := code & 0xff
		return primary == sqlite3.SQLITE_BUSY || primary == sqlite3.SQLITE_LOCKED
	}
	state := sqlState(err)
	return state == "40001" || state == "40P01" // serialization failure, deadlock
}

func isSQLiteWeather(code int) bool {
	switch code & 0xff { // without what an extended code adds
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT:
		return true
	}
	return false
}

// isPostgresWeather goes by the SQLSTATE (Postgres manual, appendix A).
func isPostgresWeather(state string) bool {
	for _, class := range []string{
		"08",    // connection
		"25006", // writing to a standby: a failover is under way
		"25P03", // idle in transaction for too long
		"28",    // refused at the door
		"3D000", // no such database
		"40",    // undone for the sake of others, again and again
		"53",    // out of connections, memory or disk
		"55P03", // lock not to be had
		"57",    // operator intervention: shutting down, starting up, statement cancelled
		"58",    // system error
	} {
		if strings.HasPrefix(state, class) {
			return true
		}
	}
	return false
}

func isConnectionTrouble(err error) bool {
	var netErr net.Error
	var connectErr *pgconn.ConnectError
	switch {
	case errors.As(err, &netErr), errors.As(err, &connectErr):
		return true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone):
		return true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return true
	}
	return errors.Is(err, errClosed())
}

// errClosed is database/sql's error of a closed DB, which has no exported name: it is what a
// closed DB answers.
var errClosed = sync.OnceValue(func() error { //nolint:gochecknoglobals // never changes
	db := sql.OpenDB(noConnector{})
	_ = db.Close()
	return db.PingContext(context.Background())
})

type noConnector struct{ driver.Connector }

// sqliteCode is SQLite's extended result code.
func sqliteCode(err error) (code int, ok bool) {
	var e *driversqlite.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code(), true
}

// sqlState is Postgres's five-letter SQLSTATE; empty when the error is not the server's.
func sqlState(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}
