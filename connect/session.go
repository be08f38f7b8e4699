package connect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/provider"
	"linkgate/secret"
)

// What the opener of a session can be told beside the usual.
var (
	ErrOriginNotAllowed = errors.New("not an origin of SESSION_ORIGINS")
	ErrScopes           = provider.ErrScopes // and says which and why
)

// BeginOptions is what a back end opens a session with. HostUserID, AuthID and By must be set.
type BeginOptions struct {
	HostUserID  string
	AuthID      string
	ComponentID string   // is bound to the account on success; empty: none
	Scopes      []string // in place of the connection's; none: those
	Origin      string   // of the page that opens the window, which is told; empty: the host's page
	ReturnURL   string   // where the user goes on if there is no such page; empty: nowhere
	By          string   // id of the API key
}

// Session is a session that has just been opened.
type Session struct {
	SessionStatus
	AuthorizationURL string // who has it can open the session: for that user's browser alone
}

// SessionStatus is how a session stands, for the owner's back end.
type SessionStatus struct {
	ID              string
	HostUserID      string
	AuthID          string
	Status          State // Open at first; Linked, Pending and Failed are ends
	Reason          Reason
	ExpiresAt       time.Time // when nothing can be learnt of it any more, if nothing happens until then
	AccountID       string    // of Linked and Pending
	LinkedAccountID string    // the host's id; empty until it has told
	AccountName     string
	Missing         []string // scopes asked for and not granted
	ComponentID     string   // what is to use the account; once it is Linked or Pending: what does
}

// Final tells whether a session has ended. One that has Failed can be tried again in its window.
func (s SessionStatus) Final() bool {
	return s.Status == Linked || s.Status == Pending || s.Status == Failed
}

// OpenSession opens a session for a user in the name of a back end. It costs one write to Redis.
// ErrUnknownConnection, ErrScopes, ErrOriginNotAllowed, linkedaccount.ErrComponentID, ErrTooMany,
// ErrUnavailable.
func (s *Service) OpenSession(ctx context.Context, o BeginOptions) (Session, error) {
	if err := s.mayOpen(o); err != nil {
		return Session{}, err
	}
	opened, ticket, err := s.create(ctx, oauthstate.Session{
		AuthID: o.AuthID, HostUserID: o.HostUserID, ComponentID: o.ComponentID, Scopes: o.Scopes,
		Origin: o.Origin, ReturnURL: o.ReturnURL, By: o.By,
	})
	if err != nil {
		return Session{}, err
	}
	status := statusOf(opened, Result{State: Open})
	status.ExpiresAt = opened.CreatedAt.Add(oauthstate.UnopenedLife)
	return Session{SessionStatus: status, AuthorizationURL: s.ticketURL(ticket)}, nil
}

func (s *Service) mayOpen(o BeginOptions) error {
	p, ok := s.Connections[o.AuthID]
	switch {
	case !ok:
		return ErrUnknownConnection
	case o.Origin != "" && !s.isSessionOrigin(o.Origin):
		return fmt.Errorf("origin: %w", ErrOriginNotAllowed)
	case o.ReturnURL != "" && !s.isReturnURL(o.ReturnURL):
		return fmt.Errorf("return_url: %w", ErrOriginNotAllowed)
	}
	if o.ComponentID != "" && !linkedaccount.IsComponentID(o.ComponentID) {
		return linkedaccount.ErrComponentID
	}
	return p.CheckScopes(o.Scopes)
}

// isSessionOrigin compares as browsers do: origins are equal or they are not (RFC 6454 §5).
func (s *Service) isSessionOrigin(origin string) bool {
	return slices.Contains(s.SessionOrigins, origin)
}

const returnURLLimit = 2048 // bytes; longer ones do not get through every proxy

// isReturnURL lets addresses through that lead to one of our own pages' origins however they are
// read: no user name (RFC 3986 §3.2.1), no backslash, which browsers take for a slash, nothing that
// is dropped on the way.
func (s *Service) isReturnURL(address string) bool {
	if len(address) > returnURLLimit || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return false
	}
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Opaque != "" {
		return false
	}
	return s.isSessionOrigin(strings.ToLower(u.Scheme + "://" + u.Host))
}

// MayFollow tells whether a page at origin may read what becomes of any session of ours.
func (s *Service) MayFollow(origin string) bool { return s.isSessionOrigin(origin) }

// SessionStatus tells how a session stands. ErrExpired, ErrUnavailable.
func (s *Service) SessionStatus(ctx context.Context, id string) (SessionStatus, error) {
	session, err := s.Sessions.Get(ctx, id)
	if err != nil {
		return SessionStatus{}, sessionError(err)
	}
	return s.standing(ctx, session)
}

// AwaitSession is SessionStatus that waits for the end of the session, as long as wait at the most.
func (s *Service) AwaitSession(ctx context.Context, id string, wait time.Duration) (SessionStatus, error) {
	return s.awaitStatus(ctx, id, wait, SessionStatus.Final)
}

// AwaitSessionChange is SessionStatus that waits until the status is another than last, as long as
// wait at the most.
func (s *Service) AwaitSessionChange(ctx context.Context, id string, last State, wait time.Duration) (SessionStatus, error) {
	return s.awaitStatus(ctx, id, wait, func(now SessionStatus) bool { return now.Status != last })
}

func (s *Service) awaitStatus(ctx context.Context, id string, wait time.Duration, enough func(SessionStatus) bool) (SessionStatus, error) {
	patience := time.After(wait)
	for {
		status, err := s.SessionStatus(ctx, id)
		if err != nil || enough(status) {
			return status, err
		}
		select {
		case <-patience:
			return status, nil
		case <-ctx.Done():
			return SessionStatus{}, ctx.Err()
		case <-time.After(sessionPause):
		}
	}
}

// sessionPause is how often somebody who waits has Redis asked: a wait of a minute is some 240 reads
// of a key, and a person does not notice a quarter of a second.
const sessionPause = 250 * time.Millisecond

func (s *Service) standing(ctx context.Context, session oauthstate.Session) (SessionStatus, error) {
	r, settled, err := s.settled(ctx, session)
	if err != nil {
		return SessionStatus{}, sessionError(err)
	}
	if !settled {
		r = Result{State: Working}
	}
	status := statusOf(session, r)
	left, err := s.Sessions.Left(ctx, session.ID)
	if err != nil {
		return SessionStatus{}, sessionError(err)
	}
	status.ExpiresAt = s.now().Add(left)
	return status, s.lookUpAccount(ctx, &status)
}

func statusOf(session oauthstate.Session, r Result) SessionStatus {
	status := SessionStatus{
		ID: session.ID, HostUserID: session.HostUserID, AuthID: session.AuthID, ComponentID: session.ComponentID,
		Status: r.State, Reason: r.Reason, AccountName: r.AccountName, Missing: r.Missing, AccountID: r.AccountID,
	}
	if r.AccountID != "" {
		status.ComponentID = session.Result.ComponentID
	}
	return status
}

// lookUpAccount adds what is known of the account by now: a host that was late may have answered.
func (s *Service) lookUpAccount(ctx context.Context, status *SessionStatus) error {
	if status.AccountID == "" {
		return nil
	}
	a, err := s.Accounts.ByID(ctx, status.AccountID)
	switch {
	case errors.Is(err, linkedaccount.ErrNotFound): // disconnected and gone
		return nil
	case err != nil:
		return databaseError(err)
	}
	status.LinkedAccountID = a.HostID
	if status.Status == Pending && a.HostID != "" && a.Status == linkedaccount.Linked {
		status.Status = Linked
	}
	return nil
}

// FinishSession is a back end's relay of a finish token, with the user who holds the window: Finish
// for pages of the owner's own. It answers how the session stands then. ErrExpired, ErrUsed,
// ErrWrongUser.
func (s *Service) FinishSession(ctx context.Context, id, hostUserID string, token secret.Text) (SessionStatus, error) {
	if of, ok := oauthstate.SessionOf(token.Reveal()); !ok || of != id {
		return SessionStatus{}, ErrExpired
	}
	session, err := s.Sessions.Get(ctx, id)
	if err != nil {
		return SessionStatus{}, sessionError(err)
	}
	if _, err := s.Finish(ctx, hostUserID, session.AuthID, token); err != nil {
		return SessionStatus{}, err
	}
	return s.SessionStatus(ctx, id)
}

// Following is what a page that opened a window is told about it, by the ticket alone.
type Following struct {
	Session string // its id
	Origin  string // of the one page that may read this
	State   State
	Step    Step // of Open
}

// Step is how far an Open session has come. It tells a page whether a window that looks closed may be
// cut off instead: by the page's own Cross-Origin-Opener-Policy before, by the service's while AtService.
type Step string

// The steps.
const (
	Unopened  Step = "new"     // nobody has opened the ticket page
	AtTicket  Step = "ticket"  // that page, ours, is shown
	AtService Step = "service" // the user has been sent on
)

// Follow tells how a session stands to whoever has its ticket, and says nothing of whom or what.
// ErrExpired, ErrUnavailable.
func (s *Service) Follow(ctx context.Context, ticket string) (Following, error) {
	session, err := s.Sessions.Get(ctx, oauthstate.IDOf(ticket))
	if err != nil {
		return Following{}, sessionError(err)
	}
	r, settled, err := s.settled(ctx, session)
	if err != nil {
		return Following{}, sessionError(err)
	}
	f := Following{Session: session.ID, Origin: s.originOf(session), State: r.State}
	switch {
	case !settled || r.State == Relaying:
		f.State = Working
	case r.State == Open:
		f.Step = stepOf(session.Phase)
	}
	return f, nil
}

func stepOf(p oauthstate.Phase) Step {
	switch p {
	case oauthstate.New:
		return Unopened
	case oauthstate.Opened:
		return AtTicket
	}
	return AtService
}

// originOf is the origin of the page that follows a session.
func (s *Service) originOf(x oauthstate.Session) string {
	if x.Origin != "" {
		return x.Origin
	}
	return s.HostOrigin
}
