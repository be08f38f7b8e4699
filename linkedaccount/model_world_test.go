package linkedaccount_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// world is one identity's accounts, in the store and in the model, with the host, the service, and
// those that are at work between them.
type world struct {
	*testing.T
	store     *linkedaccount.Store
	random    *rand.Rand
	accounts  map[string]*modelled
	order     []string // of the ids
	attempts  []*attempt
	refreshes []refresh
	told      map[string]record // what the host has, by our ids
	valid     map[string]bool   // the tokens that the service takes, but for those of grants that were given anew since
	tokens    int
	history   []string
}

// refresh is one under way: the service has put token in the place of opened's, unless it is empty.
type refresh struct {
	opened linkedaccount.Opened
	token  string
}

func newWorld(t *testing.T, s *linkedaccount.Store, random *rand.Rand) *world {
	return &world{
		T: t, store: s, random: random,
		accounts: make(map[string]*modelled), told: make(map[string]record), valid: make(map[string]bool),
	}
}

func (w *world) step() {
	switch n := w.random.IntN(31); {
	case n < 4 || len(w.order) == 0:
		w.link()
	case n < 6:
		w.unlink()
	case n < 10:
		w.beginRefresh(w.any())
	case n < 14:
		w.endRefresh()
	case n < 21:
		w.begin(w.any())
	case n < 30:
		w.end()
	default:
		w.removed()
	}
}

// any is an account, the newest as often as all others together.
func (w *world) any() string {
	newest := len(w.order) - 1
	if w.random.IntN(2) == 0 {
		return w.order[newest]
	}
	return w.order[w.random.IntN(newest+1)]
}

func (w *world) did(format string, args ...any) {
	w.history = append(w.history, fmt.Sprintf(format, args...))
}

func (w *world) issue() (token string) {
	w.tokens++
	token = fmt.Sprint(w.tokens)
	w.valid[token] = true
	return token
}

func (w *world) link() {
	clear(w.valid) // what is left of earlier grants must not be revoked: that could end this one
	token := w.issue()
	a, _ := link(w.T, w.store, grant("octocat", token))
	w.did("link %s", token)
	id := a.ID
	for _, known := range w.order {
		switch m := w.accounts[known]; {
		case m.live(), m.Status == linkedaccount.Refused:
			if id != known {
				w.Errorf("a second account %s beside the live %s", id, known)
			}
			m.linked(token, a.Version)
			return
		case m.Status == linkedaccount.Unlinking: // the new grant must outlive it
			m.revoked, m.Token = true, ""
			m.settle()
		}
	}
	w.order = append(w.order, id)
	w.accounts[id] = &modelled{}
	w.accounts[id].linked(token, a.Version)
}

func (w *world) unlink() {
	id := w.any()
	_, _, err := w.store.Unlink(w.Context(), id)
	check(w.T, err)
	w.did("unlink %s", id)
	if m := w.accounts[id]; m.live() {
		m.Status = linkedaccount.Unlinking
	}
}

// removed has the service end the grant, and say so.
func (w *world) removed() {
	clear(w.valid)
	_, err := w.store.Removed(w.Context(), authID, "octocat")
	check(w.T, err)
	w.did("removed")
	for _, m := range w.accounts {
		if m.live() {
			m.Status, m.revoked, m.Token = linkedaccount.Unlinking, true, ""
		}
	}
}

// beginRefresh sends a refresh token. The service takes each once.
func (w *world) beginRefresh(id string) {
	o, err := w.store.Open(w.Context(), id)
	w.checkKnown(err)
	if err != nil || !w.accounts[id].live() || w.accounts[id].Status == linkedaccount.ReauthRequired {
		return
	}
	old, r := w.accounts[id].Token, refresh{opened: o}
	if w.valid[old] {
		r.token = w.issue()
		delete(w.valid, old)
	}
	w.refreshes = append(w.refreshes, r)
	w.did("refresh %s of %s to %q", old, id, r.token)
}

// endRefresh has what a refresh brought saved, or that it brought nothing.
func (w *world) endRefresh() {
	if len(w.refreshes) == 0 {
		return
	}
	i := w.random.IntN(len(w.refreshes))
	r := w.refreshes[i]
	w.refreshes = slices.Delete(w.refreshes, i, i+1)
	w.did("end the refresh of %s at %d to %q", r.opened.ID, r.opened.TokenVersion, r.token)
	m := w.accounts[r.opened.ID]
	if r.token == "" {
		flagged, err := w.store.RequireReauth(w.Context(), r.opened)
		w.checkKnown(err)
		want := m != nil && m.live() && m.Status != linkedaccount.ReauthRequired && m.TokenVersion == r.opened.TokenVersion
		if flagged != want {
			w.Errorf("flagged %v, want %v", flagged, want)
		}
		if want {
			m.Status = linkedaccount.ReauthRequired
		}
		return
	}
	n := provider.Refreshed{Credential: grant("octocat", r.token).Credential}
	_, err := w.store.SaveRefreshed(w.Context(), r.opened, n, true, false)
	if overtaken := w.overtakes(r.opened); overtaken != errors.Is(err, linkedaccount.ErrOvertaken) || err != nil && !overtaken {
		w.Errorf("saving: %v, overtaken %v", err, overtaken)
	}
	if err != nil {
		return
	}
	if m == nil { // it was refused and is gone, and comes back to be revoked
		m = &modelled{
			Status: linkedaccount.Unlinked, HostID: r.opened.HostID, HostDeleted: true,
			TokenVersion: r.opened.TokenVersion, linkedAt: r.opened.Version + 1,
		}
		w.accounts[r.opened.ID] = m
		w.order = append(w.order, r.opened.ID)
	}
	m.refreshed(r.token)
}

// overtakes tells whether another credential is in the place of o's, or another account in its.
func (w *world) overtakes(o linkedaccount.Opened) bool {
	m := w.accounts[o.ID]
	if m != nil && (m.live() || m.TokenVersion != o.TokenVersion) {
		return m.TokenVersion != o.TokenVersion
	}
	for id, other := range w.accounts {
		if id != o.ID && other.live() {
			return true
		}
	}
	return false
}

// settle keeps every promise that is left.
func (w *world) settle() {
	for len(w.refreshes) > 0 {
		w.endRefresh()
	}
	w.attempts = nil // crashed
	for range 12 {
		for _, id := range slices.Clone(w.order) {
			w.begin(id)
			for _, a := range w.attempts {
				a.refused = false
				w.report(a)
				w.done(a)
			}
			w.attempts = nil
		}
	}
	w.compare()
	w.wantDone()
}

func (w *world) checkKnown(err error) {
	w.Helper()
	if !errors.Is(err, linkedaccount.ErrNotFound) {
		check(w.T, err)
	}
}
