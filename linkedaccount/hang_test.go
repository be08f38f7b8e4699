package linkedaccount_test

import (
	"errors"
	"sync"
	"testing"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/linkedaccount"
	"linkgate/secret"
	"linkgate/testservers"
)

// A database that hangs is reported as unavailable, however long the caller would wait.
func TestReadsEndWhenTheDatabaseHangs(t *testing.T) {
	t.Parallel() // it waits for the deadline
	proxy := testservers.Proxy(t, testservers.Postgres(t))
	s := &linkedaccount.Store{DB: databasetest.Open(t, database.Options{URL: secret.New(proxy.URL())})}
	proxy.Hang()
	ctx := t.Context()
	var wg sync.WaitGroup
	for name, read := range map[string]func() error{
		"ByID":            func() error { _, err := s.ByID(ctx, "acc_x"); return err },
		"ByHostID":        func() error { _, _, err := s.ByHostID(ctx, user, "h1"); return err },
		"BySubject":       func() error { _, err := s.BySubject(ctx, user, authID, "octocat"); return err },
		"Credential":      func() error { _, err := s.Credential(ctx, "acc_x"); return err },
		"Open":            func() error { _, err := s.Open(ctx, "acc_x"); return err },
		"Of":              func() error { _, err := s.Of(ctx, user, authID); return err },
		"claim":           func() error { _, err := s.Claim(ctx, linkedaccount.Opened{}, "one", 0); return err },
		"Revocable":       func() error { _, _, err := s.Revocable(ctx, "acc_x"); return err },
		"DeletionPending": func() error { _, err := s.DeletionPending(ctx, linkedaccount.Account{}); return err },
		"Events":          func() error { _, err := s.Events(ctx, 1); return err },
		"Reseal":          func() error { _, err := s.Reseal(ctx); return err },
	} {
		wg.Go(func() {
			if err := read(); !database.IsUnavailable(err) || errors.Is(err, linkedaccount.ErrNotFound) {
				t.Errorf("%s: got %v, want an error of unavailability", name, err)
			}
		})
	}
	wg.Wait()
}
