package connect

import (
	"context"
	"errors"
	"strconv"
	"time"

	"linkgate/host"
	"linkgate/linkedaccount"
	"linkgate/outbox"
)

// addAtHost writes the account at the host: updates the record that is there, else adds one. One
// whose user must sign in again before the host has heard of it is still the user's account.
func (s *Service) addAtHost(ctx context.Context, m outbox.Message) error {
	a, err := s.Accounts.ByID(ctx, m.AccountID)
	if errors.Is(err, linkedaccount.ErrNotFound) {
		return nil
	}
	if err != nil || a.Status != linkedaccount.Linking && a.Status != linkedaccount.ReauthRequired {
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

// writeAtHost updates the host's record, or adds one.
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
	there, err := s.Host.AddOrFind(ctx, a.HostUserID, record, s.idempotencyKey(m, a), mayHaveArrived)
	if err != nil || !mayHaveArrived {
		return there.ID, err
	}
	record.ID = there.ID // what was found may be older
	_, err = s.Host.Update(ctx, a.HostUserID, record)
	return there.ID, err
}

// idempotencyKey is the promise's: the same for each attempt, another when the account is linked
// again. So it is when the record has changed since the last attempt, as a host may refuse a key
// that it has seen with another body, and its refusal would end the link.
func (s *Service) idempotencyKey(m outbox.Message, a linkedaccount.Account) string {
	key := m.ID
	if a.Status == linkedaccount.ReauthRequired {
		key += "-reauth"
	}
	if s.ShareTokens {
		key += "-" + strconv.FormatInt(a.TokenVersion, 10)
	}
	return key
}

// hostRecord is what the host is to know: the stable external id, the name for people, whether
// they must sign in again, and the tokens only if the operator wants the host to have them.
func (s *Service) hostRecord(ctx context.Context, a linkedaccount.Account) (host.LinkedAccount, error) {
	record := host.LinkedAccount{
		ID: a.HostID, AuthID: a.AuthID, ExternalAccountID: a.Identity.Subject, Extra: a.Identity.Name,
		RequiresReauth: a.Status == linkedaccount.ReauthRequired,
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

// updateAtHost brings the host's record up to date. It leaves an account alone that the host has
// no record of yet: the promise to add it tells how the account is by then. A record that the host
// has deleted stays deleted.
func (s *Service) updateAtHost(ctx context.Context, m outbox.Message) error {
	a, err := s.Accounts.ByID(ctx, m.AccountID)
	if errors.Is(err, linkedaccount.ErrNotFound) {
		return nil
	}
	isAtHost := a.HostID != "" && (a.Status == linkedaccount.Linked || a.Status == linkedaccount.ReauthRequired)
	if err != nil || !isAtHost {
		return err
	}
	record, err := s.hostRecord(ctx, a)
	if err != nil {
		return err
	}
	_, err = s.Host.Update(ctx, a.HostUserID, record)
	var refused *host.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, host.ErrNotFound):
		s.Log.InfoContext(ctx, "the host has deleted an account's record; it is not told of a change", "account", a.ID)
		return nil
	case errors.As(err, &refused):
		s.Log.ErrorContext(ctx, "the host refuses to update an account", "account", a.ID, "error", err)
		return outbox.Dead(err)
	}
	return s.hostTrouble(ctx, err)
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
