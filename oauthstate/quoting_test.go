package oauthstate_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"linkgate/oauthstate"
)

// quoting answers every command as Redis answers one that it does not know: it quotes it.
type quoting struct{}

// unknownCommand is Redis's own error.
type unknownCommand string

func (e unknownCommand) Error() string { return "ERR unknown command, with args: " + string(e) }
func (unknownCommand) RedisError()     {}

func (quoting) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (quoting) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { return unknownCommand("AUTH hunter2") }
}

func (quoting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestRedisThatQuotes(t *testing.T) {
	client := redis.NewClient(&redis.Options{})
	defer client.Close()
	client.AddHook(quoting{})
	s := &oauthstate.Store{Redis: client}
	_, getting := s.Get(t.Context(), oauthstate.IDOf("x"))
	for name, err := range map[string]error{
		"creating": s.Create(t.Context(), newSession()), "getting": getting, "pinging": s.Ping(t.Context()),
	} {
		if !errors.Is(err, oauthstate.ErrUnavailable) || !strings.HasSuffix(err.Error(), "ERR") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want ErrUnavailable and of Redis's words the first alone", name, err)
		}
	}
}
