package linkedaccount_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"linkgate/linkedaccount"
)

// linked links and completes an account with the host id "h-" and the subject.
func linked(t *testing.T, s *linkedaccount.Store, subject string) linkedaccount.Account {
	t.Helper()
	a, _ := link(t, s, grant(subject, "1"))
	check(t, s.HostAdded(t.Context(), a.ID, "h-"+subject, a.Version))
	// The handler is done with it.
	_, err := s.DB.ExecContext(t.Context(), "DELETE FROM outbox WHERE account_id = $1", a.ID)
	check(t, err)
	return byID(t, s, a.ID)
}

func TestUnlinkIsDoneWhenBothAre(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		type step = func(linkedaccount.Account) error
		hostDeleted := func(a linkedaccount.Account) error { return s.HostDeleted(t.Context(), a.ID, a.Version) }
		revoked := func(a linkedaccount.Account) error { return s.Revoked(t.Context(), a) }
		for name, steps := range map[string][]step{
			"host first":    {hostDeleted, hostDeleted, revoked, revoked},
			"service first": {revoked, revoked, hostDeleted, hostDeleted},
		} {
			t.Run(name, func(t *testing.T) {
				a := linked(t, s, name) // what is reported later is about this version's credential
				hostDeleteID, revokeID, err := s.Unlink(t.Context(), a.ID)
				check(t, err)
				if hostDeleteID == "" || revokeID == "" {
					t.Errorf("messages %q and %q", hostDeleteID, revokeID)
				}
				wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostDelete: hostDeleteID, linkedaccount.Revoke: revokeID})
				for i, step := range steps {
					if i < 2 {
						wantStatus(t, s, a.ID, linkedaccount.Unlinking)
						wantToken(t, s, a.ID, "1")
					}
					check(t, step(a))
				}
				wantStatus(t, s, a.ID, linkedaccount.Unlinked)
				wantWiped(t, s, a.ID)
				if got, _, err := s.ByHostID(t.Context(), user, a.HostID); got.ID != a.ID || err != nil {
					t.Errorf("the history does not know the host's id: %s, %v", got.ID, err)
				}
			})
		}
	})
}

func TestUnlinkAgain(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		hostDeleteID, revokeID, err := s.Unlink(t.Context(), a.ID)
		check(t, err)
		wantUnlink(t, s, a.ID, hostDeleteID, revokeID)
		_, err = s.DB.ExecContext(t.Context(), "DELETE FROM outbox WHERE id = $1", hostDeleteID) // done
		check(t, err)
		wantUnlink(t, s, a.ID, "", revokeID)
		check(t, s.HostDeleted(t.Context(), a.ID, a.Version))
		check(t, s.Revoked(t.Context(), a))
		_, err = s.DB.ExecContext(t.Context(), "DELETE FROM outbox")
		check(t, err)
		wantUnlink(t, s, a.ID, "", "")
		wantPromised(t, s, a.ID, nil)
		wantStatus(t, s, a.ID, linkedaccount.Unlinked)
	})
}

func wantUnlink(t *testing.T, s *linkedaccount.Store, id, wantHostDelete, wantRevoke string) {
	t.Helper()
	hostDeleteID, revokeID, err := s.Unlink(t.Context(), id)
	if hostDeleteID != wantHostDelete || revokeID != wantRevoke || err != nil {
		t.Errorf("Unlink = %q, %q, %v, want %q, %q", hostDeleteID, revokeID, err, wantHostDelete, wantRevoke)
	}
}

func TestUnlinkAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		answers := make([]string, 20)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() {
				hostDeleteID, revokeID, err := s.Unlink(t.Context(), a.ID)
				if err != nil {
					t.Error(err)
				}
				answers[i] = hostDeleteID + " " + revokeID
			})
		}
		wg.Wait()
		messages := promised(t, s, a.ID)
		for _, got := range answers {
			if want := messages[linkedaccount.HostDelete] + " " + messages[linkedaccount.Revoke]; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if got := byID(t, s, a.ID).Version; got != a.Version+1 {
			t.Errorf("version %d, want one more than %d", got, a.Version)
		}
	})
}

func TestUnlinkDropsTheAdd(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, _ := link(t, s, grant("octocat", "1"))
		hostDeleteID, revokeID, err := s.Unlink(t.Context(), a.ID)
		check(t, err)
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostDelete: hostDeleteID, linkedaccount.Revoke: revokeID})
	})
}

func TestRevocable(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		_, _, err := s.Unlink(t.Context(), a.ID)
		check(t, err)
		got, c, err := s.Revocable(t.Context(), a.ID)
		if got.ID != a.ID || got.Status != linkedaccount.Unlinking || c.AccessToken.Reveal() != "access-1" || err != nil {
			t.Errorf("got %+v, %v", got, err)
		}
		check(t, s.Revoked(t.Context(), a))
		if _, _, err := s.Revocable(t.Context(), a.ID); !errors.Is(err, linkedaccount.ErrNotFound) {
			t.Errorf("revoked: got %v, want ErrNotFound", err)
		}
	})
}

func TestHostRefused(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, hostAddID := link(t, s, grant("octocat", "1"))
		revokeID, err := s.HostRefused(t.Context(), a.ID, a.Version)
		check(t, err)
		wantStatus(t, s, a.ID, linkedaccount.Refused)
		// The add is the message being handled: its own end removes it.
		wantPromised(t, s, a.ID, map[string]string{linkedaccount.HostAdd: hostAddID, linkedaccount.Revoke: revokeID})
		if again, err := s.HostRefused(t.Context(), a.ID, a.Version); again != revokeID || err != nil {
			t.Errorf("again: %q, %v, want %q", again, err, revokeID)
		}
		wantUnlink(t, s, a.ID, "", revokeID)
		for range 2 {
			check(t, s.Revoked(t.Context(), a))
			if _, err := s.ByID(t.Context(), a.ID); !errors.Is(err, linkedaccount.ErrNotFound) {
				t.Errorf("got %v, want ErrNotFound: nothing is kept", err)
			}
		}
	})
}

// The host refuses an update of a record that it has: the record goes as well.
func TestHostRefusedAfterLinked(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		linked(t, s, "octocat")
		a, _ := link(t, s, grant("octocat", "2"))
		revokeID, err := s.HostRefused(t.Context(), a.ID, a.Version)
		check(t, err)
		got := promised(t, s, a.ID)
		if got[linkedaccount.Revoke] != revokeID || got[linkedaccount.HostDelete] == "" {
			t.Errorf("promised %v, want the deletion at the host too", got)
		}
		check(t, s.Revoked(t.Context(), a))
		wantStatus(t, s, a.ID, linkedaccount.Refused)
		check(t, s.HostDeleted(t.Context(), a.ID, a.Version))
		if _, err := s.ByID(t.Context(), a.ID); !errors.Is(err, linkedaccount.ErrNotFound) {
			t.Errorf("got %v, want ErrNotFound", err)
		}
	})
}

// Late and repeated reports change nothing about an account that they are not about.
func TestReportsOutOfTurn(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		reports := map[string]func(linkedaccount.Account) error{
			"HostDeleted": func(a linkedaccount.Account) error { return s.HostDeleted(t.Context(), a.ID, a.Version) },
			"Revoked":     func(a linkedaccount.Account) error { return s.Revoked(t.Context(), a) },
			"HostRefused": func(a linkedaccount.Account) error {
				revokeID, err := s.HostRefused(t.Context(), a.ID, a.Version)
				if revokeID != "" {
					t.Errorf("message %s", revokeID)
				}
				return err
			},
		}
		for name, report := range reports {
			for _, status := range []linkedaccount.Status{linkedaccount.Linking, linkedaccount.Linked, linkedaccount.Unlinked} {
				if name == "HostRefused" && status == linkedaccount.Linking {
					continue // its turn
				}
				t.Run(name+" when "+string(status), func(t *testing.T) {
					a := in(t, s, status, name)
					check(t, report(a))
					if got := byID(t, s, a.ID); got.Status != status || got.Version != a.Version {
						t.Errorf("changed to %+v", got)
					}
				})
			}
		}
		check(t, s.HostDeleted(t.Context(), "acc_gone", 1))
		check(t, s.Revoked(t.Context(), linkedaccount.Account{ID: "acc_gone"}))
	})
}

// in makes an account with a status.
func in(t *testing.T, s *linkedaccount.Store, status linkedaccount.Status, name string) linkedaccount.Account {
	t.Helper()
	subject := strings.Join([]string{name, string(status)}, "-")
	switch status {
	case linkedaccount.Linking:
		a, _ := link(t, s, grant(subject, "1"))
		return a
	case linkedaccount.Linked:
		return linked(t, s, subject)
	}
	a := linked(t, s, subject)
	_, _, err := s.Unlink(t.Context(), a.ID)
	check(t, err)
	check(t, s.HostDeleted(t.Context(), a.ID, a.Version))
	check(t, s.Revoked(t.Context(), a))
	_, err = s.DB.ExecContext(t.Context(), "DELETE FROM outbox WHERE account_id = $1", a.ID)
	check(t, err)
	return byID(t, s, a.ID)
}
