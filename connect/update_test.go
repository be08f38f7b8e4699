package connect_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/outbox"
)

// TestUpdateThatFails: what becomes of the promise, and that it never adds.
func TestUpdateThatFails(t *testing.T) {
	for _, tt := range []struct {
		name    string
		fault   *demo.Fault
		isDone  bool
		isDead  bool
		wantLog string
	}{
		{"deleted at the host", demo.Answer(404, ""), true, false, "the host has deleted"},
		{"refused", demo.Answer(403, ""), false, true, "the host refuses to update"},
		{"a wrong key", demo.Answer(401, ""), false, false, "HOST_API_KEY"},
		{"down", demo.Answer(503, ""), false, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			a := f.ours(t, f.linked(t))
			f.flag(t, a)
			var log bytes.Buffer
			f.Log = slog.New(slog.NewTextHandler(&log, nil))
			f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpUpdate, -1, *tt.fault)})
			if err := f.keep(t, a, linkedaccount.HostUpdate); (err == nil) != tt.isDone {
				t.Errorf("got %v, want it done: %v", err, tt.isDone)
			}
			if !tt.isDone {
				if _, dead := f.message(t, a, linkedaccount.HostUpdate); dead != tt.isDead {
					t.Errorf("a dead letter: %v, want %v", dead, tt.isDead)
				}
			}
			if n := f.theHost.Calls(demo.OpAdd); n != 1 {
				t.Errorf("%d adds, want that of the link alone", n)
			}
			if !strings.Contains(log.String(), tt.wantLog) || tt.wantLog == "" && log.Len() > 0 {
				t.Errorf("the log says %q, want %q", log.String(), tt.wantLog)
			}
		})
	}
}

func TestUpdateWaitsAsLongAsTheHostWants(t *testing.T) {
	f := newFixture(t)
	a := f.ours(t, f.linked(t))
	f.flag(t, a)
	busy := demo.Fault{Status: 503, Header: http.Header{"Retry-After": {"1800"}}}
	f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpUpdate, -1, busy)})
	if err := f.keep(t, a, linkedaccount.HostUpdate); err == nil {
		t.Fatal("no error")
	}
	var due int64
	err := f.Accounts.DB.QueryRowContext(t.Context(), "SELECT due_at FROM outbox WHERE account_id = $1", a.ID).Scan(&due)
	if wait := time.Until(time.UnixMilli(due)); err != nil || wait < 29*time.Minute {
		t.Errorf("tried again in %v, %v, want half an hour", wait, err)
	}
}

// TestUpdateOfWhatTheHostHasNotGot leaves it to other promises.
func TestUpdateOfWhatTheHostHasNotGot(t *testing.T) {
	f := newFixture(t)
	var log bytes.Buffer
	f.Log = slog.New(slog.NewTextHandler(&log, nil))
	wantIdle := func(what string, accountID string) {
		t.Helper()
		before := f.theHost.Calls(demo.OpUpdate)
		log.Reset()
		err := f.Promises()[linkedaccount.HostUpdate](t.Context(), outbox.Message{ID: "m", AccountID: accountID, Attempts: 1})
		if n := f.theHost.Calls(demo.OpUpdate) - before; n != 0 || err != nil || log.Len() > 0 {
			t.Errorf("%s: %d updates, %v, log %q, want nothing", what, n, err, log.String())
		}
	}
	down := func(op string) {
		f.theHost.Play(demo.Script{Fault: demo.Only(op, -1, *demo.Answer(503, ""))})
	}
	wantIdle("no such account", "acc_x")

	down(demo.OpAdd)
	f.complete(t)
	a := f.ours(t, demo.Account{ExternalAccountID: f.subject(t)})
	wantIdle("linking", a.ID)
	f.flag(t, a)
	wantIdle("flagged, without a record", a.ID)

	f.theHost.Play(demo.Script{})
	record := f.linked(t)
	down(demo.OpUpdate)
	f.complete(t)
	wantIdle("linking again", a.ID)

	f.theHost.Play(demo.Script{})
	if _, err := f.Disconnect(t.Context(), ada, record.ID); err != nil {
		t.Fatal(err)
	}
	wantIdle("taken back", a.ID)
}
