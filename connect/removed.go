package connect

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"linkgate/secret"
)

// What a removal hook can be told beside the usual.
var (
	ErrNotService      = errors.New("the removal secret is missing or wrong")
	ErrTooManyRemovals = errors.New("too many removals at this connection")
)

// removalsAtOnce is how many deletions at the host are begun by one hook; the outbox does the rest.
const removalsAtOnce = 16

// Removed takes a service's word that somebody has removed the app there: all accounts with that
// external id at the connection are disconnected here and at the host, whoever's they are, and
// nothing is asked of the service, which has ended their access itself. It returns how many accounts
// that was; what is gone already, being disconnected, or was never here is none. It does not wait for
// the host.
//
// proof is what shows that it is the service; ErrNotService otherwise, which is all that anybody
// learns of an auth id that there is not. Only then account reads the external id from what was
// sent, from where the connection says (empty: it does not).
func (s *Service) Removed(ctx context.Context, authID string, proof secret.Text, account func(path string) (string, error)) (int, error) {
	if !s.isService(authID, proof) {
		s.logNotService(ctx, authID)
		return 0, ErrNotService
	}
	if s.RemovalLimit != nil {
		if ok, err := s.RemovalLimit.Allow(authID); err != nil || !ok {
			return 0, ErrTooManyRemovals
		}
	}
	id, err := account(s.Connections[authID].Connection.RemovalID)
	if err != nil {
		return 0, err
	}
	return s.takeRemoved(ctx, authID, id)
}

// isService compares hashes, so that neither the length nor a common beginning of the secret shows in
// the time it takes. No secret is nobody's.
func (s *Service) isService(authID string, proof secret.Text) bool {
	var wanted secret.Text
	if p, ok := s.Connections[authID]; ok {
		wanted = p.Connection.RemovalSecret
	}
	got, want := sha256.Sum256([]byte(proof.Reveal())), sha256.Sum256([]byte(wanted.Reveal()))
	isEqual := subtle.ConstantTimeCompare(got[:], want[:]) == 1
	return isEqual && !wanted.IsZero()
}

// logNotService tells the operator of a service that is not believed. An auth id that there is not is
// a stranger's text; and the audit trail is not for strangers to fill.
func (s *Service) logNotService(ctx context.Context, authID string) {
	p, ok := s.Connections[authID]
	switch {
	case !ok:
	case p.Connection.RemovalSecret.IsZero():
		s.Log.WarnContext(ctx, "a removal was not believed: set removal_secret, and enter the address that check prints at the service", "auth_id", authID)
	default:
		s.Log.WarnContext(ctx, "a removal was not believed: it came without the right removal_secret", "auth_id", authID)
	}
}

// takeRemoved goes on when the service has hung up: it may never say it again.
func (s *Service) takeRemoved(ctx context.Context, authID, externalAccountID string) (int, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveDeadline)
	defer cancel()
	removed, err := s.Accounts.Removed(ctx, authID, externalAccountID)
	if err != nil {
		return 0, databaseError(err)
	}
	for i, r := range removed {
		if i < removalsAtOnce {
			s.tryLater(ctx, r.HostDeleteID)
		}
	}
	for _, r := range removed {
		s.auditAccount(ctx, "account.removed", r.Account, "by the user, at the service")
	}
	s.Log.InfoContext(ctx, "a service says that it was removed there", "auth_id", authID, "accounts", len(removed))
	return len(removed), nil
}
