package linkedaccount

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/database"
	"linkgate/provider"
)

// leases is a Redis that knows leases alone, without sockets, so that time in a bubble can pass.
type leases struct {
	mu    sync.Mutex
	held  map[string]heldLease
	hangs bool // nothing is answered
	fails error
}

type heldLease struct {
	by    string
	until time.Time
}

// client speaks to it.
func (l *leases) client(t *testing.T) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	client.AddHook(l)
	t.Cleanup(func() { client.Close() })
	return client
}

// DialHook implements redis.Hook.
func (l *leases) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (l *leases) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook.
func (l *leases) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		l.mu.Lock()
		hangs, fails := l.hangs, l.fails
		l.mu.Unlock()
		if hangs {
			<-ctx.Done()
			fails = ctx.Err()
		}
		if fails != nil {
			cmd.SetErr(fails)
			return fails
		}
		return l.run(cmd.(*redis.Cmd))
	}
}

// run answers redislock's scripts, which differ in how many arguments they have: a value; how long
// it is to last; and for a new one the length of its token before that.
func (l *leases) run(cmd *redis.Cmd) error {
	const first = 3 // after EVALSHA, the script's hash, and how many keys follow
	key, args := cmd.Args()[first].(string), cmd.Args()[first+1:]
	by := args[0].(string)
	l.mu.Lock()
	defer l.mu.Unlock()
	before, taken := l.held[key]
	taken = taken && time.Now().Before(before.until)
	switch isOwn := taken && before.by == by; {
	case len(args) == 3 && taken:
		cmd.SetErr(redis.Nil)
		return redis.Nil
	case len(args) < 3 && !isOwn:
		cmd.SetVal(int64(0))
		return nil
	case len(args) == 1:
		delete(l.held, key)
	default:
		ms, err := strconv.Atoi(args[len(args)-1].(string))
		if err != nil {
			return err
		}
		l.held[key] = heldLease{by, time.Now().Add(time.Duration(ms) * time.Millisecond)}
	}
	cmd.SetVal(int64(1))
	return nil
}

func (l *leases) set(hangs bool, fails error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hangs, l.fails = hangs, fails
}

// inBubble runs a test in a bubble of time, with what Tokens need there.
func inBubble(t *testing.T, test func(*testing.T, *fixture, *leases)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{
			service: newService(), db: openTest(t, database.Options{DataDir: t.TempDir()}), keyring: newKeyring(t),
			now: time.Now, connection: provider.Connection{AuthID: tokenAuth, Name: "Example"},
		}
		test(t, f, &leases{held: map[string]heldLease{}})
	})
}

// bubbled is a replica in a bubble.
func (f *fixture) bubbled(t *testing.T, l *leases) *Tokens {
	t.Helper()
	connections := map[string]*provider.Provider{
		tokenAuth: {Connection: f.connection, Refresher: f.service, Identifier: f.service},
	}
	tokens := NewTokens(TokensOptions{
		Store:       &Store{DB: f.db, Keyring: f.keyring, Now: f.now, Schedule: ScheduleOf(connections)},
		Connections: connections, Redis: l.client(t), Log: slog.New(slog.DiscardHandler), Now: f.now,
	})
	t.Cleanup(func() {
		if err := tokens.Wait(context.Background()); err != nil {
			t.Error(err)
		}
		tokens.cache.accounts.StopAllGoroutines()
		tokens.cache.holders.StopAllGoroutines()
		tokens.cache.components.StopAllGoroutines()
		tokens.rests.accounts.StopAllGoroutines()
	})
	return tokens
}
