package provider

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"linkgate/secret"
)

// keyForm signs in with what the user copies from the service: a key, which is the credential as it
// is (api_key), or what HTTP Basic is made of (basic, RFC 7617). The service has nothing to do with
// it but to answer a first request, so it can't be told to forget the credential either.
type keyForm struct {
	client *client
	conn   Connection
	token  func(Connection, map[string]secret.Text) (secret.Text, error)
}

var (
	_ Form       = (*keyForm)(nil)
	_ Identifier = (*keyForm)(nil)
)

func apiKeyProtocol() protocol {
	return protocol{name: "api_key", problems: apiKeyProblems, open: openKeys(theKey), clientless: true}
}

func basicProtocol() protocol {
	return protocol{name: "basic", problems: basicProblems, open: openKeys(userAndPassword), clientless: true}
}

func openKeys(token func(Connection, map[string]secret.Text) (secret.Text, error)) func(Connection, Deps) *Provider {
	return func(c Connection, d Deps) *Provider {
		form := &keyForm{client: newClient(c.AuthID, d), conn: c, token: token}
		p := &Provider{Connection: c, Form: form, Applier: newApplier(form.place())}
		if c.Identity.URL != "" {
			p.Identifier = form
		}
		return p
	}
}

const opVerify = "verifying what the user typed"

// Submit implements Form.
func (f *keyForm) Submit(ctx context.Context, values map[string]secret.Text) (Grant, error) {
	token, err := f.token(f.conn, values)
	if err != nil {
		return Grant{}, err
	}
	credential := Credential{AccessToken: token, IssuedAt: f.client.now().UTC()}
	identity, err := f.verified(ctx, credential, values)
	if err != nil {
		return Grant{}, reclassify(err, isRejection, ErrInvalidGrant)
	}
	return Grant{Credential: credential, Identity: identity}, nil
}

// isRejection: to a credential that has just been typed 403 says the same as 401. Many services do
// not tell a key that is wrong from one that may do nothing.
func isRejection(e *Error) bool {
	return errors.Is(e, ErrRefused) && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// verified asks the service whose the credential is, or at least whether it is one.
func (f *keyForm) verified(ctx context.Context, c Credential, values map[string]secret.Text) (Identity, error) {
	if f.conn.Identity.URL != "" {
		return f.identify(ctx, c)
	}
	if err := f.client.getAny(ctx, opVerify, f.conn.Verify.URL, f.conn.asAPI(f.authorize(c))); err != nil {
		return Identity{}, err
	}
	return Identity{Issuer: originOf(f.conn.Verify.URL), Subject: f.subject(c, values)}, nil
}

// subject is the account's id where the service tells none: the value of the field that the
// connection names, or a fingerprint of the key. With another key it is another account then.
func (f *keyForm) subject(c Credential, values map[string]secret.Text) string {
	if id := f.conn.Identity.ID; id != "" {
		return expand(id, values).Reveal()
	}
	sum := sha256.Sum256([]byte("linkgate account id\n" + f.conn.AuthID + "\n" + c.AccessToken.Reveal()))
	return "key-" + hex.EncodeToString(sum[:16])
}

// Identify implements Identifier.
func (f *keyForm) Identify(ctx context.Context, c Credential) (Identity, error) {
	identity, err := f.identify(ctx, c)
	return identity, ifRejected(err)
}

func (f *keyForm) identify(ctx context.Context, c Credential) (Identity, error) {
	return f.conn.identityAt(ctx, f.client, f.authorize(c))
}

func (f *keyForm) authorize(c Credential) func(*http.Request) {
	return func(r *http.Request) { newApplier(f.place()).Apply(r, c) }
}

// place is where the credential goes.
func (f *keyForm) place() CredentialPlace {
	place := f.conn.Credential
	if place.Username != "" || place.Password != "" {
		place.Prefix = "Basic"
	}
	return place
}

// identityAt reads the identity at identity.url. Its issuer is the address's origin, which no other
// service shares.
func (c Connection) identityAt(ctx context.Context, client *client, authorize func(*http.Request)) (Identity, error) {
	var profile document
	if err := client.askJSON(ctx, opIdentify, c.Identity.URL, c.Identity.Body, c.asAPI(authorize), &profile); err != nil {
		return Identity{}, err
	}
	identity, err := c.identityOf(profile, cmp.Or(c.Issuer, originOf(c.Identity.URL)))
	if err != nil {
		return Identity{}, err
	}
	identity.Settings, err = c.settings(profile)
	return identity, err
}

// originOf is an address's scheme and host.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Scheme + "://" + u.Host
}

// theKey is the secret field's value.
func theKey(c Connection, values map[string]secret.Text) (secret.Text, error) {
	key := values[c.secretField()]
	if !isToken(key.Reveal()) { // it goes into a header
		return secret.Text{}, &Error{Op: opVerify, Kind: ErrInvalidGrant, Code: "not a key"}
	}
	return key, nil
}

// userAndPassword is what RFC 7617 §2 puts into the header, without the scheme.
func userAndPassword(c Connection, values map[string]secret.Text) (secret.Text, error) {
	user, password := expand(c.Credential.Username, values).Reveal(), expand(c.Credential.Password, values).Reveal()
	if strings.Contains(user, ":") { // the password would begin there
		return secret.Text{}, &Error{Op: opVerify, Kind: ErrInvalidGrant, Code: "a colon in the user name"}
	}
	return secret.New(base64.StdEncoding.EncodeToString([]byte(user + ":" + password))), nil
}

// expand puts what was typed in the place of {key}s, in one pass: a value is not read again.
func expand(template string, values map[string]secret.Text) secret.Text {
	return secret.New(placeholderForm.ReplaceAllStringFunc(template, func(found string) string {
		return values[strings.Trim(found, "{}")].Reveal()
	}))
}
