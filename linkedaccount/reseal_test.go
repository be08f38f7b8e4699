package linkedaccount_test

import (
	"errors"
	"fmt"
	"testing"

	"linkgate/linkedaccount"
	"linkgate/secret"
)

// rotated has a fresh primary key; both is before, disabled after the old key is disabled.
func rotated(t *testing.T) (before, both, disabled *secret.Keyring) {
	t.Helper()
	open := func(keyset secret.Text) *secret.Keyring {
		k, err := secret.OpenKeyring(keyset)
		check(t, err)
		return k
	}
	old, err := secret.NewKeyset()
	check(t, err)
	keys, err := secret.Keys(old)
	check(t, err)
	added, id, err := secret.AddKey(old)
	check(t, err)
	promoted, err := secret.PromoteKey(added, id)
	check(t, err)
	last, err := secret.DisableKey(promoted, keys[0].ID)
	check(t, err)
	return open(old), open(promoted), open(last)
}

func TestReseal(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		before, both, disabled := rotated(t)
		s.Keyring = before
		const stale = 105 // two batches
		var accounts []linkedaccount.Account
		for i := range stale {
			a, _ := link(t, s, grant(fmt.Sprint("octocat", i), "1"))
			accounts = append(accounts, a)
		}
		s.Keyring = both
		fresh, _ := link(t, s, grant("fresh", "1"))
		freshSealed := string(sealed(t, s, fresh.ID))
		wiped := in(t, s, linkedaccount.Unlinked, "wiped")

		if n, err := s.Reseal(t.Context()); n != stale || err != nil {
			t.Errorf("resealed %d, %v, want %d", n, err, stale)
		}
		if n, err := s.Reseal(t.Context()); n != 0 || err != nil {
			t.Errorf("resealed %d the second time, %v", n, err)
		}
		s.Keyring = disabled
		for _, a := range accounts {
			wantToken(t, s, a.ID, "1")
			if got := byID(t, s, a.ID).Version; got != a.Version {
				t.Errorf("version %d, want it to stay %d", got, a.Version)
			}
		}
		if string(sealed(t, s, fresh.ID)) != freshSealed {
			t.Error("what the primary key had sealed was sealed anew")
		}
		wantWiped(t, s, wiped.ID)
	})
}

// One that does not open keeps nothing from the others, and is told.
func TestResealWithOneUnreadable(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		before, both, disabled := rotated(t)
		s.Keyring = before
		bad, _ := link(t, s, grant("bad", "1"))
		good, _ := link(t, s, grant("good", "1"))
		_, err := s.DB.ExecContext(t.Context(), "UPDATE linked_accounts SET credential = $1 WHERE id = $2", sealed(t, s, good.ID), bad.ID)
		check(t, err)
		s.Keyring = both
		if n, err := s.Reseal(t.Context()); n != 1 || !errors.Is(err, secret.ErrSealed) {
			t.Errorf("resealed %d, %v, want 1 and ErrSealed", n, err)
		}
		s.Keyring = disabled
		wantToken(t, s, good.ID, "1")
	})
}
