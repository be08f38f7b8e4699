package database

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationTries is how often a start is tried against others that start at the same moment.
const migrationTries = 10

// migrate brings the schema up to date. Mostly there is nothing to do, which takes two short
// reads and no lock. In Postgres replicas take turns by an advisory lock; in SQLite two processes
// can collide, but a migration is one transaction: the loser finds it done when it looks again.
func (db *DB) migrate(ctx context.Context) error {
	provider, err := db.migrations()
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := migrateOnce(ctx, provider)
		if err == nil {
			return nil
		}
		if try == migrationTries || ctx.Err() != nil || db.dialect == postgres {
			return fmt.Errorf("migrating the database: %w", err)
		}
		if !pause(ctx, time.Duration(rand.Int64N(int64(50*time.Millisecond)))) {
			return fmt.Errorf("migrating the database: %w", ctx.Err())
		}
	}
}

func migrateOnce(ctx context.Context, provider *goose.Provider) error {
	pending, err := provider.HasPending(ctx)
	if err != nil || !pending {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// OpenExisting's two ways of finding something else.
var (
	ErrNone  = errors.New("there is no database of Linkgate's")
	ErrOlder = errors.New("the database was made by an earlier version of Linkgate, and not migrated yet")
)

// checkVersion makes sure that every table and column that we ask for is there. One of a later
// version will do: migrations add, so that replicas of two versions can run side by side.
func (db *DB) checkVersion(ctx context.Context) error {
	provider, err := db.migrations()
	if err != nil {
		return err
	}
	ctx, cancel := ForRead(ctx)
	defer cancel()
	var version int64
	err = db.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version").Scan(&version)
	switch {
	case IsUnavailable(err):
		return fmt.Errorf("reading the database's version: %w", err)
	case err != nil: // there is no such table
		return fmt.Errorf("%w: %w", ErrNone, err)
	}
	known := provider.ListSources()
	if version < known[len(known)-1].Version {
		return ErrOlder
	}
	return nil
}

func (db *DB) migrations() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if db.dialect == postgres {
		// Asked for every second, for a minute.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return nil, fmt.Errorf("making the migration lock: %w", err)
		}
		dialect, options = goose.DialectPostgres, append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, db.DB, files, options...)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return provider, nil
}
