package provider

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPresetTokens: what is known of each service's tokens, as its preset's sources say.
func TestPresetTokens(t *testing.T) {
	const day = 24 * time.Hour
	type known struct {
		Rotation  string
		KeepAlive time.Duration
		BaseURL   string
	}
	want := map[string]known{
		"github":    {RotationAlways, 183 * day, "https://api.github.com"},
		"gitlab":    {RotationAlways, 0, "https://gitlab.com/api/v4"},
		"google":    {RotationNone, 180 * day, "https://www.googleapis.com"},
		"microsoft": {RotationAlways, 90 * day, "https://graph.microsoft.com/v1.0"},
		"slack":     {RotationAlways, 0, "https://slack.com/api"},
	}
	got := map[string]known{}
	for name := range want {
		c, _ := Preset(name)
		got[name] = known{c.Rotation, c.KeepAlive, c.Calls.BaseURL}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPresetUnknown(t *testing.T) {
	for _, name := range []string{"", "oauth2", "oidc", "GitHub", "github.yaml", "../presets/github", "./github", "x/../github", "github\x00"} {
		if c, ok := Preset(name); ok {
			t.Errorf("Preset(%q): got %q", name, c.Name)
		}
	}
}

func TestPresetIsACopy(t *testing.T) {
	want, _ := Preset("google")
	got, _ := Preset("google")
	got.AuthorizeParams["prompt"] = "none"
	got.Scopes[0] = "changed"
	again, _ := Preset("google")
	if diff := cmp.Diff(want, again, byReveal); diff != "" {
		t.Errorf("a preset changed (-want +got):\n%s", diff)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	full := func() Connection {
		return Connection{
			Scopes: []string{"a"}, AuthorizeParams: map[string]string{"a": "b"}, TokenParams: map[string]string{"a": "b"},
			Identity: IdentityPaths{Settings: map[string]string{"a": "b"}}, Calls: CallRules{Allow: []string{"GET /a"}},
		}
	}
	c, want := full(), full()
	clone := c.Clone()
	clone.Scopes[0], clone.AuthorizeParams["a"], clone.TokenParams["a"] = "x", "x", "x"
	clone.Identity.Settings["a"], clone.Calls.Allow[0] = "x", "x"
	if diff := cmp.Diff(want, c, byReveal); diff != "" {
		t.Errorf("the original changed (-want +got):\n%s", diff)
	}
}

func TestProtocols(t *testing.T) {
	if diff := cmp.Diff([]string{"oauth2", "oidc", "oauth1", "api_key", "basic", "password", "client_credentials"}, Protocols()); diff != "" {
		t.Errorf("protocols (-want +got):\n%s", diff)
	}
}
