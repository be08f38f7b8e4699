package linkedaccount_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/linkedaccount"
)

func bind(t *testing.T, s *linkedaccount.Store, component string, a linkedaccount.Account) linkedaccount.Component {
	t.Helper()
	c, err := s.Bind(t.Context(), component, a.HostUserID, a.ID)
	check(t, err)
	return c
}

func componentsOf(t *testing.T, s *linkedaccount.Store, accountID, after string, limit int) (ids []string) {
	t.Helper()
	found, err := s.ComponentsOf(t.Context(), accountID, after, limit)
	check(t, err)
	for _, c := range found {
		ids = append(ids, c.ID)
	}
	return ids
}

func wantUnbound(t *testing.T, s *linkedaccount.Store, component string) {
	t.Helper()
	if c, err := s.BoundAccount(t.Context(), component); !errors.Is(err, linkedaccount.ErrNotFound) {
		t.Errorf("%s: %+v, %v, want ErrNotFound", component, c, err)
	}
}

func TestBind(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		now := time.UnixMilli(1_800_000_000_000).UTC()
		s.Now = func() time.Time { return now }
		a, b := linked(t, s, "octocat"), linked(t, s, "hubot")
		want := linkedaccount.Component{ID: "flow/1", HostUserID: user, AccountID: a.ID, AuthID: authID, BoundAt: now}
		wantBound := func(what string, got linkedaccount.Component) {
			t.Helper()
			saved, err := s.BoundAccount(t.Context(), "flow/1")
			check(t, err)
			if diff := cmp.Diff([]linkedaccount.Component{want, want}, []linkedaccount.Component{got, saved}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		wantBound("bound", bind(t, s, "flow/1", a))
		now = now.Add(time.Hour)
		wantBound("once more", bind(t, s, "flow/1", a))
		want.AccountID, want.BoundAt = b.ID, now
		wantBound("to another", bind(t, s, "flow/1", b))

		elsewhere := linkAs(t, s, "user-2", "9a01", "elsewhere")
		want.HostUserID, want.AccountID, want.AuthID = "user-2", elsewhere.ID, "9a01"
		wantBound("to another user's", bind(t, s, "flow/1", elsewhere))

		check(t, s.Unbind(t.Context(), "flow/1"))
		wantUnbound(t, s, "flow/1")
		check(t, s.Unbind(t.Context(), "flow/1"))
	})
}

func TestBindIsRefused(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		elsewhere := linkAs(t, s, "user-2", authID, "elsewhere")
		for name, test := range map[string]struct {
			component, account string
			want               error
		}{
			"another's":   {"c", elsewhere.ID, linkedaccount.ErrNotFound},
			"unknown":     {"c", "acc_x", linkedaccount.ErrNotFound},
			"refused":     {"c", put(t, s, linkedaccount.Refused, "1").ID, linkedaccount.ErrNotFound},
			"unlinking":   {"c", put(t, s, linkedaccount.Unlinking, "2").ID, linkedaccount.ErrNotFound},
			"unlinked":    {"c", put(t, s, linkedaccount.Unlinked, "3").ID, linkedaccount.ErrNotFound},
			"no id":       {"", a.ID, linkedaccount.ErrComponentID},
			"long id":     {strings.Repeat("x", 257), a.ID, linkedaccount.ErrComponentID},
			"NUL in id":   {"a\x00", a.ID, linkedaccount.ErrComponentID},
			"odd id":      {"\xff", a.ID, linkedaccount.ErrComponentID},
			"two lines":   {"a\nb", a.ID, linkedaccount.ErrComponentID},
			"reauth, not": {"kept", put(t, s, linkedaccount.ReauthRequired, "4").ID, nil},
		} {
			if _, err := s.Bind(t.Context(), test.component, user, test.account); !errors.Is(err, test.want) {
				t.Errorf("%s: got %v, want %v", name, err, test.want)
			}
			if test.want != nil {
				wantUnbound(t, s, test.component)
				check(t, s.Unbind(t.Context(), test.component))
			}
		}
	})
}

func TestComponentsOf(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a, b := linked(t, s, "octocat"), linked(t, s, "hubot")
		for _, id := range []string{"c3", "c1", "c2", "c4"} {
			bind(t, s, id, a)
		}
		bind(t, s, "c0", b)
		got := [][]string{
			componentsOf(t, s, a.ID, "", 3), componentsOf(t, s, a.ID, "c3", 3), componentsOf(t, s, a.ID, "c2", 0),
			componentsOf(t, s, "acc_x", "", 0), componentsOf(t, s, a.ID, "\x00", 0),
		}
		if diff := cmp.Diff([][]string{{"c1", "c2", "c3"}, {"c4"}, {"c3", "c4"}, nil, nil}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Each component of an account is told once that it has lost it, and why; what can't come back is
// forgotten, what can stays.
func TestComponentsAreStopped(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		ctx, wantTold := t.Context(), tellingStore(s)
		stop := map[string]struct {
			do   func(linkedaccount.Account) error
			want []string
		}{
			"unlinked": {
				func(a linkedaccount.Account) error { _, _, err := s.Unlink(ctx, a.ID); return err },
				[]string{"account.unlinked unlinking disconnected", "component.stopped unlinking unlinked c1", "component.stopped unlinking unlinked c2"},
			},
			"removed": {
				func(a linkedaccount.Account) error { _, err := s.Removed(ctx, authID, a.Identity.Subject); return err },
				[]string{"account.unlinked unlinking removed", "component.stopped unlinking unlinked c1", "component.stopped unlinking unlinked c2"},
			},
			"refused": {
				func(a linkedaccount.Account) error { _, err := s.HostRefused(ctx, a.ID, a.Version); return err },
				[]string{"account.unlinked refused refused", "component.stopped refused unlinked c1", "component.stopped refused unlinked c2"},
			},
		}
		for name, test := range stop {
			t.Run(name, func(t *testing.T) {
				a, _ := link(t, s, grant(name, "1"))
				bind(t, s, "c1", a)
				bind(t, s, "c2", a)
				wantTold(t, "account.linked linking")
				for range 2 {
					check(t, test.do(a))
				}
				wantTold(t, test.want...)
				wantUnbound(t, s, "c1")
				wantUnbound(t, s, "c2")
			})
		}
		a := linked(t, s, "reauth")
		bind(t, s, "c1", a)
		wantTold(t, "account.linked linking")
		flag(t, s, a.ID)
		_, err := s.RequireReauth(ctx, opened(t, s, a.ID))
		check(t, err)
		wantTold(t, "account.reauth_required reauth_required", "component.stopped reauth_required reauth_required c1")
		if diff := cmp.Diff([]string{"c1"}, componentsOf(t, s, a.ID, "", 0)); diff != "" {
			t.Errorf("bindings (-want +got):\n%s", diff)
		}
		check(t, stop["unlinked"].do(a)) // now for good
		wantTold(t, "account.unlinked unlinking disconnected", "component.stopped unlinking unlinked c1")
		wantUnbound(t, s, "c1")
	})
}

// Binding and unlinking at once: whichever comes first, in the end nothing is bound to an account
// that is gone, and what was bound was told.
func TestBindingBesideUnlinking(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		tellingStore(s)
		for round := range 12 {
			a := linked(t, s, fmt.Sprint("s", round))
			var bound, stopped int64
			var all sync.WaitGroup
			var mu sync.Mutex
			for i := range 4 {
				all.Go(func() {
					_, err := s.Bind(t.Context(), fmt.Sprint("c", round, i), user, a.ID)
					if err != nil && !errors.Is(err, linkedaccount.ErrNotFound) {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						bound++
					}
				})
			}
			all.Go(func() {
				if _, _, err := s.Unlink(t.Context(), a.ID); err != nil {
					t.Error(err)
				}
			})
			all.Wait()
			check(t, s.DB.QueryRowContext(t.Context(), "SELECT count(*) FROM events WHERE type = 'component.stopped' AND account_id = $1", a.ID).Scan(&stopped))
			if left := componentsOf(t, s, a.ID, "", 0); left != nil || stopped != bound {
				t.Errorf("%q still bound; %d bound, %d told", left, bound, stopped)
			}
		}
	})
}
