// Package provider speaks to external services. A Connection says how (which protocol, which
// addresses, which habits); New turns it into a Provider, whose fields are the abilities that
// its protocol has. One file holds one protocol; presets are data in presets/.
package provider

import (
	"context"

	"linkgate/secret"
)

// Provider is a Connection made ready to work. An ability that its protocol or service lacks is
// nil; callers ask for what they need and say plainly when it is not there.
type Provider struct {
	Connection Connection
	Redirector Redirector // the user signs in at the service, in the browser
	Revoker    Revoker    // the service can be told to forget a credential
}

// Redirector runs a sign-in at the service's own pages.
type Redirector interface {
	// Authorize starts an attempt: it makes the PKCE verifier and the nonce, and returns the
	// address to send the browser to. state is what the service must send back.
	Authorize(ctx context.Context, state secret.Text, redirectURI string) (Attempt, string, error)
	// Exchange checks the callback against the attempt, trades the code (sent exactly once) and
	// learns who the account is.
	Exchange(ctx context.Context, a Attempt, cb Callback) (Grant, error)
}

// Revoker makes a credential useless at the service. Revoking one that already is, is no error.
type Revoker interface {
	Revoke(ctx context.Context, c Credential) error
}

// Callback is what the service sent back through the browser.
type Callback struct {
	Code             secret.Text
	Issuer           string // iss, RFC 9207
	Error            string // RFC 6749 §4.1.2.1
	ErrorDescription string // untrusted: for the log only
}

// Grant is what an exchange brought.
type Grant struct {
	Credential Credential
	Scopes     []string // granted, RFC 6749 §5.1
	Missing    []string // asked for and not granted
	Identity   Identity
}

// Identity is who the account is at the service.
type Identity struct {
	Issuer  string // the ID token's iss, or the origin of the token endpoint
	Subject string // stable at that issuer; never an e-mail address
	Name    string // for people; may be empty
}
