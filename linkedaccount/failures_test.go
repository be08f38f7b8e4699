package linkedaccount

import (
	"context"
	"errors"
	"testing"
	"time"

	"linkgate/provider"
	"linkgate/secret"
)

// TestOldTokenIsServedWhileItLasts: an early refresh that fails hurts nobody, and is not tried again
// with every call.
func TestOldTokenIsServedWhileItLasts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := newClock()
	f.now = c.Now
	f.service.fail = func(int) error { return weather(10 * time.Minute) }
	tokens := f.replica(t)
	f.link(t, tokens, tokenUser, "ada", tokenLife-30*time.Second, tokenLife) // 30 s are left
	for range 5 {
		o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
		wantToken(t, o, err, "access/ada/1")
	}
	wantRequests(t, f.service, 1)

	c.pass(time.Minute)
	_, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
	var e *provider.Error
	if !errors.As(err, &e) || !errors.Is(err, provider.ErrUnavailable) || e.RetryAfter != 9*time.Minute {
		t.Errorf("got %v, want ErrUnavailable and nine minutes to wait", err)
	}
	wantRequests(t, f.service, 1)

	c.pass(9 * time.Minute)
	f.service.fail, f.service.now = nil, c.Now
	o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
	wantToken(t, o, err, "access/ada/2")
}

// TestWhoIsToBlame: only an invalid grant, seen twice, flags an account.
func TestWhoIsToBlame(t *testing.T) {
	refusal := func(code string, status int) error {
		return &provider.Error{Op: opRefresh, Kind: provider.ErrRefused, Code: code, Status: status}
	}
	for _, test := range []struct {
		name     string
		fail     func(call int) error
		want     error // nil: a token
		status   Status
		requests int
	}{
		{"invalid_grant", func(int) error { return invalidGrant() }, ErrReauthRequired, ReauthRequired, 2},
		{"invalid_grant once", func(n int) error {
			if n == 1 {
				return invalidGrant()
			}
			return nil
		}, nil, Linked, 2},
		{"invalid_client", func(int) error { return refusal("invalid_client", 401) }, provider.ErrRefused, Linked, 1},
		{"an unknown code", func(int) error { return refusal("unknown error", 400) }, provider.ErrRefused, Linked, 1},
		{"weather", func(int) error { return weather(0) }, provider.ErrUnavailable, Linked, 1},
		{"invalid_grant, then weather", func(n int) error {
			if n == 1 {
				return invalidGrant()
			}
			return weather(0)
		}, provider.ErrUnavailable, Linked, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.service.fail = test.fail
			tokens := f.replica(t)
			a := f.link(t, tokens, tokenUser, "ada", 2*tokenLife, tokenLife)
			for range 3 { // the second and third find it decided, or resting
				if _, err := tokens.For(t.Context(), tokenUser, tokenAuth, ""); !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			}
			wantRequests(t, f.service, test.requests)
			if got := f.read(t, tokens, a.ID).Status; got != test.status {
				t.Errorf("status %s, want %s", got, test.status)
			}
			told := 0
			if test.status == ReauthRequired {
				told = 1
			}
			if got := f.messages(t, a.ID, HostUpdate); got != told {
				t.Errorf("%d messages to the host, want %d", got, told)
			}
		})
	}
}

// TestInvalidGrantOfAReplacedToken: what another replica has replaced in the meantime is used, and
// nobody is flagged.
func TestInvalidGrantOfAReplacedToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tokens := f.replica(t)
	a := f.link(t, tokens, tokenUser, "ada", 2*tokenLife, tokenLife)
	f.service.fail = func(int) error {
		f.service.fail = nil
		// The user links again while the refresh is under way.
		f.linkGrant(t, tokens, tokenUser, f.service.grant("ada", time.Now(), tokenLife))
		return invalidGrant()
	}
	o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
	wantToken(t, o, err, "access/ada/2")
	if got := f.read(t, tokens, a.ID).Status; got != Linked {
		t.Errorf("status %s, want linked", got)
	}
	wantRequests(t, f.service, 1)
}

// TestLinkedAgainDuringARefresh: the new grant stays, and the old one's tokens are not saved over it.
func TestLinkedAgainDuringARefresh(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tokens := f.replica(t)
	a := f.link(t, tokens, tokenUser, "ada", 2*tokenLife, tokenLife)
	f.service.after = func() {
		f.service.after = nil
		f.linkGrant(t, tokens, tokenUser, f.service.grant("ada", time.Now(), tokenLife))
	}
	o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
	wantToken(t, o, err, "access/ada/3")
	wantToken(t, f.read(t, tokens, a.ID), nil, "access/ada/3")
}

// TestInDoubt: a refresh token that a process has sent and not spoken of since is left alone for a
// while, unless the service never replaces refresh tokens.
func TestInDoubt(t *testing.T) {
	for _, test := range []struct {
		rotation string
		passed   time.Duration
		requests int
	}{
		{provider.RotationAlways, inDoubt - time.Second, 0},
		{"", inDoubt - time.Second, 0},
		{"", inDoubt + time.Second, 1},
		{provider.RotationNone, inDoubtHarmless - time.Second, 0},
		{provider.RotationNone, inDoubtHarmless + time.Second, 1},
	} {
		t.Run(test.rotation+" "+test.passed.String(), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			c := newClock()
			f.now, f.service.now, f.connection.Rotation = c.Now, c.Now, test.rotation
			tokens := f.replica(t)
			a := f.link(t, tokens, tokenUser, "ada", 2*tokenLife, tokenLife)
			claimed, err := tokens.Store.claim(t.Context(), *f.read(t, tokens, a.ID), "a process that is gone", time.Minute)
			if err != nil || !claimed {
				t.Fatal(claimed, err)
			}
			c.pass(test.passed)
			_, err = tokens.For(t.Context(), tokenUser, tokenAuth, "")
			if refused := errors.Is(err, provider.ErrUnavailable); refused != (test.requests == 0) {
				t.Errorf("got %v with %d requests wanted", err, test.requests)
			}
			wantRequests(t, f.service, test.requests)
		})
	}
}

// TestRejected: what is given for a token that the service has answered with 401.
func TestRejected(t *testing.T) {
	gone := &provider.Error{Op: "identity", Kind: provider.ErrInvalidGrant, Status: 401}
	for _, test := range []struct {
		name      string
		age, life time.Duration
		noRefresh bool // there is no refresh token
		arrange   func(*testing.T, *fixture, *Tokens)
		token     string
		want      error
		requests  int
	}{
		{name: "an old one", age: 10 * time.Minute, life: tokenLife, token: "access/ada/2", requests: 1},
		{name: "without expiry", age: 10 * time.Minute, token: "access/ada/2", requests: 1},
		{name: "a young one", age: unblamed / 2, life: tokenLife, token: "access/ada/1"},
		{name: "a young one that lives a minute", age: 40 * time.Second, life: time.Minute, token: "access/ada/2", requests: 1},
		{
			name: "in bad weather", age: 10 * time.Minute, life: tokenLife, token: "access/ada/1", requests: 1,
			arrange: func(_ *testing.T, f *fixture, _ *Tokens) { f.service.fail = func(int) error { return weather(0) } },
		},
		{
			name: "replaced already", age: 10 * time.Minute, life: tokenLife, token: "access/ada/2",
			arrange: func(t *testing.T, f *fixture, tokens *Tokens) { f.link(t, tokens, tokenUser, "ada", 0, tokenLife) },
		},
		{
			name: "of a grant that ended", age: 10 * time.Minute, life: tokenLife, want: ErrReauthRequired, requests: 2,
			arrange: func(_ *testing.T, f *fixture, _ *Tokens) { f.service.good = nil },
		},
		{name: "without refresh token, and good", age: 10 * time.Minute, noRefresh: true, token: "access/ada/1"},
		{
			name: "without refresh token, and dead", age: 10 * time.Minute, noRefresh: true, want: ErrReauthRequired,
			arrange: func(_ *testing.T, f *fixture, _ *Tokens) { f.service.identify = func() error { return gone } },
		},
		{
			name: "without refresh token, in bad weather", age: 10 * time.Minute, noRefresh: true, token: "access/ada/1",
			arrange: func(_ *testing.T, f *fixture, _ *Tokens) { f.service.identify = func() error { return weather(0) } },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			tokens := f.replica(t)
			g := f.service.grant("ada", time.Now().Add(-test.age), test.life)
			if test.noRefresh {
				g.Credential.RefreshToken = secretless()
			}
			a := f.linkGrant(t, tokens, tokenUser, g)
			before, err := tokens.ByID(t.Context(), a.ID)
			if err != nil {
				t.Fatal(err)
			}
			if test.arrange != nil {
				test.arrange(t, f, tokens)
			}
			got, err := tokens.Rejected(t.Context(), before)
			if test.want != nil {
				if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			} else {
				wantToken(t, got, err, test.token)
			}
			wantRequests(t, f.service, test.requests)
			wantStatus := Linked
			if test.want != nil {
				wantStatus = ReauthRequired
			}
			if got := f.read(t, tokens, a.ID).Status; got != wantStatus {
				t.Errorf("status %s, want %s", got, wantStatus)
			}
		})
	}
}

// TestExpiredWithoutRefreshToken: the user must sign in again when the service says so too.
func TestExpiredWithoutRefreshToken(t *testing.T) {
	for _, test := range []struct {
		name     string
		identify error
		want     error
	}{
		{"the service takes it all the same", nil, nil},
		{"the service refuses it", invalidGrant(), ErrReauthRequired},
		{"the service is away", weather(0), provider.ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			asked := 0
			f.service.identify = func() error { asked++; return test.identify }
			tokens := f.replica(t)
			g := f.service.grant("ada", time.Now().Add(-2*tokenLife), tokenLife)
			g.Credential.RefreshToken = secretless()
			f.linkGrant(t, tokens, tokenUser, g)
			for range 3 {
				if _, err := tokens.For(t.Context(), tokenUser, tokenAuth, ""); !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			}
			if asked != 1 {
				t.Errorf("the service was asked %d times, want once", asked)
			}
		})
	}
}

// TestTakenBackDuringARefresh: an account that is disconnected while it is refreshed is not handed
// out, and what is revoked is the newest credential.
func TestTakenBackDuringARefresh(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tokens := f.replica(t)
	a := f.link(t, tokens, tokenUser, "ada", 2*tokenLife, tokenLife)
	f.service.after = func() {
		if _, _, err := tokens.Store.Unlink(context.Background(), a.ID); err != nil {
			t.Error(err)
		}
	}
	if _, err := tokens.For(t.Context(), tokenUser, tokenAuth, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	_, c, err := tokens.Store.Revocable(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.AccessToken.Reveal(); got != "access/ada/2" {
		t.Errorf("%s is to be revoked, want the newest", got)
	}
}

func secretless() (none secret.Text) { return none }
