package handlers

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"linkgate/connect"
	"linkgate/secret"
)

// attribute reads an attribute of the page's script element.
func attribute(t *testing.T, page, name string) string {
	t.Helper()
	m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no %s", name)
	}
	return html.UnescapeString(m[1])
}

func TestResultTellsTheOpener(t *testing.T) {
	relaying := connect.Result{State: connect.Relaying, FinishToken: secret.New("finish-token")}
	for _, tc := range []struct {
		name, query, origin string
		result              connect.Result
		message, refresh    string
	}{
		{"linked", "", hostOrigin, connect.Result{State: connect.Linked}, "linkgate.auth.success." + aTicket, ""},
		{"pending", "", hostOrigin, connect.Result{State: connect.Pending}, "linkgate.auth.success." + aTicket, ""},
		{"failed", "", hostOrigin, connect.Result{State: connect.Failed, Reason: connect.Denied}, "linkgate.auth.failure." + aTicket, ""},
		{"working", "", hostOrigin, connect.Result{State: connect.Working}, "", "/result"},
		{"relaying", "", hostOrigin, relaying, "linkgate.auth.finish.finish-token", "/result?relayed=1"},
		{"relayed", "?relayed=1", hostOrigin, relaying, "", "/result?relayed=1"},
		{"relaying without a token", "", hostOrigin, connect.Result{State: connect.Relaying}, "", "/result?relayed=1"},
		{"linked, nobody to tell", "", "", connect.Result{State: connect.Linked}, "", ""},
		{"relaying, nobody to tell", "", "", relaying, "", "/result?relayed=1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.result, b.origin = tc.result, tc.origin
			page := b.asBrowser("GET", "/connect/"+aTicket+"/result"+tc.query).Body.String()
			if got := attribute(t, page, "data-message"); got != tc.message {
				t.Errorf("got message %q, want %q", got, tc.message)
			}
			if got := attribute(t, page, "data-origin"); got != tc.origin {
				t.Errorf("got origin %q, want %q", got, tc.origin)
			}
			want := ""
			if tc.refresh != "" {
				want = "2;url=/connect/" + aTicket + tc.refresh
			}
			got := ""
			if strings.Contains(page, `http-equiv="refresh"`) {
				got = attribute(t, page, `http-equiv="refresh" content`)
			}
			if got != want {
				t.Errorf("got refresh %q, want %q", got, want)
			}
		})
	}
}

// TestHostThatDoesNotRelay: the page gives up, but not before the host's page has been asked.
func TestHostThatDoesNotRelay(t *testing.T) {
	const answers, silent = false, true
	for _, tc := range []struct {
		name, query, origin string
		stalled             bool
		gaveUp              bool
	}{
		{"asking", "", hostOrigin, answers, false},
		{"asked", "?relayed=1", hostOrigin, answers, false},
		{"asking late", "", hostOrigin, silent, false},
		{"asked long ago", "?relayed=1", hostOrigin, silent, true},
		{"nobody to ask", "", "", silent, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.origin = tc.origin
			b.result = connect.Result{State: connect.Relaying, FinishToken: secret.New("finish-token"), Stalled: tc.stalled}
			page := b.asBrowser("GET", "/connect/"+aTicket+"/result"+tc.query).Body.String()
			for what, want := range map[string]bool{
				"Your app did not confirm": tc.gaveUp, `id="retry" href="/connect/` + aTicket + `"`: tc.gaveUp,
				`http-equiv="refresh"`: !tc.gaveUp,
			} {
				if got := strings.Contains(page, what); got != want {
					t.Errorf("got %s: %v, want %v", what, got, want)
				}
			}
		})
	}
}

// TestResultOfAnOpenSession: the window may have been sent past the ticket page, so it goes back.
func TestResultOfAnOpenSession(t *testing.T) {
	b := newBench(t)
	b.result = connect.Result{State: connect.Open, ServiceName: "GitHub"}
	w := b.asBrowser("GET", "/connect/"+aTicket+"/result")
	if got := w.Header().Get("Location"); w.Code != http.StatusSeeOther || got != "/connect/"+aTicket {
		t.Errorf("got %d %q, want 303 to the ticket page", w.Code, got)
	}
}

func TestTryAgainLeadsToTheTicketPage(t *testing.T) {
	b := newBench(t)
	b.result = connect.Result{State: connect.Failed, Reason: connect.Denied}
	page := b.asBrowser("GET", "/connect/"+aTicket+"/result").Body.String()
	if want := `id="retry" href="/connect/` + aTicket + `"`; !strings.Contains(page, want) {
		t.Errorf("the page has no %s", want)
	}
}
