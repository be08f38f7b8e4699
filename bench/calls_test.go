package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/linkedaccount"
	"linkgate/outbox"
	"linkgate/secret"
)

func TestCallOnceEach(t *testing.T) {
	var mu sync.Mutex
	seen := make(map[string]bool)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.Header.Get("blink-auth-userid")] = true
		time.Sleep(time.Millisecond) // so that one piece of time is too short for all
	}))
	defer server.Close()
	g := &generator{target: target{method: http.MethodGet, path: "/", users: 300}}
	for range 2 {
		if err := callOnceEach(t.Context(), g, server.Listener.Addr().String(), 2); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		if len(seen) != 300 {
			t.Errorf("%d users have called, want 300", len(seen))
		}
		clear(seen)
		mu.Unlock()
	}
}

func TestLinkAccounts(t *testing.T) {
	dir := t.TempDir()
	if err := linkAccounts(t.Context(), dir, 2); err != nil {
		t.Fatal(err)
	}
	db, err := database.OpenExisting(t.Context(), database.Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	keyset, created, err := secret.LoadOrCreateKeyset(filepath.Join(dir, "keyset"))
	if err != nil || created {
		t.Fatalf("the keyset: created %v, %v", created, err)
	}
	keyring, err := secret.OpenKeyring(keyset)
	if err != nil {
		t.Fatal(err)
	}
	store := linkedaccount.Store{DB: db, Keyring: keyring}
	for user := range int64(2) {
		accounts, err := store.Of(t.Context(), userID(user), "bench")
		if err != nil || len(accounts) != 1 || accounts[0].Status != linkedaccount.Linked {
			t.Fatalf("user %d: got %v, %v, want one linked account", user, accounts, err)
		}
		c, err := store.Credential(t.Context(), accounts[0].ID)
		if err != nil || c.AccessToken.Reveal() != token || time.Until(c.ExpiresAt) < 12*time.Hour {
			t.Errorf("user %d: %v, the credential is not the token, or soon expires", user, err)
		}
	}
	if owed, err := (&outbox.Box{DB: db}).Owed(t.Context()); err != nil || len(owed) > 0 {
		t.Errorf("the outbox has %d messages, %v, want none", len(owed), err)
	}
}
