package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"linkgate/demo"
)

// asked is a request as a careless server repeats it in its answer.
type asked struct {
	whole       string   // as it came, credentials of Basic authentication in the clear
	credentials []string // one by one
}

func read(r *http.Request) asked {
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		return asked{whole: err.Error()}
	}
	a := asked{whole: string(dump)}
	if _, password, ok := r.BasicAuth(); ok {
		if plain, err := url.QueryUnescape(password); err == nil {
			a.add(plain)
		}
	}
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		a.add(bearer)
	}
	for _, name := range []string{"code", "code_verifier", "client_secret", "token", "refresh_token"} {
		a.add(r.PostForm.Get(name))
	}
	var body map[string]any
	if _, after, ok := bytes.Cut(dump, []byte("\r\n\r\n")); ok && json.Unmarshal(after, &body) == nil {
		for _, name := range []string{"access_token", "refresh_token"} {
			s, _ := body[name].(string)
			a.add(s)
		}
	}
	return a
}

func (a *asked) add(credential string) {
	if credential != "" {
		a.credentials = append(a.credentials, credential)
		a.whole += "\n" + credential
	}
}

// credential is the one at i, counted round and round.
func (a *asked) credential(i int) string {
	if len(a.credentials) == 0 {
		return "none"
	}
	return a.credentials[i%len(a.credentials)]
}

// echo is an answer that repeats the request.
type echo struct {
	name string
	make func(asked) demo.Fault
}

// echoes are what a careless service or host, or something in between, may answer.
func echoes() []echo {
	all := []echo{
		{"a page with 200", func(a asked) demo.Fault {
			f := demo.HTML(200)
			f.Body += a.whole + html.EscapeString(a.whole)
			return *f
		}},
		{"a page with 502", func(a asked) demo.Fault {
			f := demo.HTML(502)
			f.Body += a.whole
			return *f
		}},
		{"JSON cut short", func(a asked) demo.Fault { return *demo.Answer(200, `{"access_token":"`+a.whole) }},
		{"JSON of other types", func(a asked) demo.Fault {
			return *demo.Answer(200, inWords(map[string]any{
				"access_token": []string{a.whole}, "expires_in": a.whole, "error": map[string]string{"message": a.whole},
				"code": []string{a.whole}, "data": a.whole, "sub": a.whole, "account": a.whole,
			}))
		}},
		{"headers", func(a asked) demo.Fault {
			text := strings.Join(a.credentials, " ")
			return demo.Fault{Status: 503, Body: text, Header: http.Header{
				"Retry-After": {text}, "Content-Type": {text}, "Www-Authenticate": {text}, "X-Request-Id": {text}, "Set-Cookie": {"a=" + text},
			}}
		}},
		{"a redirect", func(a asked) demo.Fault {
			return *demo.Redirect(307, "http://127.0.0.1:9/?"+url.QueryEscape(a.whole))
		}},
	}
	for i, status := range []int{400, 401, 403, 200} {
		all = append(all, echo{fmt.Sprintf("an error that is a credential, with %d", status), func(a asked) demo.Fault {
			return *demo.Answer(status, inWords(map[string]any{
				"error": a.credential(i), "error_description": a.whole, "error_uri": a.whole,
				"code": a.credential(i), "message": a.whole, "data": map[string]string{"id": a.whole},
			}))
		}})
	}
	return all
}

func inWords(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// answering makes a script that gives some operations an echo for an answer.
func answering(e echo, ops ...string) demo.Script {
	return demo.Script{Fault: func(op string, r *http.Request) *demo.Fault {
		if !slices.Contains(ops, op) {
			return nil
		}
		f := e.make(read(r))
		return &f
	}}
}

// nameless makes the service leave names out of its ID tokens, so that it is asked for them.
func nameless(token *demo.IDToken) {
	delete(token.Claims, "name")
	delete(token.Claims, "preferred_username")
}

// faults is everything that goes wrong at the service and at the host.
func (c *canary) faults() {
	c.t.Helper()
	for _, e := range echoes() {
		c.tokenFault(e.name, answering(e, demo.OpToken))
		c.echoedToken(e)
		c.echoedAccount(e)
	}
	for _, e := range echoes()[4:8] { // each takes a second: the host is asked again
		c.echoedReading(e)
	}
	for _, f := range []demo.Fault{
		{Drop: true}, {Drop: true, Done: true}, {Status: 429, Header: http.Header{"Retry-After": {"1"}}},
		{Endless: true}, {Status: 500, Done: true}, {Status: 400, Done: true},
	} {
		c.tokenFault(fmt.Sprintf("%+v", f), demo.Script{Fault: demo.Only(demo.OpToken, -1, f)})
	}
	for _, body := range c.badTokens() {
		c.tokenFault(body, demo.Script{Fault: demo.Only(demo.OpToken, -1, *demo.Answer(200, body))})
	}
	c.rawAnswers()
	c.dump()
}

// tokenFault connects while the token endpoint misbehaves.
func (c *canary) tokenFault(name string, script demo.Script) {
	c.t.Helper()
	c.Service.Play(script)
	defer c.Service.Play(demo.Script{})
	before := c.Service.Requests(demo.OpToken)
	for _, authID := range []string{demo.NotesOIDC, demo.NotesOAuth2} {
		wantState(c.t, c.connect(c.t, c.user(), authID, "ada"), "failed")
	}
	if got := c.Service.Requests(demo.OpToken) - before; got != 2 {
		c.t.Errorf("%s: %d token requests, want 2", name, got)
	}
}

// badTokens are token answers that hold secrets of their own, and something that can't be used.
// There are refusals among them, which keep the breaker closed.
func (c *canary) badTokens() (bodies []string) {
	token := func() string { return c.mint("token of a bad answer") }
	odd := func() string { return c.mintOdd("token of a bad answer") }
	refused := inWords(map[string]any{"error": "invalid_grant", "access_token": token(), "refresh_token": token(), "error_description": token()})
	for _, answer := range []map[string]any{
		{"access_token": odd(), "token_type": "bearer"},
		{"access_token": token(), "id_token": token(), "token_type": token()},
		{"access_token": token(), "id_token": token() + "." + token() + "." + token()},
		{"error": token(), "error_uri": token()},
		{"access_token": token(), "refresh_token": token(), "id_token": []string{token()}},
		{"access_token": map[string]string{token(): token()}},
	} {
		bodies = append(bodies, inWords(answer))
	}
	return append(bodies, refused, token(), `{"access_token":`+token()+`}`, `{"access_token":"\u00`+token()+`"}`)
}

// echoedToken connects while those who are shown the access token repeat it.
func (c *canary) echoedToken(e echo) {
	c.t.Helper()
	c.Service.TamperIDToken(nameless)
	c.Service.Play(answering(e, demo.OpUserinfo, demo.OpProfile))
	defer c.Service.TamperIDToken(nil)
	defer c.Service.Play(demo.Script{})
	c.connect(c.t, c.user(), demo.NotesOIDC, "ada") // whose name is told or not
	wantState(c.t, c.connect(c.t, c.user(), demo.NotesOAuth2, "ada"), "failed")
	if c.Service.Requests(demo.OpUserinfo) == 0 || c.Service.Requests(demo.OpProfile) == 0 {
		c.t.Error("nobody was shown the access token")
	}
}

// echoedAccount connects and disconnects while host and service repeat all they are told.
func (c *canary) echoedAccount(e echo) {
	c.t.Helper()
	ctx, user := c.t.Context(), c.user()
	c.Host.Play(answering(e, demo.OpAdd, demo.OpList))
	c.connect(c.t, user, demo.NotesOIDC, "grace")
	c.dumpSQL()
	c.Host.Play(demo.Script{})

	user, before := c.user(), c.Service.Requests(demo.OpRevoke)
	account := c.linked(c.t, user, demo.NotesOAuth2, "grace")
	c.Host.Play(answering(e, demo.OpUpdate))
	c.connect(c.t, user, demo.NotesOAuth2, "grace")
	c.Host.Play(answering(e, demo.OpDelete))
	c.Service.Play(answering(e, demo.OpRevoke))
	_ = c.Host.Disconnect(ctx, user, account.ID) // it is completed later, or not
	eventually(c.t, "the revocation is tried", func() bool { return c.Service.Requests(demo.OpRevoke) > before })
	c.dumpSQL()
	c.Host.Play(demo.Script{})
	c.Service.Play(demo.Script{})
}

// echoedReading has the host repeat what it is asked about users and accounts.
func (c *canary) echoedReading(e echo) {
	c.t.Helper()
	c.Host.Play(answering(e, demo.OpUser, demo.OpGet))
	defer c.Host.Play(demo.Script{})
	wantState(c.t, c.connect(c.t, c.user(), demo.NotesOIDC, "ada"), "linked")
	if got := status(c.Host.Disconnect(c.t.Context(), c.user(), "unknown")); got == 200 {
		c.t.Error("a disconnect of nothing went well")
	}
}
