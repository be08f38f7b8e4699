package linkedaccount_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/linkedaccount"
)

func TestOpen(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		want := linkedaccount.Opened{Account: a, Credential: grant("", "1").Credential}
		if diff := cmp.Diff(want, opened(t, s, a.ID)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		gone := in(t, s, linkedaccount.Unlinked, "gone")
		for _, id := range []string{gone.ID, "acc_x"} {
			if _, err := s.Open(t.Context(), id); !errors.Is(err, linkedaccount.ErrNotFound) {
				t.Errorf("%s: got %v, want ErrNotFound", id, err)
			}
		}
	})
}

// A user's accounts at a connection: those that are live, the one linked last first.
func TestOf(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		now := time.UnixMilli(1_800_000_000_000)
		s.Now = func() time.Time { return now }
		want := []string{}
		for _, subject := range []string{"first", "second", "third"} {
			want = append(want, linked(t, s, subject).ID)
			now = now.Add(time.Second)
		}
		again, _ := link(t, s, grant("second", "2")) // still linking
		now = now.Add(time.Second)
		flag(t, s, want[0])
		saveRefreshed(t, s, opened(t, s, want[2]), "2") // makes it no newer
		for _, elsewhere := range []struct{ user, authID string }{{"user-2", authID}, {user, "9a01"}} {
			_, _, err := s.Link(t.Context(), elsewhere.user, elsewhere.authID, grant("elsewhere", "1"))
			check(t, err)
		}
		in(t, s, linkedaccount.Unlinked, "gone")
		refused, _ := link(t, s, grant("refused", "1"))
		_, err := s.HostRefused(t.Context(), refused.ID, refused.Version)
		check(t, err)

		accounts, err := s.Of(t.Context(), user, authID)
		check(t, err)
		var got []string
		for _, a := range accounts {
			got = append(got, a.ID)
		}
		want = []string{again.ID, want[2], want[0]}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
