package linkedaccount_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/event"
	"linkgate/linkedaccount"
	"linkgate/provider"
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

type cuttingLog struct {
	linkedaccount.EventLog
	cancel func()
}

func (c cuttingLog) Append(ctx context.Context, tx *sql.Tx, events []event.Event) error {
	defer c.cancel()
	return c.EventLog.Append(ctx, tx, events)
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
		ctx, cancel := context.WithCancel(t.Context())
		s.EventLog = cuttingLog{working, cancel} // all is written, and not committed
		if _, _, err := s.Unlink(ctx, a.ID); !errors.Is(err, context.Canceled) {
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

// Many refreshes, links and disconnects at once wait for the count of events one after the other, and
// none of them for another that waits for it.
func TestAThousandRefreshesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		const accounts = 1000
		s.EventLog = &event.Log{DB: s.DB, Deliver: true}
		var wg sync.WaitGroup
		for worker := range 16 {
			wg.Go(func() {
				for i := worker; i < accounts; i += 16 {
					subject := fmt.Sprint("subject-", i)
					a, _, err := s.Link(t.Context(), user, authID, grant(subject, "1"))
					if err == nil {
						fresh := provider.Refreshed{Credential: grant(subject, "2").Credential}
						_, err = s.SaveRefreshed(t.Context(), linkedaccount.Opened{Account: a}, fresh, true, true)
					}
					if err == nil && i%10 == 0 {
						_, err = s.Removed(t.Context(), authID, subject)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		types := map[event.Type]int{}
		events, err := (&event.Log{DB: s.DB}).After(t.Context(), 0, 10_000)
		check(t, err)
		for i, e := range events {
			types[e.Type]++
			if e.Sequence != int64(i+1) {
				t.Fatalf("event %d has the sequence %d", i+1, e.Sequence)
			}
		}
		want := map[event.Type]int{event.AccountLinked: accounts, event.AccountRefreshed: accounts, event.AccountUnlinked: accounts / 10}
		if d := cmp.Diff(want, types); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
}

// A refresh is told, and what has come with it.
func TestEventsOfARefresh(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		wantTold := tellingStore(s)
		a, _ := link(t, s, grant("octocat", "1"))
		check(t, s.HostAdded(t.Context(), a.ID, "h1", a.Version))
		wantTold(t, "account.linked linking")
		refresh := func(n provider.Refreshed) {
			t.Helper()
			o, err := s.Open(t.Context(), a.ID)
			check(t, err)
			_, err = s.SaveRefreshed(t.Context(), o, n, false, false)
			check(t, err)
		}
		refresh(provider.Refreshed{Credential: grant("octocat", "2").Credential})
		wantTold(t, "account.refreshed linked")
		refresh(provider.Refreshed{Credential: grant("octocat", "3").Credential, Scopes: []string{"repo"}})
		wantTold(t, "account.updated linked", "account.refreshed linked")
		o, err := s.Open(t.Context(), a.ID)
		check(t, err)
		_, err = s.RequireReauth(t.Context(), o)
		check(t, err)
		refresh(provider.Refreshed{Credential: grant("octocat", "4").Credential})
		wantTold(t, "account.reauth_required reauth_required", "account.updated linked", "account.refreshed linked")
		_, _, err = s.Unlink(t.Context(), a.ID)
		check(t, err)
		refresh(provider.Refreshed{Credential: grant("octocat", "5").Credential}) // was under way, and is to be revoked
		wantTold(t, "account.unlinked unlinking disconnected")
	})
}
