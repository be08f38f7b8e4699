package connect_test

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/secret"
)

const (
	ownersPage = "https://app.example"
	hostsPage  = "https://host.example"
)

// newOwner is a fixture whose owner may open sessions for a page of their own.
func newOwner(t *testing.T) *fixture {
	f := newFixture(t)
	f.HostOrigin, f.SessionOrigins = hostsPage, []string{ownersPage, "http://localhost:3000", hostsPage}
	return f
}

// openSession opens one of ada's for a back end, and opens it in the browser.
func (f *fixture) openSession(t *testing.T, o connect.BeginOptions) (session connect.Session, ticket string) {
	t.Helper()
	o.HostUserID, o.AuthID, o.By = ada, demo.NotesOIDC, "key1"
	session, err := f.OpenSession(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_, ticket, _ = strings.Cut(session.AuthorizationURL, "/connect/")
	if _, err := f.Open(t.Context(), ticket, browser); err != nil {
		t.Fatal(err)
	}
	return session, ticket
}

func TestOpenSession(t *testing.T) {
	f := newOwner(t)
	before := time.Now()
	got, err := f.OpenSession(t.Context(), connect.BeginOptions{
		HostUserID: ada, AuthID: demo.NotesOIDC, ComponentID: "flow-1", Origin: ownersPage, ReturnURL: ownersPage + "/settings?tab=2#apps", By: "key1",
	})
	if err != nil {
		t.Fatal(err)
	}
	ticket, ok := strings.CutPrefix(got.AuthorizationURL, "https://linkgate.test/connect/")
	if !ok || got.ID != oauthstate.IDOf(ticket) {
		t.Errorf("session %s at %s, want the ticket's id at /connect/", got.ID, got.AuthorizationURL)
	}
	if got.HostUserID != ada || got.AuthID != demo.NotesOIDC || got.Status != connect.Open || got.ComponentID != "flow-1" || got.Final() {
		t.Errorf("got %+v, want it open for ada and her flow", got)
	}
	if life := got.ExpiresAt.Sub(before); life < oauthstate.UnopenedLife || life > oauthstate.UnopenedLife+time.Minute {
		t.Errorf("it expires after %s, want %s", life, oauthstate.UnopenedLife)
	}
	f.wantFollowed(t, ticket, connect.Following{Session: got.ID, Origin: ownersPage, State: connect.Open, Step: connect.Unopened})
	stored, err := f.Sessions.Get(t.Context(), got.ID)
	if err != nil || stored.By != "key1" || stored.Origin != ownersPage || stored.ReturnURL != ownersPage+"/settings?tab=2#apps" {
		t.Errorf("stored %+v, %v; want who opened it for which page", stored, err)
	}
}

func TestOpenSessionRefuses(t *testing.T) {
	f := newOwner(t)
	for _, test := range []struct {
		name string
		o    connect.BeginOptions
		want error
	}{
		{"an unknown auth id", connect.BeginOptions{AuthID: "nothing"}, connect.ErrUnknownConnection},
		{"a component's id in two lines", connect.BeginOptions{ComponentID: "flow\n1"}, linkedaccount.ErrComponentID},
		{"two scopes in one", connect.BeginOptions{Scopes: []string{"openid profile"}}, connect.ErrScopes},
		{"another origin", connect.BeginOptions{Origin: "https://evil.example"}, connect.ErrOriginNotAllowed},
		{"another port", connect.BeginOptions{Origin: ownersPage + ":8443"}, connect.ErrOriginNotAllowed},
		{"another scheme", connect.BeginOptions{Origin: "http://app.example"}, connect.ErrOriginNotAllowed},
		{"an origin that ours begins with", connect.BeginOptions{Origin: "https://app.exampl"}, connect.ErrOriginNotAllowed},
		{"an origin that begins with ours", connect.BeginOptions{Origin: ownersPage + ".evil.example"}, connect.ErrOriginNotAllowed},
		{"an address as origin", connect.BeginOptions{Origin: ownersPage + "/"}, connect.ErrOriginNotAllowed},
		{"every origin", connect.BeginOptions{Origin: "*"}, connect.ErrOriginNotAllowed},
		{"no origin", connect.BeginOptions{Origin: "null"}, connect.ErrOriginNotAllowed},
		{"a return elsewhere", connect.BeginOptions{ReturnURL: "https://evil.example/"}, connect.ErrOriginNotAllowed},
		{"a return by way of a user name", connect.BeginOptions{ReturnURL: "https://app.example@evil.example/"}, connect.ErrOriginNotAllowed},
		{"a return with a user name", connect.BeginOptions{ReturnURL: "https://ada@app.example/"}, connect.ErrOriginNotAllowed},
		{"a return by way of a backslash", connect.BeginOptions{ReturnURL: `https://app.example\.evil.example/`}, connect.ErrOriginNotAllowed},
		{"a return to a script", connect.BeginOptions{ReturnURL: "javascript:alert(1)"}, connect.ErrOriginNotAllowed},
		{"a return to a path", connect.BeginOptions{ReturnURL: "/settings"}, connect.ErrOriginNotAllowed},
		{"a return without scheme", connect.BeginOptions{ReturnURL: "//app.example/settings"}, connect.ErrOriginNotAllowed},
		{"a return in two lines", connect.BeginOptions{ReturnURL: ownersPage + "/\nx"}, connect.ErrOriginNotAllowed},
		{"a return too long", connect.BeginOptions{ReturnURL: ownersPage + "/" + strings.Repeat("x", 2048)}, connect.ErrOriginNotAllowed},
	} {
		o := test.o
		o.HostUserID, o.By = ada, "key1"
		if o.AuthID == "" {
			o.AuthID = demo.NotesOIDC
		}
		_, err := f.OpenSession(t.Context(), o)
		wantError(t, test.name, err, test.want)
	}
	f.allowed.none = true
	_, err := f.OpenSession(t.Context(), connect.BeginOptions{HostUserID: ada, AuthID: demo.NotesOIDC, By: "key1"})
	wantError(t, "over the limit", err, connect.ErrTooMany)
}

// TestSessionOfABackEnd follows one from its opening to its end.
func TestSessionOfABackEnd(t *testing.T) {
	f := newOwner(t)
	session, ticket := f.openSession(t, connect.BeginOptions{Scopes: []string{"profile", "notes.read"}, Origin: ownersPage, ReturnURL: ownersPage + "/done"})
	view, err := f.Open(t.Context(), ticket, browser)
	if err != nil || !slices.Equal(view.Scopes, []string{"profile", "notes.read"}) {
		t.Errorf("the ticket page names scopes %q, %v; want the session's", view.Scopes, err)
	}
	f.wantFollowed(t, ticket, connect.Following{Session: session.ID, Origin: ownersPage, State: connect.Open, Step: connect.AtTicket})

	state, cb := f.atCallback(t, ticket)
	f.wantFollowed(t, ticket, connect.Following{Session: session.ID, Origin: ownersPage, State: connect.Open, Step: connect.AtService})
	if status, err := f.SessionStatus(t.Context(), session.ID); err != nil || status.Status != connect.Open || status.AccountID != "" {
		t.Errorf("at the service: %+v, %v; want open", status, err)
	}
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
		t.Fatal(err)
	}
	f.wantFollowed(t, ticket, connect.Following{Session: session.ID, Origin: ownersPage, State: connect.Linked})

	status, err := f.SessionStatus(t.Context(), session.ID)
	if err != nil {
		t.Fatal(err)
	}
	account, err := f.Accounts.ByID(t.Context(), status.AccountID)
	if err != nil || account.HostUserID != ada || account.HostID != status.LinkedAccountID || status.LinkedAccountID == "" {
		t.Errorf("the session tells of account %q, host %q; there is %+v, %v", status.AccountID, status.LinkedAccountID, account, err)
	}
	if !slices.Equal(account.Scopes, []string{"openid", "profile", "notes.read"}) {
		t.Errorf("the account has scopes %q, want those of the session", account.Scopes)
	}
	if status.Status != connect.Linked || !status.Final() || status.AccountName == "" || !status.ExpiresAt.After(time.Now()) {
		t.Errorf("got %+v, want it linked", status)
	}
	r, err := f.Result(t.Context(), ticket, browser)
	if err != nil || r.Origin != ownersPage || r.ReturnURL != ownersPage+"/done" || r.Session != session.ID || r.AccountID != status.AccountID {
		t.Errorf("the result page gets %+v, %v; want whom to tell and where to go", r, err)
	}
}

// TestSessionBindsItsComponent: on success alone, in place of what the component used before.
func TestSessionBindsItsComponent(t *testing.T) {
	f := newOwner(t)
	session, ticket := f.openSession(t, connect.BeginOptions{ComponentID: "flow-1"})
	state, cb := f.atCallback(t, ticket)
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, provider.Callback{Error: "access_denied", Issuer: cb.Issuer}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Accounts.BoundAccount(t.Context(), "flow-1"); !errors.Is(err, linkedaccount.ErrNotFound) {
		t.Errorf("after a failure: %v, want nothing bound", err)
	}
	state, cb = f.atCallback(t, ticket)
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
		t.Fatal(err)
	}
	status, err := f.SessionStatus(t.Context(), session.ID)
	if err != nil || status.ComponentID != "flow-1" {
		t.Errorf("the session tells of %+v, %v; want flow-1", status, err)
	}
	bound, err := f.Accounts.BoundAccount(t.Context(), "flow-1")
	if err != nil || bound.AccountID != status.AccountID || bound.HostUserID != ada {
		t.Errorf("flow-1 uses %+v, %v; want ada's account %s", bound, err, status.AccountID)
	}
}

func (f *fixture) wantFollowed(t *testing.T, ticket string, want connect.Following) {
	t.Helper()
	if got, err := f.Follow(t.Context(), ticket); err != nil || got != want {
		t.Errorf("whoever has the ticket learns %+v, %v; want %+v", got, err, want)
	}
}

// TestSessionOfTheHost: the host's pages can follow their sessions too, and so can back ends.
func TestSessionOfTheHost(t *testing.T) {
	f := newOwner(t)
	ticket := f.opened(t)
	f.wantFollowed(t, ticket, connect.Following{Session: oauthstate.IDOf(ticket), Origin: hostsPage, State: connect.Open, Step: connect.AtTicket})
	r, err := f.Result(t.Context(), ticket, browser)
	if err != nil || r.Origin != hostsPage || r.ReturnURL != "" {
		t.Errorf("the result page gets %+v, %v; want the host's page", r, err)
	}
	if status, err := f.SessionStatus(t.Context(), oauthstate.IDOf(ticket)); err != nil || status.HostUserID != ada {
		t.Errorf("a back end gets %+v, %v; want ada's session", status, err)
	}
}

func TestSessionThatIsOver(t *testing.T) {
	f := newOwner(t)
	_, err := f.SessionStatus(t.Context(), "0123456789abcdef0123456789abcdef")
	wantError(t, "its status", err, connect.ErrExpired)
	_, err = f.AwaitSession(t.Context(), "0123456789abcdef0123456789abcdef", time.Hour)
	wantError(t, "waiting for it", err, connect.ErrExpired)
	_, err = f.Follow(t.Context(), "no ticket")
	wantError(t, "following it", err, connect.ErrExpired)
	_, err = f.FinishSession(t.Context(), "0123456789abcdef0123456789abcdef", ada, oauthstate.NewToken("0123456789abcdef0123456789abcdef"))
	wantError(t, "finishing it", err, connect.ErrExpired)
}

func TestAwaitSession(t *testing.T) {
	f := newOwner(t)
	session, ticket := f.openSession(t, connect.BeginOptions{})
	if status, err := f.AwaitSession(t.Context(), session.ID, 0); err != nil || status.Status != connect.Open {
		t.Errorf("without patience: %+v, %v; want open", status, err)
	}
	ended := make(chan connect.SessionStatus)
	changed := make(chan connect.SessionStatus)
	wait := func(to chan connect.SessionStatus, await func() (connect.SessionStatus, error)) {
		status, err := await()
		if err != nil {
			t.Error(err)
		}
		to <- status
	}
	go wait(ended, func() (connect.SessionStatus, error) { return f.AwaitSession(t.Context(), session.ID, time.Hour) })
	go wait(changed, func() (connect.SessionStatus, error) {
		return f.AwaitSessionChange(t.Context(), session.ID, connect.Open, time.Hour)
	})
	f.put(t, ticket, func(x *oauthstate.Session) {
		x.Phase, x.Worker, x.WorkSince = oauthstate.Taken, "somebody", time.Now()
	})
	if got := <-changed; got.Status != connect.Working {
		t.Errorf("the change is told as %+v, want working", got)
	}
	f.put(t, ticket, func(x *oauthstate.Session) {
		x.Phase, x.Result = oauthstate.Done, &oauthstate.Result{State: string(connect.Failed), Reason: string(connect.Denied)}
	})
	if got := <-ended; got.Status != connect.Failed || got.Reason != connect.Denied {
		t.Errorf("the end is told as %+v, want failed, denied", got)
	}
}

// TestSessionOfALateHost: what was pending when the session ended is linked once the host has answered.
func TestSessionOfALateHost(t *testing.T) {
	f := newOwner(t)
	session, ticket := f.openSession(t, connect.BeginOptions{})
	state, cb := f.atCallback(t, ticket)
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
		t.Fatal(err)
	}
	f.put(t, ticket, func(x *oauthstate.Session) { x.Result.State = string(connect.Pending) })
	if status, err := f.SessionStatus(t.Context(), session.ID); err != nil || status.Status != connect.Linked {
		t.Errorf("got %+v, %v; want linked", status, err)
	}
}

func TestFinishSession(t *testing.T) {
	f := newOwner(t)
	session, ticket := f.openSession(t, connect.BeginOptions{Origin: ownersPage})
	other, _ := f.openSession(t, connect.BeginOptions{Origin: ownersPage})
	token := f.relaying(t, ticket)
	f.wantFollowed(t, ticket, connect.Following{Session: session.ID, Origin: ownersPage, State: connect.Working})
	if status, err := f.SessionStatus(t.Context(), session.ID); err != nil || status.Status != connect.Relaying || status.Final() {
		t.Errorf("before it is finished: %+v, %v; want relaying", status, err)
	}
	_, err := f.FinishSession(t.Context(), other.ID, ada, token)
	wantError(t, "with the token of another session", err, connect.ErrExpired)
	_, err = f.FinishSession(t.Context(), session.ID, ada, secret.New("x"))
	wantError(t, "without a token", err, connect.ErrExpired)
	if n := f.theService.Requests(demo.OpToken); n != 0 {
		t.Errorf("%d token requests, want 0", n)
	}
	for range 2 {
		status, err := f.FinishSession(t.Context(), session.ID, ada, token)
		if err != nil || status.Status != connect.Linked || status.AccountID == "" {
			t.Errorf("got %+v, %v; want it linked", status, err)
		}
	}
}

func TestFinishSessionByAnotherUser(t *testing.T) {
	f := newOwner(t)
	session, ticket := f.openSession(t, connect.BeginOptions{Origin: ownersPage})
	_, err := f.FinishSession(t.Context(), session.ID, grace, f.relaying(t, ticket))
	wantError(t, "another user", err, connect.ErrWrongUser)
	if status, err := f.SessionStatus(t.Context(), session.ID); err != nil || status.Reason != connect.FinishedByOther || status.AccountID != "" {
		t.Errorf("got %+v, %v; want it failed", status, err)
	}
	if n := f.theService.Requests(demo.OpToken); n != 0 {
		t.Errorf("%d token requests, want 0", n)
	}
}

// TestSessionScopesAreAsked looks at the authorization request itself.
func TestSessionScopesAreAsked(t *testing.T) {
	f := newOwner(t)
	_, ticket := f.openSession(t, connect.BeginOptions{Scopes: []string{"email"}})
	for range 2 { // a second attempt asks for the same
		address, err := f.Continue(t.Context(), ticket, browser, nil)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil || u.Query().Get("scope") != "openid email" {
			t.Errorf("asked for %q, %v; want openid email", u.Query().Get("scope"), err)
		}
	}
}
