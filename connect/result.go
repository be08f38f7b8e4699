package connect

import (
	"context"
	"time"

	"linkgate/oauthstate"
)

// Result tells how a session ended, to the browser it is bound to. While the work goes on it
// waits a few seconds for the end. ErrExpired, ErrWrongBrowser.
func (s *Service) Result(ctx context.Context, ticket, browser string) (Result, error) {
	session, err := s.Sessions.Get(ctx, oauthstate.IDOf(ticket))
	if err != nil {
		return Result{}, sessionError(err)
	}
	if !oauthstate.Matches(session.BrowserHash, browser) {
		s.auditIntruder(ctx, "result", session, ErrWrongBrowser)
		return Result{}, ErrWrongBrowser
	}
	r, err := s.await(ctx, session)
	r.Ticket = ticket
	return r, err
}

// await looks at a session until the work on it has ended or patience has.
func (s *Service) await(ctx context.Context, session oauthstate.Session) (Result, error) {
	patience := time.After(resultPatience)
	for {
		if r, settled := s.settled(session); settled {
			return s.withToken(r, session)
		}
		select {
		case <-patience:
			return Result{State: Working, ServiceName: s.serviceName(session.AuthID)}, nil
		case <-ctx.Done():
			return Result{}, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		var err error
		if session, err = s.Sessions.Get(ctx, session.ID); err != nil {
			return Result{}, sessionError(err)
		}
	}
}

// settled tells what a session shows, unless somebody is at work on it.
func (s *Service) settled(x oauthstate.Session) (Result, bool) {
	switch x.Phase {
	case oauthstate.Done:
		return s.ended(x, *x.Result), true
	case oauthstate.Relaying:
		return Result{State: Relaying, ServiceName: s.serviceName(x.AuthID)}, true
	case oauthstate.Taken, oauthstate.Finishing:
		if s.stalled(x) {
			return s.ended(x, failed(Interrupted)), true
		}
		return Result{}, false
	}
	return Result{State: Open, ServiceName: s.serviceName(x.AuthID)}, true
}

func (s *Service) ended(x oauthstate.Session, r oauthstate.Result) Result {
	return Result{
		State: State(r.State), Reason: Reason(r.Reason), ServiceName: s.serviceName(x.AuthID),
		AccountName: r.Name, Missing: r.Missing,
	}
}

// withToken adds the finish token that the page of a relaying session posts.
func (s *Service) withToken(r Result, x oauthstate.Session) (Result, error) {
	if r.State != Relaying {
		return r, nil
	}
	m, err := s.recall(x)
	if err != nil {
		return Result{}, err
	}
	r.FinishToken = m.FinishToken
	return r, nil
}
