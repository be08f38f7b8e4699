package call

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errLapsed is why an exchange is cancelled whose service has let its time lapse.
var errLapsed = errors.New("the service's time has lapsed")

// patience ends an exchange whose service has not begun to answer some time after it took the last
// of the request's body, or goes on taking nothing of it. Time in which the client is waited for
// does not count: that is bounded by the client's progress. A request without a body is the
// transport's to bound, which costs less.
type patience struct {
	limit  time.Duration
	cancel context.CancelCauseFunc
	upload *upload

	mu    sync.Mutex
	since time.Time
	timer *time.Timer // nil: not running
}

// begin starts the time.
func (p *patience) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = time.Now()
	p.timer = time.AfterFunc(p.limit, p.lapse)
}

// end stops the time, unless it has lapsed.
func (p *patience) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// lapse looks what has become of the request in the meantime. Nothing is set anew when a piece of
// the body goes out: this is done here, once in a while, for all of them.
func (p *patience) lapse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil {
		return
	}
	since := p.upload.since(p.since)
	if rest := p.limit - time.Since(since); rest > 0 {
		p.timer.Reset(rest)
		return
	}
	p.timer = nil
	p.cancel(errLapsed)
}
