package e2e

import (
	"bufio"
	"context"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"linkgate/demo"
)

// The host's page has one card for each app; this is the one of Acme Notes.
const (
	notesCard       = `[data-auth="notes"]`
	notesConnect    = notesCard + ` [data-connect]`
	notesAccount    = notesCard + ` li .name`
	notesDisconnect = notesCard + ` [data-disconnect]`
	notesWhoAmI     = notesCard + ` [data-whoami]`
	notesAnswer     = notesCard + ` .answer:has(pre)`
)

// signIn goes from the ticket page to the service's answer, looking at each page on the way.
func signIn(t *testing.T, window context.Context, button string) {
	t.Helper()
	do(t, window, chromedp.WaitVisible(chromedp.CSS(`[data-page="ticket"]`)))
	look(t, window, "ticket")
	do(t, window, chromedp.Click(chromedp.ID("continue")), chromedp.WaitVisible(chromedp.ID("username")))
	look(t, window, "service-sign-in")
	do(t, window,
		chromedp.SendKeys(chromedp.ID("username"), "ada"),
		chromedp.SendKeys(chromedp.ID("password"), demo.Password),
		chromedp.Click(chromedp.CSS(`button[value="sign-in"]`)),
		chromedp.WaitVisible(chromedp.CSS(`button[value="allow"]`)))
	look(t, window, "service-consent")
	do(t, window, chromedp.Click(chromedp.CSS(`button[value="`+button+`"]`)))
}

// TestJourney is the main job in a real browser: Connect, sign in, consent, connected; the host
// lists the account; Disconnect; gone at the host, and the tokens are inactive at the service.
func TestJourney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := chromium(t)
	do(t, page, chromedp.Navigate(w.Linkgate.env["HOST_ORIGIN"]), chromedp.WaitVisible(chromedp.CSS(notesConnect)))
	look(t, page, "host-before")

	popup := opened(t, page, chromedp.Click(chromedp.CSS(notesConnect)))
	signIn(t, popup, "allow")
	do(t, page, chromedp.WaitVisible(chromedp.CSS(notesAccount))) // the window has told the page, and closes
	if got := ask(t, page, chromedp.Text(chromedp.CSS(notesAccount))); got != "Ada L." {
		t.Errorf("the host lists %q, want Ada L.", got)
	}
	look(t, page, "host-connected")
	if w.activeTokens("ada") == 0 {
		t.Error("the service has no active tokens for the account")
	}

	do(t, page, chromedp.Click(chromedp.CSS(notesDisconnect)), chromedp.WaitNotPresent(chromedp.CSS(notesAccount)))
	look(t, page, "host-disconnected")
	if n := len(w.Host.Accounts("ada")); n != 0 {
		t.Errorf("the host has %d accounts, want 0", n)
	}
	eventually(t, "the service's introspection says that the tokens are inactive", func() bool { return w.activeTokens("ada") == 0 })
}

// TestPages looks at every page that a user can meet.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	window := chromium(t)
	start := func() string {
		address, err := w.Host.Connect(t.Context(), "ada", demo.NotesOIDC)
		if err != nil {
			t.Fatal(err)
		}
		do(t, window, chromedp.Navigate(address))
		return address
	}
	state := func(want string) {
		t.Helper()
		do(t, window, chromedp.WaitVisible(chromedp.CSS(`[data-state="`+want+`"]`)))
	}
	problem := func(address, want string) {
		t.Helper()
		do(t, window, chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS(`[data-problem="`+want+`"]`)))
		look(t, window, "problem-"+want)
	}

	address := start()
	signIn(t, window, "deny")
	state("failed")
	look(t, window, "result-denied")
	at := ask(t, window, chromedp.Location())
	if u, err := url.Parse(at); err != nil || u.RawQuery != "" || !strings.HasSuffix(u.Path, "/result") {
		t.Errorf("the address bar says %s, want the result without code and state", at)
	}

	do(t, window, chromedp.Click(chromedp.ID("retry")), chromedp.WaitVisible(chromedp.ID("continue")),
		chromedp.Click(chromedp.ID("continue")), chromedp.WaitVisible(chromedp.CSS(`button[value="allow"]`)))
	w.Host.Play(demo.Script{Fault: demo.Only(demo.OpAdd, -1, demo.Fault{Status: 500})})
	do(t, window, chromedp.Click(chromedp.CSS(`button[value="allow"]`)))
	state("pending")
	look(t, window, "result-pending")
	w.Host.Play(demo.Script{})
	problem(address, "used")

	start()
	do(t, window, chromedp.Click(chromedp.ID("continue")), chromedp.WaitVisible(chromedp.CSS(`button[value="allow"]`)))
	do(t, window, chromedp.Click(chromedp.CSS(`button[value="allow"]`)))
	state("linked")
	look(t, window, "result-linked")

	problem(w.Linkgate.URL("/connect/"+strings.Repeat("a", 43)), "expired")
	problem(w.Linkgate.URL("/nothing"), "not_found")
	mine, err := w.Host.Connect(t.Context(), "ada", demo.NotesOIDC)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := demo.NewBrowser().Get(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	problem(mine, "wrong_browser")
}

// TestJourneyWithTheHostsRelay is the journey with HOST_FINISH, in which the host's page relays
// the end.
func TestJourneyWithTheHostsRelay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, with("HOST_FINISH", "true"))
	page := chromium(t)
	do(t, page, chromedp.Navigate(w.Linkgate.env["HOST_ORIGIN"]), chromedp.WaitVisible(chromedp.CSS(notesConnect)))
	popup := opened(t, page, chromedp.Click(chromedp.CSS(notesConnect)))
	signIn(t, popup, "allow")
	do(t, page, chromedp.WaitVisible(chromedp.CSS(notesAccount)))
	if n := len(w.Host.Accounts("ada")); n != 1 {
		t.Errorf("the host has %d accounts, want 1", n)
	}
}

// aMinuteLater is more than three lives of the demo's access tokens.
const aMinuteLater = 65 * time.Second

// TestDemo runs `linkgate demo` as a newcomer does and does the journey at the address it prints:
// connect, ask who one is, ask again when the token has long ended, disconnect.
func TestDemo(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "demo", "--addr", "127.0.0.1:0")
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir, "TMPDIR=" + cmd.Dir}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()
	var address string
	for lines := bufio.NewScanner(stdout); address == "" && lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "http://") {
			address = line
		}
	}
	page := chromium(t)
	do(t, page, chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS(notesConnect)))
	popup := opened(t, page, chromedp.Click(chromedp.CSS(notesConnect)))
	signIn(t, popup, "allow")
	whoAmI := func() {
		t.Helper()
		do(t, page, chromedp.WaitVisible(chromedp.CSS(notesWhoAmI)), chromedp.Click(chromedp.CSS(notesWhoAmI)),
			chromedp.WaitVisible(chromedp.CSS(notesAnswer)))
		if got := ask(t, page, chromedp.Text(chromedp.CSS(notesAnswer))); !strings.Contains(got, "Ada Lovelace") {
			t.Errorf("asked who one is, the page shows %q", got)
		}
	}
	whoAmI()
	look(t, page, "host-who-am-i")
	time.Sleep(aMinuteLater)
	do(t, page, chromedp.Reload())
	whoAmI()
	do(t, page, chromedp.Click(chromedp.CSS(notesDisconnect)), chromedp.WaitNotPresent(chromedp.CSS(notesAccount)))
}
