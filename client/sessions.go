package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// SessionStatus is how far a session has come.
type SessionStatus string

// The statuses of a session.
const (
	SessionOpen     SessionStatus = "open"     // nobody has opened it, or the user is at the service
	SessionWorking  SessionStatus = "working"  // the user is back, and Linkgate is at work
	SessionRelaying SessionStatus = "relaying" // it waits for FinishSession
	SessionLinked   SessionStatus = "linked"   // the account is connected
	SessionPending  SessionStatus = "pending"  // it is, and the host has yet to confirm it
	SessionFailed   SessionStatus = "failed"   // see Session.Reason
)

// Session is one attempt of one user to connect an account.
type Session struct {
	ID               string        `json:"id"`
	UserID           string        `json:"user_id"`
	AuthID           string        `json:"auth_id"`
	Status           SessionStatus `json:"status"`
	AuthorizationURL string        `json:"authorization_url,omitempty"` // where the user goes; OpenSession alone tells it
	ExpiresAt        time.Time     `json:"expires_at"`
	AccountID        string        `json:"account_id"`        // empty until there is one
	LinkedAccountID  string        `json:"linked_account_id"` // the host's id of it
	AccountName      string        `json:"account_name"`
	MissingScopes    []string      `json:"missing_scopes"` // that the user did not grant
	Reason           string        `json:"reason"`         // why it has failed
	ComponentID      string        `json:"component_id"`
}

// IsFinal tells whether the session has ended.
func (s Session) IsFinal() bool {
	return s.Status == SessionLinked || s.Status == SessionPending || s.Status == SessionFailed
}

// SessionRequest is what a session is opened with.
type SessionRequest struct {
	UserID      string   `json:"user_id"`
	AuthID      string   `json:"auth_id"`
	ComponentID string   `json:"component_id,omitempty"` // is bound to the account when it is connected
	Scopes      []string `json:"scopes,omitempty"`       // in place of the connection's
	Origin      string   `json:"origin,omitempty"`       // which the result page posts to; of SESSION_ORIGINS
	ReturnURL   string   `json:"return_url,omitempty"`   // where the browser goes at the end; at one of SESSION_ORIGINS
}

// OpenSession opens a session. Send the user's browser to its AuthorizationURL, best with
// linkgate.connect() of /linkgate.js: whoever opens it first has the session.
func (c *Client) OpenSession(ctx context.Context, r SessionRequest) (Session, error) {
	return c.session(ctx, changing("/v1/sessions", r, ""))
}

func (c *Client) session(ctx context.Context, o operation) (Session, error) {
	var s Session
	_, _, err := c.do(ctx, o, &s)
	return s, err
}

// GetSession tells how far a session is now.
func (c *Client) GetSession(ctx context.Context, sessionID string) (Session, error) {
	return c.session(ctx, reading(sessionPath(sessionID), nil))
}

// FinishSession relays the token that a result page has posted, with the user who holds that page's window
// (where HOST_FINISH is on).
func (c *Client) FinishSession(ctx context.Context, sessionID, userID string, token Secret) (Session, error) {
	body := struct {
		UserID string `json:"user_id"`
		Token  Secret `json:"finish_token"`
	}{userID, token}
	return c.session(ctx, changing(sessionPath(sessionID)+"/finish", body, ""))
}

// longestWait is how long one request waits for a session to end.
const longestWait = 30 * time.Second

// AwaitSession waits until a session has ended, or ctx has. A session that nobody finishes is a *Problem of the
// kind SessionExpired after some minutes.
func (c *Client) AwaitSession(ctx context.Context, sessionID string) (Session, error) {
	for {
		s, err := c.session(ctx, reading(sessionPath(sessionID), url.Values{"wait": {longestWait.String()}}))
		if err != nil || s.IsFinal() {
			return s, err
		}
	}
}

// FollowSession gives a session as it is, and again with each change, until it has ended. A connection that breaks
// off is made again. An error ends it.
func (c *Client) FollowSession(ctx context.Context, sessionID string) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		var last SessionStatus
		for {
			tell := func(s Session) bool {
				isNew := s.Status != last
				last = s.Status
				return !isNew || yield(s, nil)
			}
			ended, err := c.follow(ctx, sessionID, tell)
			if err != nil {
				yield(Session{}, err)
			}
			if err != nil || ended {
				return
			}
		}
	}
}

// follow listens to one stream. It has ended when the session has, or nobody wants to know more.
func (c *Client) follow(ctx context.Context, sessionID string, tell func(Session) bool) (ended bool, err error) {
	o := reading(sessionPath(sessionID), nil)
	o.header = http.Header{"Accept": {"text/event-stream"}}
	answer, err := c.send(ctx, o)
	if err != nil {
		return true, err
	}
	defer answer.Body.Close()
	for event, err := range eventsIn(answer.Body) {
		if err != nil {
			if ctx.Err() != nil {
				return true, ctx.Err()
			}
			return false, pauseFor(ctx, firstPause)
		}
		s, err := event.session()
		if err != nil {
			return true, err
		}
		if !tell(s) || s.IsFinal() {
			return true, nil
		}
	}
	return false, pauseFor(ctx, firstPause)
}

func sessionPath(sessionID string) string { return "/v1/sessions/" + segment(sessionID) }

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
