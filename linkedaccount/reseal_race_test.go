package linkedaccount

import (
	"errors"
	"testing"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/provider"
	"linkgate/secret"
)

// A credential that is replaced between the reading and the writing of Reseal stays.
func TestResealLosesToAChange(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, db *database.DB) {
		keyset, errKeyset := secret.NewKeyset()
		keyring, errKeyring := secret.OpenKeyring(keyset)
		if err := errors.Join(errKeyset, errKeyring); err != nil {
			t.Fatal(err)
		}
		s := &Store{DB: db, Keyring: keyring}
		g := provider.Grant{Identity: provider.Identity{Subject: "octocat"}}
		g.Credential.AccessToken = secret.New("old")
		a, _, err := s.Link(t.Context(), "u", "a", g)
		if err != nil {
			t.Fatal(err)
		}
		read, err := one(t.Context(), db, "id = $1", a.ID)
		if err != nil {
			t.Fatal(err)
		}
		g.Credential.AccessToken = secret.New("new")
		if _, _, err := s.Link(t.Context(), "u", "a", g); err != nil {
			t.Fatal(err)
		}
		if n, err := s.reseal(t.Context(), read); n != 0 || err != nil {
			t.Errorf("wrote %d, %v, want nothing written", n, err)
		}
		if c, err := s.Credential(t.Context(), a.ID); c.AccessToken.Reveal() != "new" || err != nil {
			t.Errorf("the new credential was overwritten, %v", err)
		}
	})
}
