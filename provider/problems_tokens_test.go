package provider

import (
	"slices"
	"testing"
	"time"
)

// TestTokenProblems changes one thing in a good connection, as TestProblems does.
func TestTokenProblems(t *testing.T) {
	set := func(names ...string) func(*Connection) {
		return func(c *Connection) {
			c.Identity.Settings = map[string]string{}
			for _, name := range names {
				c.Identity.Settings[name] = "data.0." + name
			}
		}
	}
	place := func(p CredentialPlace) func(*Connection) {
		return func(c *Connection) { c.Credential = p }
	}
	const tenYears = 10 * 365 * 24 * time.Hour
	tests := map[string]struct {
		change func(c *Connection)
		want   []string
	}{
		"all as it may be": {func(c *Connection) {
			c.Lifetime, c.Margin, c.KeepAlive, c.Rotation = tenYears, time.Hour, tenYears, RotationNone
		}, nil},
		"rotation always":            {func(c *Connection) { c.Rotation = RotationAlways }, nil},
		"all negative":               {func(c *Connection) { c.Lifetime, c.Margin, c.KeepAlive = -1, -1, -1 }, []string{"lifetime", "margin", "keep_alive"}},
		"all too long":               {func(c *Connection) { c.Lifetime, c.Margin, c.KeepAlive = tenYears+1, time.Hour+1, tenYears+1 }, []string{"lifetime", "margin", "keep_alive"}},
		"rotation unknown":           {func(c *Connection) { c.Rotation = "sometimes" }, []string{"rotation"}},
		"settings":                   {set("shop", "realm_id", "x1"), nil},
		"setting of the subject":     {set("external_account_id"), []string{"identity.settings.external_account_id"}},
		"setting in capitals":        {set("Shop"), []string{"identity.settings"}},
		"setting that is a number":   {set("1shop"), []string{"identity.settings"}},
		"setting with a brace":       {set("a}"), []string{"identity.settings"}},
		"setting without name":       {set(""), []string{"identity.settings"}},
		"setting without path":       {func(c *Connection) { c.Identity.Settings = map[string]string{"shop": ""} }, []string{"identity.settings.shop"}},
		"setting, path with a hole":  {func(c *Connection) { c.Identity.Settings = map[string]string{"shop": "a..b"} }, []string{"identity.settings.shop"}},
		"header":                     {place(CredentialPlace{Header: "X-Api-Key", Prefix: "Key"}), nil},
		"header Authorization":       {place(CredentialPlace{Header: "authorization"}), nil},
		"prefix alone":               {place(CredentialPlace{Prefix: "token"}), nil},
		"query":                      {place(CredentialPlace{Query: "access_token"}), nil},
		"header and query":           {place(CredentialPlace{Header: "X-Api-Key", Query: "key"}), []string{"credential.query"}},
		"query and prefix":           {place(CredentialPlace{Query: "key", Prefix: "Bearer"}), []string{"credential.prefix"}},
		"header with a colon":        {place(CredentialPlace{Header: "X-Key:"}), []string{"credential.header"}},
		"header with a blank":        {place(CredentialPlace{Header: "X Key"}), []string{"credential.header"}},
		"header with a line break":   {place(CredentialPlace{Header: "X-Key\r\nHost"}), []string{"credential.header"}},
		"prefix of two words":        {place(CredentialPlace{Prefix: "Token token"}), []string{"credential.prefix"}},
		"prefix with a line break":   {place(CredentialPlace{Prefix: "Bearer\n"}), []string{"credential.prefix"}},
		"query with an ampersand":    {place(CredentialPlace{Query: "a&b"}), []string{"credential.query"}},
		"query with an equals sign":  {place(CredentialPlace{Query: "a=b"}), []string{"credential.query"}},
		"query with a percent sign":  {place(CredentialPlace{Query: "%61"}), []string{"credential.query"}},
		"calls and app are not ours": {func(c *Connection) { c.Calls.BaseURL, c.App.Inject = "nonsense", true }, nil},
	}
	for name, test := range tests {
		for protocol, base := range map[string]func() Connection{"oauth2": goodOAuth2, "oidc": goodOIDC} {
			t.Run(name+", "+protocol, func(t *testing.T) {
				c := base()
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
			})
		}
	}
}

// TestReservedHeaders: a credential can't take the place of what steers a request, nor pass for
// what Linkgate or the host say.
func TestReservedHeaders(t *testing.T) {
	reserved := []string{
		"Host", "host", "Cookie", "Content-Length", "content-type", "Content-Encoding", "Transfer-Encoding", "Connection", "Proxy-Connection",
		"Keep-Alive", "TE", "te", "Trailer", "Upgrade", "Proxy-Authenticate", "Proxy-Authorization", "Expect",
		"Linkgate-User-Id", "linkgate-account", "blink-auth-userid", "Blink-Auth-Proxysecret",
	}
	for _, name := range reserved {
		c := goodOAuth2()
		c.Credential.Header = name
		if len(c.Problems()) != 1 {
			t.Errorf("%s is allowed", name)
		}
	}
	for _, name := range []string{"Authorization", "X-Api-Key", "Api-Key", "X-Linkgate-Token", "Contents", "Xero-Tenant-Id"} {
		c := goodOAuth2()
		c.Credential.Header = name
		if problems := c.Problems(); len(problems) != 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}
