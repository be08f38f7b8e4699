package provider

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"linkgate/secret"
)

// oauth2Redirector signs in with plain OAuth 2 (RFC 6749 §4.1). OAuth says nothing about who the
// account is, so the service's own API is asked, at Identity.URL, unless the token answer says it.
type oauth2Redirector struct {
	authServer
	endpoints  endpoints
	identifier *oauth2Identifier
	revoker    *revoker // nil: the service has no way to revoke
}

var _ Redirector = (*oauth2Redirector)(nil)

func oauth2Protocol() protocol {
	return protocol{name: "oauth2", problems: oauth2Problems, open: openOAuth2}
}

func openOAuth2(c Connection, d Deps) *Provider {
	server := newAuthServer(c, d)
	redirector := &oauth2Redirector{
		authServer: server,
		endpoints:  endpoints{issuer: c.Issuer, authorize: c.AuthorizeURL, token: c.TokenURL, pushed: c.PARURL},
		identifier: &oauth2Identifier{client: server.client, conn: c},
	}
	p := &Provider{
		Connection: c,
		Redirector: redirector,
		Refresher:  newRefresher(server, d.Log, func(context.Context) (string, error) { return cmp.Or(c.RefreshURL, c.TokenURL), nil }),
		Applier:    newApplier(c.Credential),
	}
	if c.DeviceURL != "" {
		e := endpoints{issuer: c.Issuer, authorize: c.DeviceURL, token: c.TokenURL}
		p.Device = &deviceSignIn{
			authServer: server, grant: redirector.grant,
			endpoints: func(context.Context) (endpoints, error) { return e, nil },
		}
	}
	if !c.identifiedByToken() {
		p.Identifier = redirector.identifier
	}
	if c.RevokeURL != "" {
		redirector.revoker = newRevoker(server, d.Log, func(context.Context) (string, error) { return c.RevokeURL, nil })
		p.Revoker = redirector.revoker
	}
	return p
}

// Authorize implements Redirector.
func (o *oauth2Redirector) Authorize(ctx context.Context, state secret.Text, redirectURI string, scopes ...string) (Attempt, string, error) {
	return o.authorize(ctx, o.endpoints, Attempt{State: state, RedirectURI: redirectURI, Scopes: scopes})
}

// Exchange implements Redirector.
func (o *oauth2Redirector) Exchange(ctx context.Context, a Attempt, cb Callback) (Grant, error) {
	tokens, err := o.exchange(ctx, o.endpoints, a, cb)
	if err != nil {
		return Grant{}, err
	}
	return o.grant(ctx, tokens, a.Scopes)
}

// grant is what the tokens are worth, once it is known whose they are. asked is what an attempt asked
// for in place of the connection's scopes.
func (o *oauth2Redirector) grant(ctx context.Context, tokens tokenAnswer, asked []string) (Grant, error) {
	credential := tokens.credential(o.client.now(), o.conn.Lifetime)
	identity, err := o.identifier.granted(ctx, tokens, credential)
	if err != nil {
		if o.revoker != nil {
			o.revoker.withdraw(ctx, credential)
		}
		return Grant{}, err
	}
	scopes, missing := o.conn.granted(o.conn.scopesOf(asked), tokens.Scope)
	return Grant{Credential: credential, Scopes: scopes, Missing: missing, Identity: identity}, nil
}

// oauth2Identifier asks the service's API whose token it is.
type oauth2Identifier struct {
	client *client
	conn   Connection
}

var _ Identifier = (*oauth2Identifier)(nil)

// granted is whose new tokens are: as their answer says itself, or else the service's API. What it
// needs in URLs may stand in either.
func (i *oauth2Identifier) granted(ctx context.Context, tokens tokenAnswer, c Credential) (identity Identity, err error) {
	profile := tokens.whole
	if !i.conn.identifiedByToken() {
		if profile, err = i.read(ctx, c); err != nil {
			return Identity{}, err
		}
	}
	if identity, err = i.of(profile); err != nil {
		return Identity{}, err
	}
	identity.Settings, err = i.conn.settings(tokens.whole, profile)
	return identity, err
}

// Identify implements Identifier. Settings that only the token answer tells are not among the
// identity's.
func (i *oauth2Identifier) Identify(ctx context.Context, c Credential) (Identity, error) {
	profile, err := i.read(ctx, c)
	if err != nil {
		return Identity{}, ifRejected(err)
	}
	identity, err := i.of(profile)
	if err != nil {
		return Identity{}, err
	}
	identity.Settings, err = i.conn.settingsTold(profile)
	return identity, err
}

// ifRejected tells a credential that is worth nothing any more from other refusals. Of one that was
// issued a moment ago a 401 says no such thing, so that a sign-in leaves it as it is.
func ifRejected(err error) error {
	return reclassify(err, func(e *Error) bool { return e.Status == http.StatusUnauthorized }, ErrInvalidGrant)
}

const opIdentify = "reading the identity"

func (i *oauth2Identifier) read(ctx context.Context, c Credential) (profile document, err error) {
	authorize := func(r *http.Request) { newApplier(i.conn.Credential).Apply(r, c) }
	err = i.client.askJSON(ctx, opIdentify, i.conn.Identity.URL, i.conn.Identity.Body, i.conn.asAPI(authorize), &profile)
	return profile, err
}

// of is whom a profile is of, without settings.
func (i *oauth2Identifier) of(profile document) (Identity, error) {
	return i.conn.identityOf(profile, i.issuer())
}

// issuer is whose accounts these are: the issuer where there is one, else the origin of the token
// endpoint, which no other service shares.
func (i *oauth2Identifier) issuer() string {
	return cmp.Or(i.conn.Issuer, originOf(i.conn.TokenURL))
}

func oauth2Problems(c Connection) []Problem {
	return slices.Concat(
		c.templateProblem("issuer", c.Issuer, optional),
		c.templateProblem("authorize_url", c.AuthorizeURL, required),
		c.templateProblem("token_url", c.TokenURL, required),
		c.templateProblem("refresh_url", c.RefreshURL, optional),
		c.identityURLProblem(),
		pathProblem("identity.id", c.Identity.ID),
		c.authServerProblems(),
		c.identityIDProblem(),
	)
}

// identityIDProblem: without an id nobody's account can be told from another's.
func (c Connection) identityIDProblem() []Problem {
	if c.Identity.ID != "" {
		return nil
	}
	return []Problem{{"identity.id", "is missing", "name where the answer of identity.url, or with identity.url: token the token answer, has the account's stable id"}}
}
