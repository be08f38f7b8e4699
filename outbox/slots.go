package outbox

import (
	"context"
	"sync"
)

const (
	parallel = 8 // messages that Run works on at a time
	// perKind is how many of them may be of one kind, so that a service that hangs, or a host,
	// keeps nobody waiting but those who wait for it. At half of all, only one kind can be full
	// while there is a free slot.
	perKind = parallel / 2
)

// slots are what Run's attempts take, and give back when they end.
type slots struct {
	mu    sync.Mutex
	taken map[string]int // by kind
	total int
	freed chan struct{} // holds a token when a slot has been given back that somebody may want
}

func newSlots() *slots {
	return &slots{taken: make(map[string]int), freed: make(chan struct{}, 1)}
}

// free is how many slots can be taken, and which kind, if any, has had its share of them.
func (s *slots) free() (n int, full string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for kind, n := range s.taken {
		if n == perKind {
			full = kind
		}
	}
	return parallel - s.total, full
}

// await waits until free tells of a slot.
func (s *slots) await(ctx context.Context) (n int, full string, err error) {
	for {
		if n, full := s.free(); n > 0 {
			return n, full, nil
		}
		select {
		case <-s.freed:
		case <-ctx.Done():
			return 0, "", ctx.Err()
		}
	}
}

// take takes a slot for a message of a kind; false when there is none for it.
func (s *slots) take(kind string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total == parallel || s.taken[kind] == perKind {
		return false
	}
	s.total++
	s.taken[kind]++
	return true
}

// give gives a slot back. followed: another message may have waited for the end of this one.
func (s *slots) give(kind string, followed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := followed || s.total == parallel || s.taken[kind] == perKind
	s.total--
	s.taken[kind]--
	if s.taken[kind] == 0 {
		delete(s.taken, kind)
	}
	if !wanted {
		return
	}
	select {
	case s.freed <- struct{}{}:
	default: // Run has yet to look since the last one
	}
}
