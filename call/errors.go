package call

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"linkgate/database"
	"linkgate/linkedaccount"
	"linkgate/provider"
)

// Why a request was not sent, or has no answer. Every error of Serve is one of them, ErrNoTarget, the
// context's, or unexpected.
var (
	ErrUnknownConnection = errors.New("no connection has this auth id")
	ErrNotConnected      = errors.New("the user has no such account at this connection")
	ErrReauthRequired    = errors.New("the user must sign in at the service again")
	ErrBadPath           = errors.New("the path can be read in more than one way")
	ErrBadBody           = errors.New("the request's body can't be read to its end")
	ErrFormTooLong       = errors.New("the form is too long to be signed")
	ErrNotAllowed        = errors.New("the connection does not allow this call") // *NotAllowedError
	ErrTooMany           = errors.New("too many calls by this user")
	ErrRefused           = errors.New("the service refuses Linkgate's client")
	ErrUnavailable       = errors.New("the service, or a system we depend on, does not answer") // *UnavailableError
	ErrTimeout           = errors.New("the service has not begun to answer in time")
	ErrBroken            = errors.New("the service has broken the connection off")
)

// NotAllowedError wraps ErrNotAllowed and names the rule that is missing.
type NotAllowedError struct {
	AuthID string
	Rule   string // as it would stand in calls.allow: "GET /user"
}

// Error leaves out the rule, which has the path that was called: it may say something about a person.
func (e *NotAllowedError) Error() string {
	return fmt.Sprintf("%v: connection %q has no rule for it", ErrNotAllowed, e.AuthID)
}

// Unwrap lets errors.Is find ErrNotAllowed.
func (e *NotAllowedError) Unwrap() error { return ErrNotAllowed }

// UnavailableError wraps ErrUnavailable and says when to come back.
type UnavailableError struct {
	System     string        // theService, or another of ours
	RetryAfter time.Duration // zero: nothing is known of it
	Err        error         // why, in our own words
}

// The systems of an UnavailableError.
const (
	theService  = "the service"
	theDatabase = "the database"
)

// Error implements error.
func (e *UnavailableError) Error() string { return fmt.Sprintf("%s can't be had: %v", e.System, e.Err) }

// Unwrap lets errors.Is find ErrUnavailable, and the reason.
func (e *UnavailableError) Unwrap() []error { return []error{ErrUnavailable, e.Err} }

// credentialFailure says what it means that there is no credential.
func credentialFailure(err error) error {
	var outage *provider.Error
	switch {
	case errors.Is(err, linkedaccount.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrNotConnected, err)
	case errors.Is(err, linkedaccount.ErrReauthRequired):
		return fmt.Errorf("%w: %w", ErrReauthRequired, err)
	case errors.Is(err, provider.ErrRefused):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("getting a credential: %w", err)
	case errors.As(err, &outage) && errors.Is(outage, provider.ErrUnavailable):
		return &UnavailableError{System: theService, RetryAfter: outage.RetryAfter, Err: err}
	case errors.Is(err, provider.ErrUnavailable):
		return &UnavailableError{System: theService, Err: err}
	case database.IsUnavailable(err):
		return &UnavailableError{System: theDatabase, Err: err}
	}
	return fmt.Errorf("getting a credential: %w", err)
}

// noConnection tells whether a transport failed before it had a connection, and why. Its own text
// stays out of ours: it can quote what the other side has said.
func noConnection(err error) (why error, is bool) {
	var dialling *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return errNotTrusted, true
	case !errors.As(err, &dialling) || dialling.Op != "dial":
		return nil, false
	}
	var name *net.DNSError
	switch {
	case provider.IsPrivateAddress(err):
		return errPrivate, true
	case errors.As(err, &name):
		return errNoName, true
	case dialling.Timeout():
		return errDialTimeout, true
	case errors.Is(err, syscall.ECONNREFUSED):
		return errNobody, true
	}
	return errUnreachable, true
}

// Why there is no connection, or why none was tried.
var (
	errPrivate     = errors.New("its address is not public")
	errNotTrusted  = errors.New("its certificate is not trusted")
	errNoName      = errors.New("its name is not known")
	errDialTimeout = errors.New("its address does not answer")
	errNobody      = errors.New("nobody listens at its address")
	errUnreachable = errors.New("its address can't be reached")
	errBusy        = errors.New("too many calls of it are under way")
	errHeldBack    = errors.New("it keeps failing, and is left alone for a while")
)
