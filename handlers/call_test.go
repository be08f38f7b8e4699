package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/call"
	"linkgate/connect"
)

func TestCallTargets(t *testing.T) {
	for _, tc := range []struct {
		target string
		want   string // what is called; empty: nothing
		code   string // when nothing is
	}{
		{"/call/gh/user", "alice gh /user", ""},
		{"/call/gh/", "alice gh /", ""},
		{"/call/gh/repos/a%2Fb/x%20y?q=1", "alice gh /repos/a%2Fb/x%20y", ""},
		{"/call/gh/%41", "alice gh /%41", ""},
		{"/call/gh//x//", "alice gh //x//", ""}, // what it may mean is for call to judge
		{"/call/gh/../x", "alice gh /../x", ""},
		{"/call/gh/%2e%2e/x", "alice gh /%2e%2e/x", ""},
		{"/call/gh/call/other/x", "alice gh /call/other/x", ""},
		{"/call/a%20b/x%2Fy", "alice a b /x%2Fy", ""},
		{"/call/%C3%A9%2D1/user", "alice é-1 /user", ""},
		{`/call/gh/a"b%2Fc`, "", "BAD_PATH"}, // Go would decode the slash
		{"/call/a%2Fb/user", "", "NOT_FOUND"},
		{"/call/%2e%2e/user", "", "NOT_FOUND"},
		{"/call/../user", "", "NOT_FOUND"},
		{"/call/./user", "", "NOT_FOUND"},
		{"/call//user", "", "NOT_FOUND"},
		{"/call/a%00/user", "", "NOT_FOUND"},
		{"/call/" + strings.Repeat("a", 257) + "/user", "", "NOT_FOUND"},
		{"/call/gh", "", "NOT_FOUND"},
		{"/call/gh%2Fuser", "", "NOT_FOUND"},
		{"/call/", "", "NOT_FOUND"},
		{"/call", "", "NOT_FOUND"},
		{"/CALL/gh/user", "", "NOT_FOUND"},
		{"//call/gh/user", "", "NOT_FOUND"},
		{"/%63all/gh/user", "", "NOT_FOUND"},
	} {
		t.Run(tc.target, func(t *testing.T) {
			b := newBench(t)
			w := b.asHost("GET", tc.target, "")
			if got := strings.Join(b.caller.asked(), ";"); got != tc.want {
				t.Errorf("got call %q, want %q", got, tc.want)
			}
			if tc.want != "" {
				return
			}
			if code, _ := decode(t, w); code != tc.code || w.Header().Get("Linkgate-Error") != tc.code {
				t.Errorf("got %s and header %q, want %s", code, w.Header().Get("Linkgate-Error"), tc.code)
			}
		})
	}
}

// TestCallTakesEveryMethod: a service may know ones that echo does not.
func TestCallTakesEveryMethod(t *testing.T) {
	for _, method := range []string{
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "QUERY", "M-SEARCH", "BREW",
		"get", "echo_route_not_found", "any", "!#$%&'*+-.^_`|~",
	} {
		b := newBench(t)
		w := b.asHost(method, "/call/gh/user", "")
		if diff := cmp.Diff([]string{"alice gh /user"}, b.caller.asked()); diff != "" || w.Code != http.StatusNoContent {
			t.Errorf("%s: got %d, calls (-want +got):\n%s", method, w.Code, diff)
		}
		if w := b.do(method, "/call/gh/user", ""); w.Code != http.StatusUnauthorized || len(b.caller.asked()) != 1 {
			t.Errorf("%s without the secret: got %d and calls %v", method, w.Code, b.caller.asked())
		}
	}
}

func TestCallChoosesAccount(t *testing.T) {
	for _, tc := range []struct {
		query   string
		headers []string
		want    string // of the account; "-": 400
	}{
		{"", nil, ""},
		{"?linked_account_id=la_1", nil, "la_1"},
		{"?x=1&linked_account_id=la%5F1&y", nil, "la_1"},
		{"", []string{"la_1"}, "la_1"},
		{"?linked_account_id=la_1", []string{"la_1"}, "la_1"},
		{"?linked_account_id=la_1", []string{"la_2"}, "-"},
		{"?linked_account_id=la_1&linked_account_id=la_1", nil, "-"},
		{"?linked_account_id=la_1&linked_account_id=la_2", nil, "-"},
		{"", []string{"la_1", "la_1"}, "-"},
		{"?linked_account_id=", nil, "-"},
		{"", []string{""}, "-"},
		{"?linked_account_id=..", nil, "-"},
		{"?linked_account_id=a%2Fb", nil, "-"},
		{"?linked_account_id=a%00", nil, "-"},
		{"?linked_account_id=" + strings.Repeat("a", 257), nil, "-"},
		{"?Linked_Account_Id=la_1", nil, ""},
		{"?a=%zz&linked_account_id=la_1", nil, "la_1"},
	} {
		t.Run(tc.query+fmt.Sprint(tc.headers), func(t *testing.T) {
			b := newBench(t)
			headers := []string{"blink-auth-proxysecret", proxySecret, "blink-auth-userid", "alice"}
			for _, h := range tc.headers {
				headers = append(headers, "linkgate-account", h)
			}
			w := b.do("GET", "/call/gh/user"+tc.query, "", headers...)
			want := []string{"alice gh /user"}
			switch tc.want {
			case "":
			case "-":
				want = nil
				if code, _ := decode(t, w); w.Code != 400 || code != "BAD_REQUEST" {
					t.Errorf("got %d %s, want 400 BAD_REQUEST", w.Code, code)
				}
			default:
				want[0] += " as " + tc.want
			}
			if diff := cmp.Diff(want, b.caller.asked()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCallChoosesByComponent(t *testing.T) {
	for _, tc := range []struct {
		query   string
		headers []string
		want    string // "-": 400
	}{
		{"?component_id=flow-1", nil, " for flow-1"},
		{"?x=1&component%5Fid=flow-1", nil, " for flow-1"},
		{"", []string{"linkgate-component", "flow-1"}, " for flow-1"},
		{"?component_id=flow-1", []string{"linkgate-component", "flow-1"}, " for flow-1"},
		{"?component_id=flow-1&linked_account_id=la_1", nil, " as la_1 for flow-1"},
		{"?component_id=flow-1", []string{"linkgate-account", "la_1"}, " as la_1 for flow-1"},
		{"?component_id=flow-1", []string{"linkgate-component", "flow-2"}, "-"},
		{"?component_id=flow-1&component_id=flow-1", nil, "-"},
		{"?component_id=", nil, "-"},
		{"?component_id=a%00", nil, "-"},
	} {
		t.Run(tc.query+fmt.Sprint(tc.headers), func(t *testing.T) {
			b := newBench(t)
			w := b.do("GET", "/call/gh/user"+tc.query, "", append(tc.headers, "blink-auth-proxysecret", proxySecret, "blink-auth-userid", "alice")...)
			want := []string{"alice gh /user" + tc.want}
			if tc.want == "-" {
				want = nil
				if code, _ := decode(t, w); w.Code != 400 || code != "BAD_REQUEST" || !strings.Contains(w.Body.String(), "Linkgate-Component") {
					t.Errorf("got %d %s", w.Code, w.Body)
				}
			}
			if diff := cmp.Diff(want, b.caller.asked()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// TestErrorsOfCalls is the table of what callers are told.
func TestErrorsOfCalls(t *testing.T) {
	down := errors.New("dial tcp 10.0.0.7:443: refused")
	for _, tc := range []struct {
		err        error
		status     int
		code       string
		retryAfter string
		data       map[string]any
	}{
		{call.ErrUnknownConnection, 404, "NOT_FOUND", "", nil},
		{call.ErrNotConnected, 404, "NOT_CONNECTED", "", map[string]any{"auth_id": "gh"}},
		{call.ErrReauthRequired, 409, "REAUTH_REQUIRED", "", map[string]any{"authorization_url": "https://github.example/authorize?client_id=x"}},
		{fmt.Errorf("reading: %w", call.ErrBadPath), 400, "BAD_PATH", "", nil},
		{call.ErrBadBody, 400, "BAD_REQUEST", "", nil},
		{&call.TargetError{Placeholder: "site"}, 409, "NO_TARGET", "", nil},
		{call.ErrFormTooLong, 413, "PAYLOAD_TOO_LARGE", "", nil},
		{&call.NotAllowedError{AuthID: "gh", Rule: "GET /user"}, 403, "NOT_ALLOWED", "", nil},
		{call.ErrTooMany, 429, "TOO_MANY_REQUESTS", "1", nil},
		{fmt.Errorf("refreshing: %w", call.ErrRefused), 502, "SERVICE_REFUSED", "", nil},
		{&call.UnavailableError{System: "the service", RetryAfter: 90 * time.Second, Err: down}, 503, "UNAVAILABLE", "90", nil},
		{&call.UnavailableError{System: "the database", Err: context.DeadlineExceeded}, 503, "UNAVAILABLE", "5", nil},
		{fmt.Errorf("%w: %w", call.ErrTimeout, context.DeadlineExceeded), 504, "TIMEOUT", "", nil},
		{fmt.Errorf("%w: %w", call.ErrBroken, down), 502, "BAD_GATEWAY", "", nil},
		{context.Canceled, 503, "UNAVAILABLE", "5", nil},
		{down, 500, "INTERNAL", "", nil},
	} {
		t.Run(tc.err.Error(), func(t *testing.T) {
			b := newBench(t)
			b.caller.err = tc.err
			w := b.asHost("GET", "/call/gh/user", "")
			code, data := decode(t, w)
			if w.Code != tc.status || code != tc.code || w.Header().Get("Linkgate-Error") != tc.code {
				t.Errorf("got %d %s, header %q; want %d %s", w.Code, code, w.Header().Get("Linkgate-Error"), tc.status, tc.code)
			}
			if tc.data == nil {
				tc.data = map[string]any{}
			}
			if diff := cmp.Diff(tc.data, data); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
			if got := w.Header().Get("Retry-After"); got != tc.retryAfter {
				t.Errorf("got Retry-After %q, want %q", got, tc.retryAfter)
			}
			if strings.Contains(w.Body.String(), "10.0.0.7") {
				t.Errorf("got the error's own words: %s", w.Body)
			}
			wantBegun := []string(nil)
			if tc.code == "REAUTH_REQUIRED" {
				wantBegun = []string{"Begin alice gh"}
			}
			if diff := cmp.Diff(wantBegun, b.fake.asked()); diff != "" {
				t.Errorf("use cases (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReauthWithoutSession: that a session can't be begun now does not hide that one is needed.
func TestReauthWithoutSession(t *testing.T) {
	for _, tc := range []struct {
		begin      error
		retryAfter string
	}{
		{connect.ErrTooMany, "60"},
		{&connect.UnavailableError{System: "Redis", RetryAfter: time.Second, Err: errors.New("down")}, "1"},
		{errors.New("unexpected"), ""},
	} {
		b := newBench(t)
		b.caller.err = call.ErrReauthRequired
		b.fake.err = tc.begin
		b.address = ""
		w := b.asHost("GET", "/call/gh/user", "")
		code, data := decode(t, w)
		if w.Code != 409 || code != "REAUTH_REQUIRED" || len(data) != 0 || w.Header().Get("Retry-After") != tc.retryAfter {
			t.Errorf("%v: got %d %s %v, Retry-After %q", tc.begin, w.Code, code, data, w.Header().Get("Retry-After"))
		}
		if !strings.Contains(b.log.String(), tc.begin.Error()) {
			t.Errorf("%v: not in the log: %s", tc.begin, b.log)
		}
	}
}

func TestMissingRuleIsNamed(t *testing.T) {
	for _, tc := range []struct{ rule, want string }{
		{"GET /user", `"GET /user" is not among calls.allow of connection gh in connections.yaml.`},
		{"GET /é\x1b[31m\n\u202e", `"GET /??[31m??" is not among calls.allow of connection gh in connections.yaml.`},
		{"GET /" + strings.Repeat("a", 9000), `"GET /` + strings.Repeat("a", 195) + `..." is not among calls.allow of connection gh in connections.yaml.`},
	} {
		b := newBench(t)
		b.caller.err = fmt.Errorf("looking: %w", &call.NotAllowedError{AuthID: "gh", Rule: tc.rule})
		w := b.asHost("GET", "/call/gh/x", "")
		if got := messageOf(t, w.Body.Bytes()); got != tc.want {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
}

func TestHowToConnectIsTold(t *testing.T) {
	b := newBench(t)
	b.caller.err = call.ErrNotConnected
	for path, want := range map[string]string{
		"/call/gh/x":        "POST /auth/gh ",
		"/call/a%20%C3%A9/": "POST /auth/a%20%C3%A9 ",
	} {
		if got := messageOf(t, b.asHost("GET", path, "").Body.Bytes()); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it", path, got, want)
		}
	}
}

// TestPathsOfCallsAreNotLogged: they may say something about a person.
func TestPathsOfCallsAreNotLogged(t *testing.T) {
	const private = "patients-of-dr-who"
	for _, err := range []error{
		nil,
		&call.NotAllowedError{AuthID: "gh", Rule: "GET /" + private},
		fmt.Errorf("%q: %w", private, call.ErrBadPath),
		call.ErrNotConnected, call.ErrReauthRequired, call.ErrTimeout,
	} {
		b := newBench(t)
		b.caller.err = err
		b.asHost("GET", "/call/gh/"+private+"?"+private, "")
		if strings.Contains(b.log.String(), private) {
			t.Errorf("%v: got the path in the log: %s", err, b.log)
		}
		lines := b.lines(t)
		if len(lines) != 1 || lines[0]["route"] != "/call/:auth_id/*" || lines[0]["auth_id"] != "gh" {
			t.Errorf("%v: got %v, want one line with route and auth id", err, lines)
		}
	}
}
