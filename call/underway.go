package call

import (
	"context"
	"fmt"
	"sync"
)

// underWay counts what has begun and not ended.
type underWay struct {
	mu    sync.Mutex
	count int
	none  chan struct{} // closed when the count is zero again; nil while nobody waits
}

func (u *underWay) begin() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count++
}

func (u *underWay) end() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count--
	if u.count == 0 && u.none != nil {
		close(u.none)
		u.none = nil
	}
}

// wait returns when there is nothing under way, or when ctx ends.
func (u *underWay) wait(ctx context.Context) error {
	u.mu.Lock()
	if u.count == 0 {
		u.mu.Unlock()
		return nil
	}
	if u.none == nil {
		u.none = make(chan struct{})
	}
	none := u.none
	u.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for calls to end: %w", ctx.Err())
	}
}
