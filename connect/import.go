package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"linkgate/host"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/secret"
)

// What an import can be told beside the usual.
var (
	ErrCredentialShape    = errors.New("the credential does not fit the connection") // *CredentialShapeError
	ErrCredentialRejected = errors.New("the service does not take the credential")
	ErrScopesMissing      = errors.New("the credential lacks scopes of the connection") // *ScopesMissingError
	ErrProfileNeeded      = errors.New("nobody tells whose the credential is: a profile is needed")
	ErrOtherProfile       = errors.New("the credential is another account's than the profile says")
	ErrUnknownUser        = errors.New("the host has no such user")
	ErrServiceRefuses     = errors.New("the service refuses what Linkgate asks of it") // the operator must look
	// ErrCredentialSpent comes with another: the refresh token that was given has been used, and what
	// came of it could not be kept and was given back. The user must sign in again.
	ErrCredentialSpent = errors.New("the refresh token has been used up")
)

// CredentialShapeError wraps ErrCredentialShape.
type CredentialShapeError struct {
	Field   string // access_token, token_secret, fields/{key}, sealed, profile/external_account_id
	Problem string // a sentence's end: "is missing"
}

// ScopesMissingError wraps ErrScopesMissing.
type ScopesMissingError struct{ Missing []string }

// ImportCredential is a credential that was obtained elsewhere: of OAuth 2 (and the tokens of a
// password connection), of OAuth 1, or Fields alone: what a user would type at our page.
type ImportCredential struct {
	AccessToken  secret.Text // may be empty beside a RefreshToken
	RefreshToken secret.Text
	TokenType    string
	ExpiresAt    time.Time // of the access token; zero: unknown
	Scopes       []string  // granted; nil: not known, and taken for what the connection asks for (RFC 6749 §5.1)
	Token        secret.Text
	TokenSecret  secret.Text
	Fields       map[string]secret.Text // by key; beside tokens, those that stand in URLs
	Sealed       []byte                 // in place of all others: as Import.Seal made it, with our keyset
}

func (c ImportCredential) given() provider.Given {
	return provider.Given{
		AccessToken: c.AccessToken, RefreshToken: c.RefreshToken, TokenType: c.TokenType, ExpiresAt: c.ExpiresAt,
		Token: c.Token, TokenSecret: c.TokenSecret, Fields: c.Fields,
	}
}

// Profile is who an account is at its service, as its owner knows it.
type Profile struct {
	ExternalAccountID string // provider.Identity.Subject
	Name              string
	Issuer            string // empty: the one that a sign-in would bring
}

// Import is an account to take over.
type Import struct {
	HostUserID string
	AuthID     string
	Credential ImportCredential
	Profile    *Profile // nil: the service is asked

	Name        string          // in place of what the service calls the account; empty: that
	DisplayName string          // as in linkedaccount.Details; empty: as it is
	Metadata    json.RawMessage // likewise; nil: as it is

	ValidateScope  bool // else scopes of the connection may be missing
	RequestProfile bool // else the service is asked nothing, and Profile is needed
}

// Imported is what has become of an import.
type Imported struct {
	Account linkedaccount.Account
	Created bool  // else the user had an account with this identity, which is updated in place
	State   State // Linked, or Pending: the host has not answered yet
}

// Import takes an account over as if its user had connected it: the service is asked whose the
// credential is, the account saved, the host told. A credential that has ended is refreshed first. It
// goes on when the caller leaves, for a refresh can't be taken back.

// ErrUnknownConnection, ErrUnknownUser, ErrCredentialShape, ErrCredentialRejected, ErrScopesMissing,
// ErrProfileNeeded, ErrOtherProfile, ErrServiceRefuses, ErrHostRefuses (then the credential is revoked,
// as after a click), ErrUnavailable; with each of them perhaps ErrCredentialSpent.
func (s *Service) Import(ctx context.Context, i Import) (Imported, error) {
	p, ok := s.Connections[i.AuthID]
	if !ok {
		return Imported{}, ErrUnknownConnection
	}
	if err := i.unseal(s.Keyring); err != nil {
		return Imported{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.workTime())
	defer cancel()
	t := &taking{Service: s, Import: i, provider: p}
	if err := t.take(ctx); err != nil {
		return Imported{}, t.failed(ctx, err)
	}
	session := oauthstate.Session{HostUserID: i.HostUserID, AuthID: i.AuthID}
	a, promise, err := s.save(ctx, session, t.grant)
	if err != nil {
		return Imported{}, t.failed(ctx, databaseError(err))
	}
	s.auditAccount(ctx, "account.imported", a, "by the app")
	return s.finishImport(ctx, i, a, promise)
}

// finishImport does what is left when the account is saved.
func (s *Service) finishImport(ctx context.Context, i Import, a linkedaccount.Account, promise string) (Imported, error) {
	if err := s.describe(ctx, i, a.ID); err != nil {
		return Imported{}, databaseError(err)
	}
	imported := Imported{Created: a.Version == 1, State: Pending}
	r := s.hostTold(ctx, oauthstate.Result{State: string(Pending)}, a, promise)
	if r.State == string(Failed) {
		return Imported{}, ErrHostRefuses
	}
	imported.State = State(r.State)
	var err error
	if imported.Account, err = s.Accounts.ByID(ctx, a.ID); err != nil {
		return Imported{}, databaseError(err)
	}
	return imported, nil
}

// describe keeps what the owner says of the account.
func (s *Service) describe(ctx context.Context, i Import, accountID string) error {
	if i.DisplayName == "" && i.Metadata == nil {
		return nil
	}
	_, err := s.Accounts.Patch(ctx, accountID, 0, func(d *linkedaccount.Details) error {
		if i.DisplayName != "" {
			d.DisplayName = i.DisplayName
		}
		if i.Metadata != nil {
			d.Metadata = i.Metadata
		}
		return nil
	})
	return err
}

// knownUser asks the host for the user before anything is done: an account of somebody whom it does
// not know would be refused, and the credential revoked. A host that does not answer is waited for
// later, as after a click.
func (s *Service) knownUser(ctx context.Context, hostUserID string) error {
	ctx, cancel := context.WithTimeout(ctx, hostDeadline)
	defer cancel()
	if _, err := s.Host.User(ctx, hostUserID); errors.Is(err, host.ErrNotFound) {
		return ErrUnknownUser
	}
	return nil
}

// Error names the part.
func (e *CredentialShapeError) Error() string {
	return fmt.Sprintf("%v: %s %s", ErrCredentialShape, e.Field, e.Problem)
}

// Unwrap lets errors.Is find ErrCredentialShape.
func (e *CredentialShapeError) Unwrap() error { return ErrCredentialShape }

// Error names the scopes.
func (e *ScopesMissingError) Error() string {
	return fmt.Sprintf("%v: %s", ErrScopesMissing, strings.Join(e.Missing, " "))
}

// Unwrap lets errors.Is find ErrScopesMissing.
func (e *ScopesMissingError) Unwrap() error { return ErrScopesMissing }

// importRefreshWithin is how long after it is decided on a refresh may be sent.
const importRefreshWithin = 10 * time.Second
