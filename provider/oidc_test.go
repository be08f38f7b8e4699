package provider

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"linkgate/secret"
)

func TestOIDCName(t *testing.T) {
	userinfo := func(body string) http.HandlerFunc { return replying(200, body) }
	tests := map[string]struct {
		claims   map[string]any   // over the ID token's
		paths    IdentityPaths    // URL is a path at the service
		userinfo http.HandlerFunc // nil: none published
		want     string
		err      error
	}{
		"in the ID token":              {nil, IdentityPaths{}, userinfo(`{"sub":"subject-1","name":"other"}`), "Ada Lovelace", nil},
		"preferred user name":          {map[string]any{"name": nil, "preferred_username": "ada"}, IdentityPaths{}, nil, "ada", nil},
		"path of one's own":            {map[string]any{"profile": map[string]any{"nick": "al"}}, IdentityPaths{Name: "profile.nick"}, nil, "al", nil},
		"e-mail is not taken":          {map[string]any{"name": nil, "email": "ada@example.com"}, IdentityPaths{}, nil, "", nil},
		"e-mail when told to":          {map[string]any{"name": nil, "email": "ada@example.com"}, IdentityPaths{Name: "email"}, nil, "ada@example.com", nil},
		"from userinfo":                {map[string]any{"name": nil}, IdentityPaths{}, userinfo(`{"sub":"subject-1","name":"Ada U."}`), "Ada U.", nil},
		"userinfo has none":            {map[string]any{"name": nil}, IdentityPaths{}, userinfo(`{"sub":"subject-1"}`), "", nil},
		"userinfo of another":          {map[string]any{"name": nil}, IdentityPaths{}, userinfo(`{"sub":"subject-2","name":"Eve"}`), "", ErrNotVerified},
		"userinfo of nobody":           {map[string]any{"name": nil}, IdentityPaths{}, userinfo(`{"name":"Eve"}`), "", ErrNotVerified},
		"userinfo sub in another type": {map[string]any{"name": nil}, IdentityPaths{}, userinfo(`{"sub":["subject-1"],"name":"Eve"}`), "", ErrNotVerified},
		"userinfo down":                {map[string]any{"name": nil}, IdentityPaths{}, replying(503, ``), "", nil},
		"userinfo forbidden":           {map[string]any{"name": nil}, IdentityPaths{}, replying(403, ``), "", nil},
		"userinfo as JWT":              {map[string]any{"name": nil}, IdentityPaths{}, replying(200, `e30.e30.e30`), "", nil},
		"asked for":                    {nil, IdentityPaths{URL: "/userinfo"}, userinfo(`{"sub":"subject-1","name":"Ada U."}`), "Ada U.", nil},
		"asked for, of another":        {nil, IdentityPaths{URL: "/userinfo"}, userinfo(`{"sub":"subject-2","name":"Eve"}`), "", ErrNotVerified},
		"asked for, down":              {nil, IdentityPaths{URL: "/userinfo"}, replying(503, ``), "", ErrUnavailable},
		"asked for, has none":          {nil, IdentityPaths{URL: "/userinfo"}, userinfo(`{"sub":"subject-1"}`), "Ada Lovelace", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.claims = test.claims
			s.answer("/userinfo", test.userinfo)
			if test.userinfo == nil {
				s.metadata = map[string]any{"userinfo_endpoint": nil}
			}
			c := s.oidc()
			c.Identity = test.paths
			if c.Identity.URL != "" {
				c.Identity.URL = s.URL + c.Identity.URL
			}
			grant, err := s.connect(s.open(c))
			if !errors.Is(err, test.err) {
				t.Fatalf("want %v, got %v", test.err, err)
			}
			if grant.Identity.Name != test.want {
				t.Errorf("name: want %q, got %q", test.want, grant.Identity.Name)
			}
		})
	}
}

// TestMissingNameIsLogged, without the token that was to fetch it.
func TestMissingNameIsLogged(t *testing.T) {
	s := newService(t)
	s.claims = map[string]any{"name": nil}
	s.answer("/userinfo", replying(503, theAccessToken))
	var log strings.Builder
	p, err := New(s.oidc(), Deps{AllowPrivateNetworks: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.connect(p); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "7f3c") || strings.Contains(log.String(), theAccessToken) {
		t.Errorf("log: want the auth id and no token, got %s", log.String())
	}
}

// TestKeysThatCannotBeHad are no proof against an ID token, and nothing to trust it by.
func TestKeysThatCannotBeHad(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"down":           replying(503, `{"keys":[]}`),
		"gone":           replying(404, `{}`),
		"HTML":           replying(200, `<html>`),
		"dropped":        drop,
		"moved":          moved(302, `{"keys":[]}`),
		"endless":        endless,
		"gzip bomb":      bomb,
		"dripping":       drip([]byte(`{"keys":[]}`)),
		"not a document": replying(200, ``),
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.answer("/keys", answer)
			p := s.open(s.oidc())
			if name == "dripping" {
				shorten(p)
			}
			_, err := s.connect(p)
			if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrRefused) || errors.Is(err, ErrNotVerified) {
				t.Errorf("want ErrUnavailable or ErrRefused, got %v", err)
			}
			if got := s.codesSeen(); got != 1 {
				t.Errorf("the code arrived %d times, want once", got)
			}
			checkQuiet(t, err)
		})
	}
}

// TestKeyRotation: a key that is new since the keys were read is found, and without asking for the
// discovery document again.
func TestKeyRotation(t *testing.T) {
	s := newService(t)
	p := s.open(s.oidc())
	if _, err := s.connect(p); err != nil {
		t.Fatal(err)
	}
	next := newService(t).key
	s.answer("/keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: next.Public(), KeyID: "k2"}}})
	})
	s.answerIDToken(func(claims map[string]any) any {
		return sign(t, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: next, KeyID: "k2"}}, claims)
	})
	if _, err := s.connect(p); err != nil {
		t.Error(err)
	}
	if got := s.count("/.well-known/openid-configuration"); got != 1 {
		t.Errorf("discovery document read %d times, want once", got)
	}
	if got := s.count("/keys"); got != 2 {
		t.Errorf("keys read %d times, want twice", got)
	}
}

// TestCallerGivesUpWaitingForKeys: an impatient caller learns nothing about the token.
func TestCallerGivesUpWaitingForKeys(t *testing.T) {
	s := newService(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.answer("/keys", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	p := s.open(s.oidc())
	shorten(p)
	_, err := p.Redirector.Exchange(ctx, s.begin(p), Callback{Code: secret.New(theCode)})
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotVerified) {
		t.Errorf("want ErrUnavailable, got %v", err)
	}
}

// TestEmptyNonceMatchesNothing: an attempt without nonce does not go with a token without one.
func TestEmptyNonceMatchesNothing(t *testing.T) {
	s := newService(t)
	s.claims = map[string]any{"nonce": nil}
	p := s.open(s.oidc())
	attempt := s.begin(p)
	attempt.Nonce = secret.Text{}
	_, err := p.Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New(theCode)})
	if !errors.Is(err, ErrNotVerified) {
		t.Errorf("want ErrNotVerified, got %v", err)
	}
}
