package linkedaccount_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/database"
	"linkgate/database/databasetest"
	"linkgate/linkedaccount"
	"linkgate/secret"
)

// modelled is what an account should be like: the states of DESIGN.md, written down once more
// without SQL, messages or locks.
type modelled struct {
	Status      linkedaccount.Status
	HostID      string
	HostDeleted bool
	Token       string // of the credential; empty: wiped
	revoked     bool
	linkedAt    int64 // the version that Link returned
}

// attempt is a handler under way: what it read when it began. It reports to the store later,
// perhaps much later, perhaps never, and after others that read more than it did.
type attempt struct {
	messageID, kind, accountID string
	version, tokenVersion      int64
	idle                       bool // it found nothing to do
}

// world is one identity's accounts, in the store and in the model, and the handlers at work.
type world struct {
	*testing.T
	store    *linkedaccount.Store
	random   *rand.Rand
	accounts map[string]*modelled
	order    []string // of the ids
	attempts []attempt
	tokens   int
	history  []string
}

// Whatever is linked, answered and taken back in whatever order, with answers to questions from
// before: the store is as the model says, and what it still owes is promised.
func TestStoreIsAsTheModel(t *testing.T) {
	t.Parallel()
	keyset, err := secret.NewKeyset()
	check(t, err)
	keyring, err := secret.OpenKeyring(keyset)
	check(t, err)
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			_, err := db.ExecContext(t.Context(), "DELETE FROM linked_accounts")
			check(t, err)
			_, err = db.ExecContext(t.Context(), "DELETE FROM outbox")
			check(t, err)
			w := &world{
				T: t, store: &linkedaccount.Store{DB: db, Keyring: keyring},
				random: rand.New(rand.NewPCG(seed, 0)), accounts: make(map[string]*modelled),
			}
			for range 60 {
				w.step()
				w.compare()
				if t.Failed() {
					t.Fatalf("after %q", w.history)
				}
			}
			w.settle()
		})
	}
}

func (w *world) step() {
	switch n := w.random.IntN(20); {
	case n < 4 || len(w.order) == 0:
		w.link()
	case n < 6:
		w.unlink()
	case n < 13:
		w.begin(w.any())
	default:
		w.end()
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

func (w *world) link() {
	w.tokens++
	token := fmt.Sprint(w.tokens)
	a, _ := link(w.T, w.store, grant("octocat", token))
	w.did("link %s", token)
	id := a.ID
	for _, known := range w.order {
		switch m := w.accounts[known]; m.Status {
		case linkedaccount.Linking, linkedaccount.Linked, linkedaccount.Refused:
			if id != known {
				w.Errorf("a second account %s beside the live %s", id, known)
			}
			m.Status, m.HostDeleted, m.revoked, m.Token, m.linkedAt = linkedaccount.Linking, false, false, token, a.Version
			return
		case linkedaccount.Unlinking: // the new grant must outlive it
			m.revoked, m.Token = true, ""
			m.settle()
		}
	}
	w.order = append(w.order, id)
	w.accounts[id] = &modelled{Status: linkedaccount.Linking, Token: token, linkedAt: a.Version}
}

func (w *world) unlink() {
	id := w.any()
	_, _, err := w.store.Unlink(w.Context(), id)
	check(w.T, err)
	w.did("unlink %s", id)
	if m := w.accounts[id]; m.Status == linkedaccount.Linking || m.Status == linkedaccount.Linked {
		m.Status = linkedaccount.Unlinking
	}
}

func (m *modelled) takenBack() bool {
	return m.Status == linkedaccount.Refused || m.Status == linkedaccount.Unlinking
}

// settle ends what has nothing left to do.
func (m *modelled) settle() {
	if m.Status == linkedaccount.Unlinking && m.HostDeleted && m.revoked {
		m.Status, m.Token = linkedaccount.Unlinked, ""
	}
}

// begin has a handler read what it needs, as connect's do.
func (w *world) begin(id string) {
	messages := promised(w.T, w.store, id)
	for _, kind := range slices.Sorted(maps.Keys(messages)) {
		a := byID(w.T, w.store, id)
		idle := kind == linkedaccount.HostAdd && a.Status != linkedaccount.Linking
		w.attempts = append(w.attempts, attempt{messages[kind], kind, id, a.Version, a.TokenVersion, idle})
		w.did("begin %s of %s at version %d", kind, id, a.Version)
	}
}

// end has any of the handlers under way report; one in five does so twice, as one that crashed
// before its message was removed.
func (w *world) end() {
	if len(w.attempts) == 0 {
		return
	}
	i := w.random.IntN(len(w.attempts))
	a := w.attempts[i]
	w.report(a, w.random.IntN(2) == 0)
	if w.random.IntN(5) == 0 {
		return
	}
	w.attempts = slices.Delete(w.attempts, i, i+1)
	w.done(a)
}

func (w *world) done(a attempt) {
	_, err := w.store.DB.ExecContext(w.Context(), "DELETE FROM outbox WHERE id = $1", a.messageID)
	check(w.T, err)
}

func (w *world) report(a attempt, refused bool) {
	if a.idle {
		return
	}
	ctx := w.Context()
	m := w.accounts[a.accountID]
	if m == nil { // it was refused, and is gone
		m = &modelled{}
	}
	w.did("end %s of %s, read at version %d, refused %v", a.kind, a.accountID, a.version, refused)
	current := a.version >= m.linkedAt
	switch {
	case a.kind == linkedaccount.HostAdd && refused:
		_, err := w.store.HostRefused(ctx, a.accountID, a.version)
		w.checkKnown(err)
		if m.Status == linkedaccount.Linking && current {
			m.Status, m.HostDeleted = linkedaccount.Refused, m.HostID == ""
		}
	case a.kind == linkedaccount.HostAdd:
		hostID := "h-" + a.accountID
		w.checkKnown(w.store.HostAdded(ctx, a.accountID, hostID, a.version))
		m.hostAdded(hostID, current)
	case a.kind == linkedaccount.HostDelete:
		check(w.T, w.store.HostDeleted(ctx, a.accountID, a.version))
		m.HostDeleted = m.HostDeleted || m.takenBack() && current
	case a.kind == linkedaccount.Revoke:
		check(w.T, w.store.Revoked(ctx, linkedaccount.Account{ID: a.accountID, TokenVersion: a.tokenVersion}))
		m.revoked = m.revoked || m.takenBack() && current
	}
	m.settle()
	if m.Status == linkedaccount.Refused && m.HostDeleted && m.revoked {
		delete(w.accounts, a.accountID)
		w.order = slices.DeleteFunc(w.order, func(id string) bool { return id == a.accountID })
	}
}

func (m *modelled) hostAdded(hostID string, current bool) {
	isNew := m.HostID != hostID
	m.HostID = hostID
	switch {
	case m.Status == linkedaccount.Linking && current:
		m.Status = linkedaccount.Linked
	case m.Status == linkedaccount.Linking || m.Status == linkedaccount.Linked:
	case isNew: // a record that came after the deletion
		m.HostDeleted = false
		if m.Status == linkedaccount.Unlinked {
			m.Status = linkedaccount.Unlinking
		}
	}
}

func (w *world) checkKnown(err error) {
	w.Helper()
	if !errors.Is(err, linkedaccount.ErrNotFound) {
		check(w.T, err)
	}
}

func (w *world) compare() {
	w.Helper()
	var n int
	check(w.T, w.store.DB.QueryRowContext(w.Context(), "SELECT count(*) FROM linked_accounts").Scan(&n))
	if n != len(w.accounts) {
		w.Errorf("%d accounts, want %d", n, len(w.accounts))
	}
	for id, want := range w.accounts {
		a := byID(w.T, w.store, id)
		got := modelled{Status: a.Status, HostID: a.HostID, HostDeleted: a.HostDeleted, revoked: want.revoked, linkedAt: want.linkedAt}
		if want.takenBack() {
			_, _, err := w.store.Revocable(w.Context(), id)
			w.checkKnown(err)
			got.revoked = err != nil
		}
		c, err := w.store.Credential(w.Context(), id)
		w.checkKnown(err)
		fmt.Sscanf(c.AccessToken.Reveal(), "access-%s", &got.Token)
		if diff := cmp.Diff(*want, got, cmp.AllowUnexported(modelled{})); diff != "" {
			w.Errorf("%s (-model +store):\n%s", id, diff)
		}
		w.wantOwedPromised(id, *want)
	}
}

// wantOwedPromised: a crash now loses nothing.
func (w *world) wantOwedPromised(id string, m modelled) {
	w.Helper()
	messages := promised(w.T, w.store, id)
	for kind, owed := range map[string]bool{
		linkedaccount.HostAdd:    m.Status == linkedaccount.Linking,
		linkedaccount.HostDelete: m.takenBack() && !m.HostDeleted,
		linkedaccount.Revoke:     m.takenBack() && !m.revoked,
	} {
		if owed && messages[kind] == "" {
			w.Errorf("%s is %s, and %s is not promised", id, m.Status, kind)
		}
	}
}

// settle keeps every promise that is left: then nothing is half done.
func (w *world) settle() {
	w.attempts = nil
	for range 10 {
		for _, id := range slices.Clone(w.order) {
			w.begin(id)
			for _, a := range w.attempts {
				w.report(a, false)
				w.done(a)
			}
			w.attempts = nil
		}
	}
	w.compare()
	for id, m := range w.accounts {
		if m.Status != linkedaccount.Linked && m.Status != linkedaccount.Unlinked {
			w.Errorf("%s stays %s after %q", id, m.Status, w.history)
		}
	}
}
