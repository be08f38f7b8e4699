package connect

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/retry"
	"linkgate/secret"
)

// waiting is a sign-in by code that has not ended (RFC 8628). Its moments are by the clock of Redis.
type waiting struct {
	Attempt provider.DeviceAttempt
	Next    time.Time // when the service may be asked, at the earliest
	Until   time.Time // the end of the code, or of the session if that comes first
}

// waitingForm is waiting as it is sealed.
type waitingForm struct {
	Attempt []byte    `json:"attempt"`
	Next    time.Time `json:"next"`
	Until   time.Time `json:"until"`
}

func (w waiting) marshal() ([]byte, error) {
	attempt, err := w.Attempt.Marshal()
	if err != nil {
		return nil, err
	}
	return json.Marshal(waitingForm{attempt, w.Next, w.Until})
}

func unmarshalWaiting(data []byte) (*waiting, error) {
	var f waitingForm
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	attempt, err := provider.UnmarshalDeviceAttempt(f.Attempt)
	return &waiting{attempt, f.Next, f.Until}, err
}

// ContinueByCode is Continue for a user whose window can't be sent to the service: it has the service
// make a code, and returns the address of the page that shows it. Like a form, it is bounded by user:
// each code is a request of ours to the service. ErrNotOffered, and what Continue returns.
func (s *Service) ContinueByCode(ctx context.Context, ticket, browser string, values map[string]secret.Text) (redirectURL string, err error) {
	session, p, values, err := s.toContinue(ctx, ticket, browser, values)
	if err != nil {
		return "", err
	}
	if p.Device == nil {
		return "", ErrNotOffered
	}
	if ok, err := s.Limit.Allow(session.HostUserID); err != nil || !ok {
		return "", ErrTooMany
	}
	attempt, err := startDevice(ctx, p, values, session.Scopes)
	if err != nil {
		return s.continueFailed(ctx, ticket, browser, err)
	}
	now, err := s.Sessions.Now(ctx)
	if err != nil {
		return "", sessionError(err)
	}
	until := now.Add(attempt.ExpiresIn)
	if end := session.CreatedAt.Add(oauthstate.LongestLife); end.Before(until) {
		until = end
	}
	w := &waiting{Attempt: attempt, Next: now.Add(attempt.Interval), Until: until}
	sealed, err := s.remember(session, memory{Ticket: ticket, Waiting: w})
	if err != nil {
		return "", err
	}
	_, err = s.Sessions.Update(ctx, session.ID, func(x *oauthstate.Session) error {
		if err := s.mayContinue(ctx, *x, browser); err != nil {
			return err
		}
		*x = fresh(*x)
		x.Phase, x.Sealed = oauthstate.Waiting, sealed
		return nil
	})
	return s.ticketURL(ticket) + "/code", sessionError(err)
}

// startDevice has the customer's service make a code.
func startDevice(ctx context.Context, p *provider.Provider, values map[string]secret.Text, scopes []string) (provider.DeviceAttempt, error) {
	one, err := p.With(p.Connection.Settings(values))
	if err != nil {
		return provider.DeviceAttempt{}, err
	}
	return one.Device.StartDevice(ctx, scopes...)
}

// Code shows the code to the browser that the session is bound to. Each look asks the service, when
// it is time to; of looks at the same moment one does. ErrExpired, ErrWrongBrowser, ErrUnavailable.
func (s *Service) Code(ctx context.Context, ticket, browser string) (CodeView, error) {
	session, err := s.Sessions.Get(ctx, oauthstate.IDOf(ticket))
	if err == nil && !oauthstate.Matches(session.BrowserHash, browser) {
		s.auditIntruder(ctx, "code", session, ErrWrongBrowser)
		return CodeView{}, ErrWrongBrowser
	}
	if err == nil {
		session, err = s.poll(ctx, session)
	}
	if err != nil {
		return CodeView{}, sessionError(err)
	}
	return s.codeView(ctx, session)
}

// codeView is what is shown of a session. While the service is being asked the page stays as it is.
func (s *Service) codeView(ctx context.Context, x oauthstate.Session) (CodeView, error) {
	over := CodeView{Over: true}
	if x.Phase != oauthstate.Waiting && x.Phase != oauthstate.Asking {
		return over, nil
	}
	m, err := s.recall(x)
	if err != nil || m.Waiting == nil || x.Result != nil {
		return over, err
	}
	now, err := s.Sessions.Now(ctx)
	if err != nil {
		return over, sessionError(err)
	}
	if x.Phase == oauthstate.Asking && now.Sub(x.WorkSince) > s.stalledAfter() {
		return over, nil
	}
	a := m.Waiting.Attempt
	return CodeView{
		ServiceName: s.serviceName(x.AuthID), UserCode: a.UserCode, URI: a.URI, CompleteURI: a.CompleteURI,
		Left: max(0, m.Waiting.Until.Sub(now)), LookAgain: max(0, m.Waiting.Next.Sub(now)),
	}, nil
}

// poll asks the service once whether the code has been typed, if it is time to and nobody else does,
// and returns the session as it is then.
func (s *Service) poll(ctx context.Context, session oauthstate.Session) (oauthstate.Session, error) {
	now, err := s.Sessions.Now(ctx)
	if err != nil {
		return session, err
	}
	taken, m, err := s.takePoll(ctx, session.ID, now)
	if errors.Is(err, errTaken) {
		return taken, nil
	}
	if err != nil {
		return session, err
	}
	if err := s.ask(context.WithoutCancel(ctx), taken, m, now); err != nil && !errors.Is(err, errTaken) {
		return session, err
	}
	return s.Sessions.Get(ctx, session.ID)
}

// takePoll takes a session whose service is due to be asked; else errTaken, with the session as it is.
func (s *Service) takePoll(ctx context.Context, id string, now time.Time) (session oauthstate.Session, m memory, err error) {
	worker := oauthstate.NewTicket()
	session, err = s.Sessions.Update(ctx, id, func(x *oauthstate.Session) (err error) {
		if x.Phase != oauthstate.Waiting {
			return errTaken
		}
		if m, err = s.recall(*x); err != nil {
			return err
		}
		if m.Waiting == nil || now.Before(m.Waiting.Next) {
			return errTaken
		}
		x.Phase, x.Worker, x.WorkSince = oauthstate.Asking, worker, now
		return nil
	})
	return session, m, err
}

// ask asks the service, and does what its answer means: wait on, link, or end.
func (s *Service) ask(ctx context.Context, session oauthstate.Session, m memory, now time.Time) error {
	p, ok := s.Connections[session.AuthID]
	if !ok || p.Device == nil {
		return s.conclude(ctx, session, m.Ticket, failed(Changed))
	}
	if !now.Before(m.Waiting.Until) {
		return s.conclude(ctx, session, m.Ticket, s.unlinked(ctx, session, provider.ErrExpired))
	}
	grant, err := s.polled(ctx, p, m.Waiting.Attempt)
	switch {
	case errors.Is(err, provider.ErrSlowDown):
		m.Waiting.Attempt.Interval += provider.SlowDown
		return s.waitOn(ctx, session, m)
	case errors.Is(err, provider.ErrPending):
		return s.waitOn(ctx, session, m)
	case err != nil:
		return s.conclude(ctx, session, m.Ticket, s.unlinked(ctx, session, err))
	case s.HostFinish:
		return s.awaitRelay(ctx, session, memory{Ticket: m.Ticket, Grant: &grant}, provider.Callback{})
	}
	return s.conclude(ctx, session, m.Ticket, s.keep(ctx, session, p, grant))
}

func (s *Service) polled(ctx context.Context, p *provider.Provider, a provider.DeviceAttempt) (provider.Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, s.workTime())
	defer cancel()
	return p.Device.PollDevice(ctx, a)
}

// waitOn gives the session back, to be asked about again after the interval, which begins when the
// answer is there.
func (s *Service) waitOn(ctx context.Context, session oauthstate.Session, m memory) error {
	ctx, cancel := aside(ctx)
	defer cancel()
	return retry.Persist(ctx, func() error {
		now, err := s.Sessions.Now(ctx)
		if err != nil {
			return err
		}
		m.Waiting.Next = now.Add(m.Waiting.Attempt.Interval)
		sealed, err := s.remember(session, m)
		if err != nil {
			return err
		}
		return s.asWorker(ctx, session, func(x *oauthstate.Session) {
			x.Phase, x.Worker, x.Sealed = oauthstate.Waiting, "", sealed
		})
	}, errTaken, oauthstate.ErrNotFound)
}
