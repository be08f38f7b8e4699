package connect

import (
	"context"
	"fmt"
	"time"

	"linkgate/oauthstate"
	"linkgate/provider"
)

// Begin opens a session for a host user's click and returns the address of its ticket page. It
// costs one write to Redis. ErrUnknownConnection, ErrTooMany, ErrUnavailable.
func (s *Service) Begin(ctx context.Context, hostUserID, authID string) (authorizationURL string, err error) {
	if _, ok := s.Connections[authID]; !ok {
		return "", ErrUnknownConnection
	}
	if ok, err := s.Limit.Allow(hostUserID); err != nil || !ok {
		return "", ErrTooMany
	}
	ticket := oauthstate.NewTicket()
	session := oauthstate.Session{
		ID: oauthstate.IDOf(ticket), AuthID: authID, HostUserID: hostUserID,
		Phase: oauthstate.New, CreatedAt: s.now(),
	}
	if err := s.Sessions.Create(ctx, session); err != nil {
		return "", sessionError(err)
	}
	return s.PublicURL + "/connect/" + ticket, nil
}

// Open binds the session to this browser (the first to ask) and tells what the ticket page shows.
// browser is the value of the browser's cookie. ErrExpired, ErrWrongBrowser, ErrUsed.
func (s *Service) Open(ctx context.Context, ticket, browser string) (View, error) {
	session, err := s.Sessions.Update(ctx, oauthstate.IDOf(ticket), func(x *oauthstate.Session) error {
		if x.Phase == oauthstate.New {
			x.Phase, x.BrowserHash = oauthstate.Opened, oauthstate.Hash(browser)
			return nil
		}
		return s.mayContinue(*x, browser)
	})
	if err != nil {
		s.auditIntruder(ctx, "ticket", session, err)
		return View{}, sessionError(err)
	}
	p, ok := s.Connections[session.AuthID]
	if !ok {
		return View{}, ErrUnknownConnection
	}
	return View{
		ServiceName: p.Connection.Name, HostUserID: session.HostUserID,
		HostUserName: s.hostUserName(ctx, session.HostUserID), Scopes: p.Connection.Scopes,
	}, nil
}

// Continue starts an attempt at the service and returns the address to send the browser to: the
// service's, or the result page when the service can't be asked. It may be called again by the
// same browser, after a failure too; the attempt before is void then.
func (s *Service) Continue(ctx context.Context, ticket, browser string) (redirectURL string, err error) {
	id := oauthstate.IDOf(ticket)
	session, err := s.Sessions.Get(ctx, id)
	if err == nil {
		err = s.mayContinue(session, browser)
	}
	if err != nil {
		s.auditIntruder(ctx, "ticket", session, err)
		return "", sessionError(err)
	}
	p, ok := s.Connections[session.AuthID]
	if !ok {
		return "", ErrUnknownConnection
	}
	state := oauthstate.NewToken(id)
	attempt, target, err := p.Redirector.Authorize(ctx, state, s.redirectURI(session.AuthID))
	if err != nil {
		return s.continueFailed(ctx, ticket, browser, err)
	}
	sealed, err := s.rememberAttempt(session, ticket, attempt)
	if err != nil {
		return "", err
	}
	_, err = s.Sessions.Update(ctx, id, func(x *oauthstate.Session) error {
		if err := s.mayContinue(*x, browser); err != nil {
			return err
		}
		x.Phase, x.StateHash, x.Sealed = oauthstate.Sent, oauthstate.Hash(state.Reveal()), sealed
		x.FinishHash, x.Worker, x.WorkSince, x.Result = "", "", time.Time{}, nil
		return nil
	})
	return target, sessionError(err)
}

// continueFailed ends a session whose service could not even be asked.
func (s *Service) continueFailed(ctx context.Context, ticket, browser string, cause error) (string, error) {
	s.Log.WarnContext(ctx, "starting an attempt at the service", "error", cause)
	_, err := s.Sessions.Update(ctx, oauthstate.IDOf(ticket), func(x *oauthstate.Session) error {
		if err := s.mayContinue(*x, browser); err != nil {
			return err
		}
		x.Phase, x.StateHash, x.Sealed = oauthstate.Done, "", nil
		x.Result = &oauthstate.Result{State: string(Failed), Reason: string(reasonOf(cause))}
		return nil
	})
	return s.resultURL(ticket), sessionError(err)
}

// mayContinue tells whether this browser may start an attempt: it has opened the session, and no
// attempt of it has succeeded or is being worked on.
func (s *Service) mayContinue(x oauthstate.Session, browser string) error {
	if !oauthstate.Matches(x.BrowserHash, browser) {
		return ErrWrongBrowser
	}
	switch x.Phase {
	case oauthstate.Opened, oauthstate.Sent:
		return nil
	case oauthstate.Done:
		if State(x.Result.State) == Failed {
			return nil
		}
	case oauthstate.Taken, oauthstate.Finishing:
		if s.stalled(x) {
			return nil
		}
	}
	return ErrUsed
}

// stalled tells that whoever worked on the session can't be at it any more.
func (s *Service) stalled(x oauthstate.Session) bool {
	return s.now().Sub(x.WorkSince) > stalledAfter
}

func (s *Service) hostUserName(ctx context.Context, hostUserID string) string {
	ctx, cancel := context.WithTimeout(ctx, nameDeadline)
	defer cancel()
	user, err := s.Host.User(ctx, hostUserID)
	if err != nil {
		s.Log.InfoContext(ctx, "asking the host for the user's name", "error", err)
		return ""
	}
	return user.DisplayName
}

func (s *Service) rememberAttempt(x oauthstate.Session, ticket string, a provider.Attempt) ([]byte, error) {
	attempt, err := a.Marshal()
	if err != nil {
		return nil, fmt.Errorf("writing attempt: %w", err)
	}
	return s.remember(x, memory{Ticket: ticket, Attempt: attempt})
}
