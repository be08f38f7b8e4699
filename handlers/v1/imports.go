package v1

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"linkgate/connect"
	"linkgate/handlers/inbound"
	"linkgate/linkedaccount"
	"linkgate/secret"
)

type importRequest struct {
	UserID      string            `json:"user_id"`
	AuthID      string            `json:"auth_id"`
	Credential  *importCredential `json:"credential"`
	Profile     *importProfile    `json:"profile"`
	Name        string            `json:"name"`
	DisplayName string            `json:"display_name"`
	Metadata    *json.RawMessage  `json:"metadata"`
}

type importCredential struct {
	AccessToken  string            `json:"access_token"`
	RefreshToken string            `json:"refresh_token"`
	TokenType    string            `json:"token_type"`
	ExpiresAt    *string           `json:"expires_at"` // RFC 3339
	Scopes       []string          `json:"scopes"`
	Token        string            `json:"token"`
	TokenSecret  string            `json:"token_secret"`
	Fields       map[string]string `json:"fields"`
	Sealed       string            `json:"sealed"` // base64 (RFC 4648 §4)
}

type importProfile struct {
	ExternalAccountID string `json:"external_account_id"`
	Name              string `json:"name"`
	Issuer            string `json:"issuer"`
}

const (
	longestCredential = 16 << 10 // bytes of one value
	longestSealed     = 96 << 10 // bytes of all of them
)

func (i importRequest) check() error {
	var f form
	f.id("user_id", i.UserID, inbound.IsUserID, true)
	f.id("auth_id", i.AuthID, inbound.IsSegment, true)
	f.short("name", i.Name, longestName)
	f.short("display_name", i.DisplayName, longestName)
	if i.Credential == nil {
		f.mistake("credential", "it is needed")
	} else {
		i.Credential.check(&f)
	}
	if p := i.Profile; p != nil {
		if p.ExternalAccountID == "" || len(p.ExternalAccountID) > scopeLongest || strings.ContainsFunc(p.ExternalAccountID, isControl) {
			f.mistake("profile/external_account_id", "it is needed: up to %d bytes, no control characters", scopeLongest)
		}
		f.short("profile/name", p.Name, longestName)
		f.short("profile/issuer", p.Issuer, scopeLongest)
	}
	return f.err()
}

func (c importCredential) check(f *form) {
	values := map[string]string{
		"access_token": c.AccessToken, "refresh_token": c.RefreshToken, "token_type": c.TokenType,
		"token": c.Token, "token_secret": c.TokenSecret,
	}
	for key, value := range c.Fields {
		if name := path.Join("fields", misspelt(key)); len(value) > len(values[name]) {
			values[name] = value
		}
	}
	for _, member := range slices.Sorted(maps.Keys(values)) {
		if len(values[member]) > longestCredential {
			f.mistake("credential/"+member, "it may have %d bytes", longestCredential)
		}
	}
	if c.ExpiresAt != nil {
		if _, err := time.Parse(time.RFC3339, *c.ExpiresAt); err != nil {
			f.mistake("credential/expires_at", "it must be a time as RFC 3339 has it, such as 2030-01-31T12:00:00Z")
		}
	}
	f.scopes("credential/scopes", c.Scopes)
	if sealed, err := base64.StdEncoding.DecodeString(c.Sealed); err != nil || len(sealed) > longestSealed {
		f.mistake("credential/sealed", "it must be base64, as `linkgate accounts export` wrote it, of %d bytes at the most", longestSealed)
	} else if c.Sealed != "" && c.hasOthers() {
		f.mistake("credential/sealed", "it stands alone: the others are in it")
	}
}

// hasOthers tells whether there is more than what is sealed.
func (c importCredential) hasOthers() bool {
	return c.AccessToken+c.RefreshToken+c.TokenType+c.Token+c.TokenSecret != "" || c.ExpiresAt != nil || c.Scopes != nil || c.Fields != nil
}

func (c importCredential) given() connect.ImportCredential {
	given := connect.ImportCredential{
		AccessToken: secret.New(c.AccessToken), RefreshToken: secret.New(c.RefreshToken), TokenType: c.TokenType,
		Token: secret.New(c.Token), TokenSecret: secret.New(c.TokenSecret),
		Scopes: c.Scopes,
	}
	given.Sealed, _ = base64.StdEncoding.DecodeString(c.Sealed) // check has tried it
	if c.ExpiresAt != nil {
		given.ExpiresAt, _ = time.Parse(time.RFC3339, *c.ExpiresAt) // which check has done before
	}
	if c.Fields != nil {
		given.Fields = map[string]secret.Text{}
		for key, value := range c.Fields {
			given.Fields[key] = secret.New(value)
		}
	}
	return given
}

func (a *API) importAccount(r *request) (answer, error) {
	wanted, err := bodyOf[importRequest](r)
	if err != nil {
		return answer{}, err
	}
	var details linkedaccount.Details
	if err := wanted.details(&details); err != nil {
		return answer{}, err
	}
	i := connect.Import{
		HostUserID: wanted.UserID, AuthID: wanted.AuthID, Credential: wanted.Credential.given(), Name: wanted.Name,
		DisplayName: wanted.DisplayName, Metadata: details.Metadata,
		ValidateScope: r.query.validateScope, RequestProfile: r.query.requestProfile,
	}
	if p := wanted.Profile; p != nil {
		i.Profile = &connect.Profile{ExternalAccountID: p.ExternalAccountID, Name: p.Name, Issuer: p.Issuer}
	}
	imported, err := a.Connect.Import(r.Request().Context(), i)
	if err != nil {
		return answer{}, err
	}
	told := answer{status: http.StatusOK, body: a.accountOf(imported.Account), etag: etagOf(imported.Account.Version)}
	if imported.Created {
		told.status, told.at = http.StatusCreated, "/v1/accounts/"+url.PathEscape(imported.Account.ID)
	}
	return told, nil
}

// details are what the owner says of the account, by the same rules as a later change of them.
func (i importRequest) details(d *linkedaccount.Details) error {
	return accountUpdate{DisplayName: &i.DisplayName, Metadata: i.Metadata}.apply(d)
}
