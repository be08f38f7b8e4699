package provider

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// telling has the token endpoint say more than tokens.
func (s *service) telling(more map[string]any) {
	s.answer("/token", func(w http.ResponseWriter, _ *http.Request) { reply(w, 200, overlay(s.tokens(), more)) })
}

// TestIdentityInToken: who the account is stands in the token answer, and nobody is asked for it.
func TestIdentityInToken(t *testing.T) {
	s := newService(t)
	s.telling(map[string]any{"team": map[string]any{"id": 9007199254740993}, "who": "Ada", "shop": "ada-shop"})
	c := s.oauth2()
	c.Identity = IdentityPaths{URL: IdentityInToken, ID: "team.id", Name: "who", Settings: map[string]string{"shop": "shop"}}
	p := s.open(c)
	got, err := s.connect(p)
	if err != nil {
		t.Fatal(err)
	}
	want := Identity{Issuer: s.URL, Subject: "9007199254740993", Name: "Ada", Settings: map[string]string{"shop": "ada-shop"}}
	if diff := cmp.Diff(want, got.Identity); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
	if s.count("/me") != 0 || p.Identifier != nil {
		t.Errorf("%d requests of the identity, Identifier %v; want none of either", s.count("/me"), p.Identifier)
	}
}

// TestNoIdentityInToken: nothing that was issued stays alive.
func TestNoIdentityInToken(t *testing.T) {
	for name, more := range map[string]map[string]any{
		"missing": {}, "no text": {"user": map[string]any{}}, "empty": {"user": ""}, "control characters": {"user": "a\nb"},
	} {
		s := newService(t)
		s.telling(more)
		c := s.oauth2()
		c.Identity = IdentityPaths{URL: IdentityInToken, ID: "user"}
		_, err := s.connect(s.open(c))
		if !errors.Is(err, ErrNotVerified) || s.count("/revoke") == 0 {
			t.Errorf("%s: got %v, %d revocations; want %v and some", name, err, s.count("/revoke"), ErrNotVerified)
		}
		checkQuiet(t, err)
	}
}

// TestSettingsInToken: the token answer is looked at first, then the identity. Later only the
// identity can be asked, and what it does not tell is no mistake.
func TestSettingsInToken(t *testing.T) {
	s := newService(t)
	s.telling(map[string]any{"host": "eu1.example.com", "login": "from-the-token"})
	for protocol, c := range s.connections() {
		c.Identity.Settings = map[string]string{"host": "host"}
		if protocol == "oauth2" {
			c.Identity.Settings["login"] = "login"
		}
		p := s.open(c)
		grant, err := s.connect(p)
		if err != nil {
			t.Fatalf("%s: %v", protocol, err)
		}
		if got := grant.Identity.Settings; got["host"] != "eu1.example.com" || protocol == "oauth2" && got["login"] != "from-the-token" {
			t.Errorf("%s: got settings %v, want those of the token answer", protocol, got)
		}
		later, err := p.Identifier.Identify(t.Context(), grant.Credential)
		if err != nil || later.Subject != grant.Identity.Subject {
			t.Errorf("%s: identified later: %v, %v", protocol, later, err)
		}
	}
}
