package demo_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/demo"
)

func get(t *testing.T, b *demo.Browser, address string) demo.Page {
	t.Helper()
	page, err := b.Get(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestBrowserCookies(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/set" {
			for _, c := range []string{
				"__Host-good=1; Secure; Path=/; HttpOnly", "__Host-insecure=1; Path=/", "__Host-deep=1; Secure; Path=/set",
				"__Host-wide=1; Secure; Path=/; Domain=127.0.0.1", "plain=1; Path=/", "secure=1; Secure; Path=/",
			} {
				w.Header().Add("Set-Cookie", c)
			}
		}
		for _, c := range r.Cookies() {
			fmt.Fprint(w, c.Name, " ")
		}
	}))
	defer server.Close()
	b := demo.NewBrowser()
	get(t, b, server.URL+"/set")
	if got, want := get(t, b, server.URL).Body, "__Host-good plain secure "; got != want {
		t.Errorf("cookies = %q, want %q", got, want)
	}
	if got := get(t, demo.NewBrowser(), server.URL).Body; got != "" {
		t.Errorf("a new browser has cookies %q", got)
	}
}

func TestBrowserForms(t *testing.T) {
	const text = `<form action="/search"><input name="q" value="1"><input type="button" name="no" value="no"></form>
		<form method="POST" action="/send?a=b"><input type="hidden" name="h" value="hid"><input name="t" value="old">
		<input type="checkbox" name="c" value="on1" checked><input type="checkbox" name="c" value="off"><input name="d" value="x" disabled>
		<button type="button" name="no">No</button><button name="do" value="it"><b>Do</b>
		it</button><input type="submit" name="or" value="Or that"></form>`
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			r.ParseForm()
			sent = r.URL.RequestURI() + " " + r.PostForm.Encode() + " " + r.Header.Get("Origin") + " " + r.Header.Get("Sec-Fetch-Site")
		}
		fmt.Fprint(w, text)
	}))
	defer server.Close()
	b := demo.NewBrowser()
	page := get(t, b, server.URL+"/page")
	for button, want := range map[string]string{
		"":        "c=on1&do=it&h=hid&t=new",
		"Do it":   "c=on1&do=it&h=hid&t=new",
		"it":      "c=on1&do=it&h=hid&t=new",
		"Or that": "c=on1&h=hid&or=Or+that&t=new",
	} {
		if _, err := b.Submit(t.Context(), page, button, url.Values{"t": {"new"}}); err != nil {
			t.Fatal(err)
		}
		if want := "/send?a=b " + want + " " + server.URL + " same-origin"; sent != want {
			t.Errorf("button %q sent %q, want %q", button, sent, want)
		}
	}
	if _, err := b.Submit(t.Context(), page, "No", nil); !errors.Is(err, demo.ErrNoButton) {
		t.Errorf("err = %v, want ErrNoButton", err)
	}
}

func TestBrowserRedirects(t *testing.T) {
	var seen []string
	var other *httptest.Server
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		seen = append(seen, r.Method+" "+r.URL.Path+" "+r.PostForm.Get("x")+" "+r.Header.Get("Sec-Fetch-Site"))
		switch r.URL.Path {
		case "/form":
			fmt.Fprint(w, `<form method=post action=/303><input name=x value=1><button>303</button></form>
				<form method=post action=/307><input name=x value=1><button>307</button></form>`)
		case "/303":
			http.Redirect(w, r, other.URL+"/there", http.StatusSeeOther)
		case "/307":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		case "/there":
			http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+"/end", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	})
	server := httptest.NewServer(handler)
	defer server.Close()
	other = httptest.NewServer(handler)
	defer other.Close()
	ctx := t.Context()
	b := demo.NewBrowser()
	page := get(t, b, server.URL+"/form")
	for _, button := range []string{"303", "307"} {
		if _, err := b.Submit(ctx, page, button, nil); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"GET /form  none", "POST /303 1 same-origin", "GET /there  same-site", "GET /end  cross-site",
		"POST /307 1 same-origin", "POST /end 1 same-origin",
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if _, err := b.Get(ctx, server.URL+"/loop"); err == nil {
		t.Error("an endless redirect ended")
	}
	seen = nil
	b.Stop = func(u *url.URL) bool { return u.Path == "/there" }
	stopped, err := b.Submit(ctx, page, "303", nil)
	if err != nil || stopped.Status != 0 || stopped.URL.String() != other.URL+"/there" || len(seen) != 1 {
		t.Errorf("stopped at %v with %d after %v, %v", stopped.URL, stopped.Status, seen, err)
	}
}

// The journey ends at any page that is not part of it.
func TestSignInEndsEarly(t *testing.T) {
	ctx := t.Context()
	p := newParty(t, demo.ServiceOptions{})
	if page, err := demo.NewBrowser().SignIn(ctx, p.issuer+"/nothing", "ada"); err != nil || page.Status != http.StatusNotFound {
		t.Errorf("no ticket page: %d, %v; want 404", page.Status, err)
	}
	p.authorizeAt(p.URL + "/callback?error=server_error")
	if page, err := demo.NewBrowser().SignIn(ctx, p.URL+"/connect/ticket", "ada"); err != nil || page.Body != "result" {
		t.Errorf("straight to the callback: %q, %v; want the result page", page.Body, err)
	}
	// Signed in already: straight to consent.
	b := demo.NewBrowser()
	for range 2 {
		g := grant{config: p.config(demo.NotesOIDC)}
		p.authorizeAt(g.config.AuthCodeURL(testState) + "&code_challenge_method=S256&code_challenge=" + strings.Repeat("c", 43))
		if page, err := b.SignIn(ctx, p.URL+"/connect/ticket", "ada"); err != nil || page.Body != "result" || !p.took().Has("code") {
			t.Errorf("got %q, %v; want the result page with a code", page.Body, err)
		}
	}
}
