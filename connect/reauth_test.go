package connect_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/linkedaccount"
)

// ours is our account of ada's record at the host.
func (f *fixture) ours(t *testing.T, record demo.Account) linkedaccount.Account {
	t.Helper()
	a, err := f.Accounts.BySubject(t.Context(), ada, demo.NotesOIDC, record.ExternalAccountID)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// flag says of an account that its user must sign in again, as a refresh does that found out.
func (f *fixture) flag(t *testing.T, a linkedaccount.Account) {
	t.Helper()
	o, err := f.Accounts.Open(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if flagged, err := f.Accounts.RequireReauth(t.Context(), o); !flagged || err != nil {
		t.Fatalf("flagged %v, %v", flagged, err)
	}
}

// message reads an account's message of a kind.
func (f *fixture) message(t *testing.T, a linkedaccount.Account, kind string) (id string, dead bool) {
	t.Helper()
	err := f.Accounts.DB.QueryRowContext(t.Context(), `SELECT id, dead_at <> 0 FROM outbox
		WHERE account_id = $1 AND kind = $2 AND dropped_at = 0`, a.ID, kind).Scan(&id, &dead)
	if err != nil {
		t.Fatalf("no message %s: %v", kind, err)
	}
	return id, dead
}

// keep has a promise tried now.
func (f *fixture) keep(t *testing.T, a linkedaccount.Account, kind string) error {
	t.Helper()
	id, _ := f.message(t, a, kind)
	return f.Outbox.Try(t.Context(), id)
}

func (f *fixture) complete(t *testing.T) connect.Result {
	t.Helper()
	state, cb := f.atCallback(t, f.opened(t))
	ticket, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Result(t.Context(), ticket, browser)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHostIsToldOfReauth and, when the account is linked again, that it is over: in one record.
func TestHostIsToldOfReauth(t *testing.T) {
	for _, share := range []bool{false, true} {
		f := newFixture(t)
		f.ShareTokens = share
		before := f.linked(t)
		a := f.ours(t, before)
		f.flag(t, a)
		if err := f.keep(t, a, linkedaccount.HostUpdate); err != nil {
			t.Fatal(err)
		}
		want := before
		want.RequiresReauth = true
		if got := f.theHost.Accounts(ada); len(got) != 1 || got[0] != want {
			t.Errorf("share %v: the host has %+v, want %+v", share, got, want)
		}
		if before.AccessToken != "" != share {
			t.Errorf("share %v: the host was given %q", share, before.AccessToken)
		}

		if r := f.complete(t); r.State != connect.Linked {
			t.Errorf("linking again ended %s", r.State)
		}
		got := f.theHost.Accounts(ada)
		if len(got) != 1 || got[0].ID != before.ID || got[0].RequiresReauth {
			t.Errorf("linked again: the host has %+v, want the same record, cleared", got)
		}
		if again := f.ours(t, before); again.ID != a.ID || again.Status != linkedaccount.Linked || again.HostID != before.ID {
			t.Errorf("linked again: %+v, want the same account, linked", again)
		}
	}
}

// subject is who ada is at the service.
func (f *fixture) subject(t *testing.T) (subject string) {
	t.Helper()
	err := f.Accounts.DB.QueryRowContext(t.Context(), "SELECT subject FROM linked_accounts WHERE host_user_id = $1", ada).Scan(&subject)
	if err != nil {
		t.Fatal(err)
	}
	return subject
}

// TestAddOfWhatMustBeSignedInAgain: the host learns both at once. Each body has a key of its own.
func TestAddOfWhatMustBeSignedInAgain(t *testing.T) {
	f := newFixture(t)
	var keys []string
	f.theHost.Play(demo.Script{
		Before: func(op string, r *http.Request) {
			if op == demo.OpAdd {
				keys = append(keys, r.Header.Get("Idempotency-Key"))
			}
		},
		Fault: demo.Only(demo.OpAdd, 3, *demo.Answer(503, "")),
	})
	if r := f.complete(t); r.State != connect.Pending {
		t.Fatalf("got %s, want pending", r.State)
	}
	a := f.ours(t, demo.Account{ExternalAccountID: f.subject(t)})
	try := func() { _ = f.keep(t, a, linkedaccount.HostAdd) } // how it goes, is seen at the host
	try()
	f.flag(t, a)
	try()
	try()
	if len(keys) != 4 || keys[0] != keys[1] || keys[1] == keys[2] || keys[2] != keys[3] {
		t.Errorf("keys %q, want one before and another after it was flagged", keys)
	}
	records := f.theHost.Accounts(ada)
	if len(records) != 1 || !records[0].RequiresReauth {
		t.Fatalf("the host has %+v, want one record, flagged", records)
	}
	if a = f.ours(t, records[0]); a.Status != linkedaccount.ReauthRequired || a.HostID != records[0].ID {
		t.Errorf("our account is %s with host id %q, want it flagged, with %s", a.Status, a.HostID, records[0].ID)
	}
}

// TestKeysOfSharedTokens: another token is another body.
func TestKeysOfSharedTokens(t *testing.T) {
	f := newFixture(t)
	f.ShareTokens = true
	var keys []string
	f.theHost.Play(demo.Script{
		Before: func(op string, r *http.Request) {
			if op == demo.OpAdd {
				keys = append(keys, r.Header.Get("Idempotency-Key"))
			}
		},
		Fault: demo.Only(demo.OpAdd, -1, *demo.Answer(503, "")),
	})
	f.complete(t)
	a := f.ours(t, demo.Account{ExternalAccountID: f.subject(t)})
	for _, version := range []int{1, 2} {
		_, err := f.Accounts.DB.ExecContext(t.Context(), "UPDATE linked_accounts SET token_version = $1 WHERE id = $2", version, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.keep(t, a, linkedaccount.HostAdd)
	}
	if len(keys) != 3 || keys[0] != keys[1] || keys[1] == keys[2] {
		t.Errorf("keys %q, want another for another token", keys)
	}
}

// TestAddRefusedAfterReauth: the host does not want the account, flagged or not.
func TestAddRefusedAfterReauth(t *testing.T) {
	f := newFixture(t)
	f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpAdd, 1, *demo.Answer(503, ""))})
	f.complete(t)
	a := f.ours(t, demo.Account{ExternalAccountID: f.subject(t)})
	f.flag(t, a)
	f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpAdd, -1, *demo.Answer(403, ""))})
	if err := f.keep(t, a, linkedaccount.HostAdd); err != nil {
		t.Fatal(err)
	}
	f.Outbox.Wait()
	if _, err := f.Accounts.ByID(t.Context(), a.ID); !errors.Is(err, linkedaccount.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound: nothing is kept", err)
	}
	if f.theService.Requests(demo.OpRevoke) == 0 {
		t.Error("its credential was not revoked")
	}
}

// TestReauthWhileTheHostIsToldOfTheLink: the page says what has been done, and the host learns the
// rest.
func TestReauthWhileTheHostIsToldOfTheLink(t *testing.T) {
	f := newFixture(t)
	f.theHost.Play(demo.Script{After: func(op string, _ *http.Request) {
		if op == demo.OpAdd {
			f.flag(t, f.ours(t, demo.Account{ExternalAccountID: f.subject(t)}))
		}
	}})
	if r := f.complete(t); r.State != connect.Linked {
		t.Errorf("the page shows %s, want linked", r.State)
	}
	a := f.ours(t, f.theHost.Accounts(ada)[0])
	if err := f.keep(t, a, linkedaccount.HostUpdate); err != nil {
		t.Fatal(err)
	}
	if record := f.theHost.Accounts(ada)[0]; !record.RequiresReauth || record.ID != a.HostID {
		t.Errorf("the host has %+v, want it flagged", record)
	}
}

// TestDisconnectAfterReauth: a service that calls the grant invalid has nothing left to revoke.
func TestDisconnectAfterReauth(t *testing.T) {
	f := newFixture(t)
	record := f.linked(t)
	a := f.ours(t, record)
	f.flag(t, a)
	f.theService.Play(demo.Script{Fault: demo.Only(demo.OpRevoke, -1, *demo.Answer(400, `{"error":"invalid_grant"}`))})
	if _, err := f.Disconnect(t.Context(), ada, record.ID); err != nil {
		t.Fatal(err)
	}
	f.Outbox.Wait()
	if now, err := f.Accounts.ByID(t.Context(), a.ID); err != nil || now.Status != linkedaccount.Unlinked {
		t.Errorf("our account is %s, %v, want unlinked", now.Status, err)
	}
	if records := f.theHost.Accounts(ada); len(records) != 0 {
		t.Errorf("the host has %+v", records)
	}
	events, err := f.Accounts.Events(t.Context(), 10)
	revoked := slices.ContainsFunc(events, func(e linkedaccount.Event) bool { return e.Name == "revoked" && e.AccountID == a.ID })
	if err != nil || !revoked {
		t.Errorf("the audit trail has %+v, %v, want revoked", events, err)
	}
}

// TestDisconnectAfterReauthWhoseAddWasLost: the host has a record whose id we never heard.
func TestDisconnectAfterReauthWhoseAddWasLost(t *testing.T) {
	f := newFixture(t)
	f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpAdd, 1, demo.Fault{Done: true, Drop: true})})
	f.complete(t)
	record := f.theHost.Accounts(ada)[0]
	a := f.ours(t, record)
	f.flag(t, a)
	if _, err := f.Disconnect(t.Context(), ada, record.ID); err != nil {
		t.Fatal(err)
	}
	f.Outbox.Wait()
	if now, err := f.Accounts.ByID(t.Context(), a.ID); err != nil || now.Status != linkedaccount.Unlinked {
		t.Errorf("our account is %s, %v, want unlinked", now.Status, err)
	}
	if records := f.theHost.Accounts(ada); len(records) != 0 {
		t.Errorf("the host has %+v", records)
	}
}
