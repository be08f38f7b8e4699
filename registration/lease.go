package registration

import (
	"context"
	"errors"
	"time"

	"github.com/bsm/redislock"
	"github.com/redis/go-redis/v9"
)

const (
	// leaseTime outlasts any work, so that the lease need not be renewed.
	leaseTime    = workTime + 5*time.Second
	leaseTimeout = 2 * time.Second // for a single step at Redis
)

// errLeased: another replica is at this registration.
var errLeased = errors.New("another replica has the lease")

func leaseKey(authID string) string { return "linkgate:registration:" + authID }

// lease keeps replicas from trying at the same time. Where there is no Redis, or no answer from it,
// the claim in SQL alone does. release is never nil.
func (m *Manager) lease(ctx context.Context, authID string) (release func(), err error) {
	nothing := func() {}
	if m.options.Redis == nil {
		return nothing, nil
	}
	asking, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	lock, err := redislock.Obtain(asking, m.options.Redis, leaseKey(authID), leaseTime, nil)
	switch {
	case errors.Is(err, redislock.ErrNotObtained):
		return nothing, errLeased
	case err != nil:
		m.options.Log.DebugContext(ctx, "no lease for a registration; the claim will do", "auth_id", authID, "error", err)
		return nothing, nil
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
		defer cancel()
		_ = lock.Release(ctx) // one that Redis does not hear of ends by itself
	}, nil
}

// changesChannel is where replicas tell each other whose client has changed.
const changesChannel = "linkgate:clients:changed"

// announce has the other replicas look at a row. It promises nothing; memoryTime is short.
func (m *Manager) announce(ctx context.Context, authID string) {
	if m.options.Redis == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeout)
	defer cancel()
	if err := m.options.Redis.Publish(ctx, changesChannel, authID).Err(); err != nil {
		m.options.Log.DebugContext(ctx, "telling other replicas of a client", "auth_id", authID, "error", err)
	}
}

// listen forgets what others have changed, until ctx ends.
func (m *Manager) listen(ctx context.Context) {
	subscription := m.options.Redis.Subscribe(ctx, changesChannel)
	defer subscription.Close()
	messages := subscription.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return
		case message := <-messages:
			changed, ok := message.(*redis.Message)
			for authID, k := range m.clients {
				if !ok || changed.Payload == authID { // a new subscription: some may have gone unheard
					k.forget()
				}
			}
		}
	}
}
