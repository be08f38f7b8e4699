package linkedaccount_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/linkedaccount"
)

// flag says of an account that its user must sign in again.
func flag(t *testing.T, s *linkedaccount.Store, id string) {
	t.Helper()
	wantFlagged(t, s, opened(t, s, id), true)
	wantStatus(t, s, id, linkedaccount.ReauthRequired)
}

func wantFlagged(t *testing.T, s *linkedaccount.Store, o linkedaccount.Opened, want bool) {
	t.Helper()
	if got, err := s.RequireReauth(t.Context(), o); got != want || err != nil {
		t.Errorf("flagged %v, %v, want %v", got, err, want)
	}
}

// done removes an account's messages, as if they had been handled.
func done(t *testing.T, s *linkedaccount.Store, id string) {
	t.Helper()
	_, err := s.DB.ExecContext(t.Context(), "DELETE FROM outbox WHERE account_id = $1", id)
	check(t, err)
}

func wantUpdatePromised(t *testing.T, s *linkedaccount.Store, id string) {
	t.Helper()
	if got := promised(t, s, id); got[linkedaccount.HostUpdate] == "" || len(got) != 1 {
		t.Errorf("promised %v, want an update at the host alone", got)
	}
}

// Many find out at once that a credential is worth nothing: one of them flags it.
func TestRequireReauth(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		s.Schedule = linkedaccount.Schedule{authID: {}}
		a := linked(t, s, "octocat")
		o := opened(t, s, a.ID)
		wantClaim(t, s, o, "one", time.Hour, true)
		var flagged atomic.Int64
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				is, err := s.RequireReauth(t.Context(), o)
				if err != nil {
					t.Error(err)
				}
				if is {
					flagged.Add(1)
				}
			})
		}
		wg.Wait()
		got := byID(t, s, a.ID)
		if flagged.Load() != 1 || got.Status != linkedaccount.ReauthRequired || got.Version != a.Version+1 {
			t.Errorf("%d of them flagged it: %s at version %d, want one, and version %d", flagged.Load(), got.Status, got.Version, a.Version+1)
		}
		if got := refreshingOf(t, s, a.ID); got != (refreshing{}) {
			t.Errorf("%+v is left, want no claim, and never due", got)
		}
		wantUpdatePromised(t, s, a.ID)
	})
}

// That an older credential is worth nothing, or one that is being taken back, concerns nobody.
func TestRequireReauthTooLate(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		for name, change := range map[string]func(linkedaccount.Opened){
			"refreshed":    func(o linkedaccount.Opened) { saveRefreshed(t, s, o, "2") },
			"linked again": func(o linkedaccount.Opened) { link(t, s, grant(o.Identity.Subject, "2")) },
			"flagged":      func(o linkedaccount.Opened) { flag(t, s, o.ID) },
			"unlinking": func(o linkedaccount.Opened) {
				_, _, err := s.Unlink(t.Context(), o.ID)
				check(t, err)
			},
		} {
			t.Run(name, func(t *testing.T) {
				o := opened(t, s, linked(t, s, name).ID)
				change(o)
				before, messages := byID(t, s, o.ID), promised(t, s, o.ID)
				wantFlagged(t, s, o, false)
				if got := byID(t, s, o.ID); got.Version != before.Version || got.Status != before.Status {
					t.Errorf("changed from %+v to %+v", before, got)
				}
				wantPromised(t, s, o.ID, messages)
			})
		}
	})
}

// Linking again clears it: in the same row, with the host's id.
func TestLinkClearsReauth(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		flag(t, s, a.ID)
		if got, err := s.BySubject(t.Context(), user, authID, "octocat"); got.ID != a.ID || err != nil {
			t.Errorf("BySubject: %s, %v, want %s", got.ID, err, a.ID)
		}
		again, hostAddID := link(t, s, grant("octocat", "2"))
		if again.ID != a.ID || again.HostID != a.HostID || again.Status != linkedaccount.Linking {
			t.Errorf("got %+v, want the same account, linking", again)
		}
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostAdd: hostAddID})
		check(t, s.HostAdded(t.Context(), a.ID, a.HostID, again.Version))
		wantStatus(t, s, a.ID, linkedaccount.Linked)
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostAdd: hostAddID})
	})
}

// Flagged before the host has heard of the account: whatever it was told, it learns what is so.
func TestReauthWhileLinking(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		for name, start := range map[string]func(subject string) linkedaccount.Account{
			"at first": func(subject string) linkedaccount.Account {
				a, _ := link(t, s, grant(subject, "1"))
				return a
			},
			"again": func(subject string) linkedaccount.Account {
				linked(t, s, subject)
				a, _ := link(t, s, grant(subject, "2"))
				return a
			},
		} {
			hostID := "h-" + name
			t.Run("linked "+name+", the host not told yet", func(t *testing.T) {
				a := start(name)
				before := promised(t, s, a.ID)
				flag(t, s, a.ID)
				wantPromised(t, s, a.ID, before) // the promise to add it tells
				check(t, s.HostAdded(t.Context(), a.ID, hostID, byID(t, s, a.ID).Version))
				wantStatus(t, s, a.ID, linkedaccount.ReauthRequired)
				wantPromised(t, s, a.ID, before)
			})
			t.Run("linked "+name+", the host being told", func(t *testing.T) {
				a := start(name)
				flag(t, s, a.ID)
				done(t, s, a.ID)
				check(t, s.HostAdded(t.Context(), a.ID, hostID, a.Version))
				if got := byID(t, s, a.ID); got.Status != linkedaccount.ReauthRequired || got.HostID != hostID {
					t.Errorf("%s with host id %q, want it flagged, with %s", got.Status, got.HostID, hostID)
				}
				wantUpdatePromised(t, s, a.ID)
			})
		}
	})
}

// The host was told the truth of a moment ago: of an account that has changed twice since.
func TestHostAddedOfAnOlderAccount(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
		saveRefreshed(t, s, opened(t, s, a.ID), "2")
		done(t, s, a.ID)
		check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
		wantUpdatePromised(t, s, a.ID)
	})
}

func TestHostRefusedAfterReauth(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		flag(t, s, a.ID)
		revokeID, err := s.HostRefused(t.Context(), a.ID, a.Version)
		if revokeID == "" || err != nil {
			t.Errorf("got message %q, %v, want a revocation", revokeID, err)
		}
		wantStatus(t, s, a.ID, linkedaccount.Refused)
	})
}

func TestUnlinkAfterReauth(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		flag(t, s, a.ID)
		hostDeleteID, revokeID, err := s.Unlink(t.Context(), a.ID)
		check(t, err)
		wantStatus(t, s, a.ID, linkedaccount.Unlinking)
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostDelete: hostDeleteID, linkedaccount.Revoke: revokeID})
		if _, c, err := s.Revocable(t.Context(), a.ID); c.AccessToken.Reveal() != "access-1" || err != nil {
			t.Errorf("its credential is not to be revoked: %v", err)
		}
	})
}

// Flagged by somebody who was mistaken: a refresh that was under way has brought a credential.
func TestRefreshedAfterReauth(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		s.Schedule = linkedaccount.Schedule{authID: {}}
		known := linked(t, s, "octocat")
		o := opened(t, s, known.ID)
		flag(t, s, known.ID)
		done(t, s, known.ID)
		saveRefreshed(t, s, o, "2")
		wantStatus(t, s, known.ID, linkedaccount.Linked)
		wantUpdatePromised(t, s, known.ID)
		if refreshingOf(t, s, known.ID).RefreshAt == 0 {
			t.Error("it is never to be refreshed again")
		}

		unknown, hostAddID := link(t, s, grant("hubot", "1"))
		o = opened(t, s, unknown.ID)
		flag(t, s, unknown.ID)
		saveRefreshed(t, s, o, "2")
		wantStatus(t, s, unknown.ID, linkedaccount.Linking)
		wantPromised(t, s, unknown.ID, map[string]string{linkedaccount.HostAdd: hostAddID})
	})
}
