package handlers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"linkgate/connect"
	"linkgate/secret"
)

// formStage is a stage with a service that takes one password.
func formStage(t *testing.T) stage {
	st := newStage(t, itself)
	st.view, st.address = aminoView(), "/connect/"+aTicket+"/result"
	st.check = func(values map[string]secret.Text) error {
		if values["password"].Reveal() == aPassword {
			return nil
		}
		return &connect.FieldsError{View: aminoView(), Mistakes: map[string]connect.FieldMistake{"password": connect.FieldRejected}}
	}
	return st
}

// fillsInTheForm is a user who types nothing, then something wrong, then what is right.
func fillsInTheForm(tab context.Context, t *testing.T) {
	st := formStage(t)
	if err := chromedp.Do(tab, withoutScript, chromedp.Navigate(st.site+"/connect/"+aTicket), chromedp.Click(chromedp.ID("continue"))); err != nil {
		t.Fatal(err)
	}
	if got := eval[string](tab, t, `document.activeElement.id`); got != "field-subdomain" {
		t.Errorf("got the focus at %q after nothing was typed, want it at the first field", got)
	}
	for _, asked := range st.asked() {
		if strings.HasPrefix(asked, "Continue") {
			t.Errorf("got %q, though nothing was typed", asked)
		}
	}
	err := chromedp.Do(tab,
		chromedp.SendKeys(chromedp.ID("field-subdomain"), "acme"),
		chromedp.SendKeys(chromedp.ID("field-password"), "hunter2"),
		chromedp.Click(chromedp.ID("continue")),
		chromedp.WaitVisible(chromedp.ID("mistakes")))
	if err != nil {
		t.Fatalf("typing something wrong: %v", err)
	}
	if got, want := eval[string](tab, t, `location.href`), st.site+"/connect/"+aTicket; got != want {
		t.Errorf("got the window at %s, want %s", got, want)
	}
	got := eval[[]string](tab, t, `[document.activeElement.id, ...Array.from(document.querySelectorAll(".field input"), i => i.value)]`)
	if want := []string{"field-password", "acme", ""}; strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got focus and values %q, want %q", got, want)
	}
	if err := chromedp.Do(tab, chromedp.SendKeys(chromedp.ID("field-password"), aPassword+"\r"), chromedp.WaitReady(chromedp.CSS(`[data-page="result"]`))); err != nil {
		t.Fatalf("typing what is right, and Enter: %v", err)
	}
}

// showsTheFormOnAnyScreen tries what breaks pages: the narrowest phone, words that have no end, and
// a language that runs the other way.
func showsTheFormOnAnyScreen(tab context.Context, t *testing.T) {
	st := formStage(t)
	const long = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
	st.view.ServiceName = long
	st.view.Fields[0].Label, st.view.Fields[0].Help = long, long
	st.check = func(map[string]secret.Text) error {
		return &connect.FieldsError{View: st.view, Mistakes: map[string]connect.FieldMistake{"subdomain": connect.FieldMalformed}}
	}
	for _, lang := range []string{"de", "ar"} {
		for _, width := range []int64{320, 1280} {
			at := fmt.Sprintf("%s at %d px", lang, width)
			err := chromedp.Do(tab, inLanguage(lang), chromedp.EmulateViewport(width, 700),
				chromedp.Navigate(st.site+"/connect/"+aTicket),
				chromedp.SendKeys(chromedp.ID("field-subdomain"), long), chromedp.SendKeys(chromedp.ID("field-password"), "x"),
				chromedp.Click(chromedp.ID("continue")), chromedp.WaitVisible(chromedp.ID("mistakes")))
			if err != nil {
				t.Fatalf("%s: %v", at, err)
			}
			if got := eval[int64](tab, t, `document.documentElement.scrollWidth`); got > width {
				t.Errorf("%s: got a page %d px wide, which has to be moved sideways", at, got)
			}
			if got := eval[[]string](tab, t, outside); len(got) > 0 {
				t.Errorf("%s: got %q outside of the card", at, got)
			}
			if got := eval[float64](tab, t, `Math.min(...Array.from(document.querySelectorAll("input:not([type=hidden]), button"), e => e.getBoundingClientRect().height))`); got < 44 {
				t.Errorf("%s: got a target of %v px, want 44 or more", at, got)
			}
		}
	}
}

// outside are the elements that leave the card.
const outside = `(() => {
	const card = document.querySelector("main").getBoundingClientRect();
	return Array.from(document.querySelectorAll("main *:not(.unseen)"))
		.filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && (r.left < card.left || r.right > card.right); })
		.map(e => e.outerHTML.slice(0, 80));
})()`

func withoutScript(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
	_, err := cdp.Call(ctx, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return chromedp.Void{}, err
}

func inLanguage(lang string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, tab, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}})
		return chromedp.Void{}, err
	}
}
