package linkedaccount_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/event"
	"linkgate/linkedaccount"
)

// told lists what s has told since the sequence that it is given, type and what is told beside the account.
func told(t *testing.T, s *linkedaccount.Store, after *int64) (lines []string) {
	t.Helper()
	events, err := (&event.Log{DB: s.DB}).After(t.Context(), *after, 1000)
	check(t, err)
	for _, e := range events {
		*after = e.Sequence
		line := string(e.Type) + " " + e.Data["status"]
		for _, key := range []string{"reason", "component_id"} {
			if e.Data[key] != "" {
				line += " " + e.Data[key]
			}
		}
		if e.HostUserID != user || e.AuthID != authID || e.AccountID == "" {
			t.Errorf("%s is about %q, %q, %q", line, e.AccountID, e.HostUserID, e.AuthID)
		}
		lines = append(lines, line)
	}
	return lines
}

// tellingStore has s tell what happens; wantTold compares what it has told since the last time.
func tellingStore(s *linkedaccount.Store) (wantTold func(t *testing.T, want ...string)) {
	s.EventLog = &event.Log{DB: s.DB}
	var after int64
	return func(t *testing.T, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, told(t, s, &after)); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	}
}

func TestEventsOfALife(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		ctx, wantTold := t.Context(), tellingStore(s)
		a, _ := link(t, s, grant("octocat", "1"))
		wantTold(t, "account.linked linking")
		check(t, s.HostAdded(ctx, a.ID, "h1", a.Version))
		wantTold(t)
		link(t, s, grant("octocat", "2"))
		wantTold(t, "account.updated linking")
		o, err := s.Open(ctx, a.ID)
		check(t, err)
		_, err = s.RequireReauth(ctx, o)
		check(t, err)
		_, err = s.RequireReauth(ctx, o)
		check(t, err)
		wantTold(t, "account.reauth_required reauth_required")
		for range 2 { // once, however often it is taken back
			_, _, err := s.Unlink(ctx, a.ID)
			check(t, err)
		}
		_, err = s.Removed(ctx, authID, "octocat")
		check(t, err)
		wantTold(t, "account.unlinked unlinking disconnected")
		a = byID(t, s, a.ID)
		check(t, s.HostDeleted(ctx, a.ID, a.Version))
		check(t, s.Revoked(ctx, a))
		wantStatus(t, s, a.ID, linkedaccount.Unlinked)
		wantTold(t)

		b, _ := link(t, s, grant("octocat", "3"))
		wantTold(t, "account.linked linking")
		_, err = s.HostRefused(ctx, b.ID, b.Version)
		check(t, err)
		wantTold(t, "account.unlinked refused refused")
		link(t, s, grant("octocat", "4"))
		wantTold(t, "account.linked linking")
		_, err = s.Removed(ctx, authID, "octocat")
		check(t, err)
		wantTold(t, "account.unlinked unlinking removed")
	})
}

var errAppend = errors.New("the event can't be written")

type brokenLog struct{ linkedaccount.EventLog }

func (b brokenLog) Append(ctx context.Context, tx *sql.Tx, events []event.Event) error {
	return errors.Join(b.EventLog.Append(ctx, tx, events), errAppend)
}

// Neither the change without its event, nor the event without its change.
func TestNoEventOfWhatIsRolledBack(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		wantTold := tellingStore(s)
		a, _ := link(t, s, grant("octocat", "1"))
		wantTold(t, "account.linked linking")
		working := s.EventLog
		s.EventLog = brokenLog{working}
		if _, _, err := s.Unlink(t.Context(), a.ID); !errors.Is(err, errAppend) {
			t.Errorf("Unlink: %v", err)
		}
		s.EventLog = working
		wantTold(t)
		wantStatus(t, s, a.ID, linkedaccount.Linking)
		if _, _, err := s.Unlink(t.Context(), "acc_none"); !errors.Is(err, linkedaccount.ErrNotFound) {
			t.Errorf("Unlink: %v", err)
		}
		wantTold(t)
		_, _, err := s.Unlink(t.Context(), a.ID)
		check(t, err)
		wantTold(t, "account.unlinked unlinking disconnected")
	})
}
