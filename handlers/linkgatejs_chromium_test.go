package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"linkgate/connect"
)

// TestLinkgateJS asks Chromium, with its pop-up blocker on, what linkgate.js tells the owner's page of a
// window: after real clicks, with real cross-origin windows and real headers that cut them off.
func TestLinkgateJS(t *testing.T) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-popup-blocking", false), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true))
	ctx, cancelAllocator := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, cancelBrowser := chromedp.NewContext(ctx)
	t.Cleanup(func() { cancelBrowser(); cancelAllocator() })
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	var all sync.WaitGroup
	turns := make(chan struct{}, 8)
	const sameOrigin = "same-origin"
	for name, test := range map[string]func(context.Context, *testing.T){
		"success":                            reportsSuccess(ownerSetup{}),
		"success, by the promise of a url":   reportsSuccess(ownerSetup{later: true}),
		"success, cut off by the page":       reportsSuccess(ownerSetup{pagePolicy: sameOrigin}),
		"success, cut off by the service":    reportsSuccess(ownerSetup{servicePolicy: sameOrigin}),
		"success, cut off by both":           reportsSuccess(ownerSetup{pagePolicy: sameOrigin, servicePolicy: sameOrigin, later: true}),
		"success, status not to be read":     reportsByMessageAlone,
		"failure, once the window is left":   reportsFailure(ownerSetup{}),
		"failure, cut off by the service":    reportsFailure(ownerSetup{servicePolicy: sameOrigin}),
		"failure, then success":              reportsSuccessAfterFailure,
		"closed at the ticket page":          reportsClosedAtTheTicketPage,
		"closed at the service":              reportsClosedAtTheService,
		"closed before the url is there":     reportsClosedBeforeTheURL,
		"expired":                            reportsExpired,
		"blocked, with nowhere to return to": reportsBlocked,
		"blocked, goes itself and returns":   goesItselfAndReturns,
		"given up by the page":               isGivenUp,
		"not taken in by others' messages":   ignoresOthersMessages,
		"hands over the finish token":        handsOverTheFinishToken,
		"refuses other addresses":            refusesOtherAddresses,
	} {
		// Some side by side whatever -parallel says: they wait for looks of linkgate.js most of the time.
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			t.Run(name, func(t *testing.T) {
				tab, closeTab := chromedp.NewContext(ctx, chromedp.WithNewBrowserContext())
				tab, cancelDeadline := context.WithTimeout(tab, 2*time.Minute)
				defer func() { cancelDeadline(); closeTab() }()
				test(tab, t)
			})
		})
	}
	all.Wait()
}

// ownerSetup is how the owner's page and the service behave.
type ownerSetup struct {
	pagePolicy, servicePolicy string // Cross-Origin-Opener-Policy
	later                     bool   // the url comes a while after the click
	options                   string // of connect, in JavaScript
}

// owner is a stage whose opener is a page of the owner's, with linkgate.js and a button.
type owner struct {
	stage
	service string // the origin of the service's pages
}

// ownersHTML counts the timers of linkgate.js that are still to come, so that a test sees that nothing is left behind.
const ownersHTML = `<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>Your settings</title>
<h1>Your settings</h1><button id=connect>Connect GitHub</button><p id=said role=status></p><script>
	var isBack = false;
	document.hasFocus = () => isBack; // no window manager here takes the focus from one window and gives it to another
	var live = new Set(), started = 0, set = setTimeout, clear = clearTimeout, heard = [], outcome = null, child, given;
	setTimeout = (f, ms) => {
		const ours = new Error().stack.includes("/linkgate.js"), id = set(() => { live.delete(id); f(); }, ms);
		if (ours) live.add(id), started++;
		return id;
	};
	clearTimeout = (id) => { live.delete(id); clear(id); };
	const opens = open; open = (...of) => child = opens(...of);
	addEventListener("message", (e) => heard.push(e.origin + " " + e.data));
	const say = (text) => document.getElementById("said").textContent = outcome = text;
</script><script src="%[1]s/linkgate.js"></script><script>
	const url = "%[1]s/connect/%[2]s", options = %[3]s, controller = new AbortController();
	connectTo = (address) => linkgate.connect(address, { ...options, signal: controller.signal })
		.then((r) => say(r.status + " " + r.session), (e) => say("rejected " + (e.name === "AbortError" ? e.name : e.code)));
	document.getElementById("connect").onclick = () => { connectTo(%[4]s); };
</script>`

func newOwner(t *testing.T, with ownerSetup) owner {
	t.Helper()
	o := owner{stage: newStage(t, itself)}
	o.tracks = true
	o.service = newPageWith(t, http.Header{"Cross-Origin-Opener-Policy": {with.servicePolicy}},
		fmt.Sprintf(`<title>the service</title><h1>the service</h1><a id=allow href="%[1]s/callback/gh?code=x&state=%[2]s">Allow</a>
			<a id=deny href="%[1]s/callback/gh?error=access_denied&state=%[2]s">Deny</a>`, o.site, aState))
	o.address = o.service + "/authorize"
	options, address := with.options, "url"
	if options == "" {
		options = "{}"
	}
	if with.later {
		address = "new Promise((resolve) => set(() => resolve(url), 200))"
	}
	o.opener = newPageWith(t, http.Header{"Cross-Origin-Opener-Policy": {with.pagePolicy}}, fmt.Sprintf(ownersHTML, o.site, aTicket, options, address))
	o.origin, o.following.Origin, o.following.State, o.following.Step = o.opener, o.opener, connect.Open, connect.Unopened
	o.following.Session = "5e55"
	return o
}

// newPageWith serves one page at any path, with headers, at a site of its own: "localhost" is another
// site than "127.0.0.1".
func newPageWith(t *testing.T, header http.Header, html string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			if values[0] != "" {
				w.Header().Set(name, values[0])
			}
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, html)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// click goes to the owner's page and clicks its button.
func (o owner) click(tab context.Context, t *testing.T) {
	t.Helper()
	if err := chromedp.Do(tab, chromedp.Navigate(o.opener), chromedp.Click(chromedp.ID("connect"))); err != nil {
		t.Fatalf("clicking: %v", err)
	}
}

// popup is the window that the click has opened, at the ticket page.
func (o owner) popup(tab context.Context, t *testing.T) context.Context {
	t.Helper()
	o.click(tab, t)
	window, detach := chromedp.NewContext(tab, chromedp.WithTargetID(o.window(tab, t)))
	t.Cleanup(detach)
	waitReady(window, t, "#continue")
	return window
}

// press clicks in the window and waits for what comes.
func press(window context.Context, t *testing.T, id, then string) {
	t.Helper()
	if err := chromedp.Do(window, chromedp.Click(chromedp.ID(id)), chromedp.WaitReady(chromedp.CSS(then))); err != nil {
		t.Fatalf("pressing %s: %v", id, err)
	}
}

// looks waits until linkgate.js has looked n times more.
func (o owner) looks(tab context.Context, t *testing.T, n int) {
	t.Helper()
	for want := o.countFollows() + n; o.countFollows() < want; time.Sleep(20 * time.Millisecond) {
		if got := eval[string](tab, t, `String(outcome)`); got != "null" {
			t.Fatalf("linkgate.js does not look any more: the owner's page has been told %q", got)
		}
	}
}

func (o owner) countFollows() int {
	n := 0
	for _, call := range o.asked() {
		if strings.HasPrefix(call, "Follow ") {
			n++
		}
	}
	return n
}

// wantOutcome waits for the end, and looks that nothing is left behind.
func (o owner) wantOutcome(tab context.Context, t *testing.T, want string) {
	t.Helper()
	waitFor(tab, t, `outcome !== null`)
	if got := eval[string](tab, t, `outcome`); got != want {
		t.Errorf("the owner's page is told %q, want %q", got, want)
	}
	if n := eval[int](tab, t, `live.size`); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

func (o owner) wantNoOutcome(tab context.Context, t *testing.T, when string) {
	t.Helper()
	if got := eval[string](tab, t, `String(outcome)`); got != "null" {
		t.Errorf("%s: the owner's page is told %q", when, got)
	}
}

// afterGrace is more looks than "closed" takes.
const afterGrace = 5

func reportsSuccess(with ownerSetup) func(context.Context, *testing.T) {
	return func(tab context.Context, t *testing.T) {
		o := newOwner(t, with)
		window := o.popup(tab, t)
		isCut := with.pagePolicy != "" || with.servicePolicy != ""
		if with.pagePolicy != "" {
			waitFor(tab, t, `child.closed`) // it is not
			o.looks(tab, t, afterGrace)
			o.wantNoOutcome(tab, t, "at the ticket page, cut off")
		}
		press(window, t, "continue", "#allow")
		if isCut {
			waitFor(tab, t, `child.closed`) // it is not
			o.looks(tab, t, afterGrace)
			o.wantNoOutcome(tab, t, "at the service, cut off")
		}
		press(window, t, "allow", `[data-state="linked"]`)
		o.wantOutcome(tab, t, "linked 5e55")
		want := o.site + " linkgate.auth.success." + aTicket
		if heard := eval[[]string](tab, t, `heard`); isCut != (len(heard) == 0) || !isCut && heard[0] != want {
			t.Errorf("the page heard %q; want a message unless the window is cut off (%v)", heard, isCut)
		}
	}
}

// reportsByMessageAlone: where the page's own policy lets nothing be fetched, or the session is another
// page's, the message has to do.
func reportsByMessageAlone(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{})
	o.following.Origin = "https://another.example"
	window := o.popup(tab, t)
	press(window, t, "continue", "#allow")
	press(window, t, "allow", `[data-state="linked"]`)
	o.wantOutcome(tab, t, "linked undefined")
}

func reportsFailure(with ownerSetup) func(context.Context, *testing.T) {
	return func(tab context.Context, t *testing.T) {
		o := newOwner(t, with)
		window := o.popup(tab, t)
		press(window, t, "continue", "#deny")
		press(window, t, "deny", `[data-state="failed"]`)
		if with.servicePolicy == "" {
			o.looks(tab, t, 2)
			o.wantNoOutcome(tab, t, "while it can be tried again")
			if err := chromedp.Do(window, chromedp.Click(chromedp.ID("close"))); err != nil {
				t.Fatal(err)
			}
		}
		o.wantOutcome(tab, t, "failed 5e55")
	}
}

func reportsSuccessAfterFailure(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{})
	window := o.popup(tab, t)
	press(window, t, "continue", "#deny")
	press(window, t, "deny", `[data-state="failed"]`)
	press(window, t, "retry", "#continue")
	press(window, t, "continue", "#allow")
	press(window, t, "allow", `[data-state="linked"]`)
	o.wantOutcome(tab, t, "linked 5e55")
}

func closeWindow(window context.Context, t *testing.T) {
	t.Helper()
	if err := chromedp.Do(window, chromedp.Func(func(ctx context.Context, at *chromedp.Target) error {
		_, err := cdp.Call(ctx, at, cdppage.Close, cdp.Empty{})
		return err
	})); err != nil {
		t.Fatalf("closing the window: %v", err)
	}
}

func reportsClosedAtTheTicketPage(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{})
	window := o.popup(tab, t)
	o.looks(tab, t, 8) // long enough to be sure that the page itself does not cut it off
	closeWindow(window, t)
	o.wantOutcome(tab, t, "closed 5e55")
}

// reportsClosedAtTheService: there a window that is closed looks like one that was cut off. It is
// believed once the user is back on the page.
func reportsClosedAtTheService(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{})
	window := o.popup(tab, t)
	press(window, t, "continue", "#allow")
	closeWindow(window, t)
	waitFor(tab, t, `child.closed`)
	o.looks(tab, t, afterGrace)
	o.wantNoOutcome(tab, t, "while the user is elsewhere")
	eval[chromedp.Void](tab, t, `void (isBack = true)`)
	o.wantOutcome(tab, t, "closed 5e55")
}

func reportsClosedBeforeTheURL(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{})
	if err := chromedp.Do(tab, chromedp.Navigate(o.opener)); err != nil {
		t.Fatal(err)
	}
	eval[chromedp.Void](tab, t, `void (document.getElementById("connect").onclick = () => connectTo(new Promise((resolve) => given = resolve)))`)
	if err := chromedp.Do(tab, chromedp.Click(chromedp.ID("connect"))); err != nil {
		t.Fatal(err)
	}
	eval[chromedp.Void](tab, t, `void child.close()`)
	waitFor(tab, t, `child.closed`)
	eval[chromedp.Void](tab, t, `void given(url)`)
	o.wantOutcome(tab, t, "closed undefined")
}

func reportsExpired(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{})
	o.popup(tab, t)
	o.follow(func(f *connect.Following) { f.State = expired })
	o.wantOutcome(tab, t, "expired 5e55")
}

// reportsBlocked: without a click Chromium blocks the window by itself.
func reportsBlocked(tab context.Context, t *testing.T) {
	for _, options := range []string{`{}`, `{returnUrl: location.href, finish: () => {}}`} {
		o := newOwner(t, ownerSetup{options: options})
		if err := chromedp.Do(tab, chromedp.Navigate(o.opener)); err != nil {
			t.Fatal(err)
		}
		eval[chromedp.Void](tab, t, `void set(() => connectTo(url), 0)`)
		o.wantOutcome(tab, t, "rejected blocked")
	}
}

func goesItselfAndReturns(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{options: `{returnUrl: location.href}`})
	o.result.ReturnURL, o.result.Session = o.opener+"/settings?tab=2", "5e55"
	if err := chromedp.Do(tab, chromedp.Navigate(o.opener)); err != nil {
		t.Fatal(err)
	}
	eval[chromedp.Void](tab, t, `void set(() => connectTo(url), 0)`)
	waitReady(tab, t, "#continue")
	press(tab, t, "continue", "#allow")
	press(tab, t, "allow", "#connect") // by way of the result page
	want := o.opener + "/settings?tab=2&linkgate_session=5e55&linkgate_status=success"
	if got := eval[string](tab, t, `location.href`); got != want {
		t.Errorf("the user comes back to %s, want %s", got, want)
	}
}

func isGivenUp(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{})
	o.popup(tab, t)
	eval[chromedp.Void](tab, t, `void controller.abort()`)
	o.wantOutcome(tab, t, "rejected AbortError")
	waitFor(tab, t, `child.closed`)
}

// ignoresOthersMessages: neither another site in the same window, nor our site about another ticket, nor
// the page itself, nor another window of our site, can say how it ended.
func ignoresOthersMessages(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{})
	o.following.Origin = "https://another.example" // so that only messages tell
	window := o.popup(tab, t)
	success := "linkgate.auth.success." + aTicket
	tell := func(from context.Context, what string) {
		before := eval[int](tab, t, `heard.length`)
		eval[chromedp.Void](from, t, fmt.Sprintf(`(window.opener || window).postMessage(%q, "*")`, what))
		waitFor(tab, t, fmt.Sprintf(`heard.length > %d`, before))
		o.looks(tab, t, 2)
		o.wantNoOutcome(tab, t, "after "+what)
	}
	tell(tab, success)
	tell(window, "linkgate.auth.success.another-ticket")
	tell(window, "x"+success)
	tell(o.otherWindow(tab, t), success)
	press(window, t, "continue", "#allow")
	tell(window, success) // the service's page
	press(window, t, "allow", `[data-state="linked"]`)
	o.wantOutcome(tab, t, "linked undefined")
}

// otherWindow is one of our site that linkgate.js has not opened.
func (o owner) otherWindow(tab context.Context, t *testing.T) context.Context {
	t.Helper()
	eval[chromedp.Void](tab, t, fmt.Sprintf(`void (document.getElementById("connect").onclick = () => { opens(%q); })`, o.site+"/linkgate.js"))
	if err := chromedp.Do(tab, chromedp.Click(chromedp.ID("connect"))); err != nil {
		t.Fatal(err)
	}
	window, detach := chromedp.NewContext(tab, chromedp.WithTargetID(stage{site: o.site + "/linkgate.js"}.window(tab, t)))
	t.Cleanup(detach)
	return window
}

func handsOverTheFinishToken(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{options: `{finish: (token) => { given = token; }}`})
	window := o.popup(tab, t)
	eval[chromedp.Void](window, t, fmt.Sprintf(`opener.postMessage("linkgate.auth.finish.a-token", %q)`, o.opener))
	waitFor(tab, t, `given === "a-token"`)
	o.wantNoOutcome(tab, t, "before it is finished")
	o.follow(func(f *connect.Following) { f.State = connect.Linked })
	o.wantOutcome(tab, t, "linked 5e55")
}

func refusesOtherAddresses(tab context.Context, t *testing.T) {
	o := newOwner(t, ownerSetup{})
	for _, address := range []string{`"javascript:alert(1)//connect/x"`, `"javascript:/connect/x"`, `"https://app.example/settings"`, `"data:text/html,x"`, `Promise.reject(Object.assign(new Error, {code: "mine"}))`} {
		if err := chromedp.Do(tab, chromedp.Navigate(o.opener)); err != nil {
			t.Fatal(err)
		}
		eval[chromedp.Void](tab, t, fmt.Sprintf(`void (document.getElementById("connect").onclick = () => connectTo(%s))`, address))
		if err := chromedp.Do(tab, chromedp.Click(chromedp.ID("connect"))); err != nil {
			t.Fatal(err)
		}
		want := "rejected address"
		if strings.HasPrefix(address, "Promise") {
			want = "rejected mine"
		}
		o.wantOutcome(tab, t, want)
		waitFor(tab, t, `child.closed`)
	}
}
