package linkedaccount_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"linkgate/linkedaccount"
)

func ids(accounts []linkedaccount.Account) (ids []string) {
	for _, a := range accounts {
		ids = append(ids, a.ID)
	}
	return ids
}

func list(t *testing.T, s *linkedaccount.Store, f linkedaccount.Filter) []linkedaccount.Account {
	t.Helper()
	accounts, err := s.List(t.Context(), f)
	check(t, err)
	return accounts
}

func linkAs(t *testing.T, s *linkedaccount.Store, user, authID, subject string) linkedaccount.Account {
	t.Helper()
	a, _, err := s.Link(t.Context(), user, authID, grant(subject, "1"))
	check(t, err)
	return a
}

// put makes an account and gives it a status by force.
func put(t *testing.T, s *linkedaccount.Store, status linkedaccount.Status, subject string) linkedaccount.Account {
	t.Helper()
	a := linkAs(t, s, user, authID, subject)
	_, err := s.DB.ExecContext(t.Context(), "UPDATE linked_accounts SET status = $1, issuer = id WHERE id = $2", string(status), a.ID)
	check(t, err)
	return byID(t, s, a.ID)
}

// matches is Filter once more, without SQL.
func matches(f linkedaccount.Filter, a linkedaccount.Account, bound map[string]string) bool {
	inStatus := slices.Contains(f.Statuses, a.Status) || len(f.Statuses) == 0 && a.Status != linkedaccount.Unlinked
	return inStatus && (f.HostUserID == "" || f.HostUserID == a.HostUserID) && (f.AuthID == "" || f.AuthID == a.AuthID) &&
		(f.Subject == "" || f.Subject == a.Identity.Subject) && (f.ComponentID == "" || bound[f.ComponentID] == a.ID)
}

// Every filter by itself and all of them in every combination give just what they say, newest first.
func TestListFilters(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		bound := map[string]string{}
		for i, status := range []linkedaccount.Status{"linking", "linked", "reauth_required", "refused", "unlinking", "unlinked", "linked"} {
			a := put(t, s, status, fmt.Sprint("s", i%3))
			if i == 1 {
				_, err := s.Bind(t.Context(), "flow", user, a.ID)
				check(t, err)
				bound["flow"] = a.ID
			}
		}
		linkAs(t, s, "user-2", authID, "s1")
		linkAs(t, s, user, "9a01", "s1")
		everything := list(t, s, linkedaccount.Filter{Limit: 200, Statuses: []linkedaccount.Status{
			"linking", "linked", "reauth_required", "refused", "unlinking", "unlinked",
		}})
		for _, host := range []string{"", user, "user-2", "nobody"} {
			for _, auth := range []string{"", authID, "9a01"} {
				for _, subject := range []string{"", "s1", "S1"} {
					for _, component := range []string{"", "flow", "other"} {
						for _, statuses := range [][]linkedaccount.Status{
							nil, {"unlinked"}, {"linked", "linking", "linked"}, {"reauth_required"}, {"refused", "unlinking"}, {"odd"},
						} {
							f := linkedaccount.Filter{HostUserID: host, AuthID: auth, Subject: subject, ComponentID: component, Statuses: statuses}
							var want []string
							for _, a := range everything {
								if matches(f, a, bound) {
									want = append(want, a.ID)
								}
							}
							got := ids(list(t, s, f))
							if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
								t.Errorf("%+v (-want +got):\n%s", f, diff)
							}
						}
					}
				}
			}
		}
		if n := len(everything); n < 8 || !slices.IsSortedFunc(everything, func(a, b linkedaccount.Account) int { return strings.Compare(b.ID, a.ID) }) {
			t.Errorf("%d accounts: %q", n, ids(everything))
		}
	})
}

// What no database can be asked for, nobody has; and nothing is read as SQL.
func TestListTakesAnything(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linkAs(t, s, "o'hara\" OR 1=1 --", authID, "s1")
		for _, f := range []linkedaccount.Filter{
			{HostUserID: "\x00"}, {AuthID: "\xff"}, {Subject: "a\x00"}, {ComponentID: "\xff"}, {After: "\x00"}, {HostUserID: "' OR ''='"},
		} {
			if got := list(t, s, f); len(got) != 0 {
				t.Errorf("%#v: %q", f, ids(got))
			}
		}
		if got := list(t, s, linkedaccount.Filter{HostUserID: a.HostUserID}); len(got) != 1 {
			t.Errorf("got %q", ids(got))
		}
	})
}

func TestOfUser(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		gone := in(t, s, linkedaccount.Unlinked, "gone")
		here := linked(t, s, "here")
		elsewhere := linkAs(t, s, user, "9a01", "elsewhere")
		linkAs(t, s, "user-2", authID, "another")
		got, err := s.OfUser(t.Context(), user)
		check(t, err)
		if diff := cmp.Diff([]string{elsewhere.ID, here.ID, gone.ID}, ids(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// However accounts come, go and change between two pages: what was there all the time, and passed the
// filter all the time, is on exactly one page; nothing is on two; and what is shown passes.
func TestPagesWhileAccountsComeAndGo(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		for seed := range uint64(6) {
			p := &paging{T: t, store: s, rand: rand.New(rand.NewPCG(seed, 1)), prefix: fmt.Sprintf("seed%d-", seed), there: map[string]linkedaccount.Account{}}
			for range 25 {
				p.come()
			}
			for range 15 {
				p.change()
			}
			for range 3 {
				p.walk(seed)
			}
		}
	})
}

// paging is a store in which accounts come and go, and what is known to be in it.
type paging struct {
	*testing.T
	store  *linkedaccount.Store
	rand   *rand.Rand
	prefix string // of this round's users, that rounds do not meet
	n      int
	there  map[string]linkedaccount.Account
}

func (p *paging) filter() linkedaccount.Filter {
	f := linkedaccount.Filter{Limit: 1 + p.rand.IntN(7), HostUserID: p.prefix + fmt.Sprint(p.rand.IntN(2))}
	if p.rand.IntN(2) == 0 {
		f.AuthID = fmt.Sprint("auth-", p.rand.IntN(2))
	}
	switch p.rand.IntN(3) {
	case 0:
		f.Statuses = []linkedaccount.Status{"linking", "unlinked"}
	case 1:
		f.Statuses = []linkedaccount.Status{"linked", "linking", "unlinking", "unlinked", "reauth_required", "refused"}
	}
	return f
}

func (p *paging) walk(seed uint64) {
	p.Helper()
	f := p.filter()
	passing := func() map[string]bool {
		now := map[string]bool{}
		for id, a := range p.there {
			if matches(f, a, nil) {
				now[id] = true
			}
		}
		return now
	}
	throughout, seen, last := passing(), map[string]bool{}, ""
	for {
		page := list(p.T, p.store, f)
		now := passing()
		maps.DeleteFunc(throughout, func(id string, _ bool) bool { return !now[id] })
		for _, a := range page {
			if seen[a.ID] || last != "" && a.ID >= last || !now[a.ID] {
				p.Errorf("seed %d, %+v: %s after %s, seen %v, passes %v", seed, f, a.ID, last, seen[a.ID], now[a.ID])
			}
			seen[a.ID], last = true, a.ID
		}
		if len(page) < f.Limit {
			break
		}
		f.After = last
		for range p.rand.IntN(6) {
			p.step()
		}
	}
	for id := range throughout {
		if !seen[id] {
			p.Errorf("seed %d, %+v: %s was there all the time, and is on no page", seed, f, id)
		}
	}
}

func (p *paging) step() {
	p.Helper()
	switch p.rand.IntN(3) {
	case 0:
		p.come()
	case 1:
		p.change()
	default:
		p.goAway()
	}
}

func (p *paging) come() {
	p.Helper()
	p.n++
	a := linkAs(p.T, p.store, p.prefix+fmt.Sprint(p.rand.IntN(2)), fmt.Sprint("auth-", p.rand.IntN(2)), fmt.Sprint("subject-", p.n))
	p.there[a.ID] = a
}

func (p *paging) any() linkedaccount.Account {
	known := slices.Sorted(maps.Keys(p.there))
	if len(known) == 0 {
		p.come()
		return p.any()
	}
	return p.there[known[p.rand.IntN(len(known))]]
}

// change gives any account another status, or another name.
func (p *paging) change() {
	p.Helper()
	a, ctx := p.any(), p.Context()
	var err error
	switch p.rand.IntN(4) {
	case 0:
		err = p.store.HostAdded(ctx, a.ID, "host-"+a.ID, a.Version)
	case 1:
		_, _, err = p.store.Unlink(ctx, a.ID)
	case 2:
		err = p.store.HostDeleted(ctx, a.ID, a.Version)
		check(p.T, err)
		err = p.store.Revoked(ctx, a)
	default:
		if a.Status == linkedaccount.Linked || a.Status == linkedaccount.Linking {
			_, err = p.store.Patch(ctx, a.ID, 0, func(d *linkedaccount.Details) error { d.DisplayName += "x"; return nil })
		}
	}
	check(p.T, err)
	p.there[a.ID] = byID(p.T, p.store, a.ID)
}

// goAway deletes an account, as only a refused one is; the others' rows stay for ever.
func (p *paging) goAway() {
	p.Helper()
	a := p.any()
	_, err := p.store.DB.ExecContext(p.Context(), "DELETE FROM linked_accounts WHERE id = $1", a.ID)
	check(p.T, err)
	delete(p.there, a.ID)
}
