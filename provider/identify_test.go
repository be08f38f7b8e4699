package provider

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestIdentify(t *testing.T) {
	s := newService(t)
	want := map[string]Identity{
		"oauth2": {Issuer: s.URL, Subject: "583231", Name: "octocat"},
		"oidc":   {Issuer: s.URL, Subject: "subject-1", Name: "Ada from userinfo"},
	}
	for protocol, c := range s.connections() {
		got, err := s.open(c).Identifier.Identify(t.Context(), theCredential())
		if err != nil {
			t.Errorf("%s: %v", protocol, err)
		}
		if diff := cmp.Diff(want[protocol], got); diff != "" {
			t.Errorf("%s: identity (-want +got):\n%s", protocol, diff)
		}
	}
}

// TestIdentifyFailures: 401 alone says that the credential is worth nothing any more.
func TestIdentifyFailures(t *testing.T) {
	tests := map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"401":         {replying(401, `{"message":"`+theAccessToken+`"}`), ErrInvalidGrant},
		"403":         {replying(403, ``), ErrRefused},
		"404":         {replying(404, ``), ErrRefused},
		"429":         {replying(429, ``), ErrUnavailable},
		"503":         {replying(503, ``), ErrUnavailable},
		"redirect":    {moved(302, `{"id":1,"sub":"subject-1"}`), ErrUnavailable},
		"HTML":        {replying(200, `<html>`), ErrUnavailable},
		"dropped":     {drop, ErrUnavailable},
		"nobody":      {replying(200, `{}`), ErrNotVerified},
		"sub no text": {replying(200, `{"id":[1],"sub":7}`), ErrNotVerified},
		"sub blank":   {replying(200, `{"id":" ","sub":" "}`), ErrNotVerified},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.answer("/me", test.answer)
			s.answer("/userinfo", test.answer)
			for protocol, c := range s.connections() {
				_, err := s.open(c).Identifier.Identify(t.Context(), theCredential())
				if !errors.Is(err, test.want) {
					t.Errorf("%s: want %v, got %v", protocol, test.want, err)
				}
				checkQuiet(t, err)
			}
		})
	}
}

func TestIdentifyWithoutUserinfo(t *testing.T) {
	s := newService(t)
	s.metadata = map[string]any{"userinfo_endpoint": nil}
	if _, err := s.open(s.oidc()).Identifier.Identify(t.Context(), theCredential()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("want ErrUnsupported, got %v", err)
	}
}

// TestIdentityRequestCarriesTheCredential where the service's API wants it; userinfo wants a bearer
// token, whatever the API does (OIDC Core §5.3.1).
func TestIdentityRequestCarriesTheCredential(t *testing.T) {
	s := newService(t)
	carried := map[string]string{}
	for path, body := range map[string]string{"/me": `{"id":1}`, "/userinfo": `{"sub":"subject-1"}`} {
		s.answer(path, func(w http.ResponseWriter, r *http.Request) {
			carried[path] = r.Header.Get("Authorization") + "|" + r.Header.Get("X-Api-Key")
			replying(200, body)(w, r)
		})
	}
	for protocol, c := range s.connections() {
		c.Credential = CredentialPlace{Header: "X-Api-Key"}
		if _, err := s.open(c).Identifier.Identify(t.Context(), theCredential()); err != nil {
			t.Errorf("%s: %v", protocol, err)
		}
	}
	want := map[string]string{"/me": "|" + theAccessToken, "/userinfo": "Bearer " + theAccessToken + "|"}
	if diff := cmp.Diff(want, carried); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// settingPaths are those of the tests below.
func settingPaths() map[string]string {
	return map[string]string{"shop": "data.shop", "realm": "realm_id"}
}

func TestOAuth2Settings(t *testing.T) {
	tests := map[string]struct {
		answer string
		want   map[string]string
		err    string // what the error names; "": none
	}{
		"both":          {`{"id":1,"data":{"shop":"acme-1"},"realm_id":4620816365}`, map[string]string{"shop": "acme-1", "realm": "4620816365"}, ""},
		"one missing":   {`{"id":1,"data":{"shop":"acme-1"}}`, nil, "nothing at identity.settings.realm"},
		"one null":      {`{"id":1,"data":{"shop":null},"realm_id":1}`, nil, "nothing at identity.settings.shop"},
		"one unfit":     {`{"id":1,"data":{"shop":"evil.example/x"},"realm_id":1}`, nil, "no usable value at identity.settings.shop"},
		"one no text":   {`{"id":1,"data":{"shop":["acme"]},"realm_id":1}`, nil, "no usable value at identity.settings.shop"},
		"one fraction":  {`{"id":1,"data":{"shop":"acme"},"realm_id":1.5}`, nil, "no usable value at identity.settings.realm"},
		"one in powers": {`{"id":1,"data":{"shop":"acme"},"realm_id":1e3}`, nil, "no usable value at identity.settings.realm"},
		"one negative":  {`{"id":1,"data":{"shop":"acme"},"realm_id":-1}`, nil, "no usable value at identity.settings.realm"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.answer("/me", replying(200, test.answer))
			c := s.oauth2()
			c.Identity.Settings = settingPaths()
			grant, err := s.connect(s.open(c))
			checkSetting(t, err, test.err)
			if diff := cmp.Diff(test.want, grant.Identity.Settings); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

// checkSetting wants ErrNotVerified that says so; "" wants no error.
func checkSetting(t *testing.T, err error, says string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Error(err)
	case says != "" && (!errors.Is(err, ErrNotVerified) || !strings.Contains(err.Error(), says)):
		t.Errorf("want ErrNotVerified with %q, got %v", says, err)
	}
	checkQuiet(t, err, "evil.example")
}

func TestOIDCSettings(t *testing.T) {
	shop := map[string]any{"shop": "acme"}
	tests := map[string]struct {
		claims   map[string]any
		userinfo http.HandlerFunc // nil: none published
		want     map[string]string
		err      string
	}{
		"in the ID token":          {map[string]any{"data": shop, "realm_id": 7}, drop, map[string]string{"shop": "acme", "realm": "7"}, ""},
		"half in userinfo":         {map[string]any{"data": shop}, replying(200, `{"sub":"subject-1","realm_id":8}`), map[string]string{"shop": "acme", "realm": "8"}, ""},
		"ID token goes first":      {map[string]any{"data": shop}, replying(200, `{"sub":"subject-1","data":{"shop":"other"},"realm_id":8}`), map[string]string{"shop": "acme", "realm": "8"}, ""},
		"unfit in the ID token":    {map[string]any{"data": map[string]any{"shop": "evil.example/"}, "realm_id": 7}, drop, nil, "no usable value at identity.settings.shop"},
		"unfit in userinfo":        {map[string]any{"data": shop}, replying(200, `{"sub":"subject-1","realm_id":"evil.example/"}`), nil, "no usable value at identity.settings.realm"},
		"in neither":               {map[string]any{"data": shop}, replying(200, `{"sub":"subject-1"}`), nil, "nothing at identity.settings.realm"},
		"no userinfo to ask":       {map[string]any{"data": shop}, nil, nil, "nothing at identity.settings.realm"},
		"userinfo of another user": {map[string]any{"data": shop}, replying(200, `{"sub":"subject-2","realm_id":8}`), nil, "sub is another account's"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			s.claims = test.claims
			s.answer("/userinfo", test.userinfo)
			if test.userinfo == nil {
				s.metadata = map[string]any{"userinfo_endpoint": nil}
			}
			c := s.oidc()
			c.Identity.Settings = settingPaths()
			grant, err := s.connect(s.open(c))
			checkSetting(t, err, test.err)
			if diff := cmp.Diff(test.want, grant.Identity.Settings); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSettingsNeedUserinfo: when a setting is only there, a service that can't answer fails the
// sign-in, as it would not for a name.
func TestSettingsNeedUserinfo(t *testing.T) {
	s := newService(t)
	s.answer("/userinfo", replying(503, ``))
	c := s.oidc()
	c.Identity.Settings = settingPaths()
	if _, err := s.connect(s.open(c)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("want ErrUnavailable, got %v", err)
	}
}

// TestIdentifySettings: later only userinfo can be asked, which may know less than the ID token did.
func TestIdentifySettings(t *testing.T) {
	s := newService(t)
	c := s.oidc()
	c.Identity.Settings = settingPaths()
	s.answer("/userinfo", replying(200, `{"sub":"subject-1","realm_id":8}`))
	got, err := s.open(c).Identifier.Identify(t.Context(), theCredential())
	if diff := cmp.Diff(map[string]string{"realm": "8"}, got.Settings); diff != "" || err != nil {
		t.Errorf("%v, settings (-want +got):\n%s", err, diff)
	}
	s.answer("/userinfo", replying(200, `{"sub":"subject-1","realm_id":"evil.example/"}`))
	_, err = s.open(c).Identifier.Identify(t.Context(), theCredential())
	checkSetting(t, err, "no usable value at identity.settings.realm")
}

func TestIsSetting(t *testing.T) {
	good := []string{"a", "7", "acme", "Acme-1", "a.b", "a_b~c", "xn--bcher-kva", strings.Repeat("a", 63)}
	bad := []string{
		"", " ", ".", "..", "a..b", ".a", "-a", "_a", "~a", "a/b", `a\b`, "a:b", "a@b", "a%2fb", "a?b", "a#b", "a b", "a\n", "\na", "a\x00", "a&b", "ä", "a;b", "a+b", "{a}",
		strings.Repeat("a", 64), "a\u2024b", "\u3002",
	}
	for _, value := range good {
		if !isSetting(value) {
			t.Errorf("%q is refused", value)
		}
	}
	for _, value := range bad {
		if isSetting(value) {
			t.Errorf("%q passes", value)
		}
	}
}

// TestIdentityByQuestion: a service that answers no GET is asked with identity.body.
func TestIdentityByQuestion(t *testing.T) {
	const question = `{"query": "{me {id name}}"}`
	s := newKeyService(t)
	s.say = func(w http.ResponseWriter, r *http.Request) bool {
		asked, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || string(asked) != question || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return true
		}
		io.WriteString(w, `{"data":{"me":{"id":"4711","name":"Ada"}}}`)
		return true
	}
	c := keyConnection(s)
	c.Identity.Body, c.Identity.ID, c.Identity.Name = question, "data.me.id", "data.me.name"
	g, err := mustOpen(t, c).Form.Submit(t.Context(), typed("api_key", goodKey))
	if err != nil || g.Identity.Subject != "4711" {
		t.Errorf("got %+v, %v", g.Identity, err)
	}
	for body, want := range map[string]int{question: 0, "{": 1} {
		c.Identity.Body = body
		if problems := c.Problems(); len(problems) != want {
			t.Errorf("%s: %v", body, problems)
		}
	}
}
