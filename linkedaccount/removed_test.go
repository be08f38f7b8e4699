package linkedaccount_test

import (
	"sync"
	"testing"

	"linkgate/linkedaccount"
)

// TestRemoved: every host user's account with that id at that connection, and no other.
func TestRemoved(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		linkAs := func(hostUser, auth, subject string) linkedaccount.Account {
			a, _, err := s.Link(t.Context(), hostUser, auth, grant(subject, "1"))
			check(t, err)
			return a
		}
		mine := linked(t, s, "app-1")
		theirs := linkAs("another", authID, "app-1") // its add is still under way
		others := []linkedaccount.Account{linkAs(user, authID, "app-2"), linkAs(user, "elsewhere", "app-1")}

		removed, err := s.Removed(t.Context(), authID, "app-1")
		check(t, err)
		if len(removed) != 2 || removed[0].Account.ID != mine.ID || removed[1].Account.ID != theirs.ID {
			t.Fatalf("removed %+v, want %s and %s", removed, mine.ID, theirs.ID)
		}
		for _, r := range removed {
			wantStatus(t, s, r.Account.ID, linkedaccount.Unlinking)
			wantPromised(t, s, r.Account.ID, map[string]string{linkedaccount.HostDelete: r.HostDeleteID})
			wantWiped(t, s, r.Account.ID)
			check(t, s.HostDeleted(t.Context(), r.Account.ID, r.Account.Version))
			wantStatus(t, s, r.Account.ID, linkedaccount.Unlinked)
		}
		for _, a := range others {
			wantStatus(t, s, a.ID, linkedaccount.Linking)
			wantToken(t, s, a.ID, "1")
		}
		for _, subject := range []string{"app-1", "app-3", "", "app-2\x00", "app-2\xff"} {
			if removed, err := s.Removed(t.Context(), authID, subject); len(removed) != 0 || err != nil {
				t.Errorf("%q: removed %+v, %v, want nothing", subject, removed, err)
			}
		}
	})
}

// TestRemovedWhileUnlinking leaves a disconnect to itself: its own revocation makes services call.
func TestRemovedWhileUnlinking(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "app-1")
		hostDeleteID, revokeID, err := s.Unlink(t.Context(), a.ID)
		check(t, err)
		if removed, err := s.Removed(t.Context(), authID, "app-1"); len(removed) != 0 || err != nil {
			t.Errorf("removed %+v, %v, want nothing", removed, err)
		}
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostDelete: hostDeleteID, linkedaccount.Revoke: revokeID})
		wantToken(t, s, a.ID, "1")
	})
}

// TestRemovedThenLinkedAgain: what is linked afterwards is another account, and stays.
func TestRemovedThenLinkedAgain(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "app-1")
		removed, err := s.Removed(t.Context(), authID, "app-1")
		check(t, err)
		again, _ := link(t, s, grant("app-1", "2"))
		check(t, s.HostDeleted(t.Context(), a.ID, removed[0].Account.Version))
		wantStatus(t, s, a.ID, linkedaccount.Unlinked)
		wantStatus(t, s, again.ID, linkedaccount.Linking)
		wantToken(t, s, again.ID, "2")
	})
}

func TestRemovedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "app-1")
		var mu sync.Mutex
		var all []linkedaccount.Removal
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				removed, err := s.Removed(t.Context(), authID, "app-1")
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, removed...)
			})
		}
		wg.Wait()
		if len(all) != 1 {
			t.Fatalf("removed %d times, want once", len(all))
		}
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostDelete: all[0].HostDeleteID})
	})
}
