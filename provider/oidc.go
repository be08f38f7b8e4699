package provider

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"linkgate/secret"
)

// oidcRedirector signs in with OpenID Connect Core. The endpoints come from discovery; the ID token
// says who the account is, and nothing else the service sends is used before it is verified.
type oidcRedirector struct {
	authServer
	discovery *discovery
	userinfo  *userinfo
	revoker   *revoker
	log       *slog.Logger
}

var _ Redirector = (*oidcRedirector)(nil)

func oidcProtocol() protocol {
	return protocol{name: "oidc", problems: oidcProblems, open: openOIDC}
}

func openOIDC(c Connection, d Deps) *Provider {
	c.Scopes = withOpenID(c.Scopes)
	server := newAuthServer(c, d)
	published := newDiscovery(server.client, c.Issuer)
	revoker := newRevoker(server, d.Log, published.revocation(c.RevokeURL))
	userinfo := &userinfo{client: server.client, conn: c, discovery: published}
	redirector := &oidcRedirector{authServer: server, discovery: published, userinfo: userinfo, revoker: revoker, log: d.Log}
	p := &Provider{
		Connection: c,
		Redirector: redirector,
		Refresher:  newRefresher(server, d.Log, published.token),
		Revoker:    revoker,
		Identifier: userinfo,
		Applier:    newApplier(c.Credential),
	}
	if c.DeviceURL != "" {
		p.Device = &deviceSignIn{authServer: server, endpoints: redirector.deviceEndpoints, grant: redirector.deviceGrant}
	}
	return p
}

func (o *oidcRedirector) deviceEndpoints(ctx context.Context) (endpoints, error) {
	m, err := o.discovery.get(ctx)
	if err != nil {
		return endpoints{}, err
	}
	e := m.endpoints()
	e.authorize, err = o.conn.deviceEndpoint(m)
	return e, err
}

// deviceGrant is what tokens are worth that were asked for without a nonce: a device authorization
// request has none (RFC 8628 §3.1), so an ID token that has one was made for another sign-in.
func (o *oidcRedirector) deviceGrant(ctx context.Context, tokens tokenAnswer, asked []string) (Grant, error) {
	m, err := o.discovery.get(ctx)
	if err != nil {
		o.revoker.withdraw(ctx, tokens.credential(o.client.now(), o.conn.Lifetime))
		return Grant{}, err
	}
	return o.grant(ctx, m, tokens, asked, func(nonce string) bool { return nonce == "" })
}

// withOpenID is scopes with the one that makes it OpenID Connect (Core §3.1.2.1).
func withOpenID(scopes []string) []string {
	if slices.Contains(scopes, "openid") {
		return scopes
	}
	return append([]string{"openid"}, scopes...)
}

// Authorize implements Redirector.
func (o *oidcRedirector) Authorize(ctx context.Context, state secret.Text, redirectURI string, scopes ...string) (Attempt, string, error) {
	m, err := o.discovery.get(ctx)
	if err != nil {
		return Attempt{}, "", err
	}
	nonce := secret.New(oauth2.GenerateVerifier()) // 32 random bytes do for a nonce as well
	e := m.endpoints()
	if e.pushed, err = o.conn.pushedTo(m); err != nil {
		return Attempt{}, "", err
	}
	if len(scopes) > 0 {
		scopes = withOpenID(scopes)
	}
	return o.authorize(ctx, e, Attempt{State: state, Nonce: nonce, RedirectURI: redirectURI, Scopes: scopes})
}

// Exchange implements Redirector.
func (o *oidcRedirector) Exchange(ctx context.Context, a Attempt, cb Callback) (Grant, error) {
	m, err := o.discovery.get(ctx)
	if err != nil {
		return Grant{}, err
	}
	tokens, err := o.exchange(ctx, m.endpoints(), a, cb)
	if err != nil {
		return Grant{}, err
	}
	isNonce := func(nonce string) bool { return !a.Nonce.IsZero() && nonce == a.Nonce.Reveal() }
	return o.grant(ctx, m, tokens, a.Scopes, isNonce)
}

// grant is what the tokens are worth: nothing, unless the ID token passes every check; then they are
// revoked.
func (o *oidcRedirector) grant(ctx context.Context, m *metadata, tokens tokenAnswer, asked []string, isNonce func(string) bool) (Grant, error) {
	grant, err := o.verified(ctx, m, tokens, asked, isNonce)
	if err != nil {
		o.revoker.withdraw(ctx, tokens.credential(o.client.now(), o.conn.Lifetime))
	}
	return grant, err
}

func (o *oidcRedirector) verified(ctx context.Context, m *metadata, tokens tokenAnswer, asked []string, isNonce func(string) bool) (Grant, error) {
	claims, err := o.verifyIDToken(ctx, m, tokens, isNonce)
	if err != nil {
		return Grant{}, err
	}
	credential := tokens.credential(o.client.now(), o.conn.Lifetime)
	identity, err := o.identity(ctx, m, claims, tokens, credential)
	if err != nil {
		return Grant{}, err
	}
	scopes, missing := o.conn.granted(o.conn.scopesOf(asked), tokens.Scope)
	return Grant{Credential: credential, Scopes: scopes, Missing: missing, Identity: identity}, nil
}

// identity takes name and settings from the ID token, settings from the answer around it too, and from
// userinfo what those leave out;
// userinfo is asked too when the connection wants it (identity.url). A service that can't answer for
// a mere name fails nothing; one that answers for another account fails all (OIDC Core §5.3.2).
func (o *oidcRedirector) identity(ctx context.Context, m *metadata, claims idClaims, tokens tokenAnswer, c Credential) (Identity, error) {
	identity := Identity{Issuer: m.Issuer, Subject: claims.subject, Name: claims.document.name(o.conn.namePaths()...)}
	sources := []document{claims.document, tokens.whole}
	needed := o.conn.Identity.URL != "" || !o.conn.tellsSettings(sources...)
	if needed || identity.Name == "" {
		told, err := o.userinfo.of(ctx, m, claims.subject, c)
		switch {
		case err == nil:
			sources = append(sources, told)
			identity.Name = cmp.Or(told.name(o.conn.namePaths()...), identity.Name)
		case errors.Is(err, ErrUnsupported): // and the ID token has to do
		case needed || errors.Is(err, ErrNotVerified):
			return Identity{}, err
		default:
			o.log.WarnContext(ctx, "account left without a name", "auth_id", o.conn.AuthID, "error", err)
		}
	}
	settings, err := o.conn.settings(sources...)
	if err != nil {
		return Identity{}, err
	}
	identity.Settings = settings
	return identity, nil
}

func oidcProblems(c Connection) []Problem {
	const discovered = "leave it out: the issuer publishes it"
	problems := slices.Concat(
		c.templateProblem("issuer", c.Issuer, required),
		unused("authorize_url", c.AuthorizeURL, discovered),
		unused("token_url", c.TokenURL, discovered),
		unused("refresh_url", c.RefreshURL, discovered),
		c.templateProblem("identity.url", c.Identity.URL, optional),
		unused("identity.id", c.Identity.ID, "leave it out: the ID token's sub is the id"),
		c.authServerProblems(),
	)
	if strings.Contains(c.Issuer, "?") {
		problems = append(problems, Problem{"issuer", "has a query", "leave out the question mark and what follows"})
	}
	return problems
}
