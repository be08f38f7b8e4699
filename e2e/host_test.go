package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"linkgate/demo"
	"linkgate/testservers"
)

// proxied is the header of a request that the host has proxied.
func (w *world) proxied(userID string) http.Header {
	return http.Header{
		"Blink-Auth-Proxysecret": {w.Host.ProxySecret().Reveal()},
		"Blink-Auth-Userid":      {userID},
	}
}

func TestAuthAnswersTheContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answer, e := request(t, t.Context(), "POST", w.Linkgate.URL("/auth/notes"), w.proxied("ada"), nil)
	if answer.StatusCode != 200 || e.Code != "OK" || e.Message != "OK" {
		t.Errorf("got %d %q %q, want 200 OK OK", answer.StatusCode, e.Code, e.Message)
	}
	var data map[string]string
	if err := json.Unmarshal(e.Data, &data); err != nil {
		t.Fatal(err)
	}
	if len(data) != 1 || !strings.HasPrefix(data["authorization_url"], w.Linkgate.URL("/connect/")) {
		t.Errorf("data is %v, want authorization_url alone", data)
	}
}

func TestAuthRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.Host.ProxySecret().Reveal()
	const secretName, userName = "Blink-Auth-Proxysecret", "Blink-Auth-Userid"
	for _, c := range []struct {
		name   string
		path   string
		header http.Header
		status int
		code   string
	}{
		{"no headers", "/auth/notes", http.Header{}, 401, "UNAUTHORIZED"},
		{"no secret", "/auth/notes", http.Header{userName: {"ada"}}, 401, "UNAUTHORIZED"},
		{"empty secret", "/auth/notes", http.Header{secretName: {""}, userName: {"ada"}}, 401, "UNAUTHORIZED"},
		{"wrong secret", "/auth/notes", http.Header{secretName: {secret + "x"}, userName: {"ada"}}, 401, "UNAUTHORIZED"},
		{"half a secret", "/auth/notes", http.Header{secretName: {secret[:8]}, userName: {"ada"}}, 401, "UNAUTHORIZED"},
		{"two secrets", "/auth/notes", http.Header{secretName: {secret, "other"}, userName: {"ada"}}, 401, "UNAUTHORIZED"},
		{"look-alike secret", "/auth/notes", http.Header{"blink_auth_proxysecret": {secret}, userName: {"ada"}}, 401, "UNAUTHORIZED"},
		{"no user", "/auth/notes", http.Header{secretName: {secret}}, 400, "BAD_REQUEST"},
		{"empty user", "/auth/notes", http.Header{secretName: {secret}, userName: {""}}, 400, "BAD_REQUEST"},
		{"two users", "/auth/notes", http.Header{secretName: {secret}, userName: {"ada", "grace"}}, 400, "BAD_REQUEST"},
		{"twice the same user", "/auth/notes", http.Header{secretName: {secret}, userName: {"ada", "ada"}}, 400, "BAD_REQUEST"},
		{"look-alike user", "/auth/notes", http.Header{secretName: {secret}, "blink_auth_userid": {"ada"}}, 400, "BAD_REQUEST"},
		{"tab in user", "/auth/notes", http.Header{secretName: {secret}, userName: {"a\tda"}}, 400, "BAD_REQUEST"},
		{"long user", "/auth/notes", http.Header{secretName: {secret}, userName: {strings.Repeat("a", 300)}}, 400, "BAD_REQUEST"},
		{"unknown auth id", "/auth/nothing", http.Header{secretName: {secret}, userName: {"ada"}}, 404, "NOT_FOUND"},
		{"unknown path", "/elsewhere", http.Header{secretName: {secret}, userName: {"ada"}}, 404, "NOT_FOUND"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, e := request(t, t.Context(), "POST", w.Linkgate.URL(c.path), c.header, nil)
			if answer.StatusCode != c.status || e.Code != c.code {
				t.Errorf("got %d %s, want %d %s", answer.StatusCode, e.Code, c.status, c.code)
			}
		})
	}
}

// TestConnectionHeaderCannotDropTheUser: a hop-by-hop trick must not turn a user into nobody.
func TestConnectionHeaderCannotDropTheUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	header := w.proxied("ada")
	header.Set("Connection", "blink-auth-userid, blink-auth-proxysecret")
	answer, e := request(t, t.Context(), "POST", w.Linkgate.URL("/auth/notes"), header, nil)
	if answer.StatusCode != 200 || e.Code != "OK" {
		t.Errorf("got %d %s, want 200 OK", answer.StatusCode, e.Code)
	}
}

func TestForwardedHeadersInfluenceNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	header := w.proxied("ada")
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-Host", "X-Forwarded-Prefix"} {
		header.Set(name, "evil.example")
	}
	_, e := request(t, t.Context(), "POST", w.Linkgate.URL("/auth/notes"), header, nil)
	if strings.Contains(string(e.Data), "evil") || !strings.Contains(string(e.Data), w.Linkgate.URL("/connect/")) {
		t.Errorf("data is %s, want an address at PUBLIC_URL", e.Data)
	}
}

func TestRedisDown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(*testservers.RedisServer)
	}{
		{"gone", (*testservers.RedisServer).Stop},
		{"hanging", (*testservers.RedisServer).Pause},
	} {
		t.Run(c.name, func(t *testing.T) {
			redis := testservers.StartRedis(t)
			w := newWorld(t, with("REDIS_URL", redis.URL))
			c.end(redis)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // the answer comes within these
			defer cancel()
			answer, e := request(t, ctx, "POST", w.Linkgate.URL("/auth/notes"), w.proxied("ada"), nil)
			if answer.StatusCode != 503 || e.Code != "UNAVAILABLE" || answer.Header.Get("Retry-After") == "" {
				t.Errorf("got %d %s, Retry-After %q; want 503 UNAVAILABLE with Retry-After",
					answer.StatusCode, e.Code, answer.Header.Get("Retry-After"))
			}
			page, err := demo.NewBrowser().Get(t.Context(), w.Linkgate.URL("/connect/"+strings.Repeat("a", 43)))
			if err != nil || page.Status != 503 || !strings.Contains(page.Header.Get("Content-Type"), "text/html") {
				t.Errorf("the browser got %d %s, %v; want a page with 503", page.Status, page.Header.Get("Content-Type"), err)
			}
		})
	}
}

// TestOperator asks what the operator asks, of a Linkgate that is well and of one that is not.
func TestOperator(t *testing.T) {
	t.Parallel()
	redis := testservers.StartRedis(t)
	w := newWorld(t, with("REDIS_URL", redis.URL))
	redis.Pause()
	defer redis.Resume()
	for path, want := range map[string]struct {
		status int
		part   string
	}{
		"/healthz": {200, `"ready":true`},
		"/readyz":  {503, `"check":"redis"`},
		"/metrics": {200, `linkgate_outbox_pending{kind="host.add"} 0`},
	} {
		answer, err := http.Get("http://" + w.Linkgate.env["OPERATOR_ADDR"] + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != want.status || !strings.Contains(string(body), want.part) {
			t.Errorf("%s: got %d, %v, want %d with %s in\n%s", path, answer.StatusCode, err, want.status, want.part, body)
		}
	}
}
