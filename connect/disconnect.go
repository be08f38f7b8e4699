package connect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"linkgate/database"
	"linkgate/host"
	"linkgate/linkedaccount"
	"linkgate/outbox"
)

// Disconnected is what has become of an account that was disconnected.
type Disconnected struct {
	ServiceName string // empty: the connection is not known
	Revocation  Revocation
}

// Revocation is what becomes of the credential at the service.
type Revocation string

// What can become of it. Here it is wiped in every case.
const (
	RevocationRequested   Revocation = "requested"   // the service is asked, until it has done it
	RevocationUnsupported Revocation = "unsupported" // the service can't be asked
	RevocationUnknown     Revocation = "unknown"     // we never had it
	// Of a DisconnectReport:
	RevocationPending Revocation = "pending" // the service is asked until it has done it
	Revoked           Revocation = "revoked" // by us or by the service itself; or the user has linked it anew
)

// Disconnect deletes the user's linked account (the host's id) at the host and has its credential
// revoked; it returns when the host has deleted it. ErrNotFound: not there or not this user's.
// ErrUnavailable: the host does not answer; the disconnect is under way and will be completed.
func (s *Service) Disconnect(ctx context.Context, hostUserID, linkedAccountID string) (Disconnected, error) {
	a, known, err := s.Accounts.ByHostID(ctx, hostUserID, linkedAccountID)
	if errors.Is(err, linkedaccount.ErrNotFound) {
		if known {
			s.auditAccount(ctx, "disconnect.wrong_user", linkedaccount.Account{HostUserID: hostUserID}, linkedAccountID)
			return Disconnected{}, ErrNotFound
		}
		return Disconnected{Revocation: RevocationUnknown}, s.disconnectUnknown(ctx, hostUserID, linkedAccountID)
	}
	if err != nil {
		return Disconnected{}, databaseError(err)
	}
	done := Disconnected{Revocation: RevocationRequested}
	if p, ok := s.Connections[a.AuthID]; ok {
		done.ServiceName = p.Connection.Name
		if p.Revoker == nil {
			done.Revocation = RevocationUnsupported
		}
	}
	return done, s.unlink(ctx, a.ID)
}

// DisconnectReport says what has been done to disconnect an account, and what is still to be done.
type DisconnectReport struct {
	ID     string // of the account; empty: a record at the host that was never ours
	AuthID string
	HostID string // the host's id; empty: not known, or none
	Status linkedaccount.Status

	Host       HostDeletion
	Revocation Revocation
	Done       bool // nothing is left to do
}

// HostDeletion is what becomes of the record at the host.
type HostDeletion string

// What can become of it.
const (
	HostDeleted HostDeletion = "deleted" // or there was none
	HostPending HostDeletion = "pending" // the host is asked until it has done it
)

// DisconnectAccount disconnects an account by our id, whoever's it is: at the host, at the service and
// here. It tries both at once, waits a few seconds for both, and tells how far that went; what is
// pending will be completed. Of an account that is disconnected already it tells the same.
// ErrNotFound, ErrUnavailable (the database).
func (s *Service) DisconnectAccount(ctx context.Context, accountID string) (DisconnectReport, error) {
	a, err := s.Accounts.ByID(ctx, accountID)
	if err != nil {
		return DisconnectReport{}, databaseError(err)
	}
	return s.disconnect(ctx, a)
}

// disconnect takes an account back, or goes on with it, and reports.
func (s *Service) disconnect(ctx context.Context, a linkedaccount.Account) (DisconnectReport, error) {
	atHost, atService, err := s.Accounts.Unlink(ctx, a.ID)
	if err != nil && !errors.Is(err, linkedaccount.ErrNotFound) {
		return DisconnectReport{}, databaseError(err)
	}
	if a.Live() {
		s.auditAccount(ctx, "account.disconnected", a, "by the app")
	}
	trying, cancel := context.WithTimeout(ctx, hostDeadline)
	defer cancel()
	var both sync.WaitGroup
	for _, promise := range []string{atHost, atService} {
		if promise != "" {
			both.Go(func() { _ = s.tryShared(trying, promise) }) // the account tells how it went
		}
	}
	both.Wait()
	now, err := s.Accounts.ByID(context.WithoutCancel(ctx), a.ID)
	if errors.Is(err, linkedaccount.ErrNotFound) { // it had been refused by the host, and nothing is kept of it
		a.Status, a.HostDeleted, a.Revoked = linkedaccount.Unlinked, true, true
		return s.report(a), nil
	}
	return s.report(now), databaseError(err)
}

// report tells how far a disconnect has come.
func (s *Service) report(a linkedaccount.Account) DisconnectReport {
	r := DisconnectReport{ID: a.ID, AuthID: a.AuthID, HostID: a.HostID, Status: a.Status, Host: HostPending, Revocation: RevocationPending}
	if a.HostDeleted {
		r.Host = HostDeleted
	}
	p, known := s.Connections[a.AuthID]
	switch {
	case a.Unrevocable, known && p.Revoker == nil:
		r.Revocation = RevocationUnsupported
	case a.Revoked:
		r.Revocation = Revoked
	}
	r.Done = a.HostDeleted && a.Revoked
	return r
}

// unlink promises both ends of a disconnect and tries both at once; it waits for the host only.
func (s *Service) unlink(ctx context.Context, accountID string) error {
	atHost, atService, err := s.Accounts.Unlink(ctx, accountID)
	if err != nil {
		return databaseError(err)
	}
	s.tryLater(ctx, atService)
	if atHost == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, hostDeadline)
	defer cancel()
	return hostAnswer(s.tryShared(ctx, atHost))
}

// tryShared tries a promise that another request may be at: then it waits for that one.
func (s *Service) tryShared(ctx context.Context, promise string) error {
	for {
		err := s.Outbox.Try(ctx, promise)
		switch {
		case errors.Is(err, outbox.ErrGone):
			return nil
		case !errors.Is(err, outbox.ErrLeased):
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tryLater has a promise tried at once without anybody waiting for it: the outbox does not stop
// what it has begun when a caller has no patience at all.
func (s *Service) tryLater(ctx context.Context, promise string) {
	if promise == "" {
		return
	}
	impatient, cancel := context.WithCancel(ctx)
	cancel()
	_ = s.Outbox.Try(impatient, promise) // the outbox logs how it went
}

// disconnectUnknown deletes a record at the host that we have no account for: one from before
// Linkgate, or one whose add has arrived there without our having had the answer.
func (s *Service) disconnectUnknown(ctx context.Context, hostUserID, linkedAccountID string) error {
	if ok, err := s.Limit.Allow("unknown account of " + hostUserID); err != nil || !ok {
		return ErrTooMany
	}
	record, err := s.Host.Get(ctx, hostUserID, linkedAccountID)
	if err != nil {
		return hostAnswer(err)
	}
	a, err := s.Accounts.BySubject(ctx, hostUserID, record.AuthID, record.ExternalAccountID)
	switch {
	case err == nil && a.HostID == "":
		if err := s.Accounts.HostAdded(ctx, a.ID, linkedAccountID, a.Version); err != nil {
			return databaseError(err)
		}
		return s.unlink(ctx, a.ID)
	case err != nil && !errors.Is(err, linkedaccount.ErrNotFound):
		return databaseError(err)
	}
	s.auditAccount(ctx, "disconnect.unknown", linkedaccount.Account{HostUserID: hostUserID, AuthID: record.AuthID}, linkedAccountID)
	return hostAnswer(s.Host.Delete(ctx, hostUserID, linkedAccountID))
}

// hostAnswer tells what the host's answer to a deletion means to whoever asked for it.
func hostAnswer(err error) error {
	var refused *host.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, host.ErrNotFound):
		return ErrNotFound
	case errors.As(err, &refused), errors.Is(err, host.ErrUnauthorized):
		return fmt.Errorf("%w: %w", ErrHostRefuses, err)
	}
	return &UnavailableError{System: "the host", RetryAfter: 5 * time.Second, Err: err}
}

// databaseError turns an error of the account store into one of ours.
func databaseError(err error) error {
	switch {
	case errors.Is(err, linkedaccount.ErrNotFound):
		return ErrNotFound
	case database.IsUnavailable(err):
		return &UnavailableError{System: "the database", RetryAfter: time.Second, Err: err}
	}
	return err
}
