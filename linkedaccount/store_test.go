package linkedaccount_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

const (
	user   = "user-1"
	authID = "7f3c"
)

// each runs test with a store on SQLite and on Postgres, beside other tests.
func each(t *testing.T, test func(*testing.T, *linkedaccount.Store)) {
	t.Helper()
	t.Parallel()
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := secret.OpenKeyring(keyset)
	if err != nil {
		t.Fatal(err)
	}
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		test(t, &linkedaccount.Store{DB: db, Keyring: keyring})
	})
}

func grant(subject, token string) provider.Grant {
	return provider.Grant{
		Credential: provider.Credential{
			AccessToken: secret.New("access-" + token), RefreshToken: secret.New("refresh-" + token),
			TokenType: "bearer", ExpiresAt: time.UnixMilli(1_900_000_000_000).UTC(),
		},
		Scopes:   []string{"read:user", "repo"},
		Missing:  []string{"gist"},
		Identity: provider.Identity{Issuer: "https://service.example", Subject: subject, Name: "Ada " + token},
	}
}

func link(t *testing.T, s *linkedaccount.Store, g provider.Grant) (linkedaccount.Account, string) {
	t.Helper()
	a, messageID, err := s.Link(t.Context(), user, authID, g)
	if err != nil {
		t.Fatal(err)
	}
	return a, messageID
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func byID(t *testing.T, s *linkedaccount.Store, id string) linkedaccount.Account {
	t.Helper()
	a, err := s.ByID(t.Context(), id)
	check(t, err)
	return a
}

func wantStatus(t *testing.T, s *linkedaccount.Store, id string, want linkedaccount.Status) {
	t.Helper()
	if got := byID(t, s, id).Status; got != want {
		t.Errorf("status %s, want %s", got, want)
	}
}

// promised lists the messages of an account that are to be done, id by kind.
func promised(t *testing.T, s *linkedaccount.Store, accountID string) map[string]string {
	t.Helper()
	rows, err := s.DB.QueryContext(t.Context(), "SELECT kind, id FROM outbox WHERE account_id = $1 AND dropped_at = 0", accountID)
	check(t, err)
	defer func() { _ = rows.Close() }()
	messages := make(map[string]string)
	for rows.Next() {
		var kind, id string
		check(t, rows.Scan(&kind, &id))
		if messages[kind] != "" {
			t.Errorf("%s is promised twice", kind)
		}
		messages[kind] = id
	}
	check(t, rows.Err())
	return messages
}

func wantPromised(t *testing.T, s *linkedaccount.Store, accountID string, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, promised(t, s, accountID), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

// sealed is the credential column, nil when it is NULL.
func sealed(t *testing.T, s *linkedaccount.Store, id string) (b []byte) {
	t.Helper()
	check(t, s.DB.QueryRowContext(t.Context(), "SELECT credential FROM linked_accounts WHERE id = $1", id).Scan(&b))
	return b
}

func wantWiped(t *testing.T, s *linkedaccount.Store, id string) {
	t.Helper()
	var n int
	check(t, s.DB.QueryRowContext(t.Context(), "SELECT count(*) FROM linked_accounts WHERE id = $1 AND credential IS NULL", id).Scan(&n))
	if n != 1 {
		t.Error("the sealed credential is still in the database")
	}
	if _, err := s.Credential(t.Context(), id); !errors.Is(err, linkedaccount.ErrNotFound) {
		t.Errorf("Credential: got %v, want ErrNotFound", err)
	}
}

func wantToken(t *testing.T, s *linkedaccount.Store, id, token string) {
	t.Helper()
	got, err := s.Credential(t.Context(), id)
	check(t, err)
	if diff := cmp.Diff(grant("", token).Credential, got); diff != "" {
		t.Errorf("credential (-want +got):\n%s", diff)
	}
}

func TestReadingWhatIsNotThere(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		ctx := t.Context()
		a, _ := link(t, s, grant("octocat", "1")) // its host id is not known
		for name, read := range map[string]func() error{
			"ByID":               func() error { _, err := s.ByID(ctx, "acc_x"); return err },
			"Credential":         func() error { _, err := s.Credential(ctx, "acc_x"); return err },
			"Revocable, linking": func() error { _, _, err := s.Revocable(ctx, a.ID); return err },
			"BySubject":          func() error { _, err := s.BySubject(ctx, user, authID, "x"); return err },
			"BySubject of another": func() error {
				_, err := s.BySubject(ctx, "user-2", authID, "octocat")
				return err
			},
			"Open": func() error { _, err := s.Open(ctx, "acc_x"); return err },
			"RequireReauth": func() error {
				_, err := s.RequireReauth(ctx, linkedaccount.Opened{})
				return err
			},
			"HostAdded":   func() error { return s.HostAdded(ctx, "acc_x", "h1", 1) },
			"HostRefused": func() error { _, err := s.HostRefused(ctx, "acc_x", 1); return err },
			"Unlink":      func() error { _, _, err := s.Unlink(ctx, "acc_x"); return err },
			"ByHostID":    func() error { _, _, err := s.ByHostID(ctx, user, "h1"); return err },
			"ByHostID, empty": func() error {
				_, known, err := s.ByHostID(ctx, user, "")
				if known {
					t.Error("an empty host id is known")
				}
				return err
			},
		} {
			if err := read(); !errors.Is(err, linkedaccount.ErrNotFound) {
				t.Errorf("%s: got %v, want ErrNotFound", name, err)
			}
		}
	})
}

func TestByHostID(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
		got, known, err := s.ByHostID(t.Context(), user, "h1")
		if got.ID != a.ID || !known || err != nil {
			t.Errorf("own: %s, %v, %v", got.ID, known, err)
		}
		got, known, err = s.ByHostID(t.Context(), "user-2", "h1")
		if got.ID != "" || !known || !errors.Is(err, linkedaccount.ErrNotFound) {
			t.Errorf("another's: %s, %v, %v", got.ID, known, err)
		}
		_, known, err = s.ByHostID(t.Context(), user, "h2")
		if known || !errors.Is(err, linkedaccount.ErrNotFound) {
			t.Errorf("nobody's: %v, %v", known, err)
		}
	})
}

func TestCredentialIsSealedInPlace(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		b, _ := link(t, s, grant("hubot", "2"))
		for _, plain := range []string{"access-1", "refresh-1", "bearer"} {
			if bytes.Contains(sealed(t, s, a.ID), []byte(plain)) {
				t.Errorf("%s is in the database", plain)
			}
		}
		wantToken(t, s, a.ID, "1")
		for _, moved := range []string{
			"UPDATE linked_accounts SET credential = (SELECT credential FROM linked_accounts WHERE id = $1) WHERE id = $2",
			"UPDATE linked_accounts SET host_user_id = 'user-2' WHERE id = $1 AND id <> $2",
		} {
			_, err := s.DB.ExecContext(t.Context(), moved, a.ID, b.ID)
			check(t, err)
		}
		for _, id := range []string{a.ID, b.ID} {
			if _, err := s.Credential(t.Context(), id); !errors.Is(err, secret.ErrSealed) {
				t.Errorf("moved: got %v, want ErrSealed", err)
			}
		}
	})
}

func TestAudit(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		s.Now = func() time.Time { return time.UnixMilli(1_800_000_000_123) }
		first := linkedaccount.Event{
			At: time.UnixMilli(1_700_000_000_000).UTC(), Name: "link.saved", HostUserID: user, AuthID: authID, AccountID: "acc_1", Detail: "d",
		}
		check(t, s.Audit(t.Context(), first))
		check(t, s.Audit(t.Context(), linkedaccount.Event{Name: "odd", HostUserID: "\xff\x00u", Detail: "a\x00b\xff" + strings.Repeat("ü", 2000)}))
		check(t, s.Audit(t.Context(), linkedaccount.Event{Name: "third"}))
		got, err := s.Events(t.Context(), 10)
		check(t, err)
		now := s.Now().UTC()
		want := []linkedaccount.Event{{At: now, Name: "third"}, {At: now, Name: "odd", HostUserID: "u"}, first}
		if len(got) == 3 {
			if detail := got[1].Detail; !strings.HasPrefix(detail, "abü") || len(detail) > 1000 {
				t.Errorf("detail of %d bytes: %q", len(detail), detail)
			}
			got[1].Detail = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if got, err := s.Events(t.Context(), 1); len(got) != 1 || got[0].Name != "third" || err != nil {
			t.Errorf("the newest is %v, %v", got, err)
		}
	})
}

func TestDatabaseErrorsAreTold(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		o := opened(t, s, a.ID)
		check(t, s.DB.Close())
		ctx := context.Background()
		for name, do := range map[string]func() error{
			"Link":            func() error { _, _, err := s.Link(ctx, user, authID, grant("octocat", "2")); return err },
			"ByID":            func() error { _, err := s.ByID(ctx, a.ID); return err },
			"ByHostID":        func() error { _, _, err := s.ByHostID(ctx, user, "h1"); return err },
			"BySubject":       func() error { _, err := s.BySubject(ctx, user, authID, "octocat"); return err },
			"HostAdded":       func() error { return s.HostAdded(ctx, a.ID, "h1", 1) },
			"HostRefused":     func() error { _, err := s.HostRefused(ctx, a.ID, 1); return err },
			"Unlink":          func() error { _, _, err := s.Unlink(ctx, a.ID); return err },
			"HostDeleted":     func() error { return s.HostDeleted(ctx, a.ID, 1) },
			"Revoked":         func() error { return s.Revoked(ctx, a) },
			"Credential":      func() error { _, err := s.Credential(ctx, a.ID); return err },
			"Open":            func() error { _, err := s.Open(ctx, a.ID); return err },
			"Of":              func() error { _, err := s.Of(ctx, user, authID); return err },
			"claim":           func() error { _, err := s.Claim(ctx, o, "one", time.Minute); return err },
			"unclaim":         func() error { return s.Unclaim(ctx, a.ID, "one") },
			"saveRefreshed":   func() error { _, err := s.SaveRefreshed(ctx, o, brought("2"), true, true); return err },
			"RequireReauth":   func() error { _, err := s.RequireReauth(ctx, o); return err },
			"Revocable":       func() error { _, _, err := s.Revocable(ctx, a.ID); return err },
			"DeletionPending": func() error { _, err := s.DeletionPending(ctx, a); return err },
			"Audit":           func() error { return s.Audit(ctx, linkedaccount.Event{}) },
			"Events":          func() error { _, err := s.Events(ctx, 1); return err },
			"Reseal":          func() error { _, err := s.Reseal(ctx); return err },
		} {
			if err := do(); !database.IsUnavailable(err) || errors.Is(err, linkedaccount.ErrNotFound) {
				t.Errorf("%s: got %v, want an error of unavailability", name, err)
			}
		}
	})
}
