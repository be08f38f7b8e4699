// Package registration gets connections the client that their service knows them by, where none is
// configured: it registers one (RFC 7591), keeps it sealed in SQL, renews its secret before that
// expires, tells the service of new redirect URIs, and deletes it (RFC 7592); or all of this in the
// words of MixApp.
//
// What all replicas do is one thing here: look at the row (needs), and if something is to be done,
// do it alone. A lease in Redis says who should; a claim in the row says who may, for Redis can
// forget. Whoever has both reads the row again, asks the service, saves, and only then hands
// anything out. The claim also marks the row as in doubt until the answer is dealt with, so that
// after a crash or a lost answer the next one first asks what the service has.
//
// A dialect (rfc7591.go, mixapp.go) knows the requests. Manager.Client is what a provider asks before
// it speaks as the client; Manager.Run keeps clients current; the commands use the rest.
package registration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"linkgate/database"
	"linkgate/provider"
	"linkgate/secret"
)

const (
	// memoryTime is how long a client is used without a look at its row: a secret that another
	// replica has changed is known everywhere within it, even where Redis carries no word of it.
	memoryTime = time.Second
	// failureTime spares a service that fails, or a database, the clicks of many users.
	failureTime = 30 * time.Second
	blinkTime   = 2 * time.Second
	// workTime is how long it takes at most to get a client, with the wait for others.
	workTime = 25 * time.Second
	// takeOver is how old the claim of one who stays silent must be: older than any work.
	takeOver = workTime + 15*time.Second
	// waitStep is how often those who wait look whether another has done it.
	waitStep = 100 * time.Millisecond
)

// Options configures a Manager.
type Options struct {
	DB          *database.DB
	Keyring     *secret.Keyring
	Redis       redis.UniversalClient // nil: claims in SQL alone, and others learn of changes within memoryTime
	Deps        provider.Deps         // for discovery, and for the addresses and certificates that may be met
	Connections []provider.Connection // those that do not register themselves are left alone
	RedirectURI func(authID string) string
	// Audit notes what was done at a service; nil: nobody does. It is given no secret.
	Audit func(ctx context.Context, name, authID, detail string)
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now, and for claims the database's
}

// Manager keeps the clients of the connections that register themselves.
type Manager struct {
	options Options
	store   store
	http    wire
	name    string // of this process, in claims
	clients map[string]*known
	flight  singleflight.Group
}

// known is a connection with what is remembered of its client.
type known struct {
	conn provider.Connection

	mu      sync.Mutex // guards the rest
	client  provider.Client
	until   time.Time // of client; zero: it must be looked up
	has     bool      // client is one, though perhaps not the latest
	failure error
	again   time.Time // after failure, or after work on a client that is there: not before
	told    bool      // the service knows what this process wants registered
}

// New makes a Manager. It asks nobody.
func New(o Options) *Manager {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Audit == nil {
		o.Audit = func(context.Context, string, string, string) {}
	}
	m := &Manager{
		options: o,
		store:   store{db: o.DB, keyring: o.Keyring, fixed: o.Now},
		http:    wire{transport: provider.NewTransport(o.Deps)},
		name:    uuid.NewString(),
		clients: map[string]*known{},
	}
	for _, c := range o.Connections {
		if c.Registration.On() {
			m.clients[c.AuthID] = &known{conn: c.Clone()}
		}
	}
	return m
}

func (m *Manager) now() time.Time {
	if m.options.Now != nil {
		return m.options.Now()
	}
	return time.Now()
}

// Client is for provider.Deps; nil for a connection that does not register itself.
func (m *Manager) Client(authID string) func(context.Context) (provider.Client, error) {
	k, ok := m.clients[authID]
	if !ok {
		return nil
	}
	return func(ctx context.Context) (provider.Client, error) { return m.client(ctx, k) }
}

// client is the present client: from memory, else from SQL, else registered now. Whoever gives up
// stops waiting; the work goes on for the others.
func (m *Manager) client(ctx context.Context, k *known) (provider.Client, error) {
	if c, err, ok := k.recall(m.now()); ok {
		return c, err
	}
	landed := m.flight.DoChan(k.conn.AuthID, func() (any, error) {
		if c, err, ok := k.recall(m.now()); ok {
			return c, err
		}
		return m.lookUp(context.WithoutCancel(ctx), k)
	})
	select {
	case <-ctx.Done():
		return provider.Client{}, unavailable(opFind, "gave up waiting")
	case result := <-landed:
		c, _ := result.Val.(provider.Client)
		return c, result.Err
	}
}

// lookUp asks SQL, and the service if that is what it takes. A client that is there is used even if
// something is to be done about it and can't be: it may serve for refreshes all the same.
func (m *Manager) lookUp(ctx context.Context, k *known) (provider.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	r, err := m.store.read(ctx, k.conn.AuthID)
	if err != nil {
		return k.failed(m.now(), blinkTime, err)
	}
	switch n := m.needs(k, r); n {
	case nothing:
	case creation, decision:
		if r, err = m.work(ctx, k, m.needs); err != nil {
			return k.failed(m.now(), failureTime, err)
		}
	default:
		if n != renewal || r.expired(m.now()) { // else it is the background's
			r = m.improve(ctx, k, r)
		}
	}
	return k.remember(m.now(), r.client.asProvider()), nil
}

// improve does what is to be done about a client that is there. Where it can't be done the client is
// used as it is, for a while.
func (m *Manager) improve(ctx context.Context, k *known, r row) row {
	if k.rests(m.now()) {
		return r
	}
	better, err := m.work(ctx, k, m.needs)
	if err != nil {
		k.rest(m.now())
		m.options.Log.ErrorContext(ctx, "a client can't be managed, and is used as it is", "auth_id", k.conn.AuthID, "error", err)
		return r
	}
	return better
}

// recall is what memory has: a client, or a failure that is too young to try again.
func (k *known) recall(now time.Time) (provider.Client, error, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Before(k.until) {
		return k.client, nil, true
	}
	if k.failure != nil && now.Before(k.again) {
		return provider.Client{}, k.failure, true
	}
	return provider.Client{}, nil, false
}

func (k *known) remember(now time.Time, c provider.Client) provider.Client {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.client, k.until, k.has, k.failure = c, now.Add(memoryTime), true, nil
	return c
}

// failed keeps the last client in use through weather. One that is gone is not: then err says so.
func (k *known) failed(now time.Time, pause time.Duration, err error) (provider.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.has && errors.Is(err, provider.ErrUnavailable) {
		k.until = now.Add(memoryTime)
		return k.client, nil
	}
	k.has, k.failure, k.again = false, err, now.Add(pause)
	return provider.Client{}, err
}

// forget has the row looked at the next time.
func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until, k.failure, k.again = time.Time{}, nil, time.Time{}
}

func (k *known) rest(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.again = now.Add(failureTime)
}

func (k *known) rests(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return now.Before(k.again)
}

func (k *known) settle() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = true
}

func (k *known) settled() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.told
}

// changed has every replica look at the row, this one too. That the others hear of it is not
// certain; memoryTime is short.
func (m *Manager) changed(ctx context.Context, authID string) {
	if k, ok := m.clients[authID]; ok {
		k.forget()
	}
	m.announce(ctx, authID)
}

// connection finds a connection that registers itself.
func (m *Manager) connection(authID string) (*known, error) {
	k, ok := m.clients[authID]
	if !ok {
		return nil, fmt.Errorf("%q: %w", authID, ErrNoRegistration)
	}
	return k, nil
}
