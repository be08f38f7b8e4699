package provider

import (
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

var update = flag.Bool("update", false, "write testdata/authorize.golden anew")

// withClient is a preset's connection with what an operator would add.
func withClient(c Connection) Connection {
	c.AuthID = "AUTH_ID"
	if c.hasClient() {
		c.ClientID = "CLIENT_ID"
		if c.AuthStyle != AuthNone {
			c.ClientSecret = secret.New("CLIENT_SECRET")
		}
	}
	return c
}

// TestEveryPreset: each file is read, checked as a whole, and makes a provider.
func TestEveryPreset(t *testing.T) {
	if n := len(Presets()); n < 60 {
		t.Errorf("there are only %d presets", n)
	}
	for _, name := range Presets() {
		p, err := LoadPreset(presetFiles(), name)
		if err != nil {
			t.Error(err)
			continue
		}
		made, err := New(withClient(p.Connection), Deps{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if made.Redirector == nil && made.Form == nil {
			t.Errorf("%s: nobody can sign in", name)
		}
	}
}

// authorizeURL is where a preset sends the browser; "": nowhere. What is made anew each time is
// replaced by its name. An oidc preset's address comes from discovery, so that a stand-in takes its
// place.
func authorizeURL(t *testing.T, c Connection) string {
	t.Helper()
	examples := map[string]string{}
	for _, f := range c.Fields {
		examples[f.Key] = f.Example
	}
	filled, err := withClient(c).filled(examples)
	if err != nil {
		t.Fatalf("%s: the fields' examples: %v", c.Provider, err)
	}
	filled.Calls.BaseURL = ""
	if c.Protocol == oauth1Name {
		filled.RequestTokenURL = requestTokens(t)
	}
	p, err := New(filled, Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatalf("%s: %v", c.Provider, err)
	}
	const redirectURI = "https://connect.example.com/callback/AUTH_ID"
	state := secret.New("STATE")
	var address string
	switch r := p.Redirector.(type) {
	case nil:
		return ""
	case *oidcRedirector:
		discovered := endpoints{issuer: filled.Issuer, authorize: strings.TrimSuffix(filled.Issuer, "/") + "/DISCOVERED"}
		_, address, err = r.authorize(t.Context(), discovered, Attempt{State: state, Nonce: secret.New("NONCE"), RedirectURI: redirectURI})
	default:
		_, address, err = r.Authorize(t.Context(), state, redirectURI)
	}
	if err != nil {
		t.Fatalf("%s: %v", c.Provider, err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("%s: %v", c.Provider, err)
	}
	query := u.Query()
	if query.Has("code_challenge") {
		query.Set("code_challenge", "CHALLENGE")
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// requestTokens answers in the place of a service that speaks OAuth 1, at the address it returns.
func requestTokens(t *testing.T) string {
	t.Helper()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("oauth_token=REQUEST_TOKEN&oauth_token_secret=secret&oauth_callback_confirmed=true"))
	}))
	t.Cleanup(service.Close)
	return service.URL
}

// TestAuthorizeGolden: the address of each preset's authorization request is in the golden file. A
// preset that is not there yet is none of a newcomer's errors; `-update` writes it in.
func TestAuthorizeGolden(t *testing.T) {
	golden := filepath.Join("testdata", "authorize.golden")
	got := map[string]string{}
	var lines []string
	for _, name := range Presets() {
		c, _ := Preset(name)
		if address := authorizeURL(t, c); address != "" {
			got[name] = address
			lines = append(lines, name+" "+address+"\n")
		}
	}
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(content)) {
		name, address, _ := strings.Cut(strings.TrimSpace(line), " ")
		want[name] = address
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Logf("%s is not in %s yet: go test ./provider -run Golden -update", name, golden)
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("if this is meant, go test ./provider -run Golden -update (-want +got):\n%s", diff)
	}
}

// TestAuthorizeAsWritten: golden or not, each address has what the preset says and RFC 6749 and 7636
// ask for, and nothing else.
func TestAuthorizeAsWritten(t *testing.T) {
	for _, name := range Presets() {
		c, _ := Preset(name)
		address := authorizeURL(t, c)
		if address == "" {
			continue
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		want := url.Values{
			"response_type": {"code"}, "client_id": {"CLIENT_ID"}, "state": {"STATE"},
			"redirect_uri": {"https://connect.example.com/callback/AUTH_ID"},
		}
		if c.PKCE != PKCENone {
			want["code_challenge"], want["code_challenge_method"] = []string{"CHALLENGE"}, []string{"S256"}
		}
		if c.Protocol == "oidc" {
			want.Set("nonce", "NONCE")
			if !slices.Contains(c.Scopes, "openid") {
				c.Scopes = append([]string{"openid"}, c.Scopes...)
			}
		}
		if len(c.Scopes) > 0 {
			want.Set("scope", strings.Join(c.Scopes, c.scopeSeparator()))
		}
		if c.Protocol == oauth1Name {
			want = url.Values{"oauth_token": {"REQUEST_TOKEN"}} // the rest went with the request for it
		}
		for param, value := range c.AuthorizeParams {
			want.Set(param, value)
		}
		if diff := cmp.Diff(want, u.Query()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

const rightPreset = `name: Acme
protocol: oauth2
authorize_url: https://acme.example/authorize
token_url: https://acme.example/token
auth_style: post
scopes: [me]
identity:
  url: https://acme.example/me
  id: id
setup:
  console: https://acme.example/apps
  steps:
    - Paste {redirect_uri} there.
sources:
  - url: https://acme.example/docs#oauth
    for: [authorize_url, token_url, auth_style, scopes, identity, setup]
`

// TestPresetMistakes: each mistake is told with its place and a remedy.
func TestPresetMistakes(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"right", "", "", ""},
		{"no YAML", "scopes: [me]", "scopes: [me", "acme.yaml:7:1: ',' or ']' must be specified; write"},
		{"empty", rightPreset, "", "acme.yaml: the file is not one document"},
		{"a list", rightPreset, "- a", "acme.yaml: the file is not one document"},
		{"unknown key", "scopes:", "scops:", "acme.yaml:6:1: unknown key scops; mend its spelling"},
		{"unknown key inside", "  console:", "  consol:", "acme.yaml:11:3: unknown key consol; mend"},
		{"unknown key of a source", "    for:", "    from:", "acme.yaml:16:5: unknown key from; mend"},
		{"twice", "scopes: [me]", "name: Acme", "acme.yaml:6:1: "},
		{"not a list", "scopes: [me]", "scopes: {me: 1}", "acme.yaml:6:9: "},
		{"no duration", "scopes: [me]", "lifetime: soon", "acme.yaml:6:11: lifetime: is not a duration; write"},
		{"no source", "scopes, ", "", "acme.yaml:6:1: scopes: has no source; name it in the `for`"},
		{"a source for nothing", "setup]", "setup, calls]", `acme.yaml:16:5: sources.0.for: names "calls", which the preset has not; name`},
		{"a source without address", "url: https://acme.example/docs#oauth", "unverified: false", "acme.yaml:15:5: sources.0.url: is missing"},
		{"an unverified source without address", "url: https://acme.example/docs#oauth", "unverified: true", ""},
		{"a source in the clear", "https://acme.example/docs#", "http://127.0.0.1/#", "acme.yaml:15:5: sources.0.url: is not https; give"},
		{"a source that says nothing", "for: [authorize_url, token_url, auth_style, scopes, identity, setup]", "for: []", "acme.yaml:16:5: sources.0.for: is missing; list"},
		{"unknown protocol", "protocol: oauth2", "protocol: oauth3", `acme.yaml:2:1: protocol: unknown protocol "oauth3"; use one of`},
		{"token in the clear", "https://acme.example/token", "http://acme.example/token", "acme.yaml:4:1: token_url: is not https; write"},
		{"two scopes in one", "[me]", `["me you"]`, "acme.yaml:6:1: scopes: "},
		{"no auth style", "auth_style: post\n", "", "acme.yaml:1:1: auth_style: is missing; say"},
		{"an e-mail address", "  id: id", "  id: data.email", "acme.yaml:9:3: identity.id: may change"},
		{"no id", "  id: id\n", "", "acme.yaml:7:1: identity.id: is missing"},
		{"a client", "scopes: [me]", "client_id: 7f3c", "acme.yaml:6:1: client_id: is for connections alone"},
		{"calls for all", "scopes: [me]", "calls: {allow: [GET /**]}", "acme.yaml:6:9: calls.allow: is for connections alone"},
		{"no redirect URI to paste", "{redirect_uri}", "it", "acme.yaml:12:3: setup.steps: have no {redirect_uri}; say"},
		{"a placeholder in a step", "Paste {redirect_uri}", "Paste {redirect_uri} or {callback}", "acme.yaml:13:7: setup.steps.0: has a placeholder"},
		{"a console in the clear", "https://acme.example/apps", "http://acme.example/apps", "acme.yaml:11:3: setup.console: is not https"},
		{"no name", "name: Acme\n", "", "acme.yaml:1:1: name: is missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(rightPreset, test.old, test.new, 1)
			if text == rightPreset && test.name != "right" {
				t.Fatal("the test changes nothing")
			}
			_, err := LoadPreset(fstest.MapFS{"acme.yaml": {Data: []byte(text)}}, "acme")
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			mistake, ok := errors.AsType[*PresetError](err)
			if !ok {
				t.Fatalf("got %v, want a *PresetError", err)
			}
			if !strings.Contains(err.Error(), test.want) || mistake.Remedy == "" {
				t.Errorf("got\n%v\nwant\n%s", err, test.want)
			}
		})
	}
}

// TestPresetMistakesTogether: one reading finds them all.
func TestPresetMistakesTogether(t *testing.T) {
	text := strings.NewReplacer("auth_style: post\n", "auth_style: past\n", "scopes, ", "", "  id: id", "  id: email").Replace(rightPreset)
	_, err := LoadPreset(fstest.MapFS{"acme.yaml": {Data: []byte(text)}}, "acme")
	for _, want := range []string{"acme.yaml:5:1: auth_style", "acme.yaml:6:1: scopes", "acme.yaml:9:3: identity.id"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got\n%v\nwant %s", err, want)
		}
	}
}

func TestUnverified(t *testing.T) {
	p := PresetFile{Sources: []Source{
		{For: []string{"scopes"}}, {For: []string{"keep_alive", "calls"}, Unverified: true}, {For: []string{"calls"}, Unverified: true},
	}}
	if diff := cmp.Diff([]string{"calls", "keep_alive"}, p.Unverified()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRemarks(t *testing.T) {
	const text = `# The whole
# service.
name: Acme
protocol: oauth2 # not this one
# Above a key.
scopes: [a]
sources:
  # Above an entry's.
  - url: "#"
# At the end.
`
	want := []Remark{{"", "The whole service."}, {"scopes", "Above a key."}, {"url", "Above an entry's."}, {"", "At the end."}}
	if diff := cmp.Diff(want, remarks([]byte(text))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// contributed is the preset that CONTRIBUTING.md shows, and its name.
func contributed(t *testing.T) (name, text string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(content), "## Adding a preset\n")
	if !ok {
		t.Fatal("CONTRIBUTING.md has no section about presets")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	_, text, _ = strings.Cut(section, "```yaml\n")
	text, _, ok = strings.Cut(text, "```")
	if !ok {
		t.Fatal("CONTRIBUTING.md shows no preset")
	}
	first, _, _ := strings.Cut(text, "\n")
	return strings.TrimSuffix(strings.TrimPrefix(first, "# provider/presets/"), ".yaml"), text
}

// TestNewcomersPreset: the file that CONTRIBUTING.md shows, and nothing else, is a preset with which
// a user signs in.
func TestNewcomersPreset(t *testing.T) {
	name, text := contributed(t)
	if _, taken := Preset(name); taken {
		t.Fatalf("%s is a preset already", name)
	}
	files := fstest.MapFS{name + ".yaml": {Data: []byte(text)}}
	if names, err := presetNames(files); err != nil || !slices.Equal(names, []string{name}) {
		t.Fatalf("got %q, %v", names, err)
	}
	p, err := LoadPreset(files, name)
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.Method + " " + r.URL.Path {
		case "POST /oauth/token":
			if id, secret, ok := r.BasicAuth(); !ok || id != "CLIENT_ID" || secret != "CLIENT_SECRET" {
				t.Errorf("client %q, %v", id, ok)
			}
			_, _ = w.Write([]byte(`{"access_token": "token", "token_type": "Bearer", "expires_in": 3600, "scope": "profile"}`))
		case "GET /v1/me":
			if got := r.Header.Get("Authorization"); got != "Bearer token" {
				t.Errorf("Authorization: %q", got)
			}
			_, _ = w.Write([]byte(`{"user": {"id": 7, "name": "Ada"}}`))
		default:
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
	}))
	defer service.Close()
	c := withClient(p.Connection)
	for _, address := range c.templates() {
		*address = strings.Replace(*address, "https://api.acme.example", service.URL, 1)
	}
	made, err := New(c, Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	attempt, address, err := made.Redirector.Authorize(t.Context(), secret.New("state"), "https://connect.example.com/callback/AUTH_ID")
	if err != nil || !strings.HasPrefix(address, service.URL+"/oauth/authorize?") {
		t.Fatalf("got %q, %v", address, err)
	}
	grant, err := made.Redirector.Exchange(t.Context(), attempt, Callback{Code: secret.New("code")})
	if err != nil {
		t.Fatal(err)
	}
	if grant.Identity.Subject != "7" || grant.Identity.Name != "Ada" {
		t.Errorf("got %+v", grant.Identity)
	}
}
