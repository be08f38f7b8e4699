package v1_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"linkgate/apikey"
	"linkgate/handlers/inbound"
	v1 "linkgate/handlers/v1"
)

func TestAuthorization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, shown := range map[string][]string{
		"none":              {},
		"empty":             {""},
		"a scheme alone":    {"Bearer"},
		"an empty key":      {"Bearer "},
		"another scheme":    {"Basic " + w.key},
		"no scheme":         {w.key},
		"doubled":           {"Bearer " + w.key, "Bearer " + w.key},
		"a second one":      {"Bearer " + w.key, "Basic eDp5"},
		"joined":            {"Bearer " + w.key + ", Bearer " + w.key},
		"cut short":         {"Bearer " + w.key[:len(w.key)-1]},
		"another character": {"Bearer " + w.key[:30] + "!" + w.key[31:]},
		"the proxy secret":  {"Bearer " + w.host.ProxySecret().Reveal()},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/v1/accounts", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header["Authorization"] = shown
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized || answer.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %d, WWW-Authenticate %q", name, answer.StatusCode, answer.Header.Get("WWW-Authenticate"))
		}
		if strings.Contains(string(body), w.key[20:40]) {
			t.Errorf("%s: the key is repeated: %s", name, body)
		}
	}
	w.wants(http.StatusOK, "", "GET", "/v1/accounts", "", "Authorization", "bearer  "+w.key) // RFC 9110 §11.1
}

// TestScopes: a key with every other scope is told the one that it lacks, before anything is done.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/v1/accounts/" + w.imported("one")
	for _, test := range []struct {
		method, path, body string
		needs              apikey.Scope
	}{
		{"GET", at, "", apikey.AccountsRead},
		{"DELETE", at, "", apikey.AccountsWrite},
		{"POST", at + "/token", "", apikey.TokensRead},
		{"GET", at + "/call/api/me", "", apikey.CallsWrite},
		{"POST", "/v1/sessions", `{"user_id":"u_ada","auth_id":"vault"}`, apikey.SessionsWrite},
		{"DELETE", "/v1/users/u_ada/accounts", "", apikey.UsersDelete},
	} {
		others := slices.DeleteFunc(apikey.AllScopes(), func(s apikey.Scope) bool { return s == test.needs })
		key := w.newKey(others...)
		refused := w.wants(http.StatusForbidden, "insufficient-scope", test.method, test.path, test.body, "Authorization", "Bearer "+key)
		if !strings.Contains(refused.text(t, "detail"), string(test.needs)) {
			t.Errorf("%s: it does not name %s: %s", test.path, test.needs, refused.body)
		}
	}
	if got := w.wants(http.StatusOK, "", "GET", at, "").text(t, "status"); got != "linked" {
		t.Errorf("the account is %q", got)
	}
}

// TestRate: one key's limit is nothing to another.
func TestRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.newKey(apikey.AccountsRead)
	id := apikey.IDOf(w.key)
	w.limit.id.Store(&id)
	over := w.wants(http.StatusTooManyRequests, "too-many-requests", "GET", "/v1/accounts", "")
	if over.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", over.header.Get("Retry-After"))
	}
	w.wants(http.StatusTooManyRequests, "too-many-requests", "DELETE", "/v1/users/u_ada/accounts", "")
	w.wants(http.StatusOK, "", "GET", "/v1/accounts", "", "Authorization", "Bearer "+other)
}

// TestTooLarge: by its own account, and by what comes.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := `{"user_id":"` + strings.Repeat("x", inbound.BodyLimit) + `"}`
	w.wants(http.StatusRequestEntityTooLarge, "payload-too-large", "POST", "/v1/accounts", long)
	unannounced := io.MultiReader(strings.NewReader(long)) // has no length that is known
	answer, err := w.send(t.Context(), "POST", "/v1/accounts", unannounced)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("in chunks: %d", answer.StatusCode)
	}
}

// TestStrict: what is not known is a mistake. What may be a secret in the wrong place is repeated to
// nobody, neither in the answer nor in the log.
func TestStrict(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const misplaced = "ZQ7KXJ2M5TNWB4RVHY3CDL6PFA"
	at := "/v1/accounts/" + w.imported("one")
	for _, test := range []struct{ method, path, body, pointer string }{
		{"GET", "/v1/accounts?userid=x", "", "?userid"},
		{"GET", "/v1/accounts?" + misplaced + "=x", "", "?"},
		{"GET", "/v1/accounts?limit=" + misplaced, "", "?limit"},
		{"GET", "/v1/accounts?cursor=" + misplaced, "", "?cursor"},
		{"GET", "/v1/connections?" + misplaced, "", "?"},
		{"DELETE", at + "?force=true", "", "?force"},
		{"POST", "/v1/accounts", `{"` + misplaced + `":1}`, ""},
		{"POST", "/v1/accounts", `{"credential":{"acess_token":"` + misplaced + `"}}`, "/acess_token"},
		{"POST", "/v1/accounts", `{"credential":"` + misplaced + `"}`, "/credential"},
		{"POST", "/v1/accounts", `{"credential":{"access_token":"` + misplaced, ""},
		{"POST", "/v1/accounts", `{"user_id":"u","auth_id":"a","credential":{"expires_at":"` + misplaced + `"}}`, "/credential/expires_at"},
		{"POST", "/v1/accounts", `{"user_id":"u","auth_id":"a","credential":{"scopes":["` + misplaced + ` x"]}}`, "/credential/scopes/0"},
		{"POST", "/v1/accounts", `{"user_id":"u","auth_id":"a","credential":{"fields":{"` + misplaced + `":"` + strings.Repeat("x", 17<<10) + `"}}}`, "/credential/fields"},
		{"POST", "/v1/accounts", `{"user_id":"u_ada","auth_id":"vault","credential":{"fields":{"` + misplaced + `":"x"}}}`, "/credential/fields"},
		{"POST", "/v1/accounts", `{"user_id":"u_ada","auth_id":"vault","credential":{"access_token":"` + misplaced + `"}}`, "/credential/fields"},
		{"PATCH", at, `{"metadata":"` + misplaced + `"}`, "/metadata"},
		{"POST", at + "/token", `{"min_valid_seconds":"` + misplaced + `"}`, "/min_valid_seconds"},
	} {
		refused := w.wants(http.StatusBadRequest, "invalid-request", test.method, test.path, test.body)
		if !strings.Contains(refused.body, `{"pointer":"`+test.pointer+`",`) {
			t.Errorf("%s %.60s %.60s: no mistake at %q: %s", test.method, test.path, test.body, test.pointer, refused.body)
		}
		if strings.Contains(refused.body, misplaced) {
			t.Errorf("%s %.60s %.60s repeats it: %s", test.method, test.path, test.body, refused.body)
		}
	}
	if strings.Contains(w.log.String(), misplaced) {
		t.Error("the log repeats it")
	}
}

// TestUnknownParameters: no route takes one in silence, but for those that pass the query on.
func TestUnknownParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refused := 0
	for _, r := range (&v1.API{}).Routes(nil) {
		if r.Through {
			continue
		}
		refused++
		answer := w.wants(http.StatusBadRequest, "invalid-request", r.Method, r.Path+"?unheard-of=1", "")
		if !strings.Contains(answer.body, `{"pointer":"?unheard-of",`) {
			t.Errorf("%s %s: %s", r.Method, r.Path, answer.body)
		}
	}
	if refused == 0 {
		t.Error("no route was asked")
	}
}

// TestImpossibleIDs: what can't be an id is found nowhere, after the mistakes in the query and before those
// in the body are told.
func TestImpossibleIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	named := 0
	for _, r := range (&v1.API{}).Routes(nil) {
		segments := strings.Split(r.Path, "/")
		at := slices.IndexFunc(segments, func(s string) bool { return strings.HasPrefix(s, ":") })
		if at < 0 {
			continue
		}
		named++
		method := strings.Replace(r.Method, v1.AnyMethod, http.MethodGet, 1)
		for _, id := range []string{"a%2Fb", "%20a", "a%00", strings.Repeat("a", inbound.IDLimit+1)} {
			segments[at] = id
			path := strings.Join(segments, "/")
			w.wants(http.StatusNotFound, "not-found", method, path, "{")
			if !r.Through {
				w.wants(http.StatusBadRequest, "invalid-request", method, path+"?unheard-of=1", "{")
			}
		}
	}
	if named == 0 {
		t.Error("no route was asked")
	}
}
