// Package connect holds the use cases: a user connects an account (Begin, Open, Continue,
// Complete, Finish, Result) and disconnects it (Disconnect). It knows the order of things and
// what a failure means to whom; the HTTP in front of it is in handlers, the stores and clients
// behind it are in oauthstate, linkedaccount, outbox, host and provider.
package connect

import (
	"context"
	"errors"
	"time"

	"linkgate/provider"
	"linkgate/secret"
)

// What a caller can be told. Every error of this package wraps one of them, or is unexpected.
var (
	ErrUnknownConnection = errors.New("no connection has this auth id")
	ErrTooMany           = errors.New("too many attempts by this user")
	ErrExpired           = errors.New("the session is over or never was") // includes unknown tickets and states
	ErrWrongBrowser      = errors.New("the session belongs to another browser")
	ErrUsed              = errors.New("the session has been used")
	ErrWrongConnection   = errors.New("the callback belongs to another connection")
	ErrWrongUser         = errors.New("the session was started by another user")
	ErrNotFound          = errors.New("no such linked account")
	ErrUnavailable       = errors.New("a system we depend on does not answer")
)

// UnavailableError wraps ErrUnavailable and says who did not answer and when to come back.
type UnavailableError struct {
	System     string // "Redis", "the database", "the host"
	RetryAfter time.Duration
	Err        error
}

// State is how far a session has come.
type State string

// The states that a result page can show.
const (
	Open     State = "open"     // not yet sent to the service
	Working  State = "working"  // the callback is being worked on; look again shortly
	Relaying State = "relaying" // the host must relay FinishToken (HOST_FINISH)
	Linked   State = "linked"   // complete here and at the host
	Pending  State = "pending"  // complete here, the host has not answered yet
	Failed   State = "failed"   // see Reason
)

// Reason is why a session failed, for the page's words.
type Reason string

// The reasons.
const (
	Denied             Reason = "denied"              // the user said no at the service
	ServiceUnavailable Reason = "service_unavailable" // no answer, 5xx, or an answer that makes no sense
	ServiceRefused     Reason = "service_refused"     // it rejected our request or client: the operator must look
	NotVerified        Reason = "not_verified"        // iss, nonce, ID token or identity did not check out
	Changed            Reason = "changed"             // the connection's configuration changed meanwhile
	HostRefused        Reason = "host_refused"        // the host turned the account down; revoked again
	Interrupted        Reason = "interrupted"         // the work on it stopped midway (a restart)
	FinishedByOther    Reason = "finished_by_other"   // another user finished: nothing was linked
)

// View is what the ticket page shows before anything is granted.
type View struct {
	ServiceName  string
	HostUserID   string
	HostUserName string   // empty when the host could not tell in time
	Scopes       []string // asked of the service
}

// Result is what the result page shows.
type Result struct {
	Ticket      string
	State       State
	Reason      Reason // of Failed
	ServiceName string
	AccountName string      // as the service names it; may be empty
	Missing     []string    // scopes asked for and not granted
	FinishToken secret.Text // of Relaying; single use
}

// Begin opens a session for a host user's click and returns the address of its ticket page. It
// costs one write to Redis. ErrUnknownConnection, ErrTooMany, ErrUnavailable.
func (s *Service) Begin(ctx context.Context, hostUserID, authID string) (authorizationURL string, err error) {
	panic("unwritten")
}

// Open binds the session to this browser (the first to ask) and tells what the ticket page shows.
// browser is the value of the browser's cookie. ErrExpired, ErrWrongBrowser, ErrUsed.
func (s *Service) Open(ctx context.Context, ticket, browser string) (View, error) { panic("unwritten") }

// Continue starts an attempt at the service and returns the address to send the browser to. It
// may be called again by the same browser, after a failure too; the attempt before is void then.
func (s *Service) Continue(ctx context.Context, ticket, browser string) (redirectURL string, err error) {
	panic("unwritten")
}

// Complete takes a callback. Of many with the same state one does the work; all return the
// ticket whose result page tells the outcome. An error means that no session is concerned:
// ErrExpired, ErrWrongBrowser, ErrWrongConnection, ErrUnavailable.
func (s *Service) Complete(ctx context.Context, authID, browser, state string, cb provider.Callback) (ticket string, err error) {
	panic("unwritten")
}

// Finish is the host's relay of a finish token with the user who holds the window.
// ErrExpired, ErrUsed, ErrWrongUser, ErrWrongConnection.
func (s *Service) Finish(ctx context.Context, hostUserID, authID string, token secret.Text) (Result, error) {
	panic("unwritten")
}

// Result tells how a session ended, to the browser it is bound to. While the work goes on it
// waits a few seconds for the end. ErrExpired, ErrWrongBrowser.
func (s *Service) Result(ctx context.Context, ticket, browser string) (Result, error) {
	panic("unwritten")
}

// Disconnect deletes the user's linked account (the host's id) at the host and has its credential
// revoked; it returns when the host has deleted it. ErrNotFound: not there or not this user's.
// ErrUnavailable: the host does not answer; the disconnect is under way and will be completed.
func (s *Service) Disconnect(ctx context.Context, hostUserID, linkedAccountID string) error {
	panic("unwritten")
}

// Service runs the use cases.
type Service struct{}
