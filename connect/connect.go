// Package connect holds the use cases: a user connects an account (Begin, Open, Continue,
// ContinueByCode, Code, Complete, Finish, Result) and disconnects it (Disconnect), and the promises to host and service
// that outlive the click (Promises, worked off by the outbox). It knows the order of things and
// what a failure means to whom; the HTTP in front of it is in handlers, the stores and clients
// behind it are in oauthstate, linkedaccount, outbox, host and provider.
package connect

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"linkgate/host"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
	"linkgate/outbox"
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
	ErrNotOffered        = errors.New("the connection has no sign-in by code")
	ErrUnavailable       = errors.New("a system we depend on does not answer")
	ErrHostRefuses       = errors.New("the host refuses what it was asked")
)

// UnavailableError wraps ErrUnavailable and says who did not answer and when to come back.
type UnavailableError struct {
	System     string // "Redis", "the database", "the host"
	RetryAfter time.Duration
	Err        error
}

// FieldsError says what is wrong with what the user typed. The same page is to be shown again.
type FieldsError struct {
	View     View
	Mistakes map[string]FieldMistake // by field key
}

// FieldMistake is what is wrong with one value, for the page's words.
type FieldMistake string

// The mistakes.
const (
	FieldMissing   FieldMistake = "missing"
	FieldMalformed FieldMistake = "malformed" // it can't be right: see the field's help and example
	FieldRejected  FieldMistake = "rejected"  // the service does not take it
)

// Error implements error. It has no value in it.
func (e *FieldsError) Error() string { return "what the user typed is missing, malformed or rejected" }

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
	CodeExpired        Reason = "code_expired"        // the code was not typed at the service in time
	FinishedByOther    Reason = "finished_by_other"   // another user finished: nothing was linked
	Withdrawn          Reason = "withdrawn"           // the user was off-boarded meanwhile: nothing was linked
)

// View is what the ticket page shows before anything is granted.
type View struct {
	ServiceName  string
	HostUserID   string
	HostUserName string   // empty when the host could not tell in time
	Scopes       []string // asked of the service
	Fields       []provider.Field
	ByCode       bool // the user may sign in with a code instead
	Form         bool // what is typed here is the credential, or brings one; else the user goes on to the service
	Shared       bool // the account is the company's: everyone who connects acts with the app's own access
}

// CodeView is what the page of a sign-in by code shows (RFC 8628 §3.3).
type CodeView struct {
	Over        bool // nothing is waited for, or not any more: see the result
	ServiceName string
	UserCode    secret.Text
	URI         string        // where it is to be typed
	CompleteURI secret.Text   // the same with the code in it; may be empty
	Left        time.Duration // until the code ends
	LookAgain   time.Duration // after how long the page is worth another look
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
	Stalled     bool        // Relaying: the host has not answered for a while
	Spent       bool        // the session allows no further attempt

	Session   string // its id
	AccountID string // of Linked and Pending
	Origin    string // of the page that is told; may be empty: none is
	ReturnURL string // where the user goes on; may be empty
}

// Service runs the use cases.
type Service struct {
	PublicURL   string // ours, without a slash at the end
	Connections map[string]*provider.Provider
	Sessions    *oauthstate.Store
	Accounts    *linkedaccount.Store
	Outbox      *outbox.Box
	Host        *host.Client
	Keyring     *secret.Keyring // seals what a session must remember
	Limit       Limiter         // of new sessions for each host user
	HostFinish  bool            // the host relays the end: HOST_FINISH
	ShareTokens bool            // the host gets the tokens: HOST_SHARE_TOKENS
	WorkTime    time.Duration   // from a callback to its result; zero: DefaultWorkTime
	Log         *slog.Logger
	Now         func() time.Time // nil: time.Now

	Tokens       tokens  // fresh credentials
	RemovalLimit Limiter // of removals for each auth id; nil: none

	HostOrigin     string   // of the host's pages; may be empty: they are not told how a session ends
	SessionOrigins []string // of pages that back ends may open sessions for, as browsers write origins
}

// Limiter says whether id may do once more what is limited.
type Limiter interface {
	Allow(id string) (bool, error)
}

// DefaultWorkTime is enough for a service that takes its time at every leg.
const DefaultWorkTime = 45 * time.Second

// Deadlines of the work that a person waits for.
const (
	nameDeadline   = 1500 * time.Millisecond // to ask the host for the user's name
	saveDeadline   = 15 * time.Second        // to save a credential, once there is one
	endDeadline    = 10 * time.Second        // to tell how it ended; its own, whatever came before
	hostDeadline   = 4 * time.Second         // for the host, before the outbox goes on alone
	resultPatience = 5 * time.Second         // how long a result page waits for the end of the work
	relayPatience  = 30 * time.Second        // how long the host may take to relay
)

// attemptsMost is how many sign-ins may be begun in one session.
const attemptsMost = 10

func (s *Service) workTime() time.Duration {
	if s.WorkTime > 0 {
		return s.WorkTime
	}
	return DefaultWorkTime
}

// aside is a context for what must still be done when ctx has ended.
func aside(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), endDeadline)
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Service) redirectURI(authID string) string {
	return s.PublicURL + "/callback/" + authID
}

func (s *Service) ticketURL(ticket string) string { return s.PublicURL + "/connect/" + ticket }

func (s *Service) resultURL(ticket string) string {
	return s.ticketURL(ticket) + "/result"
}

// serviceName is what users call the service of a connection.
func (s *Service) serviceName(authID string) string {
	if p, ok := s.Connections[authID]; ok {
		return p.Connection.Name
	}
	return authID
}

// audit writes an entry about a session. The entry is worth less than the answer to the person
// who waits, so a failure to write it is logged and nothing more.
func (s *Service) audit(ctx context.Context, name string, session oauthstate.Session, accountID, detail string) {
	err := s.Accounts.Audit(ctx, linkedaccount.Event{
		At: s.now(), Name: name, HostUserID: session.HostUserID, AuthID: session.AuthID,
		AccountID: accountID, Detail: detail,
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "writing audit entry", "event", name, "auth_id", session.AuthID, "error", err)
	}
}

// sessionError turns an error of the session store into one of ours; others pass through.
func sessionError(err error) error {
	switch {
	case errors.Is(err, oauthstate.ErrNotFound):
		return ErrExpired
	case errors.Is(err, oauthstate.ErrUnavailable):
		return &UnavailableError{System: "Redis", RetryAfter: time.Second, Err: err}
	}
	return err
}

// Error says who does not answer.
func (e *UnavailableError) Error() string { return e.System + " does not answer: " + e.Err.Error() }

// Unwrap lets errors.Is find ErrUnavailable and the cause.
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.Err} }
