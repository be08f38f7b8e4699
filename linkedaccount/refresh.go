package linkedaccount

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"linkgate/database"
	"linkgate/provider"
	"linkgate/retry"
)

// reason is why a credential is replaced.
type reason int

const (
	byCaller    reason = iota // it is about to end, and somebody wants to use it
	byRejection               // the service has answered 401 to it
	byWorker                  // ahead of time
)

const (
	// inDoubt is how long a refresh token is left alone that was sent and whose sender has not said
	// what came of it: it crashed, or was stopped. Sending a token again that the service has
	// replaced can end the grant (RFC 9700 §4.14.2). Where refresh tokens are never replaced, it is
	// no more than a request takes.
	inDoubt         = 2 * time.Minute
	inDoubtHarmless = 15 * time.Second
	// sendWithin is how long after claiming a refresh token may be sent.
	sendWithin = 10 * time.Second

	otherPoll = 50 * time.Millisecond // between looks whether another replica is done
	otherMost = 2 * leaseTime         // how long to wait for it
)

const opRefresh = "refreshing"

// errStillGood: a token that can't be refreshed works, although by its expiry it should not.
var errStillGood = errors.New("the service still takes the token")

// renew replaces the credential of that version, unless somebody has done so. Callers that come at
// once share one refresh. It goes on when a caller leaves, or has waited long enough.
func (t *Tokens) renew(ctx context.Context, id string, version int64, why reason, wait time.Duration) (Opened, error) {
	result := t.flights.DoChan(id, func() (any, error) { return t.flight(id, version, why) })
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	select {
	case r := <-result:
		o, _ := r.Val.(Opened)
		return o, r.Err
	case <-ctx.Done():
		return Opened{}, ctx.Err()
	case <-timeout.C:
		return Opened{}, &provider.Error{Op: opRefresh, Kind: provider.ErrUnavailable, Code: "it takes long", RetryAfter: time.Second}
	}
}

// flight is one refresh, whoever waits for it.
func (t *Tokens) flight(id string, version int64, why reason) (o Opened, err error) {
	t.ongoing.Add(1)
	defer t.ongoing.Add(-1)
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("refreshing panicked with a %T", v) // its value could hold anything
			t.Log.Error("refreshing panicked", "account", id, "stack", string(debug.Stack()))
		}
	}()
	o, err = t.alone(context.Background(), id, version, why)
	t.settle(o, id, err)
	return o, err
}

// settle notes how a refresh went.
func (t *Tokens) settle(o Opened, id string, err error) {
	if err != nil && o.AuthID != "" {
		t.metrics.count(o.AuthID, err)
		t.note(o, err)
	}
	var e *provider.Error
	if !errors.As(err, &e) && !errors.Is(err, errStillGood) {
		t.rests.clear(id)
		return
	}
	rest := t.rests.put(id, err, t.Now())
	switch {
	case errors.Is(err, provider.ErrRefused):
		t.Log.Error("the service refuses to refresh; check the connection's client", "auth_id", o.AuthID, "account", id, "error", err)
	case e != nil:
		t.Log.Warn("refreshing failed", "auth_id", o.AuthID, "account", id, "error", err, "rest", rest)
	}
}

// alone refreshes under the account's lease, or waits for the replica that has it. Without an
// answer from Redis the claim in SQL does: then two replicas may ask for it, and one gets it.
func (t *Tokens) alone(ctx context.Context, id string, version int64, why reason) (Opened, error) {
	for waited := time.Duration(0); ; waited += otherPoll {
		l, err := t.lease(ctx, id)
		if err == nil {
			defer l.release(ctx)
			return t.replace(ctx, id, version, why)
		}
		if !errors.Is(err, errLeased) {
			t.Log.Warn("refreshing without a lease: Redis does not answer", "account", id)
			return t.replace(ctx, id, version, why)
		}
		o, done, err := t.reread(ctx, id, version)
		if err != nil || done {
			return o, err
		}
		if waited >= otherMost {
			return o, doubt()
		}
		time.Sleep(otherPoll)
	}
}

// reread looks at the store whether the credential of that version has been replaced.
func (t *Tokens) reread(ctx context.Context, id string, version int64) (o Opened, done bool, err error) {
	o, err = t.Store.Open(ctx, id)
	if err != nil {
		return Opened{}, false, err
	}
	if err := unusable(&o.Account); err != nil {
		return o, false, err
	}
	spent := t.spentAt(o)
	return o, o.TokenVersion != version && (spent.IsZero() || t.Now().Before(spent)), nil
}

// replace refreshes, tells the four kinds of failure apart, and saves before anybody gets to use
// what came. That the service calls the grant invalid counts when it says so again of what the
// store holds then: the first time the token may have been one that another has just replaced.
func (t *Tokens) replace(ctx context.Context, id string, version int64, why reason) (Opened, error) {
	var refused int64 // the version that the service has called invalid
	for {
		o, done, err := t.reread(ctx, id, version)
		if err != nil || done {
			return o, err
		}
		refreshed, err := t.send(ctx, o)
		switch {
		case err == nil:
			return t.save(ctx, o, refreshed, why)
		case errors.Is(err, errOvertaken):
		case errors.Is(err, provider.ErrInvalidGrant) && refused == o.TokenVersion:
			return t.requireReauth(ctx, o, err)
		case errors.Is(err, provider.ErrInvalidGrant):
			refused = o.TokenVersion
		case errors.Is(err, provider.ErrUnsupported):
			return t.examine(ctx, o)
		default:
			return o, err
		}
	}
}

// send claims the refresh token and sends it once. errOvertaken: it has been replaced meanwhile.
func (t *Tokens) send(ctx context.Context, o Opened) (provider.Refreshed, error) {
	p, ok := t.Connections[o.AuthID]
	if !ok || p.Refresher == nil || !p.Connection.CanRefresh(o.Credential) {
		return provider.Refreshed{}, &provider.Error{Op: opRefresh, Kind: provider.ErrUnsupported}
	}
	takeOver := inDoubt
	if !p.Connection.Rotates() {
		takeOver = inDoubtHarmless
	}
	by := uuid.NewString()
	claimed, err := t.Store.claim(ctx, o, by, takeOver)
	if err != nil {
		t.unclaim(ctx, o.ID, by) // it may have been written all the same
		return provider.Refreshed{}, err
	}
	if !claimed {
		return provider.Refreshed{}, t.unclaimed(ctx, o)
	}
	refreshed, err := p.Refresher.Refresh(ctx, o.Credential, time.Now().Add(sendWithin))
	if err != nil {
		t.unclaim(ctx, o.ID, by)
	}
	return refreshed, err
}

// unclaimed tells why a claim was not had.
func (t *Tokens) unclaimed(ctx context.Context, o Opened) error {
	now, err := t.Store.Open(ctx, o.ID)
	switch {
	case err != nil:
		return err
	case now.TokenVersion != o.TokenVersion || now.Status != o.Status:
		return errOvertaken
	}
	return doubt()
}

// unclaim lets others try. Where it does not succeed at once it goes on aside: until it has, nobody
// may, for as long as a claim is in doubt.
func (t *Tokens) unclaim(ctx context.Context, id, by string) {
	if t.Store.unclaim(ctx, id, by) == nil {
		return
	}
	t.ongoing.Add(1)
	go func() {
		defer t.ongoing.Add(-1)
		ctx, cancel := context.WithTimeout(ctx, inDoubt)
		defer cancel()
		if err := retry.Persist(ctx, func() error { return t.Store.unclaim(ctx, id, by) }); err != nil {
			t.Log.Warn("giving a refresh up; it can be tried again in a while", "account", id, "error", err, "in", inDoubt)
		}
	}()
}

// save keeps trying until the refreshed credential is saved: until then nobody uses it, and the
// lease and the claim keep others from refreshing with the token that it has replaced.
func (t *Tokens) save(ctx context.Context, o Opened, refreshed provider.Refreshed, why reason) (saved Opened, err error) {
	complained := false
	_ = retry.Persist(ctx, func() error {
		saved, err = t.Store.saveRefreshed(ctx, o, refreshed, t.ShareTokens, why != byWorker)
		if errors.Is(err, errOvertaken) || errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil && !complained {
			complained = true
			t.Log.Error("a refreshed credential can't be saved; trying on, and nobody gets it until then", "account", o.ID, "error", err)
		}
		return err
	})
	if errors.Is(err, errOvertaken) { // linked again meanwhile, or saved by a try whose answer was lost
		saved, err = t.Store.Open(ctx, o.ID)
	} else {
		t.metrics.count(o.AuthID, err)
	}
	if err == nil {
		err = unusable(&saved.Account) // taken back meanwhile
	}
	return saved, err
}

// examine is for what can't be refreshed: the service is asked whether it still takes the token.
func (t *Tokens) examine(ctx context.Context, o Opened) (Opened, error) {
	p, ok := t.Connections[o.AuthID]
	if !ok || p.Identifier == nil {
		return o, ErrReauthRequired
	}
	_, err := p.Identifier.Identify(ctx, o.Credential)
	switch {
	case err == nil:
		return o, errStillGood
	case errors.Is(err, provider.ErrInvalidGrant):
		return t.requireReauth(ctx, o, err)
	}
	return o, err
}

// requireReauth records that only the user can mend it, and promises to tell the host.
func (t *Tokens) requireReauth(ctx context.Context, o Opened, why error) (Opened, error) {
	flagged, err := t.Store.RequireReauth(ctx, o)
	if err != nil {
		return o, err
	}
	if !flagged {
		now, done, err := t.reread(ctx, o.ID, o.TokenVersion)
		if err == nil && !done {
			err = doubt()
		}
		return now, err
	}
	t.Log.Warn("the user must sign in again", "auth_id", o.AuthID, "account", o.ID, "error", why)
	err = t.Store.Audit(ctx, Event{
		Name: "reauth_required", HostUserID: o.HostUserID, AuthID: o.AuthID, AccountID: o.ID, Detail: why.Error(),
	})
	if err != nil && !database.IsUnavailable(err) {
		t.Log.Error("writing audit entry", "account", o.ID, "error", err)
	}
	return Opened{Account: o.Account}, ErrReauthRequired
}
