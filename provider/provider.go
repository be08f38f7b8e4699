// Package provider speaks to external services. A Connection says how (which protocol, which
// addresses, which habits); New turns it into a Provider, whose fields are the abilities that
// its protocol has. One file holds one protocol; presets are data in presets/.
//
// A sign-in goes: Redirector.Authorize makes an Attempt and the address for the browser; the
// caller keeps the attempt sealed; the service's Callback comes back and Redirector.Exchange
// checks it against the attempt, sends the code exactly once, verifies what comes and says who
// the account is. From then on Refresher trades its refresh token for new tokens, Identifier asks
// whose it is, Applier puts it into a call, and Revoker takes it back.
//
// Every request leaves through one client (client.go): dialled only where the guard allows, never
// redirected, never repeated, bounded in size and in time (watch.go), and held back for a while
// from a service that keeps failing (breaker.go). Every failure is an *Error of one of the kinds in
// errors.go. Who may sign in, what is kept and what is tried again is not known here: see connect,
// linkedaccount and outbox.
package provider

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"linkgate/secret"
)

// Provider is a Connection made ready to work. An ability that its protocol or service lacks is
// nil; callers ask for what they need and say plainly when it is not there.
type Provider struct {
	Connection Connection
	Redirector Redirector   // the user signs in at the service, in the browser
	Device     DeviceSignIn // the same on any device, by a code
	Form       Form         // the user types the credential, or what brings one, at our own page; or agrees there
	Refresher  Refresher    // new tokens for a refresh token, or for none (Connection.CanRefresh)
	Revoker    Revoker      // the service can be told to forget a credential
	Identifier Identifier   // the service tells whose a credential is
	Applier    Applier      // a credential authorises a request to the service's API

	customers *customers // nil: all users have the same addresses
}

// Redirector runs a sign-in at the service's own pages.
type Redirector interface {
	// Authorize starts an attempt: it makes the PKCE verifier and the nonce, and returns the
	// address to send the browser to. state is what the service must send back. scopes are asked for
	// in place of the connection's; none: those. Missing of the Grant is worked out against them.
	Authorize(ctx context.Context, state secret.Text, redirectURI string, scopes ...string) (Attempt, string, error)
	// Exchange checks the callback against the attempt, trades the code (sent exactly once) and
	// learns who the account is. When it fails after tokens were issued, it revokes them, as far as
	// the service can be made to.
	Exchange(ctx context.Context, a Attempt, cb Callback) (Grant, error)
}

// Form signs in with what the user types at our own page (Connection.Fields).
type Form interface {
	// Submit makes a credential of what was typed, has the service confirm it, and learns who the
	// account is. Nothing of values is kept but what the credential needs. ErrInvalidGrant: the
	// service does not take it; what was typed is wrong.
	Submit(ctx context.Context, values map[string]secret.Text) (Grant, error)
}

// Revoker makes a credential useless at the service. Revoking one that already is, is no error.
// ErrUnsupported means that the service has no way to do it after all: with OpenID Connect that
// is known only from its discovery document, so there Revoker is always set.
type Revoker interface {
	Revoke(ctx context.Context, c Credential) error
}

// Refresher trades a refresh token for new tokens (RFC 6749 §6), or asks for the client's own anew
// (§4.4).
type Refresher interface {
	// Refresh sends c's refresh token, if it takes one, once, and not after sendBy: a process that was stopped and
	// goes on must not send a token that another one has replaced meanwhile (zero: whenever). The
	// refresh token of the answer replaces the old one; where there is none, the old one stays.
	// ErrInvalidGrant: the user must sign in again, if it is true. ErrRefused: our client or request
	// is rejected, and no user can mend it. ErrUnavailable: weather; the token may have been used up
	// all the same. ErrUnsupported: there is no refresh token.
	Refresh(ctx context.Context, c Credential, sendBy time.Time) (Refreshed, error)
}

// Refreshed is what a refresh brought.
type Refreshed struct {
	Credential Credential
	Scopes     []string // granted now; nil: the service did not say, so as before (RFC 6749 §5.1)
	Missing    []string // asked for at first and not granted now; nil with Scopes
}

// Identifier tells whose a credential is. ErrInvalidGrant: the service answers 401 to it, so that
// it is worth nothing any more.
type Identifier interface {
	Identify(ctx context.Context, c Credential) (Identity, error)
}

// Applier puts a credential into a request where the service's API wants it, in place of whatever
// the request has there.
type Applier interface {
	Apply(r *http.Request, c Credential)
}

// Callback is what the service sent back through the browser.
type Callback struct {
	Code   secret.Text
	Issuer string // iss, RFC 9207
	Error  string // RFC 6749 §4.1.2.1; its description is a stranger's text, and not taken

	OAuthToken    secret.Text // oauth_token, RFC 5849 §2.2
	OAuthVerifier secret.Text // oauth_verifier
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
	Issuer  string // the ID token's iss; for OAuth 2 the connection's issuer, or the token endpoint's origin
	Subject string // stable at that issuer; never an e-mail address
	Name    string // for people; may be empty
	// Settings are what the connection takes from the identity (identity.settings) for use in
	// URLs, such as a customer's own subdomain. Each value fits as one label or path segment.
	Settings map[string]string
}

// Deps is what a Provider needs from the outside. The zero value works: public addresses only,
// the system's certificates and clock, no log.
type Deps struct {
	AllowPrivateNetworks bool             // dial any address; else public ones alone
	RootCAs              *x509.CertPool   // nil: the system's
	Now                  func() time.Time // nil: time.Now
	Log                  *slog.Logger     // nil: nowhere
	// Client finds the present client of a connection that registers itself.
	Client func(context.Context) (Client, error)
}

// filled is d with what it leaves out.
func (d Deps) filled() Deps {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return d
}

// New makes a connection ready to work. It calls nobody: what a service publishes about itself
// is read when first needed. A connection with Problems is refused.
func New(c Connection, d Deps) (*Provider, error) {
	if problems := c.Problems(); len(problems) > 0 {
		return nil, fmt.Errorf("making provider %q: %w", c.AuthID, problems[0])
	}
	p, _ := protocolNamed(c.protocol())
	d = d.filled()
	c = c.Clone()
	if c.AuthStyle == "" {
		c.AuthStyle = AuthBasic
	}
	open := func(c Connection) *Provider { return p.open(c, d) }
	if c.Registration.On() {
		withClient := open
		open = func(c Connection) *Provider { return openRegistered(c, d.Client, withClient) }
	}
	if len(c.asked()) == 0 {
		return open(c), nil
	}
	return openCustomers(c, open), nil
}

// protocol is one way of speaking. A new one is a file with a function that returns its protocol,
// and a line in protocols.
type protocol struct {
	name     string
	problems func(Connection) []Problem // what this protocol in particular asks of a connection
	open     func(Connection, Deps) *Provider
	client   func(Connection) []Problem // what it asks of the client; nil: what RFC 6749 does
	reserved []string                   // authorize_params that are Linkgate's; nil: those of RFC 6749

	clientless bool // no client is registered at the service
	shared     bool // the client has its account by itself, and all users have the same
}

func protocols() []protocol {
	return []protocol{oauth2Protocol(), oidcProtocol(), oauth1Protocol(), apiKeyProtocol(), basicProtocol(), passwordProtocol(), clientCredentialsProtocol()}
}

// Protocols names the protocols that a connection can use directly.
func Protocols() []string {
	var names []string
	for _, p := range protocols() {
		names = append(names, p.name)
	}
	return names
}

func protocolNamed(name string) (protocol, bool) {
	for _, p := range protocols() {
		if p.name == name {
			return p, true
		}
	}
	return protocol{}, false
}
