package call

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// FuzzTarget: whatever the base, path, query and the account's values are, a request that is
// written arrives at the domain that the operator wrote, below the path that the operator wrote,
// and is one request.
func FuzzTarget(f *testing.F) {
	for _, template := range []string{
		"https://api.example.com/v1", "https://{sub}.example.com:444/x", "https://api.example.com/{external_account_id}/{sub}",
		"http://127.0.0.1:8080", "http://[::1]", "https://{a}.{sub}.example.com", "https://a@b", "https://x/%2e%2e",
	} {
		for _, value := range []string{"acme", "a.b", "..", "evil.example/", "evil@", "a#", "a\r\nHost: x", "a%2f.."} {
			f.Add(template, "/user", "a=1&b", value)
		}
		for _, escaped := range []string{"/", "/@evil.example", "//evil.example", "/..", "/a%2f..%2f..", "/:80", "http://evil.example"} {
			f.Add(template, escaped, "x#y", "acme")
		}
	}
	f.Fuzz(func(t *testing.T, template, escaped, query, value string) {
		b, problems := parseBase(template)
		p, err := readPath(escaped)
		if len(problems) > 0 || err != nil {
			return
		}
		target, err := b.target(p, query, account(value, map[string]string{"sub": value, "a": "a"}))
		if err != nil {
			return
		}
		u := &target
		var wire bytes.Buffer
		if err := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host}).Write(&wire); err != nil {
			t.Fatalf("%s can't be written: %v", u, err)
		}
		reader := bufio.NewReader(&wire)
		arrived, err := http.ReadRequest(reader)
		if err != nil {
			t.Fatalf("%s can't be read: %v", u, err)
		}
		if more, _ := io.ReadAll(reader); len(more) > 0 {
			t.Errorf("%s makes more than one request: %q", u, more)
		}
		checkArrived(t, template, value, arrived)
		gotPath, gotQuery, _ := strings.Cut(arrived.RequestURI, "?")
		if !strings.HasSuffix(gotPath, escaped) || gotQuery != query {
			t.Errorf("%q and query %q arrive as %q", escaped, query, arrived.RequestURI)
		}
	})
}

// checkArrived holds the authority and the beginning of the path to the template's own letters.
func checkArrived(t *testing.T, template, value string, arrived *http.Request) {
	t.Helper()
	_, rest, _ := strings.Cut(template, "://")
	authority, front, _ := strings.Cut(rest, "/")
	fill := func(s string) string {
		return strings.NewReplacer("{sub}", value, "{external_account_id}", value, "{a}", "a").Replace(s)
	}
	if want := strings.ToLower(fill(authority)); arrived.Host != want || strings.Count(arrived.Host, ".") != strings.Count(authority, ".") {
		t.Errorf("%q with %q arrives at %q", template, value, arrived.Host)
	}
	if want := strings.TrimSuffix("/"+fill(front), "/") + "/"; !strings.HasPrefix(arrived.RequestURI, want) {
		t.Errorf("%q with %q arrives at %q", template, value, arrived.RequestURI)
	}
}
