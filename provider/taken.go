package provider

import (
	"encoding/base64"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"linkgate/secret"
)

// ErrNotPortable: a credential can't be told in the form in which it could be given elsewhere.
var ErrNotPortable = errors.New("the credential can't be given to another Linkgate")

// GivenOf is a credential as it could have been given: what Tokens, or Typed and TypedCredential, make
// the same one of. ErrNotPortable, for what belongs to no user (client_credentials), or was typed and is
// not kept.
func (c Connection) GivenOf(credential Credential) (Given, error) {
	g := Given{Fields: map[string]secret.Text{}}
	for key, value := range credential.Settings {
		g.Fields[key] = secret.New(value)
	}
	switch c.protocol() {
	case "oauth2", "oidc", "password":
		g.AccessToken, g.RefreshToken = credential.AccessToken, credential.RefreshToken
		g.TokenType, g.ExpiresAt = credential.TokenType, credential.ExpiresAt
	case oauth1Name:
		g.Token, g.TokenSecret = credential.AccessToken, credential.TokenSecret
	case "api_key":
		g.Fields[c.secretField()] = credential.AccessToken
		return g, c.isTheSame(g, credential)
	case "basic":
		maps.Copy(g.Fields, c.basicFields(credential.AccessToken))
		return g, c.isTheSame(g, credential)
	default:
		return Given{}, ErrNotPortable
	}
	if _, err := c.Tokens(g); err != nil {
		return Given{}, ErrNotPortable
	}
	return g, nil
}

// isTheSame holds what is to be given against what will be made of it.
func (c Connection) isTheSame(g Given, credential Credential) error {
	values, err := c.Typed(g)
	if err != nil {
		return ErrNotPortable
	}
	made, err := c.TypedCredential(values, time.Time{})
	if err != nil || !made.AccessToken.Equal(credential.AccessToken) {
		return ErrNotPortable
	}
	return nil
}

// basicFields reads what was typed out of what HTTP Basic was made of. nil: it can't be told.
func (c Connection) basicFields(token secret.Text) map[string]secret.Text {
	decoded, err := base64.StdEncoding.DecodeString(token.Reveal())
	user, password, found := strings.Cut(string(decoded), ":")
	if err != nil || !found {
		return nil
	}
	fields := map[string]secret.Text{}
	for template, value := range map[string]string{c.Credential.Username: user, c.Credential.Password: password} {
		maps.Copy(fields, unexpanded(template, value))
	}
	return fields
}

// unexpanded is the inverse of expand, as far as there is one.
func unexpanded(template, value string) map[string]secret.Text {
	var keys []string
	pattern := "(?s)^"
	rest := template
	for _, at := range placeholderForm.FindAllStringSubmatch(template, -1) {
		before, after, _ := strings.Cut(rest, at[0])
		pattern += regexp.QuoteMeta(before) + "(.*)"
		keys, rest = append(keys, at[1]), after
	}
	found := regexp.MustCompile(pattern + regexp.QuoteMeta(rest) + "$").FindStringSubmatch(value)
	if found == nil {
		return nil
	}
	fields := map[string]secret.Text{}
	for i, key := range slices.All(keys) {
		fields[key] = secret.New(found[i+1])
	}
	return fields
}
