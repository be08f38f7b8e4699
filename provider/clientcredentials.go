package provider

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"linkgate/secret"
)

// clientForm gives a user the client's own access (RFC 6749 §4.4): the account is a company's, not a
// person's, and everyone who connects acts as the same client. Nothing is typed, unless each customer
// has an address of its own.
type clientForm struct {
	clientTokens
	identifier *oauth2Identifier
	revoker    *revoker // nil: the service has no way to revoke
}

var (
	_ Form      = (*clientForm)(nil)
	_ Refresher = clientTokens{}
)

func clientCredentialsProtocol() protocol {
	return protocol{name: "client_credentials", problems: clientCredentialsProblems, open: openClientCredentials, shared: true}
}

func openClientCredentials(c Connection, d Deps) *Provider {
	server := newAuthServer(c, d)
	form := &clientForm{
		clientTokens: clientTokens{server},
		identifier:   &oauth2Identifier{client: server.client, conn: c},
	}
	p := &Provider{
		Connection: c,
		Form:       form,
		Refresher:  clientTokens{server.apart(d.Log, "refresh")},
		Applier:    newApplier(c.Credential),
	}
	if c.Identity.URL != "" && !c.identifiedByToken() {
		p.Identifier = form.identifier
	}
	if c.RevokeURL != "" {
		form.revoker = newRevoker(server, d.Log, func(context.Context) (string, error) { return c.RevokeURL, nil })
		p.Revoker = form.revoker
	}
	return p
}

const opClientTokens = "asking for the client's own tokens"

// Submit implements Form.
func (f *clientForm) Submit(ctx context.Context, values map[string]secret.Text) (Grant, error) {
	credential, tokens, err := f.ask(ctx, opClientTokens, time.Time{})
	if err != nil {
		return Grant{}, err
	}
	identity, err := f.whose(ctx, tokens, credential, values)
	if err != nil {
		if f.revoker != nil {
			f.revoker.withdraw(ctx, credential)
		}
		return Grant{}, err
	}
	scopes, missing := f.conn.granted(f.conn.Scopes, tokens.Scope)
	return Grant{Credential: credential, Scopes: scopes, Missing: missing, Identity: identity}, nil
}

// whose is the service's word on the account, where the connection says how to get it; else the
// account is the client itself, at the customer whose address was typed.
func (f *clientForm) whose(ctx context.Context, tokens tokenAnswer, c Credential, values map[string]secret.Text) (identity Identity, err error) {
	if f.conn.Identity.URL != "" {
		return f.identifier.granted(ctx, tokens, c)
	}
	subject, name := f.conn.ClientID, f.conn.Name
	var typed []string
	for _, field := range f.conn.Fields {
		typed = append(typed, values[field.Key].Reveal())
	}
	if len(typed) > 0 {
		subject += "/" + strings.Join(typed, "/")
		name += " (" + strings.Join(typed, ", ") + ")"
	}
	if !isSubject(subject) {
		return Identity{}, &Error{Op: opClientTokens, Kind: ErrNotVerified, Code: "the client id can't be an account's id"}
	}
	identity = Identity{Issuer: f.identifier.issuer(), Subject: subject, Name: name}
	identity.Settings, err = f.conn.settings(tokens.whole)
	return identity, err
}

// clientTokens are had with the client's own credentials, at first and whenever they end.
type clientTokens struct{ authServer }

// Refresh implements Refresher. There is no refresh token (RFC 6749 §4.4.3): the client asks anew,
// and whatever it did that with may be repeated.
func (s clientTokens) Refresh(ctx context.Context, c Credential, sendBy time.Time) (Refreshed, error) {
	next, tokens, err := s.ask(ctx, opRefresh, sendBy)
	if err != nil {
		return Refreshed{}, err
	}
	scopes, missing := s.conn.regranted(tokens.Scope)
	return Refreshed{Credential: c.succeededBy(next), Scopes: scopes, Missing: missing}, nil
}

// ask sends the request of RFC 6749 §4.4.2 once, and not after by. No refusal is a user's to mend.
func (s clientTokens) ask(ctx context.Context, op string, by time.Time) (Credential, tokenAnswer, error) {
	form := s.tokenForm("client_credentials")
	if len(s.conn.Scopes) > 0 {
		form.Set("scope", strings.Join(s.conn.Scopes, s.conn.scopeSeparator()))
	}
	tokens, err := s.askForTokens(ctx, posting{op: op, endpoint: s.conn.TokenURL, form: form, by: by})
	if err != nil {
		noUsers := func(e *Error) bool { return errors.Is(e, ErrDenied) || errors.Is(e, ErrInvalidGrant) }
		return Credential{}, tokenAnswer{}, reclassify(err, noUsers, ErrRefused)
	}
	tokens.RefreshToken = "" // one that comes all the same is of no use
	return tokens.credential(s.client.now(), s.conn.Lifetime), tokens, nil
}

func clientCredentialsProblems(c Connection) []Problem {
	const noSignIn = "leave it out: nobody is sent to the service"
	const noRefresh = "leave it out: there is no refresh token, and the client asks for new tokens at token_url"
	problems := slices.Concat(
		c.templateProblem("issuer", c.Issuer, optional),
		c.templateProblem("token_url", c.TokenURL, required),
		unused("authorize_url", c.AuthorizeURL, noSignIn), unused("par_url", c.PARURL, noSignIn), unused("device_url", c.DeviceURL, noSignIn), unused("pkce", c.PKCE, noSignIn),
		unused("refresh_url", c.RefreshURL, noRefresh), unused("rotation", c.Rotation, noRefresh),
		c.unusedKeyProblem(), c.resourceProblems(), c.tellingProblems(),
	)
	if len(c.AuthorizeParams) > 0 {
		problems = append(problems, Problem{"authorize_params", "is not used by this protocol", noSignIn})
	}
	if c.KeepAlive != 0 {
		problems = append(problems, Problem{"keep_alive", "is not used by this protocol", noRefresh})
	}
	if c.AuthStyle == AuthNone {
		problems = append(problems, Problem{"auth_style", "is none, and a client that proves nothing gets no access of its own (RFC 6749 §4.4)", "register the client with a secret or a key"})
	}
	if key := c.secretField(); key != "" {
		problems = append(problems, Problem{"fields", "has a secret, and nothing that users type is sent", "ask for what differs in the addresses alone, or use api_key or password"})
	}
	return append(problems, c.ownIdentityProblems()...)
}

// ownIdentityProblems: the service may be asked whose the account is, and need not be.
func (c Connection) ownIdentityProblems() []Problem {
	if c.Identity.URL == "" {
		const remedy = "set identity.url, or leave it out: the account is then the client itself, under the connection's name"
		return slices.Concat(unused("identity.id", c.Identity.ID, remedy), unused("identity.name", c.Identity.Name, remedy))
	}
	return slices.Concat(c.identityURLProblem(), pathProblem("identity.id", c.Identity.ID), c.identityIDProblem())
}
