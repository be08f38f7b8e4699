package connect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/provider"
)

// errTaken: another callback with this state is, or was, faster.
var errTaken = errors.New("the callback has been taken")

// Complete takes a callback. Of many with the same state one does the work; all return the
// ticket whose result page tells the outcome. An error means that no session is concerned:
// ErrExpired, ErrWrongBrowser, ErrWrongConnection, ErrUnavailable.
func (s *Service) Complete(ctx context.Context, authID, browser, state string, cb provider.Callback) (ticket string, err error) {
	id, ok := oauthstate.SessionOf(state)
	if !ok {
		return "", ErrExpired
	}
	worker := oauthstate.NewTicket()
	session, err := s.Sessions.Update(ctx, id, func(x *oauthstate.Session) error {
		if err := mayComplete(*x, authID, browser, state); err != nil {
			return err
		}
		x.Phase, x.Worker, x.WorkSince = oauthstate.Taken, worker, s.now()
		return nil
	})
	if err != nil && !errors.Is(err, errTaken) {
		s.auditIntruder(ctx, "callback", session, err)
		return "", sessionError(err)
	}
	m, recallErr := s.recall(session)
	if recallErr != nil {
		return "", recallErr
	}
	if err == nil {
		err = s.work(context.WithoutCancel(ctx), session, m, cb)
	}
	if errors.Is(err, errTaken) {
		return m.Ticket, nil
	}
	return m.Ticket, sessionError(err)
}

// mayComplete checks that the callback belongs to the session's current attempt, to the browser
// that made it and to the connection it was made for (RFC 9700 §4.4, §4.7).
func mayComplete(x oauthstate.Session, authID, browser, state string) error {
	switch {
	case !oauthstate.Matches(x.StateHash, state):
		return ErrExpired
	case !oauthstate.Matches(x.BrowserHash, browser):
		return ErrWrongBrowser
	case x.AuthID != authID:
		return ErrWrongConnection
	case x.Phase != oauthstate.Sent:
		return errTaken
	}
	return nil
}

// work does what the one winning callback must: hand over to the host's relay, or link.
func (s *Service) work(ctx context.Context, session oauthstate.Session, m memory, cb provider.Callback) error {
	ctx, cancel := context.WithTimeout(ctx, workDeadline)
	defer cancel()
	if s.HostFinish && cb.Error == "" {
		return s.awaitRelay(ctx, session, m, cb)
	}
	return s.end(ctx, session, m.Ticket, s.link(ctx, session, m.Attempt, cb))
}

// end stores how a session ended, unless another worker has it by now. What the attempt
// remembered is forgotten, but for the ticket: late callbacks are led to the result.
func (s *Service) end(ctx context.Context, session oauthstate.Session, ticket string, r oauthstate.Result) error {
	sealed, err := s.remember(session, memory{Ticket: ticket})
	if err != nil {
		return err
	}
	_, err = s.Sessions.Update(ctx, session.ID, func(x *oauthstate.Session) error {
		if x.Worker != session.Worker {
			return errTaken
		}
		x.Phase, x.Sealed, x.Result = oauthstate.Done, sealed, &r
		return nil
	})
	return err
}

// link trades the code for a credential, saves the account and tells the host.
func (s *Service) link(ctx context.Context, session oauthstate.Session, attempt []byte, cb provider.Callback) oauthstate.Result {
	p, ok := s.Connections[session.AuthID]
	if !ok {
		return failed(Changed)
	}
	a, err := provider.UnmarshalAttempt(attempt)
	if err != nil {
		s.Log.ErrorContext(ctx, "reading attempt", "error", err)
		return failed(Interrupted)
	}
	grant, err := p.Redirector.Exchange(ctx, a, cb)
	if err != nil {
		reason := reasonOf(err)
		s.Log.WarnContext(ctx, "linking failed", "auth_id", session.AuthID, "reason", reason, "error", err)
		s.audit(ctx, "link.failed", session, "", string(reason)+": "+err.Error())
		return failed(reason)
	}
	account, promise, err := s.save(ctx, session, grant)
	if err != nil {
		s.Log.ErrorContext(ctx, "saving account", "auth_id", session.AuthID, "error", err)
		s.giveBack(ctx, p, grant.Credential)
		if errors.Is(err, linkedaccount.ErrIdentity) {
			return failed(NotVerified)
		}
		return failed(Interrupted)
	}
	s.audit(ctx, "link.saved", session, account.ID, "")
	return s.tellHost(ctx, session, account, promise)
}

// save keeps trying for a while: the code is spent, so a credential that is not saved is lost.
func (s *Service) save(ctx context.Context, session oauthstate.Session, g provider.Grant) (a linkedaccount.Account, promise string, err error) {
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		a, promise, err = s.Accounts.Link(ctx, session.HostUserID, session.AuthID, g)
		if err == nil || errors.Is(err, linkedaccount.ErrIdentity) || pause > 5*time.Second {
			return a, promise, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return a, promise, fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
	}
}

// giveBack revokes a credential that could not be saved. There is nowhere to promise it, so it is
// tried once.
func (s *Service) giveBack(ctx context.Context, p *provider.Provider, c provider.Credential) {
	if p.Revoker == nil {
		return
	}
	if err := p.Revoker.Revoke(ctx, c); err != nil {
		s.Log.ErrorContext(ctx, "revoking a credential that could not be saved", "auth_id", p.Connection.AuthID, "error", err)
	}
}

// tellHost tries the promise to the host at once, and reads off the account how that went.
func (s *Service) tellHost(ctx context.Context, session oauthstate.Session, account linkedaccount.Account, promise string) oauthstate.Result {
	hostCtx, cancel := context.WithTimeout(ctx, hostDeadline)
	defer cancel()
	if err := s.Outbox.Try(hostCtx, promise); err != nil {
		s.Log.WarnContext(ctx, "telling the host at once", "account", account.ID, "error", err)
	}
	r := oauthstate.Result{
		State: string(Pending), AccountID: account.ID, Name: account.Identity.Name, Missing: account.Missing,
	}
	now, err := s.Accounts.ByID(ctx, account.ID)
	switch {
	case errors.Is(err, linkedaccount.ErrNotFound):
		return failed(HostRefused) // refused, revoked and deleted already
	case err != nil:
		return r
	case now.Status == linkedaccount.Refused:
		return failed(HostRefused)
	case now.Status == linkedaccount.Linked:
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
	case errors.Is(err, provider.ErrChanged):
		return Changed
	case errors.Is(err, provider.ErrNotVerified):
		return NotVerified
	case errors.Is(err, provider.ErrRefused), errors.Is(err, provider.ErrInvalidGrant):
		return ServiceRefused
	}
	return ServiceUnavailable
}

// auditIntruder writes down who was turned away from a session that is there: a page or callback
// in a second browser, at another connection, with a state that is not the attempt's. One that
// leads to no session at all is not written down, or anybody could fill the trail.
func (s *Service) auditIntruder(ctx context.Context, where string, session oauthstate.Session, err error) {
	if session.ID == "" {
		return
	}
	switch {
	case errors.Is(err, ErrWrongBrowser):
		s.audit(ctx, where+".wrong_browser", session, "", "")
	case errors.Is(err, ErrWrongConnection):
		s.audit(ctx, where+".wrong_connection", session, "", "")
	case errors.Is(err, ErrExpired):
		s.audit(ctx, where+".wrong_state", session, "", "")
	case errors.Is(err, ErrWrongUser):
		s.audit(ctx, where+".wrong_user", session, "", "")
	}
}
