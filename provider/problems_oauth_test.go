package provider

import (
	"slices"
	"testing"

	"linkgate/secret"
)

// TestAuthServerProblems is TestProblems for what oauth2 and oidc have in common.
func TestAuthServerProblems(t *testing.T) {
	tests := map[string]struct {
		base   func() Connection
		change func(c *Connection)
		want   []string
	}{
		"pkce S256":                   {goodOAuth2, func(c *Connection) { c.PKCE = "S256" }, nil},
		"pkce none":                   {goodOIDC, func(c *Connection) { c.PKCE = "none" }, nil},
		"pkce plain":                  {goodOAuth2, func(c *Connection) { c.PKCE = "plain" }, []string{"pkce"}},
		"pkce in another case":        {goodOAuth2, func(c *Connection) { c.PKCE = "s256" }, []string{"pkce"}},
		"public client, pkce":         {goodOAuth2, public, nil},
		"public client without any":   {goodOAuth2, func(c *Connection) { public(c); c.PKCE = "none" }, []string{"pkce"}},
		"refresh_url":                 {goodOAuth2, func(c *Connection) { c.RefreshURL = "https://a.example/refresh" }, nil},
		"refresh_url not https":       {goodOAuth2, func(c *Connection) { c.RefreshURL = "http://a.example/refresh" }, []string{"refresh_url"}},
		"refresh_url, oidc":           {goodOIDC, func(c *Connection) { c.RefreshURL = "https://a.example/refresh" }, []string{"refresh_url"}},
		"identity in token":           {goodOAuth2, func(c *Connection) { c.Identity.URL = "token" }, nil},
		"identity in token, oidc":     {goodOIDC, func(c *Connection) { c.Identity.URL = "token" }, []string{"identity.url"}},
		"token as an id":              {goodOAuth2, func(c *Connection) { c.Identity = IdentityPaths{URL: "token", ID: "access_token"} }, []string{"identity.id"}},
		"token as a name":             {goodOAuth2, func(c *Connection) { c.Identity = IdentityPaths{URL: "token", ID: "id", Name: "refresh_token.0"} }, []string{"identity.name"}},
		"token as a setting":          {goodOIDC, func(c *Connection) { c.Identity.Settings = map[string]string{"shop": "id_token"} }, []string{"identity.settings.shop"}},
		"par_url":                     {goodOAuth2, func(c *Connection) { c.PARURL = "https://a.example/par" }, nil},
		"par_url not https":           {goodOIDC, func(c *Connection) { c.PARURL = "http://a.example/par" }, []string{"par_url"}},
		"par_url discover":            {goodOIDC, func(c *Connection) { c.PARURL = "discover" }, nil},
		"par_url discover, oauth2":    {goodOAuth2, func(c *Connection) { c.PARURL = "discover" }, []string{"par_url"}},
		"device_url":                  {goodOAuth2, func(c *Connection) { c.DeviceURL = "https://a.example/device" }, nil},
		"device_url not https":        {goodOIDC, func(c *Connection) { c.DeviceURL = "http://a.example/device" }, []string{"device_url"}},
		"device_url discover":         {goodOIDC, func(c *Connection) { c.DeviceURL = "discover" }, nil},
		"device_url discover, oauth2": {goodOAuth2, func(c *Connection) { c.DeviceURL = "discover" }, []string{"device_url"}},
		"resources":                   {goodOAuth2, func(c *Connection) { c.Resource = []string{"https://api.example/", "urn:example:api"} }, nil},
		"resource with fragment":      {goodOIDC, func(c *Connection) { c.Resource = []string{"https://a.example/", "https://a.example/#"} }, []string{"resource.1"}},
		"resource relative":           {goodOAuth2, func(c *Connection) { c.Resource = []string{"/api"} }, []string{"resource.0"}},
		"resource without scheme":     {goodOAuth2, func(c *Connection) { c.Resource = []string{"api.example"} }, []string{"resource.0"}},
		"resource empty":              {goodOAuth2, func(c *Connection) { c.Resource = []string{""} }, []string{"resource.0"}},
		"resource with a blank":       {goodOAuth2, func(c *Connection) { c.Resource = []string{"https://a.example/a b"} }, []string{"resource.0"}},
		"resource with a password":    {goodOAuth2, func(c *Connection) { c.Resource = []string{"https://a:b@a.example/"} }, []string{"resource.0"}},
		"resource of a scheme":        {goodOAuth2, func(c *Connection) { c.Resource = []string{"https:"} }, []string{"resource.0"}},
		"resource as a parameter":     {goodOAuth2, func(c *Connection) { c.AuthorizeParams = map[string]string{"resource": "x"} }, nil},
		"resource in two places": {goodOAuth2, func(c *Connection) {
			c.Resource, c.TokenParams = []string{"https://a.example"}, map[string]string{"resource": "x"}
		}, []string{"token_params.resource"}},
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
		})
	}
}

func public(c *Connection) { c.AuthStyle, c.ClientSecret = AuthNone, secret.Text{} }
