package oauthstate

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/secret"
)

// timeout bounds each command; with one resend and the dial in between the caller still has an
// answer within two seconds.
const timeout = 600 * time.Millisecond

// Dial makes a client for a redis://, rediss:// or unix:// address. It does not connect yet.
func Dial(url secret.Text) (*redis.Client, error) {
	o, err := redis.ParseURL(url.Reveal())
	if err != nil {
		return nil, errors.New("REDIS_URL is not an address that Redis clients understand (redis://user:password@host:6379/0)")
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	o.MaxRetries = 1
	o.DialerRetries = 1
	o.ContextTimeoutEnabled = true
	return redis.NewClient(o), nil
}

// Ping tells whether Redis answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.Redis.Ping(ctx).Err(); err != nil {
		return Unavailable("pinging", err)
	}
	return nil
}
