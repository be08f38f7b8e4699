package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
)

func TestTicketPage(t *testing.T) {
	b := newBench(t)
	w := b.asBrowser("GET", "/connect/"+aTicket)
	if w.Code != http.StatusOK || !isPage(w) {
		t.Fatalf("got %d %q, want a page", w.Code, w.Header().Get("Content-Type"))
	}
	for _, want := range []string{"GitHub", "Alice", `action="/connect/` + aTicket + `"`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if diff := cmp.Diff([]string{"Open " + aTicket + " " + aBrowser}, b.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestLanguage(t *testing.T) {
	b := newBench(t)
	w := b.do("GET", "/connect/"+aTicket, "", "Accept-Language", "ar-EG,en;q=0.5")
	if !strings.Contains(w.Body.String(), `<html lang="ar" dir="rtl">`) || w.Header().Get("Content-Language") != "ar" {
		t.Errorf("got %.80s in %q, want Arabic", w.Body, w.Header().Get("Content-Language"))
	}
}

func TestContinue(t *testing.T) {
	b := newBench(t)
	w := b.asBrowser("POST", "/connect/"+aTicket)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != b.address {
		t.Errorf("got %d %q, want 303 %q", w.Code, w.Header().Get("Location"), b.address)
	}
	if diff := cmp.Diff([]string{"Continue " + aTicket + " " + aBrowser}, b.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestCallback(t *testing.T) {
	b := newBench(t)
	w := b.asBrowser("GET", "/callback/gh?code=the-code&state="+aState+"&iss=https%3A%2F%2Fgithub.example&scope=ignored")
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/connect/"+aTicket+"/result" {
		t.Errorf("got %d %q, want 303 to the result", w.Code, w.Header().Get("Location"))
	}
	if diff := cmp.Diff([]string{"Complete gh " + aBrowser + " " + aState}, b.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if b.cb.Code.Reveal() != "the-code" || b.cb.Issuer != "https://github.example" || b.cb.Error != "" {
		t.Errorf("got callback %+v", b.cb)
	}
	if got := w.Header().Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("got Referrer-Policy %q on the redirect, want no-referrer", got)
	}
}

func TestCallbackError(t *testing.T) {
	b := newBench(t)
	b.asBrowser("GET", "/callback/gh?error=access_denied&error_description=no&state="+aState)
	if b.cb.Error != "access_denied" || !b.cb.Code.IsZero() {
		t.Errorf("got callback %+v", b.cb)
	}
}

// TestCallbackOAuth1: RFC 5849 §2.2 names no error; those who deny say so in ways of their own.
func TestCallbackOAuth1(t *testing.T) {
	for query, want := range map[string]string{
		"oauth_token=t&oauth_verifier=v": "t v ",
		"oauth_token=t":                  "t  ",
		"denied=t":                       "  access_denied",
		"denied=":                        "  access_denied",
		"denied=t&oauth_token=t&oauth_verifier=v":    "t v access_denied",
		"denied=t&error=server_error":                "  server_error",
		"denied=t&code=an-oauth-2-service-says-this": "  ",
	} {
		b := newBench(t)
		b.asBrowser("GET", "/callback/gh?state="+aState+"&"+query)
		if got := b.cb.OAuthToken.Reveal() + " " + b.cb.OAuthVerifier.Reveal() + " " + b.cb.Error; got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
}

func TestCallbackRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, query string
		want        int
	}{
		{"no state", "code=c", 410},
		{"empty state", "code=c&state=", 410},
		{"long state", "code=c&state=" + aState + "A", 410},
		{"strange state", "code=c&state=" + strings.Repeat("+", len(aState)), 410},
		{"state twice", "code=c&state=" + aState + "&state=" + aState, 400},
		{"code twice", "code=c&code=d&state=" + aState, 400},
		{"iss twice", "code=c&iss=a&iss=b&state=" + aState, 400},
		{"error twice", "error=a&error=b&state=" + aState, 400},
		{"oauth_token twice", "oauth_token=a&oauth_token=b&oauth_verifier=v&state=" + aState, 400},
		{"oauth_verifier twice", "oauth_token=a&oauth_verifier=v&oauth_verifier=w&state=" + aState, 400},
		{"denied twice", "denied=a&denied=b&state=" + aState, 400},
		{"broken encoding", "code=%zz&state=" + aState, 400},
		{"semicolons", "code=c;state=" + aState, 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			w := b.asBrowser("GET", "/callback/gh?"+tc.query)
			if w.Code != tc.want || !isPage(w) {
				t.Errorf("got %d, want a page with %d", w.Code, tc.want)
			}
			if len(b.calls) > 0 {
				t.Errorf("got calls %v, want none", b.calls)
			}
		})
	}
}

// TestErrorsToTheBrowser is the table of what a browser is shown: always a page, each its own.
func TestErrorsToTheBrowser(t *testing.T) {
	down := errors.New("dial tcp 10.0.0.7:6379: refused")
	for _, tc := range []struct {
		err     error
		status  int
		problem string
	}{
		{connect.ErrExpired, 410, "expired"},
		{connect.ErrUsed, 409, "used"},
		{connect.ErrWrongBrowser, 403, "wrong_browser"},
		{connect.ErrWrongConnection, 400, "wrong_connection"},
		{connect.ErrUnknownConnection, 404, "not_found"},
		{connect.ErrTooMany, 429, "too_many"},
		{fmt.Errorf("asking: %w", &connect.UnavailableError{System: "Redis", Err: down}), 503, "unavailable"},
		{connect.ErrHostRefuses, 502, "internal"},
		{down, 500, "internal"},
	} {
		t.Run(tc.err.Error(), func(t *testing.T) {
			for _, call := range []struct{ method, path string }{
				{"GET", "/connect/" + aTicket}, {"POST", "/connect/" + aTicket},
				{"GET", "/connect/" + aTicket + "/result"}, {"GET", "/callback/gh?state=" + aState},
			} {
				b := newBench(t)
				b.err = tc.err
				w := b.asBrowser(call.method, call.path)
				page := w.Body.String()
				if w.Code != tc.status || !isPage(w) || !strings.Contains(page, `data-problem="`+tc.problem+`"`) {
					t.Errorf("%s %s: got %d %.60q, want the page of %s with %d", call.method, call.path, w.Code, page, tc.problem, tc.status)
				}
				if got := w.Header().Get("Retry-After") != ""; got != (tc.status == 429 || tc.status == 503) {
					t.Errorf("%s: got Retry-After: %v", call.path, got)
				}
				if got := strings.Contains(page, w.Header().Get(requestIDHeader)); got != (tc.status >= 500) {
					t.Errorf("%s: got the request id on the page: %v", call.path, got)
				}
				if strings.Contains(page, "10.0.0.7") {
					t.Errorf("%s: got the error's own words on the page", call.path)
				}
			}
		})
	}
}

func TestBrowserPathParameters(t *testing.T) {
	for _, tc := range []struct {
		path string
		want int
	}{
		{"/connect/" + strings.Repeat("t", 129), 410},
		{"/connect/a%2Fb", 410},
		{"/connect/a%00b", 410},
		{"/connect/%2e%2e/result", 410},
		{"/connect/%2e%2e/code", 410},
		{"/connect/", 404},
		{"/connect/" + aTicket + "/", 404},
		{"/connect/" + aTicket + "/result/more", 404},
		{"/callback/" + strings.Repeat("a", 257) + "?state=" + aState, 404},
		{"/callback/", 404},
		{"/", 404},
		{"/favicon.ico", 404},
		{"/metrics", 404},
		{"/healthz", 404},
	} {
		t.Run(tc.path, func(t *testing.T) {
			b := newBench(t)
			w := b.asBrowser("GET", tc.path)
			if w.Code != tc.want || !isPage(w) {
				t.Errorf("got %d, want a page with %d", w.Code, tc.want)
			}
			if len(b.calls) > 0 {
				t.Errorf("got calls %v, want none", b.calls)
			}
		})
	}
}

func TestHeadTouchesNothing(t *testing.T) {
	for _, path := range []string{"/connect/" + aTicket, "/connect/" + aTicket + "/result", "/connect/" + aTicket + "/code", "/callback/gh?code=c&state=" + aState} {
		b := newBench(t)
		w := b.do("HEAD", path, "")
		if w.Code != http.StatusOK || w.Body.Len() > 0 || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: got %d, %d bytes, cookie %q", path, w.Code, w.Body.Len(), w.Header().Get("Set-Cookie"))
		}
		if len(b.calls) > 0 {
			t.Errorf("%s: got calls %v, want none", path, b.calls)
		}
	}
}

// TestHostHeaderIsNeverUsed: no address that we build comes from what a client says we are called.
func TestHostHeaderIsNeverUsed(t *testing.T) {
	for _, call := range []struct{ method, path string }{
		{"POST", "/auth/gh"}, {"GET", "/connect/" + aTicket}, {"GET", "/connect/" + aTicket + "/result"},
		{"GET", "/callback/gh?code=c&state=" + aState}, {"GET", "/nowhere"},
	} {
		b := newBench(t)
		r := httptest.NewRequest(call.method, "http://evil.example"+call.path, nil)
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "X-Original-Url", "X-Rewrite-Url", "X-Http-Method-Override"} {
			r.Header.Set(name, "evil.example")
		}
		r.Header.Set("blink-auth-proxysecret", proxySecret)
		r.Header.Set("blink-auth-userid", "alice")
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		var all strings.Builder
		_ = w.Header().Write(&all) // a strings.Builder
		if strings.Contains(all.String()+w.Body.String(), "evil.example") {
			t.Errorf("%s: got the client's host in the answer", call.path)
		}
	}
}

// TestTryAgainIsOfferedWhileItIsAllowed: a session that is spent leads nowhere any more.
func TestTryAgainIsOfferedWhileItIsAllowed(t *testing.T) {
	for _, spent := range []bool{false, true} {
		b := newBench(t)
		b.result = connect.Result{State: connect.Failed, Reason: connect.Denied, Spent: spent}
		w := b.asBrowser("GET", "/connect/"+aTicket+"/result")
		if offered := strings.Contains(w.Body.String(), `id="retry"`); offered == spent {
			t.Errorf("spent %v: offered %v", spent, offered)
		}
	}
}
