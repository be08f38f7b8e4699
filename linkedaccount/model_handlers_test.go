package linkedaccount_test

import (
	"maps"
	"slices"

	"linkgate/linkedaccount"
)

// attempt is a handler under way: what it read when it began. It reports to the store later,
// perhaps much later, perhaps never, and after others that read more than it did.
type attempt struct {
	messageID, kind, accountID string
	read                       linkedaccount.Account
	token                      string
	idle                       bool // it found nothing to do
	refused                    bool // the host says no
	arrived                    bool // what it asked for is done, if it was to be
}

// record is what the host is told of an account.
type record struct {
	requiresReauth bool
	token          string
}

func (m *modelled) record() record { return record{m.Status == linkedaccount.ReauthRequired, m.Token} }

// begin has most handlers that are due read what they need, as connect's do. They have waited for
// those whose message is theirs or was dropped: what such a one asked for is done.
func (w *world) begin(id string) {
	messages := promised(w.T, w.store, id)
	for _, kind := range slices.Sorted(maps.Keys(messages)) {
		if w.random.IntN(3) == 0 {
			continue
		}
		for _, a := range w.attempts {
			if a.accountID == id && (messages[a.kind] != a.messageID || a.kind == kind) {
				w.arrive(a)
			}
		}
		a := &attempt{
			messageID: messages[kind], kind: kind, accountID: id, read: byID(w.T, w.store, id),
			token: w.accounts[id].Token, idle: w.isIdle(id, kind), refused: w.random.IntN(4) == 0,
		}
		w.attempts = append(w.attempts, a)
		w.did("begin %s of %s at version %d", kind, id, a.read.Version)
	}
}

// isIdle tells whether a handler has nothing to do.
func (w *world) isIdle(id, kind string) bool {
	m := w.accounts[id]
	switch kind {
	case linkedaccount.HostAdd:
		return m.Status != linkedaccount.Linking && m.Status != linkedaccount.ReauthRequired
	case linkedaccount.HostUpdate:
		return m.HostID == "" || m.Status != linkedaccount.Linked && m.Status != linkedaccount.ReauthRequired
	case linkedaccount.HostDelete:
		return m.HostDeleted
	}
	_, _, err := w.store.Revocable(w.Context(), id)
	w.checkKnown(err)
	return err != nil
}

// arrive does at the host or at the service what a handler asks for.
func (w *world) arrive(a *attempt) {
	if a.idle || a.arrived {
		return
	}
	a.arrived = true
	switch {
	case a.kind == linkedaccount.HostAdd && !a.refused, a.kind == linkedaccount.HostUpdate:
		w.told[a.accountID] = record{a.read.Status == linkedaccount.ReauthRequired, a.token}
	case a.kind == linkedaccount.HostDelete:
		delete(w.told, a.accountID)
	case a.kind == linkedaccount.Revoke:
		delete(w.valid, a.token)
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
	w.report(a)
	if w.random.IntN(5) == 0 {
		return
	}
	w.attempts = slices.Delete(w.attempts, i, i+1)
	later := slices.ContainsFunc(w.attempts[i:], func(b *attempt) bool { return b.messageID == a.messageID })
	if !later { // else the lease is another's
		w.done(a)
	}
}

func (w *world) done(a *attempt) {
	_, err := w.store.DB.ExecContext(w.Context(), "DELETE FROM outbox WHERE id = $1", a.messageID)
	check(w.T, err)
}

func (w *world) report(a *attempt) {
	w.arrive(a)
	if a.idle {
		return
	}
	ctx := w.Context()
	m := w.accounts[a.accountID]
	if m == nil { // it was refused, and is gone
		m = &modelled{}
	}
	w.did("end %s of %s, read at version %d, refused %v", a.kind, a.accountID, a.read.Version, a.refused)
	current := a.read.Version >= m.linkedAt
	switch {
	case a.kind == linkedaccount.HostAdd && a.refused:
		_, err := w.store.HostRefused(ctx, a.accountID, a.read.Version)
		w.checkKnown(err)
		m.hostRefused(current)
	case a.kind == linkedaccount.HostAdd:
		hostID := "h-" + a.accountID
		w.checkKnown(w.store.HostAdded(ctx, a.accountID, hostID, a.read.Version))
		m.hostAdded(hostID, current)
	case a.kind == linkedaccount.HostDelete:
		check(w.T, w.store.HostDeleted(ctx, a.accountID, a.read.Version))
		m.HostDeleted = m.HostDeleted || m.takenBack() && current
	case a.kind == linkedaccount.Revoke:
		check(w.T, w.store.Revoked(ctx, a.read))
		m.revoked = m.revoked || m.takenBack() && a.read.TokenVersion == m.TokenVersion
	}
	m.settle()
	if m.Status == linkedaccount.Refused && m.HostDeleted && m.revoked {
		delete(w.accounts, a.accountID)
		w.order = slices.DeleteFunc(w.order, func(id string) bool { return id == a.accountID })
	}
}
