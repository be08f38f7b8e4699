package registration

import (
	"errors"
	"slices"
	"strconv"

	"linkgate/provider"
)

// Errors of the commands.
var (
	// ErrNoRegistration: connections.yaml has no connection of that auth id that registers itself.
	ErrNoRegistration = errors.New("no connection with this auth id registers itself")
	// ErrNoClient: nothing is registered.
	ErrNoClient = errors.New("no client is registered for this connection")
)

var (
	// errOvertaken: the row is not any more what it was when it was claimed.
	errOvertaken = errors.New("the registration has been changed meanwhile")
	// errGone: the service has no such client.
	errGone = errors.New("the service has no such client")
)

const opFind = "finding the registered client"

// Error is a failure with what an operator can do about it. It is a provider.Error too, by which
// everybody else tells whose turn it is. Neither ever holds what the service wrote.
type Error struct {
	Cause  *provider.Error
	Remedy string // a sentence; may be empty
}

// Error says the remedy as well: it is for the log.
func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.Cause.Error()
	}
	return e.Cause.Error() + ": " + e.Remedy
}

// Unwrap implements errors.Unwrap.
func (e *Error) Unwrap() error { return e.Cause }

func unavailable(op, code string) error {
	return &Error{Cause: &provider.Error{Op: op, Kind: provider.ErrUnavailable, Code: code}}
}

func notVerified(op, code, remedy string) error {
	return &Error{Cause: &provider.Error{Op: op, Kind: provider.ErrNotVerified, Code: code}, Remedy: remedy}
}

func unsupported(op, remedy string) error {
	return &Error{Cause: &provider.Error{Op: op, Kind: provider.ErrUnsupported}, Remedy: remedy}
}

// isUncertain tells that nobody knows what the service has done: it may have heard us.
func isUncertain(err error) bool { return errors.Is(err, provider.ErrUnavailable) }

// gone tells by the status of a refusal that the client is not there (RFC 9110 §15.5.5, §15.5.11).
func gone(status int) bool { return status == 404 || status == 410 }

// remedies are what to do about the error codes of RFC 7591 §3.2.2 and RFC 6750 §3.1.
func remedies() map[string]string {
	return map[string]string{
		"invalid_redirect_uri":          "The service does not take the redirect URI: see that PUBLIC_URL is the https address that browsers use.",
		"invalid_client_metadata":       "The service does not take what the connection registers: look at registration.metadata, scopes and auth_style.",
		"invalid_software_statement":    "This service wants a software statement: register the client by hand, and set client_id and client_secret.",
		"unapproved_software_statement": "This service registers approved software only: register the client by hand, and set client_id and client_secret.",
		"invalid_token":                 remedyToken,
		"insufficient_scope":            remedyToken,
	}
}

const (
	remedyToken  = "Check registration.initial_access_token: ask the service for a new one."
	remedyURL    = "Check registration.url: there is no registration endpoint."
	remedyForget = "If the client is gone at the service, or you delete it in its console, `linkgate clients delete --forget` forgets it here."
)

// refusal is what a 4xx means. code is the service's own; only one that the RFCs know is repeated.
func refusal(op string, status int, code, remedy string) error {
	known := remedies()
	advice, ok := known[code]
	if !ok {
		code, advice = "unknown error", remedy
	}
	if ok && advice == remedyToken && remedy != "" {
		advice = remedy // it is another token that the service does not take
	}
	if !ok && remedy == "" {
		switch {
		case slices.Contains([]int{401, 403}, status):
			advice = remedyToken
		case slices.Contains([]int{404, 405, 410}, status):
			advice = remedyURL
		default:
			advice = known["invalid_client_metadata"]
		}
	}
	return &Error{Cause: &provider.Error{Op: op, Kind: provider.ErrRefused, Code: code, Status: status}, Remedy: advice}
}

// mixappRefusal repeats the number of an error, and not its words.
func mixappRefusal(op string, status, number int) error {
	remedy := "MixApp says what this number means; look at registration.metadata and scopes."
	switch {
	case status == 401, status == 403:
		remedy = "Check registration.initial_access_token: it is the OIDC token of the workplace."
	case gone(status):
		remedy = "Check registration.url: the address has the name of the workplace in it."
	}
	return &Error{
		Cause:  &provider.Error{Op: op, Kind: provider.ErrRefused, Code: "error_code " + strconv.Itoa(number), Status: status},
		Remedy: remedy,
	}
}

// isGone tells a refusal because there is no such client.
func isGone(err error) bool {
	var e *provider.Error
	return errors.As(err, &e) && gone(e.Status)
}
