package demo_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"linkgate/demo"
)

// caller stands in for Linkgate with calls that are answered as the test wants them.
type caller struct {
	*httptest.Server

	mu       sync.Mutex
	status   int
	answer   string
	requests []string
}

func newCaller(t *testing.T) *caller {
	c := &caller{}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

func (c *caller) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r.Method+" "+r.RequestURI)
	switch r.URL.Path {
	case "/call/notes/api/me":
		w.WriteHeader(c.status)
		io.WriteString(w, c.answer)
	case "/auth/notes":
		fmt.Fprintf(w, `{"code":"OK","message":"OK","data":{"authorization_url":"%s/connect/from-auth"}}`, c.URL)
	default:
		io.WriteString(w, `<!doctype html><script>opener.postMessage("linkgate.auth.success.t", "*"); close()</script>`)
	}
}

// answers sets what calls are answered with, and forgets what was asked.
func (c *caller) answers(status int, answer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status, c.answer, c.requests = status, answer, nil
}

func (c *caller) asked(request string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.requests, request)
}

// aPageWithAccounts opens the page of a user with one account that is well and one that is not.
func aPageWithAccounts(t *testing.T, window context.Context) (l *caller, h *demo.Host) {
	l = newCaller(t)
	h = demo.NewHost(demo.HostOptions{LinkgateURL: l.URL, OwnerApp: "/hello"})
	h.Put(demo.Account{ID: "la_1", UserID: "u_ada", AuthID: "notes", ExternalAccountID: "ada@acme"})
	h.Put(demo.Account{ID: "la_2", UserID: "u_ada", AuthID: "notes", ExternalAccountID: "old@acme", RequiresReauth: true})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	open(t, window, server.URL)
	return l, h
}

// answered tells whether what is shown below an account contains a text.
func answered(id, text string) string {
	return fmt.Sprintf(`document.querySelector("[data-account=%s] .answer")?.innerText.includes(%q)`, id, text)
}

func click(button, id string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(fmt.Sprintf(`[data-account=%s] [data-%s]`, id, button)))
}

// asksWhoIAm: a card's button asks the service as the account beside it, and its answer stays when the list
// changes.
func asksWhoIAm(t *testing.T, window context.Context) {
	l, h := aPageWithAccounts(t, window)
	l.answers(200, `{"account":{"id":"acct_1","display_name":"<i>Ada</i> Lovelace"}}`)
	do(t, window, click("whoami", "la_1"))
	until(t, window, `document.querySelector("[data-account=la_1] .who")?.textContent === "<i>Ada</i> Lovelace"`)
	until(t, window, answered("la_1", `"id": "acct_1"`))
	if !l.asked("GET /call/notes/api/me?linked_account_id=la_1") {
		t.Error("Linkgate was not asked for this account")
	}
	look(t, window, "host-who-am-i")

	h.Put(demo.Account{ID: "la_3", UserID: "u_ada", AuthID: "notes", ExternalAccountID: "third@acme"})
	until(t, window, `document.querySelector("[data-account=la_3]") !== null && `+answered("la_1", "Lovelace"))
}

// explainsErrors: each error is told in words, with what can be done about it.
func explainsErrors(t *testing.T, window context.Context) {
	l, _ := aPageWithAccounts(t, window)
	tests := []struct {
		name   string
		status int
		answer string
		want   string
		again  bool // "Connect again" is offered
	}{
		{"not connected", 404, `{"code":"NOT_CONNECTED","message":"m","data":{"auth_id":"notes"}}`, "no account at Acme Notes for this", true},
		{"not allowed", 403, `{"code":"NOT_ALLOWED","message":"\"GET /api/me\" is not among calls.allow","data":{}}`, "is not among calls.allow", false},
		{"the service's own", 418, `{"error":"teapot"}`, "Acme Notes answered with status 418.", false},
		{"no JSON", 502, `<h1>Bad gateway</h1>`, "<h1>Bad gateway</h1>", false},
		{"another answer", 200, `{"hello":"world"}`, "Acme Notes answered with status 200.", false},
	}
	for _, tt := range tests {
		l.answers(tt.status, tt.answer)
		do(t, window, click("whoami", "la_1"))
		until(t, window, answered("la_1", tt.want)+fmt.Sprintf(` && (document.querySelector("[data-account=la_1] .answer [data-reconnect]") !== null) === %t`, tt.again))
	}
	l.answers(404, `{"code":"NOT_CONNECTED","message":"m","data":{}}`)
	do(t, window, click("whoami", "la_1"))
	until(t, window, answered("la_1", "Connect again"))
	do(t, window, click("reconnect", "la_1"))
	until(t, window, said("is connected")+` && !document.querySelector(".answer")`)
	if !l.asked("POST /auth/notes") || !l.asked("GET /connect/from-auth") {
		t.Error("the sign-in was not begun anew")
	}
}

// connectsAgain: who must sign in again can do so at once, with the sign-in that came with the
// answer, if it is at Linkgate.
func connectsAgain(t *testing.T, window context.Context) {
	l, _ := aPageWithAccounts(t, window)
	l.answers(409, fmt.Sprintf(`{"code":"REAUTH_REQUIRED","message":"m","data":{"authorization_url":"%s/connect/from-call"}}`, l.URL))
	do(t, window, click("whoami", "la_1"))
	until(t, window, answered("la_1", "wants you to sign in again"))
	look(t, window, "host-sign-in-again")
	do(t, window, click("reconnect", "la_1"))
	until(t, window, said("is connected")+` && !document.querySelector(".answer")`)
	if !l.asked("GET /connect/from-call") || l.asked("POST /auth/notes") {
		t.Error("another sign-in was begun than the one in the answer")
	}

	l.answers(409, `{"code":"REAUTH_REQUIRED","message":"m","data":{"authorization_url":"http://127.0.0.1:9/connect/elsewhere"}}`)
	do(t, window, click("whoami", "la_1"))
	until(t, window, answered("la_1", "wants you to sign in again"))
	do(t, window, click("reconnect", "la_1"))
	until(t, window, said("is connected"))
	if !l.asked("GET /connect/from-auth") {
		t.Error("an address elsewhere was not replaced by a sign-in at Linkgate")
	}
}

// connectsAgainByTheHost: where the host knows that the user must sign in again, nothing has to be
// asked first.
func connectsAgainByTheHost(t *testing.T, window context.Context) {
	l, _ := aPageWithAccounts(t, window)
	do(t, window, click("reconnect", "la_2"))
	until(t, window, said("is connected"))
	if !l.asked("POST /auth/notes") {
		t.Error("no sign-in was begun")
	}
}

// leadsToTheOwnersApp: the host's proxy, Linkgate and the app are one address to the browser, style
// included.
func leadsToTheOwnersApp(t *testing.T, window context.Context) {
	behind, _ := newApp(t)
	server := httptest.NewServer(demo.NewHost(demo.HostOptions{LinkgateURL: behind.URL, OwnerApp: "/hello"}))
	t.Cleanup(server.Close)
	open(t, window, server.URL)
	do(t, window, chromedp.Click(chromedp.CSS(`.lead a`)), chromedp.WaitVisible(chromedp.CSS(`.button`)))
	until(t, window, `document.querySelector("h1").textContent === "Hello, u_ada" && getComputedStyle(document.querySelector(".button")).fontWeight === "600"`)
	look(t, window, "owner-app")
}

// look takes a picture of the page on each screen, checks that nothing sticks out sideways, and
// keeps the pictures in LINKGATE_SCREENSHOTS, a directory, when that is set.
func look(t *testing.T, window context.Context, name string) {
	t.Helper()
	for _, s := range []struct {
		name          string
		width, height int64
		scheme        string
	}{
		{"phone-light", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"},
		{"desk-light", 1280, 800, "light"}, {"desk-dark", 1280, 800, "dark"},
	} {
		do(t, window, chromedp.Func(func(ctx context.Context, at *chromedp.Target) error {
			_, err := cdp.Call(ctx, at, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
				Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.width < 500,
			})
			if err != nil {
				return err
			}
			_, err = cdp.Call(ctx, at, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}},
			})
			return err
		}))
		until(t, window, `document.documentElement.scrollWidth <= document.documentElement.clientWidth`)
		if dir := os.Getenv("LINKGATE_SCREENSHOTS"); dir != "" {
			picture, err := chromedp.Run(window, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name+"-"+s.name+".png"), picture, 0o600); err != nil {
				t.Error(err)
			}
		}
	}
}
