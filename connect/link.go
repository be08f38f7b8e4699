package connect

import (
	"context"
	"errors"

	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/retry"
)

// link trades the code for a credential, saves the account and tells the host.
func (s *Service) link(ctx context.Context, session oauthstate.Session, attempt []byte, cb provider.Callback) oauthstate.Result {
	ctx, cancel := context.WithTimeout(ctx, s.workTime())
	defer cancel()
	p, ok := s.Connections[session.AuthID]
	switch {
	case !ok:
		return failed(Changed)
	case s.withdrawn(ctx, session):
		return failed(Withdrawn)
	}
	a, err := provider.UnmarshalAttempt(attempt)
	if err != nil {
		s.Log.ErrorContext(ctx, "reading attempt", "error", err)
		return failed(Interrupted)
	}
	grant, err := p.Redirector.Exchange(ctx, a, cb)
	if err != nil {
		return s.unlinked(ctx, session, err)
	}
	return s.keep(ctx, session, p, grant)
}

// unlinked is how a sign-in ends that has brought nothing.
func (s *Service) unlinked(ctx context.Context, session oauthstate.Session, err error) oauthstate.Result {
	reason := reasonOf(err)
	s.Log.WarnContext(ctx, "linking failed", "auth_id", session.AuthID, "reason", reason, "error", err)
	s.audit(ctx, "link.failed", session, "", string(reason)+": "+err.Error())
	return failed(reason)
}

// keep saves what a sign-in has brought, and tells the host.
func (s *Service) keep(ctx context.Context, session oauthstate.Session, p *provider.Provider, grant provider.Grant) oauthstate.Result {
	account, promise, err := s.save(ctx, session, grant)
	if err != nil {
		s.Log.ErrorContext(ctx, "saving account", "auth_id", session.AuthID, "error", err)
		s.giveBack(ctx, p, grant.Credential)
		return failed(unsavedReason(err))
	}
	s.audit(ctx, "link.saved", session, account.ID, "")
	if s.withdrawn(ctx, session) { // else Offboard finds the account
		s.takeBack(ctx, account)
		return failed(Withdrawn)
	}
	r := s.tellHost(ctx, session, account, promise)
	if State(r.State) != Failed {
		r.ComponentID = s.bind(ctx, session, account)
	}
	return r
}

// bind lets the component that the session was opened for use the account, and returns it. The
// account is linked whether or not that works.
func (s *Service) bind(ctx context.Context, session oauthstate.Session, account linkedaccount.Account) string {
	if session.ComponentID == "" {
		return ""
	}
	ctx, cancel := aside(ctx)
	defer cancel()
	err := retry.Persist(ctx, func() error {
		_, err := s.Accounts.Bind(ctx, session.ComponentID, account.HostUserID, account.ID)
		return err
	}, linkedaccount.ErrNotFound) // it has been disconnected meanwhile
	if err != nil {
		s.Log.ErrorContext(ctx, "binding the component of a session", "component", session.ComponentID, "account", account.ID, "error", err)
		return ""
	}
	return session.ComponentID
}

// save keeps trying for a while, whatever time there was left: the code is spent, so a credential
// that is not saved is lost.
func (s *Service) save(ctx context.Context, session oauthstate.Session, g provider.Grant) (a linkedaccount.Account, promise string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveDeadline)
	defer cancel()
	err = retry.Persist(ctx, func() error {
		a, promise, err = s.Accounts.Link(ctx, session.HostUserID, session.AuthID, g)
		return err
	}, linkedaccount.ErrIdentity)
	return a, promise, err
}

func unsavedReason(err error) Reason {
	if errors.Is(err, linkedaccount.ErrIdentity) {
		return NotVerified
	}
	return Interrupted
}

// giveBack revokes a credential that could not be saved. There is nowhere to promise it, so it is
// tried once.
func (s *Service) giveBack(ctx context.Context, p *provider.Provider, c provider.Credential) {
	if p.Revoker == nil {
		return
	}
	ctx, cancel := aside(ctx)
	defer cancel()
	err := p.Revoker.Revoke(ctx, c)
	if err != nil && !errors.Is(err, provider.ErrUnsupported) {
		s.Log.ErrorContext(ctx, "revoking a credential that could not be saved", "auth_id", p.Connection.AuthID, "error", err)
	}
}

// tellHost tries the promise to the host at once, and reads off the account how that went. What is
// certain already, that the account will appear, is noted in the session first: should this
// process end here, nobody is told that nothing was linked.
func (s *Service) tellHost(ctx context.Context, session oauthstate.Session, account linkedaccount.Account, promise string) oauthstate.Result {
	ctx, cancel := aside(ctx)
	defer cancel()
	r := oauthstate.Result{State: string(Pending), Name: account.Identity.Name, Missing: account.Missing, AccountID: account.ID}
	err := s.asWorker(ctx, session, func(x *oauthstate.Session) { x.Result = &r })
	if err != nil {
		s.Log.WarnContext(ctx, "noting that an account is saved", "account", account.ID, "error", err)
	}
	return s.hostTold(ctx, r, account, promise)
}

// hostTold is r, a result that is pending, as it is once the promise to the host has been tried.
func (s *Service) hostTold(ctx context.Context, r oauthstate.Result, account linkedaccount.Account, promise string) oauthstate.Result {
	host, cancelHost := context.WithTimeout(ctx, hostDeadline)
	defer cancelHost()
	if err := s.Outbox.Try(host, promise); err != nil {
		s.Log.WarnContext(ctx, "telling the host at once", "account", account.ID, "error", err)
	}
	now, err := s.Accounts.ByID(ctx, account.ID)
	switch {
	case errors.Is(err, linkedaccount.ErrNotFound):
		return failed(HostRefused) // refused, revoked and deleted already
	case err != nil:
		return r
	case now.Status == linkedaccount.Refused:
		return failed(HostRefused)
	case now.Status == linkedaccount.Linked, now.Status == linkedaccount.ReauthRequired && now.HostID != "":
		r.State = string(Linked)
	}
	return r
}

func failed(why Reason) oauthstate.Result {
	return oauthstate.Result{State: string(Failed), Reason: string(why)}
}

// reasonOf tells which of our reasons an error of a provider is.
func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, provider.ErrDenied):
		return Denied
	case errors.Is(err, provider.ErrExpired):
		return CodeExpired
	case errors.Is(err, provider.ErrChanged):
		return Changed
	case errors.Is(err, provider.ErrNotVerified):
		return NotVerified
	case errors.Is(err, provider.ErrRefused), errors.Is(err, provider.ErrInvalidGrant):
		return ServiceRefused
	}
	return ServiceUnavailable
}
