package connect

import (
	"context"
	"errors"
	"slices"

	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/retry"
)

// errTaken: another callback or relay was, or is, faster.
var errTaken = errors.New("another request is at it, or has done it")

// Complete takes a callback. Of many with the same state one does the work; all return the
// ticket whose result page tells the outcome. An error means that no session is concerned:
// ErrExpired, ErrWrongBrowser, ErrWrongConnection, ErrUnavailable.
func (s *Service) Complete(ctx context.Context, authID, browser, state string, cb provider.Callback) (ticket string, err error) {
	id, ok := oauthstate.SessionOf(state)
	if !ok {
		return "", ErrExpired
	}
	now, err := s.Sessions.Now(ctx)
	if err != nil {
		return "", sessionError(err)
	}
	worker := oauthstate.NewTicket()
	var m memory
	session, err := s.Sessions.Update(ctx, id, func(x *oauthstate.Session) (err error) {
		if err := belongs(*x, authID, browser, state); err != nil {
			return err
		}
		if m, err = s.recall(*x); err != nil {
			return err
		}
		if x.Phase != oauthstate.Sent {
			return errTaken
		}
		x.Phase, x.Worker, x.WorkSince = oauthstate.Taken, worker, now
		return nil
	})
	if err == nil {
		err = s.work(context.WithoutCancel(ctx), session, m, cb)
	}
	if err != nil && !errors.Is(err, errTaken) {
		s.auditIntruder(ctx, "callback", session, err)
		return "", sessionError(err)
	}
	return m.Ticket, nil
}

// belongs checks that a callback belongs to the session's current attempt, to the browser that
// made it and to the connection it was made for (RFC 9700 §4.4, §4.7).
func belongs(x oauthstate.Session, authID, browser, state string) error {
	switch {
	case !oauthstate.Matches(x.StateHash, state):
		return ErrExpired
	case !oauthstate.Matches(x.BrowserHash, browser):
		return ErrWrongBrowser
	case x.AuthID != authID:
		return ErrWrongConnection
	}
	return nil
}

// work does what the one winning callback must: hand over to the host's relay, or link.
func (s *Service) work(ctx context.Context, session oauthstate.Session, m memory, cb provider.Callback) error {
	if s.HostFinish && cb.Error == "" {
		return s.awaitRelay(ctx, session, m, cb)
	}
	return s.conclude(ctx, session, m.Ticket, s.link(ctx, session, m.Attempt, cb))
}

// conclude stores how a session ended. What the attempt remembered is forgotten, but for the
// ticket: late callbacks are led to the result. Redis may be away for a moment; what is at stake
// is that the person is told the truth.
func (s *Service) conclude(ctx context.Context, session oauthstate.Session, ticket string, r oauthstate.Result) error {
	ctx, cancel := aside(ctx)
	defer cancel()
	sealed, err := s.remember(session, memory{Ticket: ticket})
	if err != nil {
		return err
	}
	return retry.Persist(ctx, func() error {
		return s.asWorker(ctx, session, func(x *oauthstate.Session) {
			x.Phase, x.Sealed, x.Result = oauthstate.Done, sealed, &r
		})
	}, errTaken, oauthstate.ErrNotFound)
}

// asWorker changes a session that this worker has taken; errTaken when it is another's by now.
func (s *Service) asWorker(ctx context.Context, session oauthstate.Session, change func(*oauthstate.Session)) error {
	_, err := s.Sessions.Update(ctx, session.ID, func(x *oauthstate.Session) error {
		if x.Worker != session.Worker {
			return errTaken
		}
		change(x)
		return nil
	})
	return err
}

// auditIntruder writes down who was turned away from a session that is there: a page or callback
// in a second browser, at another connection, with a state that is not the attempt's. Once for
// each session and kind, and not at all for what leads to no session: nobody can fill the trail.
func (s *Service) auditIntruder(ctx context.Context, where string, session oauthstate.Session, err error) {
	name := where + "." + intrusion(err)
	if session.ID == "" || intrusion(err) == "" || slices.Contains(session.Noted, name) {
		return
	}
	_, err = s.Sessions.Update(ctx, session.ID, func(x *oauthstate.Session) error {
		if slices.Contains(x.Noted, name) {
			return errTaken
		}
		x.Noted = append(slices.Clone(x.Noted), name)
		return nil
	})
	if !errors.Is(err, errTaken) {
		s.audit(ctx, name, session, "", "")
	}
}

func intrusion(err error) string {
	switch {
	case errors.Is(err, ErrWrongBrowser):
		return "wrong_browser"
	case errors.Is(err, ErrWrongConnection):
		return "wrong_connection"
	case errors.Is(err, ErrExpired):
		return "wrong_state"
	case errors.Is(err, ErrWrongUser):
		return "wrong_user"
	}
	return ""
}
