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
		r, settled, err := s.settled(ctx, session)
		if settled || err != nil {
			return r, sessionError(err)
		}
		select {
		case <-patience:
			return s.resultOf(session, oauthstate.Result{State: string(Working)}), nil
		case <-ctx.Done():
			return Result{}, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if session, err = s.Sessions.Get(ctx, session.ID); err != nil {
			return Result{}, sessionError(err)
		}
	}
}

// settled tells what a session shows, unless somebody is at work on it.
func (s *Service) settled(ctx context.Context, x oauthstate.Session) (_ Result, settled bool, _ error) {
	switch x.Phase {
	case oauthstate.Done:
		return s.resultOf(x, *x.Result), true, nil
	case oauthstate.Relaying:
		r, err := s.relaying(ctx, x)
		return r, true, err
	case oauthstate.Taken, oauthstate.Asking, oauthstate.Finishing:
		age, err := s.age(ctx, x)
		switch {
		case err != nil:
			return Result{}, false, err
		case age <= s.stalledAfter() && x.Phase == oauthstate.Asking && x.Result == nil: // and nothing has come of it yet
			return s.resultOf(x, oauthstate.Result{State: string(Open)}), true, nil
		case age <= s.stalledAfter():
			return Result{}, false, nil
		}
		if x.Result != nil {
			return s.resultOf(x, *x.Result), true, nil
		}
		return s.resultOf(x, failed(Interrupted)), true, nil
	}
	return s.resultOf(x, oauthstate.Result{State: string(Open)}), true, nil
}

// relaying is the page that asks the host for its relay.
func (s *Service) relaying(ctx context.Context, x oauthstate.Session) (Result, error) {
	age, err := s.age(ctx, x)
	if err != nil {
		return Result{}, err
	}
	m, err := s.recall(x)
	r := s.resultOf(x, oauthstate.Result{State: string(Relaying)})
	r.FinishToken, r.Stalled = m.FinishToken, age > relayPatience
	return r, err
}

func (s *Service) resultOf(x oauthstate.Session, r oauthstate.Result) Result {
	return Result{
		State: State(r.State), Reason: Reason(r.Reason), ServiceName: s.serviceName(x.AuthID),
		AccountName: r.Name, Missing: r.Missing, Spent: x.Attempts >= attemptsMost,
		Session: x.ID, AccountID: r.AccountID, Origin: s.originOf(x), ReturnURL: x.ReturnURL,
	}
}
