package provider

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"linkgate/secret"
)

// Given is a credential that was obtained elsewhere: tokens, or what a user would type at our page.
type Given struct {
	AccessToken  secret.Text // oauth2, oidc, password; may be empty beside a RefreshToken
	RefreshToken secret.Text
	TokenType    string
	ExpiresAt    time.Time   // of the access token; zero: unknown
	Token        secret.Text // oauth1
	TokenSecret  secret.Text
	// Fields are the connection's, by key. Beside tokens those are needed that stand in URLs; those of
	// identity.settings are taken too, where the service does not tell them.
	Fields map[string]secret.Text
}

// GivenError says which part of a given credential can't be right. It has no value in it.
type GivenError struct {
	Field   string // access_token, token_secret, fields/{key}
	Problem string // a sentence's end: "is missing"
}

// Error implements error.
func (e *GivenError) Error() string { return "the credential's " + e.Field + " " + e.Problem }

// IsTyped tells whether there are fields alone: what a user would type.
func (g Given) IsTyped() bool {
	return g.AccessToken.IsZero() && g.RefreshToken.IsZero() && g.Token.IsZero() && g.TokenSecret.IsZero()
}

// Typed is what g has for the connection's form. *GivenError.
func (c Connection) Typed(g Given) (map[string]secret.Text, error) {
	if err := c.checkKeys(g); err != nil {
		return nil, err
	}
	values, mistakes := c.CheckFields(g.Fields)
	return values, firstMistake(c, mistakes, func(string) bool { return true })
}

// TypedCredential is the credential that a key, or what Basic is made of, comes to without anybody
// being asked; *GivenError where more is needed to have one.
func (c Connection) TypedCredential(values map[string]secret.Text, now time.Time) (Credential, error) {
	tokenOf := theKey
	switch c.protocol() {
	case "basic":
		tokenOf = userAndPassword
	case "api_key":
	default:
		return Credential{}, &GivenError{"fields", "are no credential in themselves: the service must be asked"}
	}
	token, err := tokenOf(c, values)
	if err != nil {
		return Credential{}, &GivenError{"fields/" + cmp.Or(c.secretField(), "username"), "can't be right"}
	}
	return Credential{AccessToken: token, IssuedAt: now.UTC(), Settings: c.Settings(values)}, nil
}

// Tokens makes a credential of given tokens, without asking anybody. *GivenError.
func (c Connection) Tokens(g Given) (Credential, error) {
	credential, err := c.tokens(g)
	if err != nil {
		return Credential{}, err
	}
	if err := c.checkKeys(g); err != nil {
		return Credential{}, err
	}
	values, mistakes := c.CheckFields(g.Fields)
	if err := firstMistake(c, mistakes, func(key string) bool { return slices.Contains(c.asked(), key) }); err != nil {
		return Credential{}, err
	}
	credential.Settings = c.Settings(values)
	return credential, nil
}

// tokens are those of the connection's own protocol.
func (c Connection) tokens(g Given) (Credential, error) {
	hasOAuth1 := !g.Token.IsZero() || !g.TokenSecret.IsZero()
	switch c.protocol() {
	case oauth1Name:
		return c.oauth1Pair(g)
	case "oauth2", "oidc", "password":
		if hasOAuth1 {
			return Credential{}, &GivenError{"token", "belongs to OAuth 1, which this connection does not use; give access_token"}
		}
	default:
		return Credential{}, &GivenError{"fields", "are what this connection takes, and nothing else"}
	}
	switch {
	case g.AccessToken.IsZero() && g.RefreshToken.IsZero():
		return Credential{}, &GivenError{"access_token", "is missing"}
	case !g.AccessToken.IsZero() && !isToken(g.AccessToken.Reveal()):
		return Credential{}, &GivenError{"access_token", "has characters that no token has"}
	}
	return Credential{
		AccessToken: g.AccessToken, RefreshToken: g.RefreshToken, TokenType: g.TokenType, ExpiresAt: g.ExpiresAt.UTC(),
	}, nil
}

func (c Connection) oauth1Pair(g Given) (Credential, error) {
	switch {
	case !g.AccessToken.IsZero() || !g.RefreshToken.IsZero():
		return Credential{}, &GivenError{"access_token", "belongs to OAuth 2, which this connection does not use; give token and token_secret"}
	case !isOAuth1Token(g.Token.Reveal()):
		return Credential{}, &GivenError{"token", "is missing, or has characters that no token has"}
	case g.TokenSecret.IsZero() && c.SignatureMethod != RSASHA1:
		return Credential{}, &GivenError{"token_secret", "is missing"}
	}
	return Credential{AccessToken: g.Token, TokenSecret: g.TokenSecret, TokenType: oauth1Name}, nil
}

// checkKeys finds a field that the connection does not have: it is in the wrong place, or misspelt. Its
// name is not repeated: it may be a secret in the wrong place.
func (c Connection) checkKeys(g Given) error {
	for key := range g.Fields {
		if !slices.Contains(c.fieldKeys(), key) {
			return &GivenError{"fields", "have one that is no field of this connection; there are: " + cmp.Or(strings.Join(c.fieldKeys(), ", "), "none")}
		}
	}
	return nil
}

// fieldKeys are those that a credential may bring.
func (c Connection) fieldKeys() []string {
	var keys []string
	for _, f := range c.Fields {
		keys = append(keys, f.Key)
	}
	return append(keys, c.settingNames()...)
}

// firstMistake is about the first of the connection's fields that matters and is wrong.
func firstMistake(c Connection, mistakes map[string]error, matters func(key string) bool) error {
	for _, f := range c.Fields {
		err := mistakes[f.Key]
		switch {
		case err == nil || !matters(f.Key):
		case errors.Is(err, ErrFieldMissing):
			return &GivenError{"fields/" + f.Key, "is missing"}
		default:
			return &GivenError{"fields/" + f.Key, unlike(f)}
		}
	}
	return nil
}

// IdentityOf is the identity that a sign-in would bring for an account with that id. identity.settings
// come from told, else from what was given.
func (p *Provider) IdentityOf(c Credential, g Given, told Identity) (Identity, error) {
	if !isSubject(told.Subject) {
		return Identity{}, &GivenError{"external_account_id", "can't be an account's id"}
	}
	if told.Issuer == "" {
		one, err := p.Connection.filled(c.Settings)
		if err != nil {
			return Identity{}, err
		}
		told.Issuer = one.issuer()
	}
	settings := map[string]string{}
	for key, value := range c.Settings {
		settings[key] = value
	}
	for _, name := range p.Connection.settingNames() {
		value := cmp.Or(told.Settings[name], g.Fields[name].Reveal())
		if !isSetting(value) {
			return Identity{}, &GivenError{"fields/" + name, "is needed: the service does not tell it"}
		}
		settings[name] = value
	}
	if len(settings) > 0 {
		told.Settings = settings
	}
	return told, nil
}

// issuer is that of the identities that sign-ins of each protocol bring.
func (c Connection) issuer() string {
	switch c.protocol() {
	case "oidc":
		return c.Issuer
	case oauth1Name:
		return cmp.Or(c.Issuer, originOf(c.AccessTokenURL))
	case "oauth2", "client_credentials":
		return cmp.Or(c.Issuer, originOf(c.TokenURL))
	case "password":
		if c.Identity.URL == "" {
			return cmp.Or(c.Issuer, originOf(c.Login.URL))
		}
	default: // keys
		if c.Identity.URL == "" {
			return originOf(c.Verify.URL)
		}
	}
	return cmp.Or(c.Issuer, originOf(c.Identity.URL))
}

// unlike says what a value should have been like.
func unlike(f Field) string {
	if f.Pattern == "" {
		return "can't be right"
	}
	return "can't be right: it must match " + f.Pattern
}
