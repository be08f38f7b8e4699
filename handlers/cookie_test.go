package handlers

import (
	"net/http/httptest"
	"strings"
	"testing"

	"linkgate/connect"
)

// TestCookie: which cookies are believed, and what the others get.
func TestCookie(t *testing.T) {
	for _, tc := range []struct {
		name, publicURL, cookie string
		kept                    bool
		attributes              string
	}{
		{"none", "https://link.example", "", false, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"ours", "https://link.example", "__Host-linkgate=" + aBrowser, true, ""},
		{"among others", "https://link.example", "a=b; __Host-linkgate=" + aBrowser + "; c=d", true, ""},
		{"without the prefix", "https://link.example", "linkgate=" + aBrowser, false, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"twice", "https://link.example", "__Host-linkgate=" + aBrowser + "; __Host-linkgate=" + aBrowser, false, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"empty", "https://link.example", "__Host-linkgate=", false, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"short", "https://link.example", "__Host-linkgate=AAAA", false, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"not base64url", "https://link.example", "__Host-linkgate=" + strings.Repeat("+", 43), false, "; Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"on loopback", "http://127.0.0.1:8080", "", false, "; Path=/; HttpOnly; SameSite=Lax"},
		{"ours on loopback", "http://127.0.0.1:8080", "linkgate=" + aBrowser, true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, func(s *Server) { s.PublicURL = tc.publicURL })
			w := b.do("GET", "/connect/"+aTicket, "", "Cookie", tc.cookie)
			used := strings.TrimPrefix(b.calls[0], "Open "+aTicket+" ")
			if !validBrowser(used) || (used == aBrowser) != tc.kept {
				t.Errorf("got browser %q, kept: want %v", used, tc.kept)
			}
			name := "__Host-linkgate"
			if strings.HasPrefix(tc.publicURL, "http:") {
				name = "linkgate"
			}
			want := ""
			if !tc.kept {
				want = name + "=" + used + tc.attributes
			}
			if got := w.Header().Get("Set-Cookie"); got != want {
				t.Errorf("got Set-Cookie %q, want %q", got, want)
			}
		})
	}
}

func TestCookieIsSetEvenIfOpeningFails(t *testing.T) {
	b := newBench(t)
	b.err = connect.ErrUnavailable // the session may be bound all the same
	if got := b.do("GET", "/connect/"+aTicket, "").Header().Get("Set-Cookie"); got == "" {
		t.Error("got no cookie: a retry would come from another browser")
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
			if seen[used] || used == aState {
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
			b := newBench(t)
			r := httptest.NewRequest("POST", "/connect/"+aTicket, strings.NewReader("form_token="+tc.token))
			r.Host = "internal:8080" // behind a proxy
			for name, value := range map[string]string{
				"Content-Type": "application/x-www-form-urlencoded", "Cookie": "__Host-linkgate=" + aBrowser,
				"Sec-Fetch-Site": tc.site, "Origin": tc.origin,
			} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			w := httptest.NewRecorder()
			b.handler.ServeHTTP(w, r)
			if w.Code != tc.want {
				t.Errorf("got %d, want %d", w.Code, tc.want)
			}
			if called := len(b.calls) > 0; called != (tc.want == 303) {
				t.Errorf("got calls %v", b.calls)
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
