package registration_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/demo"
	"linkgate/provider"
	"linkgate/registration"
)

func TestManyAtOnceRegisterOnce(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		w, server := standard(t, db, nil)
		replicas := []*registration.Manager{w.manager(), w.manager(), w.manager()}
		var clients sync.Map
		var all sync.WaitGroup
		for _, m := range replicas {
			w.run(m)
			for range 20 {
				all.Go(func() {
					c, err := m.Client(authID)(t.Context())
					if err != nil {
						t.Error(err)
					}
					clients.Store(c.ID+" "+c.Secret.Reveal(), true)
				})
			}
		}
		all.Wait()
		n := 0
		clients.Range(func(any, any) bool { n++; return true })
		if n != 1 || server.Requests(demo.OpClientCreate) != 1 {
			t.Errorf("%d clients in use after %d registrations, want one", n, server.Requests(demo.OpClientCreate))
		}
		if got, want := w.audited(), []string{"client.registered"}; !slices.Equal(got, want) {
			t.Errorf("audited %q, want %q", got, want)
		}
	})
}

func TestClaimDoesWithoutRedis(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		w, server := standard(t, db, nil)
		w.redis = nil
		var all sync.WaitGroup
		for range 3 {
			m := w.manager()
			all.Go(func() { w.client(m) })
		}
		all.Wait()
		if n := server.Requests(demo.OpClientCreate); n != 1 {
			t.Errorf("%d registrations, want 1", n)
		}
	})
}

func TestWhatIsRegistered(t *testing.T) {
	w, server := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), nil)
	c := w.client(w.manager())
	got := server.Clients()[c.ID]
	want := demo.Claims{
		"client_name": "Our app", "scope": "read write", "token_endpoint_auth_method": "client_secret_basic",
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s: got %v, want %v", name, got[name], value)
		}
	}
	for name, value := range map[string][]any{
		"redirect_uris": {"https://one.example.com/callback/7f3c"}, "contacts": {"a@example.com", "b@example.com"},
		"grant_types": {"authorization_code", "refresh_token"}, "response_types": {"code"},
	} {
		if list, _ := got[name].([]any); !slices.Equal(list, value) {
			t.Errorf("%s: got %v, want %v", name, got[name], value)
		}
	}
	if c.AuthStyle != provider.AuthBasic || c.Secret.Reveal() != got["client_secret"] {
		t.Errorf("got the client %s, %s", c.ID, c.AuthStyle)
	}
}

func TestRotatedSecretIsUsedByAll(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		w, server := standard(t, db, nil)
		replicas := []*registration.Manager{w.run(w.manager()), w.run(w.manager()), w.run(w.manager())}
		old := w.client(replicas[0])
		for _, m := range replicas {
			w.client(m)
		}
		_, err := w.manager().Rotate(t.Context(), authID) // as the command does
		check(t, err)
		now, _ := server.Clients()[old.ID]["client_secret"].(string)
		if now == old.Secret.Reveal() {
			t.Fatal("the service still has the old secret")
		}
		// The clock stands still: only word of the change can tell them.
		for _, m := range replicas {
			until(t, "the new secret at every replica", func() bool { return w.client(m).Secret.Reveal() == now })
		}
	})
}

func TestRotatedSecretIsNoticedWithoutRedis(t *testing.T) {
	w, _ := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), nil)
	w.redis = nil
	m := w.manager()
	old := w.client(m)
	_, err := w.manager().Rotate(t.Context(), authID)
	check(t, err)
	if !w.client(m).Secret.Equal(old.Secret) {
		t.Error("memory was not asked")
	}
	w.pass(time.Second)
	if w.client(m).Secret.Equal(old.Secret) {
		t.Error("the old secret is used a second later")
	}
}

func TestSecretIsRenewedBeforeItsEnd(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		w, server := standard(t, db, func(o *demo.RegistrarOptions) { o.SecretLifetime = time.Hour })
		m := w.manager()
		old := w.client(m)
		check(t, m.Pass(t.Context(), authID))
		if n := server.Requests(demo.OpClientUpdate); n != 0 {
			t.Fatalf("renewed at once, %d times", n)
		}
		w.pass(41 * time.Minute)
		check(t, m.Pass(t.Context(), authID))
		check(t, m.Pass(t.Context(), authID))
		if n := server.Requests(demo.OpClientUpdate); n != 1 {
			t.Errorf("renewed %d times, want once", n)
		}
		if c := w.client(m); c.ID != old.ID || c.Secret.Equal(old.Secret) {
			t.Error("not the same client with another secret")
		}
		if r, err := m.Show(t.Context(), authID); err != nil || !r.SecretExpiresAt.After(w.time().Add(59*time.Minute)) {
			t.Errorf("the new secret ends at %v, %v", r.SecretExpiresAt, err)
		}
	})
}

func TestServiceThatKeepsSecrets(t *testing.T) {
	w, _ := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), func(o *demo.RegistrarOptions) { o.KeepsSecrets = true })
	m := w.manager()
	old := w.client(m)
	if _, err := m.Rotate(t.Context(), authID); !errors.Is(err, provider.ErrUnsupported) || !strings.Contains(err.Error(), "clients register") {
		t.Errorf("got %v", err)
	}
	w.pass(time.Minute)
	if !w.client(m).Secret.Equal(old.Secret) {
		t.Error("the client has another secret")
	}
}

func TestNewPublicURLIsToldToTheService(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		w, server := standard(t, db, nil)
		earlier := w.run(w.manager())
		old := w.client(earlier)
		until(t, "the first look", func() bool { return earlier.Settled(authID) })
		w.public = "https://two.example.com"
		c := w.client(w.manager())
		got := server.Clients()[old.ID]["redirect_uris"].([]any)
		if want := "https://two.example.com/callback/7f3c"; len(server.Clients()) != 1 || len(got) != 1 || got[0] != want {
			t.Errorf("the service has %v, want %s", got, want)
		}
		if c.ID != old.ID || !c.Secret.Equal(old.Secret) {
			t.Error("the client or its secret is another one")
		}
		// A replica of the earlier configuration does not take it back.
		check(t, earlier.Pass(t.Context(), authID))
		if n := server.Requests(demo.OpClientUpdate); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
	})
}

func TestTeardown(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		w, server := standard(t, db, nil)
		m := w.manager()
		old := w.client(m)
		check(t, m.Delete(t.Context(), authID, false))
		if len(server.Clients()) != 0 || server.Requests(demo.OpClientDelete) != 1 {
			t.Errorf("the service has %d clients after %d deletions", len(server.Clients()), server.Requests(demo.OpClientDelete))
		}
		var credentials []byte
		check(t, db.QueryRowContext(t.Context(), "SELECT credentials FROM client_registrations").Scan(&credentials))
		if credentials != nil {
			t.Error("the credentials are not wiped")
		}
		check(t, m.Pass(t.Context(), authID))
		if _, err := m.Client(authID)(t.Context()); !errors.Is(err, provider.ErrRefused) || server.Requests(demo.OpClientCreate) != 1 {
			t.Errorf("after %d registrations got %v, want a refusal until the operator registers", server.Requests(demo.OpClientCreate), err)
		}
		if err := m.Delete(t.Context(), authID, false); !errors.Is(err, registration.ErrNoClient) {
			t.Errorf("a second deletion: %v", err)
		}
		_, err := m.Register(t.Context(), authID)
		check(t, err)
		if c := w.client(m); c.ID == old.ID || len(server.Clients()) != 1 {
			t.Error("no new client")
		}
		if got, want := w.audited(), []string{"client.registered", "client.deleted", "client.registered"}; !slices.Equal(got, want) {
			t.Errorf("audited %q, want %q", got, want)
		}
	})
}

func TestDeletionThatTheServiceRefuses(t *testing.T) {
	w, server := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), nil)
	m := w.manager()
	w.client(m)
	server.Play(demo.Script{Fault: demo.Only(demo.OpClientDelete, 1, *demo.Answer(403, `{"error":"access_denied"}`))})
	if err := m.Delete(t.Context(), authID, false); !errors.Is(err, provider.ErrRefused) || !strings.Contains(err.Error(), "--forget") {
		t.Errorf("got %v", err)
	}
	w.client(m)
	check(t, m.Delete(t.Context(), authID, true))
	if len(server.Clients()) != 1 {
		t.Error("forgetting has asked the service")
	}
}

func TestAnotherServiceIsTheOperatorsDecision(t *testing.T) {
	w, server := standard(t, databasetest.Open(t, database.Options{DataDir: t.TempDir()}), nil)
	w.client(w.manager())
	w.conn.Registration.URL = strings.Replace(w.conn.Registration.URL, "/register", "/v2/register", 1)
	m := w.manager()
	_, err := m.Client(authID)(t.Context())
	if !errors.Is(err, provider.ErrRefused) || server.Requests(demo.OpClientCreate) != 1 {
		t.Errorf("got %v", err)
	}
	if err := m.Delete(t.Context(), authID, false); !errors.Is(err, provider.ErrRefused) || server.Requests(demo.OpClientDelete) != 0 {
		t.Errorf("deleting: %v", err)
	}
}

func TestSecretsAreSealed(t *testing.T) {
	dir := t.TempDir()
	db := databasetest.Open(t, database.Options{DataDir: dir})
	w, server := standard(t, db, nil)
	m := w.manager()
	w.client(m)
	_, err := m.Rotate(t.Context(), authID)
	check(t, err)
	files, err := filepath.Glob(filepath.Join(dir, database.FileName+"*"))
	check(t, err)
	if len(files) == 0 || len(server.Secrets()) < 5 {
		t.Fatalf("nothing to search: %d files, %d secrets", len(files), len(server.Secrets()))
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		check(t, err)
		for _, s := range server.Secrets() {
			if bytes.Contains(content, []byte(s)) {
				t.Errorf("%s has a secret in the open", filepath.Base(file))
			}
		}
	}
}

func TestSealedForItsConnection(t *testing.T) {
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	w, _ := standard(t, db, nil)
	w.client(w.manager())
	_, err := db.ExecContext(t.Context(), "UPDATE client_registrations SET auth_id = 'another'")
	check(t, err)
	w.conn.AuthID = "another"
	if c, err := w.manager().Client("another")(t.Context()); err == nil {
		t.Errorf("a client that was moved opens: %s", c.ID)
	}
}

func TestLostAnswerOfARotation(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		w, server := mixapp(t, db)
		m := w.manager()
		w.client(m)
		server.Play(demo.Script{Fault: demo.Only(demo.OpClientUpdate, 1, demo.Fault{Done: true, Drop: true})})
		if _, err := m.Rotate(t.Context(), authID); !errors.Is(err, provider.ErrUnavailable) {
			t.Fatalf("got %v", err)
		}
		if got, want := w.client(w.manager()).Secret.Reveal(), server.Clients()[0].ClientSecret; got != want {
			t.Error("the old secret is used, and the service has another")
		}
		if n := server.Requests(demo.OpClientUpdate); n != 1 {
			t.Errorf("%d updates, want 1", n)
		}
	})
}

func TestClaimOfTheSilentIsTakenOver(t *testing.T) {
	each(t, func(t *testing.T, db *database.DB) {
		w, server := standard(t, db, nil)
		_, claimed, err := w.manager().Claim(t.Context(), authID) // and killed
		if err != nil || !claimed {
			t.Fatal(claimed, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if c, err := w.manager().Client(authID)(ctx); err == nil || server.Requests(demo.OpClientCreate) != 0 {
			t.Fatalf("got %s beside the claim of another", c.ID)
		}
		w.pass(time.Minute)
		w.client(w.manager())
	})
}

func TestSavedBeforeUsed(t *testing.T) {
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	w, server := standard(t, db, nil)
	server.Play(demo.Script{After: func(op string, _ *http.Request) {
		if op == demo.OpClientCreate { // as if another had taken over and brought its own
			_, err := db.ExecContext(context.Background(), "UPDATE client_registrations SET version = version + 1")
			if err != nil {
				t.Error(err)
			}
		}
	}})
	if c, err := w.manager().Client(authID)(t.Context()); err == nil {
		t.Errorf("got %s, which is not saved", c.ID)
	}
	if n := len(server.Clients()); n != 0 {
		t.Errorf("%d clients are left at the service", n)
	}
}
