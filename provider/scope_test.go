package provider

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"linkgate/secret"
)

// TestScopesOfOneSignIn: what a sign-in asks for in place of the connection's scopes survives the
// seal, and what is missing is worked out against it, also where the service says nothing.
func TestScopesOfOneSignIn(t *testing.T) {
	for _, test := range []struct {
		name, answered string
		granted        []string
		missing        []string
	}{
		{"told", "gist", []string{"gist"}, []string{"notifications"}},
		{"untold", "", []string{"gist", "notifications"}, nil},
	} {
		for _, protocol := range signInProtocols {
			t.Run(test.name+" "+protocol, func(t *testing.T) {
				s := newService(t)
				c := map[string]Connection{"oauth2": s.oauth2(), "oidc": s.oidc()}[protocol]
				c.Scopes = []string{"repo"}
				s.answer("/token", func(w http.ResponseWriter, _ *http.Request) {
					more := map[string]any{"scope": nil}
					if test.answered != "" {
						more["scope"] = test.answered
					}
					reply(w, 200, overlay(s.tokens(), more))
				})
				p := s.open(c)
				begun := s.begin(p, "gist", "notifications")
				want := "gist notifications"
				granted := test.granted
				if protocol == "oidc" {
					want = "openid " + want
					if test.answered == "" {
						granted = append([]string{"openid"}, granted...)
					}
				}
				if got := s.asked.Get("scope"); got != want {
					t.Errorf("asked for %q, want %q", got, want)
				}
				sealed, err := begun.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				attempt, err := UnmarshalAttempt(sealed)
				if err != nil {
					t.Fatal(err)
				}
				got, err := p.Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)})
				if err != nil || !slices.Equal(got.Scopes, granted) || !slices.Equal(got.Missing, test.missing) {
					t.Errorf("got scopes %q, missing %q, %v; want %q, %q", got.Scopes, got.Missing, err, granted, test.missing)
				}
			})
		}
	}
}

func TestCheckScopes(t *testing.T) {
	s := newService(t)
	commas := s.oauth2()
	commas.ScopeSeparator = ","
	for _, test := range []struct {
		name   string
		c      Connection
		scopes []string
		ok     bool
	}{
		{"none", s.oauth2(), nil, true},
		{"others than the connection's", s.oauth2(), []string{"read:user", "https://s.example/auth/drive"}, true},
		{"two in one", s.oauth2(), []string{"read:user repo"}, false},
		{"two in one, with the service's separator", commas, []string{"read:user,repo"}, false},
		{"an empty one", s.oauth2(), []string{""}, false},
		{"a quote", s.oauth2(), []string{`re"po`}, false},
		{"too many", s.oauth2(), slices.Repeat([]string{"a"}, scopesMost+1), false},
		{"a key", Connection{AuthID: "k", Provider: "api_key", Name: "Keys", Fields: []Field{{Key: "key", Label: "Key", Secret: true}},
			Identity: IdentityPaths{URL: s.URL + "/me", ID: "id"}}, []string{"a"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := s.open(test.c).CheckScopes(test.scopes)
			if test.ok != (err == nil) || !test.ok && !errors.Is(err, ErrScopes) {
				t.Errorf("got %v, want it allowed: %v", err, test.ok)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("the error %q is no line", err)
			}
		})
	}
}

func TestMissingScopes(t *testing.T) {
	t.Parallel()
	c := Connection{Scopes: []string{"openid", "offline_access", "read", "write", "admin:org"}}
	for _, test := range []struct{ granted, want []string }{
		{nil, []string{"read", "write", "admin:org"}},
		{[]string{"read", "write", "admin:org", "more"}, nil},
		{[]string{"admin:org", "Read", "rea"}, []string{"read", "write"}},
	} {
		if got := c.MissingScopes(test.granted); !slices.Equal(got, test.want) {
			t.Errorf("granted %q: missing %q, want %q", test.granted, got, test.want)
		}
	}
	if got := (Connection{}).MissingScopes([]string{"read"}); got != nil {
		t.Errorf("none asked for: missing %q", got)
	}
}
