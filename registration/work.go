package registration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"linkgate/database"
	"linkgate/provider"
)

// need is what is to be done about a row.
type need int

const (
	nothing  need = iota
	creation      // there is no client
	recovery      // the service was asked, and nobody knows what it did
	change        // the service knows another redirect URI, other scopes or metadata
	renewal       // the secret is about to expire
	decision      // the operator's
)

// needs says what is to be done about a connection's row.
func (m *Manager) needs(k *known, r row) need {
	app := m.app(k.conn)
	switch {
	case !r.removedAt.IsZero(), r.exists() && r.service != app.service:
		return decision
	case !r.exists():
		return creation
	case r.inDoubt && r.claimedBy == "": // else whoever has claimed it deals with it
		return recovery
	case r.fingerprint != app.fingerprint && !k.settled():
		return change
	case m.dueForRenewal(r):
		return renewal
	}
	return nothing
}

// renewalAt is when the row's secret is to be renewed, after two thirds of its life; zero: never.
func renewalAt(r row) time.Time {
	if r.client.ExpiresAt.IsZero() {
		return time.Time{}
	}
	return r.issuedAt.Add(r.client.ExpiresAt.Sub(r.issuedAt) / 3 * 2)
}

func (m *Manager) dueForRenewal(r row) bool {
	at := renewalAt(r)
	return !at.IsZero() && !m.now().Before(at)
}

// wish chooses what is to be done about a row that we have for ourselves.
type wish func(k *known, r row) need

// work has the row for itself and does what is wished, until nothing is. It returns the row as it is
// then, or where it fails, as it was before.
func (m *Manager) work(ctx context.Context, k *known, w wish) (row, error) {
	for {
		r, done, err := m.attempt(ctx, k, w)
		if done || err != nil {
			return r, err
		}
		if !pause(ctx, waitStep/2+rand.N(waitStep)) {
			return r, unavailable(opFind, "another replica is at it")
		}
	}
}

// attempt does one step. done is false when somebody else has the row, or more may be to be done.
func (m *Manager) attempt(ctx context.Context, k *known, w wish) (r row, done bool, err error) {
	n := nothing
	had, err := m.hold(ctx, k, func(ctx context.Context, held row, by string) error {
		n = w(k, held)
		r = held
		after, err := m.step(ctx, k, held, n, by)
		if err == nil {
			r = after
		}
		return err
	})
	if err != nil || !had {
		return r, had, err
	}
	return r, n != recovery && n != change, nil
}

// exclusively runs fn on a row that nobody else is at, once it can be had.
func (m *Manager) exclusively(ctx context.Context, k *known, fn func(ctx context.Context, held row, by string) error) error {
	for {
		had, err := m.hold(ctx, k, fn)
		if had || err != nil {
			return err
		}
		if !pause(ctx, waitStep/2+rand.N(waitStep)) {
			return unavailable(opFind, "another replica is at it")
		}
	}
}

// hold runs fn to its end on the row if it can be had at this moment, with the name it is claimed by. When fn
// has not saved anything, the row is given back as it was: in doubt if it was, or if it is by now.
func (m *Manager) hold(ctx context.Context, k *known, fn func(ctx context.Context, held row, by string) error) (had bool, err error) {
	release, err := m.lease(ctx, k.conn.AuthID)
	if errors.Is(err, errLeased) {
		return false, nil
	}
	defer release()
	by := uuid.NewString()
	held, claimed, err := m.store.claim(ctx, k.conn.AuthID, by)
	if err != nil || !claimed {
		return false, err
	}
	held.claimedBy = "" // whoever had claimed it is silent
	err = m.finish(ctx, func(ctx context.Context) error { return fn(ctx, held, by) })
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	_ = m.store.unclaim(ctx, held.authID, by, held.inDoubt || isUncertain(err)) // errOvertaken after a save
	return true, err
}

// finish does what must not be cut off halfway, not even by the end of the program: a request whose
// answer nobody reads leaves the row in doubt.
func (m *Manager) finish(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workTime)
	defer cancel()
	return fn(ctx)
}

// step does one thing about a row that is claimed by by, and saves what came of it.
func (m *Manager) step(ctx context.Context, k *known, held row, n need, by string) (row, error) {
	app := m.app(k.conn)
	speak := m.dialect(k.conn)
	event, got := "", client{}
	var err error
	switch n {
	case nothing:
		return held, nil
	case decision:
		return row{}, m.undecided(held)
	case creation:
		event = "client.registered"
		if got, err = speak.find(ctx, app); err == nil {
			event = "client.recovered"
		} else if errors.Is(err, errGone) {
			got, err = speak.register(ctx, app)
		}
	case recovery:
		event = "client.recovered"
		got, err = speak.read(ctx, held.client)
	case change:
		event = "client.updated"
		got, err = speak.update(ctx, app, held.client)
	case renewal:
		event = "client.secret_rotated"
		got, err = speak.rotate(ctx, app, held.client)
	}
	if err != nil {
		return row{}, m.explain(n, k, err)
	}
	after := m.after(app, held, got, n)
	if err := m.keep(ctx, after, by); err != nil {
		if n == creation && !isUncertain(err) { // else it may have been saved
			m.withdraw(ctx, k, got)
		}
		return row{}, err
	}
	if n == change {
		k.settle()
	}
	m.tell(ctx, event, after)
	return after, nil
}

// after is the row with what the service gave.
func (m *Manager) after(app app, held row, got client, n need) row {
	r := held
	r.client, r.service, r.inDoubt = got, app.service, false
	if n == creation || !got.Secret.Equal(held.client.Secret) || !got.ExpiresAt.Equal(held.client.ExpiresAt) {
		r.issuedAt = m.now()
	}
	if n != recovery {
		r.redirectURI, r.fingerprint = app.redirectURI, app.fingerprint
	}
	return r
}

// undecided says why nothing is done by itself.
func (m *Manager) undecided(r row) error {
	refuse := func(code, remedy string) error {
		return &Error{Cause: &provider.Error{Op: opFind, Kind: provider.ErrRefused, Code: code}, Remedy: remedy}
	}
	if !r.removedAt.IsZero() {
		return refuse("the client was deleted", "`linkgate clients register "+r.authID+"` registers another.")
	}
	return refuse("the client is another service's", "The connection's service has changed since. Put the old one back and "+
		"delete its client with `linkgate clients delete "+r.authID+"`, or forget it with --forget; then `linkgate clients register` makes one at the new service.")
}

// explain notes what a failure means to the connection.
func (m *Manager) explain(n need, k *known, err error) error {
	if n == change && (errors.Is(err, provider.ErrUnsupported) || errors.Is(err, provider.ErrRefused)) {
		k.settle() // trying again is no use until the next start
	}
	return err
}

const (
	saveTime  = 10 * time.Second
	saveTries = 5
)

// keep saves what the service gave, whoever waits for it: a client that is lost here can't be used
// or managed by anybody.
func (m *Manager) keep(ctx context.Context, r row, by string) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	for try := range saveTries {
		err = m.store.save(ctx, r, by)
		if err == nil || !database.IsUnavailable(err) && !errors.Is(err, errOvertaken) {
			return err
		}
		saved, readErr := m.store.read(ctx, r.authID) // the commit's answer may have been lost
		if readErr == nil && saved.version > r.version {
			if saved.client.ID == r.client.ID && saved.client.Secret.Equal(r.client.Secret) {
				return nil
			}
			return err
		}
		if !pause(ctx, time.Duration(try+1)*waitStep) {
			break
		}
	}
	return asUnavailable(err)
}

// withdraw deletes a client that could not be saved.
func (m *Manager) withdraw(ctx context.Context, k *known, c client) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	if err := m.dialect(k.conn).remove(ctx, c); err != nil {
		m.options.Log.WarnContext(ctx, "a client was registered, could not be saved, and is left at the service",
			"auth_id", k.conn.AuthID, "client_id", c.ID, "error", err)
	}
}

// tell notes what was done, and has all replicas use it.
func (m *Manager) tell(ctx context.Context, event string, r row) {
	m.options.Audit(ctx, event, r.authID, fmt.Sprintf("client %s", r.client.ID))
	m.options.Log.InfoContext(ctx, "a client was registered or changed", "event", event, "auth_id", r.authID, "client_id", r.client.ID)
	m.changed(ctx, r.authID)
}

// pause waits for d; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
