package linkedaccount

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"linkgate/database"
	"linkgate/provider"
	"linkgate/secret"
	"linkgate/testservers"
)

const (
	tokenUser = "user-1"
	tokenAuth = "7f3c"
	tokenLife = time.Hour
)

// service is an external service that rotates refresh tokens and takes the reuse of a superseded one
// for theft. It stands in for provider's client, whose own tests are with a real one.
type service struct {
	before   func()               // when a refresh has arrived
	fail     func(call int) error // instead of doing it
	after    func()               // when it has been done, before the answer
	identify func() error         // nil: the token is good
	now      func() time.Time     // nil: time.Now
	life     func() time.Duration // nil: tokenLife

	mu         sync.Mutex
	serial     int
	good       map[string]string // refresh token by subject
	used       map[string]bool   // superseded refresh tokens
	requests   int
	superseded int // requests with a superseded token
	atWork     int
	mostAtWork int
}

func newService() *service { return &service{good: map[string]string{}, used: map[string]bool{}} }

// grant is what a first sign-in brings.
func (s *service) grant(subject string, issued time.Time, life time.Duration) provider.Grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return provider.Grant{
		Credential: s.issue(subject, issued, life), Scopes: []string{"read"},
		Identity: provider.Identity{Issuer: "https://service.example", Subject: subject, Name: subject},
	}
}

func (s *service) issue(subject string, issued time.Time, life time.Duration) provider.Credential {
	s.serial++
	s.good[subject] = fmt.Sprintf("refresh/%s/%d", subject, s.serial)
	c := provider.Credential{
		AccessToken: secret.New(fmt.Sprintf("access/%s/%d", subject, s.serial)), RefreshToken: secret.New(s.good[subject]), IssuedAt: issued,
	}
	if life != 0 {
		c.ExpiresAt = issued.Add(life)
	}
	return c
}

// Refresh implements provider.Refresher.
func (s *service) Refresh(_ context.Context, c provider.Credential, _ time.Time) (provider.Refreshed, error) {
	s.mu.Lock()
	s.requests++
	call, fail := s.requests, s.fail
	s.atWork++
	s.mostAtWork = max(s.mostAtWork, s.atWork)
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.atWork--; s.mu.Unlock() }()
	if s.before != nil {
		s.before()
	}
	if fail != nil {
		if err := fail(call); err != nil {
			return provider.Refreshed{}, err
		}
	}
	refreshed, err := s.rotate(c.RefreshToken.Reveal())
	if err == nil && s.after != nil {
		s.after()
	}
	return refreshed, err
}

func (s *service) rotate(token string) (provider.Refreshed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for subject, good := range s.good {
		if good != token {
			continue
		}
		s.used[token] = true
		now, life := time.Now, tokenLife
		if s.now != nil {
			now = s.now
		}
		if s.life != nil {
			life = s.life()
		}
		return provider.Refreshed{Credential: s.issue(subject, now(), life)}, nil
	}
	if s.used[token] {
		s.superseded++
	}
	return provider.Refreshed{}, invalidGrant()
}

// Identify implements provider.Identifier.
func (s *service) Identify(context.Context, provider.Credential) (provider.Identity, error) {
	if s.identify == nil {
		return provider.Identity{}, nil
	}
	return provider.Identity{}, s.identify()
}

func (s *service) counts() (requests, superseded int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.superseded
}

// most is how many refreshes were under way at once.
func (s *service) most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mostAtWork
}

func invalidGrant() error {
	return &provider.Error{Op: opRefresh, Kind: provider.ErrInvalidGrant, Code: "invalid_grant", Status: 400}
}

func weather(after time.Duration) error {
	return &provider.Error{Op: opRefresh, Kind: provider.ErrUnavailable, Status: 503, RetryAfter: after}
}

// clock is a time that only moves when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is what Tokens are tested with.
type fixture struct {
	service    *service
	db         *database.DB
	keyring    *secret.Keyring
	redis      string
	now        func() time.Time // nil: time.Now
	connection provider.Connection
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{
		service: newService(), db: openTest(t, database.Options{DataDir: t.TempDir()}), keyring: newKeyring(t),
		redis: testservers.Redis(t), connection: provider.Connection{AuthID: tokenAuth, Name: "Example"},
	}
}

func openTest(t *testing.T, o database.Options) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func newKeyring(t testing.TB) *secret.Keyring {
	t.Helper()
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := secret.OpenKeyring(keyset)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

// replica is Tokens as one more process would have them.
func (f *fixture) replica(t *testing.T) *Tokens {
	t.Helper()
	o, err := redis.ParseURL(f.redis)
	if err != nil {
		t.Fatal(err)
	}
	o.MaxRetries, o.DialerRetries, o.DialTimeout, o.ContextTimeoutEnabled = -1, 1, time.Second, true
	client := redis.NewClient(o)
	connections := map[string]*provider.Provider{
		tokenAuth: {Connection: f.connection, Refresher: f.service, Identifier: f.service},
	}
	tokens := NewTokens(TokensOptions{
		Store:       &Store{DB: f.db, Keyring: f.keyring, Now: f.now, Schedule: ScheduleOf(connections)},
		Connections: connections, Redis: client, Log: slog.New(slog.DiscardHandler), Now: f.now,
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := tokens.Wait(ctx); err != nil {
			t.Error("refreshes are still under way:", err)
		}
		client.Close()
	})
	return tokens
}

func (f *fixture) time() time.Time {
	if f.now != nil {
		return f.now()
	}
	return time.Now()
}

// link links an account whose token was issued so long ago and lives so long in all, and has the
// host answer.
func (f *fixture) link(t *testing.T, tokens *Tokens, user, subject string, age, life time.Duration) Account {
	t.Helper()
	return f.linkGrant(t, tokens, user, f.service.grant(subject, f.time().Add(-age), life))
}

func (f *fixture) linkGrant(t *testing.T, tokens *Tokens, user string, g provider.Grant) Account {
	t.Helper()
	a, _, err := tokens.Store.Link(t.Context(), user, tokenAuth, g)
	if err != nil {
		t.Fatal(err)
	}
	if err := tokens.Store.HostAdded(t.Context(), a.ID, "host-"+a.ID, a.Version); err != nil {
		t.Fatal(err)
	}
	return f.read(t, tokens, a.ID).Account
}

func (f *fixture) read(t *testing.T, tokens *Tokens, id string) *Opened {
	t.Helper()
	o, err := tokens.Store.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return &o
}

func (f *fixture) messages(t *testing.T, accountID, kind string) (n int) {
	t.Helper()
	err := f.db.QueryRowContext(t.Context(), "SELECT count(*) FROM outbox WHERE account_id = $1 AND kind = $2", accountID, kind).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantRequests(t *testing.T, s *service, want int) {
	t.Helper()
	requests, superseded := s.counts()
	if requests != want || superseded != 0 {
		t.Errorf("%d requests, %d with a superseded token; want %d and 0", requests, superseded, want)
	}
}

func wantToken(t *testing.T, o *Opened, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want token %s", err, want)
	}
	if got := o.Credential.AccessToken.Reveal(); got != want {
		t.Errorf("got token %s, want %s", got, want)
	}
}
