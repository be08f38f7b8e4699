package provider

import (
	"errors"
	"testing"

	"linkgate/secret"
)

// TestWithoutPKCE: neither challenge nor verifier is sent, and all else is as ever.
func TestWithoutPKCE(t *testing.T) {
	for _, protocol := range []string{"oauth2", "oidc"} {
		s := newService(t)
		c := s.oauth2()
		if protocol == "oidc" {
			c = s.oidc()
		}
		c.PKCE = PKCENone
		grant, err := s.connect(s.open(c))
		if err != nil || grant.Credential.AccessToken.Reveal() != theAccessToken {
			t.Errorf("%s: got %v, want a grant", protocol, err)
		}
		for _, name := range []string{"code_challenge", "code_challenge_method"} {
			if s.asked.Has(name) {
				t.Errorf("%s: the authorization request has %s", protocol, name)
			}
		}
		if s.asked.Get("state") != "state-1" || s.forms[0].Has("code_verifier") {
			t.Errorf("%s: asked %v, traded %v; want a state and no verifier", protocol, s.asked, s.forms[0])
		}
	}
}

// TestPKCEChangesMidway: a session keeps to what it began with, and never to less than is configured.
func TestPKCEChangesMidway(t *testing.T) {
	s := newService(t)
	with, without := s.oauth2(), s.oauth2()
	without.PKCE = PKCENone
	attempt := s.begin(s.open(with))
	if _, err := s.open(without).Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)}); err != nil {
		t.Fatal(err)
	}
	if got := s.forms[0].Get("code_verifier"); got != attempt.Verifier.Reveal() {
		t.Error("the verifier of a challenge that was sent is not sent")
	}
	attempt = s.begin(s.open(without))
	_, err := s.open(with).Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)})
	if !errors.Is(err, ErrNotVerified) || s.codesSeen() != 1 {
		t.Errorf("an attempt without verifier, where one is due: %v, %d codes sent; want %v and 1", err, s.codesSeen(), ErrNotVerified)
	}
}
