package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"linkgate/demo"
)

const ownersKey = "owner-8f2b6c1d94e7a3f05b7c2e19d64a8f30"

// ownersPage is a page of the owner's own, as the README has it, with the back end behind it.
const ownersPage = `<!doctype html><html lang="en"><title>Widgets</title><meta name="viewport" content="width=device-width">
<script src="%LINKGATE%/linkgate.js"></script>
<button id="connect">Connect Acme Notes</button><p id="outcome"></p>
<script>
document.getElementById("connect").onclick = async () => {
  const opened = fetch("/connect", {method: "POST"}).then((answer) => answer.json());
  const end = await linkgate.connect(opened.then((session) => session.authorization_url)).catch((e) => ({status: "error " + e.message}));
  document.getElementById("outcome").innerHTML = "<b id='" + end.status + "'></b>" + end.session;
};
</script></html>`

// askAPI is a request of the owner's back end to the accounts API.
func (w *world) askAPI(t *testing.T, method, path string, body, into any) int {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, w.Linkgate.URL("/v1"+path), bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+ownersKey)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	told, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil && json.Unmarshal(told, into) != nil {
		t.Fatalf("%s %s: HTTP %d: %s", method, path, answer.StatusCode, told)
	}
	return answer.StatusCode
}

// TestOwnersPage has a user connect from a page of the owner's: the back end opens the session,
// linkgate.js the window, and in the end page and back end know, and the component is bound.
func TestOwnersPage(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	origin := serve(t, mux)
	w := newWorld(t, with("SESSION_ORIGINS", origin), with("API_KEYS", ownersKey))
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(rw, strings.ReplaceAll(ownersPage, "%LINKGATE%", w.Linkgate.URL("")))
	})
	mux.HandleFunc("POST /connect", func(rw http.ResponseWriter, r *http.Request) {
		var session json.RawMessage
		w.askAPI(t, "POST", "/sessions", map[string]any{
			"user_id": "ada", "auth_id": demo.NotesOIDC, "component_id": "widget-7", "origin": origin,
		}, &session)
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write(session)
	})

	page := chromium(t)
	do(t, page, chromedp.Navigate(origin), chromedp.WaitVisible(chromedp.ID("connect")))
	popup := opened(t, page, chromedp.Click(chromedp.ID("connect")))
	signIn(t, popup, "allow")
	do(t, page, chromedp.WaitReady(chromedp.ID("linked")))
	id := ask(t, page, chromedp.Text(chromedp.ID("outcome")))

	var session struct {
		Status    string `json:"status"`
		AccountID string `json:"account_id"`
		Name      string `json:"account_name"`
	}
	if w.askAPI(t, "GET", "/sessions/"+id, nil, &session); session.Status != "linked" || session.Name != "Ada L." {
		t.Errorf("the back end is told %+v, want linked, Ada L.", session)
	}
	var component struct {
		AccountID string `json:"account_id"`
	}
	if w.askAPI(t, "GET", "/components/widget-7/account", nil, &component); component.AccountID == "" || component.AccountID != session.AccountID {
		t.Errorf("the component uses %q, want %q", component.AccountID, session.AccountID)
	}
	if n := len(w.Host.Accounts("ada")); n != 1 {
		t.Errorf("the host has %d accounts, want 1", n)
	}
}
