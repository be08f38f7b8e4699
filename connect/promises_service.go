package connect

import (
	"context"
	"errors"

	"linkgate/linkedaccount"
	"linkgate/outbox"
	"linkgate/provider"
)

// revoke makes the credential useless at the service, where the service can do that.
func (s *Service) revoke(ctx context.Context, m outbox.Message) error {
	a, c, err := s.Accounts.Revocable(ctx, m.AccountID)
	if errors.Is(err, linkedaccount.ErrNotFound) {
		return nil
	}
	if err == nil {
		a.Unrevocable, err = s.revokeAtService(ctx, a, c)
	}
	if err != nil {
		return err
	}
	return s.Accounts.Revoked(ctx, a)
}

// revokeAtService tells whether the service has no way to do it.
func (s *Service) revokeAtService(ctx context.Context, a linkedaccount.Account, c provider.Credential) (unsupported bool, _ error) {
	p, ok := s.Connections[a.AuthID]
	if !ok {
		err := errors.New("connections.yaml has no such auth id any more; put it back to have its accounts revoked")
		s.Log.ErrorContext(ctx, "revoking", "auth_id", a.AuthID, "account", a.ID, "error", err)
		return false, outbox.Later(err, operatorPause)
	}
	err := provider.ErrUnsupported
	if p.Revoker != nil {
		err = p.Revoker.Revoke(ctx, c)
	}
	switch {
	case errors.Is(err, provider.ErrUnsupported):
		s.auditAccount(ctx, "revoke.unsupported", a, "")
		return true, nil
	case errors.Is(err, provider.ErrRefused):
		s.Log.ErrorContext(ctx, "the service refuses to revoke; check the connection's client", "auth_id", a.AuthID, "error", err)
		return false, outbox.Later(err, operatorPause)
	case err != nil:
		return false, later(err)
	}
	s.auditAccount(ctx, "revoked", a, "")
	return false, nil
}

// later waits as long as the service asked us to; when it did not, the outbox knows how long.
func later(err error) error {
	var e *provider.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return outbox.Later(err, e.RetryAfter)
	}
	return err
}
