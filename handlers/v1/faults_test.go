package v1_test

import (
	"net/http"
	"strings"
	"testing"

	"linkgate/apikey"
	"linkgate/secret"
)

// TestPanic: what goes wrong on our side is in the log, and told to nobody.
func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/v1/accounts/" + w.imported("one")
	text := "index out of range in the vault"
	w.connect.panic.Store(&text)
	failed := w.wants(http.StatusInternalServerError, "internal", "POST", at+"/test", "", "Idempotency-Key", "k")
	if strings.Contains(failed.body, "vault") || strings.Contains(failed.body, "goroutine") {
		t.Errorf("it tells what happened: %s", failed.body)
	}
	id := failed.text(t, "instance")
	if id == "" || id != failed.header.Get("X-Request-Id") || !strings.Contains(w.log.String(), id) || !strings.Contains(w.log.String(), text) {
		t.Errorf("request %q (header %q) is not in the log, with what happened", id, failed.header.Get("X-Request-Id"))
	}
	w.connect.panic.Store(nil)
	w.wants(http.StatusOK, "", "POST", at+"/test", "")
}

// wantsUnavailable asks for what can't be had now.
func (w *world) wantsUnavailable(method, path, body string, headers ...string) {
	w.t.Helper()
	refused := w.wants(http.StatusServiceUnavailable, "unavailable", method, path, body, headers...)
	if refused.header.Get("Retry-After") == "" {
		w.t.Errorf("%s %s does not say when to come back", method, path)
	}
}

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/v1/accounts/" + w.imported("one")
	static, err := apikey.ParseStatic(secret.New("a-key-of-the-environment-0123456789"))
	if err != nil {
		t.Fatal(err)
	}
	w.keys.Static = []apikey.Key{static}
	w.connect.Outbox.Wait()
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	known := []string{"Authorization", "Bearer a-key-of-the-environment-0123456789"}
	for _, r := range []struct{ method, path, body string }{
		{"GET", "/v1/accounts", ""},
		{"GET", "/v1/accounts?for_component=flow-1", ""},
		{"GET", at, ""},
		{"PATCH", at, `{"display_name":"x"}`},
		{"DELETE", at, ""},
		{"POST", at + "/test", ""},
		{"POST", at + "/token", ""},
		{"GET", at + "/components", ""},
		{"GET", "/v1/components/flow-1/account", ""},
		{"PUT", "/v1/components/flow-1/account", `{"account_id":"acc_1","user_id":"u_ada"}`},
		{"DELETE", "/v1/components/flow-1/account", ""},
		{"DELETE", "/v1/users/u_ada/accounts", ""},
		{"GET", "/v1/events", ""},
	} {
		w.wantsUnavailable(r.method, r.path, r.body, known...)
	}
	w.wants(http.StatusOK, "", "GET", "/v1/connections", "", known...)
	w.wantsUnavailable("GET", "/v1/connections", "", "Authorization", "Bearer "+unseen(t))
}

// unseen is a key of the right form that only the database can tell to be unknown.
func unseen(t *testing.T) string {
	t.Helper()
	return newWorld(t).key
}

// TestRedisDown: it is missed where it is needed, and nowhere else.
func TestRedisDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/v1/accounts/" + w.imported("one")
	if err := w.redis.Client.Close(); err != nil {
		t.Fatal(err)
	}
	w.wantsUnavailable("POST", "/v1/sessions", `{"user_id":"u_ada","auth_id":"vault"}`)
	w.wantsUnavailable("GET", "/v1/sessions/some-session", "")
	w.wantsUnavailable("GET", "/v1/sessions/some-session", "", "Accept", "text/event-stream")
	w.wantsUnavailable("POST", at+"/test", "", "Idempotency-Key", "k")
	w.wantsUnavailable("POST", unasked, importing("two"), "Idempotency-Key", "k")
	w.wants(http.StatusOK, "", "GET", "/v1/accounts", "")
	w.wants(http.StatusOK, "", "GET", at, "")
	w.wants(http.StatusOK, "", "PATCH", at, `{"display_name":"x"}`)
	w.wants(http.StatusOK, "", "POST", at+"/token", "")
	w.wants(http.StatusOK, "", "POST", at+"/test", "")
	w.wants(http.StatusCreated, "", "POST", unasked, importing("two"))
	w.wants(http.StatusOK, "", "GET", "/v1/events", "")
	w.wants(http.StatusOK, "", "DELETE", at, "")
}
