package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"

	"linkgate/apikey"
	"linkgate/demo"
)

// Where a back end's secrets are looked for.
const (
	inAnswer  kind = "answer to a back end" // JSON and its headers; of POST …/token but what it is for
	inProblem kind = "problem"              // and its headers
	inStream  kind = "stream of events"
	inWebhook kind = "request to the webhook"
	inCall    kind = "call to a service" // its headers
)

// backEnd has a webhook, a key in API_KEYS, and an origin of its own.
func (c *canary) backEnd() []option {
	c.key = c.mint("API key in API_KEYS")
	raw := c.mint("webhook secret, decoded")[:32]
	signing := base64.StdEncoding.EncodeToString([]byte(raw))
	c.know("webhook secret", raw, signing, "whsec_"+signing)
	c.webhook = serve(c.t, http.HandlerFunc(c.takeEvent))
	return []option{
		with("API_KEYS", c.key), with("WEBHOOK_URL", c.webhook+"/events/"+c.mint("secret in WEBHOOK_URL")),
		with("WEBHOOK_SECRET", "whsec_"+signing), with("SESSION_ORIGINS", "https://app.example"),
	}
}

// takeEvent refuses every third event, and repeats what it was sent.
func (c *canary) takeEvent(w http.ResponseWriter, r *http.Request) {
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		return
	}
	_, head, _ := bytes.Cut(dump, []byte("\r\n")) // its address is the operator's own secret
	c.see(inWebhook, "an event", head)
	c.mu.Lock()
	c.events++
	refused := c.events%3 == 0
	c.mu.Unlock()
	if refused {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write(dump) // whom it is for may have left
	}
}

// made makes an API key by the command that shows it.
func (c *canary) made() string {
	c.t.Helper()
	shown, err := c.prepare(nil, "apikeys", "new", "the back end", "--scopes", apikey.Words(apikey.AllScopes(), ",")).Output()
	if err != nil {
		c.t.Fatalf("making an API key: %v", err)
	}
	key := strings.TrimSpace(string(shown))
	c.know("API key", key, key[len(apikey.IDOf(key))+1:])
	return key
}

// ask sends a request as a back end with the key, and returns status and body; headers are names and
// values. Each POST has an Idempotency-Key, and is sent twice.
func (c *canary) ask(key, method, path, body string, headers ...string) (status int, text []byte) {
	c.t.Helper()
	again := 1
	if method == http.MethodPost && !strings.Contains(path, "/call/") { // that would be the service's to heed
		headers, again = append(headers, "Idempotency-Key", c.mint("Idempotency-Key")), 2
	}
	for range again {
		req, err := http.NewRequestWithContext(c.t.Context(), method, c.Linkgate.URL(path), strings.NewReader(body))
		if err != nil {
			c.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+key)
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Add(headers[i], headers[i+1])
		}
		answer, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			c.t.Fatal(err)
		}
		text, err = io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			c.t.Fatal(err)
		}
		status = answer.StatusCode
	}
	return status, text
}

// wants asks and checks the status. It returns the answer's members.
func (c *canary) wants(want int, method, path, body string, headers ...string) map[string]any {
	c.t.Helper()
	status, text := c.ask(c.key, method, path, body, headers...)
	if status != want {
		c.t.Errorf("%s %.60s: %d, want %d: %.300s", method, path, status, want, text)
	}
	var members map[string]any
	_ = json.Unmarshal(text, &members) // what has none is asked for none
	return members
}

// backEnds is all that back ends do, with one key and then with another, and what they do wrong.
func (c *canary) backEnds() {
	c.t.Helper()
	c.accountsAPI()
	c.key = c.made()
	c.accountsAPI()
	c.misask()
	c.echoedImports()
	c.key = c.made()
	for _, args := range [][]string{{"apikeys", "list"}, {"apikeys", "list", "--json"}, {"events", "list"}, {"outbox", "list"}, {"outbox", "list", "--json"}} {
		c.command(0, nil, "", args...)
	}
	c.command(0, nil, "", "apikeys", "revoke", c.key, "--yes")
	eventually(c.t, "the key is refused", func() bool { status, _ := c.ask(c.key, "GET", "/v1/accounts", ""); return status == 401 })
	c.dump()
}

// accountsAPI is what a back end does while everything works.
func (c *canary) accountsAPI() {
	c.t.Helper()
	notes, photos := c.session(demo.NotesOAuth2), c.session(demo.PhotosOAuth1)
	for _, account := range []string{notes, photos} {
		at := "/v1/accounts/" + account
		c.wants(200, "GET", at, "")
		c.wants(200, "PATCH", at, `{"display_name":"Work","metadata":{"plan":"pro"}}`)
		c.wants(200, "POST", at+"/test", "")
		c.wants(200, "PUT", "/v1/components/flow-1/account", `{"account_id":"`+account+`"}`)
		c.wants(200, "GET", at+"/components", "")
		c.dump()
	}
	c.calledBy(notes)
	c.importEach(notes, photos)
	c.wants(200, "GET", "/v1/accounts?limit=200&status=linked&status=unlinked", "")
	c.wants(200, "GET", "/v1/connections", "")
	c.wants(200, "GET", "/v1/events?limit=1000", "")
	c.wants(200, "DELETE", "/v1/accounts/"+photos, "")
	c.dump()
}

// session has a user connect in a session of the back end's, whose end is relayed, and followed in
// both ways. It returns the account's id.
func (c *canary) session(authID string) (account string) {
	c.t.Helper()
	user := c.user()
	opened := c.wants(201, "POST", "/v1/sessions", fmt.Sprintf(`{"user_id":%q,"auth_id":%q,"component_id":"flow-1","origin":"https://app.example"}`, user, authID))
	id, _ := opened["id"].(string)
	address, _ := opened["authorization_url"].(string)
	at := "/v1/sessions/" + id
	var following sync.WaitGroup
	following.Go(func() { c.wants(200, "GET", at+"?wait=60s", "") })
	following.Go(func() { c.wants(200, "GET", at, "", "Accept", "text/event-stream") })
	page, err := demo.NewBrowser().SignIn(c.t.Context(), address, "ada")
	if err != nil {
		c.t.Fatal(err)
	}
	token := finishToken(c.t, page)
	finish := func(want int, user, token string) map[string]any {
		return c.wants(want, "POST", at+"/finish", fmt.Sprintf(`{"user_id":%q,"finish_token":%q}`, user, token))
	}
	finish(410, user, c.mint("unknown finish token"))
	finish(410, user, token[:len(token)-4]+"AAAA")
	ended := finish(200, user, token)
	finish(200, user, token)
	following.Wait()
	account, _ = ended["account_id"].(string)
	return account
}

// calledBy calls through /v1 with more credentials than there should be, and looks at what comes to
// the service.
func (c *canary) calledBy(account string) {
	c.t.Helper()
	c.Service.Play(demo.Script{Before: func(op string, r *http.Request) {
		if op != demo.OpEcho {
			return
		}
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !slices.Contains(c.Service.Secrets(), token) {
			c.t.Error("a call without a token of the service")
		}
		c.see(inCall, op, fmt.Appendf(nil, "%v", r.Header), token) // in its place
	}})
	defer c.Service.Play(demo.Script{})
	at := "/v1/accounts/" + account + "/call/api"
	c.wants(200, "POST", at+"/echo/x", "{}", "Cookie", "linkgate="+c.mint("cookie of a back end"), "Proxy-Authorization", "Basic "+c.mint("proxy's password"),
		"Blink-Auth-Proxysecret", c.Host.ProxySecret().Reveal())
	c.wants(401, "POST", at+"/echo/x", "{}", "Authorization", "Bearer "+c.mint("second Authorization"))
	c.wants(200, "GET", at+"/me", "")
	c.wants(403, "GET", at+"/forbidden-for-calls", "")
}

// importEach imports a credential of each kind: wrong ones, and the right one.
func (c *canary) importEach(notes, photos string) {
	c.t.Helper()
	token := c.wants(200, "POST", "/v1/accounts/"+notes+"/token", `{"min_valid_seconds":60}`)
	openID := c.wants(200, "POST", "/v1/accounts/"+c.session(demo.NotesOIDC)+"/token", "")
	pair := c.wants(200, "POST", "/v1/accounts/"+photos+"/token", "")
	c.know("key of the vault", demo.VaultAdaKey, demo.VaultAdaToken)
	c.know("password at Amino", demo.AminoPassword)
	for _, kind := range []struct {
		authID string
		wrong  string // with %s for what is wrong
		right  string
	}{
		{demo.NotesOAuth2, `{"access_token":%s}`, fmt.Sprintf(`{"access_token":%q}`, token["access_token"])},
		{demo.NotesOIDC, `{"refresh_token":%s}`, fmt.Sprintf(`{"access_token":%q}`, openID["access_token"])},
		{demo.PhotosOAuth1, `{"token":"x","token_secret":%s}`, fmt.Sprintf(`{"token":%q,"token_secret":%q}`, pair["access_token"], pair["token_secret"])},
		{demo.VaultKey, `{"fields":{"api_key":%s}}`, `{"fields":{"api_key":"` + demo.VaultAdaKey + `"}}`},
		{demo.VaultBasic, `{"fields":{"email":"ada@example.com","api_token":%s}}`, `{"fields":{"email":"` + demo.VaultAdaEmail + `","api_token":"` + demo.VaultAdaToken + `"}}`},
		{demo.AminoMove, `{"fields":{"customer":"acme","username":"ada","password":%s}}`, `{"fields":{"customer":"acme","username":"` + demo.AminoUser + `","password":"` + demo.AminoPassword + `"}}`},
	} {
		user := c.user()
		take := func(credential string) (int, []byte) {
			return c.ask(c.key, "POST", "/v1/accounts", fmt.Sprintf(`{"user_id":%q,"auth_id":%q,"credential":%s}`, user, kind.authID, credential))
		}
		for _, secret := range []string{
			inWords(c.mint("credential that is wrong")), inWords(c.mintOdd("credential that is wrong")), inWords("vault-" + c.mint("key that is wrong")),
			inWords(strings.Repeat(c.mint("credential that is too long"), 400)), inWords([]string{c.mint("credential of another type")}),
			`"x","` + c.mint("name of a member") + `":"` + c.mint("value of an unknown member") + `"`,
			`"` + c.mint("credential without an end"), c.mint("no JSON"),
		} {
			if status, text := take(strings.Replace(kind.wrong, "%s", secret, 1)); status < 400 {
				c.t.Errorf("%s: what is wrong was taken: %d %s", kind.authID, status, text)
			}
		}
		if status, text := take(kind.right); status != 201 {
			c.t.Errorf("%s: what is right is answered with %d: %s", kind.authID, status, text)
		}
		c.dump()
		c.wants(200, "DELETE", "/v1/users/"+user+"/accounts", "")
	}
}

// misask puts secrets where the accounts API does not want them.
func (c *canary) misask() {
	c.t.Helper()
	misplaced := func() string { return c.mint("secret in the wrong place") }
	for _, r := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/accounts?" + misplaced(), "", 400},
		{"GET", "/v1/accounts?user_id=" + misplaced(), "", 200},
		{"GET", "/v1/accounts?status=" + misplaced() + "&limit=" + misplaced(), "", 400},
		{"GET", "/v1/accounts?cursor=" + misplaced(), "", 400},
		{"GET", "/v1/accounts/" + misplaced(), "", 404},
		{"GET", "/v1/" + misplaced(), "", 404},
		{"GET", "/v1/sessions/" + misplaced() + "?wait=" + misplaced(), "", 400},
		{"GET", "/v1/sessions/" + misplaced(), "", 410},
		{"POST", "/v1/sessions", `{"user_id":"` + misplaced() + `","auth_id":"` + misplaced() + `"}`, 404},
		{"POST", "/v1/sessions", `{"user_id":"ada","auth_id":"notes","return_url":"https://evil.example/?` + misplaced() + `"}`, 400},
		{"POST", "/v1/sessions", `{"user_id":"ada","auth_id":"notes","` + misplaced() + `":"x"}`, 400},
		{"POST", "/v1/sessions", `{"user_id":"ada","auth_id":"notes","scopes":["` + misplaced() + ` x"]}`, 400},
		{"POST", "/v1/sessions", `{"user_id":"ada","auth_id":"` + demo.VaultKey + `","scopes":["` + misplaced() + `"]}`, 400},
		{"PATCH", "/v1/accounts/x", `{"metadata":"` + misplaced() + `"}`, 404},
		{"DELETE", "/v1/users/x%2F" + misplaced() + "/accounts", "", 404},
		{"POST", "/v1/accounts", strings.Repeat(misplaced(), 1<<15), 413},
	} {
		c.wants(r.status, r.method, r.path, r.body)
	}
	for _, key := range []string{misplaced(), c.key + "x", c.key[:len(c.key)-1] + "_", c.Host.ProxySecret().Reveal(), c.Host.APIKey().Reveal()} {
		if status, _ := c.ask(key, "GET", "/v1/accounts", ""); status != 401 {
			c.t.Errorf("with a wrong key: %d, want 401", status)
		}
	}
	c.dump()
}

// echoedImports imports, tests and gets tokens while the service and the host repeat all they are told.
func (c *canary) echoedImports() {
	c.t.Helper()
	for _, e := range echoes() {
		c.Service.Play(answering(e, demo.OpToken, demo.OpProfile, demo.OpUserinfo, demo.OpRevoke))
		c.ask(c.key, "POST", "/v1/accounts", fmt.Sprintf(`{"user_id":%q,"auth_id":%q,"credential":{"access_token":%q}}`, c.user(), demo.NotesOAuth2, c.mint("access token that is shown")))
		c.Service.Play(demo.Script{})
	}
	account := c.session(demo.NotesOAuth2)
	for i, e := range echoes() {
		c.Service.Play(answering(e, demo.OpProfile, demo.OpUserinfo, demo.OpToken))
		c.ask(c.key, "POST", "/v1/accounts/"+account+"/test", "")
		c.ask(c.key, "GET", "/v1/accounts/"+account, "") // has the last error
		c.Service.Play(demo.Script{})
		if i < 4 {
			c.Host.Play(answering(e, demo.OpUser, demo.OpAdd, demo.OpDelete))
			user := c.user()
			c.ask(c.key, "POST", "/v1/accounts", fmt.Sprintf(`{"user_id":%q,"auth_id":%q,"credential":{"fields":{"api_key":%q}}}`, user, demo.VaultKey, demo.VaultAdaKey))
			c.ask(c.key, "DELETE", "/v1/users/"+user+"/accounts", "")
			c.Host.Play(demo.Script{})
		}
	}
	c.dump()
}
