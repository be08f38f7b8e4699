package database

import (
	"context"
	"embed"
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
