package linkedaccount_test

import (
	"slices"
	"testing"

	"linkgate/linkedaccount"
)

func wantRepaired(t *testing.T, s *linkedaccount.Store, a linkedaccount.Account, kind string, want bool) {
	t.Helper()
	if got, err := s.Repair(t.Context(), a, kind); got != want || err != nil {
		t.Errorf("promised %v, %v, want %v", got, err, want)
	}
}

func wantOwed(t *testing.T, s *linkedaccount.Store, id string, want bool) {
	t.Helper()
	if got, err := s.Owed(t.Context(), id); got != want || err != nil {
		t.Errorf("owed %v, %v, want %v", got, err, want)
	}
}

// wantKinds checks which messages an account has.
func wantKinds(t *testing.T, s *linkedaccount.Store, id string, want ...string) {
	t.Helper()
	var got []string
	for kind := range promised(t, s, id) {
		got = append(got, kind)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("promised %q, want %q", got, want)
	}
}

// Users are listed once each, in pages, those whose accounts are history too.
func TestUsers(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		wantUsers := func(after string, limit int, want ...string) {
			t.Helper()
			got, err := s.Users(t.Context(), after, limit)
			check(t, err)
			if !slices.Equal(got, want) {
				t.Errorf("after %q: %q, want %q", after, got, want)
			}
		}
		wantCount := func(want int) {
			t.Helper()
			if got, err := s.CountUsers(t.Context()); got != want || err != nil {
				t.Errorf("%d users, %v, want %d", got, err, want)
			}
		}
		wantUsers("", 10)
		wantCount(0)
		for _, of := range []string{"u3", "u1", "u2", "u1"} {
			a, _, err := s.Link(t.Context(), of, authID, grant("octocat-"+of, "1"))
			check(t, err)
			if of == "u2" {
				_, _, err := s.Unlink(t.Context(), a.ID)
				check(t, err)
			}
		}
		_, _, err := s.Link(t.Context(), "u1", authID, grant("another", "1"))
		check(t, err)
		wantUsers("", 2, "u1", "u2")
		wantUsers("u2", 2, "u3")
		wantUsers("u3", 2)
		wantCount(3)
	})
}

// Every kind of message counts, a dead letter too.
func TestOwed(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		wantOwed(t, s, a.ID, true)
		_, err := s.DB.ExecContext(t.Context(), "UPDATE outbox SET dead_at = 1 WHERE account_id = $1", a.ID)
		check(t, err)
		wantOwed(t, s, a.ID, true)
		done(t, s, a.ID)
		wantOwed(t, s, a.ID, false)
		a = linked(t, s, "hubot")
		wantOwed(t, s, a.ID, false)
		flag(t, s, a.ID) // promises to update
		wantKinds(t, s, a.ID, linkedaccount.HostUpdate)
		wantOwed(t, s, a.ID, true)
		done(t, s, a.ID)
		_, _, err = s.Unlink(t.Context(), a.ID)
		check(t, err)
		for _, kind := range []string{linkedaccount.HostDelete, linkedaccount.Revoke} {
			wantOwed(t, s, a.ID, true)
			_, err = s.DB.ExecContext(t.Context(), "DELETE FROM outbox WHERE account_id = $1 AND kind = $2", a.ID, kind)
			check(t, err)
		}
		wantOwed(t, s, a.ID, false)
	})
}

func TestRepair(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "out of step")
		wantRepaired(t, s, a, linkedaccount.HostUpdate, true)
		wantKinds(t, s, a.ID, linkedaccount.HostUpdate)
		if now := byID(t, s, a.ID); now.Version != a.Version || now.HostID != a.HostID || now.Status != linkedaccount.Linked {
			t.Errorf("got %+v, want it as it was", now)
		}
		wantRepaired(t, s, a, linkedaccount.HostUpdate, false) // it is owed by now
		wantKinds(t, s, a.ID, linkedaccount.HostUpdate)

		b := linked(t, s, "missing")
		wantRepaired(t, s, b, linkedaccount.HostAdd, true)
		wantKinds(t, s, b.ID, linkedaccount.HostAdd)
		wantStatus(t, s, b.ID, linkedaccount.Linking)
		now := byID(t, s, b.ID)
		if now.HostID != "" || now.Version != b.Version+1 {
			t.Errorf("got %+v, want no host id", now)
		}
		check(t, s.HostAdded(t.Context(), b.ID, "h-new", now.Version))
		wantStatus(t, s, b.ID, linkedaccount.Linked)
		if got := opened(t, s, b.ID); got.Credential.AccessToken.Reveal() != "access-1" || got.HostID != "h-new" {
			t.Errorf("got %+v, want the credential as it was, at the new record", got.Account)
		}
	})
}

// Who must sign in again must still, once the host has the record.
func TestRepairKeepsThatTheUserMustSignIn(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		flag(t, s, a.ID)
		done(t, s, a.ID)
		wantRepaired(t, s, byID(t, s, a.ID), linkedaccount.HostAdd, true)
		wantStatus(t, s, a.ID, linkedaccount.ReauthRequired)
		wantKinds(t, s, a.ID, linkedaccount.HostAdd)
	})
}

// What was compared is not what is there any more: nothing is promised, and nothing written.
func TestRepairOfWhatHasChanged(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		for name, change := range map[string]func(linkedaccount.Account){
			"linked again": func(a linkedaccount.Account) { link(t, s, grant(a.Identity.Subject, "2")) },
			"refreshed":    func(a linkedaccount.Account) { saveRefreshed(t, s, opened(t, s, a.ID), "2") },
			"flagged":      func(a linkedaccount.Account) { flag(t, s, a.ID) },
			"at another record": func(a linkedaccount.Account) {
				check(t, s.HostAdded(t.Context(), a.ID, "h-other", a.Version))
			},
			"unlinking": func(a linkedaccount.Account) {
				_, _, err := s.Unlink(t.Context(), a.ID)
				check(t, err)
			},
		} {
			for _, kind := range []string{linkedaccount.HostUpdate, linkedaccount.HostAdd} {
				t.Run(name+" "+kind, func(t *testing.T) {
					a := linked(t, s, name+kind)
					change(a)
					done(t, s, a.ID) // so that it is not for what is owed that nothing is promised
					before := byID(t, s, a.ID)
					wantRepaired(t, s, a, kind, false)
					wantKinds(t, s, a.ID)
					if now := byID(t, s, a.ID); now.Version != before.Version || now.HostID != before.HostID {
						t.Errorf("got %+v, want %+v", now, before)
					}
				})
			}
		}
	})
}

// An account that is being taken back is not added again, whichever version it was read at.
func TestRepairOfWhatIsBeingTakenBack(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		_, _, err := s.Unlink(t.Context(), a.ID)
		check(t, err)
		done(t, s, a.ID)
		wantRepaired(t, s, byID(t, s, a.ID), linkedaccount.HostAdd, false)
		wantStatus(t, s, a.ID, linkedaccount.Unlinking)
		wantKinds(t, s, a.ID)
	})
}
