package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"linkgate/call"
	"linkgate/connect"
	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/secret"
	"linkgate/templates"
)

const (
	publicURL   = "https://link.example"
	hostOrigin  = "https://app.example"
	proxySecret = "proxy-secret-of-the-host-0123456789"
	oldSecret   = "proxy-secret-while-it-is-rotated-01"
	aTicket     = "dGlja2V0LXRpY2tldC10aWNrZXQtdGlja2V0LTEyMzQ1"
	aBrowser    = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

// aState is the state parameter of an attempt in aTicket's session.
var aState = oauthstate.NewToken(oauthstate.IDOf(aTicket)).Reveal()

// aCookie is the browser's cookie for that session, as it is sent.
var aCookie = cookieFor("__Host-linkgate-", aTicket)

func cookieFor(prefix, ticket string) string {
	return prefix + oauthstate.IDOf(ticket)[:16] + "=" + aBrowser
}

// fake stands in for connect.Service: it records what it is asked and answers as told.
type fake struct {
	mu    sync.Mutex
	calls []string // "Begin alice gh"
	err   error
	panic any

	address      string
	view         connect.View
	disconnected connect.Disconnected
	result       connect.Result
	code         connect.CodeView
	cb           provider.Callback
	values       map[string]secret.Text
	origin       string                                    // of the page that results are for
	following    connect.Following                         // of Follow
	tracks       bool                                      // Open, Continue and Complete change following and result
	check        func(values map[string]secret.Text) error // of Continue; nil: all is well
}

func (f *fake) called(words ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, strings.Join(words, " "))
	if f.panic != nil {
		panic(f.panic)
	}
	return f.err
}

// asked is what it has been asked so far, for tests in which others are still asking.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fake) Begin(_ context.Context, hostUserID, authID string) (string, error) {
	return f.address, f.called("Begin", hostUserID, authID)
}

func (f *fake) Finish(_ context.Context, hostUserID, authID string, token secret.Text) (connect.Result, error) {
	return f.result, f.called("Finish", hostUserID, authID, token.Reveal())
}

func (f *fake) Disconnect(_ context.Context, hostUserID, linkedAccountID string) (connect.Disconnected, error) {
	return f.disconnected, f.called("Disconnect", hostUserID, linkedAccountID)
}

func (f *fake) Open(_ context.Context, ticket, browser string) (connect.View, error) {
	f.track(connect.Open, connect.AtTicket)
	return f.view, f.called("Open", ticket, browser)
}

func (f *fake) Continue(_ context.Context, ticket, browser string, values map[string]secret.Text) (string, error) {
	f.track(connect.Open, connect.AtService)
	f.mu.Lock()
	f.values = values
	f.mu.Unlock()
	if err := f.called("Continue", ticket, browser); err != nil || f.check == nil {
		return f.address, err
	}
	return f.address, f.check(values)
}

func (f *fake) ContinueByCode(_ context.Context, ticket, browser string, values map[string]secret.Text) (string, error) {
	f.mu.Lock()
	f.values = values
	f.mu.Unlock()
	return f.address, f.called("ContinueByCode", ticket, browser)
}

func (f *fake) Code(_ context.Context, ticket, browser string) (connect.CodeView, error) {
	return f.code, f.called("Code", ticket, browser)
}

func (f *fake) Result(_ context.Context, ticket, browser string) (connect.Result, error) {
	f.mu.Lock()
	r := f.result
	f.mu.Unlock()
	r.Origin = f.origin
	return r, f.called("Result", ticket, browser)
}

func (f *fake) Follow(_ context.Context, ticket string) (connect.Following, error) {
	err := f.called("Follow", ticket)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.following.State == expired {
		return connect.Following{}, connect.ErrExpired
	}
	return f.following, err
}

// expired is a session that is over.
const expired connect.State = "expired"

// follow changes what Follow tells from now on.
func (f *fake) follow(change func(*connect.Following)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.following)
}

// track makes of the fake a session that is opened, sent on, and ends.
func (f *fake) track(state connect.State, step connect.Step) {
	if !f.tracks {
		return
	}
	f.follow(func(now *connect.Following) {
		if now.State == connect.Failed && step == connect.AtTicket {
			return // to be tried again
		}
		now.State, now.Step = state, step
		f.result.State, f.result.Reason = state, ""
		if state == connect.Failed {
			f.result.Reason = connect.Denied
		}
	})
}

func (f *fake) MayFollow(origin string) bool { return origin == hostOrigin || origin == f.origin }

func (f *fake) Complete(_ context.Context, authID, browser, state string, cb provider.Callback) (string, error) {
	f.cb = cb
	if cb.Error != "" {
		f.track(connect.Failed, "")
	} else {
		f.track(connect.Linked, "")
	}
	return aTicket, f.called("Complete", authID, browser, state)
}

// parsedPages are read only, and parsing them takes longer than most tests.
var parsedPages = sync.OnceValues(templates.New)

// service stands in for call.Proxy, and for appproxy.Proxy: it records what it is asked and does as
// told.
type service struct {
	mu    sync.Mutex
	calls []string // "alice gh /user", "alice gh /user as acc_1"; to the app "alice GET /x"
	err   error
	serve http.HandlerFunc // nil: 204
}

func (s *service) called(w http.ResponseWriter, r *http.Request, what string) error {
	s.mu.Lock()
	s.calls = append(s.calls, what)
	s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.serve == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	s.serve(w, r)
	return nil
}

func (s *service) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// fakeCaller is a service that is called.
type fakeCaller struct{ service }

func (f *fakeCaller) Serve(w http.ResponseWriter, r *http.Request, to call.Target) error {
	what := to.HostUserID + " " + to.AuthID + " " + to.Path
	if to.Account != "" {
		what += " as " + to.Account
	}
	if to.Component != "" {
		what += " for " + to.Component
	}
	return f.called(w, r, what)
}

// fakeApp is the owner's app.
type fakeApp struct{ service }

func (f *fakeApp) Serve(w http.ResponseWriter, r *http.Request, hostUserID string) error {
	return f.called(w, r, hostUserID+" "+r.Method+" "+r.URL.EscapedPath())
}

// bench is a Server on fakes.
type bench struct {
	*fake
	caller  *fakeCaller
	app     *fakeApp // nil unless withApp
	server  *Server
	handler http.Handler
	log     *bytes.Buffer
}

func newBench(t *testing.T, change ...func(*Server)) *bench {
	t.Helper()
	pages, err := parsedPages()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{log: &bytes.Buffer{}, caller: &fakeCaller{}, fake: &fake{
		address: "https://github.example/authorize?client_id=x",
		view:    connect.View{ServiceName: "GitHub", HostUserID: "alice", HostUserName: "Alice"},
		origin:  hostOrigin,
		result:  connect.Result{Ticket: aTicket, State: connect.Linked, ServiceName: "GitHub", AccountName: "octocat"},
	}}
	b.server = &Server{
		Connect: b.fake, Calls: b.caller, Pages: pages,
		ProxySecrets: []secret.Text{secret.New(proxySecret), {}, secret.New(oldSecret)},
		PublicURL:    publicURL,
		Log:          slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics:      prometheus.NewRegistry(),
	}
	for _, c := range change {
		c(b.server)
	}
	b.app, _ = b.server.App.(*fakeApp)
	if b.handler, err = b.server.Public(); err != nil {
		t.Fatal(err)
	}
	return b
}

// withApp puts the owner's app behind a Server.
func withApp(s *Server) { s.App = &fakeApp{} }

// do sends a request; headers are names and values.
func (b *bench) do(method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

// asHost is do with the host's headers for alice.
func (b *bench) asHost(method, target, body string) *httptest.ResponseRecorder {
	return b.do(method, target, body, "blink-auth-proxysecret", proxySecret, "blink-auth-userid", "alice")
}

// asBrowser is do with the browser's cookie.
func (b *bench) asBrowser(method, target string) *httptest.ResponseRecorder {
	return b.do(method, target, "", "Cookie", aCookie, "Sec-Fetch-Site", "same-origin")
}

// decode reads an envelope and insists on its exact shape.
func decode(t *testing.T, w *httptest.ResponseRecorder) (code string, data map[string]any) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("not an envelope: %v: %q", err, w.Body)
	}
	code, _ = got["code"].(string)
	message, _ := got["message"].(string)
	data, isObject := got["data"].(map[string]any)
	if len(got) != 3 || code == "" || message == "" || !isObject {
		t.Fatalf("got %s, want exactly code, message and an object as data", w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("got Content-Type %q, want application/json", got)
	}
	return code, data
}

func isPage(w *httptest.ResponseRecorder) bool {
	return strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") && strings.HasPrefix(w.Body.String(), "<!doctype html>")
}

// doBody posts a body as the host; chunked hides its length.
func (b *bench) doBody(path, body string, chunked bool) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	if chunked {
		r.ContentLength = -1
	}
	r.Header.Set("blink-auth-proxysecret", proxySecret)
	r.Header.Set("blink-auth-userid", "alice")
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

// messageOf is the message of an envelope.
func messageOf(t *testing.T, body []byte) string {
	t.Helper()
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	return e.Message
}
