package linkedaccount

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/provider"
	"linkgate/secret"
	"linkgate/testservers"
)

const (
	stormAccounts = 1000
	stormLength   = time.Hour
	stormStep     = time.Minute
	stormCallers  = 16 // in each step, beside the background worker
	stormVictims  = 10 // whose grants end after it
)

// badWeather are the faults of a storm: what provider makes of them, a step each, over and over.
// Nil is a minute of sunshine.
func badWeather() []error {
	fault := func(kind error, code string, status int, after time.Duration) error {
		return &provider.Error{Op: opRefresh, Kind: kind, Code: code, Status: status, RetryAfter: after}
	}
	return []error{
		fault(provider.ErrUnavailable, "", 500, 0),
		fault(provider.ErrUnavailable, "", 503, 30*time.Second),
		fault(provider.ErrUnavailable, "", 429, 2*time.Minute),
		fault(provider.ErrUnavailable, "answer makes no sense", 403, 0), // a firewall's page
		nil,
		fault(provider.ErrRefused, "invalid_client", 401, 0),
		fault(provider.ErrUnavailable, "timed out", 0, 0),
		fault(provider.ErrUnavailable, "not sent, for the service keeps failing", 0, 10*time.Second),
	}
}

// TestStorm: an hour of faults over a thousand accounts flags none of them; then the grants of ten
// end, and exactly those are flagged, and the host is told once of each.
func TestStorm(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.db = openTest(t, database.Options{URL: secret.New(testservers.Postgres(t))}) // many writers at once
	proxy := testservers.Proxy(t, f.redis)
	f.redis = proxy.URL()
	c := newClock()
	f.now, f.service.now = c.Now, c.Now
	f.service.life = func() time.Duration { return 15 * time.Minute }
	tokens := f.replica(t)
	s := storm{fixture: f, tokens: tokens, clock: c}
	s.each(func(user string) {
		f.link(t, tokens, user, user, rand.N(15*time.Minute), 15*time.Minute) // so that they end at different times
	})
	for step := range int(stormLength / stormStep) {
		fault := badWeather()[step%len(badWeather())]
		f.service.setFail(func(int) error { return fault })
		if step%7 == 3 {
			proxy.Cut()
		}
		s.minute(t)
		proxy.Restore()
	}
	if flagged := s.flagged(t); len(flagged) > 0 {
		t.Errorf("the storm flagged %d accounts: %v", len(flagged), flagged[0])
	}

	f.service.setFail(nil)
	victims := f.service.endGrants(stormVictims)
	for range int(20 * time.Minute / stormStep) {
		s.minute(t)
	}
	s.each(func(user string) { // those that were left aside as well
		_, err := tokens.For(t.Context(), user, tokenAuth, "")
		if isVictim := slices.Contains(victims, user); errors.Is(err, ErrReauthRequired) != isVictim || !isVictim && err != nil {
			t.Errorf("%s: got %v, its grant has ended: %v", user, err, isVictim)
		}
	})
	flagged := s.flagged(t)
	slices.Sort(flagged)
	slices.Sort(victims)
	if !slices.Equal(flagged, victims) {
		t.Errorf("flagged are %v, want %v", flagged, victims)
	}
	if _, superseded := f.service.counts(); superseded > 0 {
		t.Errorf("%d requests were made with a superseded refresh token", superseded)
	}
	var told, toldOf int
	err := f.db.QueryRowContext(t.Context(), "SELECT count(*), count(DISTINCT account_id) FROM outbox WHERE kind = $1", HostUpdate).Scan(&told, &toldOf)
	if err != nil || told != stormVictims || toldOf != stormVictims {
		t.Errorf("the host is told %d times of %d accounts (%v), want once of each of %d", told, toldOf, err, stormVictims)
	}
}

func stormUser(i int) string { return fmt.Sprintf("user-%d", i) }

// storm is what goes on during it.
type storm struct {
	*fixture
	tokens *Tokens
	clock  *clock
}

// each does something for every user, several at once.
func (s *storm) each(do func(user string)) {
	const workers = 8
	var working sync.WaitGroup
	for w := range workers {
		working.Go(func() {
			for i := w; i < stormAccounts; i += workers {
				do(stormUser(i))
			}
		})
	}
	working.Wait()
}

// minute is one step: callers and the background worker want tokens.
func (s *storm) minute(t *testing.T) {
	t.Helper()
	var calling sync.WaitGroup
	for range 4 {
		calling.Go(func() {
			for range stormCallers / 4 {
				_, _ = s.tokens.For(t.Context(), stormUser(rand.N(stormAccounts)), tokenAuth, "") // whatever comes of it
			}
		})
	}
	slots := newSlots()
	calling.Go(func() {
		for range 2 {
			s.tokens.refreshAhead(t.Context(), slots)
			_ = s.tokens.Wait(t.Context())
		}
	})
	calling.Wait()
	if err := s.tokens.Wait(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.clock.pass(stormStep)
}

// flagged lists the users whose account requires a sign-in.
func (s *storm) flagged(t *testing.T) (users []string) {
	t.Helper()
	records, err := all(t.Context(), s.db, "status NOT IN ('linked')")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Status != ReauthRequired {
			t.Errorf("%s has status %s", r.HostUserID, r.Status)
		}
		users = append(users, r.HostUserID)
	}
	return users
}

// setFail changes how refreshes fail from now on.
func (s *service) setFail(fail func(call int) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// endGrants ends the grants of n subjects and returns whose.
func (s *service) endGrants(n int) (subjects []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for subject := range s.good {
		if len(subjects) == n {
			break
		}
		subjects = append(subjects, subject)
		delete(s.good, subject)
	}
	return subjects
}
