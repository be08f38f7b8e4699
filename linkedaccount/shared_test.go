package linkedaccount

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/provider"
	"linkgate/secret"
)

// ownTokens is a service that gives a client tokens of its own, for no refresh token.
type ownTokens struct {
	now   func() time.Time
	err   error
	asked atomic.Int64
}

// Refresh implements provider.Refresher.
func (s *ownTokens) Refresh(_ context.Context, c provider.Credential, _ time.Time) (provider.Refreshed, error) {
	n := s.asked.Add(1)
	if s.err != nil {
		return provider.Refreshed{}, s.err
	}
	c.AccessToken = secret.New(fmt.Sprintf("own/%d", n))
	c.IssuedAt, c.ExpiresAt = s.now(), s.now().Add(tokenLife)
	return provider.Refreshed{Credential: c}, nil
}

// shared links an account whose credential is the client's own.
func shared(t *testing.T) (*fixture, *Tokens, *ownTokens, *clock, Account) {
	t.Helper()
	f, c := newFixture(t), newClock()
	f.now = c.Now
	f.connection.Provider = "client_credentials"
	tokens := f.replica(t)
	service := &ownTokens{now: c.Now}
	tokens.Connections[tokenAuth].Refresher, tokens.Connections[tokenAuth].Identifier = service, nil
	a := f.linkGrant(t, tokens, tokenUser, provider.Grant{
		Credential: provider.Credential{AccessToken: secret.New("own/0"), IssuedAt: c.Now(), ExpiresAt: c.Now().Add(tokenLife)},
		Identity:   provider.Identity{Issuer: "https://service.example", Subject: "client"},
	})
	return f, tokens, service, c, a
}

// TestSharedAccountIsRefreshed when it is used, and after a 401, though it has no refresh token.
func TestSharedAccountIsRefreshed(t *testing.T) {
	t.Parallel()
	_, tokens, _, c, _ := shared(t)
	c.pass(tokenLife)
	o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
	wantToken(t, o, err, "own/1")
	c.pass(tokenLife / 2)
	o, err = tokens.Rejected(t.Context(), o)
	wantToken(t, o, err, "own/2")
}

// TestSharedAccountIsRefreshedAhead, by the worker.
func TestSharedAccountIsRefreshedAhead(t *testing.T) {
	t.Parallel()
	f, tokens, service, c, a := shared(t)
	lookAll(t, tokens)
	if n := service.asked.Load(); n != 0 {
		t.Errorf("%d refreshes at once", n)
	}
	c.pass(tokenLife - tokenLife/20)
	lookAll(t, tokens)
	if o := f.read(t, tokens, a.ID); o.Credential.AccessToken.Reveal() != "own/1" || service.asked.Load() != 1 {
		t.Errorf("version %d after %d refreshes, want one", o.TokenVersion, service.asked.Load())
	}
}

// TestSharedAccountOfARefusedClient: the operator must look, and no user is to sign in again.
func TestSharedAccountOfARefusedClient(t *testing.T) {
	t.Parallel()
	f, tokens, service, c, a := shared(t)
	service.err = &provider.Error{Op: opRefresh, Kind: provider.ErrRefused, Code: "invalid_client", Status: 401}
	c.pass(tokenLife)
	if _, err := tokens.For(t.Context(), tokenUser, tokenAuth, ""); !errors.Is(err, provider.ErrRefused) {
		t.Errorf("got %v, want %v", err, provider.ErrRefused)
	}
	if got := f.read(t, tokens, a.ID).Status; got != Linked {
		t.Errorf("status %s, want %s", got, Linked)
	}
	service.err = nil
	c.pass(restOperator)
	o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
	wantToken(t, o, err, "own/2")
}

// TestSharedAccountIsSoonTakenOver: nothing is used up by asking twice, so a replica that died while
// it asked keeps the others waiting no longer than a request takes.
func TestSharedAccountIsSoonTakenOver(t *testing.T) {
	t.Parallel()
	f, tokens, _, c, a := shared(t)
	c.pass(tokenLife)
	claimed, err := tokens.Store.claim(t.Context(), *f.read(t, tokens, a.ID), "dead", inDoubt)
	if err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	c.pass(inDoubtHarmless + time.Second)
	o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
	wantToken(t, o, err, "own/1")
}
