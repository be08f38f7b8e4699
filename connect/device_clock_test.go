package connect_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// ahead is how far the clock of Redis is ahead.
type ahead struct{ by *atomic.Int64 }

func (ahead) DialHook(next redis.DialHook) redis.DialHook { return next }
func (a ahead) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if clock, ok := cmd.(*redis.TimeCmd); ok {
			clock.SetVal(clock.Val().Add(time.Duration(a.by.Load())))
		}
		return err
	}
}
func (ahead) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// elapse puts the clock of Redis forward.
func (f *fixture) elapse(t *testing.T, d time.Duration) {
	t.Helper()
	if f.ahead == nil {
		f.ahead = new(atomic.Int64)
		f.Sessions.Redis.AddHook(ahead{f.ahead})
	}
	f.ahead.Add(int64(d))
}
