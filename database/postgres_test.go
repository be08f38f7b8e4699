package database

import (
	"testing"
	"time"

	"linkgate/secret"
	"linkgate/testservers"
)

func TestPostgresConnectTimeout(t *testing.T) {
	for url, want := range map[string]time.Duration{
		"postgres://u@db/x":                     connectTimeout,
		"postgresql://u@db/x?connect_timeout=2": 2 * time.Second, // the operator's word counts
	} {
		config, err := postgresConfig(secret.New(url))
		if err != nil || config.ConnectTimeout != want {
			t.Errorf("%s: got %v, %v, want %v", url, config.ConnectTimeout, err, want)
		}
	}
}

func TestPostgresEndsIdleTransactions(t *testing.T) {
	db, err := Open(t.Context(), Options{URL: secret.New(testservers.Postgres(t))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var got string
	if err := db.QueryRow("SHOW idle_in_transaction_session_timeout").Scan(&got); err != nil || got != "15s" {
		t.Errorf("got %q, %v, want 15s", got, err)
	}
}
