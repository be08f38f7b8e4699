package provider

import (
	"slices"
	"strings"
)

// oauth1ClientProblems are those of the client: a secret or a key, as the method wants it.
func oauth1ClientProblems(c Connection) []Problem {
	const leaveOut = "leave it out: the signature proves the client"
	var problems []Problem
	add := func(key, text, remedy string) { problems = append(problems, Problem{key, text, remedy}) }
	if c.ClientID == "" {
		add("client_id", "is missing", "copy the consumer key from the service's page about your app")
	}
	_, isKey := rsaKey(c.SigningKey)
	switch {
	case c.signsWithRSA() && c.SigningKey.IsZero():
		add("signing_key", "is missing", "give the private key to the public one that the service knows, in PEM")
	case c.signsWithRSA() && !isKey:
		add("signing_key", "is no RSA key in PEM of 1024 bits or more", "make one with openssl genrsa 2048, and give its public half to the service")
	case c.signsWithRSA() && !c.ClientSecret.IsZero():
		add("client_secret", "is not used by RSA-SHA1", "leave it out, or sign with it: signature_method: HMAC-SHA1")
	case c.SignatureMethod != "" && !c.signsWithRSA() && !strings.EqualFold(c.SignatureMethod, HMACSHA1):
		add("signature_method", "unknown method "+shown(c.SignatureMethod), "use HMAC-SHA1 or RSA-SHA1")
	case !c.signsWithRSA() && c.ClientSecret.IsZero():
		add("client_secret", "is missing", "copy the consumer secret from the service's page about your app, or set signature_method: RSA-SHA1 and signing_key")
	case !c.signsWithRSA() && !c.SigningKey.IsZero():
		add("signing_key", "is not used by HMAC-SHA1", "leave it out, or set signature_method: RSA-SHA1")
	}
	if c.AuthStyle != "" {
		add("auth_style", "is not used by this protocol", leaveOut)
	}
	return problems
}

func oauth1Problems(c Connection) []Problem {
	const leaveOut = "leave it out: OAuth 1 has no such thing"
	problems := slices.Concat(
		c.templateProblem("issuer", c.Issuer, optional),
		c.templateProblem("request_token_url", c.RequestTokenURL, required),
		c.templateProblem("authorize_url", c.AuthorizeURL, required),
		c.templateProblem("access_token_url", c.AccessTokenURL, required),
		unused("token_url", c.TokenURL, "leave it out: it is request_token_url and access_token_url here"),
		unused("refresh_url", c.RefreshURL, leaveOut),
		unused("revoke_url", c.RevokeURL, leaveOut),
		unused("par_url", c.PARURL, leaveOut),
		unused("device_url", c.DeviceURL, leaveOut),
		unused("pkce", c.PKCE, leaveOut),
		unused("scopes", strings.Join(c.Scopes, " "), "leave it out, or give in authorize_params what the service wants there"),
		unused("scope_separator", c.ScopeSeparator, leaveOut),
		unused("credential.header", c.Credential.Header, "leave it out: the signature goes into Authorization"),
		unused("credential.prefix", c.Credential.Prefix, "leave it out: the signature goes into Authorization"),
		unused("credential.query", c.Credential.Query, "leave it out: the signature goes into Authorization"),
		c.identityURLProblem(),
		pathProblem("identity.id", c.Identity.ID),
	)
	if c.App.Inject {
		problems = append(problems, Problem{"app.inject", "hands your app a token that is worth nothing without its secret", "leave it out, and have your app call through /call/{auth_id}"})
	}
	if len(c.TokenParams) > 0 {
		problems = append(problems, Problem{"token_params", "is not used by this protocol", leaveOut})
	}
	if c.Identity.ID == "" {
		problems = append(problems, Problem{"identity.id", "is missing", "name where the answer of identity.url, or with identity.url: token that of access_token_url, has the account's stable id"})
	}
	return problems
}
