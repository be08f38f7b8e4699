// Package linkedaccount keeps host users' accounts at external services: the account row, its
// sealed credential, and the audit trail. It says what an account is and which state follows
// which; who calls the host and the service is connect's business, by way of the outbox.
//
// Every change of an account is one transaction that first takes the row (Store.change), so that
// two that come at once come one after the other; what is owed because of it is put in the outbox
// in the same transaction. The changes are in link.go, unlink.go and refresh_store.go; what the app's
// owner does with accounts is in list.go, patch.go and components.go.
//
// Tokens hands credentials out, and keeps them fresh: see tokens.go.
package linkedaccount

import (
	"errors"
	"time"

	"linkgate/provider"
)

// Status is where an account stands.
type Status string

// The statuses. An account moves linking → linked → unlinking → unlinked; refused is a linking
// that the host turned down and whose credential is being revoked. From linking and linked it moves
// to reauth_required when its credential is worth nothing any more, and back by linking again.
const (
	Linking        Status = "linking"         // saved here, the host's answer is outstanding
	Linked         Status = "linked"          // complete at both sides
	ReauthRequired Status = "reauth_required" // the user must sign in at the service again
	Refused        Status = "refused"         // the host said no: being revoked, then deleted
	Unlinking      Status = "unlinking"       // being deleted at the host and revoked at the service
	Unlinked       Status = "unlinked"        // history, without credential
)

// Kinds of outbox message that this package writes; AccountID is set, the payload is empty.
const (
	HostAdd    = "host.add"    // add at the host, or update the record that is there
	HostUpdate = "host.update" // update the record at the host
	HostDelete = "host.delete" // delete at the host
	Revoke     = "revoke"      // revoke the credential at the service
)

// ErrNotFound: no such account, or not this user's.
var ErrNotFound = errors.New("no such linked account")

// ErrIdentity: a grant's identity can't tell one account from another.
var ErrIdentity = errors.New("the identity has no subject, or is not plain text")

// Account is one host user's account at one external service. A user has at most one live
// account (linking, linked, reauth_required or refused) for each auth id, issuer and subject.
type Account struct {
	ID         string // ours; "acc_" and a UUIDv7
	HostUserID string
	AuthID     string
	HostID     string // the host's id of its record; empty until the host has answered
	// HostDeleted: the host has deleted its record, or never had one, since the account was refused or unlinked.
	HostDeleted bool
	// Revoked: nothing is left of its credential to revoke. Unrevocable: the service can't do that.
	Revoked     bool
	Unrevocable bool
	Identity    provider.Identity
	Status      Status
	Scopes      []string  // granted
	Missing     []string  // asked for and not granted
	ExpiresAt   time.Time // of the access token; zero: unknown
	UsedAt      time.Time // when its credential was last handed out, to the minute; zero: never
	Version     int64     // from 1; grows by one with every change of the row
	// TokenVersion is from 1 and grows by one whenever the credential is replaced.
	TokenVersion int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
	LinkedAt     time.Time // when the user last signed in at the service for it
	Details
	// LastError is why the credential could not be refreshed or tested the last time, in our words;
	// empty: it could, or nobody has tried. LastErrorAt is since when that is so.
	LastError   string
	LastErrorAt time.Time
}

// Live tells whether the account is one that the user has; see live.
func (a Account) Live() bool { return a.live() }

// live tells whether the account is one that the user has: nothing but a disconnect or a refusal
// by the host has been decided about it.
func (a Account) live() bool {
	return a.Status == Linking || a.Status == Linked || a.Status == ReauthRequired
}

// usable tells whether calls may be made as the account.
func (a Account) usable() bool { return a.Status == Linking || a.Status == Linked }
