package provider

import (
	"context"
	"net/http"
)

// userinfo asks an OpenID provider about the account that an access token belongs to (OIDC Core §5.3).
type userinfo struct {
	client    *client
	conn      Connection
	discovery *discovery
}

var _ Identifier = (*userinfo)(nil)

const opUserinfo = "reading userinfo"

// Identify implements Identifier. Settings that only an ID token tells are not among the identity's.
func (u *userinfo) Identify(ctx context.Context, c Credential) (Identity, error) {
	m, err := u.discovery.get(ctx)
	if err != nil {
		return Identity{}, err
	}
	told, err := u.read(ctx, m, c)
	if err != nil {
		return Identity{}, ifRejected(err)
	}
	subject, _ := told.at("sub").(string)
	if !isSubject(subject) {
		return Identity{}, &Error{Op: opUserinfo, Kind: ErrNotVerified, Code: "sub is missing or malformed"}
	}
	settings, err := u.conn.settingsTold(told)
	if err != nil {
		return Identity{}, err
	}
	return Identity{Issuer: m.Issuer, Subject: subject, Name: told.name(u.conn.namePaths()...), Settings: settings}, nil
}

// of is what the service tells of an account that is known already (OIDC Core §5.3.2).
func (u *userinfo) of(ctx context.Context, m *metadata, subject string, c Credential) (document, error) {
	told, err := u.read(ctx, m, c)
	if err != nil {
		return document{}, err
	}
	if sub, _ := told.at("sub").(string); sub != subject {
		return document{}, &Error{Op: opUserinfo, Kind: ErrNotVerified, Code: "sub is another account's"}
	}
	return told, nil
}

// read asks the connection's identity.url, else the published endpoint; ErrUnsupported without either.
func (u *userinfo) read(ctx context.Context, m *metadata, c Credential) (told document, err error) {
	address := u.conn.Identity.URL
	if address == "" {
		address = m.UserinfoEndpoint
	}
	if address == "" {
		return document{}, &Error{Op: opUserinfo, Kind: ErrUnsupported, Code: "no userinfo endpoint"}
	}
	bearer := func(r *http.Request) { newApplier(CredentialPlace{}).Apply(r, c) } // whatever the service's API wants
	err = u.client.getJSON(ctx, opUserinfo, address, u.conn.asAPI(bearer), &told)
	return told, err
}

// namePaths are where OpenID Connect may tell a name. E-mail is not among them: whoever wants it
// shown says so.
func (c Connection) namePaths() []string {
	if c.Identity.Name != "" {
		return []string{c.Identity.Name}
	}
	return []string{"name", "preferred_username", "nickname"}
}
