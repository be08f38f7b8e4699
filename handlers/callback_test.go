package handlers

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"linkgate/handlers/inbound"

	"github.com/google/go-cmp/cmp"
)

// post sends a form as a browser does from another site: without our cookie.
func (b *bench) post(path, form string, headers ...string) *httptest.ResponseRecorder {
	return b.do("POST", path, form, append([]string{"Content-Type", urlEncoded, "Origin", "https://service.example",
		"Sec-Fetch-Site", "cross-site"}, headers...)...)
}

const aForm = "code=the-code&iss=https%3A%2F%2Fgithub.example&id_token=x&state="

// TestCallbackPostedFromTheService: without our cookie nobody is called, and the page has all that is
// to be sent on, in itself alone.
func TestCallbackPostedFromTheService(t *testing.T) {
	b := newBench(t)
	w := b.post("/callback/gh", aForm+aState)
	if w.Code != http.StatusOK || !isPage(w) || len(b.calls) > 0 {
		t.Fatalf("got %d after calls %v, want a page and no calls", w.Code, b.calls)
	}
	if got := w.Header().Get("Location") + w.Header().Get("Refresh") + w.Header().Get("Set-Cookie"); got != "" {
		t.Errorf("got headers %q, want none that lead on", got)
	}
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.HasSuffix(policy, "; form-action 'self'") || !strings.Contains(policy, "script-src "+b.server.Pages.ScriptSource()) {
		t.Errorf("got policy %q, want our script, and forms to us alone", policy)
	}
	action, fields := relayed(t, w)
	want := url.Values{"relayed": {"1"}, "state": {aState}, "code": {"the-code"}, "iss": {"https://github.example"}}
	if diff := cmp.Diff(want, fields); diff != "" || action != "/callback/gh" {
		t.Errorf("sent on to %q (-want +got):\n%s", action, diff)
	}
}

// relayed reads a relay page's form.
func relayed(t *testing.T, w *httptest.ResponseRecorder) (action string, fields url.Values) {
	t.Helper()
	fields = url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(w.Body.String(), -1) {
		fields.Add(m[1], m[2])
	}
	m := regexp.MustCompile(`<form method="post" action="([^"]*)"`).FindStringSubmatch(w.Body.String())
	if m == nil {
		t.Fatalf("no form in %s", w.Body)
	}
	return m[1], fields
}

// TestCallbackPostedWithTheCookie completes: from our page, and from a service on our own site.
func TestCallbackPostedWithTheCookie(t *testing.T) {
	for _, from := range []string{"same-origin", "same-site", "cross-site"} {
		b := newBench(t)
		w := b.post("/callback/gh", aForm+aState, "Cookie", aCookie, "Sec-Fetch-Site", from, "Origin", "null")
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/connect/"+aTicket+"/result" {
			t.Errorf("%s: got %d %q, want 303 to the result", from, w.Code, w.Header().Get("Location"))
		}
		if diff := cmp.Diff([]string{"Complete gh " + aBrowser + " " + aState}, b.calls); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", from, diff)
		}
		if b.cb.Code.Reveal() != "the-code" || b.cb.Issuer != "https://github.example" || b.cb.Error != "" {
			t.Errorf("%s: got callback %+v", from, b.cb)
		}
	}
}

// TestCallbackIsSentOnOnce: a browser that sends no cookie even from our own page is told, not sent
// round and round; and whoever leaves our page out gets no further than with the query.
func TestCallbackIsSentOnOnce(t *testing.T) {
	b := newBench(t)
	first := b.post("/callback/gh", "error=access_denied&state="+aState)
	action, fields := relayed(t, first)
	second := b.post(action, fields.Encode(), "Sec-Fetch-Site", "same-origin", "Origin", "null")
	if strings.Contains(second.Body.String(), "<form") {
		t.Error("it is sent on twice")
	}
	if len(b.calls) != 1 || strings.Contains(b.calls[0], aBrowser) || b.cb.Error != "access_denied" {
		t.Errorf("got calls %v with %+v, want one by a browser that nobody knows", b.calls, b.cb)
	}
}

// TestCallbackPostedRefuses what can't be a service's form, and calls nobody for it.
func TestCallbackPostedRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, kind, body string
		want             int
	}{
		{"no state", urlEncoded, "code=c", 410},
		{"strange state", urlEncoded, "code=c&state=" + strings.Repeat("a", len(aState)+1), 410},
		{"state twice", urlEncoded, "code=c&state=" + aState + "&state=" + aState, 400},
		{"code twice", urlEncoded, "code=c&code=d&state=" + aState, 400},
		{"iss twice", urlEncoded, "code=c&iss=a&iss=a&state=" + aState, 400},
		{"error twice", urlEncoded, "error=a&error=b&state=" + aState, 400},
		{"broken encoding", urlEncoded, "code=%zz&state=" + aState, 400},
		{"semicolons", urlEncoded, "code=c;state=" + aState, 400},
		{"JSON", "application/json", `{"code":"c"}`, 400},
		{"parts", "multipart/form-data; boundary=x", "--x--", 400},
		{"plain text", "text/plain", "code=c&state=" + aState, 400},
		{"no type", "", "code=c&state=" + aState, 400},
		{"large", urlEncoded, "code=" + strings.Repeat("c", inbound.BodyLimit) + "&state=" + aState, 413},
		{"in the address", urlEncoded, "", 410},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, cookie := range []string{"", aCookie} {
				b := newBench(t)
				w := b.do("POST", "/callback/gh?code=c&state="+aState, tc.body, "Content-Type", tc.kind, "Cookie", cookie)
				if w.Code != tc.want || !isPage(w) || strings.Contains(w.Body.String(), "<form") {
					t.Errorf("got %d, want a page with %d and no form", w.Code, tc.want)
				}
				if len(b.calls) > 0 {
					t.Errorf("got calls %v, want none", b.calls)
				}
			}
		})
	}
}

// TestCallbackPostedIsNotLogged: what the form carries is in no line.
func TestCallbackPostedIsNotLogged(t *testing.T) {
	b := newBench(t)
	b.post("/callback/gh", aForm+aState)
	b.post("/callback/gh", aForm+aState, "Cookie", aCookie)
	for _, secret := range []string{"the-code", aState} {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, b.log)
		}
	}
}

// TestCallbackPostedWithoutLength is bounded all the same.
func TestCallbackPostedWithoutLength(t *testing.T) {
	b := newBench(t)
	r := httptest.NewRequest("POST", "/callback/gh", strings.NewReader("state="+aState+"&code="+strings.Repeat("c", inbound.BodyLimit)))
	r.ContentLength = -1
	r.Header.Set("Content-Type", urlEncoded)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || len(b.calls) > 0 {
		t.Errorf("got %d after calls %v, want 413 and none", w.Code, b.calls)
	}
}
