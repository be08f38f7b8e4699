package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"linkgate/connect"
	"linkgate/secret"
)

// What browsers make of policy, script and postMessage is not to be had from our own reading of
// them, so these tests ask Chromium.

// TestChromium runs all of them side by side in tabs of one browser: most of the time they wait
// for a window to close itself.
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
	for name, test := range map[string]func(*testing.T, context.Context){
		"follows the form to the service":         followsTheForm,
		"applies the style":                       appliesTheStyle,
		"tells of success and leaves":             tells(itself, 1),
		"tells nobody at another port":            tells(func(string) string { return "http://127.0.0.1:1" }, 0),
		"tells nobody without an origin":          tells(func(string) string { return "" }, 0),
		"tells of failure and stays":              tellsOfFailureAndStays,
		"posts a finish token once, then success": postsAFinishTokenOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab, closeTab := chromedp.NewContext(ctx)
			tab, cancelDeadline := context.WithTimeout(tab, time.Minute)
			defer func() { cancelDeadline(); closeTab() }()
			test(t, tab)
		})
	}
}

// stage is our site on a loopback port, the service it leads to and the page that opens it.
type stage struct {
	*bench
	site, service, opener string
}

func newStage(t *testing.T, hostOrigin func(opener string) string) stage {
	t.Helper()
	signIn := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<title>the service</title><h1 id=service>sign in</h1>")
	}))
	service := httptest.NewServer(http.RedirectHandler(signIn.URL, http.StatusFound)) // as with single sign-on
	opener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<title>host</title><script>
			var heard = [], child;
			addEventListener("message", function (e) { heard.push(e.origin + " " + e.data); });
		</script><h1 id=host>host</h1>`)
	}))
	site := httptest.NewUnstartedServer(nil)
	siteURL := "http://" + site.Listener.Addr().String()
	b := newBench(t, func(s *Server) { s.PublicURL, s.HostOrigin = siteURL, hostOrigin(opener.URL) })
	site.Config.Handler = b.handler
	site.Start()
	for _, s := range []*httptest.Server{service, signIn, opener, site} {
		t.Cleanup(s.Close)
	}
	b.address = service.URL + "/authorize"
	return stage{bench: b, site: siteURL, service: service.URL, opener: opener.URL}
}

func itself(opener string) string { return opener }

func followsTheForm(t *testing.T, tab context.Context) {
	st := newStage(t, itself)
	err := chromedp.Do(tab,
		chromedp.Navigate(st.site+"/connect/"+aTicket),
		chromedp.Click(chromedp.ID("continue")),
		chromedp.WaitVisible(chromedp.ID("service")))
	if err != nil {
		t.Fatalf("following Continue: %v", err)
	}
	opened, continued := strings.Fields(st.calls[0]), strings.Fields(st.calls[len(st.calls)-1])
	if continued[0] != "Continue" || opened[2] != continued[2] {
		t.Errorf("got calls %v, want the same browser to open and to continue", st.calls)
	}
}

func appliesTheStyle(t *testing.T, tab context.Context) {
	st := newStage(t, itself)
	if err := chromedp.Do(tab, chromedp.Navigate(st.site+"/connect/"+aTicket)); err != nil {
		t.Fatal(err)
	}
	height, err := chromedp.Run(tab, chromedp.Evaluate[float64](`document.getElementById("continue").getBoundingClientRect().height`))
	if err != nil || height < 44 {
		t.Errorf("got a button of %v px, %v; want 44 or more: the policy must let the style through", height, err)
	}
}

// tells opens the result page in a window of its own and waits for it to have closed itself, by
// which time it has posted what it posts.
func tells(hostOrigin func(string) string, want int) func(*testing.T, context.Context) {
	return func(t *testing.T, tab context.Context) {
		st := newStage(t, hostOrigin)
		heard := st.open(t, tab, `child.closed`)
		if len(heard) != want {
			t.Fatalf("got %q, want %d messages", heard, want)
		}
		if message := st.site + " linkgate.auth.success." + aTicket; want == 1 && heard[0] != message {
			t.Errorf("got %q, want %q", heard[0], message)
		}
	}
}

func tellsOfFailureAndStays(t *testing.T, tab context.Context) {
	st := newStage(t, itself)
	st.result = connect.Result{State: connect.Failed, Reason: connect.Denied}
	heard := st.open(t, tab, `heard.length > 0`)
	if want := st.site + " linkgate.auth.failure." + aTicket; len(heard) != 1 || heard[0] != want {
		t.Errorf("got %q, want %q", heard, want)
	}
}

func postsAFinishTokenOnce(t *testing.T, tab context.Context) {
	finishToken := secret.New("finish-token")
	st := newStage(t, itself)
	relaying := 0
	st.fake.results = func() connect.Result {
		if relaying++; relaying > 2 {
			return connect.Result{State: connect.Linked}
		}
		return connect.Result{State: connect.Relaying, FinishToken: finishToken}
	}
	heard := st.open(t, tab, `child.closed`)
	want := []string{st.site + " linkgate.auth.finish." + finishToken.Reveal(), st.site + " linkgate.auth.success." + aTicket}
	if strings.Join(heard, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", heard, want)
	}
}

// open has the host's page open the result page, waits until holds is true there, and returns
// what the host's page heard.
func (st stage) open(t *testing.T, tab context.Context, holds string) []string {
	t.Helper()
	err := chromedp.Do(tab,
		chromedp.Navigate(st.opener),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void (child = window.open(%q, "_blank", "width=500,height=700"))`, st.site+"/connect/"+aTicket+"/result")))
	if err != nil {
		t.Fatal(err)
	}
	// By interval: frames are not drawn in a tab that is behind another.
	if _, err := chromedp.Run(tab, chromedp.Poll[bool](holds, chromedp.WithPollingInterval(50*time.Millisecond))); err != nil {
		t.Fatalf("waiting for %s: %v", holds, err)
	}
	heard, err := chromedp.Run(tab, chromedp.Evaluate[[]string](`heard`))
	if err != nil {
		t.Fatal(err)
	}
	return heard
}
