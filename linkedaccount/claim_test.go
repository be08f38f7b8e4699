package linkedaccount_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/linkedaccount"
	"linkgate/secret"
)

func wantClaim(t *testing.T, s *linkedaccount.Store, o linkedaccount.Opened, by string, takeOver time.Duration, want bool) {
	t.Helper()
	if got, err := s.Claim(t.Context(), o, by, takeOver); got != want || err != nil {
		t.Errorf("claim by %s: %v, %v, want %v", by, got, err, want)
	}
}

func TestClaim(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		now := time.UnixMilli(1_800_000_000_000)
		s.Now = func() time.Time { return now }
		o := opened(t, s, linked(t, s, "octocat").ID)
		wantClaim(t, s, o, "one", time.Minute, true)
		now = now.Add(time.Minute)
		wantClaim(t, s, o, "two", time.Minute, false)
		now = now.Add(time.Millisecond)
		wantClaim(t, s, o, "two", time.Minute, true)

		check(t, s.Unclaim(t.Context(), o.ID, "one")) // it is another's by now
		wantClaim(t, s, o, "three", time.Minute, false)
		check(t, s.Unclaim(t.Context(), o.ID, "two"))
		wantClaim(t, s, o, "three", time.Minute, true)

		if got := opened(t, s, o.ID); got.Version != o.Version {
			t.Errorf("version %d, want it to stay %d", got.Version, o.Version)
		}
	})
}

// Without a clock of its own, the store compares claims by the database's.
func TestClaimByTheDatabasesClock(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		o := opened(t, s, linked(t, s, "octocat").ID)
		wantClaim(t, s, o, "one", time.Hour, true)
		wantClaim(t, s, o, "two", time.Hour, false)
		wantClaim(t, s, o, "two", -time.Hour, true) // an hour later
	})
}

// A credential that has been replaced, or is worth nothing, or is being taken back is not refreshed.
func TestClaimOfWhatHasChanged(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		for name, change := range map[string]func(linkedaccount.Opened){
			"refreshed":    func(o linkedaccount.Opened) { saveRefreshed(t, s, o, "2") },
			"linked again": func(o linkedaccount.Opened) { link(t, s, grant(o.Identity.Subject, "2")) },
			"flagged":      func(o linkedaccount.Opened) { flag(t, s, o.ID) },
			"unlinking": func(o linkedaccount.Opened) {
				_, _, err := s.Unlink(t.Context(), o.ID)
				check(t, err)
			},
			"refused": func(o linkedaccount.Opened) {
				_, err := s.HostRefused(t.Context(), o.ID, o.Version)
				check(t, err)
			},
		} {
			t.Run(name, func(t *testing.T) {
				a, _ := link(t, s, grant(name, "1"))
				o := opened(t, s, a.ID)
				wantClaim(t, s, o, "one", -time.Hour, true) // linking is no hindrance
				change(o)
				wantClaim(t, s, o, "two", -time.Hour, false)
			})
		}
	})
}

// A claim goes with the credential that it is of.
func TestClaimEnds(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		for name, change := range map[string]func(linkedaccount.Opened){
			"refreshed":    func(o linkedaccount.Opened) { saveRefreshed(t, s, o, "2") },
			"linked again": func(o linkedaccount.Opened) { link(t, s, grant(o.Identity.Subject, "2")) },
			"flagged, linked again": func(o linkedaccount.Opened) {
				flag(t, s, o.ID)
				link(t, s, grant(o.Identity.Subject, "2"))
			},
		} {
			t.Run(name, func(t *testing.T) {
				o := opened(t, s, linked(t, s, name).ID)
				wantClaim(t, s, o, "one", time.Hour, true)
				change(o)
				wantClaim(t, s, opened(t, s, o.ID), "two", time.Hour, true)
			})
		}
	})
}

// Replicas that want the same refresh: one gets it.
func TestClaimAtOnce(t *testing.T) {
	keyset, err := secret.NewKeyset()
	check(t, err)
	keyring, err := secret.OpenKeyring(keyset)
	check(t, err)
	databasetest.EachOptions(t, func(t *testing.T, o database.Options) {
		var replicas []*linkedaccount.Store
		for range 2 {
			replicas = append(replicas, &linkedaccount.Store{DB: databasetest.Open(t, o), Keyring: keyring})
		}
		account := opened(t, replicas[0], linked(t, replicas[0], "octocat").ID)
		var claims atomic.Int64
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				claimed, err := replicas[i%2].Claim(t.Context(), account, string(rune('a'+i)), time.Hour)
				if err != nil {
					t.Error(err)
				}
				if claimed {
					claims.Add(1)
				}
			})
		}
		wg.Wait()
		if got := claims.Load(); got != 1 {
			t.Errorf("%d claims, want 1", got)
		}
	})
}
