package registration

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"linkgate/provider"
)

const (
	checkEvery = time.Minute      // a look at a row with which all is well
	retryEvery = 30 * time.Second // after a failure
	soonest    = time.Second
)

// Run registers what is not registered yet, tells services of what has changed, and renews secrets
// ahead of their end, until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	var all sync.WaitGroup
	if m.options.Redis != nil && len(m.clients) > 0 {
		all.Go(func() { m.listen(ctx) })
	}
	for _, k := range m.clients {
		all.Go(func() { m.watch(ctx, k) })
	}
	all.Wait()
}

// watch looks after one connection's client.
func (m *Manager) watch(ctx context.Context, k *known) {
	for ctx.Err() == nil {
		next := checkEvery
		r, err := m.pass(ctx, k)
		switch at := renewalAt(r); {
		case err != nil && ctx.Err() == nil:
			next = retryEvery
			m.options.Log.ErrorContext(ctx, "a client can't be registered or managed", "auth_id", k.conn.AuthID, "error", err)
		case at.After(m.now()): // else it was renewed for too short a time to keep up with
			next = min(next, max(at.Sub(m.now()), soonest))
		}
		// Spread out, so that replicas do not come at the same time.
		pause(ctx, next*3/4+rand.N(next/2))
	}
}

// pass does whatever is to be done about one connection's client.
func (m *Manager) pass(ctx context.Context, k *known) (row, error) {
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	r, err := m.store.read(ctx, k.conn.AuthID)
	if err != nil {
		return row{}, err
	}
	switch m.needs(k, r) {
	case nothing:
	case decision:
		if !r.removedAt.IsZero() {
			return r, nil // as the operator wants it
		}
		return r, m.undecided(r)
	default:
		if r, err = m.work(ctx, k, m.needs); err != nil {
			return r, err
		}
	}
	if r.exists() && r.fingerprint == m.app(k.conn).fingerprint {
		k.settle() // from now on a replica with another configuration is a later one
	}
	return r, m.store.reseal(ctx, r)
}

// Registration is what may be shown of a client.
type Registration struct {
	AuthID          string
	Name            string // of the connection
	Dialect         string
	ClientID        string // empty: none is registered
	RedirectURI     string // as the service knows it
	IssuedAt        time.Time
	SecretExpiresAt time.Time // zero: never
	Managed         bool      // the service can be asked to change and to delete it
	Removed         bool      // it was deleted, and the server does not register another by itself
	Outdated        bool      // the service does not know the present configuration yet
}

func (m *Manager) shown(k *known, r row) Registration {
	mixapp := k.conn.Registration.Dialect == provider.DialectMixApp
	dialect := provider.DialectRFC7591
	if mixapp {
		dialect = provider.DialectMixApp
	}
	return Registration{
		AuthID: k.conn.AuthID, Name: k.conn.Name, Dialect: dialect, ClientID: r.client.ID, RedirectURI: r.redirectURI,
		IssuedAt: r.issuedAt, SecretExpiresAt: r.client.ExpiresAt, Managed: r.exists() && (mixapp || r.client.managed()),
		Removed: !r.removedAt.IsZero(), Outdated: r.exists() && r.fingerprint != m.app(k.conn).fingerprint,
	}
}
