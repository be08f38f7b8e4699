package linkedaccount

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"linkgate/provider"
)

// eventually waits for something that happens soon, by itself.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after a while: %s", what)
		}
	}
}

// lookAll has replicas look for due accounts at the same time, and waits for what they begin.
func lookAll(t *testing.T, replicas ...*Tokens) {
	t.Helper()
	var looking sync.WaitGroup
	for _, tokens := range replicas {
		slots := newSlots()
		looking.Go(func() {
			// A look that finds every slot taken ends; the next one goes on.
			for range 50 {
				tokens.refreshAhead(t.Context(), slots)
				if err := tokens.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	looking.Wait()
}

// TestWorkerRefreshesWhatIsDue: once, however many replicas look, and not what is not due.
func TestWorkerRefreshesWhatIsDue(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := newClock()
	f.now, f.service.now = c.Now, c.Now
	f.service.before = func() { time.Sleep(2 * time.Millisecond) }
	replicas := []*Tokens{f.replica(t), f.replica(t), f.replica(t)}
	const due = 40
	for i := range due {
		f.link(t, replicas[0], fmt.Sprintf("user-%d", i), fmt.Sprintf("due-%d", i), 0, tokenLife)
	}
	c.pass(tokenLife - time.Second)
	late := f.link(t, replicas[0], "user-late", "late", 0, tokenLife)
	lookAll(t, replicas...)
	wantRequests(t, f.service, due)
	if got := f.service.most(); got > len(replicas)*atOnce {
		t.Errorf("%d refreshes ran at once, want %d for each replica at most", got, atOnce)
	}
	if got := f.read(t, replicas[0], late.ID).TokenVersion; got != 1 {
		t.Errorf("an account that is not due was refreshed (version %d)", got)
	}
}

// TestWorkerLeavesOneThatHangsAside: a connection whose service hangs keeps no other waiting.
func TestWorkerLeavesOneThatHangsAside(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := newClock()
	f.now, f.service.now = c.Now, c.Now
	tokens := f.replica(t)
	release := make(chan struct{})
	hanging := newService()
	hanging.now, hanging.before = c.Now, func() { <-release }
	other := provider.Connection{AuthID: "other", Name: "Hanging"}
	tokens.Connections["other"] = &provider.Provider{Connection: other, Refresher: hanging, Identifier: hanging}
	tokens.Store.Schedule = ScheduleOf(tokens.Connections)
	for i := range 3 * inAll {
		if _, _, err := tokens.Store.Link(t.Context(), fmt.Sprintf("user-%d", i), "other",
			hanging.grant(fmt.Sprintf("s-%d", i), c.Now().Add(-time.Minute), tokenLife)); err != nil {
			t.Fatal(err)
		}
	}
	f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
	c.pass(tokenLife)
	slots := newSlots()
	eventually(t, "the account at the service that answers is refreshed", func() bool {
		tokens.refreshAhead(t.Context(), slots)
		requests, _ := f.service.counts()
		return requests == 1
	})
	if got := hanging.most(); got > atOnce {
		t.Errorf("%d refreshes ran at the service that hangs, want %d at most", got, atOnce)
	}
	close(release)
}

// TestIdleAccounts: what nobody uses is not kept fresh, but alive where its refresh token would die.
func TestIdleAccounts(t *testing.T) {
	for _, test := range []struct {
		name      string
		keepAlive time.Duration
		usedAgo   time.Duration // zero: never
		age       time.Duration // of the link and of the token
		refreshed bool
	}{
		{name: "linked lately", age: 12 * time.Hour, refreshed: true},
		{name: "used lately", age: 72 * time.Hour, usedAgo: time.Hour, refreshed: true},
		{name: "unused", age: 72 * time.Hour},
		{name: "unused, and must not lie idle", age: 72 * time.Hour, keepAlive: 79 * time.Hour, refreshed: true},
		{name: "unused, and may lie idle longer", age: 72 * time.Hour, keepAlive: 1000 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			c := newClock()
			f.now, f.service.now, f.connection.KeepAlive = c.Now, c.Now, test.keepAlive
			tokens := f.replica(t)
			a := f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
			c.pass(test.age)
			if test.usedAgo > 0 {
				if err := tokens.Store.markUsed(t.Context(), []string{a.ID}, c.Now().Add(-test.usedAgo)); err != nil {
					t.Fatal(err)
				}
			}
			lookAll(t, tokens)
			if got := f.read(t, tokens, a.ID).TokenVersion == 2; got != test.refreshed {
				t.Errorf("refreshed: %v, want %v", got, test.refreshed)
			}
			// Whoever wants to use it gets a fresh one at any time.
			o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
			wantToken(t, o, err, "access/ada/2")
		})
	}
}

// TestUsesAreNoted: to the minute, in one statement, off the callers' way.
func TestUsesAreNoted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := newClock()
	f.now = c.Now
	tokens := f.replica(t)
	a := f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
	use := func() {
		if _, err := tokens.For(t.Context(), tokenUser, tokenAuth, ""); err != nil {
			t.Fatal(err)
		}
	}
	used := func() time.Time { return f.read(t, tokens, a.ID).UsedAt }
	use()
	if got := used(); !got.IsZero() {
		t.Errorf("a use was written at once, at %v", got)
	}
	first := c.Now()
	tokens.noteUse(t.Context())
	c.pass(useGrain / 2)
	use()
	tokens.noteUse(t.Context())
	if got := used(); !got.Equal(first) {
		t.Errorf("used at %v, want %v", got, first)
	}
	c.pass(useGrain)
	use()
	tokens.noteUse(t.Context())
	if got := used(); !got.Equal(c.Now()) {
		t.Errorf("used at %v, want %v", got, c.Now())
	}
	c.pass(useGrain)
	f.service.fail = func(int) error { return weather(0) }
	if _, err := tokens.ByIDFor(t.Context(), a.ID, tokenLife); err != nil { // too short, and there is no other now
		t.Fatal(err)
	}
	wantRequests(t, f.service, 1)
	tokens.noteUse(t.Context())
	if got := used(); !got.Equal(c.Now()) {
		t.Errorf("with a token for some time: used at %v, want %v", got, c.Now())
	}
}

// TestOtherReplicasHearOfChanges: what one replica changes the other does not go on using.
func TestOtherReplicasHearOfChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	here, there := f.replica(t), f.replica(t)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, tokens := range []*Tokens{here, there} {
		running.Go(func() { tokens.Run(ctx) })
	}
	defer running.Wait()
	defer stop()
	a := f.link(t, here, tokenUser, "ada", 0, tokenLife)
	cached := func() bool { _, ok := there.cache.accounts.GetIfPresent(a.ID); return ok }
	eventually(t, "the other replica listens", func() bool {
		n, err := here.Redis.PubSubNumSub(ctx, changesChannel).Result()
		return err == nil && n[changesChannel] == 2
	})
	eventually(t, "the other replica has it cached, and no word of its linking is on the way", func() bool {
		_, err := there.ByID(ctx, a.ID)
		time.Sleep(50 * time.Millisecond)
		return err == nil && cached()
	})
	there.cache.accounts.SetExpiresAfter(a.ID, time.Hour) // it does not go by its age
	if _, _, err := here.Store.Unlink(ctx, a.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other replica has dropped it", func() bool { return !cached() })
}

// TestMissedChanges: whenever the word of a change may have been lost, nothing cached is trusted.
func TestMissedChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tokens := f.replica(t)
	a := f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
	missed := make(chan struct{}, 10)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go tokens.changes.listen(ctx, tokens.cache.drop, func() { tokens.cache.dropAll(); missed <- struct{}{} })
	<-missed // at the start
	if _, err := tokens.ByID(ctx, a.ID); err != nil {
		t.Fatal(err)
	}
	if err := tokens.Redis.Publish(ctx, changesChannel, "from another version").Err(); err != nil {
		t.Fatal(err)
	}
	<-missed
	if _, ok := tokens.cache.accounts.GetIfPresent(a.ID); ok {
		t.Error("what was cached is still there")
	}
	if _, err := tokens.Redis.ClientKillByFilter(ctx, "TYPE", "pubsub").Result(); err != nil {
		t.Fatal(err)
	}
	<-missed // when the connection is back
}
