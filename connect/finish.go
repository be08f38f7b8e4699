package connect

import (
	"context"
	"errors"

	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/secret"
)

// awaitRelay holds the callback until the host relays the finish token: only then is the code
// exchanged, and only for the user who started.
func (s *Service) awaitRelay(ctx context.Context, session oauthstate.Session, m memory, cb provider.Callback) error {
	token := oauthstate.NewToken(session.ID)
	m.FinishToken, m.Callback = token, cb
	sealed, err := s.remember(session, m)
	if err != nil {
		return err
	}
	ctx, cancel := aside(ctx)
	defer cancel()
	return s.asWorker(ctx, session, func(x *oauthstate.Session) {
		x.Phase, x.Sealed, x.FinishHash = oauthstate.Relaying, sealed, oauthstate.Hash(token.Reveal())
	})
}

// Finish is the host's relay of a finish token with the user who holds the window. Another user
// than the one who started ends the session; the code is never exchanged then.
// ErrExpired, ErrUsed, ErrWrongUser, ErrWrongConnection.
func (s *Service) Finish(ctx context.Context, hostUserID, authID string, token secret.Text) (Result, error) {
	id, ok := oauthstate.SessionOf(token.Reveal())
	if !ok {
		return Result{}, ErrExpired
	}
	session, m, err := s.takeRelay(ctx, id, hostUserID, authID, token)
	switch {
	case errors.Is(err, errTaken):
		return s.await(ctx, session)
	case errors.Is(err, ErrWrongUser):
		s.auditIntruder(ctx, "finish", session, err)
		return Result{}, err
	case err != nil:
		s.auditIntruder(ctx, "finish", session, err)
		return Result{}, sessionError(err)
	}
	ctx = context.WithoutCancel(ctx)
	r := s.relayed(ctx, session, m, session.HostUserID == hostUserID)
	if err := s.conclude(ctx, session, m.Ticket, r); err != nil && !errors.Is(err, errTaken) {
		return Result{}, sessionError(err)
	}
	if session.HostUserID != hostUserID {
		s.auditIntruder(ctx, "finish", session, ErrWrongUser)
		return Result{}, ErrWrongUser
	}
	return s.resultOf(session, r), nil
}

// relayed links what was held back for the host's relay. For another user than the one who started
// nothing is, and what our own form has brought is given back.
func (s *Service) relayed(ctx context.Context, session oauthstate.Session, m memory, sameUser bool) oauthstate.Result {
	p, ok := s.Connections[session.AuthID]
	switch {
	case !sameUser:
		if ok && m.Grant != nil {
			s.giveBack(ctx, p, m.Grant.Credential)
		}
		return failed(FinishedByOther)
	case m.Grant == nil:
		return s.link(ctx, session, m.Attempt, m.Callback)
	case !ok:
		return failed(Changed)
	case s.withdrawn(ctx, session):
		s.giveBack(ctx, p, m.Grant.Credential)
		return failed(Withdrawn)
	}
	return s.keep(ctx, session, p, *m.Grant)
}

// takeRelay takes a session that waits for its relay. Of several relays one gets it; the others
// see errTaken, or ErrWrongUser if they are not the user who started. The token stays known, so
// that a relay that is sent twice finds the result.
func (s *Service) takeRelay(ctx context.Context, id, hostUserID, authID string, token secret.Text) (session oauthstate.Session, m memory, err error) {
	now, err := s.Sessions.Now(ctx)
	if err != nil {
		return session, m, err
	}
	worker := oauthstate.NewTicket()
	session, err = s.Sessions.Update(ctx, id, func(x *oauthstate.Session) (err error) {
		switch {
		case !oauthstate.Matches(x.FinishHash, token.Reveal()):
			return ErrExpired
		case x.AuthID != authID:
			return ErrWrongConnection
		case x.Phase != oauthstate.Relaying && x.HostUserID != hostUserID:
			return ErrWrongUser
		case x.Phase != oauthstate.Relaying:
			return errTaken
		}
		if m, err = s.recall(*x); err != nil {
			return err
		}
		x.Phase, x.Worker, x.WorkSince = oauthstate.Finishing, worker, now
		return nil
	})
	return session, m, err
}
