package provider

import (
	"testing"

	"linkgate/secret"
)

// TestOAuth1Problems changes one thing in a good connection, and names the keys at which that shows.
func TestOAuth1Problems(t *testing.T) {
	key := oauth1PEM(newRSAKey(t))
	rsa := func(c *Connection) {
		c.SignatureMethod, c.SigningKey, c.ClientSecret = "RSA-SHA1", key, secret.Text{}
	}
	good := Connection{
		AuthID: "7f3c", Provider: "oauth1", ClientID: "id", ClientSecret: secret.New("secret"),
		RequestTokenURL: "https://a.example/request", AuthorizeURL: "https://a.example/authorize", AccessTokenURL: "https://a.example/access",
		Identity: IdentityPaths{URL: "https://a.example/me", ID: "id"},
	}
	tests := map[string]struct {
		change func(*Connection)
		want   []string
	}{
		"as it is":              {func(*Connection) {}, nil},
		"RSA":                   {rsa, nil},
		"identity in the token": {func(c *Connection) { c.Identity.URL = "token" }, nil},
		"scope as a parameter":  {func(c *Connection) { c.AuthorizeParams = map[string]string{"scope": "read", "expiration": "never"} }, nil},
		"customers": {func(c *Connection) {
			c.Fields = []Field{{Key: "shop", Label: "Shop"}}
			c.AccessTokenURL = "https://{shop}.a.example/x"
		}, nil},
		"no client":               {func(c *Connection) { c.ClientID, c.ClientSecret = "", secret.Text{} }, []string{"client_id", "client_secret"}},
		"RSA without a key":       {func(c *Connection) { rsa(c); c.SigningKey = secret.Text{} }, []string{"signing_key"}},
		"RSA with no key":         {func(c *Connection) { rsa(c); c.SigningKey = secret.New("key") }, []string{"signing_key"}},
		"RSA with a secret":       {func(c *Connection) { rsa(c); c.ClientSecret = secret.New("x") }, []string{"client_secret"}},
		"HMAC with a key":         {func(c *Connection) { c.SigningKey = key }, []string{"signing_key"}},
		"PLAINTEXT":               {func(c *Connection) { c.SignatureMethod = "PLAINTEXT" }, []string{"signature_method"}},
		"no addresses":            {func(c *Connection) { c.RequestTokenURL, c.AuthorizeURL, c.AccessTokenURL = "", "", "" }, []string{"request_token_url", "authorize_url", "access_token_url"}},
		"addresses without TLS":   {func(c *Connection) { c.AccessTokenURL = "http://a.example/access" }, []string{"access_token_url"}},
		"no identity":             {func(c *Connection) { c.Identity = IdentityPaths{} }, []string{"identity.url", "identity.id"}},
		"auth_style":              {func(c *Connection) { c.AuthStyle = "post" }, []string{"auth_style"}},
		"addresses of OAuth 2":    {func(c *Connection) { c.TokenURL, c.RevokeURL = "https://a.example/t", "https://a.example/r" }, []string{"revoke_url", "token_url"}},
		"a token for the app":     {func(c *Connection) { c.App.Inject = true }, []string{"app.inject"}},
		"scopes":                  {func(c *Connection) { c.Scopes = []string{"read"} }, []string{"scopes"}},
		"token_params":            {func(c *Connection) { c.TokenParams = map[string]string{"a": "b"} }, []string{"token_params"}},
		"credential":              {func(c *Connection) { c.Credential.Header = "X-Key" }, []string{"credential.header"}},
		"a parameter of ours":     {func(c *Connection) { c.AuthorizeParams = map[string]string{"oauth_token": "x"} }, []string{"authorize_params.oauth_token"}},
		"pkce and a request that": {func(c *Connection) { c.PKCE, c.PARURL = "S256", "https://a.example/par" }, []string{"par_url", "pkce"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := good.Clone()
			test.change(&c)
			var got []string
			for _, p := range c.Problems() {
				got = append(got, p.Key)
				if p.Remedy == "" || p.Text == "" {
					t.Errorf("%s: no text or no remedy", p.Key)
				}
			}
			if !sameKeys(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func sameKeys(a, b []string) bool {
	count := map[string]int{}
	for _, k := range a {
		count[k]++
	}
	for _, k := range b {
		count[k]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}
