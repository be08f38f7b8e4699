package v1_test

import (
	"net/http"
	"strings"
	"testing"

	"linkgate/apikey"
	"linkgate/demo"
)

func TestOnceOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.wants(http.StatusCreated, "", "POST", unasked, importing("one"), "Idempotency-Key", "k")
	again := w.wants(http.StatusCreated, "", "POST", unasked, importing("one"), "Idempotency-Key", "k")
	if again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("replayed: %q at first, then %q", first.header.Get("Idempotency-Replayed"), again.header.Get("Idempotency-Replayed"))
	}
	for _, name := range []string{"ETag", "Location", "Content-Type", "Cache-Control"} {
		if first.header.Get(name) == "" || again.header.Get(name) != first.header.Get(name) {
			t.Errorf("%s: %q, then %q", name, first.header.Get(name), again.header.Get(name))
		}
	}
	if again.body != first.body {
		t.Errorf("%s, then %s", first.body, again.body)
	}
	w.wants(http.StatusConflict, "idempotency-conflict", "POST", unasked, importing("two"), "Idempotency-Key", "k")
	w.wants(http.StatusConflict, "idempotency-conflict", "POST", "/v1/accounts", importing("one"), "Idempotency-Key", "k")
	w.wants(http.StatusCreated, "", "POST", unasked, importing("two"), "Idempotency-Key", "k", "Authorization", "Bearer "+w.newKey(apikey.AllScopes()...))
}

// TestOnceNeedsTheKey: what a key was answered is nothing to whoever has it when it is revoked.
func TestOnceNeedsTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.wants(http.StatusCreated, "", "POST", unasked, importing("one"), "Idempotency-Key", "k")
	id, _, _ := strings.Cut(w.key[len("lg_"):], "_")
	if err := w.keys.Revoke(t.Context(), "lg_"+id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the key is refused", func() bool {
		return w.ask("POST", unasked, importing("one"), "Idempotency-Key", "k").status == http.StatusUnauthorized
	})
}

func TestOnceInProgress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arrived, goOn := make(chan struct{}), make(chan struct{})
	w.host.Play(demo.Script{Before: func(op string, _ *http.Request) {
		if op == demo.OpUser {
			close(arrived)
			<-goOn
		}
	}})
	done := make(chan got)
	go func() { done <- w.ask("POST", unasked, importing("one"), "Idempotency-Key", "k") }()
	<-arrived
	busy := w.wants(http.StatusConflict, "in-progress", "POST", unasked, importing("one"), "Idempotency-Key", "k")
	if busy.header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	w.wants(http.StatusConflict, "idempotency-conflict", "POST", unasked, importing("two"), "Idempotency-Key", "k")
	w.host.Play(demo.Script{})
	close(goOn)
	if first := <-done; first.status != http.StatusCreated {
		t.Errorf("the first: %d %s", first.status, first.body)
	}
	w.wants(http.StatusCreated, "", "POST", unasked, importing("one"), "Idempotency-Key", "k")
}

// TestOnceKeepsNoFailure: what has failed may be tried again, with the same key and a better body.
func TestOnceKeepsNoFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.wants(http.StatusBadRequest, "invalid-request", "POST", unasked, `{"user_id":""}`, "Idempotency-Key", "k")
	w.wants(http.StatusNotFound, "not-found", "POST", unasked, strings.Replace(importing("one"), `"vault"`, `"nowhere"`, 1), "Idempotency-Key", "k")
	created := w.wants(http.StatusCreated, "", "POST", unasked, importing("one"), "Idempotency-Key", "k")
	if created.header.Get("Idempotency-Replayed") != "" {
		t.Error("a failure was kept")
	}
}

// TestOnceIsForPosts: what can be repeated anyhow is not kept.
func TestOnceIsForPosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/v1/accounts/" + w.imported("one")
	for _, name := range []string{"first", "second"} {
		w.wants(http.StatusOK, "", "PATCH", at, `{"display_name":"`+name+`"}`, "Idempotency-Key", "k")
		read := w.wants(http.StatusOK, "", "GET", at, "", "Idempotency-Key", "k")
		if read.text(t, "display_name") != name || read.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("replayed %q: %s", read.header.Get("Idempotency-Replayed"), read.body)
		}
	}
	w.wants(http.StatusBadRequest, "invalid-request", "POST", at+"/test", "", "Idempotency-Key", strings.Repeat("k", 256))
	w.wants(http.StatusBadRequest, "invalid-request", "POST", at+"/test", "", "Idempotency-Key", "")
	w.wants(http.StatusOK, "", "POST", at+"/test", "", "Idempotency-Key", strings.Repeat("k", 255))
}

// TestOnceKeepsNoCredential: a token is fresh each time, and none is left when its account is gone.
func TestOnceKeepsNoCredential(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := "/v1/accounts/" + w.imported("one")
	for range 2 {
		told := w.wants(http.StatusOK, "", "POST", at+"/token", `{"min_valid_seconds":0}`, "Idempotency-Key", "k")
		if told.text(t, "access_token") != "vault-one" || told.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("replayed %q: %s", told.header.Get("Idempotency-Replayed"), told.body)
		}
	}
	w.wants(http.StatusConflict, "idempotency-conflict", "POST", at+"/token", `{"min_valid_seconds":1}`, "Idempotency-Key", "k")
	w.wants(http.StatusOK, "", "DELETE", at, "")
	after := w.ask("POST", at+"/token", `{"min_valid_seconds":0}`, "Idempotency-Key", "k")
	if after.status < 400 || strings.Contains(after.body, "vault-one") {
		t.Errorf("after the account has gone: %d %s", after.status, after.body)
	}
}
