package linkedaccount

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"linkgate/event"
)

// EventLog is told what happens to accounts, as the last thing in the transaction in which it
// does; see event.Log.
type EventLog interface {
	Append(ctx context.Context, tx *sql.Tx, events []event.Event) error
}

var _ EventLog = (*event.Log)(nil)

// UnlinkReason says why an account may not be used any more.
type UnlinkReason string

// The reasons of account.unlinked.
const (
	Disconnected UnlinkReason = "disconnected" // by its user or the owner's back end
	RemovedThere UnlinkReason = "removed"      // at the service
	HostSaidNo   UnlinkReason = "refused"      // by the host, which has no record of it
)

// StopReason says why a component has lost the use of its account.
type StopReason string

// The reasons of component.stopped.
const (
	StoppedUnlinked       StopReason = "unlinked"
	StoppedReauthRequired StopReason = "reauth_required"
)

// emit has an event told when this transaction commits, after all that were emitted before it. extra
// is what the type tells beside the account and its status; nil: nothing.
func (tx *tx) emit(t event.Type, a Account, extra map[string]string) {
	data := map[string]string{"status": string(a.Status)}
	maps.Copy(data, extra)
	tx.emitted = append(tx.emitted, event.Event{
		Type: t, AccountID: a.ID, HostUserID: a.HostUserID, AuthID: a.AuthID, Data: data,
	})
}

// emitRefreshed tells of a refresh of an account that has not been taken back, and of what has come
// with it: other scopes, or that its user need not sign in again after all.
func (tx *tx) emitRefreshed(before, after Account) {
	if !after.live() {
		return
	}
	if before.Status != after.Status || !slices.Equal(before.Scopes, after.Scopes) {
		tx.emit(event.AccountUpdated, after, nil)
	}
	tx.emit(event.AccountRefreshed, after, nil)
}

// emitUnlinked tells that a may not be used any more.
func (tx *tx) emitUnlinked(a Account, why UnlinkReason) {
	tx.emit(event.AccountUnlinked, a, map[string]string{"reason": string(why)})
}

// emitStopped tells that a component has lost the use of a.
func (tx *tx) emitStopped(a Account, componentID string, why StopReason) {
	tx.emit(event.ComponentStopped, a, map[string]string{"component_id": componentID, "reason": string(why)})
}
