package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"linkgate/connect"
	"linkgate/secret"
)

// What browsers make of policy, script and postMessage is not to be had from our own reading of
// them, so these tests ask Chromium.

// TestChromium runs all of them side by side in tabs of one browser: most of the time they wait
// for a window to do something by itself.
func TestChromium(t *testing.T) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-popup-blocking", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	ctx, cancelAllocator := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, cancelBrowser := chromedp.NewContext(ctx)
	t.Cleanup(func() { cancelBrowser(); cancelAllocator() })
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	for name, test := range map[string]func(context.Context, *testing.T){
		"follows the form to the service":      followsTheForm,
		"applies the style":                    appliesTheStyle,
		"can't be sent past the ticket page":   cannotBeSentPastTheTicketPage,
		"tells of success and leaves":          tellsOfSuccessAndLeaves,
		"tells nobody at another port":         tellsNobody(func(string) string { return "http://127.0.0.1:1" }),
		"tells nobody without an origin":       tellsNobody(func(string) string { return "" }),
		"tells of failure, stays, tries again": tellsOfFailureAndStays,
		"posts a finish token once":            postsAFinishTokenOnce,
		"fills in the form, without script":    fillsInTheForm,
		"takes a post from another site":       takesAPostFromAnotherSite(true),
		"takes a post, without script":         takesAPostFromAnotherSite(false),
		"shows the form on any screen":         showsTheFormOnAnyScreen,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, closeTab := chromedp.NewContext(ctx, chromedp.WithNewBrowserContext()) // cookies of its own
			tab, cancelDeadline := context.WithTimeout(tab, time.Minute)
			defer func() { cancelDeadline(); closeTab() }()
			test(tab, t)
		})
	}
}

func followsTheForm(tab context.Context, t *testing.T) {
	st := newStage(t, itself)
	err := chromedp.Do(tab,
		chromedp.Navigate(st.site+"/connect/"+aTicket),
		chromedp.Click(chromedp.ID("continue")),
		chromedp.WaitVisible(chromedp.ID("service")))
	if err != nil {
		t.Fatalf("following Continue: %v", err)
	}
	calls := st.asked()
	opened, continued := strings.Fields(calls[0]), strings.Fields(calls[len(calls)-1])
	if continued[0] != "Continue" || opened[2] != continued[2] {
		t.Errorf("got calls %v, want the same browser to open and to continue", calls)
	}
}

func appliesTheStyle(tab context.Context, t *testing.T) {
	st := newStage(t, itself)
	if err := chromedp.Do(tab, chromedp.Navigate(st.site+"/connect/"+aTicket)); err != nil {
		t.Fatal(err)
	}
	height := eval[float64](tab, t, `document.getElementById("continue").getBoundingClientRect().height`)
	if height < 44 {
		t.Errorf("got a button of %v px; want 44 or more: the policy must let the style through", height)
	}
}

// cannotBeSentPastTheTicketPage is the attack of somebody who opens a ticket of their own in a
// victim's browser and at once sends the window on to the result page, for the victim to meet a
// button that names nobody and warns of nothing.
func cannotBeSentPastTheTicketPage(tab context.Context, t *testing.T) {
	st := newStage(t, itself)
	st.result = connect.Result{State: connect.Open, ServiceName: "GitHub"}
	window := st.open(tab, t, "/connect/"+aTicket)
	waitReady(window, t, `#continue`)
	eval[chromedp.Void](window, t, `void (document.documentElement.dataset.seen = "yes")`)
	eval[chromedp.Void](tab, t, fmt.Sprintf(`void (child.location = %q)`, st.site+"/connect/"+aTicket+"/result"))
	waitReady(window, t, `html:not([data-seen]) #continue`)

	if got, want := eval[string](window, t, `location.href`), st.site+"/connect/"+aTicket; got != want {
		t.Errorf("got the window at %s, want %s", got, want)
	}
	text := eval[string](window, t, `document.querySelector("main").innerText`)
	for _, want := range []string{"Alice", "alice", "Only continue if you started this yourself"} {
		if !strings.Contains(text, want) {
			t.Errorf("got %q, want %q in it", text, want)
		}
	}
	if calls := st.asked(); !strings.HasPrefix(calls[1], "Result ") || !strings.HasPrefix(calls[2], "Open ") {
		t.Errorf("got calls %v, want the result asked for and the ticket opened again", calls)
	}
}

func tellsOfSuccessAndLeaves(tab context.Context, t *testing.T) {
	st := newStage(t, itself)
	st.open(tab, t, "/connect/"+aTicket+"/result")
	waitFor(tab, t, `child.closed`)
	st.wantHeard(tab, t, "linkgate.auth.success."+aTicket)
}

func tellsNobody(hostOrigin func(string) string) func(context.Context, *testing.T) {
	return func(tab context.Context, t *testing.T) {
		st := newStage(t, hostOrigin)
		window := st.open(tab, t, "/connect/"+aTicket+"/result")
		waitReady(window, t, `script[data-message]`)
		st.hearAll(window, tab, t)
		st.wantHeard(tab, t, theEnd)
	}
}

func tellsOfFailureAndStays(tab context.Context, t *testing.T) {
	st := newStage(t, itself)
	st.result = connect.Result{State: connect.Failed, Reason: connect.Denied}
	window := st.open(tab, t, "/connect/"+aTicket+"/result")
	waitFor(tab, t, `heard.length > 0`)
	st.wantHeard(tab, t, "linkgate.auth.failure."+aTicket)
	if err := chromedp.Do(window, chromedp.Click(chromedp.ID("retry")), chromedp.WaitVisible(chromedp.ID("host-user"))); err != nil {
		t.Errorf("following Try again to the ticket page: %v", err)
	}
}

// postsAFinishTokenOnce watches the page look again by itself, at an address that posts nothing,
// and then give up.
func postsAFinishTokenOnce(tab context.Context, t *testing.T) {
	st := newStage(t, itself)
	st.result = connect.Result{State: connect.Relaying, FinishToken: secret.New("finish-token"), Stalled: true}
	window := st.open(tab, t, "/connect/"+aTicket+"/result")
	waitReady(window, t, `[data-stalled] ~ script[data-message]`)
	st.hearAll(window, tab, t)
	st.wantHeard(tab, t, "linkgate.auth.finish.finish-token", theEnd)
}

// stage is our site on a loopback port, the service it leads to and the page that opens it.
type stage struct {
	*bench
	site, opener string
}

func newStage(t *testing.T, hostOrigin func(opener string) string) stage {
	t.Helper()
	signIn := newPage(t, `<title>the service</title><h1 id=service>sign in</h1>`)
	service := httptest.NewServer(http.RedirectHandler(signIn, http.StatusFound)) // as with single sign-on
	t.Cleanup(service.Close)
	opener := newPage(t, `<title>host</title><script>
		var heard = [], child;
		addEventListener("message", function (e) { heard.push(e.origin + " " + e.data); });
	</script><h1 id=host>host</h1>`)
	site := httptest.NewUnstartedServer(nil)
	siteURL := "http://" + site.Listener.Addr().String()
	b := newBench(t, func(s *Server) { s.PublicURL = siteURL })
	b.origin = hostOrigin(opener)
	site.Config.Handler = b.handler
	site.Start()
	t.Cleanup(site.Close)
	b.address = service.URL + "/authorize"
	return stage{bench: b, site: siteURL, opener: opener}
}

// newPage serves one page at any path and returns its origin.
func newPage(t *testing.T, html string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, html)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func itself(opener string) string { return opener }

// open has the host's page open a window at a path of ours, and returns the window.
func (st stage) open(tab context.Context, t *testing.T, path string) context.Context {
	t.Helper()
	if err := chromedp.Do(tab, chromedp.Navigate(st.opener)); err != nil {
		t.Fatal(err)
	}
	eval[chromedp.Void](tab, t, fmt.Sprintf(`void (child = window.open(%q, "_blank", "width=500,height=700"))`, st.site+path))
	window, detach := chromedp.NewContext(tab, chromedp.WithTargetID(st.window(tab, t)))
	t.Cleanup(detach)
	return window
}

func (st stage) window(tab context.Context, t *testing.T) target.ID {
	t.Helper()
	for tab.Err() == nil {
		targets, err := chromedp.Targets(tab)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range targets {
			if i.OpenerID != "" && strings.HasPrefix(i.URL, st.site) {
				return i.TargetID
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("no window opens")
	return ""
}

const theEnd = "the end"

// hearAll waits until the host's page has heard all that the window has posted so far: messages
// from one window to another arrive in the order in which they were posted.
func (st stage) hearAll(window, tab context.Context, t *testing.T) {
	t.Helper()
	eval[chromedp.Void](window, t, fmt.Sprintf(`opener.postMessage(%q, %q)`, theEnd, st.opener))
	waitFor(tab, t, fmt.Sprintf(`heard.some(m => m.endsWith(%q))`, " "+theEnd))
}

// wantHeard compares what the host's page has heard, all of it from our site.
func (st stage) wantHeard(tab context.Context, t *testing.T, messages ...string) {
	t.Helper()
	var want []string
	for _, m := range messages {
		want = append(want, st.site+" "+m)
	}
	if got := eval[[]string](tab, t, `heard`); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the host's page heard %q, want %q", got, want)
	}
}

func eval[T any](page context.Context, t *testing.T, expression string) T {
	t.Helper()
	got, err := chromedp.Run(page, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("evaluating %s: %v", expression, err)
	}
	return got
}

// waitReady waits for an element, however often the page is left meanwhile. A script that is there
// has run.
func waitReady(page context.Context, t *testing.T, selector string) {
	t.Helper()
	if err := chromedp.Do(page, chromedp.WaitReady(chromedp.CSS(selector))); err != nil {
		t.Fatalf("waiting for %s: %v", selector, err)
	}
}

// waitFor looks by interval: frames are not drawn in a tab that is behind another.
func waitFor(page context.Context, t *testing.T, holds string) {
	t.Helper()
	if _, err := chromedp.Run(page, chromedp.Poll[bool](holds, chromedp.WithPollingInterval(20*time.Millisecond))); err != nil {
		t.Fatalf("waiting for %s: %v", holds, err)
	}
}
