package linkedaccount

import (
	"context"
	"errors"
	"testing"
	"time"
)

// forComponent is whose account a call for a component is made as.
func forComponent(t *testing.T, tokens *Tokens, component string) string {
	t.Helper()
	o, err := tokens.ForComponent(t.Context(), tokenUser, tokenAuth, component)
	if err != nil {
		t.Fatalf("%s: %v", component, err)
	}
	return o.Identity.Subject
}

func bindTo(t *testing.T, tokens *Tokens, component string, a Account) {
	t.Helper()
	if _, err := tokens.Store.Bind(t.Context(), component, a.HostUserID, a.ID); err != nil {
		t.Fatal(err)
	}
}

func unlinkNow(t *testing.T, tokens *Tokens, a Account) {
	t.Helper()
	if _, _, err := tokens.Store.Unlink(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
}

// TestForComponent: the account that the component uses, else the only one or the latest; at once
// after each change.
func TestForComponent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := newClock()
	f.now = c.Now
	tokens := f.replica(t)
	ada := f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
	c.pass(time.Second)
	grace := f.link(t, tokens, tokenUser, "grace", 0, tokenLife)
	another := f.link(t, tokens, "user-2", "another", 0, tokenLife)
	bindTo(t, tokens, "foreign", another)
	want := func(component, want string) {
		t.Helper()
		if got := forComponent(t, tokens, component); got != want {
			t.Errorf("%s uses %s, want %s", component, got, want)
		}
	}
	want("flow", "grace")
	want("foreign", "grace") // another user's account is never given
	bindTo(t, tokens, "flow", ada)
	want("flow", "ada")
	bindTo(t, tokens, "flow", grace)
	want("flow", "grace")
	bindTo(t, tokens, "flow", ada)
	want("flow", "ada")
	if err := tokens.Store.Unbind(t.Context(), "flow"); err != nil {
		t.Fatal(err)
	}
	want("flow", "grace")
	bindTo(t, tokens, "flow", ada)
	want("flow", "ada")
	unlinkNow(t, tokens, ada)
	want("flow", "grace")

	bindTo(t, tokens, "flow", grace)
	if _, err := tokens.Store.RequireReauth(t.Context(), *f.read(t, tokens, grace.ID)); err != nil {
		t.Fatal(err)
	}
	f.link(t, tokens, tokenUser, "joan", 0, tokenLife)
	o, err := tokens.ForComponent(t.Context(), tokenUser, tokenAuth, "flow")
	if !errors.Is(err, ErrReauthRequired) || o.ID != grace.ID {
		t.Errorf("of an account to be signed in again: %s, %v", o.ID, err)
	}
}

// TestForComponentNeverGivesAnother: a replica that has not heard of a new account and its component
// reads once more, in place of taking another account of the user's.
func TestForComponentNeverGivesAnother(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	here, there := f.replica(t), f.replica(t) // they don't Run, and so hear nothing
	f.link(t, here, tokenUser, "ada", 0, tokenLife)
	if got := forComponent(t, here, "other"); got != "ada" {
		t.Fatal(got)
	}
	grace := f.link(t, there, tokenUser, "grace", 0, tokenLife)
	bindTo(t, there, "flow", grace)
	f.link(t, there, tokenUser, "joan", 0, tokenLife)
	if got := forComponent(t, here, "flow"); got != "grace" {
		t.Errorf("uses %s, want grace", got)
	}
	unlinkNow(t, there, grace)
	here.cache.holders.InvalidateAll() // it knows the accounts, and not that the binding is gone
	if got := forComponent(t, here, "flow"); got != "joan" {
		t.Errorf("uses %s, want the latest", got)
	}
}

// TestForComponentCostsNoSQL once it is known, bound or not; and other replicas hear of a change.
func TestForComponentCostsNoSQL(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	here, there := f.replica(t), f.replica(t)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); here.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ran })
	go there.changes.tell(ctx)
	ada := f.link(t, there, tokenUser, "ada", 0, tokenLife)
	f.link(t, there, tokenUser, "grace", 0, tokenLife)
	if got := forComponent(t, here, "flow"); got != "grace" {
		t.Fatal(got)
	}
	bindTo(t, there, "flow", ada)
	for began := time.Now(); forComponent(t, here, "flow") != "ada"; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > cacheTime-time.Second {
			t.Fatal("the other replica has not heard")
		}
	}
	forComponent(t, here, "unbound")
	f.db.Close()
	if got := forComponent(t, here, "flow") + forComponent(t, here, "unbound"); got != "adagrace" {
		t.Errorf("from the cache: %s", got)
	}
}

// TestByIDFor: refreshed when less is left than is asked for, if the service's tokens last so long.
func TestByIDFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := newClock()
	f.now, f.service.now = c.Now, c.Now
	tokens := f.replica(t)
	a := f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
	want := func(minValid time.Duration, token string, requests int) {
		t.Helper()
		o, err := tokens.ByIDFor(t.Context(), a.ID, minValid)
		wantToken(t, o, err, token)
		wantRequests(t, f.service, requests)
	}
	want(0, "access/ada/1", 0)
	want(tokenLife, "access/ada/1", 0)
	want(2*tokenLife, "access/ada/1", 0)
	c.pass(tokenLife / 2)
	want(tokenLife/3, "access/ada/1", 0)
	want(2*tokenLife, "access/ada/1", 0) // no token of this service's lasts so long
	want(tokenLife*2/3, "access/ada/2", 1)
	want(tokenLife*2/3, "access/ada/2", 1)
	c.pass(time.Second)
	want(tokenLife, "access/ada/2", 1) // another would hardly last longer
	c.pass(tokenLife / 2)
	f.service.fail = func(int) error { return weather(time.Hour) }
	want(tokenLife, "access/ada/2", 2)
	want(tokenLife, "access/ada/2", 2) // it rests
	unlinkNow(t, tokens, a)
	if _, err := tokens.ByIDFor(t.Context(), a.ID, tokenLife); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
