package handlers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"linkgate/appproxy"
)

// raw sends bytes as they are and reads the answer.
func raw(t *testing.T, address, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, request)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	body, _ := io.ReadAll(response.Body)
	return response, string(body)
}

const hostLines = "blink-auth-proxysecret: " + proxySecret + "\r\nblink-auth-userid: alice\r\n"

// TestWhereRequestsGo sends request lines as they are, each with and without the host's secret. With
// it each goes where it should; without it none reaches a use case, a service or the app.
func TestWhereRequestsGo(t *testing.T) {
	b := newBench(t, withApp)
	s := b.serve(t, time.Minute)
	ask := func(t *testing.T, line, headers string) (asked string, status int) {
		b.fake.calls, b.caller.calls, b.app.calls = nil, nil, nil
		response, body := raw(t, s.Listener.Addr().String(), line+" HTTP/1.1\r\nHost: h\r\n"+headers+"Connection: close\r\n\r\n")
		s.settle()
		return b.whoWasAsked(response, body), response.StatusCode
	}
	for _, tc := range []struct {
		line string
		want string // who is asked what, with the secret; else the code
	}{
		{"POST /auth/gh", "use case: Begin alice gh"},
		{"POST http://evil.example/auth/gh", "use case: Begin alice gh"},
		{"POST http://evil.example:99/auth/gh?x", "use case: Begin alice gh"},
		{"POST /%61uth/gh", "NOT_FOUND"},
		{"POST /auth%2fgh", "NOT_FOUND"},
		{"POST /auth%2f..", "NOT_FOUND"},
		{"POST /auth/%2e%2e", "NOT_FOUND"},
		{"POST /auth/..", "NOT_FOUND"},
		{"POST /auth/../x", "NOT_FOUND"},
		{"POST /auth/gh/../../x", "NOT_FOUND"},
		{"POST /auth/gh%2Ffinish", "NOT_FOUND"},
		{"POST /auth", "NOT_FOUND"},
		{"POST /auth/", "NOT_FOUND"},
		{"PUT /auth/gh", "METHOD_NOT_ALLOWED"},
		{"BREW /auth/gh/finish", "METHOD_NOT_ALLOWED"},
		{"POST /AUTH/gh", "app: alice POST /AUTH/gh"},
		{"POST //auth/gh", "app: alice POST //auth/gh"},
		{"POST /./auth/gh", "app: alice POST /./auth/gh"}, // and appproxy refuses it
		{"POST /x/../auth/gh", "app: alice POST /x/../auth/gh"},
		{"POST /authentic", "app: alice POST /authentic"},
		{"POST /auth;x/gh", "app: alice POST /auth;x/gh"},
		{`POST /auth\gh`, `app: alice POST /auth%5Cgh`},

		{"DELETE /linked-accounts/la1", "use case: Disconnect alice la1"},
		{"DELETE /linked-accounts", "NOT_FOUND"},
		{"DELETE /linked-accounts/a%2fb", "NOT_FOUND"},
		{"GET /linked-accounts/la1", "METHOD_NOT_ALLOWED"},
		{"GET /linked-accountsx", "app: alice GET /linked-accountsx"},

		{"GET /call/gh/user", "call: alice gh /user"},
		{"BREW /call/gh/user", "call: alice gh /user"},
		{"GET http://evil.example/call/gh/user", "call: alice gh /user"},
		{"GET /call/../x", "NOT_FOUND"},
		{"GET /call/%2e%2e/x", "NOT_FOUND"},
		{"GET /call", "NOT_FOUND"},
		{"GET /call/gh", "NOT_FOUND"},
		{"GET /call%2fgh/x", "NOT_FOUND"},
		{"GET /calls", "app: alice GET /calls"},
		{"GET /Call/gh/x", "app: alice GET /Call/gh/x"},

		{"GET /v1", "NOT_FOUND"},
		{"POST /v1/sessions", "NOT_FOUND"},
		{"GET /v1%2Faccounts", "NOT_FOUND"},
		{"POST /hooks/gh/removed", "UNAUTHORIZED"}, // the host's secret is not the service's
		{"POST /hooks/gh/x", "NOT_FOUND"},
		{"GET /hooks", "NOT_FOUND"},
		{"POST /openapi.json", "METHOD_NOT_ALLOWED"},
		{"GET /openapi%2Ejson", "NOT_FOUND"},
		{"POST /docs", "METHOD_NOT_ALLOWED"},
		{"POST /linkgate.js", "METHOD_NOT_ALLOWED"},
		{"POST /linkgate.d.ts", "METHOD_NOT_ALLOWED"},
		{"GET /docs/mine", "app: alice GET /docs/mine"},
		{"GET /openapi.jsonx", "app: alice GET /openapi.jsonx"},
		{"GET /v10", "app: alice GET /v10"},

		{"BREW /connect/ticket", "page"},
		{"GET /connect/a/b/c", "page"},
		{"GET /connect%2Fticket", "page"},
		{"GET /connect", "NOT_FOUND"},
		{"PUT /callback/gh", "page"},
		{"GET /callback", "NOT_FOUND"},

		{"GET /", "app: alice GET /"},
		{"PATCH /cards/7/click?x=1", "app: alice PATCH /cards/7/click"},
		{"BREW /pot", "app: alice BREW /pot"},
		{"OPTIONS /x", "app: alice OPTIONS /x"},
		{"GET /healthz", "app: alice GET /healthz"},
		{"GET /x%2Fy", "app: alice GET /x%2Fy"},
		{"GET http://evil.example/x", "app: alice GET /x"},
		{"CONNECT evil.example:443", "app: alice CONNECT "},
	} {
		t.Run(tc.line, func(t *testing.T) {
			if got, _ := ask(t, tc.line, hostLines); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			for _, lines := range []string{
				"", "blink-auth-userid: alice\r\n", "blink-auth-proxysecret: wrong\r\nblink-auth-userid: alice\r\n",
				"blink_auth_proxysecret: " + proxySecret + "\r\nblink-auth-userid: alice\r\n", hostLines + hostLines,
			} {
				if got, status := ask(t, tc.line, lines); strings.Contains(got, ":") || status < 400 {
					t.Errorf("with %q: got %d, %q", lines, status, got)
				}
			}
		})
	}
}

// whoWasAsked tells it in a word: who was asked what, else the code of the envelope, else "page".
func (b *bench) whoWasAsked(response *http.Response, body string) string {
	var asked []string
	for _, call := range b.fake.asked() {
		asked = append(asked, "use case: "+call)
	}
	for _, call := range b.caller.asked() {
		asked = append(asked, "call: "+call)
	}
	for _, call := range b.app.asked() {
		asked = append(asked, "app: "+call)
	}
	switch {
	case len(asked) > 0:
		return strings.Join(asked, "; ")
	case strings.HasPrefix(response.Header.Get("Content-Type"), "text/html"):
		return "page"
	}
	return response.Header.Get("Linkgate-Error")
}

// TestWithoutApp: what the app would get is not found, and told as to whom.
func TestWithoutApp(t *testing.T) {
	for _, method := range []string{"GET", "POST", "BREW"} {
		b := newBench(t)
		w := b.asHost(method, "/cards/7", "")
		if code, _ := decode(t, w); w.Code != 404 || code != "NOT_FOUND" {
			t.Errorf("%s: got %d %s", method, w.Code, code)
		}
		if w := b.do(method, "/cards/7", ""); w.Code != 404 || !isPage(w) {
			t.Errorf("%s without the header: got %d, page %v", method, w.Code, isPage(w))
		}
	}
}

// TestStrangersAreToldAsBefore: an app behind us changes nothing for who is not the host.
func TestStrangersAreToldAsBefore(t *testing.T) {
	for _, tc := range []struct {
		headers []string
		status  int
		code    string // empty: a page
	}{
		{nil, 404, ""},
		{[]string{"blink-auth-userid", "alice"}, 404, ""},
		{[]string{"blink-auth-proxysecret", "wrong", "blink-auth-userid", "alice"}, 401, "UNAUTHORIZED"},
		{[]string{"blink-auth-proxysecret", "", "blink-auth-userid", "alice"}, 401, "UNAUTHORIZED"},
		{[]string{"blink-auth-proxysecret", proxySecret}, 400, "BAD_REQUEST"},
		{[]string{"blink-auth-proxysecret", proxySecret, "blink-auth-userid", "a/b"}, 400, "BAD_REQUEST"},
	} {
		b := newBench(t, withApp)
		w := b.do("GET", "/cards/7", "", tc.headers...)
		if w.Code != tc.status || isPage(w) != (tc.code == "") || len(b.app.asked()) > 0 {
			t.Errorf("%v: got %d, page %v, app asked %v", tc.headers, w.Code, isPage(w), b.app.asked())
		}
		if tc.code != "" {
			if code, _ := decode(t, w); code != tc.code {
				t.Errorf("%v: got %s, want %s", tc.headers, code, tc.code)
			}
		}
	}
}

func TestErrorsOfTheApp(t *testing.T) {
	down := errors.New("dial tcp 10.0.0.7:3000: refused")
	for _, tc := range []struct {
		err        error
		status     int
		code       string
		retryAfter string
	}{
		{appproxy.ErrBadPath, 400, "BAD_PATH", ""},
		{fmt.Errorf("%w: %w", appproxy.ErrBadRequest, down), 400, "BAD_REQUEST", ""},
		{appproxy.ErrMethod, 405, "METHOD_NOT_ALLOWED", ""},
		{fmt.Errorf("%w: %w", appproxy.ErrTimeout, down), 504, "APP_TIMEOUT", ""},
		{fmt.Errorf("%w: %w", appproxy.ErrUnavailable, down), 502, "APP_UNAVAILABLE", "5"},
		{down, 500, "INTERNAL", ""},
	} {
		b := newBench(t, withApp)
		b.app.err = tc.err
		w := b.asHost("GET", "/private/7", "")
		code, data := decode(t, w)
		if w.Code != tc.status || code != tc.code || len(data) > 0 || w.Header().Get("Linkgate-Error") != tc.code || w.Header().Get("Retry-After") != tc.retryAfter {
			t.Errorf("%v: got %d %s %v %v", tc.err, w.Code, code, data, w.Header())
		}
		if strings.Contains(w.Body.String(), "10.0.0.7") || strings.Contains(b.log.String(), "private") {
			t.Errorf("%v: got the error's words %s, or the path in the log %s", tc.err, w.Body, b.log)
		}
		if id := w.Header().Get(requestIDHeader); id == "" || b.lines(t)[0]["request_id"] != id {
			t.Errorf("%v: got request id %q", tc.err, id)
		}
	}
}

// TestOwnPathsAreOurs: no path that a route takes is the app's.
func TestOwnPathsAreOurs(t *testing.T) {
	s := &site{Server: &Server{}}
	routes := s.routes()
	for _, r := range routes {
		if !isOurs(r.path) {
			t.Errorf("%s is not kept from the app", r.path)
		}
	}
	if !slices.ContainsFunc(routes, func(r route) bool { return r.audience == through }) {
		t.Error("no route passes through")
	}
}
