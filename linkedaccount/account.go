// Package linkedaccount keeps host users' accounts at external services: the account row, its
// sealed credential, and the audit trail. It says what an account is and which state follows
// which; who calls the host and the service is connect's business, by way of the outbox.
package linkedaccount

import (
	"context"
	"errors"
	"time"

	"linkgate/database"
	"linkgate/provider"
	"linkgate/secret"
)

// Status is where an account stands.
type Status string

// The statuses. An account moves linking → linked → unlinking → unlinked; refused is a linking
// that the host turned down and whose credential is being revoked.
const (
	Linking   Status = "linking"   // saved here, the host's answer is outstanding
	Linked    Status = "linked"    // complete at both sides
	Refused   Status = "refused"   // the host said no: being revoked, then deleted
	Unlinking Status = "unlinking" // being deleted at the host and revoked at the service
	Unlinked  Status = "unlinked"  // history, without credential
)

// Kinds of outbox message that this package writes; AccountID is set, the payload is empty.
const (
	HostAdd    = "host.add"    // add at the host, or update the record that is there
	HostDelete = "host.delete" // delete at the host
	Revoke     = "revoke"      // revoke the credential at the service
)

// ErrNotFound: no such account, or not this user's.
var ErrNotFound = errors.New("no such linked account")

// Account is one host user's account at one external service. A user has at most one live
// account (linking, linked or refused) for each auth id, issuer and subject.
type Account struct {
	ID         string // ours; "acc_" and a UUIDv7
	HostUserID string
	AuthID     string
	HostID     string // the host's id of its record; empty until the host has answered
	Identity   provider.Identity
	Status     Status
	Scopes     []string  // granted
	Missing    []string  // asked for and not granted
	ExpiresAt  time.Time // of the access token; zero: unknown
	Version    int64     // grows by one with every change of the row
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Store keeps accounts in SQL.
type Store struct {
	DB      *database.DB
	Keyring *secret.Keyring
	Now     func() time.Time // nil: time.Now
}

// Link saves a grant: a new account, or the live one with this identity with its credential
// replaced, scopes and name updated. Either way status linking and one HostAdd message (an older
// one of this account is dropped), in one transaction. It returns the message's id.
// When an account with the same identity is Unlinking, its pending Revoke is dropped and its
// credential wiped: many services answer a revocation by ending the whole grant, the new one too.
func (s *Store) Link(ctx context.Context, hostUserID, authID string, g provider.Grant) (Account, string, error) {
	panic("unwritten")
}

// ByID reads any account.
func (s *Store) ByID(ctx context.Context, id string) (Account, error) { panic("unwritten") }

// ByHostID reads the account with the host's id if it is this user's; else ErrNotFound. known
// tells whether any user has it, so that a caller can tell "another's" from "never seen".
func (s *Store) ByHostID(ctx context.Context, hostUserID, hostID string) (a Account, known bool, err error) {
	panic("unwritten")
}

// ByIdentity reads a user's live account with that external id (Identity.Subject); ErrNotFound.
func (s *Store) BySubject(ctx context.Context, hostUserID, authID, subject string) (Account, error) {
	panic("unwritten")
}

// HostAdded records the host's id: linking → linked. An account in another status keeps it but
// takes the id.
func (s *Store) HostAdded(ctx context.Context, id, hostID string) error { panic("unwritten") }

// HostRefused ends a linking that the host turned down: status refused and one Revoke message,
// whose id it returns.
func (s *Store) HostRefused(ctx context.Context, id string) (revokeID string, err error) {
	panic("unwritten")
}

// Unlink begins a disconnect: status unlinking, a pending HostAdd dropped, one HostDelete and one
// Revoke message, whose ids it returns. For an account already unlinking it returns the ids of
// what is still pending ("" for what is done); for one unlinked, none. Parallel calls queue once.
func (s *Store) Unlink(ctx context.Context, id string) (hostDeleteID, revokeID string, err error) {
	panic("unwritten")
}

// HostDeleted records that the host has deleted its record; Revoked that the service has revoked
// the credential or can't. When both have happened the credential is wiped and the account is
// unlinked; a refused account is deleted altogether by Revoked. Both may be called again.
func (s *Store) HostDeleted(ctx context.Context, id string) error { panic("unwritten") }

// Revoked: see HostDeleted.
func (s *Store) Revoked(ctx context.Context, id string) error { panic("unwritten") }

// Credential opens an account's credential; ErrNotFound when it has been wiped.
func (s *Store) Credential(ctx context.Context, id string) (provider.Credential, error) {
	panic("unwritten")
}

// Event is an entry of the audit trail. It never holds a secret.
type Event struct {
	At         time.Time
	Name       string // such as link.refused, callback.wrong_browser
	HostUserID string
	AuthID     string
	AccountID  string
	Detail     string
}

// Audit appends to the audit trail.
func (s *Store) Audit(ctx context.Context, e Event) error { panic("unwritten") }

// Events reads the newest n entries of the audit trail, newest first.
func (s *Store) Events(ctx context.Context, n int) ([]Event, error) { panic("unwritten") }
