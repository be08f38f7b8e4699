package host_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/host"
	"linkgate/secret"
)

const apiKey = "key-that-must-stay-here"

// newClient makes a client of handler that loses no time.
func newClient(t *testing.T, handler http.HandlerFunc) *host.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return host.New(host.Options{
		BaseURL: server.URL, APIKey: secret.New(apiKey), Timeout: 5 * time.Second, RetryWait: time.Microsecond,
	})
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, body)
}

const oneAccount = `{"code":"OK","message":"OK","data":{"id":"la1","auth_id":"notes","external_account_id":"ada"}}`

// Each operation once, by the words of contracts/blink.md.
func TestWire(t *testing.T) {
	expiry := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	full := host.LinkedAccount{
		ID: "la1", AuthID: "notes", ExternalAccountID: "ada@notes", Extra: "Ada", Expiry: expiry,
		RequiresReauth: true, AccessToken: secret.New("at"), RefreshToken: secret.New("rt"),
	}
	const fullJSON = `{"auth_id":"notes","external_account_id":"ada@notes","expiry":"2031-02-03T04:05:06Z",` +
		`"refresh_token":"rt","requires_reauth":true,"access_token":"at","extra":"Ada"}`
	const stored = `{"code":"OK","message":"OK","data":{"id":"la1",` + `"auth_id":"notes","external_account_id":"ada@notes",` +
		`"expiry":"2031-02-03T04:05:06Z","refresh_token":"rt","requires_reauth":true,"access_token":"at","extra":"Ada","more":1}}`
	ctx := t.Context()
	tests := []struct {
		name, answer, request, body string
		call                        func(*host.Client) (any, error)
		want                        any
	}{
		{
			"add", stored, "POST /v2/users/u1/linked_accounts key=k1", fullJSON,
			func(c *host.Client) (any, error) { return c.Add(ctx, "u1", full, "k1") }, full,
		}, {
			"add the least", oneAccount, "POST /v2/users/u1/linked_accounts key=k1",
			`{"auth_id":"notes","external_account_id":"ada","requires_reauth":false,"extra":""}`,
			func(c *host.Client) (any, error) {
				return c.Add(ctx, "u1", host.LinkedAccount{AuthID: "notes", ExternalAccountID: "ada"}, "k1")
			}, host.LinkedAccount{ID: "la1", AuthID: "notes", ExternalAccountID: "ada"},
		}, {
			"get", stored, "GET /v2/users/u1/linked_accounts/la1 key=", "",
			func(c *host.Client) (any, error) { return c.Get(ctx, "u1", "la1") }, full,
		}, {
			"list", `{"code":"OK","data":[{"id":"a","expiry":"2020-01-01 00:00"},{"id":"b","expiry":7}]}`,
			"GET /v2/users/u1/linked_accounts key=", "",
			func(c *host.Client) (any, error) { return c.List(ctx, "u1") }, []host.LinkedAccount{{ID: "a"}, {ID: "b"}},
		}, {
			"list nothing", `{"code":"OK","data":[]}`, "GET /v2/users/u1/linked_accounts key=", "",
			func(c *host.Client) (any, error) { return c.List(ctx, "u1") }, []host.LinkedAccount(nil),
		}, {
			"update", stored, "PUT /v2/users/u1/linked_accounts/la1 key=", fullJSON,
			func(c *host.Client) (any, error) { return c.Update(ctx, "u1", full) }, full,
		}, {
			"delete", `{"code":"OK","message":"OK","data":{}}`, "DELETE /v2/users/u1/linked_accounts/la1 key=", "",
			func(c *host.Client) (any, error) { return nil, c.Delete(ctx, "u1", "la1") }, nil,
		}, {
			"user", `{"code":"OK","data":{"id":"u1","display_name":"Ada L."}}`, "GET /v2/users/u1 key=", "",
			func(c *host.Client) (any, error) { return c.User(ctx, "u1") }, host.User{ID: "u1", DisplayName: "Ada L."},
		}, {
			"user without display name", `{"code":"OK","data":{"id":"u1","first_name":"Ada","second_name":"Lovelace"}}`,
			"GET /v2/users/u1 key=", "",
			func(c *host.Client) (any, error) { return c.User(ctx, "u1") }, host.User{ID: "u1", DisplayName: "Ada Lovelace"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var request, authorization, body string
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				request = fmt.Sprintf("%s %s key=%s", r.Method, r.RequestURI, r.Header.Get("Idempotency-Key"))
				authorization, body = r.Header.Get("Authorization"), string(b)
				answer(w, 200, tt.answer)
			})
			got, err := tt.call(c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b secret.Text) bool { return a.Reveal() == b.Reveal() })); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if request != tt.request || authorization != "Bearer "+apiKey {
				t.Errorf("request = %q with %q, want %q", request, authorization, tt.request)
			}
			if strings.TrimSpace(body) != tt.body {
				t.Errorf("body = %s, want %s", body, tt.body)
			}
		})
	}
}

// An id is one path segment at the server, whatever is in it, or the call is never sent.
func TestIDsInPaths(t *testing.T) {
	ids := []string{
		"plain", "a/b", "/", "../x", "a/../b", "..%2f", "%2e%2e", "%", "100%", "a b", "a+b", "é", "用户", "👩‍💻",
		"a?b=c", "a#b", "a;b", "a\\b", "a:b", "{id}", "\x00", "a\r\nb", "...", ". ", "a\xffb", "@", "&=",
	}
	for _, id := range ids {
		t.Run(fmt.Sprintf("%q", id), func(t *testing.T) {
			var got []string
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				segments := strings.Split(r.RequestURI, "/") // "", v2, users, id, linked_accounts, id
				for _, i := range []int{3, len(segments) - 1} {
					segment, _ := url.PathUnescape(segments[i])
					got = append(got, segment)
				}
				if len(segments) != 6 {
					t.Errorf("path = %q, want five segments", r.RequestURI)
				}
				answer(w, 404, `{"code":"NOT_FOUND"}`)
			})
			if _, err := c.Get(t.Context(), id, id); !errors.Is(err, host.ErrNotFound) {
				t.Errorf("err = %v, want ErrNotFound", err)
			}
			if diff := cmp.Diff([]string{id, id}, got); diff != "" {
				t.Errorf("segments (-want +got):\n%s", diff)
			}
		})
	}
	for _, id := range []string{"", ".", ".."} {
		t.Run(fmt.Sprintf("%q is refused", id), func(t *testing.T) {
			c := newClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
			ctx := t.Context()
			_, getErr := c.Get(ctx, "u1", id)
			_, listErr := c.List(ctx, id)
			_, updateErr := c.Update(ctx, "u1", host.LinkedAccount{ID: id})
			_, userErr := c.User(ctx, id)
			for _, err := range []error{getErr, listErr, updateErr, userErr, c.Delete(ctx, "u1", id), c.Delete(ctx, id, "x")} {
				if !errors.Is(err, host.ErrNotFound) {
					t.Errorf("err = %v, want ErrNotFound", err)
				}
			}
			var refused *host.RefusedError
			if _, err := c.Add(ctx, id, host.LinkedAccount{}, "k"); !errors.As(err, &refused) || refused.Status != 0 {
				t.Errorf("adding: err = %v, want a *RefusedError that was not sent", err)
			}
		})
	}
}

// stub counts requests and answers each with the next of answers, the last one again and again.
type stub struct {
	answers []string // "METHOD status body"
	seen    []string
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := min(len(s.seen), len(s.answers)-1)
	s.seen = append(s.seen, r.Method)
	var status int
	fmt.Sscanf(s.answers[i], "%d", &status)
	_, body, _ := strings.Cut(s.answers[i], " ")
	answer(w, status, body)
}

func TestAddOrFind(t *testing.T) {
	const (
		listed = `200 {"code":"OK","data":[{"id":"x","auth_id":"notes","external_account_id":"grace"},` +
			`{"id":"y","auth_id":"other","external_account_id":"ada"},{"id":"la1","auth_id":"notes","external_account_id":"ada"}]}`
		empty    = `200 {"code":"OK","data":[]}`
		conflict = `409 {"code":"CONFLICT"}`
		down     = `503 {"code":"UNAVAILABLE"}`
	)
	ada := host.LinkedAccount{AuthID: "notes", ExternalAccountID: "ada"}
	tests := []struct {
		name     string
		mayHave  bool
		answers  []string
		wantSeen []string
		wantID   string
		want     string // kind and status of the error
	}{
		{"first time", false, []string{"200 " + oneAccount}, []string{"POST"}, "la1", "ok 0"},
		{"arrived before", true, []string{listed}, []string{"GET"}, "la1", "ok 0"},
		{"never arrived", true, []string{empty, "200 " + oneAccount}, []string{"GET", "POST"}, "la1", "ok 0"},
		{"unknown user", true, []string{`404 {"code":"NOT_FOUND"}`}, []string{"GET", "POST"}, "", "refused 404"},
		{"list fails: no add", true, []string{down}, []string{"GET", "GET", "GET"}, "", "unavailable 503"},
		{"conflict with itself", false, []string{conflict, listed}, []string{"POST", "GET"}, "la1", "ok 0"},
		{"conflict with another", false, []string{conflict, empty}, []string{"POST", "GET"}, "", "refused 409"},
		{"conflict with an add under way", true, []string{empty, conflict, empty}, []string{"GET", "POST", "GET"}, "", "unavailable 409"},
		{"conflict with an add just done", true, []string{empty, conflict, listed}, []string{"GET", "POST", "GET"}, "la1", "ok 0"},
		{"conflict, then down", false, []string{conflict, down}, []string{"POST", "GET", "GET", "GET"}, "", "unavailable 503"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &stub{answers: tt.answers}
			got, err := newClient(t, s.ServeHTTP).AddOrFind(t.Context(), "u1", ada, "k", tt.mayHave)
			if outcome := fmt.Sprint(kind(err), " ", statusOf(err)); got.ID != tt.wantID || outcome != tt.want {
				t.Errorf("got %q, %s; want %q, %s", got.ID, outcome, tt.wantID, tt.want)
			}
			if diff := cmp.Diff(tt.wantSeen, s.seen); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMatching(t *testing.T) {
	const listed = `200 {"code":"OK","data":[{"id":"1","auth_id":"notes","external_account_id":"grace"},` +
		`{"id":"2","auth_id":"notes","external_account_id":"ada"},{"id":"3","auth_id":"other","external_account_id":"ada"},` +
		`{"id":"4","auth_id":"notes","external_account_id":"ada"}]}`
	tests := map[string]struct {
		answer   string
		external string
		wantIDs  []string
		wantKind string
	}{
		"every one":    {listed, "ada", []string{"2", "4"}, "ok"},
		"one":          {listed, "grace", []string{"1"}, "ok"},
		"none":         {listed, "Ada", nil, "ok"},
		"unknown user": {`404 {"code":"NOT_FOUND"}`, "ada", nil, "not found"},
		"down":         {`503 {"code":"UNAVAILABLE"}`, "ada", nil, "unavailable"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &stub{answers: []string{tt.answer}}
			same, err := newClient(t, s.ServeHTTP).Matching(t.Context(), "u1", "notes", tt.external)
			var ids []string
			for _, a := range same {
				ids = append(ids, a.ID)
			}
			if diff := cmp.Diff(tt.wantIDs, ids); diff != "" || kind(err) != tt.wantKind {
				t.Errorf("got %v, want %s; ids (-want +got):\n%s", err, tt.wantKind, diff)
			}
		})
	}
}

func statusOf(err error) int {
	var refused *host.RefusedError
	if errors.As(err, &refused) {
		return refused.Status
	}
	var unavailable *host.UnavailableError
	if errors.As(err, &unavailable) {
		return unavailable.Status
	}
	return 0
}

// net/http repeats a request by itself when a kept-alive connection breaks before the answer and
// the request looks repeatable, as one with Idempotency-Key does. An add must not be.
func TestAddIsNeverSentTwice(t *testing.T) {
	var adds atomic.Int32
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			io.Copy(io.Discard, r.Body)
			adds.Add(1)
			panic(http.ErrAbortHandler)
		}
		answer(w, 200, `{"code":"OK","data":[]}`)
	})
	if _, err := c.List(t.Context(), "u1"); err != nil { // leaves a connection to reuse
		t.Fatal(err)
	}
	_, err := c.Add(t.Context(), "u1", host.LinkedAccount{}, "k")
	var unavailable *host.UnavailableError
	if !errors.As(err, &unavailable) {
		t.Errorf("err = %v, want *UnavailableError", err)
	}
	if got := adds.Load(); got != 1 {
		t.Errorf("the host saw %d adds, want 1", got)
	}
}
