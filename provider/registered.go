package provider

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"linkgate/secret"
)

// Registration says how a connection gets a client of its own from the service, in place of
// client_id and client_secret. Package registration does it.
type Registration struct {
	URL                string      `yaml:"url"`                  // the registration endpoint; empty: the one that an oidc connection's issuer publishes
	InitialAccessToken secret.Text `yaml:"initial_access_token"` // RFC 7591 §3; empty: anybody may register
	Dialect            string      `yaml:"dialect"`              // DialectRFC7591 (also when empty) or DialectMixApp
	// Metadata is told to the service as it is, under the names of RFC 7591 §2: client_uri, contacts.
	Metadata map[string]string `yaml:"metadata"`
}

// The ways of registering.
const (
	DialectRFC7591 = "rfc7591" // managed as RFC 7592 says
	DialectMixApp  = "mixapp"
)

// On tells whether the connection registers its client itself.
func (r Registration) On() bool {
	return r.URL != "" || r.Dialect != "" || !r.InitialAccessToken.IsZero() || len(r.Metadata) > 0
}

// Client is what a service knows an app by.
type Client struct {
	ID        string
	Secret    secret.Text // empty: a public client
	AuthStyle string      // as the service wants it; empty: the connection's
}

const opFindClient = "finding the registered client"

// registered is a service whose client is not configured but found when it is needed. With each
// client it is a connection like any other, opened anew when another one has taken its place.
type registered struct {
	conn   Connection
	client func(context.Context) (Client, error)
	open   func(Connection) *Provider

	mu      sync.Mutex
	current Client
	kept    *Provider // opened with current; nil: none yet
}

// openRegistered makes a provider whose abilities first find the client.
func openRegistered(c Connection, client func(context.Context) (Client, error), open func(Connection) *Provider) *Provider {
	r := &registered{conn: c, client: client, open: open}
	able := open(c)
	p := routed(able, func(ctx context.Context, _ map[string]string) (*Provider, error) { return r.now(ctx) })
	p.Identifier = able.Identifier // the client has no part in it
	return p
}

// now is the provider with the client that is the right one at this moment.
func (r *registered) now(ctx context.Context) (*Provider, error) {
	if r.client == nil {
		return nil, &Error{Op: opFindClient, Kind: ErrRefused, Code: "nobody registers clients here"}
	}
	client, err := r.client(ctx)
	if err != nil {
		if e, ours := errors.AsType[*Error](err); ours && !errors.Is(e, ErrInvalidGrant) { // no user can mend it
			return nil, err
		}
		return nil, &Error{Op: opFindClient, Kind: ErrUnavailable, cause: ctx.Err()}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	same := r.current.ID == client.ID && r.current.AuthStyle == client.AuthStyle && r.current.Secret.Equal(client.Secret)
	if r.kept == nil || !same {
		c := r.conn.Clone()
		c.ClientID, c.ClientSecret = client.ID, client.Secret
		if client.AuthStyle != "" {
			c.AuthStyle = client.AuthStyle
		}
		r.current, r.kept = client, r.open(c)
	}
	return r.kept, nil
}

const opFindRegistration = "finding where clients are registered"

// RegistrationEndpoint is where a connection's client is registered: the configured address, else
// the one that the issuer publishes (OpenID Connect Discovery §3). ErrUnsupported: it publishes none.
func RegistrationEndpoint(ctx context.Context, c Connection, d Deps) (string, error) {
	if c.Registration.URL != "" {
		return c.Registration.URL, nil
	}
	m, err := fetchMetadata(ctx, newClient(c.AuthID, d.filled()), c.Issuer)
	if err != nil {
		return "", err
	}
	switch address := m.RegistrationEndpoint; {
	case address == "":
		return "", &Error{Op: opFindRegistration, Kind: ErrUnsupported, Code: "the issuer publishes no registration endpoint"}
	case !IsSafeURL(address) || (isHTTPS(m.Issuer) && !isHTTPS(address)):
		return "", &Error{Op: opFindRegistration, Kind: ErrNotVerified, Code: "the registration endpoint is not a safe URL"}
	default:
		return address, nil
	}
}

// IsSafeURL tells an address that secrets may be sent to: https, or plain http on loopback.
func IsSafeURL(address string) bool { return urlMistake(address) == "" }

// registrationProblems are in the place of clientProblems where the connection registers itself.
func (c Connection) registrationProblems() []Problem {
	r := c.Registration
	if name := c.protocol(); name != "oauth2" && name != "oidc" {
		return []Problem{{"registration", "is not used by this protocol", "leave it out: only oauth2 and oidc have clients that can be registered"}}
	}
	var problems []Problem
	const either = "leave out client_id and client_secret, or registration"
	if c.ClientID != "" {
		problems = append(problems, Problem{"client_id", "is set, though the connection registers its own client", either})
	}
	if !c.ClientSecret.IsZero() {
		problems = append(problems, Problem{"client_secret", "is set, though the connection registers its own client", either})
	}
	if !slices.Contains([]string{"", AuthBasic, AuthPost, AuthNone}, c.AuthStyle) {
		problems = append(problems, Problem{"auth_style", "is not one that a client can be registered for", "use basic, post or none"})
	}
	switch r.Dialect {
	case "", DialectRFC7591:
	case DialectMixApp:
		if r.InitialAccessToken.IsZero() {
			problems = append(problems, Problem{"registration.initial_access_token", "is missing", "put the workplace's OIDC token there"})
		}
	default:
		problems = append(problems, Problem{"registration.dialect", "unknown dialect " + shown(r.Dialect), "use rfc7591 or mixapp"})
	}
	problems = append(problems, c.registrationURLProblem()...)
	return append(problems, r.metadataProblems()...)
}

func (c Connection) registrationURLProblem() []Problem {
	discovered := c.protocol() == "oidc" && c.Registration.Dialect != DialectMixApp
	if c.Registration.URL == "" && discovered && placeholderForm.MatchString(c.Issuer) {
		return []Problem{{"registration.url", "is missing, and the issuer is another for each customer", "name the one address where the client is registered"}}
	}
	return urlProblem("registration.url", c.Registration.URL, need(!discovered))
}

// reservedMetadata is what Linkgate says of itself, or only the service may say.
func reservedMetadata() []string {
	return []string{
		"client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at", "generate_token", "grant_types",
		"redirect_uris", "registration_access_token", "registration_client_uri", "response_types", "scope", "scopes",
		"token_endpoint_auth_method",
	}
}

func (r Registration) metadataProblems() []Problem {
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(r.Metadata)) {
		if slices.Contains(reservedMetadata(), name) || name == "" {
			problems = append(problems, Problem{"registration.metadata." + name, "is set by Linkgate", "leave it out"})
		}
	}
	return problems
}
