package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"linkgate/demo"
)

// shortLife is that of access tokens which end while a test runs.
const shortLife = 2 * time.Second

// call sends a user's call to ada's account at the service.
func (w *world) call(t *testing.T, method, path string) (*http.Response, envelope) {
	t.Helper()
	return request(t, t.Context(), method, w.Linkgate.URL("/call/"+demo.NotesOIDC+path), w.proxied("ada"), nil)
}

// TestCallsNeedAnAccount: what a caller is told before there is an account, and outside the rules.
func TestCallsNeedAnAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answer, e := w.call(t, "GET", "/api/me")
	if answer.StatusCode != 404 || e.Code != "NOT_CONNECTED" || !strings.Contains(e.Message, "POST /auth/notes") {
		t.Errorf("got %d %s %q, want 404 NOT_CONNECTED and a hint to connect", answer.StatusCode, e.Code, e.Message)
	}
	w.linked(t, "ada", demo.NotesOIDC, "ada")
	answer, e = w.call(t, "DELETE", "/api/me")
	if answer.StatusCode != 403 || e.Code != "NOT_ALLOWED" || !strings.Contains(e.Message, `"DELETE /api/me"`) {
		t.Errorf("got %d %s %q, want 403 NOT_ALLOWED that names the rule", answer.StatusCode, e.Code, e.Message)
	}
	if n := w.Service.Requests(demo.OpForbidden); n != 0 {
		t.Errorf("%d requests reached what is not allowed", n)
	}
}

// TestGrantEnds: when the service has ended the grant, the call says so with an address to sign in
// at, the host is told once, and linking again clears it.
func TestGrantEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tokensLive(shortLife))
	account := w.linked(t, "ada", demo.NotesOIDC, "ada")
	w.Service.EndGrant(subjectOf("ada"))
	time.Sleep(shortLife)
	var at string
	for range 3 {
		answer, e := w.call(t, "GET", "/api/me")
		var data struct {
			AuthorizationURL string `json:"authorization_url"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil || answer.StatusCode != 409 || e.Code != "REAUTH_REQUIRED" {
			t.Fatalf("got %d %s %v, want 409 REAUTH_REQUIRED", answer.StatusCode, e.Code, err)
		}
		at = data.AuthorizationURL
	}
	eventually(t, "the host knows that the user must sign in again", func() bool {
		return w.Host.Accounts("ada")[0].RequiresReauth
	})
	if n := w.Host.Updates(account.ID); n != 1 {
		t.Errorf("the host was told %d times, want once", n)
	}
	page, err := demo.NewBrowser().SignIn(t.Context(), at, "ada")
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, page, "linked")
	if a := w.Host.Accounts("ada"); len(a) != 1 || a[0].RequiresReauth {
		t.Errorf("the host has %d accounts, which require a sign-in: %v; want one that does not", len(a), a[0].RequiresReauth)
	}
	r, err := w.Host.Proxy(t.Context(), "ada", "GET", "/call/"+demo.NotesOIDC+"/api/me", nil)
	if err != nil || r.StatusCode != 200 {
		t.Errorf("a call afterwards: %v, %v", r.StatusCode, err)
	}
}

// TestRealWeather: faults of a real token endpoint, one after the other, flag nobody.
func TestRealWeather(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tokensLive(shortLife))
	account := w.linked(t, "ada", demo.NotesOIDC, "ada")
	for name, fault := range map[string]*demo.Fault{
		"500": {Status: 500}, "503": {Status: 503, Header: http.Header{"Retry-After": {"1"}}},
		"429": {Status: 429, Header: http.Header{"Retry-After": {"1"}}}, "a firewall": demo.HTML(403), "dropped": {Drop: true},
		"a redirect": demo.Redirect(307, "http://127.0.0.1:1/"), "invalid_client": demo.Answer(401, `{"error":"invalid_client"}`),
		"words": demo.Answer(400, `{"error":"something else"}`),
	} {
		w.Service.Play(demo.Script{Fault: demo.Only(demo.OpToken, -1, *fault)})
		time.Sleep(shortLife / 2)
		answer, err := w.Host.Proxy(t.Context(), "ada", "GET", "/call/"+demo.NotesOIDC+"/api/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if s := answer.StatusCode; s != 200 && s != 502 && s != 503 {
			t.Errorf("%s: got %d", name, s)
		}
	}
	w.Service.Play(demo.Script{})
	eventually(t, "calls work again", func() bool {
		answer, err := w.Host.Proxy(t.Context(), "ada", "GET", "/call/"+demo.NotesOIDC+"/api/me", nil)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == 200
	})
	if n := w.Host.Updates(account.ID); n != 0 {
		t.Errorf("the host was told of a change %d times", n)
	}
}

// TestWebSocketCall: a connection is upgraded through the whole of Linkgate, both ways.
func TestWebSocketCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.linked(t, "ada", demo.NotesOIDC, "ada")
	c, _, err := websocket.Dial(t.Context(), w.Linkgate.URL("/call/"+demo.NotesOIDC+"/api/ws"), &websocket.DialOptions{HTTPHeader: w.proxied("ada")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for _, word := range []string{"hello", strings.Repeat("x", 20_000)} {
		if err := c.Write(t.Context(), websocket.MessageText, []byte(word)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(t.Context()); err != nil || string(got) != word {
			t.Errorf("got %d bytes back, %v; want %d", len(got), err, len(word))
		}
	}
}

// TestStopWhileCalling: asked to stop, Linkgate ends the calls that end, and cuts off the streams that
// don't when SHUTDOWN_TIMEOUT is over.
func TestStopWhileCalling(t *testing.T) {
	t.Parallel()
	w := newWorld(t, with("SHUTDOWN_TIMEOUT", "3s"))
	w.linked(t, "ada", demo.NotesOIDC, "ada")
	under := make(chan struct{}, 2)
	w.Service.Play(demo.Script{Before: func(op string, _ *http.Request) {
		if op == demo.OpSlow || op == demo.OpEvents {
			under <- struct{}{}
		}
	}})
	open := func(path string) (*http.Response, error) {
		return w.Host.Proxy(context.WithoutCancel(t.Context()), "ada", "GET", "/call/"+demo.NotesOIDC+path, nil)
	}
	var calls sync.WaitGroup
	calls.Go(func() {
		answer, err := open("/api/slow?ms=1000")
		if err != nil || answer.StatusCode != 200 {
			t.Errorf("the call that ends: %v, %v", answer, err)
		}
	})
	calls.Go(func() {
		answer, err := open("/api/events?n=100000")
		if err != nil {
			t.Errorf("the stream: %v", err)
			return
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		if !lines.Scan() {
			t.Error("the stream has brought nothing")
		}
		if n, _ := io.Copy(io.Discard, answer.Body); n == 0 {
			t.Error("the stream was cut off at once")
		}
	})
	<-under
	<-under
	if code := w.Linkgate.Stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	calls.Wait()
	if !strings.Contains(w.Linkgate.log.String(), "cut off what did not end") {
		t.Error("the log does not say that something was cut off")
	}
	w.Linkgate.Start()
}
