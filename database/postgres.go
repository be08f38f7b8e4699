package database

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"linkgate/secret"
)

// ErrURL: DATABASE_URL can't be understood. No more is told, since a decoder's error quotes what
// it read, and that has a password in it.
var ErrURL = errors.New("DATABASE_URL must look like postgres://user:password@host:5432/name " +
	"(special characters percent-encoded), or be empty for SQLite in DATA_DIR")

const (
	postgresConnections = 16
	connectTimeout      = 5 * time.Second
)

func openPostgres(o Options) (*DB, error) {
	config, err := postgresConfig(o.URL)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(afterConnect))
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections / 2)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(30 * time.Minute)
	return &DB{DB: db, dialect: postgres}, nil
}

func postgresConfig(address secret.Text) (*pgx.ConnConfig, error) {
	s := address.Reveal()
	if !strings.HasPrefix(s, "postgres://") && !strings.HasPrefix(s, "postgresql://") {
		return nil, ErrURL
	}
	config, err := pgx.ParseConfig(s)
	if err != nil {
		return nil, ErrURL
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	// A peer that vanished without a word is noticed in less than a minute.
	config.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 5,
	}}).DialContext
	return config, nil
}

// afterConnect has the server end a transaction whose client is gone, and with it the locks that
// everybody else waits for. It is a statement, not a connection parameter, because pgbouncer
// refuses parameters that it does not know.
func afterConnect(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SET idle_in_transaction_session_timeout = '15s'")
	if err != nil {
		return fmt.Errorf("setting up the connection: %w", err)
	}
	return nil
}
