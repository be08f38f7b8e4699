package linkedaccount

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bsm/redislock"
)

const (
	// leaseTime outlasts a refresh's request; the lease is renewed long before.
	leaseTime    = 20 * time.Second
	leaseRenewal = leaseTime / 4
	leaseTimeout = 2 * time.Second // for a single step at Redis
)

// errLeased: another replica is refreshing this account.
var errLeased = errors.New("another replica is refreshing this account")

// lease is the right to refresh an account, for as long as this process lives and renews it. It
// keeps replicas from trying at the same time. That no refresh token is sent twice does not hang on
// it, but on the claim in SQL: Redis may forget, and a process that was stopped may go on after its
// lease is over.
type lease struct {
	lock *redislock.Lock
	stop context.CancelFunc
	done sync.WaitGroup
}

func leaseKey(accountID string) string { return "linkgate:refresh:" + accountID }

// lease takes the lease of an account. errLeased; any other error: Redis does not answer.
func (t *Tokens) lease(ctx context.Context, accountID string) (*lease, error) {
	asking, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	lock, err := redislock.Obtain(asking, t.Redis, leaseKey(accountID), leaseTime, nil)
	if errors.Is(err, redislock.ErrNotObtained) {
		return nil, errLeased
	}
	if err != nil {
		return nil, err
	}
	renewing, stop := context.WithCancel(ctx)
	l := &lease{lock: lock, stop: stop}
	l.done.Go(func() { l.renew(renewing) })
	return l, nil
}

// renew keeps the lease until ctx ends, or until it is lost.
func (l *lease) renew(ctx context.Context) {
	tick := time.NewTicker(leaseRenewal)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asking, cancel := context.WithTimeout(ctx, leaseTimeout)
		err := l.lock.Refresh(asking, leaseTime, nil)
		cancel()
		if errors.Is(err, redislock.ErrNotObtained) {
			return
		}
	}
}

// release gives the lease back. One that Redis does not hear of ends by itself.
func (l *lease) release(ctx context.Context) {
	l.stop()
	l.done.Wait()
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
	defer cancel()
	_ = l.lock.Release(asking)
}
