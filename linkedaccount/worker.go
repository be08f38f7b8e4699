package linkedaccount

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"linkgate/provider"
)

const (
	lookEvery = 2 * time.Second  // for accounts that are due; a quarter more or less
	noteEvery = 20 * time.Second // which accounts are in use

	atOnce = 4  // refreshes ahead of time at one connection, in one replica
	inAll  = 16 // at all connections

	// postponed is when an account is looked at again whose refresh was begun and did not happen.
	postponed = time.Minute
	// idleAfter is when an account that nobody uses is not kept fresh any more, but alive.
	idleAfter = 24 * time.Hour
)

// Run refreshes ahead of time, tells other replicas of changes, and listens to theirs. It returns
// soon after ctx ends; Wait waits for what it has begun.
func (t *Tokens) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { t.changes.tell(ctx) })
	all.Go(func() { t.changes.listen(ctx, t.cache.drop, t.cache.dropAll) })
	all.Go(func() { t.everySoOften(ctx, noteEvery, t.noteUse) })
	slots := newSlots()
	all.Go(func() { t.everySoOften(ctx, lookEvery, func(ctx context.Context) { t.refreshAhead(ctx, slots) }) })
	all.Wait()
}

// everySoOften runs do until ctx ends, in a rhythm that replicas don't share.
func (t *Tokens) everySoOften(ctx context.Context, interval time.Duration, do func(context.Context)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(jitter(interval*3/4, interval*5/4)):
			do(ctx)
		}
	}
}

// refreshAhead begins the refreshes that are due and for which there is room.
func (t *Tokens) refreshAhead(ctx context.Context, slots *slots) {
	for ctx.Err() == nil {
		room := slots.room(slices.Sorted(maps.Keys(t.Store.Schedule)))
		if len(room) == 0 {
			return
		}
		due, err := t.Store.due(ctx, t.Now(), room, inAll)
		if err != nil {
			t.Log.WarnContext(ctx, "looking for credentials to refresh", "error", err)
			return
		}
		begun := 0
		for _, d := range due {
			if t.begin(ctx, slots, d) {
				begun++
			}
		}
		if begun == 0 {
			return
		}
	}
}

// begin takes an account that is due, so that no other replica does, and refreshes it.
func (t *Tokens) begin(ctx context.Context, slots *slots, d dueAccount) bool {
	if !slots.take(d.authID) {
		return false
	}
	taken, err := t.Store.postpone(ctx, d, t.Now().Add(jitter(postponed, 2*postponed)))
	if err != nil || !taken {
		slots.give(d.authID)
		return false
	}
	t.ongoing.Add(1)
	go func() {
		defer t.ongoing.Add(-1)
		defer slots.give(d.authID)
		t.ahead(context.WithoutCancel(ctx), d)
	}()
	return true
}

// ahead refreshes one account ahead of time, or finds that this is not worth it.
func (t *Tokens) ahead(ctx context.Context, d dueAccount) {
	o, err := t.Store.Open(ctx, d.id)
	if err != nil || !o.usable() {
		return // tried again when postponed, or never due again
	}
	now := t.Now()
	if next, idle := t.idle(o, now); idle {
		_, err = t.Store.reschedule(ctx, o, next)
	} else {
		_, err = t.renew(ctx, o.ID, o.TokenVersion, byWorker, otherMost+patience)
	}
	var e *provider.Error
	if errors.As(err, &e) && e.RetryAfter > postponed {
		_, err = t.Store.reschedule(ctx, o, now.Add(jitter(e.RetryAfter, 2*e.RetryAfter)))
	}
	if err != nil && e == nil && !errors.Is(err, ErrReauthRequired) && !errors.Is(err, errStillGood) {
		t.Log.WarnContext(ctx, "refreshing ahead of time", "account", d.id, "error", err)
	}
}

// idle tells whether nobody has used an account for so long that its access token may end, and when
// its refresh token wants to be used to stay alive; that is never the zero time's meaning.
func (t *Tokens) idle(o Opened, now time.Time) (next time.Time, idle bool) {
	last := o.LinkedAt
	if o.UsedAt.After(last) {
		last = o.UsedAt
	}
	if now.Sub(last) < max(idleAfter, 2*lifeOf(o.Credential)) {
		return time.Time{}, false
	}
	next = t.Store.Schedule.alive(o.AuthID, o.Credential.IssuedAt)
	return next, next.IsZero() || next.After(now)
}

// slots bound how many refreshes run ahead of time.
type slots struct {
	mu    sync.Mutex
	taken map[string]int // by auth id
	all   int
}

func newSlots() *slots { return &slots{taken: map[string]int{}} }

func (s *slots) take(authID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[authID] >= atOnce || s.all >= inAll {
		return false
	}
	s.taken[authID]++
	s.all++
	return true
}

func (s *slots) give(authID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken[authID]--
	s.all--
}

// room lists the connections at which there is a slot.
func (s *slots) room(authIDs []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= inAll {
		return nil
	}
	return slices.DeleteFunc(authIDs, func(id string) bool { return s.taken[id] >= atOnce })
}

// touched are the accounts that were used since this was last noted in SQL.
type touched struct {
	mu  sync.Mutex
	ids map[string]struct{}
}

// useGrain is how exactly uses are noted.
const useGrain = time.Minute

// touch notes that an account is used. It costs next to nothing, as most uses are noted already.
func (t *Tokens) touch(e *entry, now time.Time) {
	last := e.touched.Load()
	if last == 0 {
		last = e.UsedAt.Unix()
	}
	if now.Unix()-last < int64(useGrain/time.Second) || !e.touched.CompareAndSwap(e.touched.Load(), now.Unix()) {
		return
	}
	t.touched.mu.Lock()
	defer t.touched.mu.Unlock()
	if t.touched.ids == nil {
		t.touched.ids = map[string]struct{}{}
	}
	t.touched.ids[e.ID] = struct{}{}
}

// noteUse writes down which accounts were used. Where it fails they are forgotten: this is to know
// about days, and they are used again.
func (t *Tokens) noteUse(ctx context.Context) {
	t.touched.mu.Lock()
	ids := slices.Collect(maps.Keys(t.touched.ids))
	t.touched.ids = nil
	t.touched.mu.Unlock()
	if err := t.Store.markUsed(ctx, ids, t.Now()); err != nil {
		t.Log.WarnContext(ctx, "noting which accounts are used", "error", err)
	}
}
