package linkedaccount

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	// cacheTime is how long a replica may go on using what another has changed, when it does not
	// hear of the change.
	cacheTime = 5 * time.Second
	cacheMost = 10_000 // accounts, users at a connection, and components
)

// cache holds opened credentials for seconds, so that a call costs neither SQL nor Redis: by account,
// and by who has them, so that a call costs one look. Which component uses which account is kept too,
// also that one uses none.
type cache struct {
	accounts   *otter.Cache[string, *entry]
	holders    *otter.Cache[holder, []entry]
	components *otter.Cache[string, Component]
}

// entry is an opened account, with what is worked out once.
type entry struct {
	spentAt  time.Time    // from when on it is to be replaced; zero: it has no end that is known
	touched  atomic.Int64 // unix seconds of the last use that was noted
	unusable error        // why no calls may be made as the account; nil: they may
	Opened
}

// holder is a user at a connection.
type holder struct{ hostUserID, authID string }

func newCache() *cache {
	inline := func(upkeep func()) { upkeep() } // a goroutine for each few looks costs more than what it does
	return &cache{
		accounts: otter.Must(&otter.Options[string, *entry]{
			MaximumSize: cacheMost, ExpiryCalculator: otter.ExpiryWriting[string, *entry](cacheTime), Executor: inline,
		}),
		holders: otter.Must(&otter.Options[holder, []entry]{
			MaximumSize: cacheMost, ExpiryCalculator: otter.ExpiryWriting[holder, []entry](cacheTime), Executor: inline,
		}),
		components: otter.Must(&otter.Options[string, Component]{
			MaximumSize: cacheMost, ExpiryCalculator: otter.ExpiryWriting[string, Component](cacheTime), Executor: inline,
		}),
	}
}

// drop forgets an account. What is being read at this moment is not kept either.
func (c *cache) drop(ch change) {
	if ch.Component != "" {
		c.components.Invalidate(ch.Component)
		return
	}
	c.accounts.Invalidate(ch.ID)
	c.holders.Invalidate(holder{ch.HostUserID, ch.AuthID})
}

func (c *cache) dropAll() {
	c.accounts.InvalidateAll()
	c.holders.InvalidateAll()
	c.components.InvalidateAll()
}

// entry is the account from the cache or the store. Callers that come at once share one reading,
// which goes on when the first of them leaves.
func (t *Tokens) entry(ctx context.Context, id string) (*entry, error) {
	if e, ok := t.cache.accounts.GetIfPresent(id); ok {
		return e, nil
	}
	return t.cache.accounts.Get(context.WithoutCancel(ctx), id, otter.LoaderFunc[string, *entry](t.load))
}

func (t *Tokens) load(ctx context.Context, id string) (*entry, error) {
	o, err := t.Store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	e := new(entry)
	t.fill(e, o)
	return e, nil
}

// fill makes an entry of o.
func (t *Tokens) fill(e *entry, o Opened) {
	e.Opened, e.spentAt, e.unusable = o, t.spentAt(o), unusable(&o.Account)
}

// spentAt is from when on a credential is to be replaced.
func (t *Tokens) spentAt(o Opened) time.Time {
	if o.Credential.ExpiresAt.IsZero() {
		return time.Time{}
	}
	return o.Credential.ExpiresAt.Add(-t.Store.Schedule.margin(o.AuthID, o.Credential))
}

// choose finds which account of a user at a connection is meant. That there is none is not cached.
func (t *Tokens) choose(ctx context.Context, hostUserID, authID, chosen string) (*entry, error) {
	key := holder{hostUserID, authID}
	entries, ok := t.cache.holders.GetIfPresent(key)
	if !ok {
		var err error
		entries, err = t.cache.holders.Get(context.WithoutCancel(ctx), key, otter.LoaderFunc[holder, []entry](t.loadHolder))
		if err != nil {
			return nil, err
		}
	}
	for i := range entries {
		if e := &entries[i]; chosen == "" || chosen == e.ID || chosen == e.HostID {
			return e, nil
		}
	}
	return nil, ErrNotFound
}

func (t *Tokens) loadHolder(ctx context.Context, h holder) ([]entry, error) {
	opened, err := t.Store.openAll(ctx, h.hostUserID, h.authID)
	if err != nil {
		return nil, err
	}
	if len(opened) == 0 {
		return nil, ErrNotFound
	}
	entries := make([]entry, len(opened))
	for i, o := range opened {
		t.fill(&entries[i], o)
	}
	return entries, nil
}

// chooseFor finds the account that a component uses; where it uses none of this user's at this
// connection, choose has the word. One that it does use is never replaced by another: if it is not
// among the user's, what is cached of either is old, and read once more.
func (t *Tokens) chooseFor(ctx context.Context, hostUserID, authID, componentID string) (*entry, error) {
	for again := false; ; again = true {
		c, err := t.component(ctx, componentID)
		if err != nil {
			return nil, err
		}
		if c.HostUserID != hostUserID || c.AuthID != authID {
			return t.choose(ctx, hostUserID, authID, "")
		}
		e, err := t.choose(ctx, hostUserID, authID, c.AccountID)
		if again || !errors.Is(err, ErrNotFound) {
			return e, err
		}
		t.cache.components.Invalidate(componentID)
		t.cache.holders.Invalidate(holder{hostUserID, authID})
	}
}

// component is what a component uses; the zero Component: nothing.
func (t *Tokens) component(ctx context.Context, id string) (Component, error) {
	if c, ok := t.cache.components.GetIfPresent(id); ok {
		return c, nil
	}
	return t.cache.components.Get(context.WithoutCancel(ctx), id, otter.LoaderFunc[string, Component](t.loadComponent))
}

func (t *Tokens) loadComponent(ctx context.Context, id string) (Component, error) {
	c, err := t.Store.BoundAccount(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return Component{}, nil
	}
	return c, err
}
