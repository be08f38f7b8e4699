package linkedaccount_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// opened reads an account with its credential.
func opened(t *testing.T, s *linkedaccount.Store, id string) linkedaccount.Opened {
	t.Helper()
	o, err := s.Open(t.Context(), id)
	check(t, err)
	return o
}

// brought is what a refresh brings.
func brought(token string) provider.Refreshed {
	return provider.Refreshed{Credential: grant("", token).Credential}
}

func saveRefreshed(t *testing.T, s *linkedaccount.Store, o linkedaccount.Opened, token string) linkedaccount.Opened {
	t.Helper()
	saved, err := s.SaveRefreshed(t.Context(), o, brought(token), false, false)
	check(t, err)
	return saved
}

func wantOvertaken(t *testing.T, s *linkedaccount.Store, o linkedaccount.Opened) {
	t.Helper()
	if _, err := s.SaveRefreshed(t.Context(), o, brought("late"), true, true); !errors.Is(err, linkedaccount.ErrOvertaken) {
		t.Errorf("got %v, want ErrOvertaken", err)
	}
}

// refreshing is what the row of an account says of refreshes.
type refreshing struct {
	ClaimedBy            string
	ClaimedAt, RefreshAt int64
}

func refreshingOf(t *testing.T, s *linkedaccount.Store, id string) (r refreshing) {
	t.Helper()
	check(t, s.DB.QueryRowContext(t.Context(), "SELECT claimed_by, claimed_at, refresh_at FROM linked_accounts WHERE id = $1", id).
		Scan(&r.ClaimedBy, &r.ClaimedAt, &r.RefreshAt))
	return r
}

func TestSaveRefreshed(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		now := time.UnixMilli(1_800_000_000_000).UTC()
		s.Now = func() time.Time { return now }
		s.Schedule = linkedaccount.Schedule{authID: {}}
		before := linked(t, s, "octocat")
		o := opened(t, s, before.ID)
		wantClaim(t, s, o, "one", time.Minute, true)
		n := brought("2")
		n.Credential.ExpiresAt = now.Add(time.Hour)
		n.Scopes, n.Missing = []string{"gist"}, nil
		now = now.Add(time.Second)
		saved, err := s.SaveRefreshed(t.Context(), o, n, false, true)
		check(t, err)

		want := before
		want.Version, want.TokenVersion = before.Version+1, before.TokenVersion+1
		want.UpdatedAt, want.UsedAt, want.ExpiresAt = now, now, n.Credential.ExpiresAt
		want.Scopes, want.Missing = n.Scopes, nil
		for name, got := range map[string]linkedaccount.Opened{"returned": saved, "read": opened(t, s, before.ID)} {
			if diff := cmp.Diff(linkedaccount.Opened{Account: want, Credential: n.Credential}, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		due := n.Credential.ExpiresAt.Add(-time.Minute).UnixMilli()
		if got := refreshingOf(t, s, before.ID); got.ClaimedBy != "" || got.ClaimedAt != 0 || got.RefreshAt != due {
			t.Errorf("got %+v, want no claim, and due at %d", got, due)
		}
		wantPromised(t, s, before.ID, nil)
	})
}

func TestSaveRefreshedLeavesTheRest(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		before := linked(t, s, "octocat")
		saved := saveRefreshed(t, s, opened(t, s, before.ID), "2")
		if !cmp.Equal(saved.Scopes, before.Scopes) || !cmp.Equal(saved.Missing, before.Missing) || !saved.UsedAt.IsZero() {
			t.Errorf("scopes %q and %q, used at %v; want all as before", saved.Scopes, saved.Missing, saved.UsedAt)
		}
		if got := refreshingOf(t, s, before.ID); got.RefreshAt != 0 {
			t.Errorf("due at %d without a schedule", got.RefreshAt)
		}
	})
}

// What was read before another credential took its place is not saved.
func TestSaveRefreshedTooLate(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		first := opened(t, s, a.ID)
		second := saveRefreshed(t, s, first, "2")
		wantOvertaken(t, s, first)
		wantToken(t, s, a.ID, "2")

		again, hostAddID := link(t, s, grant("octocat", "3"))
		wantOvertaken(t, s, second)
		wantToken(t, s, a.ID, "3")
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostAdd: hostAddID})
		if got := byID(t, s, a.ID); got.Version != again.Version {
			t.Errorf("version %d, want it to stay %d", got.Version, again.Version)
		}
	})
}

// The host's answer has nothing to do with the credential, nor the other way round.
func TestSaveRefreshedBesideTheHost(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, hostAddID := link(t, s, grant("octocat", "1"))
		first := opened(t, s, a.ID)
		check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
		saveRefreshed(t, s, first, "2")
		got := byID(t, s, a.ID)
		if got.Status != linkedaccount.Linked || got.HostID != "h1" {
			t.Errorf("%s with host id %q, want linked with h1", got.Status, got.HostID)
		}
		wantToken(t, s, a.ID, "2")
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostAdd: hostAddID})

		b, _ := link(t, s, grant("hubot", "1"))
		saveRefreshed(t, s, opened(t, s, b.ID), "2")
		check(t, s.HostAdded(t.Context(), b.ID, "h2", b.Version)) // was told of the first credential
		wantStatus(t, s, b.ID, linkedaccount.Linked)
		wantToken(t, s, b.ID, "2")
		if promised(t, s, b.ID)[linkedaccount.HostUpdate] == "" {
			t.Error("the host was told of an older credential, and no update is promised")
		}
	})
}

// The host is told of a credential that is shared with it, once it knows the account.
func TestSaveRefreshedTellsTheHost(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		known := linked(t, s, "octocat")
		unknown, hostAddID := link(t, s, grant("hubot", "1"))
		for _, token := range []string{"2", "3"} { // one message, however often
			for _, a := range []linkedaccount.Account{known, unknown} {
				_, err := s.SaveRefreshed(t.Context(), opened(t, s, a.ID), brought(token), true, false)
				check(t, err)
			}
		}
		if got := promised(t, s, known.ID); got[linkedaccount.HostUpdate] == "" || len(got) != 1 {
			t.Errorf("promised %v, want an update at the host", got)
		}
		wantPromised(t, s, unknown.ID, map[string]string{linkedaccount.HostAdd: hostAddID})
		wantStatus(t, s, unknown.ID, linkedaccount.Linking)
	})
}

// Taken back while the refresh was under way, however far: it is the newest credential that is
// revoked, before the account is done with.
func TestSaveRefreshedWhileTakenBack(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		s.Schedule = linkedaccount.Schedule{authID: {}}
		unlink := func(a linkedaccount.Account) {
			_, _, err := s.Unlink(t.Context(), a.ID)
			check(t, err)
		}
		revoked := func(a linkedaccount.Account) { check(t, s.Revoked(t.Context(), a)) }
		hostDeleted := func(a linkedaccount.Account) { check(t, s.HostDeleted(t.Context(), a.ID, a.Version)) }
		hostRefused := func(a linkedaccount.Account) {
			again, _ := link(t, s, grant(a.Identity.Subject, "1"))
			_, err := s.HostRefused(t.Context(), a.ID, again.Version)
			check(t, err)
		}
		type step = func(linkedaccount.Account)
		for _, tt := range []struct {
			name   string
			before []step // the account is read
			while  []step // the refresh is under way
			after  []step
			gone   bool // in the end
		}{
			{"unlinking", nil, []step{unlink}, []step{hostDeleted, revoked}, false},
			{"unlinking, deleted at the host", nil, []step{unlink, hostDeleted}, []step{revoked}, false},
			{"unlinking, revoked", nil, []step{unlink, revoked}, []step{hostDeleted, revoked}, false},
			{"unlinked", nil, []step{unlink, revoked, hostDeleted}, []step{revoked}, false},
			{"refused", []step{hostRefused}, nil, []step{hostDeleted, revoked}, true},
			{"refused, revoked", []step{hostRefused}, []step{revoked}, []step{revoked, hostDeleted}, true},
			{"refused and gone", []step{hostRefused}, []step{revoked, hostDeleted}, []step{revoked}, false},
		} {
			t.Run(tt.name, func(t *testing.T) {
				a := linked(t, s, tt.name)
				do := func(steps []step) {
					for _, step := range steps {
						now, err := s.ByID(t.Context(), a.ID)
						check(t, err)
						step(now)
					}
				}
				do(tt.before)
				o := opened(t, s, a.ID)
				do(tt.while)
				_, err := s.DB.ExecContext(t.Context(), "DELETE FROM outbox WHERE account_id = $1", a.ID)
				check(t, err)
				saveRefreshed(t, s, o, "2")
				if promised(t, s, a.ID)[linkedaccount.Revoke] == "" {
					t.Error("no revocation is promised")
				}
				if got := refreshingOf(t, s, a.ID).RefreshAt; got != 0 {
					t.Errorf("due to be refreshed at %d", got)
				}
				revoked(o.Account) // a late report about the credential before
				_, c, err := s.Revocable(t.Context(), a.ID)
				if c.AccessToken.Reveal() != "access-2" || err != nil {
					t.Fatalf("the new credential is not to be revoked: %v", err)
				}
				do(tt.after)
				if tt.gone {
					if _, err := s.ByID(t.Context(), a.ID); !errors.Is(err, linkedaccount.ErrNotFound) {
						t.Errorf("got %v, want ErrNotFound", err)
					}
					return
				}
				wantStatus(t, s, a.ID, linkedaccount.Unlinked)
				wantWiped(t, s, a.ID)
			})
		}
	})
}

// What is taken back is not refreshed any more.
func TestTakenBackIsNeverDue(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		s.Schedule = linkedaccount.Schedule{authID: {}}
		for name, takeBack := range map[string]func(linkedaccount.Account) error{
			"unlinked": func(a linkedaccount.Account) error { _, _, err := s.Unlink(t.Context(), a.ID); return err },
			"refused":  func(a linkedaccount.Account) error { _, err := s.HostRefused(t.Context(), a.ID, a.Version); return err },
		} {
			a, _ := link(t, s, grant(name, "1"))
			if refreshingOf(t, s, a.ID).RefreshAt == 0 {
				t.Error("never due when linked")
			}
			check(t, takeBack(a))
			if got := refreshingOf(t, s, a.ID).RefreshAt; got != 0 {
				t.Errorf("%s: due at %d", name, got)
			}
		}
	})
}

// A revocation could end the grant that the user has given anew since.
func TestSaveRefreshedOfAGrantThatIsRenewed(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		old := linked(t, s, "octocat")
		o := opened(t, s, old.ID)
		hostDeleteID, _, err := s.Unlink(t.Context(), old.ID)
		check(t, err)
		a, _ := link(t, s, grant("octocat", "2"))
		for range 2 { // while unlinking, and unlinked
			wantOvertaken(t, s, o)
			wantWiped(t, s, old.ID)
			wantPromised(t, s, old.ID, map[string]string{linkedaccount.HostDelete: hostDeleteID})
			check(t, s.HostDeleted(t.Context(), old.ID, old.Version))
		}
		wantStatus(t, s, old.ID, linkedaccount.Unlinked)
		wantToken(t, s, a.ID, "2")
	})
}
