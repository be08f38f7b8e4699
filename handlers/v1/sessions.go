package v1

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"linkgate/connect"
	"linkgate/handlers/inbound"
	"linkgate/secret"
)

// session is how far a user has come with connecting an account.
type session struct {
	ID               string    `json:"id"`
	UserID           string    `json:"user_id"`
	AuthID           string    `json:"auth_id"`
	Status           string    `json:"status"`
	AuthorizationURL string    `json:"authorization_url,omitempty"`
	ExpiresAt        time.Time `json:"expires_at"`
	AccountID        *string   `json:"account_id"`
	LinkedAccountID  *string   `json:"linked_account_id"`
	AccountName      string    `json:"account_name"`
	MissingScopes    []string  `json:"missing_scopes"`
	Reason           *string   `json:"reason"`
	ComponentID      *string   `json:"component_id"`
}

func sessionOf(s connect.SessionStatus) session {
	return session{
		ID: s.ID, UserID: s.HostUserID, AuthID: s.AuthID, Status: string(s.Status),
		ExpiresAt: inMillis(s.ExpiresAt), AccountID: filled(s.AccountID), LinkedAccountID: filled(s.LinkedAccountID),
		AccountName: s.AccountName, MissingScopes: listed(s.Missing), Reason: filled(string(s.Reason)),
		ComponentID: filled(s.ComponentID),
	}
}

// filled is a text, or null where there is none.
func filled(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

type sessionRequest struct {
	UserID      string   `json:"user_id"`
	AuthID      string   `json:"auth_id"`
	ComponentID string   `json:"component_id"`
	Scopes      []string `json:"scopes"`
	Origin      string   `json:"origin"`
	ReturnURL   string   `json:"return_url"`
}

// Bounds of what a session is asked for.
const (
	scopesMost   = 200
	scopeLongest = 512  // bytes
	urlLongest   = 2048 // bytes
)

func (s sessionRequest) check() error {
	var f form
	f.id("user_id", s.UserID, inbound.IsUserID, true)
	f.id("auth_id", s.AuthID, inbound.IsSegment, true)
	f.id("component_id", s.ComponentID, inbound.IsSegment, false)
	f.scopes("scopes", s.Scopes)
	if len(s.Origin) > urlLongest {
		f.mistake("origin", "it may have %d bytes", urlLongest)
	}
	if len(s.ReturnURL) > urlLongest {
		f.mistake("return_url", "it may have %d bytes", urlLongest)
	}
	return f.err()
}

// scopes checks a list of scope tokens (RFC 6749 §3.3).
func (f *form) scopes(member string, scopes []string) {
	if len(scopes) > scopesMost {
		f.mistake(member, "there may be %d", scopesMost)
		return
	}
	for i, scope := range scopes {
		if scope == "" || len(scope) > scopeLongest || strings.ContainsFunc(scope, notInScope) {
			f.mistake(fmt.Sprintf("%s/%d", member, i), "it is no scope: visible ASCII without spaces, quotes and backslashes")
		}
	}
}

func notInScope(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }

func (a *API) openSession(r *request) (answer, error) {
	wanted, err := bodyOf[sessionRequest](r)
	if err != nil {
		return answer{}, err
	}
	opened, err := a.Connect.OpenSession(r.Request().Context(), connect.BeginOptions{
		HostUserID: wanted.UserID, AuthID: wanted.AuthID, ComponentID: wanted.ComponentID, Scopes: wanted.Scopes,
		Origin: wanted.Origin, ReturnURL: wanted.ReturnURL, By: r.key.ID,
	})
	if err != nil {
		return answer{}, err
	}
	told := sessionOf(opened.SessionStatus)
	told.AuthorizationURL = opened.AuthorizationURL
	return answer{status: http.StatusCreated, body: told, at: "/v1/sessions/" + url.PathEscape(opened.ID)}, nil
}

type finishRequest struct {
	UserID      string `json:"user_id"`
	FinishToken string `json:"finish_token"`
}

func (w finishRequest) check() error {
	var f form
	f.id("user_id", w.UserID, inbound.IsUserID, true)
	if w.FinishToken == "" || len(w.FinishToken) > scopeLongest {
		f.mistake("finish_token", "it is needed, as the result page posted it")
	}
	return f.err()
}

func (a *API) finishSession(r *request) (answer, error) {
	wanted, err := bodyOf[finishRequest](r)
	if err != nil {
		return answer{}, err
	}
	finished, err := a.Connect.FinishSession(r.Request().Context(), r.id, wanted.UserID, secret.New(wanted.FinishToken))
	if err != nil {
		return answer{}, err
	}
	return ok(sessionOf(finished))
}

// followSession tells how far a session is: now, when it has ended, or with each change.
func (a *API) followSession(r *request) error {
	if wantsEvents(r.Request().Header["Accept"]) {
		return a.streamSession(r)
	}
	status, err := a.awaitEnd(r.Request().Context(), r.id, r.query.wait)
	if err != nil {
		return err
	}
	told, err := answer{status: http.StatusOK, body: sessionOf(status)}.render()
	if err != nil {
		return err
	}
	return told.write(r)
}

// awaitEnd is AwaitSession that is cut short when the process is about to end.
func (a *API) awaitEnd(ctx context.Context, id string, wait time.Duration) (connect.SessionStatus, error) {
	waiting, done := a.untilDrained(ctx)
	defer done()
	status, err := a.Connect.AwaitSession(waiting, id, wait)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return a.Connect.SessionStatus(ctx, id)
	}
	return status, err
}

// untilDrained ends a context when the process is about to end.
func (a *API) untilDrained(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-a.drained:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// duration is a whole number of seconds or minutes, such as 30s.
func (q *query) duration(name string, most time.Duration) time.Duration {
	text := q.text(name)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > most {
		q.mistake("?"+name, "it must be a duration such as 30s, and %s at the most", most)
		return 0
	}
	return d
}

func wantsEvents(accept []string) bool {
	for _, value := range accept {
		for one := range strings.SplitSeq(value, ",") {
			if mediaType, _, err := mime.ParseMediaType(one); err == nil && mediaType == "text/event-stream" {
				return true
			}
		}
	}
	return false
}

// How a stream of events is kept alive, and how long it may be.
const (
	heartbeat     = 15 * time.Second
	longestStream = 30 * time.Minute // as long as a session lives
)

// streamSession sends an event for each change, until the session has ended
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (a *API) streamSession(r *request) error {
	ctx := r.Request().Context()
	status, err := a.Connect.SessionStatus(ctx, r.id)
	if err != nil {
		return err
	}
	h := r.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	r.Response().WriteHeader(http.StatusOK)
	end := a.now().Add(longestStream)
	waiting, done := a.untilDrained(ctx)
	defer done()
	for {
		if err := sendStatus(r, status); err != nil || status.Final() || a.now().After(end) {
			return err
		}
		if status, err = a.nextStatus(waiting, r, status, end); err != nil {
			if waiting.Err() != nil && ctx.Err() == nil {
				return nil // who still listens asks again, elsewhere
			}
			return err
		}
	}
}

// nextStatus waits for the next change, and keeps the connection alive meanwhile.
func (a *API) nextStatus(ctx context.Context, r *request, last connect.SessionStatus, end time.Time) (connect.SessionStatus, error) {
	for {
		status, err := a.Connect.AwaitSessionChange(ctx, last.ID, last.Status, cmp.Or(a.beat, heartbeat))
		if err != nil || status.Status != last.Status || a.now().After(end) {
			return status, err
		}
		if err := send(r, ": still here\n\n"); err != nil {
			return status, err
		}
	}
}

func sendStatus(r *request, status connect.SessionStatus) error {
	told, err := json.Marshal(sessionOf(status))
	if err != nil {
		return err
	}
	return send(r, "event: status\ndata: "+string(told)+"\n\n")
}

// send writes a piece of a stream, within a time of its own: the server's is for the whole.
func send(r *request, text string) error {
	control := http.NewResponseController(r.Response())
	if err := control.SetWriteDeadline(time.Now().Add(heartbeat)); err != nil {
		return fmt.Errorf("a deadline for the stream: %w", err)
	}
	if _, err := r.Response().Write([]byte(text)); err != nil {
		return fmt.Errorf("writing to the stream: %w", err)
	}
	return control.Flush()
}
