package handlers

import (
	"context"
	"errors"
	"fmt"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
	"linkgate/oauthstate"
)

// TestCookie: which cookies are believed, and what the ticket page answers with.
func TestCookie(t *testing.T) {
	const https, http = "https://link.example", "http://127.0.0.1:8080"
	name, _, _ := strings.Cut(aCookie, "=")
	bare := strings.TrimPrefix(name, "__Host-")
	for _, tc := range []struct {
		name, publicURL, cookie string
		kept                    bool
	}{
		{"none", https, "", false},
		{"ours", https, aCookie, true},
		{"among others", https, "a=b; " + aCookie + "; c=d", true},
		{"beside another session's", https, cookieFor("__Host-linkgate-", "another") + "x; " + aCookie, true},
		{"another session's", https, cookieFor("__Host-linkgate-", "another"), false},
		{"of no session", https, "__Host-linkgate=" + aBrowser, false},
		{"of the whole id", https, "__Host-linkgate-" + oauthstate.IDOf(aTicket) + "=" + aBrowser, false},
		{"without the prefix", https, bare + "=" + aBrowser, false},
		{"twice", https, aCookie + "; " + aCookie, false},
		{"empty", https, name + "=", false},
		{"short", https, name + "=AAAA", false},
		{"not base64url", https, name + "=" + strings.Repeat("+", 43), false},
		{"none on loopback", http, "", false},
		{"ours on loopback", http, bare + "=" + aBrowser, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, func(s *Server) { s.PublicURL = tc.publicURL })
			w := b.do("GET", "/connect/"+aTicket, "", "Cookie", tc.cookie)
			used := strings.TrimPrefix(b.calls[0], "Open "+aTicket+" ")
			if !validBrowser(used) || (used == aBrowser) != tc.kept {
				t.Errorf("got browser %q, kept: want %v", used, tc.kept)
			}
			want := name + "=" + used + "; Path=/; Max-Age=1800; HttpOnly; Secure; SameSite=Lax"
			if tc.publicURL == http {
				want = bare + "=" + used + "; Path=/; Max-Age=1800; HttpOnly; SameSite=Lax"
			}
			if diff := cmp.Diff([]string{want}, w.Header().Values("Set-Cookie")); diff != "" {
				t.Errorf("Set-Cookie (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTwoWindowsAtOnce: neither has a cookie yet when it asks, and both sessions go on.
func TestTwoWindowsAtOnce(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	site, err := url.Parse(publicURL)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	tickets := []string{aTicket, "YW5vdGhlci1hbm90aGVyLWFub3RoZXItYW5vdGhlci0x"}
	for _, ticket := range tickets {
		jar.SetCookies(site, b.do("GET", "/connect/"+ticket, "").Result().Cookies())
	}
	for _, ticket := range tickets {
		var sent []string
		for _, c := range jar.Cookies(site) {
			sent = append(sent, c.Name+"="+c.Value)
		}
		b.do("GET", "/connect/"+ticket+"/result", "", "Cookie", strings.Join(sent, "; "))
	}
	for i, ticket := range tickets {
		opened, asked := strings.Fields(b.calls[i]), strings.Fields(b.calls[i+2])
		if opened[1] != ticket || asked[1] != ticket || opened[2] != asked[2] {
			t.Errorf("window %d: got %v, then %v; want the same browser", i, opened, asked)
		}
	}
	if strings.Fields(b.calls[0])[2] == strings.Fields(b.calls[1])[2] {
		t.Error("got one value for two sessions")
	}
}

// TestCookieWhenOpeningFails: set if the session may be bound all the same, and only then.
func TestCookieWhenOpeningFails(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want bool
	}{
		{connect.ErrUnavailable, true},
		{errors.New("reading name"), true},
		{context.DeadlineExceeded, true},
		{connect.ErrUnknownConnection, true},
		{connect.ErrExpired, false},
		{connect.ErrUsed, false},
		{fmt.Errorf("opening: %w", connect.ErrWrongBrowser), false},
	} {
		b := newBench(t)
		b.err = tc.err
		if got := b.do("GET", "/connect/"+aTicket, "").Header().Get("Set-Cookie"); (got != "") != tc.want {
			t.Errorf("%v: got Set-Cookie %q, want one: %v", tc.err, got, tc.want)
		}
	}
}

// TestNoCookieIsNobody: without a cookie the use cases get a value that no session is bound to.
func TestNoCookieIsNobody(t *testing.T) {
	for _, call := range []struct{ method, path string }{
		{"POST", "/connect/" + aTicket}, {"GET", "/connect/" + aTicket + "/result"}, {"GET", "/callback/gh?code=c&state=" + aState},
	} {
		seen := map[string]bool{"": true}
		for range 2 {
			b := newBench(t)
			w := b.do(call.method, call.path, "")
			fields := strings.Fields(b.calls[0])
			used := fields[2]
			if seen[used] || !validBrowser(used) {
				t.Errorf("%s: got browser %q, want a new one each time", call.path, used)
			}
			seen[used] = true
			if got := w.Header().Get("Set-Cookie"); got != "" {
				t.Errorf("%s: got Set-Cookie %q, want none", call.path, got)
			}
		}
	}
}

// TestCrossSiteForms: who may send the form, by what browsers say about where it comes from.
func TestCrossSiteForms(t *testing.T) {
	ours := formToken(aBrowser)
	for _, tc := range []struct {
		name, site, origin, token string
		want                      int
	}{
		{"our page", "same-origin", "null", "", 303},
		{"our page, with its origin", "same-origin", publicURL, "", 303},
		{"typed by the user", "none", "", "", 303},
		{"no browser", "", "", "", 303},
		{"old browser, our page", "", publicURL, "", 303},
		{"old browser, our page without referrer", "", "null", ours, 303},

		{"another site", "cross-site", "https://evil.example", "", 403},
		{"another site that knows the token", "cross-site", "null", ours, 403},
		{"a neighbour", "same-site", "https://other.example", "", 403},
		{"nonsense", "Same-Origin", "https://evil.example", "", 403},
		{"old browser, another site", "", "https://evil.example", ours, 403},
		{"old browser, sandboxed frame", "", "null", "", 403},
		{"old browser, token of another", "", "null", formToken("x"), 403},
		{"old browser, other port", "", publicURL + ":8443", ours, 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, path := range []string{"/connect/" + aTicket, "/connect/" + aTicket + "/code"} {
				b := newBench(t)
				r := httptest.NewRequest("POST", path, strings.NewReader("form_token="+tc.token))
				r.Host = "internal:8080" // behind a proxy
				for name, value := range map[string]string{
					"Content-Type": "application/x-www-form-urlencoded", "Cookie": aCookie,
					"Sec-Fetch-Site": tc.site, "Origin": tc.origin,
				} {
					if value != "" {
						r.Header.Set(name, value)
					}
				}
				w := httptest.NewRecorder()
				b.handler.ServeHTTP(w, r)
				if w.Code != tc.want {
					t.Errorf("%s: got %d, want %d", path, w.Code, tc.want)
				}
				if called := len(b.calls) > 0; called != (tc.want == 303) {
					t.Errorf("%s: got calls %v", path, b.calls)
				}
			}
		})
	}
}

func TestFormTokenRevealsNothing(t *testing.T) {
	b := newBench(t)
	page := b.asBrowser("GET", "/connect/"+aTicket).Body.String()
	if !strings.Contains(page, formToken(aBrowser)) {
		t.Error("the form has no token")
	}
	if strings.Contains(page, aBrowser) {
		t.Error("the page shows the browser's cookie")
	}
}
