package appproxy

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"linkgate/linkedaccount"
)

// TestSignature spells out the payload that the documentation promises.
func TestSignature(t *testing.T) {
	w := newWorld(t, "/base", nil, func(o *Options) {
		o.Inject = []string{"zz", "7F3c", "error", "a_b"}
		o.Tokens = tokensFunc(func(ctx context.Context, user, authID string) (string, error) {
			if authID == "7F3c" {
				return "", linkedaccount.ErrNotFound
			}
			return tokenOf(ctx, user, authID)
		})
	})
	w.raw("POST /cards/7%2F8?x=1&y HTTP/1.1\r\nHost: h\r\nWebhook-Id: forged\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
	got := w.one()
	const payload = "POST\n" +
		"/base/cards/7%2F8?x=1&y\n" +
		"alice\n" +
		"linkgate-token-a_b: token-of-alice-at-a_b\n" +
		"linkgate-token-error-7f3c: not_connected\n" +
		"linkgate-token-error: token-of-alice-at-error\n" +
		"linkgate-token-zz: token-of-alice-at-zz"
	check, err := standardwebhooks.NewWebhook(aSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := check.Verify([]byte(payload), got.header); err != nil {
		t.Errorf("got %v for the documented payload", err)
	}
	for _, change := range []struct{ from, to string }{
		{"POST", "GET"}, {"x=1", "x=2"}, {"alice", "bob"}, {"not_connected", "unavailable"}, {"at-zz", "at-aa"}, {"\nlinkgate-token-zz", ""},
	} {
		if err := check.Verify([]byte(strings.Replace(payload, change.from, change.to, 1)), got.header); err == nil {
			t.Errorf("%q for %q: got no error", change.to, change.from)
		}
	}
	other, _ := standardwebhooks.NewWebhook(strings.Replace(aSecret, "MDEy", "MDEz", 1))
	if err := other.Verify([]byte(payload), got.header); err == nil {
		t.Error("got no error with another secret")
	}
}

func TestSignaturesDiffer(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	w := newWorld(t, "", nil, func(o *Options) { o.Now = func() time.Time { return now } })
	for range 2 {
		if response, err := http.Get(w.front.URL); err != nil {
			t.Fatal(err)
		} else {
			io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	}
	first, second := w.seen[0].header, w.seen[1].header
	if first.Get("Webhook-Id") == second.Get("Webhook-Id") || first.Get("Webhook-Signature") == second.Get("Webhook-Signature") {
		t.Errorf("got %v and %v, want ids of their own", first, second)
	}
	if got := first.Get("Webhook-Timestamp"); got != "1795348800" {
		t.Errorf("got timestamp %s, want the time of the request", got)
	}
}
