package provider

import (
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
	revoker   *revoker
	log       *slog.Logger
}

var _ Redirector = (*oidcRedirector)(nil)

func oidcProtocol() protocol {
	return protocol{name: "oidc", problems: oidcProblems, open: openOIDC}
}

func openOIDC(c Connection, d Deps) *Provider {
	if !slices.Contains(c.Scopes, "openid") {
		c.Scopes = append([]string{"openid"}, c.Scopes...)
	}
	server := authServer{client: newClient(c.AuthID, d), conn: c}
	published := newDiscovery(server.client, c.Issuer)
	revoker := newRevoker(server, d.Log, published.revocation(c.RevokeURL))
	return &Provider{
		Connection: c,
		Redirector: &oidcRedirector{authServer: server, discovery: published, revoker: revoker, log: d.Log},
		Revoker:    revoker,
	}
}

// Authorize implements Redirector.
func (o *oidcRedirector) Authorize(ctx context.Context, state secret.Text, redirectURI string) (Attempt, string, error) {
	m, err := o.discovery.get(ctx)
	if err != nil {
		return Attempt{}, "", err
	}
	nonce := secret.New(oauth2.GenerateVerifier()) // 32 random bytes do for a nonce as well
	return o.authorize(m.endpoints(), o.conn.Scopes, state, nonce, redirectURI)
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
	grant, err := o.grant(ctx, m, tokens, a.Nonce)
	if err != nil {
		o.revoker.withdraw(ctx, tokens.credential(o.client.now()))
	}
	return grant, err
}

// grant is what the tokens are worth: nothing, unless the ID token passes every check.
func (o *oidcRedirector) grant(ctx context.Context, m *metadata, tokens tokenAnswer, nonce secret.Text) (Grant, error) {
	claims, err := o.verifyIDToken(ctx, m, tokens, nonce)
	if err != nil {
		return Grant{}, err
	}
	name, err := o.accountName(ctx, m, claims, tokens.AccessToken)
	if err != nil {
		return Grant{}, err
	}
	scopes, missing := o.conn.granted(o.conn.Scopes, tokens.Scope)
	return Grant{
		Credential: tokens.credential(o.client.now()),
		Scopes:     scopes,
		Missing:    missing,
		Identity:   Identity{Issuer: m.Issuer, Subject: claims.subject, Name: name},
	}, nil
}

// accountName takes the name from the ID token, else from userinfo, which is asked too when the
// connection wants it (identity.url). A service that can't answer for a mere name fails nothing;
// one that answers for another account fails all (OIDC Core §5.3.2).
func (o *oidcRedirector) accountName(ctx context.Context, m *metadata, claims idClaims, accessToken string) (string, error) {
	name := claims.document.name(o.namePaths()...)
	required := o.conn.Identity.URL != ""
	address := m.UserinfoEndpoint
	if required {
		address = o.conn.Identity.URL
	}
	if address == "" || (name != "" && !required) {
		return name, nil
	}
	told, err := o.userinfoName(ctx, address, claims.subject, accessToken)
	switch {
	case err != nil && !required && !errors.Is(err, ErrNotVerified):
		o.log.WarnContext(ctx, "account left without a name", "auth_id", o.conn.AuthID, "error", err)
		return name, nil
	case err != nil:
		return "", err
	case told != "":
		return told, nil
	}
	return name, nil
}

func (o *oidcRedirector) userinfoName(ctx context.Context, address, subject, accessToken string) (string, error) {
	const op = "reading userinfo"
	var userinfo document
	if err := o.client.getJSON(ctx, op, address, accessToken, &userinfo); err != nil {
		return "", err
	}
	if sub, _ := userinfo.at("sub").(string); sub != subject {
		return "", &Error{Op: op, Kind: ErrNotVerified, Code: "sub is another account's"}
	}
	return userinfo.name(o.namePaths()...), nil
}

// namePaths are where a name may be. E-mail is not among them: whoever wants it shown says so.
func (o *oidcRedirector) namePaths() []string {
	if o.conn.Identity.Name != "" {
		return []string{o.conn.Identity.Name}
	}
	return []string{"name", "preferred_username", "nickname"}
}

func oidcProblems(c Connection) []Problem {
	const discovered = "leave it out: the issuer publishes it"
	problems := slices.Concat(
		urlProblem("issuer", c.Issuer, required),
		unused("authorize_url", c.AuthorizeURL, discovered),
		unused("token_url", c.TokenURL, discovered),
		urlProblem("identity.url", c.Identity.URL, optional),
		unused("identity.id", c.Identity.ID, "leave it out: the ID token's sub is the id"),
	)
	if strings.Contains(c.Issuer, "?") {
		problems = append(problems, Problem{"issuer", "has a query", "leave out the question mark and what follows"})
	}
	return problems
}
