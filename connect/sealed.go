package connect

import (
	"encoding/json"
	"fmt"
	"time"

	"linkgate/secret"
)

// importForm is an ImportCredential in the open, in the words of the accounts API.
type importForm struct {
	AccessToken  string            `json:"access_token,omitempty"`
	RefreshToken string            `json:"refresh_token,omitempty"`
	TokenType    string            `json:"token_type,omitempty"`
	ExpiresAt    time.Time         `json:"expires_at,omitzero"`
	Scopes       []string          `json:"scopes,omitzero"` // [] is not the same as none
	Token        string            `json:"token,omitempty"`
	TokenSecret  string            `json:"token_secret,omitempty"`
	Fields       map[string]string `json:"fields,omitempty"`
}

// Marshal writes the credential as the accounts API takes it, with its secrets revealed: for sealing, or for an owner
// who wants that.
func (c ImportCredential) Marshal() ([]byte, error) {
	form := importForm{
		AccessToken: c.AccessToken.Reveal(), RefreshToken: c.RefreshToken.Reveal(), TokenType: c.TokenType,
		ExpiresAt: c.ExpiresAt, Scopes: c.Scopes, Token: c.Token.Reveal(), TokenSecret: c.TokenSecret.Reveal(),
		Fields: map[string]string{},
	}
	for key, value := range c.Fields {
		form.Fields[key] = value.Reveal()
	}
	return json.Marshal(form) //nolint:gosec // its secrets are what this is for
}

// Seal seals the credential of an import for Import.Credential.Sealed: it opens for the same user, connection and
// external account alone, which i.Profile tells.
func (i Import) Seal(k *secret.Keyring) ([]byte, error) {
	plain, err := i.Credential.Marshal()
	if err != nil {
		return nil, fmt.Errorf("writing a credential: %w", err)
	}
	return k.Seal(plain, i.place())
}

// place is where an exported credential belongs: it is not of use for anybody else's account.
func (i Import) place() secret.Place {
	return secret.Place{
		Table: "export", Account: i.Profile.ExternalAccountID, HostUser: i.HostUserID, Connection: i.AuthID, Field: "credential",
	}
}

// unseal opens a sealed credential in the place of itself. *CredentialShapeError.
func (i *Import) unseal(k *secret.Keyring) error {
	if len(i.Credential.Sealed) == 0 {
		return nil
	}
	if i.Profile == nil {
		return &CredentialShapeError{"profile/external_account_id", "is missing, for which the credential was sealed"}
	}
	plain, err := k.Open(i.Credential.Sealed, i.place())
	if err != nil {
		return &CredentialShapeError{"sealed", "does not open: it was sealed with another keyset, or for another user, connection or external account"}
	}
	var form importForm
	if err := json.Unmarshal(plain, &form); err != nil { // by a version to come
		return &CredentialShapeError{"sealed", "is of a form that this version does not know"}
	}
	i.Credential = form.credential()
	return nil
}

func (f importForm) credential() ImportCredential {
	c := ImportCredential{
		AccessToken: secret.New(f.AccessToken), RefreshToken: secret.New(f.RefreshToken), TokenType: f.TokenType,
		ExpiresAt: f.ExpiresAt, Scopes: f.Scopes, Token: secret.New(f.Token), TokenSecret: secret.New(f.TokenSecret),
	}
	if len(f.Fields) > 0 {
		c.Fields = map[string]secret.Text{}
		for key, value := range f.Fields {
			c.Fields[key] = secret.New(value)
		}
	}
	return c
}
