package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"linkgate/demo"
)

// scopeKeys are five keys, so that each route is open to exactly one of them.
var scopeKeys = map[string]string{
	"scope-key-that-reads-accounts-000001": "accounts:read",
	"scope-key-that-writes-accounts-00002": "accounts:write",
	"scope-key-of-tokens-and-calls-000003": "tokens:read+calls:write",
	"scope-key-that-opens-sessions-000004": "sessions:write",
	"scope-key-that-off-boards-users-0005": "users:delete",
}

// scoped is one route as one user's things are asked for by it, in an order in which each can succeed.
type scoped struct {
	scope, method, path, body string
	want                      []int
}

// steps are every route. The last two take the account away.
func steps(user, account, session string) []scoped {
	at, component := "/v1/accounts/"+account, "/v1/components/of-"+user+"/account"
	return []scoped{
		{"accounts:read", "GET", "/v1/connections", "", []int{200}},
		{"accounts:read", "GET", "/v1/accounts?user_id=" + user, "", []int{200}},
		{"accounts:write", "POST", "/v1/accounts?request_profile=false", importOf(user), []int{200}},
		{"accounts:read", "GET", at, "", []int{200}},
		{"accounts:write", "PATCH", at, `{"display_name":"of ` + user + `"}`, []int{200}},
		{"accounts:write", "PUT", component, fmt.Sprintf(`{"account_id":%q,"user_id":%q}`, account, user), []int{200}},
		{"accounts:read", "GET", component, "", []int{200}},
		{"accounts:read", "GET", at + "/components", "", []int{200}},
		{"accounts:write", "DELETE", component, "", []int{204}},
		{"tokens:read", "POST", at + "/token", "", []int{200}},
		{"calls:write", "GET", at + "/call/api/status/200", "", []int{409}}, // the service has been asked: it knows no such token
		{"accounts:read", "POST", at + "/test", "", []int{200}},
		{"sessions:write", "POST", "/v1/sessions", fmt.Sprintf(`{"user_id":%q,"auth_id":"notes"}`, user), []int{201}},
		{"sessions:write", "GET", "/v1/sessions/" + session, "", []int{200}},
		{"sessions:write", "POST", "/v1/sessions/" + session + "/finish", fmt.Sprintf(`{"user_id":%q,"finish_token":"x"}`, user), []int{403, 404, 409, 410}},
		{"accounts:read", "GET", "/v1/events", "", []int{200}},
		{"accounts:write", "DELETE", at, "", []int{200, 202}},
		{"users:delete", "DELETE", "/v1/users/" + user + "/accounts", "", []int{200, 202}},
	}
}

// importOf is a credential of a user that the service is not asked about.
func importOf(user string) string {
	return fmt.Sprintf(`{"user_id":%q,"auth_id":"notes-oauth2","credential":{"access_token":"token-of-%s"},"profile":{"external_account_id":"at-the-service-%s"}}`, user, user, user)
}

// TestScopes: 50 users, every route, 5 keys of different scopes; only what is allowed succeeds, and
// nobody's request touches what is another's.
func TestScopes(t *testing.T) {
	t.Parallel()
	const users = 50
	var keys []string
	for key, scopes := range scopeKeys {
		keys = append(keys, key+"="+scopes)
	}
	w := newWorld(t, crowded(users), with("API_KEYS", fullKey+","+strings.Join(keys, ",")), with("API_RATE", "100000"), with("LOG_LEVEL", "error"))
	d := describedBy(t, w)
	accounts := make([]string, users)
	for i := range users {
		accounts[i] = d.wants(t, "201", post("/v1/accounts?request_profile=false", importOf(crowdUser(i)))).text(t, "id")
	}
	asked := map[string]bool{}
	for i := range users {
		user, other := crowdUser(i), crowdUser((i+1)%users)
		session := d.wants(t, "201", post("/v1/sessions", fmt.Sprintf(`{"user_id":%q,"auth_id":"notes"}`, user))).text(t, "id")
		d.othersAreOutOfReach(t, user, accounts[(i+1)%users])
		for _, s := range steps(user, accounts[i], session) {
			d.onlyAllowed(t, s)
			template, _, _ := d.find(s.path)
			asked[s.method+" "+template] = true
		}
		if got, want := d.live(t), users-1-i; got != want {
			t.Fatalf("after %s was off-boarded there are %d accounts, want %d (next is %s)", user, got, want, other)
		}
	}
	for path, item := range d.document.Paths.Map() {
		for method, o := range item.Operations() {
			if o.Extensions["x-same-as"] == nil && !asked[method+" "+path] {
				t.Errorf("%s %s was not asked for", method, path)
			}
		}
	}
}

// onlyAllowed asks with every key, first with those that must be refused.
func (d *described) onlyAllowed(t *testing.T, s scoped) {
	t.Helper()
	allowed := ""
	for key, scopes := range scopeKeys {
		if slices.Contains(strings.Split(scopes, "+"), s.scope) {
			allowed = key
			continue
		}
		if got := d.send(t, apiRequest{key: key, method: s.method, path: s.path, body: s.body}); got.status != 403 || got.slug != "insufficient-scope" {
			t.Errorf("%s %s with %s: got %d %s", s.method, s.path, scopes, got.status, got.slug)
		}
	}
	if got := d.send(t, apiRequest{key: allowed, method: s.method, path: s.path, body: s.body}); !slices.Contains(s.want, got.status) || got.slug == "insufficient-scope" {
		t.Errorf("%s %s with %s: got %d %s, want %v", s.method, s.path, s.scope, got.status, got.slug, s.want)
	}
}

// othersAreOutOfReach: in the name of user, an account of another's can't be had, not even with every
// scope; nor can the host's requests have it.
func (d *described) othersAreOutOfReach(t *testing.T, user, account string) {
	t.Helper()
	read := d.do(t, get("/v1/accounts/"+account))
	if read.status != 200 { // the last user's neighbour is gone already
		return
	}
	hostID := read.text(t, "linked_account_id")
	d.wants(t, "404 not-found", put("/v1/components/of-"+user+"/account", fmt.Sprintf(`{"account_id":%q,"user_id":%q}`, account, user)))
	var list struct {
		Data []struct {
			UserID string `json:"user_id"`
		}
	}
	if err := json.Unmarshal(d.do(t, get("/v1/accounts?user_id="+user)).body, &list); err != nil || len(list.Data) != 1 || list.Data[0].UserID != user {
		t.Errorf("%s has %+v, %v", user, list.Data, err)
	}
	for method, path := range map[string]string{
		http.MethodDelete: "/linked-accounts/" + hostID,
		http.MethodGet:    "/call/" + demo.NotesOAuth2 + "/api/me?linked_account_id=" + hostID,
	} {
		if answer, e := request(t, t.Context(), method, d.w.Linkgate.URL(path), d.w.proxied(user), nil); answer.StatusCode != 404 {
			t.Errorf("%s %s by %s: got %d %s", method, path, user, answer.StatusCode, e.Code)
		}
	}
	if again := d.do(t, get("/v1/accounts/"+account)); again.text(t, "status") != read.text(t, "status") || again.header.Get("ETag") != read.header.Get("ETag") {
		t.Errorf("%s has changed %s: %s", user, account, again.body)
	}
}

// live counts the accounts that are not disconnected, or being so.
func (d *described) live(t *testing.T) int {
	t.Helper()
	var list struct{ Data []struct{ ID string } }
	if err := json.Unmarshal(d.do(t, get("/v1/accounts?limit=200&status=linked&status=linking&status=reauth_required")).body, &list); err != nil {
		t.Fatal(err)
	}
	return len(list.Data)
}
