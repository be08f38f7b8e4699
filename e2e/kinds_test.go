package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"linkgate/demo"
)

// typing is what a user fills in on Linkgate's own page.
type typing map[string]string

// ticketPage opens the page of a new session, in a browser of its own.
func (w *world) ticketPage(t *testing.T, user, authID string) (*demo.Browser, demo.Page) {
	t.Helper()
	address, err := w.Host.Connect(t.Context(), user, authID)
	if err != nil {
		t.Fatalf("beginning a session: %v", err)
	}
	b := demo.NewBrowser()
	page, err := b.Get(t.Context(), address)
	if err != nil || page.Status != http.StatusOK {
		t.Fatalf("the ticket page: %d %v", page.Status, err)
	}
	return b, page
}

// typeIn fills the form of a ticket page in and sends it.
func typeIn(t *testing.T, b *demo.Browser, page demo.Page, values typing) demo.Page {
	t.Helper()
	form := url.Values{}
	for key, value := range values {
		form.Set(key, value)
	}
	next, err := b.Submit(t.Context(), page, "", form)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// TestKinds: with a key, with Basic and with a password a user connects, calls, and disconnects.
func TestKinds(t *testing.T) {
	w := newWorld(t, offering(2*time.Second))
	for _, test := range []struct {
		authID, id string
		wrong      typing
		right      typing
		says       string
	}{
		{demo.VaultKey, "1815", typing{"api_key": "vault-wrong"}, typing{"api_key": demo.VaultAdaKey}, "Ada Lovelace"},
		{demo.VaultBasic, "1815", typing{"email": demo.VaultAdaEmail, "api_token": "wrong-wrong"}, typing{"email": demo.VaultAdaEmail, "api_token": demo.VaultAdaToken}, "Ada Lovelace"},
		{demo.AminoMove, "1234", typing{"customer": "acme", "username": demo.AminoUser, "password": "wrong-wrong-wrong"},
			typing{"customer": "acme", "username": demo.AminoUser, "password": demo.AminoPassword}, "Ada at acme"},
	} {
		t.Run(test.authID, func(t *testing.T) {
			b, page := w.ticketPage(t, "ada", test.authID)
			page = typeIn(t, b, page, test.wrong)
			if page.Status != http.StatusUnprocessableEntity || !strings.Contains(page.Body, `aria-invalid="true"`) || strings.Contains(page.Body, "wrong-wrong") {
				t.Fatalf("the wrong one: %d\n%s", page.Status, page.Body)
			}
			if len(w.accountsAt("ada", test.authID)) != 0 {
				t.Fatal("something is saved at the host")
			}
			wantState(t, typeIn(t, b, page, test.right), "linked")
			accounts := w.accountsAt("ada", test.authID)
			if len(accounts) != 1 || accounts[0].ExternalAccountID != test.id {
				t.Fatalf("accounts at the host: %+v", accounts)
			}
			w.says(t, test.authID, test.says)
			if err := w.Host.Disconnect(t.Context(), "ada", accounts[0].ID); err != nil {
				t.Fatal(err)
			}
			if len(w.accountsAt("ada", test.authID)) != 0 {
				t.Error("still there")
			}
		})
	}
}

// TestPasswordIsRenewed: a password is typed once, and calls go on long after the tokens that it
// bought have ended.
func TestPasswordIsRenewed(t *testing.T) {
	w := newWorld(t, offering(2*time.Second))
	for _, customer := range []string{"acme", "globex"} {
		b, page := w.ticketPage(t, "ada", demo.AminoMove)
		wantState(t, typeIn(t, b, page, typing{"customer": customer, "username": demo.AminoUser, "password": demo.AminoPassword}), "linked")
		for {
			w.says(t, demo.AminoMove, "Ada at "+customer)
			if _, renewals, reused := w.kinds.Amino.Counts(); renewals >= 3 || reused > 0 {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		accounts := w.accountsAt("ada", demo.AminoMove)
		if err := w.Host.Disconnect(t.Context(), "ada", accounts[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	if logins, _, reused := w.kinds.Amino.Counts(); logins != 2 || reused != 0 {
		t.Errorf("%d logins, %d refresh tokens used again", logins, reused)
	}
}

// TestAttemptsAreLimited: nobody can try keys or passwords without end, neither on one page nor on
// many.
func TestAttemptsAreLimited(t *testing.T) {
	w := newWorld(t, offering(time.Minute))
	b, page := w.ticketPage(t, "ada", demo.VaultKey)
	for page = typeIn(t, b, page, typing{"api_key": "vault-wrong"}); page.Status == http.StatusUnprocessableEntity; {
		page = typeIn(t, b, page, typing{"api_key": "vault-wrong"})
	}
	if asked := w.kinds.Vault.Asked(""); asked < 5 || asked > 20 {
		t.Errorf("%d keys could be tried on one page", asked)
	}
	for {
		address, err := w.Host.Connect(t.Context(), "ada", demo.VaultKey)
		var refused *demo.StatusError
		if errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b := demo.NewBrowser()
		page, err := b.Get(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if typeIn(t, b, page, typing{"api_key": "vault-wrong"}).Status == http.StatusTooManyRequests {
			break
		}
		if asked := w.kinds.Vault.Asked(""); asked > 100 {
			t.Fatalf("%d keys tried", asked)
		}
	}
}

// accountsAt are a user's accounts at one connection, as the host has them.
func (w *world) accountsAt(user, authID string) (at []demo.Account) {
	for _, a := range w.Host.Accounts(user) {
		if a.AuthID == authID {
			at = append(at, a)
		}
	}
	return at
}

// says asks the service who ada is, through /call.
func (w *world) says(t *testing.T, authID, name string) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/api/me", nil)
	res, err := w.Host.Call("ada", authID, r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || !strings.Contains(string(text), name) {
		t.Fatalf("the call: %d %s", res.StatusCode, text)
	}
}

// TestKindsInTheBrowser is the journey of each kind in a real browser: connect, "Who am I?" (also
// after the tokens have ended), and disconnect.
func TestKindsInTheBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, offering(time.Second), tokensLive(shortLife))
	page := chromium(t)
	do(t, page, chromedp.Navigate(w.Linkgate.env["HOST_ORIGIN"]), chromedp.WaitVisible(chromedp.CSS(notesConnect)))
	look(t, page, "host-kinds")
	for _, kind := range []struct {
		authID string
		signIn func(popup context.Context)
		says   string
	}{
		{demo.VaultKey, w.typed(t, demo.VaultKey, "api_key", typing{"api_key": demo.VaultAdaKey}), "Ada Lovelace"},
		{demo.VaultBasic, w.typed(t, demo.VaultBasic, "api_token", typing{"email": demo.VaultAdaEmail, "api_token": demo.VaultAdaToken}), "Ada Lovelace"},
		{demo.AminoMove, w.typed(t, demo.AminoMove, "password", typing{"customer": "acme", "username": demo.AminoUser, "password": demo.AminoPassword}), "Ada at acme"},
		{demo.PhotosOAuth1, func(popup context.Context) { signIn(t, popup, "allow") }, "Ada Lovelace"},
		{demo.MixAppOIDC, func(popup context.Context) { signIn(t, popup, "allow") }, "Ada L."},
		{demo.SunshineAuth, func(popup context.Context) { signInToSunshine(t, popup) }, "acme"},
		{demo.NotesTeam, func(popup context.Context) { connectTeam(t, popup) }, "Staffroom's team"},
	} {
		card := `[data-auth="` + kind.authID + `"]`
		popup := opened(t, page, chromedp.Click(chromedp.CSS(card+` [data-connect]`)))
		kind.signIn(popup)
		do(t, page, chromedp.WaitVisible(chromedp.CSS(card+` li .name`)))
		for range 2 {
			do(t, page, chromedp.Click(chromedp.CSS(card+` [data-whoami]`)), chromedp.WaitVisible(chromedp.CSS(card+` .answer .who`)))
			if got := ask(t, page, chromedp.Text(chromedp.CSS(card+` .answer .who`))); got != kind.says {
				t.Errorf("%s: the service says %q, want %q", kind.authID, got, kind.says)
			}
			<-time.After(2 * time.Second) // Amino's tokens live one
		}
		look(t, page, "host-"+kind.authID)
		do(t, page, chromedp.Click(chromedp.CSS(card+` [data-disconnect]`)), chromedp.WaitNotPresent(chromedp.CSS(card+` li .name`)))
	}
	if _, renewals, reused := w.kinds.Amino.Counts(); renewals == 0 || reused != 0 {
		t.Errorf("Amino has seen %d renewals and %d used refresh tokens", renewals, reused)
	}
	if n := w.kinds.MixApp.Requests(demo.OpClientCreate); n != 1 {
		t.Errorf("%d clients were created at MixApp, want 1", n)
	}
}

// typed fills a form in, once with a wrong secret.
func (w *world) typed(t *testing.T, name, secret string, values typing) func(context.Context) {
	return func(popup context.Context) {
		t.Helper()
		do(t, popup, chromedp.WaitVisible(chromedp.CSS(`[data-page="ticket"]`)))
		look(t, popup, "form-"+name)
		fill(t, popup, values, secret, "vault-wrong-wrong")
		do(t, popup, chromedp.WaitVisible(chromedp.CSS(`[aria-invalid="true"]`)))
		look(t, popup, "form-"+name+"-rejected")
		fill(t, popup, values, secret, values[secret])
	}
}

// signInToSunshine has Ada choose one of her two apps.
func signInToSunshine(t *testing.T, popup context.Context) {
	t.Helper()
	do(t, popup,
		chromedp.WaitVisible(chromedp.ID("continue")), chromedp.Click(chromedp.ID("continue")),
		chromedp.WaitVisible(chromedp.ID("username")), chromedp.SendKeys(chromedp.ID("username"), "ada"), chromedp.SendKeys(chromedp.ID("password"), demo.Password),
		chromedp.Click(chromedp.CSS(`button[value="sign-in"]`)))
	do(t, popup,
		chromedp.WaitVisible(chromedp.CSS(`button[name="app"]`)), chromedp.Click(chromedp.CSS(`button[name="app"]`)),
		chromedp.WaitVisible(chromedp.CSS(`button[value="allow"]`)), chromedp.Click(chromedp.CSS(`button[value="allow"]`)))
}

// connectTeam agrees to use the company's account: that is one click.
func connectTeam(t *testing.T, popup context.Context) {
	t.Helper()
	do(t, popup, chromedp.WaitVisible(chromedp.ID("continue")))
	look(t, popup, "form-"+demo.NotesTeam)
	if said := ask(t, popup, chromedp.Text(chromedp.CSS(`[data-page="ticket"]`))); !strings.Contains(said, "Everyone who connects it acts there with the app's own access") {
		t.Errorf("the page does not say whose account it is:\n%s", said)
	}
	do(t, popup, chromedp.Click(chromedp.ID("continue")))
}

// fill types into the form and sends it; secret is the field that gets another value.
func fill(t *testing.T, window context.Context, values typing, secret, value string) {
	t.Helper()
	for key, text := range values {
		if key == secret {
			text = value
		}
		field := chromedp.CSS(`[name="` + key + `"]`)
		do(t, window, chromedp.Clear(field), chromedp.SendKeys(field, text))
	}
	do(t, window, chromedp.Click(chromedp.ID("continue")))
}
