package oauthstate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// embeddedMost is how many keys the embedded Redis holds before it takes no new ones: a session
// is less than 2 KiB, so that a flood of clicks costs the process some 100 MB at the most.
const embeddedMost = 50_000

// EvictedPrefix begins the keys of answers that are kept for a day (package idempotency). So many as
// there may be of those in a day would leave no room for sessions: the embedded Redis holds at most
// evictedMost of them, and evictedBytes in all, and gives up the oldest.
const (
	EvictedPrefix = "linkgate:idempotency:"
	evictedMost   = 20_000
	evictedBytes  = 64 << 20
	claimLife     = time.Minute // what has no longer to live is a claim, or about to go
)

// errFull: the embedded Redis holds as much as it may.
var errFull = errors.New("too many sessions at once for the embedded Redis; set REDIS_URL")

// Embedded is a Redis inside this process, for one replica. What it holds is lost with the
// process: users who are mid-login try again.
type Embedded struct {
	Client *redis.Client

	server *miniredis.Miniredis
	full   atomic.Bool
	stop   chan struct{}
}

// StartEmbedded starts one on a loopback port that asks for a random password.
func StartEmbedded() (*Embedded, error) {
	server := miniredis.NewMiniRedis()
	password := randomText(tokenBytes)
	server.RequireAuth(password)
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("starting the embedded Redis: %w", err)
	}
	e := &Embedded{server: server, stop: make(chan struct{})}
	e.Client = redis.NewClient(&redis.Options{
		Addr: server.Addr(), Password: password, ContextTimeoutEnabled: true, MaxRetries: -1,
	})
	e.Client.AddHook(bound{e})
	go e.tick(time.Second)
	return e, nil
}

// tick drives the clock, for miniredis expires nothing by itself, and looks how full it is.
func (e *Embedded) tick(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-e.stop:
			return
		case now := <-t.C:
			e.server.FastForward(now.Sub(last))
			last = now
			e.evict(evictedMost, evictedBytes)
			e.full.Store(len(e.server.Keys()) >= embeddedMost)
		}
	}
}

// evict gives up the oldest of what begins with EvictedPrefix: those that have the least to live.
func (e *Embedded) evict(most, bytes int) {
	lives := map[string]time.Duration{}
	size := 0
	for _, key := range e.server.Keys() {
		if !strings.HasPrefix(key, EvictedPrefix) {
			continue
		}
		value, _ := e.server.Get(key) // nothing, if it has just gone
		size += len(value)
		lives[key] = 0
	}
	if len(lives) <= most && size <= bytes {
		return
	}
	for key := range lives {
		lives[key] = e.server.TTL(key)
	}
	oldest := slices.SortedFunc(maps.Keys(lives), func(a, b string) int { return cmp.Compare(lives[a], lives[b]) })
	left := len(oldest)
	for _, key := range oldest {
		if left <= most && size <= bytes {
			return
		}
		if lives[key] <= claimLife {
			continue
		}
		value, _ := e.server.Get(key)
		e.server.Del(key)
		size -= len(value)
		left--
	}
}

// Close stops it.
func (e *Embedded) Close() {
	close(e.stop)
	e.Client.Close()
	e.server.Close()
}

// bound refuses what would add a key while the embedded Redis is full.
type bound struct{ e *Embedded }

// DialHook changes nothing.
func (bound) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook refuses SET; the scripts only change what is there.
func (b bound) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "set" && b.e.full.Load() {
			cmd.SetErr(errFull)
			return errFull
		}
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook changes nothing.
func (bound) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
