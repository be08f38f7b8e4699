package handlers

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"linkgate/connect"
)

// everyBrowserAnswer is one of each kind of answer that a browser can get.
func everyBrowserAnswer(t *testing.T, change ...func(*Server)) map[string]*httptest.ResponseRecorder {
	t.Helper()
	answers := map[string]*httptest.ResponseRecorder{}
	ask := func(name, method, path string, prepare func(*bench)) {
		b := newBench(t, change...)
		if prepare != nil {
			prepare(b)
		}
		answers[name] = b.asBrowser(method, path)
	}
	ask("ticket", "GET", "/connect/"+aTicket, nil)
	ask("continue", "POST", "/connect/"+aTicket, nil)
	ask("result", "GET", "/connect/"+aTicket+"/result", nil)
	for _, r := range []connect.Result{
		{State: connect.Open}, {State: connect.Working}, {State: connect.Relaying}, {State: connect.Relaying, Stalled: true}, {State: connect.Pending},
		{State: connect.Failed, Reason: connect.Denied}, {State: connect.Failed, Reason: connect.FinishedByOther},
	} {
		ask(fmt.Sprintf("result %s %s %v", r.State, r.Reason, r.Stalled), "GET", "/connect/"+aTicket+"/result?relayed=1", func(b *bench) { b.result = r })
	}
	ask("code", "GET", "/connect/"+aTicket+"/code", func(b *bench) { b.code = aCode() })
	ask("by code", "POST", "/connect/"+aTicket+"/code", nil)
	ask("callback", "GET", "/callback/gh?code=c&state="+aState, nil)
	answers["callback posted"] = newBench(t, change...).post("/callback/gh", "code=c&state="+aState)
	ask("head", "HEAD", "/connect/"+aTicket, nil)
	ask("expired", "GET", "/connect/"+aTicket, func(b *bench) { b.err = connect.ErrExpired })
	ask("not found", "GET", "/nowhere", nil)
	ask("method not allowed", "PUT", "/connect/"+aTicket, nil)
	ask("panic", "GET", "/connect/"+aTicket, func(b *bench) { b.panic = "boom" })
	return answers
}

func TestSecurityHeadersOnEveryBrowserAnswer(t *testing.T) {
	for name, w := range everyBrowserAnswer(t) {
		for header, want := range map[string]string{
			"X-Frame-Options":            "DENY",
			"X-Content-Type-Options":     "nosniff",
			"Referrer-Policy":            "no-referrer",
			"Cache-Control":              "no-store",
			"Strict-Transport-Security":  "max-age=31536000",
			"Cross-Origin-Opener-Policy": "",
			"Server":                     "",
		} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: got %s %q, want %q", name, header, got, want)
			}
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action '"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: got policy %q, want %s in it", name, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: got policy %q", name, policy)
		}
		if w.Header().Get("Permissions-Policy") == "" || w.Header().Get(requestIDHeader) == "" {
			t.Errorf("%s: got no Permissions-Policy or request id", name)
		}
	}
}

func TestNoHSTSOnLoopback(t *testing.T) {
	answers := everyBrowserAnswer(t, func(s *Server) { s.PublicURL = "http://127.0.0.1:8080" })
	if got := answers["ticket"].Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("got %q over http, want none", got)
	}
}

// TestOnlyTheTicketPageLeadsToTheService: by a form and by what the policy allows. There the host
// user is named and the warning stands; a form anywhere else would let somebody send a victim's
// window past both.
func TestOnlyTheTicketPageLeadsToTheService(t *testing.T) {
	for name, w := range everyBrowserAnswer(t) {
		policy, page := w.Header().Get("Content-Security-Policy"), w.Body.String()
		want := "'none'"
		switch name {
		case "ticket":
			want = "'self' https:"
		case "callback posted": // it sends on to us what came, and has nothing of its own
			want = "'self'"
		}
		m := regexp.MustCompile(`form-action ([^;]*)`).FindStringSubmatch(policy)
		if m == nil || m[1] != want {
			t.Errorf("%s: got policy %q, want form-action %s", name, policy, want)
		}
		if name == "callback posted" {
			continue
		}
		if got := strings.Contains(page, "<form") || strings.Contains(page, formToken(aBrowser)); got != (name == "ticket") {
			t.Errorf("%s: got a form or its token: %v", name, got)
		}
		for _, who := range []string{`id="host-user"`, ">Alice<", ">alice<", "Only continue if you started this yourself"} {
			if name == "ticket" && !strings.Contains(page, who) {
				t.Errorf("%s: got a form without %q", name, who)
			}
		}
	}
}

func TestScriptOnlyWhereThereIsOne(t *testing.T) {
	for name, w := range everyBrowserAnswer(t) {
		allowed := strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src")
		present := strings.Contains(w.Body.String(), "<script")
		if allowed != present {
			t.Errorf("%s: script allowed %v, present %v", name, allowed, present)
		}
	}
}

// TestFormsMayLeadToAnyService: over https only, unless we are on http ourselves, which is loopback.
func TestFormsMayLeadToAnyService(t *testing.T) {
	for _, c := range []struct {
		https, form bool
		want        string
	}{
		{true, true, "form-action 'self' https:"},
		{false, true, "form-action 'self' https: http:"},
		{true, false, "form-action 'none'"},
		{false, false, "form-action 'none'"},
	} {
		policy := pageHeaders{style: "'sha256-x'", https: c.https}.policy(page{form: c.form})
		if _, got, _ := strings.Cut(policy, "; form-action"); "form-action"+got != c.want {
			t.Errorf("https %v, form %v: got %q, want %q", c.https, c.form, "form-action"+got, c.want)
		}
	}
}
