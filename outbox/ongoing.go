package outbox

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// ongoing counts attempts. Unlike a sync.WaitGroup it may be waited for while others start.
type ongoing struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n falls to 0; nil when n is 0
}

// start runs attempt in a goroutine.
func (o *ongoing) start(attempt func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n == 0 {
		o.none = make(chan struct{})
	}
	o.n++
	go func() {
		defer o.end()
		attempt()
	}()
}

func (o *ongoing) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n--
	if o.n == 0 {
		close(o.none)
		o.none = nil
	}
}

func (o *ongoing) wait() {
	o.mu.Lock()
	none := o.none
	o.mu.Unlock()
	if none != nil {
		<-none
	}
}

// clock is how far the database's clock is from ours. Leases go by the database's, or a replica
// whose clock is fast would take messages that others are at.
type clock struct {
	known  atomic.Bool
	offset atomic.Int64 // nanoseconds
}

func (b *Box) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now().Add(time.Duration(b.clock.offset.Load()))
}

// setClock compares the clocks, for the first time or again.
func (b *Box) setClock(ctx context.Context, again bool) error {
	if b.Now != nil || b.clock.known.Load() && !again {
		return nil
	}
	now, err := b.DB.Now(ctx)
	if err != nil {
		return err
	}
	b.clock.offset.Store(int64(time.Until(now)))
	b.clock.known.Store(true)
	return nil
}
