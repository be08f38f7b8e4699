package handlers

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
	"linkgate/secret"
)

const hookSecret = "removal-secret-of-the-service-01"

// Removed believes hookSecret alone, wants the path "deep.id" at the auth id "deep", and notes what
// it is told.
func (f *fake) Removed(_ context.Context, authID string, proof secret.Text, account func(string) (string, error)) (int, error) {
	if proof.Reveal() != hookSecret {
		return 0, connect.ErrNotService
	}
	path := ""
	if authID == "deep" {
		path = "deep.id"
	}
	id, err := account(path)
	if err != nil {
		return 0, err
	}
	return 3, f.called("Removed", authID, id)
}

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded; charset=utf-8"
)

// TestRemovedNames goes through the ways in which a service may name the account.
func TestRemovedNames(t *testing.T) {
	const at = "/hooks/sun/" + hookSecret + "/removed"
	for _, tc := range []struct {
		name, method, path, contentType, body string
		status                                int
		want                                  string // the id; empty: nothing is done
	}{
		{"query", "GET", at + "?appId=app-1", "", "", 200, "app-1"},
		{"query, our own name", "GET", at + "?external_account_id=app-1", "", "", 200, "app-1"},
		{"query of a POST", "POST", at + "?appId=app-1", "", "", 200, "app-1"},
		{"JSON", "POST", at, jsonType, `{"appId":"app-1"}`, 200, "app-1"},
		{"JSON, inside", "POST", at, jsonType, `{"trigger":"x","app":{"id":"app-1"}}`, 200, "app-1"},
		{"JSON of the first version", "POST", at, jsonType, `{"app":{"_id":"app-1"}}`, 200, "app-1"},
		{"JSON under no type", "POST", at, "", `{"appId":"app-1"}`, 200, "app-1"},
		{"JSON under a wrong type", "POST", at, "text/plain", `{"appId":"app-1"}`, 200, "app-1"},
		{"form", "POST", at, formType, "appId=app-1", 200, "app-1"},
		{"form with a path for a name", "POST", at, formType, "app.id=app-1", 200, "app-1"},
		{"a number, every digit of it", "POST", at, jsonType, `{"appId":9007199254740993}`, 200, "9007199254740993"},
		{"twice the same", "POST", at + "?appId=app-1", jsonType, `{"appId":"app-1","app":{"id":"app-1"}}`, 200, "app-1"},
		{"other script", "GET", at + "?appId=%D8%A3", "", "", 200, "أ"},
		{"where the connection says", "POST", "/hooks/deep/" + hookSecret + "/removed", jsonType, `{"deep":{"id":"app-1"},"appId":"app-2"}`, 200, "app-1"},
		{"parameter that the connection says", "GET", "/hooks/deep/" + hookSecret + "/removed?deep.id=app-1&appId=app-2", "", "", 200, "app-1"},

		{"nothing", "GET", at, "", "", 400, ""},
		{"nothing known", "POST", at, jsonType, `{"id":"app-1"}`, 400, ""},
		{"not where the connection says", "GET", "/hooks/deep/" + hookSecret + "/removed?appId=app-2", "", "", 400, ""},
		{"two accounts", "POST", at + "?appId=app-1", jsonType, `{"appId":"app-2"}`, 400, ""},
		{"two accounts in the query", "GET", at + "?appId=app-1&appId=app-2", "", "", 400, ""},
		{"empty", "GET", at + "?appId=", "", "", 400, ""},
		{"an object", "POST", at, jsonType, `{"appId":{}}`, 400, ""},
		{"true", "POST", at, jsonType, `{"appId":true}`, 400, ""},
		{"NUL", "GET", at + "?appId=a%00", "", "", 400, ""},
		{"no UTF-8", "GET", at + "?appId=%ff", "", "", 400, ""},
		{"too long", "GET", at + "?appId=" + strings.Repeat("a", 257), "", "", 400, ""},
		{"no JSON", "POST", at, jsonType, `{"appId":`, 400, ""},
		{"two documents", "POST", at, jsonType, `{"appId":"app-1"}{}`, 400, ""},
		{"no form", "POST", at, formType, "appId=%zz", 400, ""},
		{"too large", "POST", at, jsonType, `{"appId":"` + strings.Repeat("a", 1<<20) + `"}`, 413, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			w := b.do(tc.method, tc.path, tc.body, "Content-Type", tc.contentType)
			if w.Code != tc.status {
				t.Fatalf("got %d %s, want %d", w.Code, w.Body, tc.status)
			}
			_, data := decode(t, w)
			var want []string
			if tc.want != "" {
				auth := strings.Split(tc.path, "/")[2]
				want = []string{"Removed " + auth + " " + tc.want}
				if data["accounts"] != 3.0 {
					t.Errorf("got %v, want the number of accounts", data)
				}
			}
			if diff := cmp.Diff(want, b.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRemovedSecret: the secret counts in the path or in the query, once. Every other request gets
// the same answer, and the log nothing of what was sent.
func TestRemovedSecret(t *testing.T) {
	const ok, refused = http.StatusOK, http.StatusUnauthorized
	for name, tc := range map[string]struct {
		path   string
		status int
	}{
		"in the path":                 {"/hooks/sun/" + hookSecret + "/removed?appId=a", ok},
		"in the query":                {"/hooks/sun/removed?appId=a&secret=" + hookSecret, ok},
		"escaped":                     {"/hooks/sun/%72emoval-secret-of-the-service-01/removed?appId=a", ok},
		"none":                        {"/hooks/sun/removed?appId=a", refused},
		"empty":                       {"/hooks/sun/removed?appId=a&secret=", refused},
		"wrong":                       {"/hooks/sun/removed?appId=a&secret=mistaken", refused},
		"wrong in the path":           {"/hooks/sun/mistaken/removed?appId=a", refused},
		"twice":                       {"/hooks/sun/removed?appId=a&secret=" + hookSecret + "&secret=" + hookSecret, refused},
		"right and wrong":             {"/hooks/sun/removed?appId=a&secret=" + hookSecret + "&secret=mistaken", refused},
		"in both":                     {"/hooks/sun/" + hookSecret + "/removed?appId=a&secret=" + hookSecret, refused},
		"wrong path, right query":     {"/hooks/sun/mistaken/removed?appId=a&secret=" + hookSecret, refused},
		"under another name":          {"/hooks/sun/removed?appId=a&Secret=" + hookSecret, refused},
		"in a query that is none":     {"/hooks/sun/removed?appId=a&x=%zz&secret=" + hookSecret, refused},
		"behind a semicolon":          {"/hooks/sun/removed?appId=a;secret=" + hookSecret, refused},
		"very long":                   {"/hooks/sun/removed?appId=a&secret=" + strings.Repeat("a", 600), refused},
		"an auth id that can't be":    {"/hooks/%2e%2e/removed?appId=a&secret=mistaken", refused},
		"an auth id that is too long": {"/hooks/" + strings.Repeat("a", 300) + "/removed?appId=a", refused},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			w := b.do("POST", tc.path, "")
			if w.Code != tc.status || (len(b.calls) == 1) != (tc.status == ok) {
				t.Fatalf("got %d and %v, want %d", w.Code, b.calls, tc.status)
			}
			const want = `{"code":"UNAUTHORIZED","message":"The removal secret is missing or wrong.","data":{}}`
			if got := strings.TrimSpace(w.Body.String()); tc.status == refused && got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			for _, hidden := range []string{"removal-secret", "mistaken", "secret=", "appId", "/hooks/sun"} {
				if strings.Contains(b.log.String(), hidden) {
					t.Errorf("the log has %q: %s", hidden, b.log)
				}
			}
			lines := b.lines(t)
			if len(lines) != 1 || !strings.HasPrefix(lines[0]["route"].(string), "/hooks/:auth_id/") {
				t.Errorf("the log has %v, want one line that names the route", lines)
			}
		})
	}
}

// TestRemovedInTheBody: a secret in the body proves nothing.
func TestRemovedInTheBody(t *testing.T) {
	b := newBench(t)
	w := b.do("POST", "/hooks/sun/removed", "appId=a&secret="+hookSecret, "Content-Type", formType)
	if w.Code != http.StatusUnauthorized || len(b.calls) != 0 {
		t.Errorf("got %d and %v, want 401 and nothing", w.Code, b.calls)
	}
}

// TestRemovedOtherMethods have no effect.
func TestRemovedOtherMethods(t *testing.T) {
	for method, want := range map[string]int{"HEAD": 405, "PUT": 405, "DELETE": 405, "OPTIONS": 204} {
		b := newBench(t)
		w := b.do(method, "/hooks/sun/removed?appId=a&secret="+hookSecret, "")
		if w.Code != want || len(b.calls) != 0 {
			t.Errorf("%s: got %d and %v, want %d and nothing", method, w.Code, b.calls, want)
		}
	}
}

func TestRemovedTooOften(t *testing.T) {
	b := newBench(t)
	b.err = connect.ErrTooManyRemovals
	w := b.do("POST", "/hooks/sun/"+hookSecret+"/removed?appId=a", "")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
		t.Errorf("got %d, Retry-After %q; want 429 and 1", w.Code, w.Header().Get("Retry-After"))
	}
}
