package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/google/go-cmp/cmp"

	"linkgate/provider"
	"linkgate/secret"
)

// file wraps lines of a connection, indented, into a file that is right otherwise. The first of
// them is line 6.
func file(lines ...string) map[string]string {
	content := "connections:\n  - auth_id: 7f3c\n    provider: github\n    client_id: the-client-id\n    client_secret: ${CLIENT_SECRET}\n"
	for _, l := range lines {
		content += "    " + l + "\n"
	}
	return map[string]string{"connections.yaml": content}
}

func whole(content string) map[string]string {
	return map[string]string{"connections.yaml": content}
}

func TestConnectionMistakes(t *testing.T) {
	tests := []struct {
		name  string
		env   map[string]string
		files map[string]string
		want  []string
	}{
		{name: "nothing wrong", files: file()},
		{name: "empty file", files: whole(""), want: []string{"connections.yaml:1:1: there are no connections"}},
		{name: "comments alone", files: whole("# later\n"), want: []string{"connections.yaml:1:1: there are no connections"}},
		{name: "empty list", files: whole("connections: []\n"), want: []string{"connections.yaml:1:1: there are no connections"}},
		{name: "null list", files: whole("connections:\n"), want: []string{"connections.yaml:1:14: connections: is not a list"}},
		{name: "mapping for list", files: whole("connections:\n  auth_id: x\n"), want: []string{"connections.yaml:2:3: connections: is not a list"}},
		{name: "list at the top", files: whole("- auth_id: x\n"), want: []string{"connections.yaml:1:1: the file: is not a mapping"}},
		{name: "scalar entry", files: whole("connections:\n  - github\n"), want: []string{"connections.yaml:2:5: this entry: is not a mapping"}},
		{name: "two documents", files: whole(oneConnection + "---\n" + oneConnection), want: []string{"connections.yaml:7:1: a second document begins here"}},
		{name: "not yaml", files: whole("connections:\n  - auth_id: \"x\n"),
			want: []string{"connections.yaml:2:14: this is not YAML: could not find end character of double-quoted text"}},
		{name: "version of yaml", files: whole("%YAML hunter2\n---\n"), want: []string{"connections.yaml:1:7: this is not YAML: unknown YAML version something"}},
		{name: "large", files: whole(strings.Repeat("#", maxFile+1)), want: []string{"connections.yaml: the file is larger than 256 KiB"}},
		{name: "variable in a flow list", files: file("scopes: [${SCOPE}]"), want: []string{"connections.yaml:6:15: this is not YAML: ',' or ']' must be specified"}},

		{name: "unknown key", files: file("client_secrt: x"), want: []string{"connections.yaml:6:5: unknown key client_secrt"}},
		{name: "key that is no word", files: file("sk-1234: x"), want: []string{"connections.yaml:6:5: unknown key (not shown: it does not look like a key)"}},
		{name: "unknown nested key", files: file("identity:", "  idd: x"), want: []string{"connections.yaml:7:7: unknown key idd"}},
		{name: "unknown top key", files: whole("connection: 1\n" + oneConnection), want: []string{"connections.yaml:1:1: unknown key connection"}},
		{name: "merge key", files: file("<<: {name: x}"), want: []string{"connections.yaml:6:5: this key is not a plain word"}},
		{name: "key twice", files: file("client_id: other"), want: []string{"connections.yaml:6:5: client_id: is here twice, in line 4 already"}},
		{name: "auth id twice", files: whole(oneConnection + strings.TrimPrefix(oneConnection, "connections:\n")),
			want: []string{"connections.yaml:6:5: auth_id: is the same as in line 2"}},

		{name: "list for text", files: file("name: [a]"), want: []string{"connections.yaml:6:11: name: is not a text"}},
		{name: "nothing for text", files: file("name:"), want: []string{"connections.yaml:6:11: name: has no value"}},
		{name: "text for list", files: file("scopes: read:user"), want: []string{"connections.yaml:6:13: scopes: is not a list"}},
		{name: "mapping in list", files: file("scopes: [{a: b}]"), want: []string{"connections.yaml:6:15: scopes: is not a text"}},
		{name: "text for mapping", files: file("identity: x"), want: []string{"connections.yaml:6:15: identity: is not a mapping"}},
		{name: "list for parameters", files: file("token_params: [a]"), want: []string{"connections.yaml:6:19: token_params: is not a mapping"}},
		{name: "list in parameters", files: file("token_params: {a: []}"), want: []string{"connections.yaml:6:23: token_params.a: is not a text"}},
		{name: "no auth id and no provider", files: whole("connections:\n  - client_id: x\n    client_secret: y\n"),
			want: []string{"connections.yaml:2:5: auth_id: is missing", "connections.yaml:2:5: provider: is missing"}},
		{name: "protocol without a name", files: whole("connections:\n  - auth_id: x\n    provider: oidc\n    issuer: https://id.example.com\n    client_id: x\n    client_secret: y\n"),
			want: []string{"connections.yaml:2:5: name: is missing"}},
		{name: "auth id with a slash", files: whole(strings.Replace(oneConnection, "7f3c", "a/b", 1)),
			want: []string{"connections.yaml:2:5: auth_id: has a character that an Auth Id can't have, or too many"}},
		{name: "auth id of dots", files: whole(strings.Replace(oneConnection, "7f3c", "..", 1)),
			want: []string{"connections.yaml:2:5: auth_id: has a character that an Auth Id can't have, or too many"}},
		{name: "long name", files: file("name: " + strings.Repeat("x", maxName+1)), want: []string{"connections.yaml:6:5: name: does not fit on a page"}},
		{name: "protocol beside a preset", files: file("protocol: oauth2"), want: []string{"connections.yaml:6:5: protocol: is for presets alone"}},
		{name: "unknown provider", files: whole(strings.Replace(oneConnection, "github", "gihtub", 1)),
			want: []string{`connections.yaml:3:5: provider: unknown provider "gihtub"`}},
		{name: "secret in the wrong place", env: map[string]string{"S": "hunter2\"é"}, files: file("auth_style: ${S}"),
			want: []string{`connections.yaml:6:5: auth_style: unknown style "${S}"`}},
		{name: "anchor", files: file("name: &x y"), want: []string{"connections.yaml:6:11: name: uses an anchor, alias or tag (&, * or !)"}},
		{name: "tag", files: file("name: !!str y"), want: []string{"connections.yaml:6:11: name: uses an anchor, alias or tag (&, * or !)"}},

		{name: "variable not set", files: file("name: ${NOPE}"), want: []string{"connections.yaml:6:11: name: the variable NOPE is not set"}},
		{name: "variable empty", env: map[string]string{"NOPE": ""}, files: file("name: ${NOPE}"), want: []string{"connections.yaml:6:11: name: the variable NOPE is empty"}},
		{name: "variable's file missing", env: map[string]string{"NOPE_FILE": "f"}, files: file("name: ${NOPE}"),
			want: []string{"connections.yaml:6:11: name: there is no file f"}},
		{name: "variable twice", env: map[string]string{"NOPE": "x", "NOPE_FILE": "f"}, files: file("name: ${NOPE}"),
			want: []string{"connections.yaml:6:11: name: both NOPE and NOPE_FILE are set"}},
		{name: "not a variable", files: file("name: ${no-pe}"),
			want: []string{"connections.yaml:6:11: name: a ${ is not followed by the name of a variable and }"}},
		{name: "in parameters", files: file("token_params:", "  a: ${NOPE}"), want: []string{"connections.yaml:7:10: token_params.a: the variable NOPE is not set"}},
		{name: "value missing is one mistake", files: whole("connections:\n  - auth_id: x\n    provider: github\n    client_id: ${NOPE}\n    client_secret: ${NOPE}\n"),
			want: []string{"connections.yaml:4:16: client_id: the variable NOPE is not set", "connections.yaml:5:20: client_secret: the variable NOPE is not set"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, mistakesOf(t, source(tt.env, tt.files))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestUnknownKeyRemedy(t *testing.T) {
	tests := map[string]string{
		"clientId":            "Did you mean client_id?",
		"scope":               "Did you mean scopes?",
		"token-url":           "Did you mean token_url?",
		"colour":              "Known here: ",
		"calls: {baseUrl":     "Did you mean base_url?",
		"calls: {alow":        "Did you mean allow?",
		"calls: {x":           "Known here: allow, base_url, headers.",
		"app: {injection":     "Known here: inject.",
		"app: {injects":       "Did you mean inject?",
		"credential: {headr":  "Did you mean header?",
		"identity: {setings":  "Did you mean settings?",
		"keepalive":           "Did you mean keep_alive?",
		"identity: {lifetime": "Known here: ",
	}
	for key, want := range tests {
		line := key + ": x"
		if strings.Contains(key, "{") {
			line += "}"
		}
		_, err := Load(source(nil, file(line)))
		broken, ok := errors.AsType[*Error](err)
		if !ok || len(broken.Mistakes) != 1 {
			t.Errorf("%s: got %v, want one mistake", key, err)
			continue
		}
		if got := broken.Mistakes[0].Remedy; !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
}

// oneOf loads one connection.
func oneOf(t *testing.T, src Source) provider.Connection {
	t.Helper()
	c, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Connections) != 1 {
		t.Fatalf("got %d connections, want 1", len(c.Connections))
	}
	return c.Connections[0]
}

func TestConnectionOverPreset(t *testing.T) {
	preset, ok := provider.Preset("github")
	if !ok {
		t.Fatal("no preset github")
	}
	got := oneOf(t, source(nil, file("scopes: [repo]", "authorize_params:", "  prompt: consent", "identity:", "  name: email")))
	if diff := cmp.Diff([]string{"repo"}, got.Scopes); diff != "" {
		t.Errorf("scopes: -want +got:\n%s", diff)
	}
	params := map[string]string{"prompt": "consent"}
	for k, v := range preset.AuthorizeParams {
		params[k] = v
	}
	if diff := cmp.Diff(params, got.AuthorizeParams); diff != "" {
		t.Errorf("authorize_params: -want +got:\n%s", diff)
	}
	if got.TokenURL != preset.TokenURL || got.Identity.ID != preset.Identity.ID {
		t.Errorf("got %q and %q, want the preset's %q and %q", got.TokenURL, got.Identity.ID, preset.TokenURL, preset.Identity.ID)
	}
	if got.Identity.Name != "email" {
		t.Errorf("got name %q, want email", got.Identity.Name)
	}
	if again, _ := provider.Preset("github"); again.AuthorizeParams["prompt"] != preset.AuthorizeParams["prompt"] {
		t.Error("the preset itself was changed")
	}
}

func TestScalars(t *testing.T) {
	tests := []struct{ name, yaml, want string }{
		{"leading zeros", "007", "007"},
		{"float", "1234.5670", "1234.5670"},
		{"exponent", "7e3", "7e3"},
		{"bool", "True", "True"},
		{"quoted", `"a\tb"`, "a\tb"},
		{"empty", `""`, ""},
		{"block", "|-\n        x", "x"},
		{"variable", "<${V}>", "<v: [1]>"},
		{"two variables", "'${V}${W}'", "v: [1]${V}"},
		{"variable in a file", "${F}", "of a file"},
		{"escaped", "$${V}", "${V}"},
		{"escaped among others", "$$${V} $x $", "$${V} $x $"},
	}
	env := map[string]string{"V": "v: [1]", "W": "${V}", "F_FILE": "f"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := file("token_params:", "  x: "+tt.yaml)
			files["f"] = "of a file\n"
			if got := oneOf(t, source(env, files)).TokenParams["x"]; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Every field of a connection can be set from the file, so that a field of a new type can't be
// forgotten here.
func TestEveryFieldIsRead(t *testing.T) {
	entries := "connections:\n  - " + strings.ReplaceAll(strings.TrimSpace(yamlOf(reflect.TypeFor[provider.Connection](), "")), "\n", "\n    ") + "\n"
	d := newDecoder("f", newVariables(source(nil, nil)))
	root, ok := d.parse([]byte(entries))
	if !ok {
		t.Fatal(d.mistakes)
	}
	list, _ := d.list(root)
	pairs, _ := d.mapping(list[0], "this entry")
	var c provider.Connection
	d.structure(pairs, reflect.ValueOf(&c).Elem(), "", map[string]ast.Node{})
	if len(d.mistakes) > 0 {
		t.Fatal(d.mistakes)
	}
	if empty := zeroFields(reflect.ValueOf(c), ""); len(empty) > 0 {
		t.Errorf("not read: %v", empty)
	}
}

// yamlOf writes a value for every field.
func yamlOf(t reflect.Type, indent string) string {
	var out strings.Builder
	for f := range t.Fields() {
		value := " x\n"
		switch {
		case f.Type == reflect.TypeFor[secret.Text]():
		case f.Type == reflect.TypeFor[time.Duration]():
			value = " 1h\n"
		case f.Type.Kind() == reflect.Bool:
			value = " true\n"
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			first := yamlOf(f.Type.Elem(), indent+"    ")
			value = "\n" + indent + "  - " + strings.TrimLeft(first, " ")
		case f.Type.Kind() == reflect.Slice:
			value = " [x]\n"
		case f.Type.Kind() == reflect.Map:
			value = " {x: y}\n"
		case f.Type.Kind() == reflect.Struct:
			value = "\n" + yamlOf(f.Type, indent+"  ")
		}
		out.WriteString(indent + f.Tag.Get("yaml") + ":" + value)
	}
	return out.String()
}

func zeroFields(v reflect.Value, path string) (empty []string) {
	for i := range v.NumField() {
		name := path + v.Type().Field(i).Name
		switch f := v.Field(i); {
		case f.IsZero():
			empty = append(empty, name)
		case f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[secret.Text]():
			empty = append(empty, zeroFields(f, name+".")...)
		}
	}
	return empty
}

// FuzzConnections: whatever the file holds, reading it does not panic, ends, and no mistake shows
// a value that came from the environment.
func FuzzConnections(f *testing.F) {
	const canary = "Canary-5up3r/s3cr3t"
	for _, seed := range []string{
		oneConnection, "", "connections:\n- auth_id: ${CLIENT_SECRET}\n  provider: ${CLIENT_SECRET}\n",
		"connections:\n  - {auth_id: x, provider: oauth2, authorize_url: '${CLIENT_SECRET}', token_url: 'https://${CLIENT_SECRET}'}\n",
		"connections:\n  - auth_id: a\n    scopes: ['${CLIENT_SECRET}']\n    authorize_params: {'${CLIENT_SECRET}': x, state: '${CLIENT_SECRET}'}\n",
		"connections:\n  - auth_id: a\n    provider: github\n    calls: {base_url: 'https://${CLIENT_SECRET}/{x}', allow: ['${CLIENT_SECRET}', 'GET /${CLIENT_SECRET}/*', 'GET ?${CLIENT_SECRET}']}\n",
		"connections:\n  - auth_id: a\n    lifetime: ${CLIENT_SECRET}\n    app: {inject: '${CLIENT_SECRET}'}\n    credential: {header: '${CLIENT_SECRET}', prefix: '${CLIENT_SECRET}', query: '${CLIENT_SECRET}'}\n",
		"a: &a [*a]\n", "? x\n: y\n", "--- >\n x\n...\n", "connections: !!set {x}\n", "\"\\ud800\": x", "connections:\n  - auth_style: ${CLIENT_SECRET}\n    identity:\n      url: ${CLIENT_SECRET}\n",
		"%YAML 1.2\n---\nconnections: [${A}]\n", "connections:\n\t- x\n", "[[[[[[{{{{{{", "<<: *x\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		_, err := Load(source(map[string]string{"CLIENT_SECRET": canary}, whole(content)))
		broken, ok := errors.AsType[*Error](err)
		if !ok {
			return
		}
		for _, m := range broken.Mistakes {
			if strings.Contains(fmt.Sprintf("%+v", m), canary) {
				t.Errorf("a mistake shows a secret: %v", m)
			}
		}
	})
}
