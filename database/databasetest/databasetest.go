// Package databasetest runs a test on each database that Linkgate runs on. It is a package of its
// own, so that the stores' tests share it and the program does not link it.
package databasetest

import (
	"testing"

	"linkgate/database"
	"linkgate/secret"
	"linkgate/testservers"
)

// Each runs test on an empty SQLite and on an empty Postgres database, side by side, after the
// caller has returned.
func Each(t *testing.T, test func(*testing.T, *database.DB)) {
	t.Helper()
	EachOptions(t, func(t *testing.T, o database.Options) { test(t, Open(t, o)) })
}

// EachOptions is Each for tests that open the database themselves, several times perhaps.
func EachOptions(t *testing.T, test func(*testing.T, database.Options)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, database.Options{DataDir: t.TempDir()})
	})
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel() // making a database is mostly waiting
		test(t, database.Options{URL: secret.New(testservers.Postgres(t))})
	})
}

// Open opens and migrates a database until the test ends.
func Open(t testing.TB, o database.Options) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
