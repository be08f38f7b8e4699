package linkedaccount_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

func TestLinkNew(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		g := grant("octocat", "1")
		a, messageID := link(t, s, g)
		want := linkedaccount.Account{
			ID: a.ID, HostUserID: user, AuthID: authID, Identity: g.Identity, Status: linkedaccount.Linking,
			Scopes: g.Scopes, Missing: g.Missing, ExpiresAt: g.Credential.ExpiresAt, Version: 1, TokenVersion: 1,
			Details: linkedaccount.Details{Metadata: json.RawMessage("{}")},
		}
		times := cmpopts.IgnoreFields(linkedaccount.Account{}, "CreatedAt", "UpdatedAt", "LinkedAt")
		for name, got := range map[string]linkedaccount.Account{"returned": a, "read": byID(t, s, a.ID)} {
			if diff := cmp.Diff(want, got, times); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if got.CreatedAt.IsZero() || got.UpdatedAt.IsZero() || got.LinkedAt.IsZero() {
				t.Errorf("%s: no times", name)
			}
		}
		wantToken(t, s, a.ID, "1")
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostAdd: messageID})
		if got, err := s.BySubject(t.Context(), user, authID, "octocat"); got.ID != a.ID || err != nil {
			t.Errorf("BySubject: %s, %v", got.ID, err)
		}
	})
}

func TestLinkAgain(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, first := link(t, s, grant("octocat", "1"))
		check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
		g := grant("octocat", "2")
		g.Scopes, g.Missing = []string{"gist"}, nil
		again, second := link(t, s, g)
		if again.ID != a.ID || again.HostID != "h1" || again.Version != 3 || second == first {
			t.Errorf("got %+v, message %s, want the same account", again, second)
		}
		if diff := cmp.Diff(byID(t, s, a.ID), again, cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(1e9)); diff != "" {
			t.Errorf("returned is not what was saved (-saved +returned):\n%s", diff)
		}
		if again.Status != linkedaccount.Linking || again.Identity.Name != "Ada 2" || !cmp.Equal(again.Scopes, g.Scopes) || again.Missing != nil {
			t.Errorf("not updated: %+v", again)
		}
		wantToken(t, s, a.ID, "2")
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostAdd: second})
	})
}

func TestLinkTellsIdentitiesApart(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		elsewhere := grant("octocat", "1")
		elsewhere.Identity.Issuer = "https://other.example"
		seen := make(map[string]string)
		for _, tt := range []struct {
			name, user, authID string
			g                  provider.Grant
		}{
			{"the first", user, authID, grant("octocat", "1")},
			{"another subject", user, authID, grant("hubot", "1")},
			{"another case", user, authID, grant("Octocat", "1")},
			{"another issuer", user, authID, elsewhere},
			{"another user", "user-2", authID, grant("octocat", "1")},
			{"another connection", user, "9a01", grant("octocat", "1")},
		} {
			a, _, err := s.Link(t.Context(), tt.user, tt.authID, tt.g)
			check(t, err)
			if other, ok := seen[a.ID]; ok {
				t.Errorf("%s is the same account as %s", tt.name, other)
			}
			seen[a.ID] = tt.name
		}
	})
}

func TestLinkRefusesIdentities(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		for _, identity := range []provider.Identity{
			{Issuer: "i"}, {Issuer: "i", Subject: "a\x00b"}, {Issuer: "i", Subject: "\xff"}, {Issuer: "\x00", Subject: "s"},
		} {
			_, _, err := s.Link(t.Context(), user, authID, provider.Grant{Identity: identity})
			if !errors.Is(err, linkedaccount.ErrIdentity) {
				t.Errorf("%q: got %v, want ErrIdentity", identity, err)
			}
		}
		g := grant("octocat", "1")
		g.Identity.Name = "Ada\x00\xff" // only shown: cleaned
		if a, _ := link(t, s, g); a.Identity.Name != "Ada" {
			t.Errorf("name %q", a.Identity.Name)
		}
	})
}

// Sessions that end at the same moment, at two replicas: one account, one promise.
func TestLinkAtOnce(t *testing.T) {
	keyset, err := secret.NewKeyset()
	check(t, err)
	keyring, err := secret.OpenKeyring(keyset)
	check(t, err)
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		var replicas []*linkedaccount.Store
		for range 2 {
			replicas = append(replicas, &linkedaccount.Store{DB: databasetest.Open(t, o), Keyring: keyring})
		}
		for round := range 5 {
			subject := fmt.Sprint("octocat", round)
			ids := make([]string, 12)
			var wg sync.WaitGroup
			for i := range ids {
				wg.Go(func() {
					a, _, err := replicas[i%2].Link(t.Context(), user, authID, grant(subject, fmt.Sprint(i)))
					if err != nil {
						t.Error(err)
					}
					ids[i] = a.ID
				})
			}
			wg.Wait()
			for _, id := range ids {
				if id != ids[0] {
					t.Errorf("accounts %s and %s for one identity", ids[0], id)
				}
			}
			if a := byID(t, replicas[0], ids[0]); a.Version != int64(len(ids)) {
				t.Errorf("version %d after %d links", a.Version, len(ids))
			}
			if n := len(promised(t, replicas[0], ids[0])); n != 1 {
				t.Errorf("%d messages, want 1", n)
			}
		}
	})
}

// A refused account that is linked again: what was promised about the old credential does not hit
// the new one.
func TestLinkRefused(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		_, err := s.HostRefused(t.Context(), a.ID, a.Version)
		check(t, err)
		refused := byID(t, s, a.ID)
		again, messageID := link(t, s, grant("octocat", "2"))
		if again.ID != a.ID {
			t.Errorf("a second account beside the refused one")
		}
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostAdd: messageID})
		if _, _, err := s.Revocable(t.Context(), a.ID); !errors.Is(err, linkedaccount.ErrNotFound) {
			t.Errorf("the new credential may be revoked: %v", err)
		}
		check(t, s.Revoked(t.Context(), refused)) // a late one
		wantStatus(t, s, a.ID, linkedaccount.Linking)
		wantToken(t, s, a.ID, "2")

		// A later disconnect has both ends to do again.
		check(t, s.HostAdded(t.Context(), a.ID, "h1", again.Version))
		_, _, err = s.Unlink(t.Context(), a.ID)
		check(t, err)
		check(t, s.Revoked(t.Context(), byID(t, s, a.ID)))
		wantStatus(t, s, a.ID, linkedaccount.Unlinking)
	})
}

// Linked again while the disconnect is under way: a new account, and no revocation that could end
// the new grant.
func TestLinkWhileUnlinking(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		old, _ := link(t, s, grant("octocat", "1"))
		check(t, s.HostAdded(t.Context(), old.ID, "h1", old.Version))
		hostDeleteID, _, err := s.Unlink(t.Context(), old.ID)
		check(t, err)
		a, messageID := link(t, s, grant("octocat", "2"))
		if a.ID == old.ID || a.HostID != "" {
			t.Errorf("got %+v, want a new account", a)
		}
		wantPromised(t, s, old.ID, map[string]string{linkedaccount.HostDelete: hostDeleteID})
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostAdd: messageID})
		wantWiped(t, s, old.ID)
		wantStatus(t, s, old.ID, linkedaccount.Unlinking)
		check(t, s.HostDeleted(t.Context(), old.ID, byID(t, s, old.ID).Version))
		wantStatus(t, s, old.ID, linkedaccount.Unlinked)
		wantToken(t, s, a.ID, "2")
	})
}

func TestHostAdded(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		for range 2 { // again is the same
			check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
			if got := byID(t, s, a.ID); got.Status != linkedaccount.Linked || got.HostID != "h1" || got.Version != 2 {
				t.Errorf("got %+v", got)
			}
		}
	})
}

// The host's answer to an add comes when the disconnect is over: its record goes, too.
func TestHostAddedTooLate(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		_, _, err := s.Unlink(t.Context(), a.ID)
		check(t, err)
		check(t, s.HostDeleted(t.Context(), a.ID, byID(t, s, a.ID).Version)) // there was nothing to delete
		check(t, s.Revoked(t.Context(), byID(t, s, a.ID)))
		wantStatus(t, s, a.ID, linkedaccount.Unlinked)
		_, err = s.DB.ExecContext(t.Context(), "DELETE FROM outbox") // all done
		check(t, err)

		check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
		wantStatus(t, s, a.ID, linkedaccount.Unlinking)
		if got := promised(t, s, a.ID); len(got) != 1 || got[linkedaccount.HostDelete] == "" {
			t.Errorf("promised %v, want the deletion at the host", got)
		}
		if got := byID(t, s, a.ID).HostID; got != "h1" {
			t.Errorf("host id %q", got)
		}
		check(t, s.HostDeleted(t.Context(), a.ID, byID(t, s, a.ID).Version))
		wantStatus(t, s, a.ID, linkedaccount.Unlinked)
	})
}

// An account that is being unlinked takes the id of a late answer and is deleted with it.
func TestHostAddedWhileUnlinking(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		hostDeleteID, revokeID, err := s.Unlink(t.Context(), a.ID)
		check(t, err)
		check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
		if got := byID(t, s, a.ID); got.Status != linkedaccount.Unlinking || got.HostID != "h1" {
			t.Errorf("got %+v", got)
		}
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostDelete: hostDeleteID, linkedaccount.Revoke: revokeID})
	})
}

// The host gives the new account the record of the old one: deleting that is off.
func TestHostAddedTakesARecordOver(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		old, _ := link(t, s, grant("octocat", "1"))
		check(t, s.HostAdded(t.Context(), old.ID, "h1", old.Version))
		_, _, err := s.Unlink(t.Context(), old.ID)
		check(t, err)
		stranger, _, err := s.Link(t.Context(), "user-2", authID, grant("octocat", "3"))
		check(t, err)
		check(t, s.HostAdded(t.Context(), stranger.ID, "h1", stranger.Version)) // ids may be per user

		a, _ := link(t, s, grant("octocat", "2"))
		check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
		wantPromised(t, s, old.ID, nil)
		wantStatus(t, s, old.ID, linkedaccount.Unlinked)
		wantStatus(t, s, a.ID, linkedaccount.Linked)
		if got, _, err := s.ByHostID(t.Context(), user, "h1"); got.ID != a.ID || err != nil {
			t.Errorf("h1 is %s, %v, want the new account", got.ID, err)
		}
		if got := byID(t, s, stranger.ID).HostID; got != "h1" {
			t.Errorf("another user's account has lost its host id: %q", got)
		}
	})
}
