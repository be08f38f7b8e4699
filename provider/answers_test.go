package provider

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestUnusableAccessTokens(t *testing.T) {
	for _, token := range []string{``, ` `, `a b`, `a\r\nX: 1`, `a\u0000`, `a\u007f`, `ä`, `a\u2028`} {
		_, err := readTokenAnswer(opExchange, answer{status: 200, body: []byte(`{"access_token":"` + token + `"}`)})
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%q: want ErrUnavailable, got %v", token, err)
		}
	}
}

func TestScopes(t *testing.T) {
	tests := map[string]struct {
		asked           []string
		separator       string
		answered        string // JSON
		scopes, missing []string
	}{
		"not said":             {[]string{"a", "b"}, "", ``, []string{"a", "b"}, nil},
		"null":                 {[]string{"a", "b"}, "", `null`, []string{"a", "b"}, nil},
		"as asked":             {[]string{"a", "b"}, "", `"b a"`, []string{"b", "a"}, nil},
		"less":                 {[]string{"a", "b"}, "", `"a"`, []string{"a"}, []string{"b"}},
		"more":                 {[]string{"a"}, "", `"a c"`, []string{"a", "c"}, nil},
		"none":                 {[]string{"a"}, "", `""`, nil, []string{"a"}},
		"in another case":      {[]string{"Mail.Read"}, "", `"mail.read"`, []string{"mail.read"}, []string{"Mail.Read"}},
		"GitHub's commas":      {[]string{"repo", "gist"}, "", `"repo,gist"`, []string{"repo", "gist"}, nil},
		"a comma in a scope":   {[]string{"a,b"}, "", `"a,b c"`, []string{"a,b", "c"}, nil},
		"own separator":        {[]string{"a", "b"}, "+", `"a+b"`, []string{"a", "b"}, nil},
		"own, answered spaces": {[]string{"a", "b"}, ",", `"a b"`, []string{"a", "b"}, nil},
		"as a list":            {[]string{"a", "b"}, "", `["a"]`, []string{"a"}, []string{"b"}},
		"as a number":          {[]string{"a"}, "", `7`, []string{"a"}, nil},
		"OpenID Connect's own": {[]string{"openid", "profile", "email", "offline_access", "a"}, "", `"a"`, []string{"a"}, nil},
		"blanks":               {[]string{"a"}, "", `"  a  "`, []string{"a"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			asked := slices.Clone(test.asked)
			scopes, missing := Connection{ScopeSeparator: test.separator}.granted(test.asked, json.RawMessage(test.answered))
			if diff := cmp.Diff(test.scopes, scopes); diff != "" {
				t.Errorf("scopes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.missing, missing); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
			if !slices.Equal(asked, test.asked) {
				t.Errorf("the list asked for was changed to %q", test.asked)
			}
		})
	}
}

func TestSubject(t *testing.T) {
	tests := []struct{ doc, path, want string }{ // want empty: no id
		{`{"id":1}`, "id", "1"},
		{`{"id":0}`, "id", "0"},
		{`{"id":-7}`, "id", "-7"},
		{`{"id":9007199254740993}`, "id", "9007199254740993"}, // 2^53+1
		{`{"id":123456789012345678901234567890}`, "id", "123456789012345678901234567890"},
		{`{"id":"abc"}`, "id", "abc"},
		{`{"id":"ü"}`, "id", "ü"},
		{`{"data":[{"attributes":{"user_id":"u"}}]}`, "data.0.attributes.user_id", "u"},
		{`[[["x"]]]`, "0.0.0", "x"},
		{`{"0":"zero"}`, "0", "zero"},
		{`{"":"x"}`, "", "x"},
		{`{"id":1.5}`, "id", ""},
		{`{"id":1e3}`, "id", ""},
		{`{"id":1E400}`, "id", ""},
		{`{"id":true}`, "id", ""},
		{`{"id":null}`, "id", ""},
		{`{"id":{}}`, "id", ""},
		{`{"id":[1]}`, "id", ""},
		{`{"id":""}`, "id", ""},
		{`{"id":" "}`, "id", ""},
		{`{"id":"a "}`, "id", ""},
		{`{"id":"a\u0000b"}`, "id", ""},
		{`{"id":"a\nb"}`, "id", ""},
		{`{"id":"\ud800"}`, "id", ""}, // half a character: two such ids would look the same
		{`{"id":"` + strings.Repeat("a", 255) + `"}`, "id", strings.Repeat("a", 255)},
		{`{"id":"` + strings.Repeat("a", 256) + `"}`, "id", ""},
		{`{"id":` + strings.Repeat("1", 256) + `}`, "id", ""},
		{`{"ID":1}`, "id", ""},
		{`{"a":1}`, "a.b", ""},
		{`{"a":[1]}`, "a.1", ""},
		{`{"a":[1]}`, "a.-1", ""},
		{`{"a":[1]}`, "a.+0", ""},
		{`{"a":[1]}`, "a.99999999999999999999", ""},
		{`{"a":[1]}`, "a.length", ""},
		{`"id"`, "id", ""},
		{`null`, "id", ""},
	}
	for _, test := range tests {
		var d document
		if err := json.Unmarshal([]byte(test.doc), &d); err != nil {
			t.Errorf("%s: %v", test.doc, err)
			continue
		}
		got, ok := d.subject(test.path)
		if ok != (test.want != "") || ok && got != test.want {
			t.Errorf("%q in %s: want %q, got %q, %v", test.path, test.doc, test.want, got, ok)
		}
	}
}

func TestName(t *testing.T) {
	tests := []struct{ value, want string }{
		{`"Ada Lovelace"`, "Ada Lovelace"},
		{`"  Ada\n\tLovelace "`, "Ada Lovelace"},
		{`"李明 🙂"`, "李明 🙂"},
		{`"Ada\u202eecalevoL"`, "AdaecalevoL"}, // would turn the rest of the line around
		{`"می\u200cخواهم"`, "می\u200cخواهم"},
		{`"A\u0000d\u001ba"`, "Ada"},
		{`"` + strings.Repeat("ä", 300) + `"`, strings.Repeat("ä", maxName)},
		{`7`, ""}, {`null`, ""}, {`""`, ""}, {`" "`, ""}, {`["Ada"]`, ""},
	}
	for _, test := range tests {
		var d document
		if err := json.Unmarshal([]byte(`{"name":`+test.value+`,"nick":"n"}`), &d); err != nil {
			t.Fatal(err)
		}
		if got := d.name("name"); got != test.want {
			t.Errorf("%s: want %q, got %q", test.value, test.want, got)
		}
		if got := d.name("none", "name", "nick"); test.want == "" && got != "n" {
			t.Errorf("%s: want the next path's, got %q", test.value, got)
		}
	}
}

// FuzzIdentity: no document and no path makes the reader panic or let an unusable value through.
func FuzzIdentity(f *testing.F) {
	f.Add(`{"data":[{"attributes":{"user_id":17,"name":"Ada"}}]}`, "data.0.attributes.user_id")
	f.Add(`[1,"a",{"b":null}]`, "2.b")
	f.Add(`{"id":"\ud800"}`, "id")
	f.Add(`{"id":-0}`, "id")
	f.Fuzz(func(t *testing.T, doc, path string) {
		var d document
		if json.Unmarshal([]byte(doc), &d) != nil {
			return
		}
		if id, ok := d.subject(path); ok && (id == "" || len(id) > maxSubject || !utf8.ValidString(id) || strings.ContainsAny(id, "\x00\r\n")) {
			t.Errorf("%q in %s is taken for an id: %q", path, doc, id)
		}
		if name := d.name(path); utf8.RuneCountInString(name) > maxName || strings.ContainsAny(name, "\x00\r\n\u202e") || name != strings.TrimSpace(name) {
			t.Errorf("%q in %s is taken for a name: %q", path, doc, name)
		}
	})
}

// FuzzTokenAnswer: whatever a token endpoint says is an error, or brings a token fit for a header.
func FuzzTokenAnswer(f *testing.F) {
	f.Add([]byte(`{"access_token":"a","expires_in":"3600","scope":"a b","token_type":"bearer"}`))
	f.Add([]byte(`{"access_token":"a","expires_in":1e18,"scope":["a"]}`))
	f.Add([]byte(`{"access_token":"a\r\n"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		tokens, err := readTokenAnswer(opExchange, answer{status: 200, body: body})
		if err != nil {
			return
		}
		now := time.Unix(0, 0)
		c := tokens.credential(now, 0)
		if !isToken(c.AccessToken.Reveal()) {
			t.Errorf("access token %q", c.AccessToken.Reveal())
		}
		if !c.ExpiresAt.IsZero() && (c.ExpiresAt.Before(now) || c.ExpiresAt.After(now.Add(maxLifetime))) {
			t.Errorf("expires at %v", c.ExpiresAt)
		}
		if _, missing := (Connection{}).granted([]string{"a"}, tokens.Scope); len(missing) > 1 {
			t.Errorf("missing %q of one", missing)
		}
	})
}
