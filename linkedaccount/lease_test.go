package linkedaccount

import (
	"context"
	"errors"
	"testing"
	"time"

	"linkgate/provider"
)

// TestLeaseLasts for as long as it is wanted and no longer, also where Redis fails once in between.
func TestLeaseLasts(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture, redis *leases) {
		here, there := f.bubbled(t, redis), f.bubbled(t, redis)
		l, err := here.lease(t.Context(), "acc_1")
		if err != nil {
			t.Fatal(err)
		}
		taken := func(after time.Duration) {
			t.Helper()
			time.Sleep(after)
			if _, err := there.lease(t.Context(), "acc_1"); !errors.Is(err, errLeased) {
				t.Errorf("another replica gets %v, want errLeased", err)
			}
		}
		taken(0)
		taken(3 * leaseTime)
		redis.set(false, errors.New("LOADING"))
		time.Sleep(leaseRenewal)
		redis.set(false, nil)
		taken(2 * leaseTime)
		another, err := there.lease(t.Context(), "acc_2")
		if err != nil {
			t.Fatal("another account:", err)
		}
		another.release(t.Context())
		l.release(t.Context())
		l, err = there.lease(t.Context(), "acc_1")
		if err != nil {
			t.Fatal("given back:", err)
		}
		l.release(t.Context())
	})
}

// TestLeaseWithoutAnAnswer: nobody waits for a Redis that hangs longer than for a single step.
func TestLeaseWithoutAnAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture, redis *leases) {
		tokens := f.bubbled(t, redis)
		l, err := tokens.lease(t.Context(), "acc_1")
		if err != nil {
			t.Fatal(err)
		}
		redis.set(true, nil)
		patient, cancel := context.WithTimeout(t.Context(), 2*leaseTimeout)
		defer cancel()
		if _, err := tokens.lease(patient, "acc_2"); err == nil || errors.Is(err, errLeased) || patient.Err() != nil {
			t.Errorf("got %v", err)
		}
		redis.set(false, nil)
		l.release(t.Context())
	})
}

// TestRefreshWithoutRedis is done all the same.
func TestRefreshWithoutRedis(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture, redis *leases) {
		tokens := f.bubbled(t, redis)
		f.link(t, tokens, tokenUser, "ada", 2*tokenLife, tokenLife)
		redis.set(true, nil)
		o, err := tokens.For(t.Context(), tokenUser, tokenAuth, "")
		wantToken(t, o, err, "access/ada/2")
	})
}

// TestAnotherReplicaRefreshes: who has to wait for it gets what it has saved.
func TestAnotherReplicaRefreshes(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture, redis *leases) {
		here, there := f.bubbled(t, redis), f.bubbled(t, redis)
		a := f.link(t, here, tokenUser, "ada", 2*tokenLife, tokenLife)
		f.service.before = func() { time.Sleep(patience * 2 / 3) }
		go func() { _, _ = here.ByID(t.Context(), a.ID) }()
		time.Sleep(time.Second)
		o, err := there.ByID(t.Context(), a.ID)
		wantToken(t, o, err, "access/ada/2")
		wantRequests(t, f.service, 1)
	})
}

// TestAnotherReplicaHangs: the wait for it ends, and it is told that this is no failure of the user's.
func TestAnotherReplicaHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture, redis *leases) {
		tokens := f.bubbled(t, redis)
		a := f.link(t, tokens, tokenUser, "ada", 2*tokenLife, tokenLife)
		l, err := f.bubbled(t, redis).lease(t.Context(), a.ID)
		if err != nil {
			t.Fatal(err)
		}
		wait, cancel := context.WithTimeout(t.Context(), 2*otherMost)
		defer cancel()
		_, err = tokens.renew(wait, a.ID, a.TokenVersion, byWorker, 2*otherMost)
		var d doubtful
		if !errors.As(err, &d) || !errors.Is(err, provider.ErrUnavailable) || wait.Err() != nil {
			t.Errorf("got %v, want that another refresh has not ended", err)
		}
		wantRequests(t, f.service, 0)
		l.release(t.Context())
	})
}

// TestHowLongCallersWait for a service that is slow: while the old token lasts a moment, else longer,
// and never for ever. The refresh goes on.
func TestHowLongCallersWait(t *testing.T) {
	for _, test := range []struct {
		name     string
		age      time.Duration
		slow     time.Duration
		minValid time.Duration
		want     string // the token; empty: ErrUnavailable
	}{
		{"the old one lasts", tokenLife - 10*time.Second, 2 * earlyPatience, 0, "access/ada/1"},
		{"the old one is over", 2 * tokenLife, 2 * earlyPatience, 0, "access/ada/2"},
		{"one that lasts is asked for", tokenLife / 2, 2 * earlyPatience, tokenLife * 2 / 3, "access/ada/2"},
		{"the old one is over, and the service slower", 2 * tokenLife, 2 * patience, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture, redis *leases) {
				tokens := f.bubbled(t, redis)
				a := f.link(t, tokens, tokenUser, "ada", test.age, tokenLife)
				f.service.before = func() { time.Sleep(test.slow) }
				o, err := tokens.ByIDFor(t.Context(), a.ID, test.minValid)
				if test.want != "" {
					wantToken(t, o, err, test.want)
				} else if !errors.Is(err, provider.ErrUnavailable) {
					t.Errorf("got %v, want ErrUnavailable", err)
				}
				if err := tokens.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantToken(t, f.read(t, tokens, a.ID), nil, "access/ada/2")
				wantRequests(t, f.service, 1)
			})
		})
	}
}
