package call

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// The account is the one that is named, else the component's; the service sees neither name.
func TestServeAsTheComponentsAccount(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 2)
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) {
		seen <- fmt.Sprint(r.RequestURI, " ", r.Header["Linkgate-Component"])
	}, nil)
	for _, account := range []string{"", "acc_1"} {
		r := httptest.NewRequest(http.MethodGet, "/call?component_id=flow-1&a=1", nil)
		r.Header.Set("Linkgate-Component", "flow-1")
		to := Target{HostUserID: theUser, AuthID: theAuthID, Path: "/x", Account: account, Component: "flow-1"}
		if err := w.proxy.Serve(httptest.NewRecorder(), r, to); err != nil {
			t.Fatal(err)
		}
		if got := <-seen; got != "/x?a=1 []" {
			t.Errorf("the service saw %s", got)
		}
	}
	want := []string{theUser + " " + theAuthID + " of flow-1", theUser + " " + theAuthID + " acc_1"}
	if diff := cmp.Diff(want, w.tokens.asked); diff != "" {
		t.Errorf("asked for credentials (-want +got):\n%s", diff)
	}
}

// TestServe follows one plain call to the service and back.
func TestServe(t *testing.T) {
	var seen *http.Request
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen = r
		rw.Header().Set("X-Request-Id", "theirs")
		rw.Header().Set("X-Other", "1")
		rw.Header()["Content-Type"] = nil
		rw.WriteHeader(http.StatusCreated)
		fmt.Fprintf(rw, "<html>%s", body)
	}, nil).start()
	res, text := w.want(http.StatusCreated, nil, "POST", "/repos/a%2Fb?q=1&x=%20", "body", "User-Agent", "browser", "Linkgate-Account", "acc_1",
		"Authorization", "Bearer forged", "Cookie", "session=1", "X-Forwarded-For", "1.2.3.4", "Blink-Auth-Proxysecret", "secret")
	if text != "<html>body" {
		t.Errorf("got body %q", text)
	}
	want := http.Header{"X-Request-Id": {"ours"}, "X-Other": {"1"}, "Date": res.Header["Date"], "Content-Length": {"10"}, "X-Content-Type-Options": {"nosniff"}, "Cache-Control": {"private"}}
	if diff := cmp.Diff(want, res.Header); diff != "" {
		t.Errorf("answer's header (-want +got):\n%s", diff)
	}
	if seen.RequestURI != "/repos/a%2Fb?q=1&x=%20" || "http://"+seen.Host != w.service.URL {
		t.Errorf("the service saw %s at %s", seen.RequestURI, seen.Host)
	}
	if diff := cmp.Diff(http.Header{"Authorization": {"Bearer " + theToken}, "User-Agent": {"browser"}, "Content-Length": {"4"}}, seen.Header); diff != "" {
		t.Errorf("request's header (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{theUser + " " + theAuthID + " acc_1"}, w.tokens.asked); diff != "" {
		t.Errorf("asked for credentials (-want +got):\n%s", diff)
	}
	w.want(http.StatusCreated, nil, "GET", "/", "", "User-Agent", "")
	if got := seen.Header["User-Agent"]; !cmp.Equal(got, []string{"linkgate"}) {
		t.Errorf("without User-Agent: the service saw %q", got)
	}
}

// TestHopByHop: what is for one connection only is not passed on, whether either side names it in
// Connection or not; and naming the credential there does not take it away (RFC 9110 §7.6.1).
func TestHopByHop(t *testing.T) {
	var seen, answer http.Header
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		maps.Copy(rw.Header(), answer)
	}, nil).start()
	ofHop := []string{"Keep-Alive", "timeout=5", "Proxy-Authorization", "Basic eA==", "Proxy-Connection", "keep-alive",
		"Upgrade", "h2c", "X-Passed", "1", "User-Agent", "browser"}
	requests := map[string][]string{
		"named": append(ofHop, "Connection", "authorization, X-Named", "Connection", "host, content-length", "X-Named", "1", "Te", "gzip"),
		"known": ofHop,
		"te":    append(ofHop, "Te", "gzip"),
	}
	answers := map[string]http.Header{
		"named": {"Connection": {"X-Named"}, "X-Named": {"1"}, "Keep-Alive": {"timeout=5"}, "Proxy-Authenticate": {"Basic"}, "X-Passed": {"1"}},
		"known": {"Keep-Alive": {"timeout=5"}, "Proxy-Authenticate": {"Basic"}, "Proxy-Connection": {"close"}, "Upgrade": {"h2c"}, "X-Passed": {"1"}},
	}
	for name, header := range requests {
		for answerName, answerHeader := range answers {
			answer = answerHeader
			res, _ := w.want(http.StatusOK, nil, "GET", "/", "", header...)
			if diff := cmp.Diff(http.Header{"Authorization": {"Bearer " + theToken}, "User-Agent": {"browser"}, "X-Passed": {"1"}}, seen); diff != "" {
				t.Errorf("%s: request's header (-want +got):\n%s", name, diff)
			}
			for _, dropped := range []string{"Connection", "X-Named", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection", "Upgrade"} {
				if values := res.Header[dropped]; values != nil {
					t.Errorf("%s answer: %s came through: %q", answerName, dropped, values)
				}
			}
			if got := res.Header["X-Passed"]; len(got) != 1 {
				t.Errorf("%s answer: X-Passed came through %d times", answerName, len(got))
			}
		}
	}
}

// limit allows so many calls.
type limit struct {
	left  int
	err   error
	asked []string
}

func (l *limit) Allow(id string) (bool, error) {
	l.asked = append(l.asked, id)
	l.left--
	return l.left >= 0, l.err
}

// TestRefusals: each check comes before what would cost more, or tell more.
func TestRefusals(t *testing.T) {
	missing := linkedaccount.ErrNotFound
	tests := map[string]struct {
		authID, method, path string
		limit                limit
		want                 error
		limited, asked       int // times that the limiter and Tokens are asked
	}{
		"unknown connection": {"other", "DELETE", "/a/../b", limit{}, ErrUnknownConnection, 0, 0},
		"without calls":      {"mute", "GET", "/user", limit{}, ErrNotAllowed, 0, 0},
		"bad path":           {theAuthID, "DELETE", "/a/../b", limit{}, ErrBadPath, 0, 0},
		"not allowed":        {theAuthID, "DELETE", "/user", limit{}, ErrNotAllowed, 0, 0},
		"never allowed":      {theAuthID, "TRACE", "/user", limit{}, ErrNotAllowed, 0, 0},
		"too many":           {theAuthID, "GET", "/user", limit{}, ErrTooMany, 1, 0},
		"limiter fails":      {theAuthID, "GET", "/user", limit{left: 1, err: errors.New("broken")}, ErrTooMany, 1, 0},
		"no account":         {theAuthID, "GET", "/user", limit{left: 1}, ErrNotConnected, 1, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(http.ResponseWriter, *http.Request) { t.Error("the service was asked") }, func(o *Options, c *provider.Connection) {
				o.Limit = &test.limit
				c.Calls.Allow = []string{"GET /user", "* /a/b"}
			})
			w.proxy.connections["mute"] = &connection{}
			w.tokens.err = missing
			r, err := http.NewRequestWithContext(t.Context(), test.method, w.service.URL+test.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			err = w.proxy.Serve(nil, r, Target{HostUserID: theUser, AuthID: test.authID, Path: test.path})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if len(test.limit.asked) != test.limited || len(w.tokens.asked) != test.asked {
				t.Errorf("asked: limiter %d times and Tokens %d times, want %d and %d", len(test.limit.asked), len(w.tokens.asked), test.limited, test.asked)
			}
			if test.limited > 0 && test.limit.asked[0] != theUser {
				t.Errorf("limited %q, want the user", test.limit.asked[0])
			}
		})
	}
}

// TestMissingRule: the error names the rule as it would stand in the configuration.
func TestMissingRule(t *testing.T) {
	w := newWorld(t, nil, func(_ *Options, c *provider.Connection) { c.Calls.Allow = []string{"GET /user"} })
	_, err := w.call(t.Context(), "DELETE", "/repos/a%20b", "")
	var refused *NotAllowedError
	if !errors.As(err, &refused) || !errors.Is(err, ErrNotAllowed) {
		t.Fatalf("got %v, want a NotAllowedError", err)
	}
	if diff := cmp.Diff(&NotAllowedError{AuthID: theAuthID, Rule: "DELETE /repos/a%20b"}, refused); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestNoCredential says what each failure of Tokens means.
func TestNoCredential(t *testing.T) {
	tests := map[string]struct {
		err  error
		want error
		down *UnavailableError // nil: want is another
	}{
		"no account":            {fmt.Errorf("x: %w", linkedaccount.ErrNotFound), ErrNotConnected, nil},
		"must sign in":          {fmt.Errorf("x: %w", linkedaccount.ErrReauthRequired), ErrReauthRequired, nil},
		"client refused":        {&provider.Error{Kind: provider.ErrRefused}, ErrRefused, nil},
		"weather":               {&provider.Error{Kind: provider.ErrUnavailable}, ErrUnavailable, &UnavailableError{System: theService}},
		"weather with a date":   {&provider.Error{Kind: provider.ErrUnavailable, RetryAfter: 7 * time.Second}, ErrUnavailable, &UnavailableError{System: theService, RetryAfter: 7 * time.Second}},
		"weather, without more": {fmt.Errorf("x: %w", provider.ErrUnavailable), ErrUnavailable, &UnavailableError{System: theService}},
		"no database":           {fmt.Errorf("x: %w", context.DeadlineExceeded), ErrUnavailable, &UnavailableError{System: theDatabase}},
		"caller has left":       {fmt.Errorf("x: %w", context.Canceled), context.Canceled, nil},
		"something else":        {io.ErrShortWrite, io.ErrShortWrite, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, nil)
			w.tokens.err = test.err
			_, err := w.call(t.Context(), "GET", "/", "")
			if !errors.Is(err, test.want) || !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v with %v", err, test.want, test.err)
			}
			var down *UnavailableError
			if errors.As(err, &down) != (test.down != nil) {
				t.Fatalf("got %v, want %v", err, test.down)
			}
			if test.down != nil && (down.System != test.down.System || down.RetryAfter != test.down.RetryAfter) {
				t.Errorf("got %s after %v, want %s after %v", down.System, down.RetryAfter, test.down.System, test.down.RetryAfter)
			}
		})
	}
}

// TestNew refuses what could only fail later.
func TestNew(t *testing.T) {
	p, err := provider.New(connectionTo("https://service.example"), provider.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	bad, mute, silent := *p, *p, *p
	bad.Connection.Calls.Allow = []string{"GET"}
	mute.Applier = nil
	silent.Applier, silent.Connection.Calls = nil, provider.CallRules{}
	for name, test := range map[string]struct {
		provider *provider.Provider
		want     bool
	}{"good": {p, true}, "mistaken rule": {&bad, false}, "no applier": {&mute, false}, "no calls and no applier": {&silent, true}} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Connections: map[string]*provider.Provider{theAuthID: test.provider}})
			if (err == nil) != test.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestBounds: a connection has so many calls under way and no more, and gets its places back.
func TestBounds(t *testing.T) {
	w := newWorld(t, func(http.ResponseWriter, *http.Request) {}, nil)
	w.connection().underWay.Store(maxUnderWay)
	_, err := w.call(t.Context(), "GET", "/", "")
	var down *UnavailableError
	if !errors.As(err, &down) || down.RetryAfter != busyPause || len(w.tokens.asked) != 0 {
		t.Errorf("got %v, want an UnavailableError", err)
	}
	w.connection().underWay.Store(maxUnderWay - 1)
	for range 3 {
		if _, err := w.call(t.Context(), "GET", "/", ""); err != nil {
			t.Errorf("with one place left: %v", err)
		}
	}
	if got := w.connection().underWay.Load(); got != maxUnderWay-1 {
		t.Errorf("under way after all: %d more than before", got-maxUnderWay+1)
	}
}
