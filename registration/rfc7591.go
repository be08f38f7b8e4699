package registration

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"linkgate/provider"
	"linkgate/secret"
)

// dialect is how one kind of service registers and manages clients.
type dialect interface {
	// find looks for a client of ours that we do not know of; errGone: there is none, or no way to look.
	find(ctx context.Context, a app) (client, error)
	register(ctx context.Context, a app) (client, error)
	// read asks what the service has; its answer may bring another secret.
	read(ctx context.Context, c client) (client, error)
	// update has the service know a as it is now.
	update(ctx context.Context, a app, c client) (client, error)
	// rotate brings another secret, or the same with a later end. ErrUnsupported: the service keeps it.
	rotate(ctx context.Context, a app, c client) (client, error)
	remove(ctx context.Context, c client) error
}

func (m *Manager) dialect(c provider.Connection) dialect {
	if c.Registration.Dialect == provider.DialectMixApp {
		return mixapp{wire: m.http, url: c.Registration.URL, token: c.Registration.InitialAccessToken}
	}
	return rfc7591{
		wire: m.http, token: c.Registration.InitialAccessToken, needsSecret: c.AuthStyle != provider.AuthNone,
		endpoint: func(ctx context.Context) (string, error) {
			return provider.RegistrationEndpoint(ctx, c, m.options.Deps)
		},
	}
}

// rfc7591 registers by RFC 7591, and manages by RFC 7592.
type rfc7591 struct {
	wire        wire
	endpoint    func(context.Context) (string, error)
	token       secret.Text // the initial access token; may be empty
	needsSecret bool
}

var _ dialect = rfc7591{}

const (
	opRegister = "registering a client"
	opRead     = "reading the client's registration"
	opUpdate   = "updating the client's registration"
	opRotate   = "renewing the client's secret"
	opRemove   = "deleting the client"
)

// find implements dialect: RFC 7591 has no way to look.
func (d rfc7591) find(context.Context, app) (client, error) { return client{}, errGone }

// register implements dialect (RFC 7591 §3).
func (d rfc7591) register(ctx context.Context, a app) (client, error) {
	address, err := d.endpoint(ctx)
	if err != nil {
		return client{}, err
	}
	ans, err := d.wire.send(ctx, request{op: opRegister, method: http.MethodPost, address: address, token: d.token, body: standard(a)})
	if err != nil {
		return client{}, err
	}
	return d.take(opRegister, ans, client{}, a.redirectURI, "")
}

// read implements dialect (RFC 7592 §2.1).
func (d rfc7591) read(ctx context.Context, c client) (client, error) {
	if !c.managed() {
		return c, nil // as good as anything that can be known
	}
	ans, err := d.wire.send(ctx, request{op: opRead, method: http.MethodGet, address: c.URI, token: c.Token})
	if err != nil {
		return client{}, err
	}
	return d.take(opRead, ans, c, "", remedyForget)
}

// update implements dialect (RFC 7592 §2.2). The secret that is sent along is the one to keep.
func (d rfc7591) update(ctx context.Context, a app, c client) (client, error) {
	return d.put(ctx, opUpdate, a, c, true)
}

// rotate implements dialect. A server may give another secret with any answer (RFC 7592 §2.2), and
// the one to be replaced is not sent along.
func (d rfc7591) rotate(ctx context.Context, a app, c client) (client, error) {
	got, err := d.put(ctx, opRotate, a, c, false)
	if err == nil && got.Secret.Equal(c.Secret) && !got.ExpiresAt.After(c.ExpiresAt) {
		return client{}, unsupported(opRotate, "The service keeps the secret. A new client is the only way to a new one, and users must then "+
			"sign in again: `linkgate clients delete`, then `linkgate clients register`.")
	}
	return got, err
}

func (d rfc7591) put(ctx context.Context, op string, a app, c client, withSecret bool) (client, error) {
	if !c.managed() {
		return client{}, unsupported(op, "The service gave no address to manage the client at (RFC 7592). Change it in the service's console.")
	}
	body := standard(a)
	body["client_id"] = c.ID
	if withSecret && !c.Secret.IsZero() {
		body["client_secret"] = c.Secret.Reveal()
	}
	ans, err := d.wire.send(ctx, request{op: op, method: http.MethodPut, address: c.URI, token: c.Token, body: body})
	if err != nil {
		return client{}, err
	}
	return d.take(op, ans, c, a.redirectURI, remedyForget)
}

// remove implements dialect (RFC 7592 §2.3).
func (d rfc7591) remove(ctx context.Context, c client) error {
	if !c.managed() {
		return unsupported(opRemove, remedyForget)
	}
	ans, err := d.wire.send(ctx, request{op: opRemove, method: http.MethodDelete, address: c.URI, token: c.Token})
	switch {
	case err != nil:
		return err
	case ans.status >= 400 && !gone(ans.status):
		return refusal(opRemove, ans.status, ans.errorCode(), remedyForget)
	}
	return nil
}

func (c client) managed() bool { return c.URI != "" && !c.Token.IsZero() }

// errorCode is the answer's (RFC 7591 §3.2.2).
func (a answer) errorCode() string {
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(a.body, &said)
	return said.Error
}

// standard is what RFC 7591 §2 calls client metadata.
func standard(a app) map[string]any {
	said := a.said()
	grants := []string{"authorization_code", "refresh_token"}
	if a.byCode {
		grants = append(grants, provider.DeviceGrant)
	}
	said["grant_types"] = grants
	said["token_endpoint_auth_method"] = authMethod(a.authStyle)
	if len(a.scopes) > 0 {
		said["scope"] = strings.Join(a.scopes, " ")
	}
	return said
}

// authMethods are the names of RFC 7591 §2 for how a client authenticates.
func authMethods() map[string]string {
	return map[string]string{
		provider.AuthBasic: "client_secret_basic", provider.AuthPost: "client_secret_post", provider.AuthNone: "none",
	}
}

func authMethod(style string) string { return authMethods()[style] }

// information is a client information response (RFC 7591 §3.2.1, RFC 7592 §3).
type information struct {
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	ExpiresAt    *float64 `json:"client_secret_expires_at"` // seconds since 1970, 0 for never
	Token        string   `json:"registration_access_token"`
	URI          string   `json:"registration_client_uri"`
	AuthMethod   string   `json:"token_endpoint_auth_method"`
	RedirectURIs []string `json:"redirect_uris"`
}

// take reads a client out of an answer. What it leaves out stays as it was. redirectURI must be among
// the registered ones, where the service tells them; empty: any will do.
func (d rfc7591) take(op string, ans answer, before client, redirectURI, remedy string) (client, error) {
	if ans.status >= 400 {
		return client{}, refusal(op, ans.status, ans.errorCode(), remedy)
	}
	var said information
	if json.Unmarshal(ans.body, &said) != nil {
		return client{}, unavailable(op, "answer is not the JSON expected")
	}
	c, err := said.over(op, before)
	switch {
	case err != nil:
		return client{}, err
	case redirectURI != "" && len(said.RedirectURIs) > 0 && !slices.Contains(said.RedirectURIs, redirectURI):
		return client{}, notVerified(op, "other redirect URIs were registered", remedies()["invalid_redirect_uri"])
	case c.URI != "" && !provider.IsSafeURL(c.URI):
		return client{}, notVerified(op, "the registration_client_uri is not a safe URL", "The service has to give an https address.")
	}
	known := false
	for style, method := range authMethods() {
		if said.AuthMethod == method {
			c.AuthStyle, known = style, true
		}
	}
	switch {
	case said.AuthMethod != "" && !known:
		return client{}, notVerified(op, "the service wants another way of authentication", "Set auth_style to basic, post or none, as the service documents.")
	case c.Secret.IsZero() && d.needsSecret && c.AuthStyle != provider.AuthNone:
		return client{}, notVerified(op, "no client_secret came", "For a public client set auth_style: none.")
	}
	return c, nil
}

// over is a client with what the service says of it now.
func (said information) over(op string, before client) (client, error) {
	c := before
	switch {
	case said.ClientID == "":
		return client{}, unavailable(op, "answer without client_id")
	case before.ID != "" && said.ClientID != before.ID:
		return client{}, notVerified(op, "the answer is about another client", "")
	}
	c.ID, c.URI = said.ClientID, cmp.Or(said.URI, before.URI)
	if said.ClientSecret != "" {
		c.Secret = secret.New(said.ClientSecret)
	}
	if said.Token != "" {
		c.Token = secret.New(said.Token)
	}
	if said.ExpiresAt != nil {
		c.ExpiresAt = time.Time{}
		if *said.ExpiresAt > 0 && *said.ExpiresAt < 1e11 {
			c.ExpiresAt = time.Unix(int64(*said.ExpiresAt), 0).UTC()
		}
	}
	return c, nil
}
