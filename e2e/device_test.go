package e2e

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"linkgate/demo"
)

// TestSignInByCode: in a window that can't be sent to the service a user asks for a code, types it on
// another device, and the window goes on by itself; calls work, and a disconnect revokes.
func TestSignInByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := chromium(t)
	card := `[data-auth="` + demo.NotesOAuth2 + `"]`
	do(t, page, chromedp.Navigate(w.Linkgate.env["HOST_ORIGIN"]), chromedp.WaitVisible(chromedp.CSS(card+` [data-connect]`)))
	popup := opened(t, page, chromedp.Click(chromedp.CSS(card+` [data-connect]`)))
	do(t, popup, chromedp.WaitVisible(chromedp.ID("by-code")))
	look(t, popup, "ticket-by-code")
	do(t, popup, chromedp.Click(chromedp.ID("by-code")), chromedp.WaitVisible(chromedp.ID("user-code")))
	for _, language := range []string{"de", "ar", "en"} {
		do(t, popup, speaking(language), chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(`html[lang="`+language+`"] #user-code`)))
		look(t, popup, "code-"+language)
	}
	code := ask(t, popup, chromedp.Text(chromedp.ID("user-code")))
	address := ask(t, popup, chromedp.Text(chromedp.ID("verify-at")))
	if n := len(w.accountsAt("ada", demo.NotesOAuth2)); n != 0 {
		t.Fatalf("%d accounts before the code is typed", n)
	}
	if _, err := demo.NewBrowser().Activate(t.Context(), address, code, "ada", "allow"); err != nil {
		t.Fatal(err)
	}
	do(t, page, chromedp.WaitVisible(chromedp.CSS(card+` li .name`)))
	w.says(t, demo.NotesOAuth2, "Ada L.")
	accounts := w.accountsAt("ada", demo.NotesOAuth2)
	if len(accounts) != 1 || accounts[0].ExternalAccountID != "u-1815" {
		t.Fatalf("accounts at the host: %+v", accounts)
	}
	do(t, page, chromedp.Click(chromedp.CSS(card+` [data-disconnect]`)), chromedp.WaitNotPresent(chromedp.CSS(card+` li .name`)))
	eventually(t, "the tokens are revoked", func() bool { return w.Service.ActiveTokens("acct_1815") == 0 })
}

// speaking has a window ask for its pages in a language.
func speaking(language string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, at *chromedp.Target) error {
		_, err := cdp.Call(ctx, at, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": language}})
		return err
	})
}
