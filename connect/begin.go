package connect

import (
	"context"
	"fmt"
	"time"

	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/secret"
)

// Begin opens a session for a host user's click and returns the address of its ticket page. It
// costs one write to Redis. ErrUnknownConnection, ErrTooMany, ErrUnavailable.
func (s *Service) Begin(ctx context.Context, hostUserID, authID string) (authorizationURL string, err error) {
	if _, ok := s.Connections[authID]; !ok {
		return "", ErrUnknownConnection
	}
	_, ticket, err := s.create(ctx, oauthstate.Session{AuthID: authID, HostUserID: hostUserID})
	if err != nil {
		return "", err
	}
	return s.ticketURL(ticket), nil
}

// create stores a new session, unless its user has had too many.
func (s *Service) create(ctx context.Context, session oauthstate.Session) (_ oauthstate.Session, ticket string, err error) {
	if ok, err := s.Limit.Allow(session.HostUserID); err != nil || !ok {
		return session, "", ErrTooMany
	}
	ticket = oauthstate.NewTicket()
	session.ID, session.Phase, session.CreatedAt = oauthstate.IDOf(ticket), oauthstate.New, s.now()
	if err := s.Sessions.Create(ctx, session); err != nil {
		return session, "", sessionError(err)
	}
	return session, ticket, nil
}

// Open binds the session to this browser (the first to ask) and tells what the ticket page shows.
// browser is the value of the browser's cookie. ErrExpired, ErrWrongBrowser, ErrUsed.
func (s *Service) Open(ctx context.Context, ticket, browser string) (View, error) {
	id := oauthstate.IDOf(ticket)
	session, err := s.Sessions.Update(ctx, id, func(x *oauthstate.Session) error {
		if x.Phase == oauthstate.New {
			x.Phase, x.BrowserHash = oauthstate.Opened, oauthstate.Hash(browser)
			return nil
		}
		return s.mayContinue(ctx, *x, browser)
	})
	if err != nil {
		s.auditIntruder(ctx, "ticket", session, err)
		return View{}, sessionError(err)
	}
	p, ok := s.Connections[session.AuthID]
	if !ok {
		return View{}, ErrUnknownConnection
	}
	return s.view(ctx, session, p), nil
}

func (s *Service) view(ctx context.Context, session oauthstate.Session, p *provider.Provider) View {
	scopes := p.Connection.Scopes
	if len(session.Scopes) > 0 {
		scopes = session.Scopes
	}
	return View{
		ServiceName: p.Connection.Name, HostUserID: session.HostUserID, HostUserName: s.hostUserName(ctx, session),
		Scopes: scopes, Fields: p.Connection.Fields, Form: p.Form != nil,
		ByCode: p.Device != nil, Shared: p.Connection.IsShared(),
	}
}

// Continue starts an attempt at the service and returns the address to send the browser to: the
// service's, or the result page when the service can't be asked. It may be called again by the
// same browser, after a failure too; the attempt before is void then. values are what the user has
// typed, by field key. *FieldsError: some of it is wrong.
func (s *Service) Continue(ctx context.Context, ticket, browser string, values map[string]secret.Text) (redirectURL string, err error) {
	session, p, values, err := s.toContinue(ctx, ticket, browser, values)
	if err != nil {
		return "", err
	}
	if p.Form != nil {
		return s.submit(ctx, p, session, ticket, browser, values)
	}
	state := oauthstate.NewToken(session.ID)
	attempt, target, err := authorize(ctx, p, values, state, s.redirectURI(session.AuthID), session.Scopes)
	if err != nil {
		return s.continueFailed(ctx, ticket, browser, err)
	}
	sealed, err := s.rememberAttempt(session, ticket, attempt)
	if err != nil {
		return "", err
	}
	_, err = s.Sessions.Update(ctx, session.ID, func(x *oauthstate.Session) error {
		if err := s.mayContinue(ctx, *x, browser); err != nil {
			return err
		}
		*x = fresh(*x)
		x.Phase, x.StateHash, x.Sealed = oauthstate.Sent, oauthstate.Hash(state.Reveal()), sealed
		return nil
	})
	return target, sessionError(err)
}

// toContinue is the session of a browser that may start an attempt in it, its provider, and what the
// user has typed, checked.
func (s *Service) toContinue(ctx context.Context, ticket, browser string, values map[string]secret.Text) (oauthstate.Session, *provider.Provider, map[string]secret.Text, error) {
	session, err := s.Sessions.Get(ctx, oauthstate.IDOf(ticket))
	if err == nil {
		err = s.mayContinue(ctx, session, browser)
	}
	if err != nil {
		s.auditIntruder(ctx, "ticket", session, err)
		return session, nil, nil, sessionError(err)
	}
	p, ok := s.Connections[session.AuthID]
	if !ok {
		return session, nil, nil, ErrUnknownConnection
	}
	values, mistakes := p.Connection.CheckFields(values)
	if len(mistakes) > 0 {
		return session, nil, nil, s.mistaken(ctx, session, p, mistakes)
	}
	return session, p, values, nil
}

// authorize starts an attempt at the customer's service.
func authorize(ctx context.Context, p *provider.Provider, values map[string]secret.Text, state secret.Text, redirectURI string, scopes []string) (provider.Attempt, string, error) {
	one, err := p.With(p.Connection.Settings(values))
	if err != nil {
		return provider.Attempt{}, "", err
	}
	return one.Redirector.Authorize(ctx, state, redirectURI, scopes...)
}

// fresh is a session without what an attempt before has left in it.
func fresh(x oauthstate.Session) oauthstate.Session {
	x.StateHash, x.FinishHash, x.Sealed = "", "", nil
	x.Worker, x.WorkSince, x.Result = "", time.Time{}, nil
	x.Attempts++
	return x
}

// continueFailed ends a session whose service could not even be asked.
func (s *Service) continueFailed(ctx context.Context, ticket, browser string, cause error) (string, error) {
	s.Log.WarnContext(ctx, "starting an attempt at the service", "error", cause)
	_, err := s.Sessions.Update(ctx, oauthstate.IDOf(ticket), func(x *oauthstate.Session) error {
		if err := s.mayContinue(ctx, *x, browser); err != nil {
			return err
		}
		r := failed(reasonOf(cause))
		*x = fresh(*x)
		x.Phase, x.Result = oauthstate.Done, &r
		return nil
	})
	return s.resultURL(ticket), sessionError(err)
}

// mayContinue tells whether this browser may start an attempt: it has opened the session, and no
// attempt of it has succeeded in full or is being worked on. An attempt that waits for the host's relay
// may be given up: its code has not been sent.
func (s *Service) mayContinue(ctx context.Context, x oauthstate.Session, browser string) error {
	if !oauthstate.Matches(x.BrowserHash, browser) {
		return ErrWrongBrowser
	}
	if x.Attempts >= attemptsMost {
		return ErrTooMany
	}
	switch x.Phase {
	case oauthstate.Opened, oauthstate.Sent, oauthstate.Waiting, oauthstate.Relaying:
		return nil
	case oauthstate.Done:
		over := Reason(x.Result.Reason) == FinishedByOther || Reason(x.Result.Reason) == Withdrawn
		if State(x.Result.State) == Failed && !over {
			return nil
		}
		if len(x.Result.Missing) > 0 { // the account is updated in place
			return nil
		}
	case oauthstate.Taken, oauthstate.Asking, oauthstate.Finishing:
		age, err := s.age(ctx, x)
		if err != nil {
			return err
		}
		if age > s.stalledAfter() && x.Result == nil {
			return nil
		}
	}
	return ErrUsed
}

// stalledAfter is when whoever worked on a session can't be at it any more: the service's part,
// the save, and three ends that each have a deadline of their own.
func (s *Service) stalledAfter() time.Duration {
	return s.workTime() + saveDeadline + 3*endDeadline
}

// age is how long a session has been worked on, by the clock of Redis: those of replicas differ.
func (s *Service) age(ctx context.Context, x oauthstate.Session) (time.Duration, error) {
	now, err := s.Sessions.Now(ctx)
	return now.Sub(x.WorkSince), err
}

// hostUserName asks the host for the user's name, once for a session.
func (s *Service) hostUserName(ctx context.Context, session oauthstate.Session) string {
	if session.HostUserName != "" {
		return session.HostUserName
	}
	asking, cancel := context.WithTimeout(ctx, nameDeadline)
	defer cancel()
	user, err := s.Host.User(asking, session.HostUserID)
	if err != nil || user.DisplayName == "" {
		s.Log.InfoContext(ctx, "asking the host for the user's name", "error", err)
		return ""
	}
	_, err = s.Sessions.Update(ctx, session.ID, func(x *oauthstate.Session) error {
		x.HostUserName = user.DisplayName
		return nil
	})
	if err != nil {
		s.Log.InfoContext(ctx, "keeping the user's name", "error", err)
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
