package call

import (
	"slices"
	"testing"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

func TestProblems(t *testing.T) {
	tests := map[string]struct {
		provider string
		calls    provider.CallRules
		settings []string
		want     []string // keys
	}{
		"no calls":            {"oauth2", provider.CallRules{}, nil, nil},
		"calls":               {"oauth2", provider.CallRules{BaseURL: "https://a.example", Allow: []string{"GET /user"}}, nil, nil},
		"allow alone":         {"oauth2", provider.CallRules{Allow: []string{"GET /user"}}, nil, []string{"calls.base_url"}},
		"base alone":          {"oauth2", provider.CallRules{BaseURL: "https://a.example"}, nil, []string{"calls.allow"}},
		"base of another":     {"github", provider.CallRules{BaseURL: "https://a.example"}, nil, []string{"calls.allow"}},
		"both mistaken":       {"oauth2", provider.CallRules{BaseURL: "a.example", Allow: []string{"GET", "get /x"}}, nil, []string{"calls.base_url", "calls.allow", "calls.allow"}},
		"base mistaken alone": {"oauth2", provider.CallRules{BaseURL: "a.example"}, nil, []string{"calls.base_url", "calls.allow"}},
		"placeholder":         {"oauth2", provider.CallRules{BaseURL: "https://{sub}.a.example", Allow: []string{"GET /x"}}, []string{"sub"}, nil},
		"the id":              {"oauth2", provider.CallRules{BaseURL: "https://a.example/{external_account_id}", Allow: []string{"GET /x"}}, nil, nil},
		"unknown placeholder": {"oauth2", provider.CallRules{BaseURL: "https://{sub}.a.example", Allow: []string{"GET /x"}}, []string{"Sub"}, []string{"calls.base_url"}},
		"two, one of them twice": {"oauth2", provider.CallRules{BaseURL: "https://{a}.{b}.a.example/{a}/{c}", Allow: []string{"GET /x"}},
			[]string{"c"}, []string{"calls.base_url", "calls.base_url"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := provider.Connection{Provider: test.provider, Calls: test.calls, Identity: provider.IdentityPaths{Settings: map[string]string{}}}
			for _, setting := range test.settings {
				c.Identity.Settings[setting] = "path"
			}
			checkKeys(t, c, test.want)
		})
	}
}

// TestWholeHost: what the user was asked for can be the whole host; nothing else can.
func TestWholeHost(t *testing.T) {
	c := provider.Connection{Provider: "api_key", Calls: provider.CallRules{BaseURL: "https://{server}/api", Allow: []string{"GET /x"}}}
	checkKeys(t, c, []string{"calls.base_url"})
	c.Identity.Settings = map[string]string{"server": "path"}
	checkKeys(t, c, []string{"calls.base_url"})
	c.Identity.Settings = nil
	c.Fields = []provider.Field{{Key: "server", Secret: true}}
	checkKeys(t, c, []string{"calls.base_url"})
	c.Fields = []provider.Field{{Key: "server"}}
	checkKeys(t, c, nil)
	c.Calls.BaseURL = "https://{external_account_id}"
	checkKeys(t, c, []string{"calls.base_url"})
	c.Calls.BaseURL = "https://{server}/{external_account_id}/{serve}"
	c.Identity.Settings = map[string]string{"serve": "path"}
	checkKeys(t, c, nil)

	b, _ := parseBase("https://{server}/api")
	for value, want := range map[string]string{
		"git.acme.example": "https://git.acme.example/api/x", "git.acme.example:8443": "https://git.acme.example:8443/api/x",
		"": "", "a/b": "", "a@b": "", "a:b": "", "a:0": "", "a:99999": "", "..": "", "a.": "", "127.1": "", "a b": "", "a?b": "", "[::1]": "", "1.2.3": "",
	} {
		account := &linkedaccount.Account{Identity: provider.Identity{Settings: map[string]string{"server": value}}}
		u, err := b.target(path{escaped: "/x"}, "", account)
		if got := ""; err == nil && u.String() != want || err != nil && got != want {
			t.Errorf("%q: got %v and %v, want %q", value, u, err, want)
		}
	}
}

func checkKeys(t *testing.T, c provider.Connection, want []string) {
	t.Helper()
	var got []string
	for _, p := range Problems(c) {
		got = append(got, p.Key)
		if p.Text == "" || p.Remedy == "" {
			t.Errorf("text or remedy is missing: %+v", p)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("keys: want %q, got %q", want, got)
	}
}

// TestPresetsWithoutCalls: who uses a preset need not say what may be called, though it has an
// address; and what a preset says of calls is right.
func TestPresetsWithoutCalls(t *testing.T) {
	withBase := 0
	for _, name := range provider.Presets() {
		c, ok := provider.Preset(name)
		if !ok {
			t.Fatal(name)
		}
		if c.Calls.BaseURL != "" {
			withBase++
		}
		checkKeys(t, c, nil)
		c.Calls.Allow = append(c.Calls.Allow, "GET /user")
		if c.Calls.BaseURL != "" {
			checkKeys(t, c, nil)
		}
	}
	if withBase == 0 {
		t.Error("no preset has an address, so that this tests nothing")
	}
}
