package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// value is what Linkgate writes for a click.
type value struct {
	bytes int64
	life  time.Duration
}

// learnValue lets Linkgate write one and looks at it, so that the bare handler does the same work.
func (s servers) learnValue(ctx context.Context, redisURL string, client *redis.Client) (value, error) {
	linkgate, err := s.startLinkgate(ctx, setting{redis: redisURL})
	if err != nil {
		return value{}, err
	}
	defer linkgate.stop()
	if err := empty(ctx, client); err != nil {
		return value{}, err
	}
	if err := clickOnce(ctx, linkgate.addr); err != nil {
		return value{}, err
	}
	return onlyValue(ctx, client)
}

func clickOnce(ctx context.Context, addr string) error {
	c, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	body, err := c.ask(click(), 0)
	if err != nil {
		return err
	}
	if !json.Valid(body) {
		return fmt.Errorf("the answer is not JSON: %q", body)
	}
	return nil
}

// onlyValue describes the one value in Redis.
func onlyValue(ctx context.Context, client *redis.Client) (value, error) {
	keys, err := client.Keys(ctx, "*").Result()
	if err != nil {
		return value{}, fmt.Errorf("reading keys: %w", err)
	}
	if len(keys) != 1 {
		return value{}, fmt.Errorf("one click wrote %d keys, want 1", len(keys))
	}
	v := value{bytes: client.StrLen(ctx, keys[0]).Val(), life: client.TTL(ctx, keys[0]).Val()}
	if v.bytes == 0 || v.life <= 0 {
		return value{}, fmt.Errorf("one click wrote a value of %d bytes that lives for %v", v.bytes, v.life)
	}
	return v, nil
}

func empty(ctx context.Context, client *redis.Client) error {
	if err := client.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("emptying Redis: %w", err)
	}
	return nil
}
