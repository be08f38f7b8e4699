package handlers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// takesAPostFromAnotherSite goes the way of response_mode=form_post: what the service posts comes
// without our Lax cookie, and with it from our own page. The service is at localhost and we are at
// 127.0.0.1, which are two sites; two ports would be one.
func takesAPostFromAnotherSite(script bool) func(context.Context, *testing.T) {
	return func(tab context.Context, t *testing.T) {
		st := newStage(t, itself)
		st.address = postingService(t, st.site)
		if !script {
			if err := chromedp.Do(tab, withoutScript); err != nil {
				t.Fatal(err)
			}
		}
		err := chromedp.Do(tab,
			chromedp.Navigate(st.site+"/connect/"+aTicket),
			chromedp.Click(chromedp.ID("continue")),
			chromedp.Click(chromedp.ID("allow")))
		if err == nil && !script {
			err = chromedp.Do(tab, chromedp.Click(chromedp.CSS("#relay button")))
		}
		if err == nil {
			err = chromedp.Do(tab, chromedp.WaitReady(chromedp.CSS(`[data-page="result"]`)))
		}
		if err != nil {
			t.Fatalf("following what the service posts: %v; calls %v", err, st.asked())
		}
		if got, want := eval[string](tab, t, `location.href`), st.site+"/connect/"+aTicket+"/result"; got != want {
			t.Errorf("got the window at %s, want %s", got, want)
		}
		st.wantCompletedOnce(t)
	}
}

// postingService asks for consent on a site of its own and posts its answer to ours.
func postingService(t *testing.T, site string) string {
	page := newPage(t, fmt.Sprintf(`<title>the service</title><form method="post" action="%s/callback/gh">
		<input type="hidden" name="code" value="the-code"><input type="hidden" name="state" value="%s">
		<button id="allow">Allow</button></form>`, site, aState))
	return strings.Replace(page, "127.0.0.1", "localhost", 1)
}

// wantCompletedOnce wants two posts, of which the second alone was acted on: by the browser that
// opened the ticket.
func (st stage) wantCompletedOnce(t *testing.T) {
	t.Helper()
	var opened string
	var completed []string
	for _, call := range st.asked() {
		words := strings.Fields(call)
		switch words[0] {
		case "Open":
			opened = words[2]
		case "Complete":
			completed = append(completed, call)
		}
	}
	if want := "Complete gh " + opened + " " + aState; len(completed) != 1 || completed[0] != want || opened == "" {
		t.Errorf("got calls %v, want one %q", st.asked(), want)
	}
	if n := strings.Count(st.log.String(), `"method":"POST","route":"/callback/:auth_id"`); n != 2 {
		t.Errorf("got %d posts of the callback, want 2: %s", n, st.log)
	}
}
