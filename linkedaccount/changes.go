package linkedaccount

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// changesChannel is where replicas tell each other which accounts have changed.
const changesChannel = "linkgate:accounts:changed"

// changesWaiting is how many changes may wait to be told. More are not: the cache's time is short.
const changesWaiting = 1024

// change names an account that has changed, and whose it is; or a component that may use another.
type change struct {
	ID         string `json:"id,omitempty"`
	HostUserID string `json:"user,omitempty"`
	AuthID     string `json:"auth,omitempty"`
	Component  string `json:"component,omitempty"`
}

// changes carries the word of changes from one replica to the others, by Redis's PUBLISH, which
// promises nothing: what is lost is made up for by the cache's short time.
type changes struct {
	redis   redis.UniversalClient
	log     *slog.Logger
	waiting chan change
}

func newChanges(client redis.UniversalClient, log *slog.Logger) *changes {
	return &changes{redis: client, log: log, waiting: make(chan change, changesWaiting)}
}

// announce has a change told to all replicas, and does not wait for that.
func (c *changes) announce(ch change) {
	select {
	case c.waiting <- ch:
	default:
	}
}

// tell publishes what is announced, until ctx ends.
func (c *changes) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case ch := <-c.waiting:
			if err := c.publish(ctx, ch); err != nil && ctx.Err() == nil {
				c.log.DebugContext(ctx, "telling other replicas of a change", "error", err)
			}
		}
	}
}

func (c *changes) publish(ctx context.Context, ch change) error {
	message, err := json.Marshal(ch)
	if err != nil {
		return err
	}
	return c.redis.Publish(ctx, changesChannel, message).Err()
}

// listen calls heard for every change, and missed whenever some may have gone unheard: at the
// start and after each time the connection was lost. It ends with ctx.
func (c *changes) listen(ctx context.Context, heard func(change), missed func()) {
	subscription := c.redis.Subscribe(ctx, changesChannel)
	defer subscription.Close()
	messages := subscription.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return
		case message := <-messages:
			switch m := message.(type) {
			case *redis.Message:
				var ch change
				if json.Unmarshal([]byte(m.Payload), &ch) != nil {
					missed() // from a replica of another version
					continue
				}
				heard(ch)
			case *redis.Subscription:
				missed()
			}
		}
	}
}
