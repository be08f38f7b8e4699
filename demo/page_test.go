package demo_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"linkgate/demo"
)

// talker stands in for Linkgate with a window that posts one message to whoever opened it.
type talker struct {
	*httptest.Server
	windowAt string // origin of the window, for one that is not Linkgate's

	mu      sync.Mutex
	message string
	finish  []string // bodies relayed
}

func newTalker(t *testing.T) *talker {
	l := &talker{}
	l.Server = httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.Close)
	return l
}

func (l *talker) serve(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch body, _ := io.ReadAll(r.Body); {
	case r.URL.Path == "/auth/notes":
		fmt.Fprintf(w, `{"code":"OK","message":"OK","data":{"authorization_url":"%s/connect/t1"}}`, l.URL)
	case strings.HasSuffix(r.URL.Path, "/finish"):
		l.finish = append(l.finish, r.URL.Path+" "+string(body))
		io.WriteString(w, `{"code":"OK","message":"OK","data":{}}`)
	case r.URL.Path == "/connect/t1" && l.windowAt != "":
		http.Redirect(w, r, l.windowAt+"/connect/t1", http.StatusSeeOther)
	default:
		fmt.Fprintf(w, `<!doctype html><script>opener.postMessage(%q, "*"); close()</script>`, l.message)
	}
}

func (l *talker) say(message, windowAt string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.message, l.windowAt, l.finish = message, windowAt, nil
}

func (l *talker) finished() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.finish
}

// TestPage looks at the host's page in a real Chromium: one for all, each with cookies of its own.
func TestPage(t *testing.T) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox) // tests may run as root
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	browser, cancelBrowser := chromedp.NewContext(allocator)
	t.Cleanup(func() { cancelBrowser(); cancelAllocator() })
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	for name, test := range map[string]func(*testing.T, context.Context){
		"listens to Linkgate":        listensToLinkgate,
		"offers a link":              offersALink,
		"asks who I am":              asksWhoIAm,
		"explains errors":            explainsErrors,
		"connects again":             connectsAgain,
		"connects again by the host": connectsAgainByTheHost,
		"leads to the owner's app":   leadsToTheOwnersApp,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // mostly they wait
			window, closeWindow := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
			t.Cleanup(closeWindow)
			test(t, window)
		})
	}
}

// open opens a page in a window.
func open(t *testing.T, window context.Context, address string) {
	t.Helper()
	if err := chromedp.Do(window); err != nil { // not with do: the window lives as long as this context
		t.Fatalf("opening a window: %v", err)
	}
	do(t, window, chromedp.Navigate(address))
}

func do(t *testing.T, window context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(window, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("in the browser: %v", err)
	}
}

// until waits for an expression in the page to be true. It looks by a timer: a page behind another
// window has no animation frames.
func until(t *testing.T, window context.Context, expression string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(window, 30*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(20*time.Millisecond))); err != nil {
		t.Fatalf("waiting for %s: %v", expression, err)
	}
}

func said(text string) string {
	return fmt.Sprintf(`document.getElementById("status").textContent.includes(%q)`, text)
}

// listensToLinkgate: the page hears Linkgate's window, and nobody else's.
func listensToLinkgate(t *testing.T, window context.Context) {
	l, stranger := newTalker(t), newTalker(t)
	h := demo.NewHost(demo.HostOptions{LinkgateURL: l.URL})
	server := httptest.NewServer(h)
	defer server.Close()
	open(t, window, server.URL)
	connect := chromedp.Click(chromedp.CSS(`[data-auth=notes] [data-connect]`))

	l.say("linkgate.auth.failure.t1", "")
	do(t, window, connect)
	until(t, window, said("was not connected"))

	l.say("linkgate.auth.success.t1", "")
	h.Put(demo.Account{UserID: "u_ada", AuthID: "notes", ExternalAccountID: "ada@acme"})
	do(t, window, connect)
	until(t, window, said("is connected"))
	until(t, window, `document.querySelector("[data-auth=notes] .name")?.textContent === "ada@acme"`)

	l.say("linkgate.auth.finish.token-1", "")
	do(t, window, connect)
	until(t, window, said("Connected."))
	if diff := cmp.Diff([]string{`/auth/notes/finish {"finish_token":"token-1"}`}, l.finished()); diff != "" {
		t.Errorf("relayed (-want +got):\n%s", diff)
	}

	stranger.say("linkgate.auth.finish.token-2", "")
	l.say("", stranger.URL)
	do(t, window,
		chromedp.Evaluate[chromedp.Void](`addEventListener("message", (e) => { window.heard = e.data })`),
		connect)
	until(t, window, `window.heard === "linkgate.auth.finish.token-2" && `+said("Go on in the window"))
	if got := l.finished(); len(got) != 0 {
		t.Errorf("a stranger's token was relayed: %v", got)
	}
}

// offersALink: with the window blocked the page offers a link, whose window can still answer.
func offersALink(t *testing.T, window context.Context) {
	l := newTalker(t)
	server := httptest.NewServer(demo.NewHost(demo.HostOptions{LinkgateURL: l.URL}))
	defer server.Close()
	open(t, window, server.URL)
	l.say("linkgate.auth.success.t1", "")
	do(t, window, chromedp.Evaluate[chromedp.Void](`window.open = () => null`), chromedp.Click(chromedp.CSS(`[data-auth=notes] [data-connect]`)))
	until(t, window, `document.activeElement.textContent === "Continue connecting Acme Notes"`)
	do(t, window, chromedp.Click(chromedp.CSS(`#status a`)))
	until(t, window, said("is connected"))
}
