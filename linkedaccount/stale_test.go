package linkedaccount_test

import (
	"testing"

	"linkgate/linkedaccount"
)

// What the host answered about an earlier linking does not count for the one that came between.
func TestHostAddedBeforeRelink(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		first, _ := link(t, s, grant("octocat", "1"))
		second, messageID := link(t, s, grant("octocat", "2"))
		check(t, s.HostAdded(t.Context(), first.ID, "h1", first.Version))
		got := byID(t, s, first.ID)
		if got.Status != linkedaccount.Linking || got.HostID != "h1" {
			t.Errorf("after the late answer: %s with host id %q, want linking with h1", got.Status, got.HostID)
		}
		wantPromised(t, s, first.ID, map[string]string{linkedaccount.HostAdd: messageID})

		// That the late answer changed the row says nothing about the credential.
		check(t, s.HostAdded(t.Context(), first.ID, "h1", second.Version))
		wantStatus(t, s, first.ID, linkedaccount.Linked)
	})
}

func TestHostRefusedBeforeRelink(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		first, _ := link(t, s, grant("octocat", "1"))
		_, messageID := link(t, s, grant("octocat", "2"))
		revokeID, err := s.HostRefused(t.Context(), first.ID, first.Version)
		if revokeID != "" || err != nil {
			t.Errorf("got message %q, %v, want none", revokeID, err)
		}
		wantStatus(t, s, first.ID, linkedaccount.Linking)
		wantPromised(t, s, first.ID, map[string]string{linkedaccount.HostAdd: messageID})
	})
}

// Refused, linked again, refused again: what was begun for the first credential comes late.
func TestTakenBackBeforeRelink(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		refuse := func(a linkedaccount.Account) linkedaccount.Account {
			t.Helper()
			_, err := s.HostRefused(t.Context(), a.ID, a.Version)
			check(t, err)
			return byID(t, s, a.ID)
		}
		first := refuse(linkedAgain(t, s, "1"))
		second := refuse(linkedAgain(t, s, "2"))

		check(t, s.Revoked(t.Context(), first))
		check(t, s.HostDeleted(t.Context(), first.ID, first.Version))
		got, c, err := s.Revocable(t.Context(), first.ID)
		check(t, err)
		if got.HostDeleted || c.AccessToken.Reveal() != "access-2" {
			t.Errorf("late reports count: host deleted %v", got.HostDeleted)
		}

		// The row's version grows with the first report; the second is still about this credential.
		check(t, s.HostDeleted(t.Context(), first.ID, second.Version))
		if !byID(t, s, first.ID).HostDeleted {
			t.Error("HostDeleted is not set")
		}
		check(t, s.Revoked(t.Context(), got))
		if _, err := s.ByID(t.Context(), first.ID); err == nil {
			t.Error("the refused account is kept")
		}
	})
}

// linkedAgain links octocat, whose record the host has already.
func linkedAgain(t *testing.T, s *linkedaccount.Store, token string) linkedaccount.Account {
	t.Helper()
	a, _ := link(t, s, grant("octocat", token))
	check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
	a, _ = link(t, s, grant("octocat", token))
	if a.HostDeleted {
		t.Error("linked again, and HostDeleted")
	}
	return a
}

func TestDeletionPending(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		want := func(a linkedaccount.Account, want bool) {
			t.Helper()
			if got, err := s.DeletionPending(t.Context(), a); got != want || err != nil {
				t.Errorf("got %v, %v, want %v", got, err, want)
			}
		}
		old, _ := link(t, s, grant("octocat", "1"))
		want(old, false)
		_, _, err := s.Unlink(t.Context(), old.ID)
		check(t, err)
		want(old, false) // it is not another one

		g := grant("octocat", "2")
		g.Identity.Issuer = "https://other.example" // the host's record does not tell
		a, _ := link(t, s, g)
		want(a, true)
		for name, other := range map[string]struct{ user, authID, subject string }{
			"user":       {"user-2", authID, "octocat"},
			"connection": {user, "9a01", "octocat"},
			"subject":    {user, authID, "hubot"},
		} {
			b, _, err := s.Link(t.Context(), other.user, other.authID, grant(other.subject, "1"))
			check(t, err)
			if got, err := s.DeletionPending(t.Context(), b); got || err != nil {
				t.Errorf("another %s: %v, %v", name, got, err)
			}
		}
		check(t, s.HostDeleted(t.Context(), old.ID, old.Version))
		want(a, false)
	})
}

// What was taken back of the credential before says nothing about the new one.
func TestRelinkStartsAnew(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linkedAgain(t, s, "1")
		_, err := s.HostRefused(t.Context(), a.ID, a.Version)
		check(t, err)
		check(t, s.Revoked(t.Context(), a)) // while the host has yet to delete
		a = linkedAgain(t, s, "2")
		_, _, err = s.Unlink(t.Context(), a.ID)
		check(t, err)
		if _, c, err := s.Revocable(t.Context(), a.ID); c.AccessToken.Reveal() != "access-2" || err != nil {
			t.Errorf("the new credential is not to be revoked: %v", err)
		}
	})
}
