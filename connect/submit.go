package connect

import (
	"context"
	"errors"

	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/secret"
)

// submit does with what the user has typed at our own page what a callback does with a code. It is
// bounded like new sessions are, by user, so that nobody can try keys or passwords here.
func (s *Service) submit(ctx context.Context, p *provider.Provider, session oauthstate.Session, ticket, browser string, values map[string]secret.Text) (redirectURL string, err error) {
	if ok, err := s.Limit.Allow(session.HostUserID); err != nil || !ok {
		return "", ErrTooMany
	}
	session, err = s.takeForm(ctx, session, ticket, browser)
	if err != nil {
		return "", sessionError(err)
	}
	ctx = context.WithoutCancel(ctx)
	if s.withdrawn(ctx, session) {
		return s.resultURL(ticket), s.conclude(ctx, session, ticket, failed(Withdrawn))
	}
	grant, err := s.submitted(ctx, p, values)
	if errors.Is(err, provider.ErrInvalidGrant) {
		s.audit(ctx, "form.rejected", session, "", err.Error())
		return "", s.rejected(ctx, session, p)
	}
	if err == nil && s.HostFinish {
		return s.resultURL(ticket), s.awaitRelay(ctx, session, memory{Ticket: ticket, Grant: &grant}, provider.Callback{})
	}
	var result oauthstate.Result
	if err == nil {
		result = s.keep(ctx, session, p, grant)
	} else {
		result = s.unlinked(ctx, session, err)
	}
	if err := s.conclude(ctx, session, ticket, result); err != nil && !errors.Is(err, errTaken) {
		return "", sessionError(err)
	}
	return s.resultURL(ticket), nil
}

func (s *Service) submitted(ctx context.Context, p *provider.Provider, values map[string]secret.Text) (provider.Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, s.workTime())
	defer cancel()
	return p.Form.Submit(ctx, values)
}

// takeForm takes a session for one submission: of several at once, one is looked at.
func (s *Service) takeForm(ctx context.Context, session oauthstate.Session, ticket, browser string) (oauthstate.Session, error) {
	now, err := s.Sessions.Now(ctx)
	if err != nil {
		return session, err
	}
	sealed, err := s.remember(session, memory{Ticket: ticket})
	if err != nil {
		return session, err
	}
	worker := oauthstate.NewTicket()
	return s.Sessions.Update(ctx, session.ID, func(x *oauthstate.Session) error {
		if err := s.mayContinue(ctx, *x, browser); err != nil {
			return err
		}
		*x = fresh(*x)
		x.Phase, x.Sealed, x.Worker, x.WorkSince = oauthstate.Taken, sealed, worker, now
		return nil
	})
}

// rejected gives the session back to the page, with the mistake at the secret.
func (s *Service) rejected(ctx context.Context, session oauthstate.Session, p *provider.Provider) error {
	ctx, cancel := aside(ctx)
	defer cancel()
	err := s.asWorker(ctx, session, func(x *oauthstate.Session) { x.Phase, x.Worker = oauthstate.Opened, "" })
	switch {
	case errors.Is(err, errTaken): // it took so long that another submission was let in
		return ErrUsed
	case err != nil:
		return sessionError(err)
	}
	mistakes := map[string]FieldMistake{}
	for _, f := range p.Connection.Fields {
		if f.Secret {
			mistakes[f.Key] = FieldRejected
		}
	}
	return &FieldsError{View: s.view(ctx, session, p), Mistakes: mistakes}
}

// mistaken says which values can't be right.
func (s *Service) mistaken(ctx context.Context, session oauthstate.Session, p *provider.Provider, found map[string]error) error {
	mistakes := map[string]FieldMistake{}
	for key, err := range found {
		mistakes[key] = FieldMalformed
		if errors.Is(err, provider.ErrFieldMissing) {
			mistakes[key] = FieldMissing
		}
	}
	return &FieldsError{View: s.view(ctx, session, p), Mistakes: mistakes}
}
