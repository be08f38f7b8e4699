package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"

	"linkgate/oauthstate"
)

// recorded puts a proxy in front of Linkgate, at its public address: it remembers every answer,
// and the secrets of those who ask.
func (c *canary) recorded() option {
	return func(s *setup) {
		env := s.env
		listener, err := net.Listen("tcp", env["ADDR"])
		if err != nil {
			c.t.Fatal(err)
		}
		env["ADDR"] = freeAddr(c.t)
		target := &url.URL{Scheme: "http", Host: env["ADDR"]}
		proxy := &httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(target)
				p.Out.Host, p.Out.URL.RawQuery = p.In.Host, p.In.URL.RawQuery
				c.knowRequest(p.In)
			},
			ModifyResponse: c.record,
			ErrorLog:       slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // Linkgate is killed at times
		}
		server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: proxy}}
		server.Start()
		c.t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	}
}

// knowRequest remembers the cookies and, of a callback, what the service gave the browser.
func (c *canary) knowRequest(r *http.Request) {
	for _, cookie := range r.Cookies() {
		if len(cookie.Value) >= shortestBytes {
			c.know("cookie", cookie.Value)
		}
	}
	if key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); len(key) >= shortestBytes {
		c.know("what a back end has shown", key)
	}
	if !strings.HasPrefix(r.URL.Path, "/callback/") {
		return
	}
	for _, name := range []string{"state", "code"} {
		if value := r.URL.Query().Get(name); len(value) >= shortestBytes {
			c.know(name, value)
		}
	}
}

// record remembers an answer, all of it but for the headers in which the protocol puts secrets.
func (c *canary) record(answer *http.Response) error {
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	for _, cookie := range answer.Cookies() {
		c.know("cookie", cookie.Value)
	}
	header := answer.Header.Clone()
	header.Del("Location")
	header.Del("Set-Cookie")
	header.Del("Date") // or each answer is a haystack of its own
	header.Del("X-Request-Id")
	var all bytes.Buffer
	_ = header.Write(&all) // a buffer can't fail
	path := answer.Request.URL.Path
	k, name := kindOf(path, answer.Header.Get("Content-Type")), fmt.Sprintf("%s %s %d", answer.Request.Method, path, answer.StatusCode)
	if k == inAnswer && strings.HasPrefix(path, "/v1/accounts/") && strings.HasSuffix(path, "/token") {
		c.see(k, name+" headers", all.Bytes())
		c.see(k, name, body, c.told(body)...)
		return nil
	}
	all.Write(body)
	c.see(k, name, all.Bytes(), c.belonging(path, body)...)
	return nil
}

// kindOf is where an answer is.
func kindOf(path, contentType string) kind {
	isJSON := strings.HasPrefix(contentType, "application/json")
	switch {
	case strings.HasPrefix(contentType, "application/problem+json"):
		return inProblem
	case strings.HasPrefix(contentType, "text/event-stream"):
		return inStream
	case isJSON && strings.HasPrefix(path, "/v1/"):
		return inAnswer
	case isJSON:
		return inEnvelope
	}
	return inPage
}

// told is the credential that a body is for. A refresh token is not.
func (c *canary) told(body []byte) (own []string) {
	var token struct {
		AccessToken string `json:"access_token"`
		TokenSecret string `json:"token_secret"`
	}
	if json.Unmarshal(body, &token) != nil {
		return nil
	}
	for _, s := range []string{token.AccessToken, token.TokenSecret} {
		if len(s) >= shortestBytes {
			c.know("credential told to a back end", s)
			own = append(own, s)
		}
	}
	return own
}

var finishTokens = regexp.MustCompile(`linkgate\.auth\.finish\.([A-Za-z0-9_-]+)`)

// belonging is what an answer may hold: the ticket that it opens a session with, or of the session
// whose page it is, and the finish token that such a page posts.
func (c *canary) belonging(path string, body []byte) (own []string) {
	var e struct {
		Data struct {
			URL string `json:"authorization_url"`
		} `json:"data"`
		URL string `json:"authorization_url"` // of a back end's session
	}
	if json.Unmarshal(body, &e) == nil {
		switch {
		case strings.HasPrefix(path, "/auth/"), strings.HasPrefix(path, "/call/"):
			path = strings.TrimPrefix(e.Data.URL, c.Linkgate.env["PUBLIC_URL"])
		case path == "/v1/sessions":
			path = strings.TrimPrefix(e.URL, c.Linkgate.env["PUBLIC_URL"])
		}
	}
	rest, ok := strings.CutPrefix(path, "/connect/")
	if !ok {
		return nil
	}
	ticket, _, _ := strings.Cut(rest, "/")
	if len(ticket) >= shortestBytes {
		c.know("ticket", ticket)
		own = append(own, ticket)
	}
	for _, found := range finishTokens.FindAllSubmatch(body, -1) {
		token := string(found[1])
		c.know("finish token", token)
		if session, ok := oauthstate.SessionOf(token); ok && session == oauthstate.IDOf(ticket) {
			own = append(own, token)
		}
	}
	return own
}
