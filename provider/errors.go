package provider

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What went wrong, and whose turn it is. Tell them apart with errors.Is.
var (
	// ErrDenied: the user said no at the service.
	ErrDenied = errors.New("the user denied access")
	// ErrRefused: the service rejects our client or our request; the operator must look.
	ErrRefused = errors.New("the service refused the request")
	// ErrInvalidGrant: the code or token is spent, expired or revoked; the user must sign in again.
	ErrInvalidGrant = errors.New("the grant is not valid")
	// ErrUnavailable: no answer, or none that makes sense. It may be better later.
	ErrUnavailable = errors.New("the service is unavailable")
	// ErrNotVerified: issuer, nonce, ID token or identity did not check out. Nothing may be used.
	ErrNotVerified = errors.New("the answer could not be verified")
	// ErrChanged: client or endpoints are not those that the attempt began with.
	ErrChanged = errors.New("the connection has changed since")
	// ErrPending: the user has not typed the code yet (RFC 8628 §3.5). Ask again after the interval.
	ErrPending = errors.New("the user has not typed the code yet")
	// ErrSlowDown: the same, or no answer; ask less often from now on.
	ErrSlowDown = errors.New("the service wants to be asked less often")
	// ErrExpired: the code was not typed in time.
	ErrExpired = errors.New("the code has expired")
	// ErrUnsupported: the service offers no such thing, now or later. Asking again is no use.
	ErrUnsupported = errors.New("the service does not support it")
)

// Error is how every ability fails. Its text is made of our own words and of error codes that look
// like one (see safeCode): never of a token, a code, or what a service wrote.
type Error struct {
	Op         string        // what was being done, as a gerund: "exchanging the code"
	Kind       error         // one of the sentinels above
	Code       string        // the service's error code, or a few words of ours; may be empty
	Status     int           // HTTP status; 0: there was none
	RetryAfter time.Duration // of ErrUnavailable; 0: the service did not say

	cause error // of context only: deadline or cancellation
}

// Error reads "exchanging the code: the service refused the request (invalid_client, HTTP 401)".
func (e *Error) Error() string {
	var details []string
	if e.Code != "" {
		details = append(details, e.Code)
	}
	if e.Status != 0 {
		details = append(details, fmt.Sprintf("HTTP %d", e.Status))
	}
	if len(details) == 0 {
		return fmt.Sprintf("%s: %v", e.Op, e.Kind)
	}
	return fmt.Sprintf("%s: %v (%s)", e.Op, e.Kind, strings.Join(details, ", "))
}

// Unwrap gives the kind, and the context's error when that ended the work.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.cause}
}

// reclassify is err with another kind, where it is an *Error of the kind in question.
func reclassify(err error, inQuestion func(*Error) bool, kind error) error {
	var e *Error
	if !errors.As(err, &e) || !inQuestion(e) {
		return err
	}
	other := *e
	other.Kind = kind
	return &other
}

// kindOf tells whose turn it is from an error code: those of RFC 6749 §4.1.2.1 and §5.2, and what
// some say in their place. A code not known is a refusal: it sends no user to sign in again.
//
// For a code: bad_verification_code (GitHub), invalid_code (Slack). For a refresh token:
//   - bad_refresh_token (GitHub): "incorrect or expired", says the answer itself, and refers to
//     https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors
//   - invalid_refresh_token (Slack): https://docs.slack.dev/reference/methods/oauth.v2.user.access
//   - interaction_required (Microsoft), when its rules want the user to be there once more:
//     https://learn.microsoft.com/en-us/javascript/api/@azure/msal-node/interactionrequiredautherrorcodes
func kindOf(code string) error {
	switch code {
	case "access_denied":
		return ErrDenied
	case "invalid_grant", "bad_verification_code", "invalid_code",
		"bad_refresh_token", "invalid_refresh_token", "interaction_required":
		return ErrInvalidGrant
	case "server_error", "temporarily_unavailable",
		"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout":
		return ErrUnavailable
	default:
		return ErrRefused
	}
}

// maxCode is the length of the longest error code that we repeat.
const maxCode = 48

// safeCode lets through what is plainly an error code, lower-case words joined by underscores, and
// turns anything else into "unknown error": a service, or whoever wrote the callback, could put
// there whatever should be seen in a log.
func safeCode(code string) string {
	if code == "" || len(code) > maxCode {
		return "unknown error"
	}
	for _, r := range code {
		if (r < 'a' || r > 'z') && r != '_' {
			return "unknown error"
		}
	}
	return code
}
