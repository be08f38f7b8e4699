package testservers

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// PostgresEnv names the environment variable with the URL of a server on which databases may be
// created.
const PostgresEnv = "LINKGATE_TEST_POSTGRES"

// Postgres makes an empty database on the server that PostgresEnv names, and returns its URL. It
// is dropped with the test, whoever is still connected to it.
func Postgres(t testing.TB) string {
	t.Helper()
	admin := os.Getenv(PostgresEnv)
	if admin == "" {
		t.Fatalf("%s is not set: run `make test`, or `scripts/with-servers go test …`, which start a Postgres", PostgresEnv)
	}
	address, err := url.Parse(admin)
	if err != nil {
		t.Fatalf("%s is not a URL", PostgresEnv) // the error would show a password
	}
	db, err := sql.Open("pgx", admin)
	if err != nil {
		t.Fatalf("opening the server in %s: %v", PostgresEnv, err)
	}
	t.Cleanup(func() { db.Close() })

	name := "test_" + strings.ToLower(rand.Text())
	// Nobody can be connected to template0, so that parallel tests never wait for each other.
	execute(t, db, "CREATE DATABASE "+name+" TEMPLATE template0")
	t.Cleanup(func() { execute(t, db, "DROP DATABASE "+name+" WITH (FORCE)") })
	address.Path = "/" + name
	return address.String()
}

func execute(t testing.TB, db *sql.DB, statement string) {
	t.Helper()
	// Not the test's context: that one has ended when cleanups run.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}
