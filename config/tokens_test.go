package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/provider"
)

func TestTokenMistakes(t *testing.T) {
	tests := []struct {
		name  string
		env   map[string]string
		files map[string]string
		want  []string
	}{
		{name: "not a duration", files: file("lifetime: soon", "margin: 60", "keep_alive: [1h]"),
			want: []string{"connections.yaml:6:15: lifetime: is not a duration", "connections.yaml:7:13: margin: is not a duration", "connections.yaml:8:17: keep_alive: is not a text"}},
		{name: "duration in a variable that is none", env: map[string]string{"S": "hunter2"}, files: file("lifetime: ${S}"),
			want: []string{"connections.yaml:6:15: lifetime: is not a duration"}},
		{name: "duration out of bounds", files: file("margin: 61m", "keep_alive: -1s"),
			want: []string{"connections.yaml:6:5: margin: is longer than 1h", "connections.yaml:7:5: keep_alive: is negative"}},
		{name: "not a truth", files: file("app: {inject: yes}"), want: []string{"connections.yaml:6:19: app.inject: is neither true nor false"}},
		{name: "nothing for a truth", files: file("app:", "  inject:"), want: []string{"connections.yaml:7:15: app.inject: has no value"}},
		{name: "text for calls", files: file("calls: all"), want: []string{"connections.yaml:6:12: calls: is not a mapping"}},
		{name: "unknown key of calls", files: file("calls: {base: x}"), want: []string{"connections.yaml:6:13: unknown key base"}},
		{name: "setting in capitals", files: file("identity:", "  settings:", "    Shop: x"), want: []string{`connections.yaml:7:7: identity.settings: "Shop" can't be a setting's name`}},
		{name: "setting that leads nowhere", files: file("identity:", "  settings:", "    shop: ''"), want: []string{"connections.yaml:8:9: identity.settings.shop: leads nowhere"}},
		{name: "credential twice", files: file("credential: {header: X-Key, query: key}"), want: []string{"connections.yaml:6:33: credential.query: is set beside credential.header"}},
		{name: "calls left at the preset's service", files: file("token_url: https://github.example.com/token", "calls:", "  allow: [GET /user]"),
			want: []string{"connections.yaml:7:5: calls: go to the preset's service, though this connection signs in at another"}},
		{name: "calls elsewhere too", files: file("token_url: https://github.example.com/token", "calls:", "  base_url: https://github.example.com/api/v3", "  allow: [GET /user]")},
		{name: "a tenant of the same service", files: file("token_url: https://github.com/tenant/token", "calls:", "  allow: [GET /user]")},
		{name: "no calls to leave", files: file("token_url: https://github.example.com/token")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, mistakesOf(t, source(tt.env, tt.files))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestCutSecretIsRedacted: package call cuts a long rule, perhaps within the value of a variable.
func TestCutSecretIsRedacted(t *testing.T) {
	const misplaced = "x7Kq-a-secret-in-the-wrong-place"
	env := map[string]string{"S": strings.Repeat(misplaced, 4)}
	for _, rule := range []string{"GET${S} /x", "GET${S}${S}", "${S}"} {
		got := mistakesOf(t, source(env, file("calls: {allow: ['"+rule+"']}")))
		if len(got) != 1 || strings.Contains(got[0], misplaced[:8]) {
			t.Errorf("%s: got %q, want one mistake without the secret", rule, got)
		}
	}
}

// TestProblemsOfCalls: what package call finds is told with its place. The words are its own.
func TestProblemsOfCalls(t *testing.T) {
	tests := map[string]struct {
		lines []string
		want  string
	}{
		"rule that is none":             {[]string{"calls:", "  allow: [user]"}, "connections.yaml:7:7: calls.allow: "},
		"placeholder without a setting": {[]string{"calls:", "  base_url: https://{shop}.example.com", "  allow: [GET /user]"}, "connections.yaml:7:7: calls.base_url: "},
		"base URL that is none":         {[]string{"calls: {base_url: example.com, allow: [GET /user]}"}, "connections.yaml:6:13: calls.base_url: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Load(source(nil, file(tt.lines...)))
			broken, ok := errors.AsType[*Error](err)
			if !ok || len(broken.Mistakes) != 1 || !strings.HasPrefix(broken.Mistakes[0].String(), tt.want) {
				t.Errorf("got %v, want one mistake at %s", err, tt.want)
			}
		})
	}
}

func TestConnectionTokensAndCalls(t *testing.T) {
	env := map[string]string{"LIFE": "90m", "INJECT": "TRUE"}
	got := oneOf(t, source(env, file(
		"lifetime: ${LIFE}", "margin: 1m30s", "keep_alive: 0", "rotation: none",
		"identity:", "  settings: {shop: data.shop}",
		"credential: {header: X-Api-Key, prefix: Key}",
		"calls:", "  base_url: https://{shop}.example.com/api", "  allow: [GET /user, 'POST /repos/*/*/issues']",
		"app:", "  inject: ${INJECT}",
	)))
	if got.Lifetime != 90*time.Minute || got.Margin != 90*time.Second || got.KeepAlive != 0 || got.Rotation != provider.RotationNone {
		t.Errorf("tokens: got %v, %v, %v, %q", got.Lifetime, got.Margin, got.KeepAlive, got.Rotation)
	}
	if diff := cmp.Diff(map[string]string{"shop": "data.shop"}, got.Identity.Settings); diff != "" {
		t.Errorf("settings: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(provider.CredentialPlace{Header: "X-Api-Key", Prefix: "Key"}, got.Credential); diff != "" {
		t.Errorf("credential: -want +got:\n%s", diff)
	}
	calls := provider.CallRules{BaseURL: "https://{shop}.example.com/api", Allow: []string{"GET /user", "POST /repos/*/*/issues"}}
	if diff := cmp.Diff(calls, got.Calls); diff != "" {
		t.Errorf("calls: -want +got:\n%s", diff)
	}
	if !got.App.Inject {
		t.Error("app.inject: got false")
	}
}
