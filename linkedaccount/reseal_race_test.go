package linkedaccount

import (
	"errors"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/provider"
	"linkgate/secret"
)

// A credential that is replaced between the reading and the writing of Reseal stays, and what
// replaces it does not mind Reseal; neither does a claim.
func TestResealBesideChanges(t *testing.T) {
	for _, test := range []struct {
		name     string
		change   func(*testing.T, *Store, Opened)
		resealed int
		want     string
	}{
		{"nothing", func(*testing.T, *Store, Opened) {}, 1, "old"},
		{"linked again", func(t *testing.T, s *Store, o Opened) {
			if _, _, err := s.Link(t.Context(), o.HostUserID, o.AuthID, resealGrant("new")); err != nil {
				t.Fatal(err)
			}
		}, 0, "new"},
		{"refreshed", saveNew, 0, "new"},
		{"claimed", func(t *testing.T, s *Store, o Opened) {
			if claimed, err := s.claim(t.Context(), o, "one", time.Hour); !claimed || err != nil {
				t.Errorf("claimed %v, %v", claimed, err)
			}
		}, 1, "old"},
	} {
		t.Run(test.name, func(t *testing.T) {
			databasetest.Each(t, func(t *testing.T, db *database.DB) {
				s, o := resealStore(t, db)
				read, err := one(t.Context(), db, "id = $1", o.ID)
				if err != nil {
					t.Fatal(err)
				}
				test.change(t, s, o)
				if n, err := s.reseal(t.Context(), read); n != test.resealed || err != nil {
					t.Errorf("wrote %d, %v, want %d", n, err, test.resealed)
				}
				wantAccessToken(t, s, o.ID, test.want)
			})
		})
	}
}

// A refresh that was begun before the credential was sealed anew is saved all the same.
func TestResealDuringARefresh(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		s, o := resealStore(t, db)
		read, err := one(t.Context(), db, "id = $1", o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if claimed, err := s.claim(t.Context(), o, "one", time.Hour); !claimed || err != nil {
			t.Fatalf("claimed %v, %v", claimed, err)
		}
		if n, err := s.reseal(t.Context(), read); n != 1 || err != nil {
			t.Errorf("wrote %d, %v, want 1", n, err)
		}
		saveNew(t, s, o)
		wantAccessToken(t, s, o.ID, "new")
	})
}

func resealGrant(token string) provider.Grant {
	return provider.Grant{
		Credential: provider.Credential{AccessToken: secret.New(token)}, Identity: provider.Identity{Subject: "octocat"},
	}
}

// resealStore is a store with one account, whose access token is "old".
func resealStore(t *testing.T, db *database.DB) (*Store, Opened) {
	t.Helper()
	keyset, errKeyset := secret.NewKeyset()
	keyring, errKeyring := secret.OpenKeyring(keyset)
	s := &Store{DB: db, Keyring: keyring}
	a, _, errLink := s.Link(t.Context(), "u", "a", resealGrant("old"))
	o, errOpen := s.Open(t.Context(), a.ID)
	if err := errors.Join(errKeyset, errKeyring, errLink, errOpen); err != nil {
		t.Fatal(err)
	}
	return s, o
}

func saveNew(t *testing.T, s *Store, o Opened) {
	t.Helper()
	n := provider.Refreshed{Credential: resealGrant("new").Credential}
	if _, err := s.saveRefreshed(t.Context(), o, n, false, false); err != nil {
		t.Fatal(err)
	}
}

func wantAccessToken(t *testing.T, s *Store, id, want string) {
	t.Helper()
	if c, err := s.Credential(t.Context(), id); c.AccessToken.Reveal() != want || err != nil {
		t.Errorf("the credential is not the %s one, %v", want, err)
	}
}
