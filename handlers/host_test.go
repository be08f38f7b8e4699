package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
	"linkgate/handlers/inbound"
)

func TestBegin(t *testing.T) {
	b := newBench(t)
	w := b.asHost("POST", "/auth/gh", "any body at all {")
	if w.Code != http.StatusOK {
		t.Fatalf("got %d %s, want 200", w.Code, w.Body)
	}
	want := `{"code":"OK","message":"OK","data":{"authorization_url":"https://github.example/authorize?client_id=x"}}`
	if got := strings.TrimSpace(w.Body.String()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if diff := cmp.Diff([]string{"Begin alice gh"}, b.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("got Cache-Control %q, want no-store", got)
	}
}

// TestInboundHeaders goes through what a hostile or broken client can make of the two headers.
func TestInboundHeaders(t *testing.T) {
	const secretName, userName = "blink-auth-proxysecret", "blink-auth-userid"
	with := func(h ...string) []string { return append([]string{secretName, proxySecret}, h...) }
	user := func(id string) []string { return with(userName, id) }
	for _, tc := range []struct {
		name    string
		headers []string
		want    int
		user    string // that the use case sees
	}{
		{"right", user("alice"), 200, "alice"},
		{"second secret", []string{secretName, oldSecret, userName, "alice"}, 200, "alice"},
		{"odd case of names", []string{"BLINK-AUTH-PROXYSECRET", proxySecret, "Blink-Auth-UserID", "alice"}, 200, "alice"},
		{"other script", user("أحمد-42"), 200, "أحمد-42"},
		{"space inside", user("alice smith"), 200, "alice smith"},
		{"longest", user(strings.Repeat("u", 256)), 200, strings.Repeat("u", 256)},

		{"nothing", nil, 401, ""},
		{"no secret", []string{userName, "alice"}, 401, ""},
		{"empty secret", []string{secretName, "", userName, "alice"}, 401, ""},
		{"wrong secret", []string{secretName, "wrong", userName, "alice"}, 401, ""},
		{"beginning of the secret", []string{secretName, proxySecret[:20], userName, "alice"}, 401, ""},
		{"secret and more", []string{secretName, proxySecret + "x", userName, "alice"}, 401, ""},
		{"secret in other case", []string{secretName, strings.ToUpper(proxySecret), userName, "alice"}, 401, ""},
		{"secret twice", []string{secretName, proxySecret, secretName, proxySecret, userName, "alice"}, 401, ""},
		{"right and wrong", []string{secretName, proxySecret, secretName, "wrong", userName, "alice"}, 401, ""},
		{"wrong and right", []string{secretName, "wrong", secretName, proxySecret, userName, "alice"}, 401, ""},
		{"both secrets joined", []string{secretName, proxySecret + "," + oldSecret, userName, "alice"}, 401, ""},
		{"secret under a look-alike", []string{"blink_auth_proxysecret", proxySecret, userName, "alice"}, 401, ""},
		{"secret as bearer", []string{"Authorization", "Bearer " + proxySecret, userName, "alice"}, 401, ""},
		{"wrong secret and no user", []string{secretName, "wrong"}, 401, ""},

		{"no user", with(), 400, ""},
		{"empty user", user(""), 400, ""},
		{"user twice", with(userName, "alice", userName, "bob"), 400, ""},
		{"same user twice", with(userName, "alice", userName, "alice"), 400, ""},
		{"users joined", user("alice, bob"), 400, ""},
		{"user under a look-alike", with("blink_auth_userid", "alice"), 400, ""},
		{"look-alike beside the real one", with("blink_auth_userid", "bob", userName, "alice"), 200, "alice"},
		{"other look-alikes", with("Blink-Auth_Userid", "bob", "X-Blink-Auth-Userid", "bob", userName, "alice"), 200, "alice"},
		{"dropped by Connection", with(userName, "alice", "Connection", "blink-auth-userid, blink-auth-proxysecret"), 200, "alice"},
		{"too long", user(strings.Repeat("u", 257)), 400, ""},
		{"not UTF-8", user("ali\xffce"), 400, ""},
		{"NUL", user("ali\x00ce"), 400, ""},
		{"line break", user("ali\r\nce"), 400, ""},
		{"tab", user("ali\tce"), 400, ""},
		{"escape", user("ali\x1b[31mce"), 400, ""},
		{"delete", user("ali\x7fce"), 400, ""},
		{"C1 control", user("ali\u0085ce"), 400, ""},
		{"right-to-left override", user("ali\u202ece"), 400, ""},
		{"zero width", user("ali\u200bce"), 400, ""},
		{"space before", user(" alice"), 400, ""},
		{"space after", user("alice "), 400, ""},
		{"no-break space after", user("alice\u00a0"), 400, ""},
		{"only a space", user(" "), 400, ""},
		{"dot segment", user(".."), 400, ""},
		{"path", user("alice/../bob"), 400, ""},
		{"path for Windows", user(`alice\..\bob`), 400, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, call := range []struct{ method, path, body, want string }{
				{"POST", "/auth/gh", "", "Begin %s gh"},
				{"POST", "/auth/gh/finish", `{"finish_token":"tok"}`, "Finish %s gh tok"},
				{"DELETE", "/linked-accounts/la1", "", "Disconnect %s la1"},
				{"GET", "/call/gh/user", "", "%s gh /user"},
			} {
				b := newBench(t)
				b.caller.serve = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					io.WriteString(w, `{"code":"OK","message":"OK","data":{}}`)
				}
				w := b.do(call.method, call.path, call.body, tc.headers...)
				if w.Code != tc.want {
					t.Errorf("%s: got %d, want %d", call.path, w.Code, tc.want)
				}
				code, _ := decode(t, w)
				if want := map[int]string{200: "OK", 400: "BAD_REQUEST", 401: "UNAUTHORIZED"}[tc.want]; code != want {
					t.Errorf("%s: got %s, want %s", call.path, code, want)
				}
				var want []string
				if tc.user != "" {
					want = []string{fmt.Sprintf(call.want, tc.user)}
				}
				if diff := cmp.Diff(want, append(b.calls, b.caller.asked()...)); diff != "" {
					t.Errorf("%s: calls (-want +got):\n%s", call.path, diff)
				}
			}
		})
	}
}

func TestNoSecretConfiguredLetsNobodyIn(t *testing.T) {
	b := newBench(t, func(s *Server) { s.ProxySecrets = nil })
	for _, value := range []string{"", proxySecret} {
		if w := b.do("POST", "/auth/gh", "", "blink-auth-proxysecret", value, "blink-auth-userid", "alice"); w.Code != 401 {
			t.Errorf("%q: got %d, want 401", value, w.Code)
		}
	}
}

// TestErrorsToTheHost is the table of what the host is told.
func TestErrorsToTheHost(t *testing.T) {
	down := errors.New("dial tcp 10.0.0.7:6379: refused")
	for _, tc := range []struct {
		err        error
		status     int
		code       string
		retryAfter string
	}{
		{connect.ErrUnknownConnection, 404, "NOT_FOUND", ""},
		{fmt.Errorf("looking: %w", connect.ErrNotFound), 404, "NOT_FOUND", ""},
		{connect.ErrExpired, 410, "GONE", ""},
		{connect.ErrUsed, 409, "CONFLICT", ""},
		{connect.ErrWrongUser, 403, "FORBIDDEN", ""},
		{connect.ErrWrongConnection, 400, "BAD_REQUEST", ""},
		{connect.ErrTooMany, 429, "TOO_MANY_REQUESTS", "60"},
		{fmt.Errorf("deleting: %w", connect.ErrHostRefuses), 502, "HOST_REFUSED", ""},
		{context.Canceled, 503, "UNAVAILABLE", "5"}, // ours, with the host still there
		{connect.ErrUnavailable, 503, "UNAVAILABLE", "5"},
		{&connect.UnavailableError{System: "Redis", RetryAfter: 1500 * time.Millisecond, Err: down}, 503, "UNAVAILABLE", "2"},
		{fmt.Errorf("saving: %w", &connect.UnavailableError{System: "Redis", Err: down}), 503, "UNAVAILABLE", "5"},
		{down, 500, "INTERNAL", ""},
		{io.ErrUnexpectedEOF, 500, "INTERNAL", ""},
	} {
		t.Run(tc.err.Error(), func(t *testing.T) {
			for _, call := range []struct{ method, path, body string }{
				{"POST", "/auth/gh", ""}, {"POST", "/auth/gh/finish", `{"finish_token":"tok"}`}, {"DELETE", "/linked-accounts/la1", ""},
			} {
				b := newBench(t)
				b.err = tc.err
				w := b.asHost(call.method, call.path, call.body)
				code, data := decode(t, w)
				if w.Code != tc.status || code != tc.code || len(data) != 0 {
					t.Errorf("%s: got %d %s %v, want %d %s {}", call.path, w.Code, code, data, tc.status, tc.code)
				}
				if got := w.Header().Get("Retry-After"); got != tc.retryAfter {
					t.Errorf("%s: got Retry-After %q, want %q", call.path, got, tc.retryAfter)
				}
				if strings.Contains(w.Body.String(), "10.0.0.7") {
					t.Errorf("%s: got the error's own words: %s", call.path, w.Body)
				}
			}
		})
	}
}

func TestFinish(t *testing.T) {
	for _, tc := range []struct {
		result connect.Result
		want   map[string]any
	}{
		{connect.Result{State: connect.Linked, AccountName: "octocat", Ticket: aTicket}, map[string]any{"state": "linked"}},
		{connect.Result{State: connect.Pending}, map[string]any{"state": "pending"}},
		{connect.Result{State: connect.Failed, Reason: connect.HostRefused}, map[string]any{"state": "failed", "reason": "host_refused"}},
	} {
		b := newBench(t)
		b.result = tc.result
		w := b.asHost("POST", "/auth/gh/finish", `{"finish_token":"tok"}`)
		code, data := decode(t, w)
		if w.Code != 200 || code != "OK" {
			t.Errorf("got %d %s, want 200 OK", w.Code, code)
		}
		if diff := cmp.Diff(tc.want, data); diff != "" {
			t.Errorf("data (-want +got):\n%s", diff)
		}
	}
}

func TestFinishBody(t *testing.T) {
	large := `{"x":"` + strings.Repeat("x", inbound.BodyLimit) + `","finish_token":"tok"}`
	for _, tc := range []struct {
		name, body string
		chunked    bool
		want       int
	}{
		{"more than asked", ` {"finish_token":"tok","extra":[1]} `, false, 200},
		{"empty", "", false, 400},
		{"no token", "{}", false, 400},
		{"empty token", `{"finish_token":""}`, false, 400},
		{"null", "null", false, 400},
		{"number", `{"finish_token":7}`, false, 400},
		{"list", `["tok"]`, false, 400},
		{"cut off", `{"finish_token":"tok"`, false, 400},
		{"two values", `{"finish_token":"tok"}{"finish_token":"other"}`, false, 400},
		{"garbage after", `{"finish_token":"tok"}x`, false, 400},
		{"form", "finish_token=tok", false, 400},
		{"long token", `{"finish_token":"` + strings.Repeat("t", 513) + `"}`, false, 400},
		{"deep", strings.Repeat("[", 100_000), false, 400},
		{"large", large, false, 413},
		{"large without saying so", large, true, 413},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			w := b.doBody("/auth/gh/finish", tc.body, tc.chunked)
			decode(t, w)
			if w.Code != tc.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tc.want)
			}
			if called := len(b.calls) > 0; called != (tc.want == 200) {
				t.Errorf("got calls %v", b.calls)
			}
			if strings.Contains(b.log.String(), "tok\"") {
				t.Errorf("got the body in the log: %s", b.log)
			}
		})
	}
}

func TestHostPathParameters(t *testing.T) {
	for _, tc := range []struct {
		method, path string
		want         int
		call         string
	}{
		{"POST", "/auth/7f3c", 200, "Begin alice 7f3c"},
		{"POST", "/auth/a%20b", 200, "Begin alice a b"},
		{"POST", "/auth/%C3%A9%2D1", 200, "Begin alice é-1"},
		{"POST", "/auth/" + strings.Repeat("a", 257), 404, ""},
		{"POST", "/auth/a%2Fb", 404, ""},
		{"POST", "/auth/%2e%2e", 404, ""},
		{"POST", "/auth/a%00b", 404, ""},
		{"POST", "/auth/a%ffb", 404, ""},
		{"POST", "/auth/", 404, ""},
		{"POST", "/auth/gh/", 404, ""},
		{"POST", "/auth/gh/other", 404, ""},
		{"DELETE", "/linked-accounts/la_1", 200, "Disconnect alice la_1"},
		{"DELETE", "/linked-accounts/..%2Fusers", 404, ""},
		{"DELETE", "/linked-accounts/%2e%2e", 404, ""},
		{"DELETE", "/linked-accounts/" + strings.Repeat("a", 257), 404, ""},
		{"DELETE", "/linked-accounts/", 404, ""},
		{"DELETE", "/linked-accounts", 404, ""},
		{"GET", "/auth/gh", 405, ""},
		{"PUT", "/auth/gh/finish", 405, ""},
		{"GET", "/linked-accounts/la_1", 405, ""},
		{"BREW", "/auth/gh", 405, ""},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			b := newBench(t)
			w := b.asHost(tc.method, tc.path, "")
			code, _ := decode(t, w)
			if want := map[int]string{200: "OK", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}[tc.want]; w.Code != tc.want || code != want {
				t.Errorf("got %d %s, want %d %s", w.Code, code, tc.want, want)
			}
			if got := strings.Join(b.calls, ";"); got != tc.call {
				t.Errorf("got call %q, want %q", got, tc.call)
			}
		})
	}
}

// TestDisconnectSaysWhatItCouldNotDo: where the service can't be told, the user is.
func TestDisconnectSaysWhatItCouldNotDo(t *testing.T) {
	for revocation, want := range map[connect.Revocation]string{
		connect.RevocationRequested:   `{"code":"OK","message":"OK","data":{"revocation":"requested"}}`,
		connect.RevocationUnknown:     `{"code":"OK","message":"OK","data":{"revocation":"unknown"}}`,
		connect.RevocationUnsupported: `{"code":"OK","message":"Disconnected. Acme has no way to revoke access from here: Linkgate has deleted what it had; to be sure, change the password or delete the key there.","data":{"revocation":"unsupported"}}`,
	} {
		b := newBench(t)
		b.disconnected = connect.Disconnected{ServiceName: "Acme", Revocation: revocation}
		if got := strings.TrimSpace(b.asHost("DELETE", "/linked-accounts/la_1", "").Body.String()); got != want {
			t.Errorf("%s: got %s", revocation, got)
		}
	}
}
