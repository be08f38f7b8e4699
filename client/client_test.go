package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"linkgate/client"
)

const theKey = "an-api-key-of-thirty-two-characters"

// script is a Linkgate that answers by the numbers, and remembers what it was asked.
type script struct {
	mu      sync.Mutex
	answers []func(http.ResponseWriter)
	asked   []*http.Request
	bodies  []string
}

// RoundTrip implements http.RoundTripper without a network, so that synctest's clock may run.
func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body := ""
	if r.Body != nil {
		text, _ := io.ReadAll(r.Body)
		body = string(text)
	}
	s.asked, s.bodies = append(s.asked, r), append(s.bodies, body)
	if len(s.answers) == 0 {
		return nil, errors.New("nobody is there")
	}
	w := httptest.NewRecorder()
	s.answers[0](w)
	s.answers = s.answers[1:]
	return w.Result(), nil
}

func newClient(t *testing.T, s *script, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New("https://linkgate.test/", theKey, append([]client.Option{client.WithHTTPClient(&http.Client{Transport: s})}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func says(status int, body string, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func problem(status int, kind client.Kind, headers ...string) func(http.ResponseWriter) {
	return says(status, fmt.Sprintf(`{"type":"/docs#%s","title":"T","status":%d,"detail":"D","instance":"I"}`, kind, status), headers...)
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct{ address, key string }{
		{"", theKey}, {"connect.example.com", theKey}, {"ftp://x", theKey}, {"https://u:p@x", theKey}, {"https://x?a=b", theKey},
		{"https://x#f", theKey}, {"https://x", ""}, {"https://x", "a\nb"}, {"https://x", "ä"},
	} {
		if c, err := client.New(test.address, test.key); err == nil || strings.Contains(err.Error(), theKey) {
			t.Errorf("%q, %q: %v, %v", test.address, test.key, c, err)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c := newClient(t, &script{})
	token := client.Token{AccessToken: "hunter2", TokenSecret: "hunter2"}
	given := client.ImportCredential{AccessToken: "hunter2", Fields: map[string]client.Secret{"k": "hunter2"}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", token.AccessToken, "t", token, "c", c)
	printed := log.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		printed += fmt.Sprintf(verb+verb+verb+verb, c, token, given, token.AccessToken)
	}
	for _, s := range []string{"hunter2", "68756e74657232", theKey} {
		if strings.Contains(printed, s) {
			t.Errorf("%q was printed: %s", s, printed)
		}
	}
	if text, err := json.Marshal(given); err != nil || !strings.Contains(string(text), `"access_token":"hunter2"`) {
		t.Errorf("as JSON it is sent as %s, %v", text, err)
	}
}

// TestRepeats tells for each request and each answer whether it is sent again, and that a POST keeps its key.
func TestRepeats(t *testing.T) {
	post := func(c *client.Client, ctx context.Context) error {
		_, err := c.OpenSession(ctx, client.SessionRequest{UserID: "u", AuthID: "a"})
		return err
	}
	get := func(c *client.Client, ctx context.Context) error { _, err := c.GetAccount(ctx, "acc_1"); return err }
	patch := func(c *client.Client, ctx context.Context) error {
		_, err := c.UpdateAccount(ctx, "acc_1", client.AccountUpdate{})
		return err
	}
	remove := func(c *client.Client, ctx context.Context) error { _, err := c.DeleteAccount(ctx, "acc_1"); return err }
	token := func(c *client.Client, ctx context.Context) error { _, err := c.GetToken(ctx, "acc_1", 0); return err }
	for name, test := range map[string]struct {
		do    func(*client.Client, context.Context) error
		first func(http.ResponseWriter)
		want  int // requests
	}{
		"POST, 429":         {post, problem(429, client.TooManyRequests), 2},
		"POST, 503":         {post, problem(503, client.Unavailable), 2},
		"POST, in progress": {post, problem(409, client.InProgress), 2},
		"POST, conflict":    {post, problem(409, client.IdempotencyConflict), 1},
		"POST, 500":         {post, problem(500, client.Internal), 1},
		"POST, 502":         {post, problem(502, client.ServiceRefused), 1},
		"GET, 503":          {get, problem(503, client.Unavailable), 2},
		"GET, 404":          {get, problem(404, client.NotFound), 1},
		"GET, redirected":   {get, says(302, "", "Location", "https://elsewhere.test/"), 1},
		"DELETE, 503":       {remove, problem(503, client.Unavailable), 2},
		"token, 503":        {token, problem(503, client.Unavailable), 2},
		"PATCH, 429":        {patch, problem(429, client.TooManyRequests), 2},
		"PATCH, 503":        {patch, problem(503, client.Unavailable), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: []func(http.ResponseWriter){test.first, says(200, `{}`)}}
				err := test.do(newClient(t, s), t.Context())
				if len(s.asked) != test.want || (err == nil) != (test.want == 2) {
					t.Fatalf("%d requests, %v; want %d", len(s.asked), err, test.want)
				}
				last := s.asked[len(s.asked)-1]
				key := last.Header.Get("Idempotency-Key")
				if hasKey := strings.HasPrefix(name, "POST"); hasKey != (key != "") || key != s.asked[0].Header.Get("Idempotency-Key") {
					t.Errorf("keys %q and %q", s.asked[0].Header.Get("Idempotency-Key"), key)
				}
				if s.bodies[0] != s.bodies[len(s.bodies)-1] {
					t.Errorf("bodies %q", s.bodies)
				}
				if last.Header.Get("Authorization") != "Bearer "+theKey || last.URL.Host != "linkgate.test" {
					t.Errorf("sent to %s with %q", last.URL, last.Header)
				}
			})
		})
	}
}

func TestUnreachable(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(context.Context, *client.Client) error
		many bool
	}{
		"GET": {func(ctx context.Context, c *client.Client) error { _, err := c.GetAccount(ctx, "acc_1"); return err }, true},
		"PATCH": {func(ctx context.Context, c *client.Client) error {
			_, err := c.UpdateAccount(ctx, "acc_1", client.AccountUpdate{})
			return err
		}, false},
		"call": {func(ctx context.Context, c *client.Client) error {
			_, err := c.Call(ctx, "acc_1", "GET", "x", nil, nil)
			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{}
				err := test.do(t.Context(), newClient(t, s))
				var unreachable *client.UnreachableError
				if !errors.As(err, &unreachable) || !client.IsTemporary(err) || test.many != (len(s.asked) > 1) {
					t.Errorf("%d requests, %v", len(s.asked), err)
				}
			})
		})
	}
}

// TestWaits tells how long the client waits, by synctest's clock, and when it does not.
func TestWaits(t *testing.T) {
	busy := problem(429, client.TooManyRequests, "Retry-After", "7")
	for name, test := range map[string]struct {
		patience, deadline time.Duration
		want               int // requests
		least, most        time.Duration
	}{
		"as long as it is asked to":    {30 * time.Second, 0, 3, 14 * time.Second, 15 * time.Second},
		"no longer than its patience":  {10 * time.Second, 0, 2, 7 * time.Second, 8 * time.Second},
		"not at all":                   {0, 0, 1, 0, 0},
		"not if the context ends then": {30 * time.Second, 5 * time.Second, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				s := &script{answers: []func(http.ResponseWriter){busy, busy, says(200, `{}`)}}
				begun := time.Now()
				_, err := newClient(t, s, client.WithPatience(test.patience)).GetAccount(ctx, "acc_1")
				if took := time.Since(begun); took < test.least || took > test.most || len(s.asked) != test.want {
					t.Errorf("%d requests in %v, %v; want %d in %v to %v", len(s.asked), took, err, test.want, test.least, test.most)
				}
				if p := (*client.Problem)(nil); err != nil && (!errors.As(err, &p) || p.RetryAfter != 7*time.Second) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

// TestRetryAfter: what is too large for a Duration is long, and not no time at all.
func TestRetryAfter(t *testing.T) {
	const longest = (1<<32 - 1) * time.Second
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "Wed, 21 Oct 2015 07:28:00 GMT": 0,
		"4294967295": longest, "9223372037": longest, "99999999999999999999": longest,
	} {
		s := &script{answers: []func(http.ResponseWriter){problem(429, client.TooManyRequests, "Retry-After", value)}}
		_, err := newClient(t, s, client.WithPatience(0)).GetAccount(t.Context(), "acc_1")
		if p := (*client.Problem)(nil); !errors.As(err, &p) || p.RetryAfter != want {
			t.Errorf("%q: got %v, want %v", value, err, want)
		}
	}
}

func TestProblem(t *testing.T) {
	s := &script{answers: []func(http.ResponseWriter){
		says(409, `{"type":"/docs#reauth-required","title":"Reauth required","status":409,"detail":"D","authorization_url":"https://x"}`),
		says(400, `{"type":"/docs#invalid-request","title":"T","status":400,"errors":[{"pointer":"/user_id","detail":"it is needed"}]}`),
		says(418, `<html>a proxy`), says(200, `<html>a page`), says(200, `{"id":7}`),
	}}
	c := newClient(t, s, client.WithPatience(0))
	_, err := c.GetToken(t.Context(), "acc_1", time.Minute)
	var p *client.Problem
	if !client.IsReauthRequired(err) || !errors.As(err, &p) || p.AuthorizationURL != "https://x" {
		t.Errorf("got %v", err)
	}
	_, err = c.GetAccount(t.Context(), "acc_1")
	if !errors.As(err, &p) || p.Kind() != client.InvalidRequest || !slices.Equal(p.Errors, []client.FieldError{{Pointer: "/user_id", Detail: "it is needed"}}) {
		t.Errorf("got %v", err)
	}
	if _, err = c.GetAccount(t.Context(), "acc_1"); !errors.As(err, &p) || p.Kind() != "" || p.Status != 418 {
		t.Errorf("a proxy's answer: %v", err)
	}
	for range 2 {
		if a, err := c.GetAccount(t.Context(), "acc_1"); err == nil || strings.Contains(err.Error(), "a page") {
			t.Errorf("what is no account: %+v, %v", a, err)
		}
	}
}

func TestPages(t *testing.T) {
	first, second := says(200, `{"data":[{"id":"acc_3"},{"id":"acc_2"}],"next_cursor":"more"}`), says(200, `{"data":[{"id":"acc_1"}],"next_cursor":null}`)
	s := &script{answers: []func(http.ResponseWriter){first, second, first, first, problem(400, client.InvalidRequest)}}
	c := newClient(t, s)
	filter := client.AccountFilter{UserID: "u&v", Statuses: []client.Status{client.StatusLinked, client.StatusUnlinked}, Limit: 2}
	var ids []string
	for a, err := range c.Accounts(t.Context(), filter) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.ID)
	}
	if !slices.Equal(ids, []string{"acc_3", "acc_2", "acc_1"}) {
		t.Errorf("got %v", ids)
	}
	if got := s.asked[1].URL.RawQuery; got != "cursor=more&limit=2&status=linked&status=unlinked&user_id=u%26v" {
		t.Errorf("asked with %s", got)
	}
	for range c.Accounts(t.Context(), filter) {
		break // and the page after is not asked for
	}
	if len(s.asked) != 3 {
		t.Errorf("%d requests, want 3", len(s.asked))
	}
	n := 0
	for _, err := range c.Accounts(t.Context(), filter) {
		if n++; (n == 3) != (err != nil) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if n != 3 {
		t.Errorf("%d in all, want two accounts and an error", n)
	}
}

func TestPathsAreEscaped(t *testing.T) {
	s := &script{answers: []func(http.ResponseWriter){says(200, `{}`), says(204, ``), says(200, `x`)}}
	c := newClient(t, s)
	_, _ = c.GetAccount(t.Context(), "../x?y#z")
	_ = c.Unbind(t.Context(), "a/b c")
	answer, err := c.Call(t.Context(), "acc/1", "GET", "/user%2Frepos?per_page=2", http.Header{"X-Mine": {"1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	for i, want := range []string{"/v1/accounts/..%2Fx%3Fy%23z", "/v1/components/a%2Fb%20c/account", "/v1/accounts/acc%2F1/call/user%2Frepos?per_page=2"} {
		if got := s.asked[i].URL.RequestURI(); got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
	}
	if s.asked[2].Header.Get("X-Mine") != "1" {
		t.Error("the header of a call is lost")
	}
}

func TestCallsProblem(t *testing.T) {
	s := &script{answers: []func(http.ResponseWriter){problem(404, client.NotConnected, "Linkgate-Error", "NOT_CONNECTED"), says(404, "the service's own")}}
	c := newClient(t, s)
	if _, err := c.Call(t.Context(), "acc_1", "GET", "user", nil, nil); !client.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
	answer, err := c.Call(t.Context(), "acc_1", "GET", "user", nil, nil)
	if err != nil || answer.StatusCode != 404 {
		t.Fatalf("got %v, %v; want the service's answer", answer, err)
	}
	answer.Body.Close()
}

func TestFollowSession(t *testing.T) {
	event := func(status string) string {
		return ": still here\n\nevent: status\ndata: {\"id\":\"ses_1\",\"status\":\"" + status + "\"}\n\n"
	}
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []func(http.ResponseWriter){
			says(200, event("open")+event("working")), // and breaks off
			says(200, event("working")+event("linked")+event("failed")),
		}}
		c := newClient(t, s)
		var seen []client.SessionStatus
		for session, err := range c.FollowSession(t.Context(), "ses_1") {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, session.Status)
		}
		if !slices.Equal(seen, []client.SessionStatus{client.SessionOpen, client.SessionWorking, client.SessionLinked}) {
			t.Errorf("seen: %v", seen)
		}
		if s.asked[0].Header.Get("Accept") != "text/event-stream" {
			t.Error("no stream was asked for")
		}
	})
	s := &script{answers: []func(http.ResponseWriter){problem(410, client.SessionExpired)}}
	for _, err := range newClient(t, s).FollowSession(t.Context(), "ses_1") {
		if !client.IsProblem(err, client.SessionExpired) {
			t.Errorf("got %v", err)
		}
	}
}

func TestAwaitSession(t *testing.T) {
	s := &script{answers: []func(http.ResponseWriter){says(200, `{"status":"open"}`), says(200, `{"status":"pending","account_id":"acc_1","reason":null}`)}}
	session, err := newClient(t, s).AwaitSession(t.Context(), "ses_1")
	if err != nil || session.AccountID != "acc_1" || len(s.asked) != 2 || s.asked[1].URL.RawQuery != "wait=30s" {
		t.Errorf("got %+v, %v after %d requests", session, err, len(s.asked))
	}
}

func TestImportOptions(t *testing.T) {
	s := &script{answers: []func(http.ResponseWriter){
		says(201, `{"id":"acc_1"}`, "ETag", `"1"`), says(200, `{"id":"acc_1"}`, "Idempotency-Replayed", "true"),
	}}
	c := newClient(t, s)
	i := client.Import{UserID: "u", AuthID: "a", Credential: client.ImportCredential{AccessToken: "t"}}
	got, err := c.ImportAccount(t.Context(), i, client.ImportOptions{IdempotencyKey: "mine", TrustProfile: true, AllowMissingScopes: true})
	if err != nil || !got.Created || got.Replayed || got.ETag != `"1"` {
		t.Errorf("got %+v, %v", got, err)
	}
	if r := s.asked[0]; r.URL.RawQuery != "request_profile=false&validate_scope=false" || r.Header.Get("Idempotency-Key") != "mine" {
		t.Errorf("asked %s with %q", r.URL, r.Header)
	}
	if want := `{"user_id":"u","auth_id":"a","credential":{"access_token":"t"}}`; s.bodies[0] != want {
		t.Errorf("sent %s, want %s", s.bodies[0], want)
	}
	if got, err := c.ImportAccount(t.Context(), i, client.ImportOptions{}); err != nil || got.Created || !got.Replayed || s.asked[1].URL.RawQuery != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}
