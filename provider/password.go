package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"linkgate/secret"
)

// passwordForm trades a user's name and password for tokens, at a service without OAuth. The
// password is in one request and nowhere else.
type passwordForm struct {
	client *client
	conn   Connection
}

var (
	_ Form       = (*passwordForm)(nil)
	_ Refresher  = (*passwordForm)(nil)
	_ Identifier = (*passwordForm)(nil)
)

func passwordProtocol() protocol {
	return protocol{name: "password", problems: passwordProblems, open: openPassword, clientless: true}
}

func openPassword(c Connection, d Deps) *Provider {
	client := newClient(c.AuthID, d)
	form := &passwordForm{client: client, conn: c}
	p := &Provider{Connection: c, Form: form, Applier: newApplier(c.Credential)}
	if c.Refresh.URL != "" {
		p.Refresher = &passwordForm{client: client.apart(d.Log, c.AuthID, "refresh"), conn: c}
	}
	if c.Identity.URL != "" {
		p.Identifier = form
	}
	return p
}

const opLogin = "signing in with a password"

// Submit implements Form.
func (f *passwordForm) Submit(ctx context.Context, values map[string]secret.Text) (Grant, error) {
	body, err := f.ask(ctx, opLogin, f.conn.Login, values, time.Time{})
	if err != nil {
		return Grant{}, reclassify(err, saysNo, ErrInvalidGrant)
	}
	credential, err := f.credential(opLogin, body)
	if err != nil {
		return Grant{}, err
	}
	identity, err := f.whose(ctx, body, credential)
	if err != nil {
		return Grant{}, err
	}
	return Grant{Credential: credential, Identity: identity}, nil
}

// saysNo: services have no common word for a wrong password.
func saysNo(e *Error) bool {
	return slices.Contains([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity}, e.Status)
}

// Refresh implements Refresher.
func (f *passwordForm) Refresh(ctx context.Context, c Credential, sendBy time.Time) (Refreshed, error) {
	if c.RefreshToken.IsZero() {
		return Refreshed{}, &Error{Op: opRefresh, Kind: ErrUnsupported, Code: "no refresh token"}
	}
	body, err := f.ask(ctx, opRefresh, f.conn.Refresh, map[string]secret.Text{"refresh_token": c.RefreshToken}, sendBy)
	if err != nil {
		// A firewall says 403, and an operator's mistake brings 400: neither ends the grant.
		return Refreshed{}, reclassify(err, func(e *Error) bool { return e.Status == http.StatusUnauthorized }, ErrInvalidGrant)
	}
	next, err := f.credential(opRefresh, body)
	if err != nil {
		return Refreshed{}, err
	}
	return Refreshed{Credential: c.succeededBy(next)}, nil
}

// Identify implements Identifier.
func (f *passwordForm) Identify(ctx context.Context, c Credential) (Identity, error) {
	identity, err := f.conn.identityAt(ctx, f.client, f.authorize(c))
	return identity, ifRejected(err)
}

func (f *passwordForm) authorize(c Credential) func(*http.Request) {
	return func(r *http.Request) { newApplier(f.conn.Credential).Apply(r, c) }
}

// ask sends one of the two requests, once.
func (f *passwordForm) ask(ctx context.Context, op string, e Exchange, values map[string]secret.Text, by time.Time) (body document, err error) {
	form := url.Values{}
	for name, template := range e.Params {
		form.Set(name, expand(template, values).Reveal())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return document{}, &Error{Op: op, Kind: ErrUnavailable, Code: "the endpoint is no URL"}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	err = f.client.do(ctx, leg{op: op, req: req, by: by}, func(ans answer) error {
		err := refusal(op, ans, form, secret.Text{})
		switch {
		case errors.Is(err, ErrDenied): // no user said so
			return reclassify(err, func(*Error) bool { return true }, ErrRefused)
		case err != nil:
			return err
		case json.Unmarshal(ans.body, &body) != nil:
			return &Error{Op: op, Kind: ErrUnavailable, Code: "answer is not the JSON expected", Status: ans.status}
		}
		return nil
	})
	return body, err
}

// credential reads the tokens. Nothing inside them is read: a service may change that at any time.
func (f *passwordForm) credential(op string, body document) (Credential, error) {
	paths := f.conn.Paths
	access, _ := body.text(paths.AccessToken)
	if !isToken(access) {
		return Credential{}, &Error{Op: op, Kind: ErrUnavailable, Code: "no usable access token"}
	}
	refresh, _ := body.text(paths.RefreshToken)
	now := f.client.now()
	tokens := tokenAnswer{
		AccessToken: access, RefreshToken: refresh,
		ExpiresAt: body.raw(paths.ExpiresAt), ExpiresIn: body.raw(paths.ExpiresIn),
	}
	return tokens.credential(now, f.conn.Lifetime), nil
}

// whose reads the identity from the answer, or at identity.url.
func (f *passwordForm) whose(ctx context.Context, body document, c Credential) (Identity, error) {
	if f.conn.Identity.URL != "" {
		return f.conn.identityAt(ctx, f.client, f.authorize(c))
	}
	subject, ok := body.subject(f.conn.Paths.ExternalID)
	if !ok {
		return Identity{}, &Error{Op: opLogin, Kind: ErrNotVerified, Code: "no usable id at paths.external_id"}
	}
	settings, err := f.conn.settings(body)
	if err != nil {
		return Identity{}, err
	}
	identity := Identity{Issuer: f.conn.Issuer, Subject: subject, Settings: settings}
	if identity.Issuer == "" {
		identity.Issuer = originOf(f.conn.Login.URL)
	}
	if f.conn.Paths.Name != "" {
		identity.Name = body.name(f.conn.Paths.Name)
	}
	return identity, nil
}

// raw is a value as JSON; nil: there is none.
func (d document) raw(path string) json.RawMessage {
	if path == "" || d.at(path) == nil {
		return nil
	}
	data, err := json.Marshal(d.at(path))
	if err != nil {
		return nil
	}
	return data
}

func passwordProblems(c Connection) []Problem {
	problems := slices.Concat(
		c.templateProblem("login.url", c.Login.URL, required),
		c.templateProblem("refresh.url", c.Refresh.URL, optional),
		c.clientlessProblems(),
	)
	if c.secretField() == "" {
		problems = append(problems, Problem{"fields", "has no secret", "ask for the password: a field with secret: true"})
	}
	if len(c.Login.Params) == 0 {
		problems = append(problems, Problem{"login.params", "is missing", `write the form that is sent, such as username: "{username}" and password: "{password}"`})
	}
	for name, template := range c.Login.Params {
		problems = append(problems, c.expandProblems("login.params."+name, template)...)
	}
	problems = append(problems, c.refreshProblems()...)
	return append(problems, c.answerProblems()...)
}

func (c Connection) refreshProblems() []Problem {
	if c.Refresh.URL == "" {
		return unused("paths.refresh_token", c.Paths.RefreshToken, "set refresh.url, where it is used, or leave it out")
	}
	var sent bool
	for _, template := range c.Refresh.Params {
		sent = sent || strings.Contains(template, "{refresh_token}")
	}
	if !sent {
		return []Problem{{"refresh.params", "does not send the refresh token", `write {refresh_token} where it goes, such as refresh_token: "{refresh_token}"`}}
	}
	if c.Paths.RefreshToken == "" {
		return []Problem{{"paths.refresh_token", "is missing", "name where the answer has the refresh token, or leave refresh out"}}
	}
	return nil
}

func (c Connection) answerProblems() []Problem {
	p := c.Paths
	problems := slices.Concat(
		pathProblem("paths.access_token", p.AccessToken), pathProblem("paths.refresh_token", p.RefreshToken),
		pathProblem("paths.expires_at", p.ExpiresAt), pathProblem("paths.expires_in", p.ExpiresIn),
		pathProblem("paths.external_id", p.ExternalID), pathProblem("paths.name", p.Name),
	)
	if p.AccessToken == "" {
		problems = append(problems, Problem{"paths.access_token", "is missing", "name where the answer has the access token: data.0.attributes.access_token"})
	}
	if p.ExpiresAt != "" && p.ExpiresIn != "" {
		problems = append(problems, Problem{"paths.expires_in", "is set beside paths.expires_at", "keep the one that the answer has"})
	}
	if p.ExternalID == "" && c.Identity.URL == "" {
		problems = append(problems, Problem{"paths.external_id", "is missing", "name where the answer has the account's stable id, or set identity.url"})
	}
	if c.Identity.URL != "" {
		problems = append(problems, c.templateProblem("identity.url", c.Identity.URL, required)...)
		problems = append(problems, pathProblem("identity.id", c.Identity.ID)...)
	}
	return problems
}
