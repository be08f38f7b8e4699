package provider

import (
	"net/http"
	"sync"
	"testing"

	"linkgate/secret"
)

// TestHeadersOfOurOwnRequests: calls.headers go to identity.url and verify.url where these are the
// API's, and nowhere else.
func TestHeadersOfOurOwnRequests(t *testing.T) {
	s := newService(t)
	var mu sync.Mutex
	seen := map[string]http.Header{}
	for path, body := range map[string]string{"/me": `{"id":7}`, "/verify": "", "/token": `{"access_token":"` + theAccessToken + `"}`, "/acme/me": `{"id":8}`} {
		s.answer(path, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			seen[path] = r.Header.Clone()
			mu.Unlock()
			replying(200, body)(w, r)
		})
	}
	headers := map[string]string{"X-Version": "7", "X-Tenant": "{tenant}", "X-Told": "{told}"}
	key := Connection{
		AuthID: "7f3c", Provider: "api_key", Name: "Acme", Fields: []Field{{Key: "api_key", Label: "Key", Secret: true}, {Key: "tenant", Label: "Tenant"}},
		Identity: IdentityPaths{URL: s.URL + "/me", ID: "id"}, Calls: CallRules{BaseURL: s.URL + "/api", Headers: headers},
	}
	verified := key.Clone()
	verified.Identity, verified.Verify.URL = IdentityPaths{}, s.URL+"/verify"
	customers := key.Clone()
	customers.Identity.URL, customers.Calls.BaseURL = s.URL+"/{tenant}/me", s.URL+"/{tenant}/{told}"
	own := s.ownConnection()
	own.Identity, own.Calls = IdentityPaths{URL: s.URL + "/me", ID: "id"}, key.Calls
	elsewhere := key.Clone()
	elsewhere.Calls.BaseURL = "https://api.example"
	for name, test := range map[string]struct {
		conn            Connection
		path            string
		version, tenant string
	}{
		"identity.url":                      {key, "/me", "7", "acme"},
		"verify.url":                        {verified, "/verify", "7", "acme"},
		"of a customer":                     {customers, "/acme/me", "7", "acme"},
		"of the client, where none is told": {own, "/me", "7", ""},
		"the token endpoint":                {own, "/token", "", ""},
		"another origin":                    {elsewhere, "/me", "", ""},
	} {
		values := map[string]secret.Text{"api_key": secret.New("the-key"), "tenant": secret.New("acme")}
		if _, err := opened(t, test.conn).Form.Submit(t.Context(), values); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		h := seen[test.path]
		if h.Get("X-Version") != test.version || h.Get("X-Tenant") != test.tenant || h.Values("X-Told") != nil {
			t.Errorf("%s: got %v, want %q and %q", name, h, test.version, test.tenant)
		}
	}
}

// TestFieldInAHeader: what is typed is kept for it, and must fit there.
func TestFieldInAHeader(t *testing.T) {
	c := Connection{Fields: []Field{{Key: "tenant"}, {Key: "other"}}, Calls: CallRules{Headers: map[string]string{"X-Tenant": "{tenant}"}}}
	for typed, want := range map[string]bool{"acme": true, "one two": true, "ünë": false} {
		values, mistakes := c.CheckFields(map[string]secret.Text{"tenant": secret.New(typed), "other": secret.New("ünë")})
		if got := len(mistakes) == 0; got != want {
			t.Errorf("%q: %v", typed, mistakes)
		}
		if kept := c.Settings(values); want && (len(kept) != 1 || kept["tenant"] != typed) {
			t.Errorf("%q: kept %v", typed, kept)
		}
	}
}
