package connect_test

import (
	"context"
	"testing"
	"time"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/outbox"
)

// linked goes the whole way and returns the host's record.
func (f *fixture) linked(t *testing.T) demo.Account {
	t.Helper()
	state, cb := f.atCallback(t, f.opened(t))
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
		t.Fatal(err)
	}
	accounts := f.theHost.Accounts(ada)
	if len(accounts) != 1 {
		t.Fatalf("the host has %d accounts, want 1", len(accounts))
	}
	return accounts[0]
}

func TestResultInASecondBrowser(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	for _, other := range []string{"another", ""} {
		_, err := f.Result(t.Context(), ticket, other)
		wantError(t, "another browser", err, connect.ErrWrongBrowser)
	}
}

// TestAddWhoseReplyWasLost is looked for before it is repeated: a host may ignore Idempotency-Key.
func TestAddWhoseReplyWasLost(t *testing.T) {
	f := newFixture(t)
	f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpAdd, 1, demo.Fault{Done: true, Drop: true})})
	arrived := f.linked(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Outbox.Run(ctx) }()
	for { // ends when it is so; else the test times out
		a, _, err := f.Accounts.ByHostID(t.Context(), ada, arrived.ID)
		if err == nil && a.Status == linkedaccount.Linked {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := f.theHost.Calls(demo.OpAdd); n != 1 {
		t.Errorf("%d adds, want 1: the second time it is looked for", n)
	}
}

// TestPromisesThatAreKept change nothing when they are run again, as after a crash.
func TestPromisesThatAreKept(t *testing.T) {
	f := newFixture(t)
	record := f.linked(t)
	a, _, err := f.Accounts.ByHostID(t.Context(), ada, record.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Disconnect(t.Context(), ada, record.ID); err != nil {
		t.Fatal(err)
	}
	f.Outbox.Wait()
	calls := func() [3]int {
		return [3]int{f.theHost.Calls(demo.OpAdd), f.theHost.Calls(demo.OpDelete), f.theService.Requests(demo.OpRevoke)}
	}
	before := calls()
	for kind, promise := range f.Promises() {
		if err := promise(t.Context(), outbox.Message{ID: "again", Kind: kind, AccountID: a.ID, Attempts: 2}); err != nil {
			t.Errorf("%s again: %v, want nil", kind, err)
		}
	}
	if got := calls(); got != before {
		t.Errorf("adds, deletes, revocations: %v, want %v as before", got, before)
	}
}
