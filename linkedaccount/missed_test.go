package linkedaccount

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestMissedChangesAreRead: where the connection to Redis was lost, Run lets go of everything cached:
// accounts, who has them, and what components use.
func TestMissedChangesAreRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	here, there := f.replica(t), f.replica(t) // the other tells nobody
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); here.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ran })
	listens := func() bool {
		n, err := here.Redis.PubSubNumSub(ctx, changesChannel).Result()
		return err == nil && n[changesChannel] == 1
	}
	ada := f.link(t, there, tokenUser, "ada", 0, tokenLife)
	key := holder{tokenUser, tokenAuth}
	cached := func() (n int) {
		if _, ok := here.cache.accounts.GetIfPresent(ada.ID); ok {
			n++
		}
		if _, ok := here.cache.holders.GetIfPresent(key); ok {
			n++
		}
		if _, ok := here.cache.components.GetIfPresent("flow"); ok {
			n++
		}
		return n
	}
	eventually(t, "it listens, and has everything cached", func() bool {
		if _, err := here.ByID(ctx, ada.ID); err != nil || !listens() {
			return false
		}
		forComponent(t, here, "flow")
		time.Sleep(50 * time.Millisecond) // no word of its own beginning is on the way
		return cached() == 3
	})
	here.cache.accounts.SetExpiresAfter(ada.ID, time.Hour) // they don't go by their age
	here.cache.holders.SetExpiresAfter(key, time.Hour)
	here.cache.components.SetExpiresAfter("flow", time.Hour)
	if _, err := here.Redis.ClientKillByFilter(ctx, "TYPE", "pubsub").Result(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing of it is cached", func() bool { return cached() == 0 })
}

// TestAnnouncingNeverWaits, however many changes are not told yet.
func TestAnnouncingNeverWaits(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		c := newChanges(nil, nil)
		for range changesWaiting + 1 {
			c.announce(change{ID: "acc_1"})
		}
	})
}
