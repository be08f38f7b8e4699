package linkedaccount

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	// cacheTime is how long a replica may go on using what another has changed, when it does not
	// hear of the change.
	cacheTime = 5 * time.Second
	cacheMost = 10_000 // accounts, and users at a connection
)

// cache holds opened credentials for seconds, so that a call costs neither SQL nor Redis.
type cache struct {
	accounts *otter.Cache[string, *entry]
	choices  *otter.Cache[holder, []choice]
}

// entry is an opened account, with what is worked out once.
type entry struct {
	Opened
	spentAt time.Time    // from when on it is to be replaced; zero: it has no end that is known
	touched atomic.Int64 // unix seconds of the last use that was noted
}

// holder is a user at a connection.
type holder struct{ hostUserID, authID string }

// choice is what tells an account from the others of its holder.
type choice struct{ id, hostID string }

func newCache() *cache {
	return &cache{
		accounts: otter.Must(&otter.Options[string, *entry]{
			MaximumSize: cacheMost, ExpiryCalculator: otter.ExpiryWriting[string, *entry](cacheTime),
		}),
		choices: otter.Must(&otter.Options[holder, []choice]{
			MaximumSize: cacheMost, ExpiryCalculator: otter.ExpiryWriting[holder, []choice](cacheTime),
		}),
	}
}

// drop forgets an account. What is being read at this moment is not kept either.
func (c *cache) drop(ch change) {
	c.accounts.Invalidate(ch.ID)
	c.choices.Invalidate(holder{ch.HostUserID, ch.AuthID})
}

func (c *cache) dropAll() {
	c.accounts.InvalidateAll()
	c.choices.InvalidateAll()
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
	return &entry{Opened: o, spentAt: t.spentAt(o)}, nil
}

// spentAt is from when on a credential is to be replaced.
func (t *Tokens) spentAt(o Opened) time.Time {
	if o.Credential.ExpiresAt.IsZero() {
		return time.Time{}
	}
	return o.Credential.ExpiresAt.Add(-t.Store.Schedule.margin(o.AuthID, o.Credential))
}

// choose finds which account of a user at a connection is meant. That there is none is not cached.
func (t *Tokens) choose(ctx context.Context, hostUserID, authID, chosen string) (id string, err error) {
	key := holder{hostUserID, authID}
	choices, ok := t.cache.choices.GetIfPresent(key)
	if !ok {
		choices, err = t.cache.choices.Get(context.WithoutCancel(ctx), key, otter.LoaderFunc[holder, []choice](t.loadChoices))
		if err != nil {
			return "", err
		}
	}
	for _, c := range choices {
		if chosen == "" || chosen == c.id || chosen == c.hostID {
			return c.id, nil
		}
	}
	return "", ErrNotFound
}

func (t *Tokens) loadChoices(ctx context.Context, h holder) ([]choice, error) {
	accounts, err := t.Store.Of(ctx, h.hostUserID, h.authID)
	if err != nil {
		return nil, err
	}
	if len(accounts) == 0 {
		return nil, ErrNotFound
	}
	choices := make([]choice, len(accounts))
	for i, a := range accounts {
		choices[i] = choice{a.ID, a.HostID}
	}
	return choices, nil
}
