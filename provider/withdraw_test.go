package provider

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"linkgate/secret"
)

// TestUnusedTokensAreWithdrawn: tokens that were issued are revoked, both of them and with the
// client authenticated, whatever fails after that; and only then.
func TestUnusedTokensAreWithdrawn(t *testing.T) {
	plain, connect := (*service).oauth2, (*service).oidc
	both := []string{theRefreshToken, theAccessToken}
	tests := map[string]struct {
		open  func(*service) Connection
		spoil func(*service)
		want  []string // tokens revoked
		err   error
	}{
		"oauth2: all is well":          {plain, func(*service) {}, nil, nil},
		"oauth2: identity refused":     {plain, func(s *service) { s.answer("/me", replying(403, ``)) }, both, ErrRefused},
		"oauth2: identity unavailable": {plain, func(s *service) { s.answer("/me", drop) }, both, ErrUnavailable},
		"oauth2: identity without id":  {plain, func(s *service) { s.answer("/me", replying(200, `{}`)) }, both, ErrNotVerified},
		"oauth2: code refused":         {plain, func(s *service) { s.answer("/token", replying(400, `{"error":"invalid_grant"}`)) }, nil, ErrInvalidGrant},
		"oauth2: token answer is none": {plain, func(s *service) { s.answer("/token", drop) }, nil, ErrUnavailable},
		"oidc: all is well":            {connect, func(*service) {}, nil, nil},
		"oidc: nonce differs":          {connect, func(s *service) { s.claims = map[string]any{"nonce": "another"} }, both, ErrNotVerified},
		"oidc: another's ID token":     {connect, func(s *service) { s.claims = map[string]any{"aud": "another"} }, both, ErrNotVerified},
		"oidc: keys can't be had":      {connect, func(s *service) { s.answer("/keys", replying(500, ``)) }, both, ErrUnavailable},
		"oidc: userinfo of somebody": {connect, func(s *service) {
			s.claims = map[string]any{"name": nil}
			s.answer("/userinfo", replying(200, `{"sub":"x"}`))
		}, both, ErrNotVerified},
		"oidc: name can't be had": {connect, func(s *service) { s.claims = map[string]any{"name": nil}; s.answer("/userinfo", drop) }, nil, nil},
		"oidc: code refused":      {connect, func(s *service) { s.answer("/token", replying(400, `{"error":"invalid_grant"}`)) }, nil, ErrInvalidGrant},
		"oidc: no revocation endpoint": {connect, func(s *service) {
			s.metadata = map[string]any{"revocation_endpoint": nil}
			s.claims = map[string]any{"nonce": "x"}
		}, nil, ErrNotVerified},
		"oauth2: no revocation endpoint": {func(s *service) Connection { c := s.oauth2(); c.RevokeURL = ""; return c }, func(s *service) { s.answer("/me", drop) }, nil, ErrUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			arrived := s.revocations(nil)
			test.spoil(s)
			grant, err := s.connect(s.open(test.open(s)))
			if !errors.Is(err, test.err) {
				t.Errorf("want %v, got %v", test.err, err)
			}
			if err != nil && !grant.Credential.AccessToken.IsZero() {
				t.Error("a failed exchange brings a credential")
			}
			checkQuiet(t, err)
			var got []string
			for _, form := range arrived() {
				got = append(got, form.Get("token"))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("revoked: want %q, got %q", test.want, got)
			}
		})
	}
}

// TestNothingIsWithdrawnBeforeTheCodeIsSent: a callback that is turned away costs no request.
func TestNothingIsWithdrawnBeforeTheCodeIsSent(t *testing.T) {
	for name, cb := range map[string]Callback{
		"denied":         {Error: "access_denied"},
		"another issuer": {Code: secret.New(theCode), Issuer: "https://evil.example"},
		"no code":        {},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			p := s.open(s.oidc())
			if _, err := p.Redirector.Exchange(t.Context(), s.begin(p), cb); err == nil {
				t.Error("no error")
			}
			if s.count("/token") != 0 || s.count("/revoke") != 0 {
				t.Errorf("requests went out: %v", s.requests)
			}
		})
	}
}

// TestWithdrawalOutlivesTheCaller: who gives up while the identity is read leaves no token behind.
func TestWithdrawalOutlivesTheCaller(t *testing.T) {
	s := newService(t)
	p := s.open(s.oauth2())
	ctx, cancel := context.WithCancel(t.Context())
	s.answer("/me", func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if err := exchange(ctx, s, p); !errors.Is(err, context.Canceled) {
		t.Errorf("want context.Canceled, got %v", err)
	}
	if got := s.count("/revoke"); got != 2 {
		t.Errorf("revocations: want 2, got %d", got)
	}
}

// TestWithdrawalEnds: a revocation that hangs neither holds the caller for ever nor hides what went
// wrong before; the operator is told, without a token.
func TestWithdrawalEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		s, p := openPiped(t, slog.New(slog.NewTextHandler(&logged, nil)))
		p.Revoker.(*revoker).client.timeout = 10 * withdrawTimeout
		s.answer("/me", replying(403, ``))
		s.answer("/revoke", hang)
		ctx, cancel := context.WithTimeout(t.Context(), withdrawTimeout+time.Second)
		defer cancel()
		if err := exchange(ctx, s, p); !errors.Is(err, ErrRefused) || ctx.Err() != nil {
			t.Errorf("want ErrRefused in time, got %v, %v", err, ctx.Err())
		}
		if got := s.count("/revoke"); got != 1 {
			t.Errorf("revocations: want 1, got %d", got)
		}
		line := logged.String()
		if !strings.Contains(line, "left alive") || strings.Contains(line, theRefreshToken) || strings.Contains(line, theAccessToken) {
			t.Errorf("log: %s", line)
		}
	})
}
