package connect_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

// addService adds a connection to a service of its own.
func (f *fixture) addService(t *testing.T, authID string) *demo.Service {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := demo.Client{
		ID: authID, Secret: secret.New("the secret of " + authID), RedirectURIs: []string{"https://linkgate.test/callback/" + authID},
	}
	issuer := "http://" + listener.Addr().String()
	service := demo.NewService(demo.ServiceOptions{Issuer: issuer, Clients: []demo.Client{client}})
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: service}}
	server.Start()
	t.Cleanup(server.Close)
	f.Connections[authID] = newProvider(t, authID, issuer, client)
	return service
}

// signIn goes through a session of ada's at a connection, as a user of the service, and returns its result.
func (f *fixture) signIn(t *testing.T, authID, user string) connect.Result {
	t.Helper()
	address, err := f.Begin(t.Context(), ada, authID)
	if err != nil {
		t.Fatal(err)
	}
	_, ticket, _ := strings.Cut(address, "/connect/")
	if _, err := f.Open(t.Context(), ticket, browser); err != nil {
		t.Fatal(err)
	}
	if address, err = f.Continue(t.Context(), ticket, browser, nil); err != nil {
		t.Fatal(err)
	}
	b := demo.NewBrowser()
	b.Stop = func(u *url.URL) bool { return u.Host == "linkgate.test" }
	page, err := b.SignIn(t.Context(), address, user)
	if err != nil {
		t.Fatal(err)
	}
	q := page.URL.Query()
	cb := provider.Callback{Code: secret.New(q.Get("code")), Issuer: q.Get("iss")}
	if _, err := f.Complete(t.Context(), authID, browser, q.Get("state"), cb); err != nil {
		t.Fatal(err)
	}
	r, err := f.Result(t.Context(), ticket, browser)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// whileOutboxRuns does something while the outbox is worked off.
func (f *fixture) whileOutboxRuns(t *testing.T, do func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.Outbox.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	do()
	stop()
	running.Wait()
}

// eventually waits until ada's accounts are as they should be.
func (f *fixture) eventually(t *testing.T, what string, is func([]linkedaccount.Account) bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		all, err := f.Accounts.OfUser(t.Context(), ada)
		if err == nil && is(all) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s: %+v, %v", what, all, err)
		}
	}
}

// TestOffboard: of five accounts at three services, one of which is down, four are gone at once and
// the fifth when its service is back; each report says so.
func TestOffboard(t *testing.T) {
	f := newFixture(t)
	second, third := f.addService(t, "second"), f.addService(t, "third")
	for _, link := range [][2]string{
		{demo.NotesOIDC, "ada"}, {demo.NotesOIDC, "grace"}, {"second", "ada"}, {"second", "grace"}, {"third", "ada"},
	} {
		if r := f.signIn(t, link[0], link[1]); r.State != connect.Linked {
			t.Fatalf("%s as %s: %+v", link[0], link[1], r)
		}
	}
	f.theHost.Put(demo.Account{UserID: ada, AuthID: demo.NotesOIDC, ExternalAccountID: "from before"})
	others := f.theHost.Put(demo.Account{UserID: ada, AuthID: "another app's", ExternalAccountID: "1"})
	third.Play(demo.Script{Fault: func(string, *http.Request) *demo.Fault { return &demo.Fault{Drop: true} }})

	report, err := f.Offboard(t.Context(), ada)
	if err != nil || report.Done || report.HostPending || len(report.Accounts) != 6 {
		t.Fatalf("got %+v, %v; want six reports and not all done", report, err)
	}
	for _, r := range report.Accounts {
		want := connect.DisconnectReport{
			ID: r.ID, AuthID: r.AuthID, HostID: r.HostID, Status: linkedaccount.Unlinked, Host: connect.HostDeleted, Revocation: connect.Revoked, Done: true,
		}
		switch {
		case r.AuthID == "third":
			want.Status, want.Revocation, want.Done = linkedaccount.Unlinking, connect.RevocationPending, false
		case r.ID == "":
			want.Revocation = connect.RevocationUnsupported
		}
		if r != want {
			t.Errorf("got  %+v\nwant %+v", r, want)
		}
	}
	if left := f.theHost.Accounts(ada); len(left) != 1 || left[0].ID != others.ID {
		t.Errorf("the host has %+v, want the other app's alone", left)
	}
	for _, user := range []string{"acct_1815", "acct_1906"} {
		if n := f.theService.ActiveTokens(user) + second.ActiveTokens(user); n != 0 {
			t.Errorf("%d tokens of %s are alive", n, user)
		}
	}

	third.Play(demo.Script{})
	f.whileOutboxRuns(t, func() {
		f.eventually(t, "the fifth is done, with nobody asking for it", func(all []linkedaccount.Account) bool {
			return !slices.ContainsFunc(all, func(a linkedaccount.Account) bool { return a.Status != linkedaccount.Unlinked })
		})
	})
	report, err = f.Offboard(t.Context(), ada)
	if err != nil || !report.Done {
		t.Errorf("afterwards: %+v, %v; want all done", report, err)
	}
	isDone := func(r connect.DisconnectReport) bool {
		return r.Done && r.Status == linkedaccount.Unlinked && r.Revocation == connect.Revoked && r.Host == connect.HostDeleted
	}
	if len(report.Accounts) != 5 || slices.ContainsFunc(report.Accounts, func(r connect.DisconnectReport) bool { return !isDone(r) }) {
		t.Errorf("afterwards: %+v, want five that are done", report)
	}
	if n := third.ActiveTokens("acct_1815"); n != 0 {
		t.Errorf("%d tokens are alive at the service that was down", n)
	}
}

// TestOffboardOfASignInUnderWay: nothing is linked by a session that was begun before, at whatever
// point it is; one begun afterwards is like any other.
func TestOffboardOfASignInUnderWay(t *testing.T) {
	for name, at := range map[string]func(f *fixture, offboard func()){
		"before the callback": func(_ *fixture, offboard func()) { offboard() },
		"before the account is saved": func(f *fixture, offboard func()) {
			var once sync.Once
			f.theService.Play(demo.Script{After: func(op string, _ *http.Request) {
				if op == demo.OpToken {
					once.Do(offboard)
				}
			}})
		},
		"while the host is told": func(f *fixture, offboard func()) {
			var once sync.Once
			f.theHost.Play(demo.Script{Before: func(op string, _ *http.Request) {
				if op == demo.OpAdd {
					once.Do(func() { go offboard() })
				}
			}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			ticket := f.opened(t)
			state, cb := f.atCallback(t, ticket)
			var offboarded sync.WaitGroup
			offboarded.Add(1)
			at(f, func() {
				defer offboarded.Done()
				if _, err := f.Offboard(t.Context(), ada); err != nil {
					t.Error(err)
				}
			})
			if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
				t.Fatal(err)
			}
			offboarded.Wait()
			f.whileOutboxRuns(t, func() {
				f.eventually(t, "nothing is left", func(all []linkedaccount.Account) bool {
					return len(f.theHost.Accounts(ada)) == 0 && f.theService.ActiveTokens("acct_1815") == 0 &&
						!slices.ContainsFunc(all, linkedaccount.Account.Live)
				})
			})
			if name == "while the host is told" { // the page may have told the truth of a moment ago
				return
			}
			if n := f.theService.Requests(demo.OpToken); name == "before the callback" && n != 0 {
				t.Errorf("%d codes were exchanged, want none", n)
			}
			if r, err := f.Result(t.Context(), ticket, browser); err != nil || r.Reason != connect.Withdrawn {
				t.Errorf("the page shows %+v, %v; want withdrawn", r, err)
			}
			_, err := f.Continue(t.Context(), ticket, browser, nil)
			wantError(t, "going on in that window", err, connect.ErrUsed)

			f.theService.Play(demo.Script{})
			f.Now = func() time.Time { return time.Now().Add(time.Minute) }
			if r := f.signIn(t, demo.NotesOIDC, "ada"); r.State != connect.Linked {
				t.Errorf("connecting anew: %+v, want linked", r)
			}
		})
	}
}

// TestOffboardOfAFormUnderWay: what is typed into a page that was opened before goes nowhere.
func TestOffboardOfAFormUnderWay(t *testing.T) {
	f, kinds, ticket := withForms(t, demo.VaultKey)
	if _, err := f.Offboard(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Continue(t.Context(), ticket, browser, typed("api_key", demo.VaultAdaKey)); err != nil {
		t.Fatal(err)
	}
	if r, err := f.Result(t.Context(), ticket, browser); err != nil || r.Reason != connect.Withdrawn {
		t.Errorf("the page shows %+v, %v; want withdrawn", r, err)
	}
	if n := kinds.Vault.Asked("Ada Lovelace") + len(f.theHost.Accounts(ada)); n != 0 {
		t.Errorf("%d accounts and questions to the service, want none", n)
	}
}

// TestOffboardOfARelayUnderWay: what waits for the host's relay is given back.
func TestOffboardOfARelayUnderWay(t *testing.T) {
	f, _, ticket := withForms(t, demo.AminoMove)
	f.HostFinish = true
	if _, err := f.Continue(t.Context(), ticket, browser, typed("customer", "acme", "password", demo.AminoPassword)); err != nil {
		t.Fatal(err)
	}
	r, err := f.Result(t.Context(), ticket, browser)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Offboard(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if r, err = f.Finish(t.Context(), ada, demo.AminoMove, r.FinishToken); err != nil || r.Reason != connect.Withdrawn {
		t.Errorf("got %+v, %v; want withdrawn", r, err)
	}
	if all, err := f.Accounts.OfUser(t.Context(), ada); err != nil || len(all) != 0 {
		t.Errorf("accounts: %+v, %v; want none", all, err)
	}
}

// TestOffboardWhileTheHostIsDown reports what is pending, and that the host must be asked once more.
func TestOffboardWhileTheHostIsDown(t *testing.T) {
	f := newFixture(t)
	f.signIn(t, demo.NotesOIDC, "ada")
	f.theHost.Put(demo.Account{UserID: ada, AuthID: demo.NotesOIDC, ExternalAccountID: "from before"})
	f.theHost.Play(demo.Script{Fault: func(string, *http.Request) *demo.Fault { return demo.Answer(503, "") }})
	report, err := f.Offboard(t.Context(), ada)
	if err != nil || report.Done || !report.HostPending || len(report.Accounts) != 1 {
		t.Fatalf("got %+v, %v; want one pending", report, err)
	}
	if r := report.Accounts[0]; r.Host != connect.HostPending || r.Revocation != connect.Revoked || r.Done {
		t.Errorf("got %+v; want it revoked, and pending at the host", r)
	}
	f.theHost.Play(demo.Script{})
	report, err = f.Offboard(t.Context(), ada)
	if err != nil || !report.Done || report.HostPending || len(report.Accounts) != 2 || len(f.theHost.Accounts(ada)) != 0 {
		t.Errorf("afterwards: %+v, %v, and %d accounts at the host; want all done", report, err, len(f.theHost.Accounts(ada)))
	}
}

// TestDisconnectAccount: by our id, with a report, and twice is the same as once.
func TestDisconnectAccount(t *testing.T) {
	f := newFixture(t)
	f.signIn(t, demo.NotesOIDC, "ada")
	all, err := f.Accounts.OfUser(t.Context(), ada)
	if err != nil || len(all) != 1 {
		t.Fatalf("accounts: %+v, %v", all, err)
	}
	for range 2 {
		report, err := f.DisconnectAccount(t.Context(), all[0].ID)
		want := connect.DisconnectReport{
			ID: all[0].ID, AuthID: demo.NotesOIDC, HostID: all[0].HostID, Status: linkedaccount.Unlinked,
			Host: connect.HostDeleted, Revocation: connect.Revoked, Done: true,
		}
		if err != nil || report != want {
			t.Errorf("got %+v, %v\nwant %+v", report, err, want)
		}
	}
	if n := len(f.theHost.Accounts(ada)); n != 0 {
		t.Errorf("the host has %d accounts, want none", n)
	}
	if n := f.theHost.Calls(demo.OpDelete); n != 1 {
		t.Errorf("the host was asked to delete %d times, want once", n)
	}
	_, err = f.DisconnectAccount(t.Context(), "acc_unknown")
	wantError(t, "an account that there is not", err, connect.ErrNotFound)
}

// TestDisconnectOfWhatCantBeRevoked: the report says so, whether that is known beforehand or found out.
func TestDisconnectOfWhatCantBeRevoked(t *testing.T) {
	f, _, ticket := withForms(t, demo.VaultKey)
	if _, err := f.Continue(t.Context(), ticket, browser, typed("api_key", demo.VaultAdaKey)); err != nil {
		t.Fatal(err)
	}
	f.theService.Play(demo.Script{Fault: demo.Only(demo.OpRevoke, -1, *demo.Answer(400, `{"error":"unsupported_token_type"}`))})
	f.signIn(t, demo.NotesOIDC, "ada")
	all, err := f.Accounts.OfUser(t.Context(), ada)
	if err != nil || len(all) != 2 {
		t.Fatalf("accounts: %+v, %v", all, err)
	}
	for _, a := range all {
		if r, err := f.DisconnectAccount(t.Context(), a.ID); err != nil || r.Revocation != connect.RevocationUnsupported || !r.Done {
			t.Errorf("%s: %+v, %v; want it done, and revocation unsupported", a.AuthID, r, err)
		}
	}
}
