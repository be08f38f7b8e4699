package connect

import (
	"context"
	"time"

	"linkgate/linkedaccount"
	"linkgate/outbox"
)

// operatorPause is how long a promise rests that only the operator can make possible again.
const operatorPause = 5 * time.Minute

// Promises are the outbox's handlers: what is owed to the host (promises_host.go) and to the
// service (promises_service.go).
func (s *Service) Promises() map[string]outbox.Handler {
	return map[string]outbox.Handler{
		linkedaccount.HostAdd:    s.addAtHost,
		linkedaccount.HostUpdate: s.updateAtHost,
		linkedaccount.HostDelete: s.deleteAtHost,
		linkedaccount.Revoke:     s.revoke,
	}
}

func (s *Service) auditAccount(ctx context.Context, name string, a linkedaccount.Account, detail string) {
	err := s.Accounts.Audit(ctx, linkedaccount.Event{
		At: s.now(), Name: name, HostUserID: a.HostUserID, AuthID: a.AuthID, AccountID: a.ID, Detail: detail,
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "writing audit entry", "event", name, "account", a.ID, "error", err)
	}
}
