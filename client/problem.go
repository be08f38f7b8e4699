package client

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kind is what kind of problem there is: the end of its type. All are explained at /docs#problems.
type Kind string

// The kinds.
const (
	InvalidRequest       Kind = "invalid-request"
	CredentialShape      Kind = "credential-shape"
	ProfileNeeded        Kind = "profile-needed"
	OriginNotAllowed     Kind = "origin-not-allowed"
	Unauthorized         Kind = "unauthorized"
	InsufficientScope    Kind = "insufficient-scope" // of the API key
	NotAllowed           Kind = "not-allowed"
	WrongUser            Kind = "wrong-user"
	NotFound             Kind = "not-found"
	NotConnected         Kind = "not-connected"
	SessionExpired       Kind = "session-expired"
	IdempotencyConflict  Kind = "idempotency-conflict"
	InProgress           Kind = "in-progress"
	ReauthRequired       Kind = "reauth-required"
	NoTarget             Kind = "no-target"
	Stale                Kind = "stale"
	PayloadTooLarge      Kind = "payload-too-large"
	UnsupportedMediaType Kind = "unsupported-media-type"
	CredentialRejected   Kind = "credential-rejected"
	ScopesMissing        Kind = "scopes-missing" // of a credential
	TooManyRequests      Kind = "too-many-requests"
	Internal             Kind = "internal"
	HostRefused          Kind = "host-refused"
	ServiceRefused       Kind = "service-refused"
	BadGateway           Kind = "bad-gateway"
	Unavailable          Kind = "unavailable"
	Timeout              Kind = "timeout"
)

// Problem is what Linkgate answers when it does not do what was asked (RFC 9457). It has no secret in it.
type Problem struct {
	Type     string `json:"type"` // see Kind
	Title    string `json:"title"`
	Status   int    `json:"status"` // of the answer
	Detail   string `json:"detail"` // what is wrong here, and what to do about it
	Instance string `json:"instance"`
	// Errors tell what is wrong with which part of a request (InvalidRequest, CredentialShape).
	Errors        []FieldError `json:"errors,omitempty"`
	MissingScopes []string     `json:"missing_scopes,omitempty"` // ScopesMissing
	// AuthorizationURL is where the user signs in again (ReauthRequired), if Linkgate knows.
	AuthorizationURL string `json:"authorization_url,omitempty"`

	RetryAfter time.Duration `json:"-"` // when to come back; 0: Linkgate did not say
}

// FieldError is what is wrong with one part of a request.
type FieldError struct {
	Pointer string `json:"pointer"` // into the body (RFC 6901), or ?name, or a header's name
	Detail  string `json:"detail"`
}

// Error implements error.
func (p *Problem) Error() string {
	text := p.Title
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	if p.Instance != "" && p.Status >= http.StatusInternalServerError {
		text += " (request " + p.Instance + ")"
	}
	return text
}

// Kind is what kind of problem it is; empty where something else than Linkgate has answered.
func (p *Problem) Kind() Kind {
	_, kind, _ := strings.Cut(p.Type, "#")
	return Kind(kind)
}

// IsProblem tells whether err is a problem of the kind.
func IsProblem(err error, k Kind) bool {
	p, ok := errors.AsType[*Problem](err)
	return ok && p.Kind() == k
}

// IsReauthRequired tells whether the user must sign in at the service again.
func IsReauthRequired(err error) bool { return IsProblem(err, ReauthRequired) }

// IsNotFound tells whether there is nothing with that id, or it has been disconnected.
func IsNotFound(err error) bool { return IsProblem(err, NotFound) || IsProblem(err, NotConnected) }

// IsStale tells whether somebody else has changed what was to be changed: read it again.
func IsStale(err error) bool { return IsProblem(err, Stale) }

// IsTemporary tells whether the same request may succeed later: Linkgate or what it depends on can't be reached,
// or there were too many requests.
func IsTemporary(err error) bool {
	if _, ok := errors.AsType[*UnreachableError](err); ok {
		return true
	}
	return IsProblem(err, Unavailable) || IsProblem(err, TooManyRequests) || IsProblem(err, Timeout)
}

// problemOf reads an answer that is none of what was asked for. Where it is not Linkgate that answers,
// but a proxy before it, its status is all there is.
func problemOf(answer *http.Response) *Problem {
	p := &Problem{}
	body := drained(answer.Body)
	if err := json.Unmarshal(body, p); err != nil || p.Type == "" {
		p = &Problem{Type: "about:blank", Title: http.StatusText(answer.StatusCode),
			Detail: "something else than Linkgate's accounts API has answered, with status " + strconv.Itoa(answer.StatusCode)}
	}
	p.Status, p.RetryAfter = answer.StatusCode, retryAfter(answer.Header.Get("Retry-After"))
	return p
}

// retryAfter reads seconds, of which 32 bits are more than anybody waits, or a date (RFC 9110 §10.2.3).
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
