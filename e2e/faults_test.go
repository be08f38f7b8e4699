package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/demo"
)

// TestTokenEndpointMisbehaves: whatever it does, the code is sent exactly once, the user is told
// what to do, and nothing is saved.
func TestTokenEndpointMisbehaves(t *testing.T) {
	t.Parallel()
	var stolen atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	t.Cleanup(thief.Close)
	for _, c := range []struct {
		name  string
		fault demo.Fault
	}{
		{"drops the connection", demo.Fault{Drop: true}},
		{"drops it after the work", demo.Fault{Drop: true, Done: true}},
		{"500", demo.Fault{Status: 500, Body: "{}"}},
		{"307 to another host", *demo.Redirect(307, thief.URL)},
		{"302 to another host", *demo.Redirect(302, thief.URL)},
		{"endless body", demo.Fault{Endless: true}},
		{"HTML", *demo.HTML(200)},
		{"200 with an error", *demo.Answer(200, `{"error":"invalid_grant"}`)},
		{"400 invalid_client", *demo.Answer(400, `{"error":"invalid_client"}`)},
		{"200 without a token", *demo.Answer(200, `{}`)},
		{"429", demo.Fault{Status: 429, Header: http.Header{"Retry-After": {"1"}}}},
	} {
		for _, authID := range []string{demo.NotesOIDC, demo.NotesOAuth2} {
			t.Run(c.name+" "+authID, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.Service.Play(demo.Script{Fault: demo.Only(demo.OpToken, -1, c.fault)})
				page := w.connect(t, "ada", authID, "ada")
				wantState(t, page, "failed")
				if !strings.Contains(page.Body, `id="retry"`) {
					t.Error("the page offers no way to try again")
				}
				for _, code := range w.Service.Codes() {
					if n := w.Service.CodeUses(code); n != 1 {
						t.Errorf("the code was sent %d times, want 1", n)
					}
				}
				w.wantNothingLinked(t, "link.failed")
			})
		}
	}
	t.Cleanup(func() {
		if n := stolen.Load(); n != 0 {
			t.Errorf("another host got %d requests, want 0", n)
		}
	})
}

// TestHostIsDownForAWhile: the account appears when the host is back, once.
func TestHostIsDownForAWhile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault demo.Fault
		lasts time.Duration // zero: until it has been tried again
	}{
		{"500", demo.Fault{Status: 500}, 0},
		{"500 for half a minute", demo.Fault{Status: 500}, 30 * time.Second},
		{"drops", demo.Fault{Drop: true}, 0},
		{"loses the reply", demo.Fault{Drop: true, Done: true}, 0},
		{"401", *demo.Answer(401, `{"code":"UNAUTHORIZED","message":"","data":null}`), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Host.Play(demo.Script{Fault: demo.Only(demo.OpAdd, -1, c.fault)})
			wantState(t, w.connect(t, "ada", demo.NotesOIDC, "ada"), "pending")
			time.Sleep(c.lasts)
			eventually(t, "a second try", func() bool { return w.Host.Calls(demo.OpAdd)+w.Host.Calls(demo.OpList) >= 2 })
			w.Host.Play(demo.Script{})
			eventually(t, "the account appears at the host", func() bool { return len(w.Host.Accounts("ada")) > 0 })
			eventually(t, "Linkgate knows it", func() bool { return w.Host.Disconnect(t.Context(), "ada", w.Host.Accounts("ada")[0].ID) == nil })
			if n := len(w.Host.Accounts("ada")); n != 0 {
				t.Errorf("%d accounts are left after one disconnect: it was added more than once", n)
			}
		})
	}
}

// TestHostRefuses: the token is revoked at the service, the page says so, nothing is kept.
func TestHostRefuses(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 403, 404, 422} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Host.Play(demo.Script{Fault: demo.Only(demo.OpAdd, -1, *demo.Answer(status, `{"code":"NO","message":"","data":null}`))})
			page := w.connect(t, "ada", demo.NotesOIDC, "ada")
			wantState(t, page, "failed")
			eventually(t, "the tokens are revoked", func() bool { return w.Service.Requests(demo.OpRevoke) > 0 && w.activeTokens("ada") == 0 })
			eventually(t, "nothing is kept", func() bool { return w.count(t, "SELECT count(*) FROM linked_accounts") == 0 })
			if n := len(w.Host.Accounts("ada")); n != 0 {
				t.Errorf("the host has %d accounts, want 0", n)
			}
		})
	}
}
