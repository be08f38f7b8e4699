package host_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"linkgate/host"
	"linkgate/secret"
)

// operations by name, on a record that the faulty host may or may not have.
func operations() map[string]func(context.Context, *host.Client) error {
	return map[string]func(context.Context, *host.Client) error{
		"add": func(ctx context.Context, c *host.Client) error {
			_, err := c.Add(ctx, "u1", host.LinkedAccount{AccessToken: secret.New("at-secret")}, "k")
			return err
		},
		"get":    func(ctx context.Context, c *host.Client) error { _, err := c.Get(ctx, "u1", "la1"); return err },
		"list":   func(ctx context.Context, c *host.Client) error { _, err := c.List(ctx, "u1"); return err },
		"delete": func(ctx context.Context, c *host.Client) error { return c.Delete(ctx, "u1", "la1") },
		"user":   func(ctx context.Context, c *host.Client) error { _, err := c.User(ctx, "u1"); return err },
		"update": func(ctx context.Context, c *host.Client) error {
			_, err := c.Update(ctx, "u1", host.LinkedAccount{ID: "la1"})
			return err
		},
	}
}

// kind tells an error as callers tell it.
func kind(err error) string {
	var refused *host.RefusedError
	var unavailable *host.UnavailableError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refused):
		return "refused"
	case errors.As(err, &unavailable):
		return "unavailable"
	case errors.Is(err, host.ErrNotFound):
		return "not found"
	case errors.Is(err, host.ErrUnauthorized):
		return "unauthorized"
	}
	return err.Error()
}

// sent is how often each operation goes out when it fails in a way that may pass.
var sent = map[string]int32{"add": 1, "update": 2, "delete": 2, "get": 3, "list": 3, "user": 3}

func TestStatuses(t *testing.T) {
	const env = `{"code":"SOME_CODE","message":"<script>alert(1)</script> at-secret","data":null}`
	tests := []struct {
		name    string
		status  int
		body    string
		want    string
		except  map[string]string
		repeats bool
	}{
		{"200 error code", 200, env, "unavailable", nil, true},
		{"200 html", 200, "<html>hello</html>", "unavailable", nil, true},
		{"200 empty", 200, "", "unavailable", nil, true},
		{"200 cut short", 200, `{"code":"OK","data":{"id"`, "unavailable", nil, true},
		{"200 two documents", 200, `{"code":"OK","data":{"id":"la1"}}{}`, "unavailable", nil, true},
		{"200 no data", 200, `{"code":"OK"}`, "unavailable", map[string]string{"delete": "ok"}, true},
		{"200 null data", 200, `{"code":"OK","data":null}`, "unavailable", map[string]string{"delete": "ok"}, true},
		{"200 no id", 200, `{"code":"OK","data":{}}`, "unavailable", map[string]string{"delete": "ok"}, true},
		{"200 another id", 200, `{"code":"OK","data":{"id":"other"}}`, "unavailable", map[string]string{"delete": "ok", "add": "ok"}, true},
		{"200 list without ids", 200, `{"code":"OK","data":[{}]}`, "unavailable", map[string]string{"delete": "ok"}, true},
		{"204", 204, "", "unavailable", map[string]string{"delete": "ok"}, true},
		{"300", 300, env, "unavailable", nil, true},
		{"304", 304, "", "unavailable", nil, true},
		{"400", 400, env, "refused", nil, false},
		{"401", 401, env, "unauthorized", nil, false},
		{"401 html", 401, "<html>", "unauthorized", nil, false},
		{"402", 402, env, "refused", nil, false},
		{"403", 403, env, "refused", nil, false},
		{"403 html", 403, "<html>blocked</html>", "unavailable", nil, true},
		{"403 other json", 403, `{"error":"blocked"}`, "unavailable", nil, true},
		{"404", 404, env, "not found", map[string]string{"add": "refused"}, false},
		{"404 html", 404, "<html>no such page</html>", "unavailable", nil, true},
		{"405", 405, env, "refused", nil, false},
		{"408", 408, env, "unavailable", nil, true},
		{"409", 409, env, "refused", nil, false},
		{"410", 410, env, "refused", nil, false},
		{"413", 413, env, "refused", nil, false},
		{"422", 422, env, "refused", nil, false},
		{"425", 425, env, "unavailable", nil, true},
		{"429", 429, env, "unavailable", nil, true},
		{"500", 500, env, "unavailable", nil, true},
		{"501", 501, env, "unavailable", nil, true},
		{"502 html", 502, "<html>bad gateway</html>", "unavailable", nil, true},
		{"503", 503, env, "unavailable", nil, true},
		{"504", 504, "", "unavailable", nil, true},
		{"599", 599, env, "unavailable", nil, true},
	}
	for _, tt := range tests {
		for op, run := range operations() {
			t.Run(tt.name+" "+op, func(t *testing.T) {
				var calls atomic.Int32
				c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
					calls.Add(1)
					answer(w, tt.status, tt.body)
				})
				err := run(t.Context(), c)
				want := tt.want
				if w, ok := tt.except[op]; ok {
					want = w
				}
				if got := kind(err); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				wantCalls := int32(1)
				if want == "unavailable" {
					wantCalls = sent[op]
				}
				if got := calls.Load(); got != wantCalls {
					t.Errorf("sent %d times, want %d", got, wantCalls)
				}
				checkSilent(t, err)
			})
		}
	}
}

// checkSilent: no error quotes the host's words, our token or our key.
func checkSilent(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, word := range []string{"script", "at-secret", apiKey, "html", "blocked"} {
		if strings.Contains(err.Error(), word) {
			t.Errorf("error %q quotes %q", err, word)
		}
	}
}

func TestCodes(t *testing.T) {
	for code, want := range map[string]string{
		"FORBIDDEN": "FORBIDDEN", "over-quota_now": "over-quota_now",
		"<b>": "", "two words": "", "ünï": "", strings.Repeat("A", 49): "",
		"TI62DEFTAKQWFPUXORLMOE7SMR": "", "gho_16C7e42F292c6912E7710c838347Ae178B4a": "", // a key and a token, repeated
	} {
		c := newClient(t, func(w http.ResponseWriter, r *http.Request) { answer(w, 403, `{"code":"`+code+`"}`) })
		var refused *host.RefusedError
		if err := c.Delete(t.Context(), "u1", "la1"); !errors.As(err, &refused) {
			t.Fatalf("err = %v, want *RefusedError", err)
		}
		if refused.Code != want || refused.Status != 403 {
			t.Errorf("code %q: got %q, %d; want %q, 403", code, refused.Code, refused.Status, want)
		}
	}
}

// TestRetryAfter: the host is waited for an hour at most. TestAfter of package retry has how it is read.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"", 0}, {"soon", 0}, {"7", 7 * time.Second}, {"3600", time.Hour}, {"3601", time.Hour},
		{"99999999999999999999", time.Hour},
		{"Tue, 01 Jan 2030 12:01:30 GMT", 90 * time.Second}, {"Wed, 02 Jan 2030 12:00:00 GMT", time.Hour},
		{"Tue, 01 Jan 2030 11:00:00 GMT", 0},
	}
	for _, tt := range tests {
		for _, status := range []int{429, 503} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", tt.value)
				answer(w, status, `{"code":"SLOW_DOWN"}`)
			}))
			c := host.New(host.Options{BaseURL: server.URL, Now: func() time.Time { return now }})
			_, err := c.Add(t.Context(), "u1", host.LinkedAccount{}, "k")
			var unavailable *host.UnavailableError
			if !errors.As(err, &unavailable) {
				t.Fatalf("err = %v, want *UnavailableError", err)
			}
			if unavailable.RetryAfter != tt.want {
				t.Errorf("Retry-After %q: got %v, want %v", tt.value, unavailable.RetryAfter, tt.want)
			}
			server.Close()
		}
	}
}

// A host that asks for patience is not asked again within the call.
func TestLongRetryAfterEndsTheCall(t *testing.T) {
	var calls atomic.Int32
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Header().Set("Retry-After", "60")
		answer(w, 503, `{"code":"UNAVAILABLE"}`)
	})
	_, err := c.List(t.Context(), "u1")
	if got := calls.Load(); kind(err) != "unavailable" || got != 1 {
		t.Errorf("got %v after %d calls, want unavailable after 1", err, got)
	}
}

func TestRepetitionSucceeds(t *testing.T) {
	for op, times := range sent {
		if times == 1 {
			continue
		}
		s := &stub{answers: []string{`502 <html>`, `200 {"code":"OK","data":{"id":"la1"}}`}}
		switch op {
		case "list":
			s.answers[1] = `200 {"code":"OK","data":[]}`
		case "user":
			s.answers[1] = `200 {"code":"OK","data":{"id":"u1"}}`
		}
		if err := operations()[op](t.Context(), newClient(t, s.ServeHTTP)); err != nil || len(s.seen) != 2 {
			t.Errorf("%s: got %v after %d requests, want success after 2", op, err, len(s.seen))
		}
	}
}
