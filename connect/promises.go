package connect

import (
	"context"
	"errors"
	"time"

	"linkgate/host"
	"linkgate/linkedaccount"
	"linkgate/outbox"
	"linkgate/provider"
)

// operatorPause is how long a promise rests that only the operator can make possible again.
const operatorPause = 5 * time.Minute

// Promises are the outbox's handlers: what is owed to the host and to the service.
func (s *Service) Promises() map[string]outbox.Handler {
	return map[string]outbox.Handler{
		linkedaccount.HostAdd:    s.addAtHost,
		linkedaccount.HostDelete: s.deleteAtHost,
		linkedaccount.Revoke:     s.revoke,
	}
}

// addAtHost writes the account at the host: updates the record that is there, else adds one.
func (s *Service) addAtHost(ctx context.Context, m outbox.Message) error {
	a, err := s.Accounts.ByID(ctx, m.AccountID)
	if errors.Is(err, linkedaccount.ErrNotFound) {
		return nil
	}
	if err != nil || a.Status != linkedaccount.Linking {
		return err
	}
	if err := s.deletionFirst(ctx, a); err != nil {
		return err
	}
	hostID, err := s.writeAtHost(ctx, a, m)
	var refused *host.RefusedError
	if errors.As(err, &refused) {
		return s.refusedByHost(ctx, a, refused)
	}
	if err != nil {
		return s.hostTrouble(ctx, err)
	}
	return s.Accounts.HostAdded(ctx, a.ID, hostID, a.Version)
}

// deletionFirst waits until an older account of the same identity is deleted at the host: its
// record would be taken for this one's, and deleted then.
func (s *Service) deletionFirst(ctx context.Context, a linkedaccount.Account) error {
	pending, err := s.Accounts.DeletionPending(ctx, a)
	if err != nil || !pending {
		return err
	}
	return outbox.Later(errors.New("an older record of this account is still to be deleted at the host"), time.Second)
}

// writeAtHost updates the host's record, or adds one. The idempotency key is the promise's: the
// same for each attempt, another when the account is linked again.
func (s *Service) writeAtHost(ctx context.Context, a linkedaccount.Account, m outbox.Message) (hostID string, err error) {
	mayHaveArrived := m.Attempts > 1 || a.Version > 1
	record, err := s.hostRecord(ctx, a)
	if err != nil {
		return "", err
	}
	if record.ID != "" {
		_, err := s.Host.Update(ctx, a.HostUserID, record)
		if !errors.Is(err, host.ErrNotFound) {
			return record.ID, err
		}
		record.ID, mayHaveArrived = "", false // the host has forgotten it
	}
	there, err := s.Host.AddOrFind(ctx, a.HostUserID, record, m.ID, mayHaveArrived)
	if err != nil || !mayHaveArrived {
		return there.ID, err
	}
	record.ID = there.ID // what was found may be older
	_, err = s.Host.Update(ctx, a.HostUserID, record)
	return there.ID, err
}

// hostRecord is what the host is to know: the stable external id, the name for people, and the
// tokens only if the operator wants the host to have them.
func (s *Service) hostRecord(ctx context.Context, a linkedaccount.Account) (host.LinkedAccount, error) {
	record := host.LinkedAccount{
		ID: a.HostID, AuthID: a.AuthID, ExternalAccountID: a.Identity.Subject, Extra: a.Identity.Name,
	}
	if !s.ShareTokens {
		return record, nil
	}
	c, err := s.Accounts.Credential(ctx, a.ID)
	if err != nil {
		return record, err
	}
	record.AccessToken, record.RefreshToken, record.Expiry = c.AccessToken, c.RefreshToken, c.ExpiresAt
	return record, nil
}

// refusedByHost takes a linking back that the host does not want.
func (s *Service) refusedByHost(ctx context.Context, a linkedaccount.Account, why error) error {
	revocation, err := s.Accounts.HostRefused(ctx, a.ID, a.Version)
	if err != nil || revocation == "" { // "": the user has linked it again meanwhile
		return err
	}
	s.Log.WarnContext(ctx, "the host refused an account; revoking it", "account", a.ID, "error", why)
	s.auditAccount(ctx, "host.refused", a, why.Error())
	s.tryLater(ctx, revocation)
	return nil
}

// deleteAtHost deletes the host's record; one that the host does not have is deleted.
func (s *Service) deleteAtHost(ctx context.Context, m outbox.Message) error {
	a, err := s.Accounts.ByID(ctx, m.AccountID)
	if errors.Is(err, linkedaccount.ErrNotFound) {
		return nil
	}
	if err != nil || a.HostDeleted {
		return err
	}
	if a.HostID == "" {
		a.HostID, err = s.findAtHost(ctx, a)
	}
	if err == nil && a.HostID != "" {
		err = s.Host.Delete(ctx, a.HostUserID, a.HostID)
	}
	if err != nil && !errors.Is(err, host.ErrNotFound) {
		return s.hostTrouble(ctx, err)
	}
	return s.Accounts.HostDeleted(ctx, a.ID, a.Version)
}

// findAtHost looks for the record of an add whose answer never came. One that is another
// account's of ours, linked since, is not it. Empty: there is none.
func (s *Service) findAtHost(ctx context.Context, a linkedaccount.Account) (string, error) {
	records, err := s.Host.Matching(ctx, a.HostUserID, a.AuthID, a.Identity.Subject)
	if err != nil {
		return "", err
	}
	for _, r := range records {
		_, _, err := s.Accounts.ByHostID(ctx, a.HostUserID, r.ID)
		if errors.Is(err, linkedaccount.ErrNotFound) {
			return r.ID, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// revoke makes the credential useless at the service, where the service can do that.
func (s *Service) revoke(ctx context.Context, m outbox.Message) error {
	a, c, err := s.Accounts.Revocable(ctx, m.AccountID)
	if errors.Is(err, linkedaccount.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = s.revokeAtService(ctx, a, c)
	}
	if err != nil {
		return err
	}
	return s.Accounts.Revoked(ctx, a)
}

func (s *Service) revokeAtService(ctx context.Context, a linkedaccount.Account, c provider.Credential) error {
	p, ok := s.Connections[a.AuthID]
	if !ok {
		err := errors.New("connections.yaml has no such auth id any more; put it back to have its accounts revoked")
		s.Log.ErrorContext(ctx, "revoking", "auth_id", a.AuthID, "account", a.ID, "error", err)
		return outbox.Later(err, operatorPause)
	}
	err := provider.ErrUnsupported
	if p.Revoker != nil {
		err = p.Revoker.Revoke(ctx, c)
	}
	switch {
	case errors.Is(err, provider.ErrUnsupported):
		s.auditAccount(ctx, "revoke.unsupported", a, "")
		return nil
	case errors.Is(err, provider.ErrRefused):
		s.Log.ErrorContext(ctx, "the service refuses to revoke; check the connection's client", "auth_id", a.AuthID, "error", err)
		return outbox.Later(err, operatorPause)
	case err != nil:
		return later(err)
	}
	s.auditAccount(ctx, "revoked", a, "")
	return nil
}

// later waits as long as the service asked us to; when it did not, the outbox knows how long.
func later(err error) error {
	var e *provider.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return outbox.Later(err, e.RetryAfter)
	}
	return err
}

// hostTrouble says when to try the host again.
func (s *Service) hostTrouble(ctx context.Context, err error) error {
	var unavailable *host.UnavailableError
	switch {
	case errors.As(err, &unavailable) && unavailable.RetryAfter > 0:
		return outbox.Later(err, unavailable.RetryAfter)
	case errors.Is(err, host.ErrUnauthorized):
		s.Log.ErrorContext(ctx, "the host does not accept HOST_API_KEY; what is owed to it waits", "error", err)
	}
	return err
}

func (s *Service) auditAccount(ctx context.Context, name string, a linkedaccount.Account, detail string) {
	err := s.Accounts.Audit(ctx, linkedaccount.Event{
		At: s.now(), Name: name, HostUserID: a.HostUserID, AuthID: a.AuthID, AccountID: a.ID, Detail: detail,
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "writing audit entry", "event", name, "account", a.ID, "error", err)
	}
}
