package linkedaccount

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/secret"
	"linkgate/testservers"
)

func TestFreshTokenIsServed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tokens := f.replica(t)
	f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
	o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
	wantToken(t, o, err, "access/ada/1")
	wantRequests(t, f.service, 0)
	for name, args := range map[string][3]string{
		"another user":       {"user-2", tokenAuth, ""},
		"another connection": {tokenUser, "other", ""},
		"another account":    {tokenUser, tokenAuth, "acc_other"},
		"another's account":  {"user-2", tokenAuth, o.ID},
	} {
		if _, err := tokens.For(t.Context(), args[0], args[1], args[2]); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
}

func TestWhichAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := newClock()
	f.now = c.Now
	tokens := f.replica(t)
	ada := f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
	c.pass(time.Second)
	grace := f.link(t, tokens, tokenUser, "grace", 0, tokenLife)
	ask := func(chosen string) string {
		o, err := tokens.For(t.Context(), tokenUser, tokenAuth, chosen)
		if err != nil {
			t.Fatal(err)
		}
		return o.Identity.Subject
	}
	for chosen, want := range map[string]string{"": "grace", ada.ID: "ada", grace.ID: "grace", ada.HostID: "ada", grace.HostID: "grace"} {
		if got := ask(chosen); got != want {
			t.Errorf("choosing %q gives %s, want %s", chosen, got, want)
		}
	}
	c.pass(time.Second)
	f.link(t, tokens, tokenUser, "ada", 0, tokenLife) // once more
	if got := ask(""); got != "ada" {
		t.Errorf("after linking ada again the latest is %s", got)
	}
}

// TestManyCallersOneRefresh: however many callers at however many replicas, one request.
func TestManyCallersOneRefresh(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.service.before = func() { time.Sleep(100 * time.Millisecond) }
	replicas := []*Tokens{f.replica(t), f.replica(t), f.replica(t)}
	f.link(t, replicas[0], tokenUser, "ada", 2*tokenLife, tokenLife)
	var callers sync.WaitGroup
	for _, tokens := range replicas {
		for range 50 {
			callers.Go(func() {
				o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
				if err != nil || o.Credential.AccessToken.Reveal() != "access/ada/2" {
					t.Errorf("got %s, %v", o.Credential.AccessToken.Reveal(), err)
				}
			})
		}
	}
	callers.Wait()
	wantRequests(t, f.service, 1)
}

// TestCallerLeaves: a refresh goes on without the caller that asked for it.
func TestCallerLeaves(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, leave := context.WithCancel(t.Context())
	f.service.before = leave
	f.service.after = func() { time.Sleep(50 * time.Millisecond) }
	tokens := f.replica(t)
	a := f.link(t, tokens, tokenUser, "ada", 2*tokenLife, tokenLife)
	if _, err := tokens.For(ctx, tokenUser, tokenAuth, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if err := tokens.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantToken(t, f.read(t, tokens, a.ID), nil, "access/ada/2")
	wantRequests(t, f.service, 1)
}

// TestSavedBeforeUsed: with the database gone at the moment of saving, nobody gets the new token
// before it is saved, and it is saved once the database is back.
func TestSavedBeforeUsed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	proxy := testservers.Proxy(t, testservers.Postgres(t))
	f.db = openTest(t, database.Options{URL: secret.New(proxy.URL())})
	f.service.after = proxy.Cut
	tokens := f.replica(t)
	a := f.link(t, tokens, tokenUser, "ada", 2*tokenLife, tokenLife)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() {
			if o, err := tokens.For(ctx, tokenUser, tokenAuth, ""); err == nil {
				t.Errorf("got %s, which is not saved", o.Credential.AccessToken.Reveal())
			}
		})
	}
	callers.Wait()
	proxy.Restore()
	if err := tokens.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantToken(t, f.read(t, tokens, a.ID), nil, "access/ada/2")
	o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
	wantToken(t, o, err, "access/ada/2")
	wantRequests(t, f.service, 1)
}
