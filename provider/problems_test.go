package provider

import (
	"slices"
	"strings"
	"testing"

	"linkgate/secret"
)

func goodOAuth2() Connection {
	return Connection{
		AuthID: "7f3c", Provider: "oauth2",
		ClientID: "id", ClientSecret: secret.New("secret"),
		AuthorizeURL: "https://a.example/authorize", TokenURL: "https://a.example/token",
		Identity: IdentityPaths{URL: "https://a.example/me", ID: "data.0.id"},
	}
}

func goodOIDC() Connection {
	return Connection{
		AuthID: "7f3c", Provider: "oidc", Issuer: "https://issuer.example",
		ClientID: "id", ClientSecret: secret.New("secret"),
	}
}

// TestProblems changes one thing in a good connection, and names the keys at which that shows.
func TestProblems(t *testing.T) {
	tests := map[string]struct {
		base   func() Connection
		change func(c *Connection)
		want   []string
	}{
		"oauth2 as it is":          {goodOAuth2, func(*Connection) {}, nil},
		"oidc as it is":            {goodOIDC, func(*Connection) {}, nil},
		"no provider":              {goodOAuth2, func(c *Connection) { c.Provider = "" }, []string{"provider"}},
		"unknown provider":         {goodOAuth2, func(c *Connection) { c.Provider = "oauth3" }, []string{"provider"}},
		"preset not applied":       {goodOAuth2, func(c *Connection) { c.Provider = "github" }, []string{"provider"}},
		"unknown protocol":         {goodOAuth2, func(c *Connection) { c.Provider, c.Protocol = "github", "saml" }, []string{"protocol"}},
		"two protocols":            {goodOAuth2, func(c *Connection) { c.Provider, c.Protocol = "oidc", "oauth2" }, []string{"protocol"}},
		"preset":                   {goodOAuth2, func(c *Connection) { c.Provider, c.Protocol = "github", "oauth2" }, nil},
		"no client id":             {goodOAuth2, func(c *Connection) { c.ClientID = "" }, []string{"client_id"}},
		"no secret":                {goodOAuth2, func(c *Connection) { c.ClientSecret = secret.Text{} }, []string{"client_secret"}},
		"no secret, post":          {goodOIDC, func(c *Connection) { c.ClientSecret, c.AuthStyle = secret.Text{}, "post" }, []string{"client_secret"}},
		"public client":            {goodOIDC, func(c *Connection) { c.ClientSecret, c.AuthStyle = secret.Text{}, "none" }, nil},
		"public with secret":       {goodOIDC, func(c *Connection) { c.AuthStyle = "none" }, []string{"client_secret"}},
		"unknown auth style":       {goodOIDC, func(c *Connection) { c.AuthStyle = "auto" }, []string{"auth_style"}},
		"no issuer":                {goodOIDC, func(c *Connection) { c.Issuer = "" }, []string{"issuer"}},
		"issuer with query":        {goodOIDC, func(c *Connection) { c.Issuer += "?tenant=1" }, []string{"issuer"}},
		"oidc with authorize_url":  {goodOIDC, func(c *Connection) { c.AuthorizeURL = "https://a.example" }, []string{"authorize_url"}},
		"oidc with token_url":      {goodOIDC, func(c *Connection) { c.TokenURL = "https://a.example" }, []string{"token_url"}},
		"oidc with identity.id":    {goodOIDC, func(c *Connection) { c.Identity.ID = "id" }, []string{"identity.id"}},
		"oidc with identity.url":   {goodOIDC, func(c *Connection) { c.Identity.URL = "https://a.example/me" }, nil},
		"oidc, identity.url bad":   {goodOIDC, func(c *Connection) { c.Identity.URL = "/me" }, []string{"identity.url"}},
		"oauth2 without identity":  {goodOAuth2, func(c *Connection) { c.Identity = IdentityPaths{} }, []string{"identity.url", "identity.id"}},
		"oauth2, no authorize_url": {goodOAuth2, func(c *Connection) { c.AuthorizeURL = "" }, []string{"authorize_url"}},
		"oauth2, no token_url":     {goodOAuth2, func(c *Connection) { c.TokenURL = "" }, []string{"token_url"}},
		"oauth2, issuer bad":       {goodOAuth2, func(c *Connection) { c.Issuer = "issuer.example" }, []string{"issuer"}},
		"revoke_url bad":           {goodOIDC, func(c *Connection) { c.RevokeURL = "http://a.example" }, []string{"revoke_url"}},
		"path with a hole":         {goodOAuth2, func(c *Connection) { c.Identity.ID = "data..id" }, []string{"identity.id"}},
		"path ends in a dot":       {goodOAuth2, func(c *Connection) { c.Identity.Name = "data." }, []string{"identity.name"}},
		"two scopes in one":        {goodOAuth2, func(c *Connection) { c.Scopes = []string{"ok", "a b"} }, []string{"scopes"}},
		"scope empty":              {goodOAuth2, func(c *Connection) { c.Scopes = []string{""} }, []string{"scopes"}},
		"scope in quotes":          {goodOAuth2, func(c *Connection) { c.Scopes = []string{`"a"`} }, []string{"scopes"}},
		"scope with umlaut":        {goodOAuth2, func(c *Connection) { c.Scopes = []string{"lesen:ö"} }, []string{"scopes"}},
		"scope with separator":     {goodOAuth2, func(c *Connection) { c.Scopes, c.ScopeSeparator = []string{"a,b"}, "," }, []string{"scopes"}},
		"scope with comma":         {goodOAuth2, func(c *Connection) { c.Scopes = []string{"a,b"} }, nil},
		"scope of an address":      {goodOAuth2, func(c *Connection) { c.Scopes = []string{"https://www.googleapis.com/auth/drive.file"} }, nil},
		"separator of letters":     {goodOAuth2, func(c *Connection) { c.ScopeSeparator = "x" }, []string{"scope_separator"}},
		"separator too long":       {goodOAuth2, func(c *Connection) { c.ScopeSeparator = ", " }, []string{"scope_separator"}},
		"parameters": {goodOAuth2, func(c *Connection) {
			c.AuthorizeParams = map[string]string{"prompt": "consent", "response_mode": "query"}
		}, nil},
		"response mode fragment":    {goodOAuth2, responseMode("fragment"), []string{"authorize_params.response_mode"}},
		"response mode form_post":   {goodOIDC, responseMode("form_post"), nil},
		"response mode query.jwt":   {goodOIDC, responseMode("query.jwt"), []string{"authorize_params.response_mode"}},
		"response mode empty":       {goodOAuth2, responseMode(""), []string{"authorize_params.response_mode"}},
		"parameter without name":    {goodOAuth2, func(c *Connection) { c.TokenParams = map[string]string{"": "x"} }, []string{"token_params"}},
		"parameters of the request": {goodOAuth2, func(c *Connection) { c.AuthorizeParams = blanks(reservedAuthorizeParams()) }, prefixed("authorize_params.", reservedAuthorizeParams())},
		"parameters of the token":   {goodOAuth2, func(c *Connection) { c.TokenParams = blanks(reservedTokenParams()) }, prefixed("token_params.", reservedTokenParams())},
		"many at once":              {goodOIDC, func(c *Connection) { *c = Connection{Provider: "oidc", AuthStyle: "x", Scopes: []string{""}} }, []string{"client_id", "auth_style", "scopes", "issuer"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := test.base()
			test.change(&c)
			var got []string
			for _, p := range c.Problems() {
				got = append(got, p.Key)
				if p.Text == "" || p.Remedy == "" {
					t.Errorf("%s: text or remedy is missing: %+v", p.Key, p)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("keys: want %q, got %q", test.want, got)
			}
			if p, err := New(c, Deps{}); (err != nil) != (test.want != nil) || (p == nil) != (err != nil) {
				t.Errorf("New: got %v, %v", p, err)
			}
		})
	}
}

func responseMode(mode string) func(*Connection) {
	return func(c *Connection) { c.AuthorizeParams = map[string]string{"response_mode": mode} }
}

func blanks(names []string) map[string]string {
	params := map[string]string{}
	for _, name := range names {
		params[name] = "x"
	}
	return params
}

func prefixed(prefix string, names []string) []string {
	var keys []string
	for _, name := range names {
		keys = append(keys, prefix+name)
	}
	return keys
}

// TestReservedNames: what an attempt is made of is in the lists that the test above runs through.
func TestReservedNames(t *testing.T) {
	for _, name := range strings.Fields("state redirect_uri code_challenge code_challenge_method response_type client_id nonce scope request request_uri") {
		if !slices.Contains(reservedAuthorizeParams(), name) {
			t.Errorf("authorize_params.%s is not reserved", name)
		}
	}
	for _, name := range strings.Fields("grant_type code redirect_uri code_verifier client_id client_secret refresh_token client_assertion") {
		if !slices.Contains(reservedTokenParams(), name) {
			t.Errorf("token_params.%s is not reserved", name)
		}
	}
}

// TestProblemsShowNoSecret puts a secret wherever a problem would quote the value.
func TestProblemsShowNoSecret(t *testing.T) {
	const misplaced = "x7Kq-a-secret-in-the-wrong-place"
	for name, change := range map[string]func(c *Connection){
		"provider":        func(c *Connection) { c.Provider = misplaced },
		"protocol":        func(c *Connection) { c.Protocol = misplaced },
		"auth_style":      func(c *Connection) { c.AuthStyle = misplaced },
		"scopes":          func(c *Connection) { c.Scopes = []string{misplaced + " x"} },
		"scope_separator": func(c *Connection) { c.ScopeSeparator = misplaced },
		"identity.id":     func(c *Connection) { c.Identity.ID = misplaced + ".." },
		"identity.url":    func(c *Connection) { c.Identity.URL = misplaced },
		"token_url":       func(c *Connection) { c.TokenURL = "https://u:" + misplaced + "@a.example" },
		"response_mode":   responseMode(misplaced),
		"rotation":        func(c *Connection) { c.Rotation = misplaced },
		"settings, name":  func(c *Connection) { c.Identity.Settings = map[string]string{misplaced: "x"} },
		"settings, path":  func(c *Connection) { c.Identity.Settings = map[string]string{"shop": misplaced + ".."} },
		"header":          func(c *Connection) { c.Credential.Header = misplaced + " " },
		"header reserved": func(c *Connection) { c.Credential.Header = "Linkgate-" + misplaced },
		"prefix":          func(c *Connection) { c.Credential.Prefix = misplaced + " x" },
		"query":           func(c *Connection) { c.Credential.Query = misplaced + "&" },
		"client_secret":   func(c *Connection) { c.AuthStyle, c.ClientSecret = AuthNone, secret.New(misplaced) },
	} {
		t.Run(name, func(t *testing.T) {
			c := goodOAuth2()
			change(&c)
			problems := c.Problems()
			if len(problems) == 0 {
				t.Error("found no problem")
			}
			for _, p := range problems {
				if strings.Contains(p.Error(), misplaced) {
					t.Errorf("shows the secret: %v", p)
				}
			}
		})
	}
}

func TestURLMistakes(t *testing.T) {
	good := []string{
		"https://a.example", "https://a.example:8443/b?c=d", "HTTPS://a.example/", "https://[2606:4700::1]/", "https://127.0.0.1/",
		"http://localhost:8080/a", "http://LOCALHOST/", "http://127.0.0.1:1/", "http://127.8.9.10/", "http://[::1]:80/",
	}
	bad := []string{
		"a.example", "/a", "//a.example/", "https:", "https://", "https:///a", "https://:443/", "https:a.example", "ftp://a.example/", "javascript:alert(1)",
		"http://a.example/", "http://10.0.0.1/", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "http://evil.localhost/", "http://0.0.0.0/", "http://127.1/", "http://[::]/",
		"https://user@a.example/", "https://user:pass@a.example/", "http://localhost@evil.example/", "https://a.example/#f", "https://a.example/#", "https://a.example#@localhost/",
		" https://a.example/", "https://a.example/\n", "https://a.example:port/", "https://a example/", `https://a.example\@evil.example/`, "https://%zz/",
	}
	for _, address := range good {
		if mistake := urlMistake(address); mistake != "" {
			t.Errorf("%q %s, want it good", address, mistake)
		}
	}
	for _, address := range bad {
		if urlMistake(address) == "" {
			t.Errorf("%q is good, want a mistake", address)
		}
	}
}
