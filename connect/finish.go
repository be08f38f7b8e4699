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
	_, err = s.Sessions.Update(ctx, session.ID, func(x *oauthstate.Session) error {
		if x.Worker != session.Worker {
			return errTaken
		}
		x.Phase, x.Sealed, x.FinishHash = oauthstate.Relaying, sealed, oauthstate.Hash(token.Reveal())
		return nil
	})
	return err
}

// Finish is the host's relay of a finish token with the user who holds the window. Another user
// than the one who started ends the session; the code is never exchanged then.
// ErrExpired, ErrUsed, ErrWrongUser, ErrWrongConnection.
func (s *Service) Finish(ctx context.Context, hostUserID, authID string, token secret.Text) (Result, error) {
	id, ok := oauthstate.SessionOf(token.Reveal())
	if !ok {
		return Result{}, ErrExpired
	}
	worker := oauthstate.NewTicket()
	session, err := s.Sessions.Update(ctx, id, func(x *oauthstate.Session) error {
		if err := mayFinish(*x, authID, token); err != nil {
			return err
		}
		if x.HostUserID != hostUserID {
			r := failed(FinishedByOther)
			x.Phase, x.Result, x.Worker = oauthstate.Done, &r, worker
			return nil
		}
		x.Phase, x.Worker, x.WorkSince = oauthstate.Finishing, worker, s.now()
		return nil
	})
	if session.ID != "" && session.HostUserID != hostUserID && (err == nil || errors.Is(err, errTaken)) {
		s.auditIntruder(ctx, "finish", session, ErrWrongUser)
		return Result{}, ErrWrongUser
	}
	if errors.Is(err, errTaken) {
		return s.await(ctx, session)
	}
	if err != nil {
		s.auditIntruder(ctx, "finish", session, err)
		return Result{}, sessionError(err)
	}
	return s.finish(context.WithoutCancel(ctx), session)
}

// mayFinish checks that the token is the session's and that it waits for it.
func mayFinish(x oauthstate.Session, authID string, token secret.Text) error {
	switch {
	case !oauthstate.Matches(x.FinishHash, token.Reveal()):
		return ErrExpired
	case x.AuthID != authID:
		return ErrWrongConnection
	case x.Phase != oauthstate.Relaying:
		return errTaken
	}
	return nil
}

func (s *Service) finish(ctx context.Context, session oauthstate.Session) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, workDeadline)
	defer cancel()
	m, err := s.recall(session)
	if err != nil {
		return Result{}, err
	}
	r := s.link(ctx, session, m.Attempt, provider.Callback{Code: m.Callback.Code, Issuer: m.Callback.Issuer})
	if err := s.end(ctx, session, m.Ticket, r); err != nil {
		return Result{}, sessionError(err)
	}
	return s.ended(session, r), nil
}
