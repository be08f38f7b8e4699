package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Import is an account whose credential you have already.
type Import struct {
	UserID      string           `json:"user_id"`
	AuthID      string           `json:"auth_id"`
	Credential  ImportCredential `json:"credential"`
	Profile     *Profile         `json:"profile,omitempty"` // nil: the service is asked
	Name        string           `json:"name,omitempty"`    // in place of what the service calls the account
	DisplayName string           `json:"display_name,omitempty"`
	Metadata    map[string]any   `json:"metadata,omitempty"`
}

// ImportCredential is what the connection's protocol takes: tokens (oauth2, oidc, password), Token and
// TokenSecret (oauth1), Fields as a user would type them (api_key, basic), or Sealed.
type ImportCredential struct {
	AccessToken  Secret            `json:"access_token,omitempty"`
	RefreshToken Secret            `json:"refresh_token,omitempty"`
	TokenType    string            `json:"token_type,omitempty"`
	ExpiresAt    *time.Time        `json:"expires_at,omitempty"` // of the access token; nil: not known
	Scopes       []string          `json:"scopes,omitempty"`     // granted; nil: what the connection asks for
	Token        Secret            `json:"token,omitempty"`
	TokenSecret  Secret            `json:"token_secret,omitempty"`
	Fields       map[string]Secret `json:"fields,omitempty"`
	Sealed       string            `json:"sealed,omitempty"` // of `linkgate accounts export`, with the same keyset
}

// Profile says whose a credential is.
type Profile struct {
	ExternalAccountID string `json:"external_account_id"`
	Name              string `json:"name,omitempty"`
	Issuer            string `json:"issuer,omitempty"` // empty: the one that a sign-in would bring
}

// ImportOptions say how an account is taken over. The zero value checks everything.
type ImportOptions struct {
	AllowMissingScopes bool // validate_scope=false
	TrustProfile       bool // request_profile=false: the service is not asked, and Profile is needed
	// IdempotencyKey is yours, of up to 255 visible characters: the same import with the same key is
	// done once within a day, whoever repeats it. Empty: the client draws one for each call.
	IdempotencyKey string
}

// Imported is an account that was taken over.
type Imported struct {
	Account
	Created  bool // else the user had an account with this identity, and it was updated
	Replayed bool // it was imported by an earlier request with this IdempotencyKey, and Account is as it was then
}

// ImportAccount takes an account over, as if the user had connected it.
func (c *Client) ImportAccount(ctx context.Context, i Import, options ImportOptions) (Imported, error) {
	body, err := json.Marshal(i)
	if err != nil {
		return Imported{}, err
	}
	return c.ImportJSON(ctx, body, options)
}

// ImportJSON is ImportAccount with an Import that is JSON already, such as a line of what `linkgate accounts
// export` writes.
func (c *Client) ImportJSON(ctx context.Context, body json.RawMessage, options ImportOptions) (Imported, error) {
	o := changing("/v1/accounts", body, options.IdempotencyKey)
	o.query = url.Values{}
	if options.AllowMissingScopes {
		o.query.Set("validate_scope", "false")
	}
	if options.TrustProfile {
		o.query.Set("request_profile", "false")
	}
	var i Imported
	header, status, err := c.do(ctx, o, &i.Account)
	if err != nil {
		return Imported{}, err
	}
	i.ETag, i.Created, i.Replayed = header.Get("ETag"), status == http.StatusCreated, header.Get("Idempotency-Replayed") == "true"
	return i, nil
}

// TestResult is what came of a test.
type TestResult string

// The results of a test.
const (
	TestOK                  TestResult = "ok"
	TestReauthRequired      TestResult = "reauth_required"
	TestInsufficientScope   TestResult = "insufficient_scope"
	TestProviderUnavailable TestResult = "provider_unavailable"
)

// Test is what a service says of an account.
type Test struct {
	Result        TestResult `json:"result"`
	LatencyMS     int64      `json:"latency_ms"` // how long the service took, in milliseconds
	MissingScopes []string   `json:"missing_scopes"`
	Verified      bool       `json:"verified"` // false: the service has no way to ask, and the result is what is known at Linkgate
}

// TestAccount asks the service now whether an account works, with a fresh credential.
func (c *Client) TestAccount(ctx context.Context, accountID string) (Test, error) {
	var t Test
	_, _, err := c.do(ctx, asking("/v1/accounts/"+segment(accountID)+"/test", nil), &t)
	return t, err
}

// asking is a POST that changes nothing. It has no Idempotency-Key: the same answer as before is not
// what is wanted, and Linkgate shall not keep a token for whoever repeats it.
func asking(path string, body any) operation {
	return operation{method: http.MethodPost, path: path, body: body, isRepeatable: true}
}

// Token authorises calls as an account.
type Token struct {
	AccessToken Secret     `json:"access_token"`
	TokenType   string     `json:"token_type"`
	TokenSecret Secret     `json:"token_secret,omitempty"` // OAuth 1 alone
	ExpiresAt   *time.Time `json:"expires_at"`             // nil: not known
	Scopes      []string   `json:"scopes"`
}

// GetToken gives an access token that lasts for minValid at least, if the service makes such; 0: a
// minute. Prefer Call: then no token leaves Linkgate. IsReauthRequired.
func (c *Client) GetToken(ctx context.Context, accountID string, minValid time.Duration) (Token, error) {
	var body any
	if minValid > 0 {
		body = map[string]int64{"min_valid_seconds": int64((minValid + time.Second - 1) / time.Second)}
	}
	var t Token
	_, _, err := c.do(ctx, asking("/v1/accounts/"+segment(accountID)+"/token", body), &t)
	return t, err
}
