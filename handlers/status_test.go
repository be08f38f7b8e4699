package handlers

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/connect"
)

// sessionOrigin is the page's that the session was opened for; hostOrigin is another that sessions
// may be opened for.
const sessionOrigin = "https://settings.app.example"

// TestStatusIsForTheSessionsOrigin: a page of any other origin can't read it, whatever it sends.
func TestStatusIsForTheSessionsOrigin(t *testing.T) {
	for _, tc := range []struct {
		name, origin string
		following    connect.Following
		err          error
		readable     bool
	}{
		{"the session's page", sessionOrigin, connect.Following{Origin: sessionOrigin}, nil, true},
		{"another page that sessions may be opened for", hostOrigin, connect.Following{Origin: sessionOrigin}, nil, false},
		{"a stranger", "https://evil.example", connect.Following{Origin: sessionOrigin}, nil, false},
		{"an origin that begins like it", sessionOrigin + ".evil.example", connect.Following{Origin: sessionOrigin}, nil, false},
		{"an origin that is none", "null", connect.Following{Origin: sessionOrigin}, nil, false},
		{"a program", "", connect.Following{Origin: sessionOrigin}, nil, false},
		{"a program, of a session for no page", "", connect.Following{}, nil, false},
		{"over, for a page that sessions may be opened for", hostOrigin, connect.Following{}, connect.ErrExpired, true},
		{"over, for a stranger", "https://evil.example", connect.Following{}, connect.ErrExpired, false},
		{"over, for a program", "", connect.Following{}, connect.ErrExpired, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.following, b.err = tc.following, tc.err
			b.following.State = connect.Open
			var header []string
			if tc.origin != "" {
				header = []string{"Origin", tc.origin}
			}
			w := b.do("GET", "/connect/"+aTicket+"/status", "", header...)
			want := ""
			if tc.readable {
				want = tc.origin
			}
			h := w.Header()
			if got := strings.Join(h.Values("Access-Control-Allow-Origin"), ","); w.Code != http.StatusOK || got != want {
				t.Errorf("got %d, Access-Control-Allow-Origin %q; want 200, %q", w.Code, got, want)
			}
			for name, want := range map[string]string{
				"Vary": "Origin", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				"Access-Control-Allow-Credentials": "", "Set-Cookie": "",
			} {
				if got := h.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestStatusSaysNothingOfWhomOrWhat(t *testing.T) {
	for _, tc := range []struct {
		name      string
		following connect.Following
		err       error
		want      map[string]any
	}{
		{"open", connect.Following{Session: "5e55", State: connect.Open, Step: connect.AtService}, nil,
			map[string]any{"status": "open", "session": "5e55", "step": "service"}},
		{"linked", connect.Following{Session: "5e55", State: connect.Linked}, nil, map[string]any{"status": "linked", "session": "5e55"}},
		{"over", connect.Following{}, connect.ErrExpired, map[string]any{"status": "expired"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.following, b.err = tc.following, tc.err
			w := b.do("GET", "/connect/"+aTicket+"/status", "")
			var got map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestStatusThatIsNotToBeHad(t *testing.T) {
	b := newBench(t)
	b.err = &connect.UnavailableError{System: "Redis", Err: http.ErrServerClosed}
	w := b.do("GET", "/connect/"+aTicket+"/status", "", "Origin", sessionOrigin)
	if code, _ := decode(t, w); w.Code != http.StatusServiceUnavailable || code != "UNAVAILABLE" {
		t.Errorf("got %d %s, want 503 UNAVAILABLE", w.Code, code)
	}
	if got := w.Header().Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("%s may read it, though nobody knows whose session it is", got)
	}
}

func TestLinkgateJSIsForEveryPage(t *testing.T) {
	b := newBench(t)
	for path, kind := range map[string]string{"/linkgate.js": "text/javascript; charset=utf-8", "/linkgate.d.ts": "text/plain; charset=utf-8"} {
		for _, method := range []string{"GET", "HEAD"} {
			h := b.do(method, path, "").Header()
			for name, want := range map[string]string{
				"Content-Type": kind, "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin",
				"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff",
			} {
				if got := strings.Join(h.Values(name), ", "); got != want {
					t.Errorf("%s %s: %s is %q, want %q", method, path, name, got, want)
				}
			}
		}
	}
}

// TestReturnAddress: the owner's own query stays as it is written.
func TestReturnAddress(t *testing.T) {
	for _, tc := range []struct {
		name   string
		result connect.Result
		want   string
	}{
		{"linked", connect.Result{State: connect.Linked, ReturnURL: "https://app.example/done"}, "https://app.example/done?linkgate_session=5e55&linkgate_status=success"},
		{"pending", connect.Result{State: connect.Pending, ReturnURL: "https://app.example/done?z=1&a=%2F#apps"},
			"https://app.example/done?z=1&a=%2F&linkgate_session=5e55&linkgate_status=success#apps"},
		{"failed", connect.Result{State: connect.Failed, ReturnURL: "https://app.example"}, "https://app.example?linkgate_session=5e55&linkgate_status=failure"},
		{"not ended", connect.Result{State: connect.Working, ReturnURL: "https://app.example/done"}, ""},
		{"nowhere to go", connect.Result{State: connect.Linked}, ""},
	} {
		tc.result.Session = "5e55"
		if got := returnAddress(tc.result); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestWindowOfItsOwn: the ticket page is told by its address, and the result page by a cookie.
func TestWindowOfItsOwn(t *testing.T) {
	for _, tc := range []struct {
		query string
		want  string
	}{{"?window=1", "yes"}, {"", ""}} {
		b := newBench(t)
		b.result.ReturnURL = "https://app.example/done"
		var sent []string
		for _, c := range b.do("GET", "/connect/"+aTicket+tc.query, "", "Cookie", aCookie).Result().Cookies() {
			if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode {
				t.Errorf("cookie %s is not HttpOnly, Secure and Lax", c.Name)
			}
			sent = append(sent, c.Name+"="+c.Value)
		}
		page := b.do("GET", "/connect/"+aTicket+"/result", "", "Cookie", strings.Join(sent, "; ")).Body.String()
		if got := attribute(t, page, "data-window"); got != tc.want {
			t.Errorf("opened at %q: data-window is %q, want %q", tc.query, got, tc.want)
		}
	}
}
