package provider

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"linkgate/secret"
)

// Attempt is what a sign-in must remember between the redirect and the callback. It holds
// secrets: store it sealed (Marshal, UnmarshalAttempt).
type Attempt struct {
	State       secret.Text
	Verifier    secret.Text // PKCE, RFC 7636
	Nonce       secret.Text // OIDC Core §3.1.2.1; empty for plain OAuth 2
	RedirectURI string
	Fingerprint string            // of client and endpoints; after a change of configuration Exchange refuses
	Settings    map[string]string // that the user was asked for
	TokenSecret secret.Text       // oauth1: of the request token (RFC 5849 §2.1)
	Scopes      []string          // asked for in place of the connection's; nil: those

	RequestToken secret.Text // oauth1
}

// attemptForm is an Attempt in the open.
type attemptForm struct {
	State       string `json:"s"`
	Verifier    string `json:"v"`
	Nonce       string `json:"n,omitempty"`
	RedirectURI string `json:"r"`
	Fingerprint string `json:"f"`

	Settings    map[string]string `json:"fields,omitempty"`
	TokenSecret string            `json:"ts,omitempty"`
	Scopes      []string          `json:"scopes,omitempty"`

	RequestToken string `json:"rt,omitempty"`
}

// Marshal writes the attempt with its secrets revealed: for sealing only.
func (a Attempt) Marshal() ([]byte, error) {
	return json.Marshal(attemptForm{
		State:       a.State.Reveal(),
		Verifier:    a.Verifier.Reveal(),
		Nonce:       a.Nonce.Reveal(),
		RedirectURI: a.RedirectURI,
		Fingerprint: a.Fingerprint,
		Settings:    a.Settings,
		TokenSecret: a.TokenSecret.Reveal(),
		Scopes:      a.Scopes,

		RequestToken: a.RequestToken.Reveal(),
	})
}

// UnmarshalAttempt reads what Attempt.Marshal wrote.
func UnmarshalAttempt(data []byte) (Attempt, error) {
	var form *attemptForm // a pointer, so that null is told from an object
	if err := json.Unmarshal(data, &form); err != nil || form == nil {
		return Attempt{}, errSealedForm
	}
	return Attempt{
		State:       secret.New(form.State),
		Verifier:    secret.New(form.Verifier),
		Nonce:       secret.New(form.Nonce),
		RedirectURI: form.RedirectURI,
		Fingerprint: form.Fingerprint,
		Settings:    form.Settings,
		TokenSecret: secret.New(form.TokenSecret),
		Scopes:      form.Scopes,

		RequestToken: secret.New(form.RequestToken),
	}, nil
}

// deviceForm is a DeviceAttempt in the open.
type deviceForm struct {
	DeviceCode  string            `json:"d"`
	UserCode    string            `json:"u"`
	URI         string            `json:"v"`
	CompleteURI string            `json:"c,omitempty"`
	ExpiresIn   time.Duration     `json:"e"`
	Interval    time.Duration     `json:"i"`
	Fingerprint string            `json:"f"`
	Settings    map[string]string `json:"fields,omitempty"`
	Scopes      []string          `json:"scopes,omitempty"`
}

// Marshal writes the attempt with its secrets revealed: for sealing only.
func (a DeviceAttempt) Marshal() ([]byte, error) {
	return json.Marshal(deviceForm{
		a.DeviceCode.Reveal(), a.UserCode.Reveal(), a.URI, a.CompleteURI.Reveal(),
		a.ExpiresIn, a.Interval, a.Fingerprint, a.Settings, a.Scopes,
	})
}

// UnmarshalDeviceAttempt reads what DeviceAttempt.Marshal wrote.
func UnmarshalDeviceAttempt(data []byte) (DeviceAttempt, error) {
	var f *deviceForm
	if err := json.Unmarshal(data, &f); err != nil || f == nil {
		return DeviceAttempt{}, errSealedForm
	}
	return DeviceAttempt{
		secret.New(f.DeviceCode), secret.New(f.UserCode), f.URI, secret.New(f.CompleteURI),
		f.ExpiresIn, f.Interval, f.Fingerprint, f.Settings, f.Scopes,
	}, nil
}

// endpoints are the addresses that one sign-in uses, from its start to its end.
type endpoints struct {
	issuer         string // empty: not known
	authorize      string
	token          string
	pushed         string // RFC 9126; empty: the authorization request goes through the browser
	issuerPromised bool   // the service said that its callbacks carry iss (RFC 9207 §3)
}

// fingerprint binds an attempt to the client and the endpoints it began with, so that a change of
// configuration, or of what a service publishes, never mixes two services (RFC 9700 §4.4).
func fingerprint(c Connection, e endpoints, redirectURI string) string {
	hash := sha256.New()
	for _, part := range []string{c.protocol(), c.ClientID, e.issuer, e.authorize, e.token, redirectURI} {
		fmt.Fprintf(hash, "%d:%s,", len(part), part) // lengths, so that no two lists read the same
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}
