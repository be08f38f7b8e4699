package e2e

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"linkgate/demo"
	"linkgate/linkedaccount"
)

// audit reads the audit trail's names out of Linkgate's database.
func (w *world) audit(t *testing.T) []string {
	t.Helper()
	events, err := (&linkedaccount.Store{DB: w.open(t)}).Events(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range events {
		names = append(names, e.Name)
	}
	return names
}

// wantNothingLinked checks that no account came of it: no call to the host that would add one,
// no account there, and an entry in the audit trail that says why.
func (w *world) wantNothingLinked(t *testing.T, entry string) {
	t.Helper()
	if adds := w.Host.Calls(demo.OpAdd); adds != 0 {
		t.Errorf("the host was called %d times to add an account, want 0", adds)
	}
	for _, u := range w.Host.Users() {
		if accounts := w.Host.Accounts(u.ID); len(accounts) != 0 {
			t.Errorf("the host has %d accounts of %s, want 0", len(accounts), u.ID)
		}
	}
	if names := w.audit(t); !slices.Contains(names, entry) {
		t.Errorf("the audit trail has %q, want an entry %s", names, entry)
	}
}

// atCallback does a Connect up to the callback, which it keeps from being sent.
func (w *world) atCallback(t *testing.T, authID string) (*demo.Browser, *url.URL) {
	t.Helper()
	address, err := w.Host.Connect(t.Context(), "ada", authID)
	if err != nil {
		t.Fatal(err)
	}
	b := demo.NewBrowser()
	b.Stop = func(u *url.URL) bool { return strings.HasPrefix(u.Path, "/callback/") }
	page, err := b.SignIn(t.Context(), address, "ada")
	if err != nil {
		t.Fatal(err)
	}
	b.Stop = nil
	if !strings.HasPrefix(page.URL.Path, "/callback/") {
		t.Fatalf("the journey ended at %s, want the callback:\n%s", page.URL, page.Body)
	}
	return b, page.URL
}

func TestHundredParallelCallbacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, callback := w.atCallback(t, demo.NotesOIDC)
	jar := b.Cookies(callback)
	var all sync.WaitGroup
	var mu sync.Mutex
	pages := map[string]int{}
	for range 100 {
		all.Go(func() {
			body := getWith(t, jar, callback.String())
			mu.Lock()
			defer mu.Unlock()
			pages[body]++
		})
	}
	all.Wait()
	if n := w.Service.Requests(demo.OpToken); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
	if n := w.Host.Calls(demo.OpAdd); n != 1 {
		t.Errorf("%d accounts added, want 1", n)
	}
	if len(pages) != 1 {
		t.Fatalf("the browsers saw %d different pages, want 1:\n%s", len(pages), strings.Join(slices.Collect(maps.Keys(pages)), "\n"))
	}
	for body := range pages {
		wantState(t, demo.Page{URL: callback, Body: body}, "linked")
	}
}

// getWith opens an address with cookies, follows redirects, and returns the page.
func getWith(t *testing.T, cookies []*http.Cookie, address string) string {
	for range 5 {
		req, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
		if err != nil {
			t.Error(err)
			return ""
		}
		for _, c := range cookies {
			req.AddCookie(c)
		}
		answer, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Error(err)
			return ""
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Error(err)
			return ""
		}
		if answer.StatusCode != http.StatusSeeOther {
			return string(body)
		}
		next, err := answer.Location()
		if err != nil {
			t.Error(err)
			return ""
		}
		address = next.String()
	}
	t.Error("too many redirects")
	return ""
}

func TestSecondBrowserWithTheTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address, err := w.Host.Connect(t.Context(), "ada", demo.NotesOIDC)
	if err != nil {
		t.Fatal(err)
	}
	if page, err := demo.NewBrowser().Get(t.Context(), address); err != nil || page.Status != 200 {
		t.Fatalf("the first browser: %d, %v", page.Status, err)
	}
	second := demo.NewBrowser()
	page, err := second.SignIn(t.Context(), address, "ada")
	if err != nil || page.Status != 403 {
		t.Errorf("the second browser got %d, %v; want 403", page.Status, err)
	}
	w.wantNothingLinked(t, "ticket.wrong_browser")
}

func TestSecondBrowserWithTheCallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, callback := w.atCallback(t, demo.NotesOIDC)
	page, err := demo.NewBrowser().Get(t.Context(), callback.String())
	if err != nil || page.Status != 403 {
		t.Errorf("the second browser got %d, %v; want 403", page.Status, err)
	}
	w.wantNothingLinked(t, "callback.wrong_browser")
	if n := w.Service.Requests(demo.OpToken); n != 0 {
		t.Errorf("%d token requests, want 0", n)
	}
	page, err = first.Get(t.Context(), callback.String())
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, page, "linked") // the attempt of the right browser is unharmed
}

func TestCallbackAtAnotherConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, callback := w.atCallback(t, demo.NotesOIDC)
	elsewhere := *callback
	elsewhere.Path = "/callback/" + demo.NotesOAuth2
	page, err := b.Get(t.Context(), elsewhere.String())
	if err != nil || page.Status != 400 {
		t.Errorf("got %d, %v; want 400", page.Status, err)
	}
	w.wantNothingLinked(t, "callback.wrong_connection")
	if n := w.Service.Requests(demo.OpToken); n != 0 {
		t.Errorf("%d token requests, want 0", n)
	}
}

func TestForeignState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, callback := w.atCallback(t, demo.NotesOIDC)
	query := callback.Query()
	state := query.Get("state")
	query.Set("state", state[:len(state)-4]+"AAAA")
	foreign := *callback
	foreign.RawQuery = query.Encode()
	page, err := b.Get(t.Context(), foreign.String())
	if err != nil || page.Status != 410 {
		t.Errorf("got %d, %v; want 410", page.Status, err)
	}
	w.wantNothingLinked(t, "callback.wrong_state")
}

// TestForeignCode injects the code of another session (RFC 9700 §4.5): PKCE stops it at the
// service, and nothing is linked.
func TestForeignCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, theirs := w.atCallback(t, demo.NotesOIDC)
	mine, callback := w.atCallback(t, demo.NotesOIDC)
	query := callback.Query()
	query.Set("code", theirs.Query().Get("code"))
	injected := *callback
	injected.RawQuery = query.Encode()
	page, err := mine.Get(t.Context(), injected.String())
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, page, "failed")
	w.wantNothingLinked(t, "link.failed")
}

func TestIssuerOfTheCallback(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		tamper func(url.Values)
	}{
		{"missing", func(q url.Values) { q.Del("iss") }},
		{"wrong", func(q url.Values) { q.Set("iss", "https://evil.example") }},
		{"empty", func(q url.Values) { q.Set("iss", "") }},
		{"a slash too many", func(q url.Values) { q.Set("iss", q.Get("iss")+"/") }},
		{"twice", func(q url.Values) { q.Add("iss", "https://evil.example") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Service.TamperRedirect(c.tamper)
			page := w.connect(t, "ada", demo.NotesOIDC, "ada")
			if c.name != "twice" { // doubled parameters are refused before any session is looked at
				wantState(t, page, "failed")
				w.wantNothingLinked(t, "link.failed")
			}
			if n := w.Service.Requests(demo.OpToken); n != 0 {
				t.Errorf("the code was sent %d times, want 0", n)
			}
			if n := w.Host.Calls(demo.OpAdd); n != 0 {
				t.Errorf("%d accounts added, want 0", n)
			}
		})
	}
}

func TestIDTokenThatDoesNotVerify(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]func(*demo.IDToken){
		"nonce": demo.WrongNonce, "issuer": demo.WrongIssuer, "audience": demo.WrongAudience,
		"expired": demo.Expired, "alg none": demo.AlgNone, "foreign key": demo.ForeignKey,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Service.TamperIDToken(tamper)
			wantState(t, w.connect(t, "ada", demo.NotesOIDC, "ada"), "failed")
			w.wantNothingLinked(t, "link.failed")
		})
	}
}

func TestUserSaysNo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address, err := w.Host.Connect(t.Context(), "ada", demo.NotesOIDC)
	if err != nil {
		t.Fatal(err)
	}
	b := demo.NewBrowser()
	page, err := b.Deny(t.Context(), address, "ada")
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, page, "failed")
	w.wantNothingLinked(t, "link.failed")

	again, err := b.SignIn(t.Context(), address, "ada") // "Try again" in the same browser
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, again, "linked")
}
