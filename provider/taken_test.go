package provider

import (
	"errors"
	"testing"
	"time"

	"linkgate/secret"
)

// TestGivenOf: what is told of a credential makes the same one again, for every preset, of every protocol.
func TestGivenOf(t *testing.T) {
	protocols := map[string]int{}
	for _, name := range Presets() {
		p, err := LoadPreset(presetFiles(), name)
		if err != nil {
			t.Fatal(err)
		}
		c := withClient(p.Connection)
		given := Given{Fields: map[string]secret.Text{}}
		for _, f := range c.Fields {
			given.Fields[f.Key] = secret.New(f.Example)
		}
		credential := credentialOf(t, c, given)
		got, err := c.GivenOf(credential)
		if c.protocol() == "client_credentials" {
			if !errors.Is(err, ErrNotPortable) {
				t.Errorf("%s: %v, want ErrNotPortable", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again := credentialOf(t, c, got)
		if !again.AccessToken.Equal(credential.AccessToken) || !again.RefreshToken.Equal(credential.RefreshToken) ||
			!again.TokenSecret.Equal(credential.TokenSecret) || !again.ExpiresAt.Equal(credential.ExpiresAt) || len(again.Settings) != len(credential.Settings) {
			t.Errorf("%s: another credential is made again", name)
		}
		for key, value := range credential.Settings {
			if again.Settings[key] != value {
				t.Errorf("%s: setting %s is %q, want %q", name, key, again.Settings[key], value)
			}
		}
		protocols[c.protocol()]++
	}
	for _, protocol := range []string{"oauth2", "oauth1", "api_key", "basic"} {
		if protocols[protocol] == 0 {
			t.Errorf("no preset of protocol %s was tried: %v", protocol, protocols)
		}
	}
}

// credentialOf is what comes of given fields, or of tokens beside them.
func credentialOf(t *testing.T, c Connection, g Given) Credential {
	t.Helper()
	switch c.protocol() {
	case "api_key", "basic":
		values, err := c.Typed(g)
		if err != nil {
			t.Fatalf("%s: %v", c.Provider, err)
		}
		made, err := c.TypedCredential(values, time.Time{})
		if err != nil {
			t.Fatalf("%s: %v", c.Provider, err)
		}
		return made
	case oauth1Name:
		if g.Token.IsZero() {
			g.Token, g.TokenSecret = secret.New("token"), secret.New("its-secret")
		}
	default:
		if g.AccessToken.IsZero() {
			g.AccessToken, g.RefreshToken, g.ExpiresAt = secret.New("access"), secret.New("refresh"), time.Unix(1e9, 0)
		}
		for _, f := range c.Fields { // not kept, and not needed, beside tokens
			if f.Secret {
				delete(g.Fields, f.Key)
			}
		}
	}
	if c.protocol() == "client_credentials" {
		return Credential{AccessToken: g.AccessToken}
	}
	made, err := c.Tokens(g)
	if err != nil {
		t.Fatalf("%s: %v", c.Provider, err)
	}
	return made
}

func TestGivenOfWhatIsNotPortable(t *testing.T) {
	c := Connection{Provider: "basic", Fields: []Field{{Key: "user", Label: "User"}, {Key: "password", Label: "P", Secret: true}},
		Credential: CredentialPlace{Username: "{user}/token", Password: "{password}"}}
	for name, token := range map[string]string{
		"another template's": "am86c2VjcmV0", // jo:secret
		"no base64":          "!",
		"no colon":           "am8=",
		"spelt otherwise":    "am8vdG9rZW46YT==", // jo/token:a, which is made YQ==
	} {
		if g, err := c.GivenOf(Credential{AccessToken: secret.New(token)}); !errors.Is(err, ErrNotPortable) {
			t.Errorf("%s: %+v, %v", name, g, err)
		}
	}
	if _, err := c.GivenOf(Credential{AccessToken: secret.New("am8vdG9rZW46YTpi")}); err != nil { // jo/token:a:b
		t.Errorf("got %v", err)
	}
}
