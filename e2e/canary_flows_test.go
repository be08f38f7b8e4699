package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"linkgate/demo"
	"linkgate/oauthstate"
)

// user is another host user each time: a user may not open many sessions at once.
func (c *canary) user() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users++
	return crowdUser(c.users)
}

// flows is all that users and strangers do while everything works.
func (c *canary) flows() {
	c.t.Helper()
	for _, authID := range []string{demo.NotesOIDC, demo.NotesOAuth2} {
		c.linkAndDisconnect(authID)
		c.stepByStep(authID)
		c.deny(authID)
	}
	c.typeSecrets()
	c.signInElsewhere()
	c.connectTeam()
	c.intrude()
	c.tamper()
	c.misaddress()
	c.malform()
	c.killMidway()
	c.dump()
}

func (c *canary) linkAndDisconnect(authID string) {
	c.t.Helper()
	user := c.user()
	account := c.linked(c.t, user, authID, "ada")
	wantState(c.t, c.connect(c.t, user, authID, "ada"), "linked")
	c.dump()
	if err := c.Host.Disconnect(c.t.Context(), user, account.ID); err != nil {
		c.t.Error(err)
	}
	if got := status(c.Host.Disconnect(c.t.Context(), "grace", account.ID)); got != 404 {
		c.t.Errorf("another user's disconnect: %d, want 404", got)
	}
}

// stepByStep connects and looks into Redis at each step.
func (c *canary) stepByStep(authID string) {
	c.t.Helper()
	user, ctx := c.user(), c.t.Context()
	address, err := c.Host.Connect(ctx, user, authID)
	if err != nil {
		c.t.Fatal(err)
	}
	c.wantPhase(user, oauthstate.New)
	b := demo.NewBrowser()
	page, err := b.Get(ctx, address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.wantPhase(user, oauthstate.Opened)
	b.Stop = func(u *url.URL) bool { return strings.HasPrefix(u.String(), c.Issuer) }
	if page, err = b.Submit(ctx, page, "", nil); err != nil {
		c.t.Fatal(err)
	}
	c.wantPhase(user, oauthstate.Sent)
	b.Stop = nil
	c.Service.Play(demo.Script{Before: func(op string, _ *http.Request) {
		if op == demo.OpToken {
			c.wantPhase(user, oauthstate.Taken)
		}
	}})
	defer c.Service.Play(demo.Script{})
	if page, err = b.Get(ctx, page.URL.String()); err != nil {
		c.t.Fatal(err)
	}
	if page, err = b.Submit(ctx, page, "sign-in", url.Values{"username": {"ada"}, "password": {demo.Password}}); err != nil {
		c.t.Fatal(err)
	}
	if page, err = b.Submit(ctx, page, "allow", nil); err != nil {
		c.t.Fatal(err)
	}
	wantState(c.t, page, "linked")
	c.wantPhase(user, oauthstate.Done)
}

func (c *canary) deny(authID string) {
	c.t.Helper()
	address, err := c.Host.Connect(c.t.Context(), c.user(), authID)
	if err != nil {
		c.t.Fatal(err)
	}
	page, err := demo.NewBrowser().Deny(c.t.Context(), address, "ada")
	if err != nil {
		c.t.Fatal(err)
	}
	wantState(c.t, page, "failed")
}

// intrude uses the tickets, callbacks, states and codes of others.
func (c *canary) intrude() {
	c.t.Helper()
	mine, callback := c.atCallback(c.t, demo.NotesOIDC)
	_, theirs := c.atCallback(c.t, demo.NotesOIDC)
	ticket, err := c.Host.Connect(c.t.Context(), c.user(), demo.NotesOIDC)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := demo.NewBrowser().Get(c.t.Context(), ticket); err != nil {
		c.t.Fatal(err)
	}
	with := func(name, value string) string {
		changed, q := *callback, callback.Query()
		q.Set(name, value)
		changed.RawQuery = q.Encode()
		return changed.String()
	}
	state := callback.Query().Get("state")
	for _, step := range []struct {
		what    string
		browser *demo.Browser
		address string
		status  int
	}{
		{"a ticket in a second browser", mine, ticket, 403},
		{"a result in a second browser", mine, ticket + "/result", 403},
		{"a ticket that was never given", mine, ticket[:len(ticket)-4] + "AAAA", 410},
		{"a callback in a second browser", demo.NewBrowser(), callback.String(), 403},
		{"a callback at another connection", mine, strings.Replace(callback.String(), "/callback/notes?", "/callback/notes-oauth2?", 1), 400},
		{"a callback at no connection", mine, strings.Replace(callback.String(), "/callback/notes?", "/callback/nothing?", 1), 400},
		{"a state that was never given", mine, with("state", state[:len(state)-4]+"AAAA"), 410},
		{"another user's state", mine, with("state", theirs.Query().Get("state")), 403},
		{"two states", mine, callback.String() + "&state=" + state, 400},
		{"no state", mine, with("state", ""), 410},
		{"another user's code", mine, with("code", theirs.Query().Get("code")), 200},
		{"the right code, too late", mine, callback.String(), 200},
	} {
		page, err := step.browser.Get(c.t.Context(), step.address)
		if err != nil || page.Status != step.status {
			c.t.Errorf("%s: %d, %v; want %d", step.what, page.Status, err, step.status)
		}
	}
}

// tamper spoils the callback and the ID token on their way.
func (c *canary) tamper() {
	c.t.Helper()
	for _, edit := range []func(url.Values){
		func(q url.Values) { q.Del("iss") },
		func(q url.Values) { q.Set("iss", c.mint("iss of a callback")) },
		func(q url.Values) { q.Del("code") },
		func(q url.Values) { q.Set("error", c.mint("error of a callback")) },
		func(q url.Values) { q.Set("error", q.Get("code")) },
		func(q url.Values) { q.Set("error", "access_denied"); q.Set("error_description", q.Get("code")) },
	} {
		c.Service.TamperRedirect(edit)
		wantState(c.t, c.connect(c.t, c.user(), demo.NotesOIDC, "ada"), "failed")
	}
	c.Service.TamperRedirect(nil)
	for _, spoil := range []func(*demo.IDToken){
		demo.WrongNonce, demo.NoNonce, demo.WrongIssuer, demo.WrongAudience, demo.Expired, demo.AlgNone, demo.ForeignKey,
		func(token *demo.IDToken) { token.Claims["iss"] = c.mintOdd("iss of an ID token") },
		func(token *demo.IDToken) { token.Claims["exp"] = c.mintOdd("exp of an ID token") },
		func(token *demo.IDToken) { token.Claims["aud"] = c.mintOdd("aud of an ID token") },
		func(token *demo.IDToken) { token.Claims["at_hash"] = c.mintOdd("at_hash of an ID token") },
	} {
		c.Service.TamperIDToken(spoil)
		wantState(c.t, c.connect(c.t, c.user(), demo.NotesOIDC, "ada"), "failed")
	}
	c.Service.TamperIDToken(nil)
}

// misaddress puts secrets where Linkgate does not want them.
func (c *canary) misaddress() {
	c.t.Helper()
	key, secret := c.Host.APIKey().Reveal(), c.Host.ProxySecret().Reveal()
	const secretName, userName = "Blink-Auth-Proxysecret", "Blink-Auth-Userid"
	for _, r := range []struct {
		method, path string
		header       http.Header
		body         string
		status       int
	}{
		{"GET", "/?access_token=" + key, nil, "", 404},
		{"GET", "/" + c.mint("unknown path") + "?client_secret=" + secret, nil, "", 404},
		{"POST", "/auth/" + c.mint("unknown auth id"), c.proxied("ada"), "", 404},
		{"POST", "/auth/notes?" + key, http.Header{secretName: {c.mint("wrong proxy secret")}, userName: {"ada"}}, "", 401},
		{"POST", "/auth/notes", http.Header{secretName: {secret + "x"}, userName: {"ada"}}, "", 401},
		{"POST", "/auth/notes", http.Header{secretName: {secret, c.mint("second header")}, userName: {"ada"}}, "", 401},
		{"POST", "/auth/notes", http.Header{"Authorization": {"Bearer " + secret}, userName: {"ada"}}, "", 401},
		{"POST", "/auth/notes", http.Header{secretName: {secret}, userName: {secret + "\t" + secret}}, "", 400},
		{"PUT", "/auth/notes?" + key, c.proxied("ada"), "", 405},
		{"DELETE", "/linked-accounts/" + c.mint("unknown account"), c.proxied("ada"), "", 404},
		{"DELETE", "/linked-accounts/" + c.mint("an account to a stranger"), nil, "", 401},
		{"POST", "/auth/notes/finish", c.proxied("ada"), `{"finish_token":"` + c.mint("unknown finish token") + `"}`, 410},
		{"POST", "/auth/notes/finish", c.proxied("ada"), `{"finish_token":` + c.mint("malformed finish token") + `}`, 400},
		{"POST", "/auth/notes/finish", c.proxied("ada"), strings.Repeat(c.mint("long body"), 1<<15), 413},
		{"POST", "/connect/" + c.mint("unknown ticket"), nil, "form_token=" + c.mint("form token"), 410},
		{"POST", "/connect/" + c.mint("unknown ticket"), http.Header{"Sec-Fetch-Site": {"cross-site"}}, "", 403},
		{"GET", "/connect/" + c.mint("unknown ticket"), http.Header{"Cookie": {"linkgate=" + c.mint("malformed cookie")}}, "", 410},
		{"POST", "/callback/notes?code=" + c.mint("code beside a post"), nil, "", 400},
		{"POST", "/callback/notes", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "code=" + c.mint("code without a state"), 410},
		{"POST", "/hooks/sunshine/removed?secret=" + c.mint("wrong removal secret"), nil, "", 401},
		{"GET", "/hooks/sunshine/" + c.mint("wrong removal secret") + "/removed", nil, "", 401},
		{"GET", "/callback/notes?error=" + c.mint("error") + "&state=" + c.mint("unknown state"), nil, "", 410},
		{"GET", "/callback/notes?code=%zz" + c.mint("malformed query"), nil, "", 400},
	} {
		req, err := http.NewRequestWithContext(c.t.Context(), r.method, c.Linkgate.URL(r.path), strings.NewReader(r.body))
		if err != nil {
			c.t.Fatal(err)
		}
		if r.header != nil {
			req.Header = r.header
		}
		answer, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			c.t.Error(err)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode != r.status {
			c.t.Errorf("%s %s: %d, want %d", r.method, r.path, answer.StatusCode, r.status)
		}
	}
}

// malform sends what is no HTTP, or too much of it, to Linkgate itself.
func (c *canary) malform() {
	c.t.Helper()
	long := strings.Repeat("x", 64<<10)
	for _, lines := range []string{
		"GET /?" + c.mint("long header") + " HTTP/1.1\r\nHost: x\r\nCookie: linkgate=" + c.mint("long cookie") + long + "\r\n\r\n",
		"GET /?" + c.mint("long path") + long + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /?" + c.mint("wrong version") + " HTTP/9.9\r\n\r\n",
		c.mint("method") + " /" + c.mint("path") + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n" + c.mint("header without colon") + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: " + c.mint("host") + " x\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + c.mint("length") + "\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + c.mint("encoding") + "\r\n\r\n",
		"POST /auth/notes/finish HTTP/1.1\r\nHost: x\r\nBlink-Auth-Proxysecret: " + c.Host.ProxySecret().Reveal() +
			"\r\nBlink-Auth-Userid: ada\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + c.mint("chunk") + "\r\n",
	} {
		conn, err := net.Dial("tcp", c.Linkgate.env["ADDR"])
		if err != nil {
			c.t.Fatal(err)
		}
		_, _ = io.WriteString(conn, lines) // it may be refused before its end
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			c.t.Errorf("%.40q: %v", lines, err)
			conn.Close()
			continue
		}
		body, _ := io.ReadAll(answer.Body)
		conn.Close()
		if answer.StatusCode < 400 {
			c.t.Errorf("%.40q: %d, want a refusal", lines, answer.StatusCode)
		}
		c.see(inPage, "a refusal", fmt.Appendf(nil, "%s\n%v\n%s", answer.Status, answer.Header, body))
	}
}

// killMidway kills Linkgate while the code is at the service, looks at what is left, and goes on.
func (c *canary) killMidway() {
	c.t.Helper()
	for _, op := range []string{demo.OpToken, demo.OpAdd} {
		die := sync.OnceFunc(c.Linkgate.Kill)
		before := demo.Script{Before: func(asked string, _ *http.Request) {
			if asked == op {
				die()
			}
		}}
		c.Service.Play(before)
		c.Host.Play(before)
		ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
		address, err := c.Host.Connect(ctx, c.user(), demo.NotesOIDC)
		if err != nil {
			c.t.Fatal(err)
		}
		_, _ = demo.NewBrowser().SignIn(ctx, address, "ada") // ends where Linkgate does
		cancel()
		die() // it is dead: this waits for it
		c.dumpFiles()
		c.dumpSQL()
		c.Service.Play(demo.Script{})
		c.Host.Play(demo.Script{})
		c.Linkgate.Start()
	}
}
