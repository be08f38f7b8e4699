package provider

import (
	"encoding/json"
	"errors"
	"time"

	"linkgate/secret"
)

// errSealedForm: the bytes are not what Marshal wrote. The decoder's own error is dropped, for it
// can quote what it read.
var errSealedForm = errors.New("not in the form that Marshal writes")

// Credential authorises calls as an account. Store it sealed (Marshal, UnmarshalCredential).
type Credential struct {
	AccessToken  secret.Text
	RefreshToken secret.Text // empty: the service gave none
	TokenType    string      // as the service names it; empty means bearer
	IssuedAt     time.Time   // when it was obtained, by our clock; zero: before this was kept
	ExpiresAt    time.Time   // of the access token; zero: unknown
	TokenSecret  secret.Text // oauth1 alone
	// Settings are what the user was asked for and is no secret; they stand in the connection's URLs.
	Settings map[string]string
}

// credentialForm is a Credential in the open. Unknown keys are let pass, so that two versions of
// the program can share a store while one replaces the other.
type credentialForm struct {
	AccessToken  string    `json:"a"`
	RefreshToken string    `json:"r,omitempty"`
	TokenType    string    `json:"t,omitempty"`
	IssuedAt     time.Time `json:"i,omitzero"`
	ExpiresAt    time.Time `json:"e,omitzero"`
	TokenSecret  string    `json:"s,omitempty"`

	Settings map[string]string `json:"f,omitempty"`
}

// Marshal writes the credential with its secrets revealed: for sealing only.
func (c Credential) Marshal() ([]byte, error) {
	return json.Marshal(credentialForm{
		AccessToken:  c.AccessToken.Reveal(),
		RefreshToken: c.RefreshToken.Reveal(),
		TokenType:    c.TokenType,
		IssuedAt:     c.IssuedAt.UTC(),
		ExpiresAt:    c.ExpiresAt.UTC(),
		TokenSecret:  c.TokenSecret.Reveal(),
		Settings:     c.Settings,
	})
}

// UnmarshalCredential reads what Credential.Marshal wrote. Times come back in UTC.
func UnmarshalCredential(data []byte) (Credential, error) {
	var form *credentialForm // a pointer, so that null is told from an object
	if err := json.Unmarshal(data, &form); err != nil || form == nil {
		return Credential{}, errSealedForm
	}
	return Credential{
		AccessToken:  secret.New(form.AccessToken),
		RefreshToken: secret.New(form.RefreshToken),
		TokenType:    form.TokenType,
		IssuedAt:     form.IssuedAt.UTC(),
		ExpiresAt:    form.ExpiresAt.UTC(),
		TokenSecret:  secret.New(form.TokenSecret),
		Settings:     form.Settings,
	}, nil
}
