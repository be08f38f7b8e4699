package oauthstate_test

import (
	"testing"
	"time"

	"linkgate/oauthstate"
)

// TestEndAll: a user's sessions that were begun before, or so soon after that clocks could mistake it,
// are ended; later ones and those of others are not.
func TestEndAll(t *testing.T) {
	onBoth(t, func(t *testing.T, s *oauthstate.Store) {
		if err := s.EndAll(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			user  string
			begun time.Duration // from now
			want  bool
		}{
			{"ada", -time.Minute, true}, {"ada", 0, true}, {"ada", time.Minute, false}, {"grace", -time.Minute, false},
		} {
			session := newSession()
			session.HostUserID, session.CreatedAt = test.user, time.Now().Add(test.begun)
			if got, err := s.Ended(t.Context(), session); err != nil || got != test.want {
				t.Errorf("%s's session of %v: got %v, %v; want %v", test.user, test.begun, got, err, test.want)
			}
		}
		key := "linkgate:ended:" + oauthstate.Hash("ada")
		if left := s.Redis.PTTL(t.Context(), key).Val(); left <= oauthstate.LongestLife {
			t.Errorf("it is remembered for %v, want longer than a session lives", left)
		}
	})
}
