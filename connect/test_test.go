package connect_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/linkedaccount"
)

// withTokens has the fixture keep its accounts fresh.
func (f *fixture) withTokens() {
	f.Tokens = linkedaccount.NewTokens(linkedaccount.TokensOptions{
		Store: f.Accounts, Connections: f.Connections, Redis: f.Sessions.Redis, Log: slog.New(slog.DiscardHandler),
	})
}

// TestTest: what a test says of an account, and what it leaves behind.
func TestTest(t *testing.T) {
	const lacking = "notes.write"
	for name, test := range map[string]struct {
		before    func(f *fixture)
		want      connect.TestReport
		status    linkedaccount.Status
		refreshes int
		noted     bool // as the account's last error
	}{
		"it works": {func(*fixture) {}, connect.TestReport{Result: connect.TestOK, Verified: true}, linkedaccount.Linked, 0, false},
		"its token has ended": {func(f *fixture) { f.theService.Expire("acct_1815") },
			connect.TestReport{Result: connect.TestOK, Verified: true}, linkedaccount.Linked, 1, false},
		"its grant has ended": {func(f *fixture) { f.theService.Expire("acct_1815"); f.theService.EndGrant("acct_1815") },
			connect.TestReport{Result: connect.TestReauthRequired}, linkedaccount.ReauthRequired, 2, true},
		"the connection wants more": {func(f *fixture) {
			f.Connections[notes].Connection.Scopes = append(f.Connections[notes].Connection.Scopes, lacking)
		}, connect.TestReport{Result: connect.TestInsufficientScope, Verified: true, MissingScopes: []string{lacking}}, linkedaccount.Linked, 0, false},
		"it may not ask": {fault(demo.OpProfile, 403), connect.TestReport{Result: connect.TestInsufficientScope}, linkedaccount.Linked, 0, true},
		"the service is down": {fault(demo.OpProfile, 503),
			connect.TestReport{Result: connect.TestProviderUnavailable}, linkedaccount.Linked, 0, true},
		"the service can't refresh": {func(f *fixture) {
			f.theService.Expire("acct_1815")
			fault(demo.OpToken, 503)(f)
		}, connect.TestReport{Result: connect.TestProviderUnavailable}, linkedaccount.Linked, 1, true},
		"the service refuses our client": {func(f *fixture) {
			f.theService.Expire("acct_1815")
			f.theService.Play(demo.Script{Fault: demo.Only(demo.OpToken, -1, *demo.Answer(401, `{"error":"invalid_client"}`))})
		}, connect.TestReport{Result: connect.TestProviderUnavailable}, linkedaccount.Linked, 1, true},
		"it is another's": {func(f *fixture) {
			f.theService.Play(demo.Script{Fault: demo.Only(demo.OpProfile, -1, *demo.Answer(200, `{"account":{"id":"acct_1906"}}`))})
		}, connect.TestReport{Result: connect.TestReauthRequired, Verified: true}, linkedaccount.Linked, 0, false},
		"nobody can tell": {func(f *fixture) { f.Connections[notes].Identifier = nil },
			connect.TestReport{Result: connect.TestOK}, linkedaccount.Linked, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, given := withNotes(t)
			f.withTokens()
			imported, err := f.Import(t.Context(), anImport(notes, given))
			if err != nil {
				t.Fatal(err)
			}
			refreshed := f.theService.Refreshes()
			test.before(f)
			got, err := f.Test(t.Context(), imported.Account.ID)
			if asked := got.Latency > 0; err != nil || got.Verified && !asked {
				t.Errorf("got %+v, %v; want a latency if it was verified", got, err)
			}
			got.Latency = 0
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			a, err := f.Accounts.ByID(t.Context(), imported.Account.ID)
			if err != nil || a.Status != test.status {
				t.Errorf("the account is %s, %v; want %s", a.Status, err, test.status)
			}
			if n := f.theService.Refreshes() - refreshed; n != test.refreshes {
				t.Errorf("%d refreshes, want %d", n, test.refreshes)
			}
			if (a.LastError != "") != test.noted {
				t.Errorf("its last error is %q; want one: %v", a.LastError, test.noted)
			}
			if test.noted && test.status == linkedaccount.Linked {
				f.theService.Play(demo.Script{})
			}
		})
	}
}

func fault(op string, status int) func(*fixture) {
	return func(f *fixture) {
		f.theService.Play(demo.Script{Fault: func(asked string, _ *http.Request) *demo.Fault {
			if asked == op {
				return demo.HTML(status)
			}
			return nil
		}})
	}
}

// TestTestAgain: an account that works again has no last error.
func TestTestAgain(t *testing.T) {
	f, given := withNotes(t)
	f.withTokens()
	imported, err := f.Import(t.Context(), anImport(notes, given))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		status int
		want   connect.TestResult
		noted  bool
	}{{403, connect.TestInsufficientScope, true}, {200, connect.TestOK, false}} {
		f.theService.Play(demo.Script{})
		if test.status != 200 {
			fault(demo.OpProfile, test.status)(f)
		}
		got, err := f.Test(t.Context(), imported.Account.ID)
		if err != nil || got.Result != test.want {
			t.Errorf("%d: got %+v, %v; want %s", test.status, got, err, test.want)
		}
		if a, err := f.Accounts.ByID(t.Context(), imported.Account.ID); err != nil || (a.LastError != "") != test.noted {
			t.Errorf("%d: its last error is %q, %v", test.status, a.LastError, err)
		}
	}
}

// staleTokens give an account as somebody else may be using it at the same time.
type staleTokens struct {
	*linkedaccount.Tokens
	given *linkedaccount.Opened
}

func (s staleTokens) ByID(context.Context, string) (*linkedaccount.Opened, error) {
	return s.given, nil
}

// TestTestChangesNothingShared: the account that Tokens give is every caller's.
func TestTestChangesNothingShared(t *testing.T) {
	f, given := withNotes(t)
	f.withTokens()
	imported, err := f.Import(t.Context(), anImport(notes, given))
	if err != nil {
		t.Fatal(err)
	}
	o, err := f.Tokens.ByID(t.Context(), imported.Account.ID)
	if err != nil {
		t.Fatal(err)
	}
	shared := *o
	shared.LastError = "what was wrong a moment ago"
	before := shared
	f.Tokens = staleTokens{f.Tokens.(*linkedaccount.Tokens), &shared}
	if got, err := f.Test(t.Context(), imported.Account.ID); err != nil || got.Result != connect.TestOK {
		t.Errorf("got %+v, %v", got, err)
	}
	if diff := cmp.Diff(before.Account, shared.Account); diff != "" {
		t.Errorf("the shared account (-before +after):\n%s", diff)
	}
}

// TestTestOfNone: what can't be tested is an error.
func TestTestOfNone(t *testing.T) {
	f, given := withNotes(t)
	f.withTokens()
	_, err := f.Test(t.Context(), "acc_unknown")
	wantError(t, "no such account", err, connect.ErrNotFound)
	imported, err := f.Import(t.Context(), anImport(notes, given))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.DisconnectAccount(t.Context(), imported.Account.ID); err != nil {
		t.Fatal(err)
	}
	_, err = f.Test(t.Context(), imported.Account.ID)
	wantError(t, "a disconnected one", err, connect.ErrNotFound)
	delete(f.Connections, notes)
	_, err = f.Test(t.Context(), imported.Account.ID)
	wantError(t, "one of no connection", err, connect.ErrUnknownConnection)
}
