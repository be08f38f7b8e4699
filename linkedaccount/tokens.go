package linkedaccount

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"linkgate/provider"
)

// ErrReauthRequired: the user must sign in at the service again. Other errors of Tokens are
// ErrNotFound, or wrap one of provider's (ErrRefused: the operator must look; ErrUnavailable:
// weather), or tell that the database does not answer (database.IsUnavailable).
var ErrReauthRequired = errors.New("the user must sign in at the service again")

// How long a caller waits for a refresh. The refresh goes on without it.
const (
	patience      = 15 * time.Second // when there is nothing else to give
	earlyPatience = time.Second      // while the old token is still valid
)

// Tokens gives credentials that are fresh: from a cache (cache.go), else from the store, and
// refreshed when they are about to end (refresh.go) by one caller of one replica (lease.go). Run
// refreshes ahead of time (worker.go) and listens to what other replicas change (changes.go).
// Make one with NewTokens.
//
// What they give is what the cache holds, and shared: nobody changes it.
type Tokens struct {
	TokensOptions
	cache   *cache
	changes *changes
	rests   *rests
	touched touched
	flights singleflight.Group
	ongoing atomic.Int64 // refreshes under way
	metrics *metrics
}

// TokensOptions is what Tokens needs.
type TokensOptions struct {
	Store       *Store
	Connections map[string]*provider.Provider // by auth id
	Redis       redis.UniversalClient         // leases, and word of changes to other replicas
	ShareTokens bool                          // the host gets the tokens: HOST_SHARE_TOKENS
	Log         *slog.Logger
	Now         func() time.Time // nil: time.Now
}

// NewTokens makes Tokens, and has the store tell them of every change.
func NewTokens(o TokensOptions) *Tokens {
	if o.Now == nil {
		o.Now = time.Now
	}
	t := &Tokens{TokensOptions: o, cache: newCache(), changes: newChanges(o.Redis, o.Log), rests: newRests(), metrics: newMetrics()}
	o.Store.Changed, o.Store.Rebound = t.changed, t.rebound
	return t
}

// ScheduleOf is when the accounts of these connections are to be refreshed ahead of time.
func ScheduleOf(connections map[string]*provider.Provider) Schedule {
	s := Schedule{}
	for authID, p := range connections {
		if p.Refresher != nil {
			s[authID] = p.Connection
		}
	}
	return s
}

// changed drops what is cached of an account, here at once and at the other replicas as soon as
// they hear of it.
func (t *Tokens) changed(a Account) {
	t.forget(change{ID: a.ID, HostUserID: a.HostUserID, AuthID: a.AuthID})
}

// rebound is changed for the account that a component uses.
func (t *Tokens) rebound(componentID string) { t.forget(change{Component: componentID}) }

func (t *Tokens) forget(ch change) {
	t.cache.drop(ch)
	t.changes.announce(ch)
}

// For gives the fresh credential of a user's account at a connection: the account that chosen names
// by our id or the host's; else the only one; else the one that was linked last. With
// ErrReauthRequired it says which account that is.
func (t *Tokens) For(ctx context.Context, hostUserID, authID, chosen string) (*Opened, error) {
	e, err := t.choose(ctx, hostUserID, authID, chosen)
	if err != nil {
		return nil, err
	}
	return t.fresh(ctx, e)
}

// ForComponent is For with the account that a component uses, where that is this user's and at this
// connection.
func (t *Tokens) ForComponent(ctx context.Context, hostUserID, authID, componentID string) (*Opened, error) {
	e, err := t.chooseFor(ctx, hostUserID, authID, componentID)
	if err != nil {
		return nil, err
	}
	return t.fresh(ctx, e)
}

// ByIDFor is ByID for a credential that is to last for minValid. It is refreshed when it doesn't, if
// the service's last so long; a caller waits for that, and gets the old one where it can't be had.
// How long what it gets lasts is in its ExpiresAt.
func (t *Tokens) ByIDFor(ctx context.Context, id string, minValid time.Duration) (*Opened, error) {
	e, err := t.entry(ctx, id)
	if err != nil {
		return nil, err
	}
	if now := t.Now(); e.unusable == nil && t.isTooShort(&e.Opened, minValid, now) {
		t.touch(e, now)
		return t.renewed(ctx, e, now, patience)
	}
	return t.fresh(ctx, e)
}

// isTooShort tells whether a credential does not last for minValid, and another could. What is so
// young that another would hardly last longer is good enough.
func (t *Tokens) isTooShort(o *Opened, minValid time.Duration, now time.Time) bool {
	c := o.Credential
	if c.ExpiresAt.IsZero() || !c.ExpiresAt.Before(now.Add(minValid)) || t.isYoung(c, now) {
		return false
	}
	p, known := t.Connections[o.AuthID]
	life := lifeOf(c)
	return known && p.Refresher != nil && p.Connection.CanRefresh(c) && (life == 0 || life >= minValid)
}

// ByID gives the fresh credential of an account.
func (t *Tokens) ByID(ctx context.Context, id string) (*Opened, error) {
	e, err := t.entry(ctx, id)
	if err != nil {
		return nil, err
	}
	return t.fresh(ctx, e)
}

// fresh gives what is in an entry, or what has to take its place.
func (t *Tokens) fresh(ctx context.Context, e *entry) (*Opened, error) {
	if e.unusable != nil {
		return &Opened{Account: e.Account}, e.unusable
	}
	now := t.Now()
	t.touch(e, now)
	if e.spentAt.IsZero() || now.Before(e.spentAt) {
		return &e.Opened, nil
	}
	return t.renewed(ctx, e, now, earlyPatience)
}

// unusable tells why no calls may be made as the account; nil: they may.
func unusable(a *Account) error {
	if a.usable() {
		return nil
	}
	if a.Status == ReauthRequired {
		return ErrReauthRequired
	}
	return ErrNotFound
}

// renewed gives a credential in place of one that is about to end. While the old one lasts, a
// refresh that fails or takes longer than early hurts nobody.
func (t *Tokens) renewed(ctx context.Context, e *entry, now time.Time, early time.Duration) (*Opened, error) {
	valid := now.Before(e.Credential.ExpiresAt)
	if err := t.rests.of(e.ID, now); err != nil {
		if valid || errors.Is(err, errStillGood) {
			return &e.Opened, nil
		}
		return &Opened{Account: e.Account}, err
	}
	wait := patience
	if valid {
		wait = early
	}
	o, err := t.renew(ctx, e.ID, e.TokenVersion, byCaller, wait)
	if errors.Is(err, errStillGood) {
		return &e.Opened, nil
	}
	if err != nil && valid && !errors.Is(err, ErrReauthRequired) && !errors.Is(err, ErrNotFound) && ctx.Err() == nil {
		return &e.Opened, nil
	}
	if err != nil {
		return &Opened{Account: e.Account}, err
	}
	return &o, nil
}

// unblamed is the age up to which a credential can't be to blame for a 401: it was good a moment
// ago, so the service refuses something else, and would be asked for a new one with every call.
const unblamed = time.Minute

// Rejected gives another credential in place of o's, which the service has just answered with 401:
// the one that somebody has put there since, or a refreshed one. Where o is so young that its
// credential can't be to blame, or where a new one can't be had now, it gives o.
// ErrReauthRequired: the user must sign in again.
func (t *Tokens) Rejected(ctx context.Context, o *Opened) (*Opened, error) {
	e, err := t.entry(ctx, o.ID)
	if err != nil {
		return o, nil //nolint:nilerr // the service's 401 is answer enough
	}
	if e.unusable != nil {
		return &Opened{Account: e.Account}, e.unusable
	}
	if e.TokenVersion != o.TokenVersion {
		return &e.Opened, nil
	}
	now := t.Now()
	if t.isYoung(o.Credential, now) || t.rests.of(o.ID, now) != nil {
		return o, nil //nolint:nilerr // as above
	}
	replacement, err := t.renew(ctx, o.ID, o.TokenVersion, byRejection, patience)
	switch {
	case errors.Is(err, ErrReauthRequired), errors.Is(err, ErrNotFound):
		return &Opened{Account: e.Account}, err
	case err != nil:
		return o, nil //nolint:nilerr // as above
	}
	return &replacement, nil
}

func (t *Tokens) isYoung(c provider.Credential, now time.Time) bool {
	most := unblamed
	if life := lifeOf(c); life > 0 {
		most = min(most, life/2)
	}
	return !c.IssuedAt.IsZero() && now.Sub(c.IssuedAt) < most
}

// Wait returns when no refresh is under way here; or when ctx ends, and then what a service has
// answered may be lost.
func (t *Tokens) Wait(ctx context.Context) error {
	for t.ongoing.Load() > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(waitPoll):
		}
	}
	return nil
}

const waitPoll = 20 * time.Millisecond
