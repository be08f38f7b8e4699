package connect_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/connect"
	"linkgate/database"
	"linkgate/demo"
	"linkgate/host"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/outbox"
	"linkgate/provider"
	"linkgate/secret"
)

// fixture is a Service between the simulated host and the real OAuth server, without HTTP in front.
type fixture struct {
	*connect.Service
	theHost    *demo.Host
	theService *demo.Service
	allowed    *limit
	ahead      *atomic.Int64 // the clock of Redis; nil: it is right
}

type limit struct{ none bool }

func (l *limit) Allow(string) (bool, error) { return !l.none, nil }

const (
	ada     = "u_ada"
	grace   = "u_grace"
	browser = "the browser's cookie"
)

func newFixture(t *testing.T, change ...func(*demo.ServiceOptions)) *fixture {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	issuer := "http://" + listener.Addr().String()
	clients := demo.Clients("https://linkgate.test")
	options := demo.ServiceOptions{Issuer: issuer, Clients: clients}
	for _, c := range change {
		c(&options)
	}
	f := &fixture{
		theHost:    demo.NewHost(demo.HostOptions{}),
		theService: demo.NewService(options),
		allowed:    &limit{},
	}
	service := &httptest.Server{Listener: listener, Config: &http.Server{Handler: f.theService}}
	service.Start()
	theHost := httptest.NewServer(f.theHost)
	embedded, err := oauthstate.StartEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	db, err := database.Open(t.Context(), database.Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(); embedded.Close(); theHost.Close(); service.Close() })
	f.Service = &connect.Service{
		PublicURL:   "https://linkgate.test",
		Connections: map[string]*provider.Provider{},
		Sessions:    &oauthstate.Store{Redis: embedded.Client},
		Accounts:    &linkedaccount.Store{DB: db, Keyring: newKeyring(t)},
		Outbox:      &outbox.Box{DB: db, Log: slog.New(slog.DiscardHandler)},
		Host:        host.New(host.Options{BaseURL: theHost.URL, APIKey: f.theHost.APIKey()}),
		Keyring:     newKeyring(t),
		Limit:       f.allowed,
		Log:         slog.New(slog.DiscardHandler),
	}
	f.Outbox.Handlers = f.Promises()
	for i, authID := range []string{demo.NotesOIDC, "other"} {
		f.Connections[authID] = newProvider(t, authID, issuer, clients[i])
	}
	t.Cleanup(f.Outbox.Wait)
	return f
}

func newProvider(t *testing.T, authID, issuer string, c demo.Client) *provider.Provider {
	t.Helper()
	p, err := provider.New(provider.Connection{
		AuthID: authID, Provider: "oidc", Name: "Acme Notes", Issuer: issuer, Scopes: []string{"openid", "profile"},
		ClientID: c.ID, ClientSecret: c.Secret, DeviceURL: provider.DeviceDiscover,
	}, provider.Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newKeyring(t *testing.T) *secret.Keyring {
	t.Helper()
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := secret.OpenKeyring(keyset)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

// opened begins a session of ada's and opens it in the browser.
func (f *fixture) opened(t *testing.T) (ticket string) {
	t.Helper()
	address, err := f.Begin(t.Context(), ada, demo.NotesOIDC)
	if err != nil {
		t.Fatal(err)
	}
	_, ticket, _ = strings.Cut(address, "/connect/")
	if _, err := f.Open(t.Context(), ticket, browser); err != nil {
		t.Fatal(err)
	}
	return ticket
}

// atCallback goes on from there through the service, and returns the callback that it sends.
func (f *fixture) atCallback(t *testing.T, ticket string) (state string, cb provider.Callback) {
	t.Helper()
	address, err := f.Continue(t.Context(), ticket, browser, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := demo.NewBrowser()
	b.Stop = func(u *url.URL) bool { return u.Host == "linkgate.test" }
	page, err := b.SignIn(t.Context(), address, "ada")
	if err != nil {
		t.Fatal(err)
	}
	q := page.URL.Query()
	if q.Get("code") == "" {
		t.Fatalf("the journey ended at %s with status %d, want a callback with a code", page.URL, page.Status)
	}
	return q.Get("state"), provider.Callback{Code: secret.New(q.Get("code")), Issuer: q.Get("iss")}
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestBeginRefuses(t *testing.T) {
	f := newFixture(t)
	_, err := f.Begin(t.Context(), ada, "nothing")
	wantError(t, "an unknown auth id", err, connect.ErrUnknownConnection)
	f.allowed.none = true
	_, err = f.Begin(t.Context(), ada, demo.NotesOIDC)
	wantError(t, "over the limit", err, connect.ErrTooMany)
	_, err = f.Disconnect(t.Context(), ada, "unknown")
	wantError(t, "over the limit, for an account that the host must be asked about", err, connect.ErrTooMany)
}

func TestOpenNamesTheHostUser(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	view, err := f.Open(t.Context(), ticket, browser)
	if err != nil || view.HostUserName != "Ada Lovelace" || view.HostUserID != ada {
		t.Errorf("got %+v, %v; want Ada Lovelace, %s", view, err, ada)
	}
	if n := f.theHost.Calls(demo.OpUser); n != 1 {
		t.Errorf("the host was asked %d times for one session, want once", n)
	}
}

func TestContinueInASecondBrowser(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	_, err := f.Continue(t.Context(), ticket, "another", nil)
	wantError(t, "another browser", err, connect.ErrWrongBrowser)
	_, err = f.Continue(t.Context(), ticket, "", nil)
	wantError(t, "no browser", err, connect.ErrWrongBrowser)
	address, err := f.Begin(t.Context(), ada, demo.NotesOIDC)
	if err != nil {
		t.Fatal(err)
	}
	_, unopened, _ := strings.Cut(address, "/connect/")
	_, err = f.Continue(t.Context(), unopened, "", nil)
	wantError(t, "a session that nobody has opened", err, connect.ErrWrongBrowser)
}

func TestIntrudersAreNotedOnce(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	for range 20 {
		_, err := f.Open(t.Context(), ticket, "another")
		wantError(t, "another browser", err, connect.ErrWrongBrowser)
	}
	events, err := f.Accounts.Events(t.Context(), 100)
	if err != nil || len(events) != 1 || events[0].Name != "ticket.wrong_browser" {
		t.Errorf("the audit trail has %+v, %v; want one ticket.wrong_browser", events, err)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	var err error
	attempts := 0
	for err == nil && attempts < 100 {
		_, err = f.Continue(t.Context(), ticket, browser, nil)
		attempts++
		f.put(t, ticket, func(x *oauthstate.Session) {
			x.Phase, x.Result = oauthstate.Done, &oauthstate.Result{State: string(connect.Failed), Reason: string(connect.Denied)}
		})
		r, resultErr := f.Result(t.Context(), ticket, browser)
		if resultErr != nil || r.Spent != (attempts >= 10) {
			t.Errorf("after attempt %d: spent %v, %v; want %v", attempts, r.Spent, resultErr, attempts >= 10)
		}
	}
	wantError(t, "after many attempts", err, connect.ErrTooMany)
	if attempts != 11 {
		t.Errorf("attempt %d is refused, want the 11th", attempts)
	}
}

// TestStateOfAnAttemptBefore: a new attempt makes the callbacks of those before it void.
func TestStateOfAnAttemptBefore(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	old, cb := f.atCallback(t, ticket)
	if _, err := f.Continue(t.Context(), ticket, browser, nil); err != nil {
		t.Fatal(err)
	}
	_, err := f.Complete(t.Context(), demo.NotesOIDC, browser, old, cb)
	wantError(t, "the callback of the attempt before", err, connect.ErrExpired)
	if n := f.theService.Requests(demo.OpToken); n != 0 {
		t.Errorf("%d token requests, want 0", n)
	}
}

func TestCompleteRefuses(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	state, cb := f.atCallback(t, ticket)
	_, err := f.Complete(t.Context(), demo.NotesOIDC, "another", state, cb)
	wantError(t, "another browser", err, connect.ErrWrongBrowser)
	_, err = f.Complete(t.Context(), "other", browser, state, cb)
	wantError(t, "another connection", err, connect.ErrWrongConnection)
	for range 2 {
		got, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb)
		if err != nil || got != ticket {
			t.Errorf("the right callback: ticket %q, %v; want %q", got, err, ticket)
		}
	}
	if n := f.theService.Requests(demo.OpToken); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

// put changes a session as another replica would.
func (f *fixture) put(t *testing.T, ticket string, change func(*oauthstate.Session)) {
	t.Helper()
	_, err := f.Sessions.Update(t.Context(), oauthstate.IDOf(ticket), func(x *oauthstate.Session) error {
		change(x)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWorkThatStopped(t *testing.T) {
	long := -connect.DefaultWorkTime - time.Hour
	for _, c := range []struct {
		name   string
		since  time.Duration
		result *oauthstate.Result
		state  connect.State
		retry  error
	}{
		{"going on", 0, nil, connect.Working, connect.ErrUsed},
		{"stopped before anything was saved", long, nil, connect.Failed, nil},
		{"stopped after the account was saved", long, &oauthstate.Result{State: string(connect.Pending)}, connect.Pending, connect.ErrUsed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			ticket := f.opened(t)
			f.put(t, ticket, func(x *oauthstate.Session) {
				x.Phase, x.Worker, x.WorkSince, x.Result = oauthstate.Taken, "somebody", time.Now().Add(c.since), c.result
			})
			r, err := f.Result(t.Context(), ticket, browser)
			if err != nil || r.State != c.state {
				t.Errorf("the page shows %q, %v; want %q", r.State, err, c.state)
			}
			_, err = f.Continue(t.Context(), ticket, browser, nil)
			wantError(t, "trying again", err, c.retry)
		})
	}
}

// TestClocksOfReplicas: work is not taken for stopped because this replica's clock is ahead.
func TestClocksOfReplicas(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	f.put(t, ticket, func(x *oauthstate.Session) {
		x.Phase, x.Worker, x.WorkSince = oauthstate.Taken, "somebody", time.Now()
	})
	f.Now = func() time.Time { return time.Now().Add(time.Hour) }
	_, err := f.Continue(t.Context(), ticket, browser, nil)
	wantError(t, "trying again while another replica is at work", err, connect.ErrUsed)
}

// TestSessionTakenOver: a worker that was slower than its time tells nobody its result.
func TestSessionTakenOver(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	state, cb := f.atCallback(t, ticket)
	f.theService.Play(demo.Script{After: func(op string, _ *http.Request) {
		if op == demo.OpToken {
			f.put(t, ticket, func(x *oauthstate.Session) { x.Worker = "somebody else" })
		}
	}})
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
		t.Fatal(err)
	}
	session, err := f.Sessions.Get(t.Context(), oauthstate.IDOf(ticket))
	if err != nil || session.Worker != "somebody else" || session.Phase != oauthstate.Taken || session.Result != nil {
		t.Errorf("got %+v, %v; want the session as somebody else has it", session, err)
	}
}

// relaying goes on until the host must relay, and returns the finish token.
func (f *fixture) relaying(t *testing.T, ticket string) secret.Text {
	t.Helper()
	f.HostFinish = true
	state, cb := f.atCallback(t, ticket)
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
		t.Fatal(err)
	}
	r, err := f.Result(t.Context(), ticket, browser)
	if err != nil || r.State != connect.Relaying || r.FinishToken.IsZero() {
		t.Fatalf("got %+v, %v; want a finish token", r, err)
	}
	return r.FinishToken
}

func TestFinishRefuses(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	token := f.relaying(t, ticket)
	_, err := f.Finish(t.Context(), ada, "other", token)
	wantError(t, "at another connection", err, connect.ErrWrongConnection)
	for _, wrong := range []string{"", "x", token.Reveal() + "A", oauthstate.NewToken(oauthstate.IDOf(ticket)).Reveal()} {
		_, err = f.Finish(t.Context(), ada, demo.NotesOIDC, secret.New(wrong))
		wantError(t, "with a wrong token", err, connect.ErrExpired)
	}
	if n := f.theService.Requests(demo.OpToken); n != 0 {
		t.Errorf("%d token requests, want 0", n)
	}
	r, err := f.Finish(t.Context(), ada, demo.NotesOIDC, token)
	if err != nil || r.State != connect.Linked {
		t.Errorf("the right one afterwards: %+v, %v; want linked", r, err)
	}
}

func TestFinishByAnotherUserEndsIt(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	token := f.relaying(t, ticket)
	_, err := f.Finish(t.Context(), grace, demo.NotesOIDC, token)
	wantError(t, "by another user", err, connect.ErrWrongUser)
	r, err := f.Finish(t.Context(), ada, demo.NotesOIDC, token)
	if err != nil || r.Reason != connect.FinishedByOther {
		t.Errorf("by the right user afterwards: %+v, %v; want %s", r, err, connect.FinishedByOther)
	}
	_, err = f.Continue(t.Context(), ticket, browser, nil)
	wantError(t, "trying again in the window that another user holds", err, connect.ErrUsed)
	if n := f.theService.Requests(demo.OpToken); n != 0 {
		t.Errorf("%d token requests, want 0", n)
	}
}

func TestFinishTwiceAtOnce(t *testing.T) {
	f := newFixture(t)
	token := f.relaying(t, f.opened(t))
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			r, err := f.Finish(context.WithoutCancel(t.Context()), ada, demo.NotesOIDC, token)
			if err != nil || r.State != connect.Linked {
				t.Errorf("got %+v, %v; want linked", r, err)
			}
		})
	}
	all.Wait()
	if n := f.theService.Requests(demo.OpToken); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

// TestTryingAgainWhileTheHostDoesNotRelay: the old finish token is void then.
func TestTryingAgainWhileTheHostDoesNotRelay(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	token := f.relaying(t, ticket)
	if _, err := f.Continue(t.Context(), ticket, browser, nil); err != nil {
		t.Fatal(err)
	}
	_, err := f.Finish(t.Context(), ada, demo.NotesOIDC, token)
	wantError(t, "the old token", err, connect.ErrExpired)
}

// TestAddAfterTheHostForgot: each linking adds under an idempotency key of its own.
func TestAddAfterTheHostForgot(t *testing.T) {
	f := newFixture(t)
	for round := range 2 {
		state, cb := f.atCallback(t, f.opened(t))
		ticket, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Result(t.Context(), ticket, browser)
		if err != nil || r.State != connect.Linked || len(f.theHost.Accounts(ada)) != 1 {
			t.Fatalf("round %d: %+v, %v and %d accounts at the host; want linked and 1", round, r, err, len(f.theHost.Accounts(ada)))
		}
		f.forget(t)
	}
}

// forget deletes all of ada's accounts at the host behind our back.
func (f *fixture) forget(t *testing.T) {
	t.Helper()
	for _, a := range f.theHost.Accounts(ada) {
		if err := f.Host.Delete(t.Context(), ada, a.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLinkingWhileTheOldRecordIsBeingDeleted: the new account gets a record of its own, after the
// old one's is gone.
func TestLinkingWhileTheOldRecordIsBeingDeleted(t *testing.T) {
	f := newFixture(t)
	complete := func() {
		t.Helper()
		state, cb := f.atCallback(t, f.opened(t))
		if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
			t.Fatal(err)
		}
	}
	complete()
	old := f.theHost.Accounts(ada)[0]
	f.theHost.Play(demo.Script{Fault: func(op string, _ *http.Request) *demo.Fault {
		if op == demo.OpUser {
			return nil
		}
		return &demo.Fault{Status: 500}
	}})
	_, err := f.Disconnect(t.Context(), ada, old.ID)
	wantError(t, "disconnecting while the host can't", err, connect.ErrUnavailable)
	complete()
	f.theHost.Play(demo.Script{})

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Outbox.Run(ctx) }()
	for { // ends when it is so; else the test times out
		accounts := f.theHost.Accounts(ada)
		if len(accounts) == 1 && accounts[0].ID != old.ID {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a, _, err := f.Accounts.ByHostID(t.Context(), ada, f.theHost.Accounts(ada)[0].ID)
	if err != nil || a.Status != linkedaccount.Linked {
		t.Errorf("our account is %q, %v; want linked", a.Status, err)
	}
}

func TestHostThatRefusesToDelete(t *testing.T) {
	for _, status := range []int{401, 403} {
		f := newFixture(t)
		state, cb := f.atCallback(t, f.opened(t))
		if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
			t.Fatal(err)
		}
		f.theHost.Play(demo.Script{Fault: demo.Only(demo.OpDelete, -1, *demo.Answer(status, `{"code":"NO","message":"","data":null}`))})
		_, err := f.Disconnect(t.Context(), ada, f.theHost.Accounts(ada)[0].ID)
		wantError(t, "a host that says no", err, connect.ErrHostRefuses)
	}
}

// TestAuditTrailOfALink: what a link and its end leave behind.
func TestAuditTrailOfALink(t *testing.T) {
	f := newFixture(t)
	state, cb := f.atCallback(t, f.opened(t))
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Disconnect(t.Context(), ada, f.theHost.Accounts(ada)[0].ID); err != nil {
		t.Fatal(err)
	}
	f.Outbox.Wait()
	events, err := f.Accounts.Events(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range events {
		names = append(names, e.Name)
	}
	slices.Reverse(names)
	if !slices.Equal(names, []string{"link.saved", "revoked"}) {
		t.Errorf("got %q, want link.saved and revoked", names)
	}
}

// TestConnectAgainForMore: who was granted less than was asked for can try again in the same window,
// and then has one account still.
func TestConnectAgainForMore(t *testing.T) {
	f := newFixture(t)
	ticket := f.opened(t)
	state, cb := f.atCallback(t, ticket)
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
		t.Fatal(err)
	}
	_, err := f.Continue(t.Context(), ticket, browser, nil)
	wantError(t, "after all was granted", err, connect.ErrUsed)
	f.put(t, ticket, func(x *oauthstate.Session) { x.Result.Missing = []string{"notes.write"} })
	state, cb = f.atCallback(t, ticket)
	if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, state, cb); err != nil {
		t.Fatal(err)
	}
	if r, err := f.Result(t.Context(), ticket, browser); err != nil || r.State != connect.Linked || len(r.Missing) != 0 {
		t.Errorf("got %+v, %v; want linked with nothing missing", r, err)
	}
	if n := len(f.theHost.Accounts(ada)); n != 1 {
		t.Errorf("%d accounts, want 1", n)
	}
}
