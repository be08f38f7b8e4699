package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"
)

// HandlerTimeout is the deadline of a handler's context. The lease lasts longer.
const HandlerTimeout = 20 * time.Second

const (
	defaultInterval = time.Second
	storeTimeout    = 5 * time.Second // for a single step at the database
)

// Try leases the message now, whatever its due time and even if it is a dead letter, and runs
// it. It returns the handler's error, ErrLeased or ErrGone. When ctx ends first it returns
// ctx.Err(), while the work goes on: a user who closes the window undoes nothing.
func (b *Box) Try(ctx context.Context, id string) error {
	result := make(chan error, 1)
	b.ongoing.start(func() { result <- b.try(context.WithoutCancel(ctx), id) })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Box) try(ctx context.Context, id string) error {
	if err := b.setClock(ctx, false); err != nil {
		return err
	}
	l, err := b.lease(ctx, id, true)
	if err != nil {
		return err
	}
	return b.attempt(ctx, l)
}

// Run works off due messages until ctx ends, then waits for those under way. It outlives outages
// of the database.
func (b *Box) Run(ctx context.Context) error {
	defer b.Wait()
	slots := newSlots()
	outage := false
	for {
		more, err := b.round(ctx, slots)
		if ctx.Err() != nil {
			return nil
		}
		outage = b.logOutage(outage, err)
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-slots.freed: // there may be more of the kind that was full
		case <-time.After(b.pause()):
		}
	}
}

// pause is the interval, a quarter more or less, so that replicas don't look in step.
func (b *Box) pause() time.Duration {
	interval := b.Interval
	if interval == 0 {
		interval = defaultInterval
	}
	return interval*3/4 + rand.N(interval/2)
}

// logOutage says once that the database does not answer and once that it does again.
func (b *Box) logOutage(outage bool, err error) bool {
	switch {
	case err != nil && !outage:
		b.Log.Error("the outbox waits for the database", "error", err)
	case err == nil && outage:
		b.Log.Info("the outbox has the database back")
	}
	return err != nil
}

// round waits until a slot is free, then starts as many due messages as there are slots for.
// more: there may be others due.
func (b *Box) round(ctx context.Context, slots *slots) (more bool, err error) {
	free, full, err := slots.await(ctx) // nobody else takes any
	if err != nil {
		return false, err
	}
	if err := b.setClock(ctx, true); err != nil {
		return false, err
	}
	messages, err := b.due(ctx, full, free)
	if err != nil {
		return false, err
	}
	for _, m := range messages {
		if !slots.take(m.kind) {
			continue // its kind is full now: the next round looks for others
		}
		if err := b.begin(ctx, slots, m); err != nil {
			return false, err
		}
	}
	return len(messages) == free, nil
}

// begin leases a due message and starts the attempt, which gives the slot back.
func (b *Box) begin(ctx context.Context, slots *slots, m dueMessage) error {
	l, err := b.lease(ctx, m.id, false)
	if err != nil {
		slots.give(m.kind, false)
	}
	switch {
	case errors.Is(err, ErrLeased): // another replica was quicker
		return nil
	case errors.Is(err, ErrGone):
		return b.sweep(ctx, m.id)
	case err != nil:
		return err
	}
	b.ongoing.start(func() {
		defer slots.give(m.kind, l.message.Ordinal != 0)
		_ = b.attempt(context.WithoutCancel(ctx), l) // logged and stored there
	})
	return nil
}

// attempt runs the handler of a leased message, and saves and logs the outcome, which it returns.
func (b *Box) attempt(ctx context.Context, l lease) error {
	outcome := b.handle(ctx, l.message)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	m, err := b.finish(ctx, l, outcome)
	log := b.Log.With("message", m.ID, "kind", m.Kind, "account", m.AccountID, "attempt", m.Attempts)
	logOutcome(log, outcome, m)
	if err != nil {
		log.Warn("the outcome was not saved: the message will be tried again", "error", err)
	}
	return outcome
}

func logOutcome(log *slog.Logger, outcome error, m Message) {
	switch {
	case outcome == nil:
		log.Debug("message done")
	case !m.DeadAt.IsZero():
		log.Error("message given up: a dead letter, see `linkgate outbox`", "error", outcome, "failing_since", m.FailingSince)
	default:
		log.Warn("message failed", "error", outcome, "next", m.DueAt)
	}
}

func (b *Box) handle(ctx context.Context, m Message) (err error) {
	handler, ok := b.Handlers[m.Kind]
	if !ok { // a newer replica may know it
		return fmt.Errorf("no handler for messages of kind %q", m.Kind)
	}
	ctx, cancel := context.WithTimeout(ctx, HandlerTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			err = panicError(r)
			b.Log.Error("a handler panicked", "message", m.ID, "kind", m.Kind, "error", err, "stack", string(debug.Stack()))
		}
	}()
	return handler(ctx, m)
}

// panicError tells of a panic by its type, as its value could hold anything, a secret too. What
// the runtime says is safe.
func panicError(r any) error {
	if err, ok := r.(runtime.Error); ok {
		return fmt.Errorf("handler panicked: %w", err)
	}
	return fmt.Errorf("handler panicked with a %T", r)
}
