package provider

import (
	"context"
	"net/url"
	"slices"

	"linkgate/secret"
)

// oauth2Redirector signs in with plain OAuth 2 (RFC 6749 §4.1). OAuth says nothing about who the
// account is, so the service's own API is asked, at Identity.URL.
type oauth2Redirector struct {
	authServer
	endpoints endpoints
	revoker   *revoker // nil: the service has no way to revoke
}

var _ Redirector = (*oauth2Redirector)(nil)

func oauth2Protocol() protocol {
	return protocol{name: "oauth2", problems: oauth2Problems, open: openOAuth2}
}

func openOAuth2(c Connection, d Deps) *Provider {
	server := authServer{client: newClient(c.AuthID, d), conn: c}
	redirector := &oauth2Redirector{
		authServer: server,
		endpoints:  endpoints{issuer: c.Issuer, authorize: c.AuthorizeURL, token: c.TokenURL},
	}
	p := &Provider{Connection: c, Redirector: redirector}
	if c.RevokeURL != "" {
		redirector.revoker = newRevoker(server, d.Log, func(context.Context) (string, error) { return c.RevokeURL, nil })
		p.Revoker = redirector.revoker
	}
	return p
}

// Authorize implements Redirector.
func (o *oauth2Redirector) Authorize(_ context.Context, state secret.Text, redirectURI string) (Attempt, string, error) {
	return o.authorize(o.endpoints, o.conn.Scopes, state, secret.Text{}, redirectURI)
}

// Exchange implements Redirector.
func (o *oauth2Redirector) Exchange(ctx context.Context, a Attempt, cb Callback) (Grant, error) {
	tokens, err := o.exchange(ctx, o.endpoints, a, cb)
	if err != nil {
		return Grant{}, err
	}
	grant, err := o.grant(ctx, tokens)
	if err != nil && o.revoker != nil {
		o.revoker.withdraw(ctx, tokens.credential(o.client.now()))
	}
	return grant, err
}

// grant is what the tokens are worth.
func (o *oauth2Redirector) grant(ctx context.Context, tokens tokenAnswer) (Grant, error) {
	identity, err := o.identify(ctx, tokens.AccessToken)
	if err != nil {
		return Grant{}, err
	}
	scopes, missing := o.conn.granted(o.conn.Scopes, tokens.Scope)
	return Grant{
		Credential: tokens.credential(o.client.now()),
		Scopes:     scopes,
		Missing:    missing,
		Identity:   identity,
	}, nil
}

// identify asks the service's API whose token this is.
func (o *oauth2Redirector) identify(ctx context.Context, accessToken string) (Identity, error) {
	const op = "reading the identity"
	var profile document
	if err := o.client.getJSON(ctx, op, o.conn.Identity.URL, accessToken, &profile); err != nil {
		return Identity{}, err
	}
	subject, ok := profile.subject(o.conn.Identity.ID)
	if !ok {
		return Identity{}, &Error{Op: op, Kind: ErrNotVerified, Code: "no usable id at identity.id"}
	}
	identity := Identity{Issuer: o.identityIssuer(), Subject: subject}
	if o.conn.Identity.Name != "" {
		identity.Name = profile.name(o.conn.Identity.Name)
	}
	return identity, nil
}

// identityIssuer is whose accounts these are: the issuer where there is one, else the origin of the
// token endpoint, which no other service shares.
func (o *oauth2Redirector) identityIssuer() string {
	if o.conn.Issuer != "" {
		return o.conn.Issuer
	}
	token, err := url.Parse(o.endpoints.token)
	if err != nil {
		return o.endpoints.token
	}
	return token.Scheme + "://" + token.Host
}

func oauth2Problems(c Connection) []Problem {
	problems := slices.Concat(
		urlProblem("issuer", c.Issuer, optional),
		urlProblem("authorize_url", c.AuthorizeURL, required),
		urlProblem("token_url", c.TokenURL, required),
		urlProblem("identity.url", c.Identity.URL, required),
		pathProblem("identity.id", c.Identity.ID),
	)
	if c.Identity.ID == "" {
		problems = append(problems, Problem{"identity.id", "is missing", "name where the answer of identity.url has the account's stable id"})
	}
	return problems
}
