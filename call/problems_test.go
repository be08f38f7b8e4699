package call

import (
	"slices"
	"testing"

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
