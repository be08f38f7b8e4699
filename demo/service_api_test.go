package demo_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/demo"
)

// api sends a request to the service's API and returns status, headers and body.
func (p *party) api(t *testing.T, token, method, path, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.issuer+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultTransport.RoundTrip(r) // no redirect is followed
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

func (p *party) accessToken(t *testing.T, username string) string {
	t.Helper()
	return p.signIn(t, demo.NotesOIDC, username).exchange(t).AccessToken
}

func TestAPI(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	token := p.accessToken(t, "ada")
	tests := []struct {
		op, method, path, body string
		status                 int
		want                   string // in the answer, headers included
	}{
		{demo.OpProfile, "GET", "/api/me", "", 200, `{"account":{"display_name":"Ada Lovelace","id":"acct_1815"}}`},
		{demo.OpProfile, "HEAD", "/api/me", "", 200, ""},
		{demo.OpNotes, "POST", "/api/notes", `{"text":"Buy milk"}`, 201, `"text":"Buy milk"`},
		{demo.OpNotes, "GET", "/api/notes", "", 200, `"text":"Buy milk"`},
		{demo.OpNotes, "POST", "/api/notes", `{}`, 400, "text is required"},
		{demo.OpSlow, "GET", "/api/slow?ms=1", "", 200, `{"ms":1}`},
		{demo.OpSlow, "GET", "/api/slow", "", 400, "ms is required"},
		{demo.OpStatus, "GET", "/api/status/503?retry_after=7", "", 503, "Retry-After: 7"},
		{demo.OpStatus, "GET", "/api/status/404", "", 404, `{"status":404}`},
		{demo.OpStatus, "GET", "/api/status/101", "", 400, "no such status"},
		{demo.OpRedirect, "GET", "/api/redirect/307?to=http://other.example/x", "", 307, "Location: http://other.example/x"},
		{demo.OpRedirect, "GET", "/api/redirect/200", "", 400, "no such redirect"},
		{demo.OpEcho, "PURGE", "/api/echo", "", 200, `"method":"PURGE"`},
		{demo.OpUpload, "POST", "/api/upload", "12345", 200, `{"bytes":5}`},
		{demo.OpDownload, "GET", "/api/download?bytes=18", "", 200, "\r\n" + strings.Repeat("\x00", 18)},
		{demo.OpDownload, "GET", "/api/download?bytes=0", "", 200, ""},
		{demo.OpDownload, "GET", "/api/download", "", 400, "bytes is required"},
		{demo.OpEvents, "GET", "/api/events?n=2", "", 200, "id: 0\ndata: {\"event\":0}\n\nid: 1\ndata: {\"event\":1}\n\n"},
		{demo.OpEvents, "GET", "/api/events", "", 400, "n is required"},
		{demo.OpWebSocket, "GET", "/api/ws", "", 426, ""},
		{demo.OpForbidden, "GET", "/api/forbidden-for-calls", "", 200, "not meant for you"},
		{"", "GET", "/api/nothing", "", 404, "not_found"},
		{"", "DELETE", "/api/me", "", 404, "not_found"},
		{"", "GET", "/api/upload", "", 404, "not_found"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			before := p.service.Requests(tt.op)
			answer, body := p.api(t, token, tt.method, tt.path, tt.body)
			var headers strings.Builder
			if err := answer.Header.Write(&headers); err != nil {
				t.Fatal(err)
			}
			if whole := headers.String() + body; answer.StatusCode != tt.status || !strings.Contains(whole, tt.want) {
				t.Errorf("got %d %s, want %d with %q", answer.StatusCode, whole, tt.status, tt.want)
			}
			if got := p.service.Requests(tt.op) - before; tt.op != "" && got != 1 {
				t.Errorf("requests for %s = %d, want 1", tt.op, got)
			}
		})
	}
}

// Whatever an operation is, it is not done without a valid token, nor with two.
func TestAPIWantsAToken(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	token := p.signIn(t, demo.NotesOIDC, "ada").exchange(t)
	for _, path := range []string{
		"GET /api/me", "GET /api/notes", "POST /api/notes", "GET /api/slow?ms=0", "GET /api/status/200", "GET /api/redirect/302?to=/",
		"POST /api/echo/x", "POST /api/upload", "GET /api/download?bytes=1", "GET /api/events?n=1", "GET /api/ws",
	} {
		method, path, _ := strings.Cut(path, " ")
		for name, authorization := range map[string][]string{
			"no token": nil, "nonsense": {"Bearer nonsense"}, "a refresh token": {"Bearer " + token.RefreshToken},
			"another scheme": {"Basic " + token.AccessToken}, "two": {"Bearer " + token.AccessToken, "Bearer " + token.AccessToken},
		} {
			r, err := http.NewRequestWithContext(t.Context(), method, p.issuer+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header["Authorization"] = authorization
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusUnauthorized || !strings.Contains(answer.Header.Get("WWW-Authenticate"), "invalid_token") {
				t.Errorf("%s %s with %s = %d, want 401", method, path, name, answer.StatusCode)
			}
		}
	}
}

func TestNotesAreTheUsersOwn(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	ada, grace := p.accessToken(t, "ada"), p.accessToken(t, "grace")
	p.api(t, ada, "POST", "/api/notes", `{"text":"mine"}`)
	if _, body := p.api(t, grace, "GET", "/api/notes", ""); strings.TrimSpace(body) != `{"notes":[]}` {
		t.Errorf("Grace's notes = %s, want none", body)
	}
	if _, body := p.api(t, ada, "GET", "/api/notes", ""); strings.Count(body, `"text":"mine"`) != 1 {
		t.Errorf("Ada's notes = %s, want the one", body)
	}
}

// Echo tells what arrived as it arrived, and keeps the token to itself.
func TestEcho(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	token := p.accessToken(t, "ada")
	r, err := http.NewRequestWithContext(t.Context(), "PATCH", p.issuer+"/api/echo//a%2Fb/./c?x=1&x=%20", io.MultiReader(strings.NewReader("12345")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + token}, "X-Two": {"1", "2"}, "User-Agent": {""}, "Accept-Encoding": {"identity"}}
	r.Trailer = http.Header{"X-After": {"all"}}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	headers, _ := got["headers"].(map[string]any)
	authorization, _ := headers["Authorization"].([]any)
	if len(authorization) != 1 || len(authorization[0].(string)) != len("present 01234567") {
		t.Errorf("Authorization = %v, want a fingerprint", authorization)
	}
	delete(headers, "Authorization")
	want := map[string]any{
		"method": "PATCH", "proto": "HTTP/1.1", "host": strings.TrimPrefix(p.issuer, "http://"),
		"path": "/api/echo//a%2Fb/./c", "query": "x=1&x=%20", "bytes": 5.0,
		"headers": map[string]any{"X-Two": []any{"1", "2"}, "Accept-Encoding": []any{"identity"}},
		"trailer": map[string]any{"X-After": []any{"all"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("echo (-want +got):\n%s", diff)
	}
}

// What a careless server would read as the forbidden path is counted as such; nothing else is.
func TestForbiddenIsReadLoosely(t *testing.T) {
	tests := map[string]bool{
		"/api/forbidden-for-calls":                     true,
		"/api/forbidden-for-calls/":                    true,
		"/api/forbidden-for-calls/below":               true,
		"/api//forbidden-for-calls":                    true,
		"/api/echo/../forbidden-for-calls":             true,
		"/api/echo/%2e%2e/forbidden-for-calls":         true,
		"/api/echo/..%2fforbidden-for-calls":           true,
		"/api/echo/%252e%252e%252fforbidden-for-calls": true,
		"/api/echo/..%5cforbidden-for-calls":           true,
		"/api/echo/..;x=1/forbidden-for-calls;y":       true,
		"/api/forbidden-for-calls%00.png":              true,
		"/api/forbidden-for-calls%3Fx":                 true,
		"/api/echo/../FORBIDDEN-for-calls":             true,
		"/api/echo/forbidden-for-calls":                false,
		"/api/forbidden-for-callsx":                    false,
		"/api/echo/a%2Fb;c=d/..":                       false,
	}
	p := newParty(t, demo.ServiceOptions{})
	token := p.accessToken(t, "ada")
	for path, want := range tests {
		before := p.service.Requests(demo.OpForbidden)
		p.api(t, token, "GET", path, "")
		if got := p.service.Requests(demo.OpForbidden) > before; got != want {
			t.Errorf("%s counted as forbidden: %t, want %t", path, got, want)
		}
	}
}
