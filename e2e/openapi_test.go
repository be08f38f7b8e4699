package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"linkgate/demo"
)

// unprovoked are the problems that TestConformance does not bring about, and where they are tested.
var unprovoked = map[string]string{
	"in-progress":     "idempotency",
	"no-answer":       "idempotency",
	"unavailable":     "handlers",
	"internal":        "handlers",
	"no-target":       "call",
	"bad-request":     "handlers: a body that breaks off",
	"timeout":         "call: it takes as long as the time-out",
	"service-refused": "connect, call",
	"host-refused":    "connect",
}

// unprovokedAt are those that it brings about at other operations.
var unprovokedAt = map[string]string{
	"callGet payload-too-large": "call: forms to OAuth 1",
}

// TestConformance drives a running Linkgate through every operation and what can go wrong with each,
// and holds every request and answer against the document that it serves. In the end everything that
// the document promises must have been seen.
func TestConformance(t *testing.T) {
	t.Parallel()
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.FileBodyDecoder)
	w := newWorld(t, offering(time.Hour), with("HOST_FINISH", "true"), with("SESSION_ORIGINS", "https://app.example"),
		with("API_KEYS", fullKey+","+emptyKey+"=users:delete,"+busyKey))
	d := describedBy(t, w)
	c := &conformance{described: d}
	c.connectByRelay()
	c.imports()
	c.accounts()
	c.components()
	c.calls()
	c.everywhere()
	c.nowhere()
	c.tooMany()
	c.ends()
	c.verdict()
}

type conformance struct {
	*described
	account string // ada's
	token   string // of it
}

// connectByRelay has ada connect in a session of a back end, whose end is relayed.
func (c *conformance) connectByRelay() {
	t, body := c.t, `{"user_id":"ada","auth_id":"notes","component_id":"flow-1","origin":"https://app.example","return_url":"https://app.example/done"}`
	opened := c.wants(t, "201", post("/v1/sessions", body).with("Idempotency-Key", "open-1"))
	again := c.wants(t, "201", post("/v1/sessions", body).with("Idempotency-Key", "open-1"))
	if string(again.body) != string(opened.body) {
		t.Errorf("the same key got another answer: %s", again.body)
	}
	c.wants(t, "409 idempotency-conflict", post("/v1/sessions", `{"user_id":"grace","auth_id":"notes"}`).with("Idempotency-Key", "open-1"))
	c.wants(t, "400 origin-not-allowed", post("/v1/sessions", `{"user_id":"ada","auth_id":"notes","origin":"https://evil.example"}`))
	c.wants(t, "400 bad-scopes", post("/v1/sessions", `{"user_id":"ada","auth_id":"vault-key","scopes":["x"]}`))
	c.wants(t, "404 not-found", post("/v1/sessions", `{"user_id":"ada","auth_id":"nowhere"}`))

	finish := func(opened apiAnswer, user, token string) apiRequest {
		return post("/v1/sessions/"+opened.text(t, "id")+"/finish", fmt.Sprintf(`{"user_id":%q,"finish_token":%q}`, user, token))
	}
	forwarded := c.wants(t, "201", post("/v1/sessions", body))
	c.wants(t, "403 wrong-user", finish(forwarded, "grace", c.relayed(forwarded.text(t, "authorization_url"))))

	at := "/v1/sessions/" + opened.text(t, "id")
	c.wants(t, "200", get(at))
	token := c.relayed(opened.text(t, "authorization_url"))
	c.finished(finish(opened, "ada", token).with("Idempotency-Key", "finish-1"))
	c.wants(t, "409 idempotency-conflict", finish(opened, "grace", token).with("Idempotency-Key", "finish-1"))
	c.wants(t, "410 session-expired", post("/v1/sessions/nosuch/finish", `{"user_id":"ada","finish_token":"x"}`))
	c.wants(t, "410 session-expired", get("/v1/sessions/nosuch"))
	ended := c.wants(t, "200", get(at+"?wait=30s"))
	c.account = ended.text(t, "account_id")
	if stream := c.wants(t, "200", get(at).with("Accept", "text/event-stream")); !strings.HasPrefix(string(stream.body), "event: status\ndata: {") {
		t.Errorf("got %s", stream.body)
	}
}

func (c *conformance) finished(a apiRequest) {
	c.t.Helper()
	if got := c.wants(c.t, "200", a).text(c.t, "status"); got != "linked" {
		c.t.Fatalf("got status %q, want linked", got)
	}
}

// relayed signs in up to where the result page posts a finish token, and returns that.
func (c *conformance) relayed(address string) string {
	c.t.Helper()
	page, err := demo.NewBrowser().SignIn(c.t.Context(), address, "ada")
	if err != nil {
		c.t.Fatal(err)
	}
	_, rest, found := strings.Cut(page.Body, "linkgate.auth.finish.")
	token, _, _ := strings.Cut(rest, `"`)
	if !found || token == "" {
		c.t.Fatalf("the page has no finish token:\n%s", page.Body)
	}
	return token
}

func (c *conformance) imports() {
	t := c.t
	c.wants(t, "200", get("/v1/connections"))
	at := "/v1/accounts/" + c.account + "/token"
	c.token = c.wants(t, "200", post(at, `{"min_valid_seconds":60}`).with("Idempotency-Key", "token-1")).text(t, "access_token")
	c.wants(t, "200", post(at, ""))
	c.wants(t, "409 idempotency-conflict", post(at, `{}`).with("Idempotency-Key", "token-1"))
	c.wants(t, "404 not-found", post("/v1/accounts/nosuch/token", ""))

	take := func(query, credential, more string) apiRequest {
		return post("/v1/accounts"+query, fmt.Sprintf(`{"user_id":"grace","auth_id":"notes-oauth2","credential":%s%s}`, credential, more))
	}
	good := fmt.Sprintf(`{"access_token":%q}`, c.token)
	c.wants(t, "201", take("", good, `,"display_name":"Work","metadata":{"plan":"pro"}`).with("Idempotency-Key", "take-1"))
	c.wants(t, "409 idempotency-conflict", take("", good, "").with("Idempotency-Key", "take-1"))
	c.wants(t, "200", take("?validate_scope=true&request_profile=true", good, ""))
	c.wants(t, "400 invalid-request", take("", `{"token":"a","token_secret":"b"}`, ""))
	c.wants(t, "422 credential-rejected", take("", `{"access_token":"made-up"}`, ""))
	c.wants(t, "422 scopes-missing", take("", fmt.Sprintf(`{"access_token":%q,"scopes":["offline_access"]}`, c.token), ""))
	c.wants(t, "422 profile-needed", take("?request_profile=false", good, ""))
	c.wants(t, "422 other-profile", take("", good, `,"profile":{"external_account_id":"somebody-else"}`))
	c.wants(t, "404 unknown-user", post("/v1/accounts", fmt.Sprintf(`{"user_id":"nobody","auth_id":"notes-oauth2","credential":%s}`, good)))
	c.wants(t, "404 not-found", post("/v1/accounts", fmt.Sprintf(`{"user_id":"grace","auth_id":"nowhere","credential":%s}`, good)))
}

func (c *conformance) accounts() {
	t, at := c.t, "/v1/accounts/"+c.account
	first := c.wants(t, "200", get("/v1/accounts?limit=1&status=linked&status=reauth_required&for_component=flow-1"))
	c.wants(t, "200", get("/v1/accounts?limit=1&status=linked&status=reauth_required&for_component=flow-1&cursor="+first.text(t, "next_cursor")))
	c.wants(t, "400 invalid-request", get("/v1/accounts?user_id=ada&cursor="+first.text(t, "next_cursor")))
	c.wants(t, "200", get("/v1/accounts?user_id=ada&auth_id=notes&component_id=flow-1&external_account_id="+subjectOf("ada")))

	read := c.wants(t, "200", get(at))
	c.wants(t, "304", get(at).with("If-None-Match", read.header.Get("ETag")))
	c.wants(t, "404 not-found", get("/v1/accounts/nosuch"))
	patch := func(path, body string) apiRequest {
		return apiRequest{key: fullKey, method: "PATCH", path: path, body: body}
	}
	c.wants(t, "200", patch(at, `{"display_name":"Mine","metadata":{"a":{"b":1}}}`).with("If-Match", read.header.Get("ETag")))
	c.wants(t, "412 stale", patch(at, `{"display_name":"Theirs"}`).with("If-Match", read.header.Get("ETag")))
	c.wants(t, "200", patch(at, `{"metadata":{"a":null}}`).with("Content-Type", "application/merge-patch+json"))
	c.wants(t, "400 invalid-request", patch(at, `{"status":"linked"}`))
	c.wants(t, "404 not-found", patch("/v1/accounts/nosuch", `{"display_name":"x"}`))

	c.wants(t, "200", post(at+"/test", "").with("Idempotency-Key", "test-1"))
	c.wants(t, "409 idempotency-conflict", post(at+"/test", "{}").with("Idempotency-Key", "test-1"))
	c.wants(t, "404 not-found", post("/v1/accounts/nosuch/test", ""))
	c.wants(t, "200", get("/v1/events?after=0&limit=1000"))
}

func (c *conformance) components() {
	t, bind := c.t, fmt.Sprintf(`{"account_id":%q,"user_id":"ada"}`, c.account)
	c.wants(t, "200", put("/v1/components/flow-2/account", bind))
	c.wants(t, "404 not-found", put("/v1/components/flow-2/account", fmt.Sprintf(`{"account_id":%q,"user_id":"grace"}`, c.account)))
	c.wants(t, "200", get("/v1/components/flow-2/account"))
	c.wants(t, "200", get("/v1/accounts/"+c.account+"/components?limit=1"))
	c.wants(t, "404 not-found", get("/v1/accounts/nosuch/components"))
	c.wants(t, "204", remove("/v1/components/flow-2/account"))
	c.wants(t, "404 not-found", get("/v1/components/flow-2/account"))
	long := strings.Repeat("x", 300)
	c.wants(t, "404 not-found", remove("/v1/components/"+long+"/account"))
	c.wants(t, "404 not-found", remove("/v1/users/"+long+"/accounts"))
}

func (c *conformance) calls() {
	t, at := c.t, "/v1/accounts/"+c.account+"/call"
	c.wants(t, "200", get(at+"/api/me"))
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		c.wants(t, "200", apiRequest{key: fullKey, method: method, path: at + "/api/echo/x", body: "{}"})
	}
	c.wants(t, "403 not-allowed", get(at+"/api/forbidden-for-calls"))
	c.wants(t, "400 bad-path", get(at+"/api//me"))
	c.wants(t, "404 not-connected", get("/v1/accounts/nosuch/call/api/me"))
	c.w.Service.Play(demo.Script{Fault: demo.Only(demo.OpProfile, -1, demo.Fault{Drop: true})})
	c.wants(t, "502 bad-gateway", get(at+"/api/me"))
	c.w.Service.Play(demo.Script{})
}

// everywhere asks each operation in the ways that are wrong for all.
func (c *conformance) everywhere() {
	c.operations(func(method, path string, o *openapi3.Operation) {
		at := strings.NewReplacer("{account_id}", c.account, "{session_id}", "nosuch", "{component_id}", "flow-9", "{user_id}", "nobody", "{path}", "api/me").Replace(path)
		a := apiRequest{key: fullKey, method: method, path: at}
		wrong := emptyKey
		if o.OperationID == "offboardUser" {
			wrong = "" // emptyKey has just this scope; TestScopes asks with others
		}
		c.wants(c.t, "401 unauthorized", a.as("made-up-key-made-up-key-made-up-key"))
		c.wants(c.t, "401 unauthorized", a.as(""))
		if wrong != "" {
			c.wants(c.t, "403 insufficient-scope", a.as(wrong))
		}
		if o.Extensions["x-passes-through"] == nil {
			a.path += "?nonsense=1"
			c.wants(c.t, "400 invalid-request", a)
			a.path = at
		}
		if o.RequestBody != nil {
			a.body = "user_id=ada"
			c.wants(c.t, "415 unsupported-media-type", a.with("Content-Type", "application/x-www-form-urlencoded"))
			a.body = `{"user_id":"` + strings.Repeat("x", 1<<20) + `"}`
			c.wants(c.t, "413 payload-too-large", a)
		}
	})
}

// nowhere asks for what is not there; no operation answers that.
func (c *conformance) nowhere() {
	for want, a := range map[string]apiRequest{
		"405 method-not-allowed": put("/v1/accounts", "{}"), "404 not-found": get("/v1/nowhere"),
	} {
		got := c.send(c.t, a)
		if is := fmt.Sprint(got.status, " ", got.slug); is != want {
			c.t.Errorf("%s %s: got %s, want %s: %s", a.method, a.path, is, want, got.body)
		}
		c.seen["nowhere "+got.slug] = true
	}
}

// tooMany uses a key up.
func (c *conformance) tooMany() {
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 400 {
				if got := c.do(c.t, get("/v1/connections").as(busyKey)); got.status == http.StatusTooManyRequests {
					if n, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || n < 1 {
						c.t.Errorf("got Retry-After %q", got.header.Get("Retry-After"))
					}
					return
				}
			}
		})
	}
	asking.Wait()
}

// ends takes everything back, and has the service and the host fail at it.
func (c *conformance) ends() {
	t, at := c.t, "/v1/accounts/"+c.account
	c.w.Service.Expire(subjectOf("ada"))
	c.w.Service.EndGrant(subjectOf("ada"))
	if got := c.wants(t, "200", post(at+"/test", "")).text(t, "result"); got != "reauth_required" { // a call spares a young token
		t.Errorf("got result %q", got)
	}
	c.wants(t, "409 reauth-required", get(at+"/call/api/me"))
	c.wants(t, "409 reauth-required", post(at+"/token", ""))
	c.w.Host.Play(demo.Script{Fault: demo.Only(demo.OpDelete, -1, *demo.Answer(503, ""))})
	c.wants(t, "202", remove(at))
	c.wants(t, "202", remove("/v1/users/ada/accounts"))
	c.w.Host.Play(demo.Script{})
	eventually(t, "the account is gone", func() bool { return c.do(t, remove(at)).status == http.StatusOK })
	c.wants(t, "200", remove("/v1/users/grace/accounts"))
	c.wants(t, "404 not-found", remove("/v1/accounts/nosuch"))
}

// verdict tells what the document promises and nobody has seen.
func (c *conformance) verdict() {
	c.operations(func(_, _ string, o *openapi3.Operation) {
		for status := range o.Responses.Map() {
			if status != "default" && !c.seen[o.OperationID+" "+status] {
				c.t.Errorf("%s has never answered with %s", o.OperationID, status)
			}
		}
		for _, slug := range problemsOf(c.t, o) {
			_, elsewhere := unprovokedAt[o.OperationID+" "+slug]
			if _, left := unprovoked[slug]; !left && !elsewhere && !c.seen[o.OperationID+" "+slug] {
				c.t.Errorf("%s has never answered with %s", o.OperationID, slug)
			}
		}
	})
	all := map[string]bool{}
	for what := range c.seen {
		_, slug, _ := strings.Cut(what, " ")
		all[slug] = true
	}
	for slug := range c.problems {
		if _, left := unprovoked[slug]; left == all[slug] {
			c.t.Errorf("%s: seen %v, and on the list of what isn't provoked: %v", slug, all[slug], left)
		}
	}
}
