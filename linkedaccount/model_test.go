package linkedaccount_test

import (
	"fmt"
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
	Status       linkedaccount.Status
	HostID       string
	HostDeleted  bool
	Token        string // of the credential; empty: wiped
	TokenVersion int64
	revoked      bool
	linkedAt     int64 // the version that Link returned
}

func (m *modelled) live() bool {
	return m.Status == linkedaccount.Linking || m.Status == linkedaccount.Linked || m.Status == linkedaccount.ReauthRequired
}

func (m *modelled) takenBack() bool {
	return m.Status == linkedaccount.Refused || m.Status == linkedaccount.Unlinking
}

func (m *modelled) linked(token string, version int64) {
	*m = modelled{
		Status: linkedaccount.Linking, HostID: m.HostID, Token: token, TokenVersion: m.TokenVersion + 1, linkedAt: version,
	}
}

func (m *modelled) hostAdded(hostID string, current bool) {
	isNew := m.HostID != hostID
	m.HostID = hostID
	switch {
	case m.Status == linkedaccount.Linking && current:
		m.Status = linkedaccount.Linked
	case !m.live() && isNew: // a record that came after the deletion
		m.HostDeleted = false
		if m.Status == linkedaccount.Unlinked {
			m.Status = linkedaccount.Unlinking
		}
	}
}

func (m *modelled) hostRefused(current bool) {
	if current && (m.Status == linkedaccount.Linking || m.Status == linkedaccount.ReauthRequired) {
		m.Status, m.HostDeleted = linkedaccount.Refused, m.HostID == ""
	}
}

// refreshed puts a new credential there, for use or for revocation.
func (m *modelled) refreshed(token string) {
	m.Token = token
	m.TokenVersion++
	m.revoked = false
	switch {
	case m.Status == linkedaccount.ReauthRequired && m.HostID == "":
		m.Status = linkedaccount.Linking
	case m.Status == linkedaccount.ReauthRequired:
		m.Status = linkedaccount.Linked
	case m.Status == linkedaccount.Unlinked:
		m.Status = linkedaccount.Unlinking
	}
}

// settle ends what has nothing left to do.
func (m *modelled) settle() {
	if m.Status == linkedaccount.Unlinking && m.HostDeleted && m.revoked {
		m.Status, m.Token = linkedaccount.Unlinked, ""
	}
}

// Whatever is linked, answered, refreshed and taken back in whatever order, with answers to
// questions from before: the store is as the model says, what it still owes is promised, no
// credential lives on at the service unheeded, and in the end the host knows what is so.
func TestStoreIsAsTheModel(t *testing.T) {
	t.Parallel()
	keyset, err := secret.NewKeyset()
	check(t, err)
	keyring, err := secret.OpenKeyring(keyset)
	check(t, err)
	db := databasetest.Open(t, database.Options{DataDir: t.TempDir()})
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			_, err := db.ExecContext(t.Context(), "DELETE FROM linked_accounts")
			check(t, err)
			_, err = db.ExecContext(t.Context(), "DELETE FROM outbox")
			check(t, err)
			w := newWorld(t, &linkedaccount.Store{DB: db, Keyring: keyring}, rand.New(rand.NewPCG(seed, 0)))
			for range 70 {
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

func (w *world) compare() {
	w.Helper()
	var n int
	check(w.T, w.store.DB.QueryRowContext(w.Context(), "SELECT count(*) FROM linked_accounts").Scan(&n))
	if n != len(w.accounts) {
		w.Errorf("%d accounts, want %d", n, len(w.accounts))
	}
	for id, want := range w.accounts {
		a := byID(w.T, w.store, id)
		got := modelled{
			Status: a.Status, HostID: a.HostID, HostDeleted: a.HostDeleted, TokenVersion: a.TokenVersion,
			revoked: want.revoked, linkedAt: want.linkedAt,
		}
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
	w.wantHeeded()
}

// wantOwedPromised: a crash now loses nothing.
func (w *world) wantOwedPromised(id string, m modelled) {
	w.Helper()
	messages := promised(w.T, w.store, id)
	isAdded := m.HostID != "" && m.Status != linkedaccount.Linking
	for kind, owed := range map[string]bool{
		linkedaccount.HostAdd:    m.live() && !isAdded,
		linkedaccount.HostDelete: m.takenBack() && !m.HostDeleted,
		linkedaccount.Revoke:     m.takenBack() && !m.revoked,
		// What adds an account tells about it, too.
		linkedaccount.HostUpdate: m.live() && isAdded && w.told[id] != m.record() && messages[linkedaccount.HostAdd] == "",
	} {
		if owed && messages[kind] == "" {
			w.Errorf("%s is %s, and %s is not promised", id, m.Status, kind)
		}
	}
}

// wantHeeded: each credential that the service takes is an account's, or is to be revoked, or its
// refresh has not been saved yet.
func (w *world) wantHeeded() {
	w.Helper()
	for token := range w.valid {
		inFlight := slices.ContainsFunc(w.refreshes, func(r refresh) bool { return r.token == token })
		heeded := inFlight
		for _, m := range w.accounts {
			heeded = heeded || m.Token == token && (m.live() || m.takenBack() && !m.revoked)
		}
		if !heeded {
			w.Errorf("credential %s lives on, and nobody will revoke it", token)
		}
	}
}

// wantDone: nothing is half done, and the host knows what is so.
func (w *world) wantDone() {
	w.Helper()
	for id, m := range w.accounts {
		record, known := w.told[id]
		switch {
		case m.Status != linkedaccount.Linked && m.Status != linkedaccount.ReauthRequired && m.Status != linkedaccount.Unlinked:
			w.Errorf("%s stays %s", id, m.Status)
		case known != m.live():
			w.Errorf("%s is %s; the host has a record: %v", id, m.Status, known)
		case known && record != m.record():
			w.Errorf("%s is %s; the host was told %+v", id, m.Status, record)
		}
	}
	if w.Failed() {
		w.Fatalf("after %q", w.history)
	}
}
