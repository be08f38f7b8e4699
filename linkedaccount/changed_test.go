package linkedaccount_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"linkgate/linkedaccount"
)

// Whoever is told of a change finds it in the store; also that an account is gone.
func TestChangedIsToldAfterwards(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		var told []string
		s.Changed = func(a linkedaccount.Account) {
			told = append(told, a.Identity.Subject)
			now, err := s.ByID(t.Context(), a.ID)
			if isGone := errors.Is(err, linkedaccount.ErrNotFound); !isGone && (err != nil || now.Version < a.Version) {
				t.Errorf("told of version %d, and found %d, %v", a.Version, now.Version, err)
			}
			if a.HostUserID != user || a.AuthID != authID {
				t.Errorf("told of %+v", a)
			}
		}
		want := func(what string, want ...string) {
			t.Helper()
			slices.Sort(told)
			if !slices.Equal(told, want) {
				t.Errorf("%s: told of %q, want %q", what, told, want)
			}
			told = nil
		}
		a, _ := link(t, s, grant("octocat", "1"))
		want("a new account", "octocat")
		check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
		want("the host has answered", "octocat")
		check(t, s.HostAdded(t.Context(), a.ID, "h1", byID(t, s, a.ID).Version))
		want("again")
		o := opened(t, s, a.ID)
		wantClaim(t, s, o, "one", time.Hour, true)
		check(t, s.Unclaim(t.Context(), a.ID, "one"))
		want("a claim")
		saveRefreshed(t, s, o, "2")
		want("a refresh", "octocat")
		wantOvertaken(t, s, o)
		want("nothing saved")
		flag(t, s, a.ID)
		want("to be signed in again", "octocat")

		b, _ := link(t, s, grant("hubot", "1"))
		want("another account", "hubot")
		check(t, s.HostAdded(t.Context(), b.ID, "h1", b.Version))
		want("it takes a record over", "hubot", "octocat")

		c, _ := link(t, s, grant("refused", "1"))
		_, err := s.HostRefused(t.Context(), c.ID, c.Version)
		check(t, err)
		told = nil
		check(t, s.Revoked(t.Context(), c))
		want("deleted", "refused")
	})
}

// A transaction whose end is not known may have happened.
func TestChangedIsToldWhenItSeemsToHaveFailed(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		_, err := s.DB.ExecContext(t.Context(), "DROP TABLE outbox") // fails after the row is written
		check(t, err)
		told := 0
		s.Changed = func(linkedaccount.Account) { told++ }
		if _, _, err := s.Unlink(t.Context(), a.ID); err == nil {
			t.Error("no error")
		}
		if told != 1 {
			t.Errorf("told %d times, want once", told)
		}
	})
}
