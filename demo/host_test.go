package demo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/demo"
	"linkgate/host"
	"linkgate/secret"
)

// newHost starts a host and a client of its API.
func newHost(t *testing.T) (*demo.Host, *host.Client) {
	t.Helper()
	h := demo.NewHost(demo.HostOptions{})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return h, host.New(host.Options{BaseURL: server.URL, APIKey: h.APIKey(), RetryWait: time.Microsecond})
}

// The simulated host and the real client agree on every operation.
func TestHostAPI(t *testing.T) {
	ctx := context.Background()
	h, c := newHost(t)
	a := host.LinkedAccount{
		AuthID: "notes", ExternalAccountID: "ada@notes", Extra: "Ada", Expiry: time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC),
		AccessToken: secret.New("at"), RefreshToken: secret.New("rt"),
	}
	added, err := c.Add(ctx, "u_ada", a, "key1")
	if err != nil {
		t.Fatal(err)
	}
	want := demo.Account{
		ID: added.ID, UserID: "u_ada", AuthID: "notes", ExternalAccountID: "ada@notes", Extra: "Ada",
		Expiry: a.Expiry, AccessToken: "at", RefreshToken: "rt",
	}
	if diff := cmp.Diff([]demo.Account{want}, h.Accounts("u_ada")); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	added.RequiresReauth, added.AccessToken, added.Expiry = true, secret.Text{}, time.Time{}
	if _, err := c.Update(ctx, "u_ada", added); err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(ctx, "u_ada", added.ID)
	if err != nil || !got.RequiresReauth || !got.AccessToken.IsZero() || !got.Expiry.IsZero() || got.Extra != "Ada" {
		t.Errorf("after the update: %+v, %v", got, err)
	}
	if all, err := c.List(ctx, "u_ada"); err != nil || len(all) != 1 || all[0].ID != added.ID {
		t.Errorf("list = %+v, %v; want the one account", all, err)
	}
	if user, err := c.User(ctx, "u_ada"); err != nil || user.DisplayName != "Ada Lovelace" {
		t.Errorf("user = %+v, %v; want Ada Lovelace", user, err)
	}
	if err := c.Delete(ctx, "u_ada", added.ID); err != nil {
		t.Fatal(err)
	}
	for op, want := range map[string]int{demo.OpAdd: 1, demo.OpGet: 1, demo.OpList: 1, demo.OpUpdate: 1, demo.OpDelete: 1, demo.OpUser: 1} {
		if got := h.Calls(op); got != want {
			t.Errorf("calls of %s = %d, want %d", op, got, want)
		}
	}
	if left := h.Accounts("u_ada"); len(left) != 0 {
		t.Errorf("accounts after the delete: %+v", left)
	}
}

func TestHostAPIRefusals(t *testing.T) {
	ctx := context.Background()
	h, c := newHost(t)
	grace := h.Put(demo.Account{UserID: "u_grace", AuthID: "notes", ExternalAccountID: "g"})
	_, getErr := c.Get(ctx, "u_ada", grace.ID)
	_, updateErr := c.Update(ctx, "u_ada", host.LinkedAccount{ID: grace.ID, AuthID: "notes", ExternalAccountID: "g"})
	_, userErr := c.User(ctx, "u_nobody")
	_, listErr := c.List(ctx, "u_nobody")
	for name, err := range map[string]error{
		"get of another's": getErr, "update of another's": updateErr, "delete of another's": c.Delete(ctx, "u_ada", grace.ID),
		"unknown user": userErr, "list of an unknown user": listErr, "slashes": c.Delete(ctx, "u_ada", "x/../"+grace.ID),
	} {
		if !errors.Is(err, host.ErrNotFound) {
			t.Errorf("%s: err = %v, want ErrNotFound", name, err)
		}
	}
	for name, want := range map[string]struct {
		user   string
		a      host.LinkedAccount
		status int
	}{
		"no auth id":     {"u_ada", host.LinkedAccount{ExternalAccountID: "x"}, 400},
		"no external id": {"u_ada", host.LinkedAccount{AuthID: "x"}, 400},
		"unknown user":   {"u_nobody", host.LinkedAccount{AuthID: "x", ExternalAccountID: "x"}, 404},
	} {
		var refused *host.RefusedError
		if _, err := c.Add(ctx, want.user, want.a, "k"); !errors.As(err, &refused) || refused.Status != want.status {
			t.Errorf("adding with %s: err = %v, want status %d", name, err, want.status)
		}
	}
	server := httptest.NewServer(h)
	defer server.Close()
	for _, key := range []secret.Text{{}, secret.New("guess"), h.ProxySecret()} {
		stranger := host.New(host.Options{BaseURL: server.URL, APIKey: key})
		if _, err := stranger.List(ctx, "u_ada"); !errors.Is(err, host.ErrUnauthorized) {
			t.Errorf("another key: err = %v, want ErrUnauthorized", err)
		}
	}
	if len(h.Accounts("u_grace")) != 1 {
		t.Error("Grace's account is gone")
	}
}

func TestIdempotencyKey(t *testing.T) {
	ctx := context.Background()
	h, c := newHost(t)
	a := host.LinkedAccount{AuthID: "notes", ExternalAccountID: "ada", Expiry: time.Now()}
	var all sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids {
		all.Go(func() {
			added, err := c.Add(ctx, "u_ada", a, "one key")
			if err != nil {
				t.Error(err)
			}
			ids[i] = added.ID
		})
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("ids = %q and %q, want one", ids[0], id)
		}
	}
	if n := len(h.Accounts("u_ada")); n != 1 {
		t.Errorf("%d accounts, want 1", n)
	}
	a.Extra = "another body"
	var refused *host.RefusedError
	if _, err := c.Add(ctx, "u_ada", a, "one key"); !errors.As(err, &refused) || refused.Status != 422 {
		t.Errorf("the key with another body: err = %v, want 422", err)
	}
	for _, key := range []string{"another key", "", ""} {
		if _, err := c.Add(ctx, "u_ada", a, key); err != nil {
			t.Error(err)
		}
	}
	if _, err := c.Add(ctx, "u_grace", a, "one key"); err != nil {
		t.Error(err)
	}
	if n := len(h.Accounts("u_ada")); n != 4 {
		t.Errorf("%d accounts, want 4", n)
	}
}

// A fault without a body is worded as the host words errors.
func TestHostFault(t *testing.T) {
	h, c := newHost(t)
	h.Play(demo.Script{Fault: demo.Only(demo.OpAdd, 1, demo.Fault{Status: 403})})
	var refused *host.RefusedError
	_, err := c.Add(context.Background(), "u_ada", host.LinkedAccount{AuthID: "a", ExternalAccountID: "b"}, "k")
	if !errors.As(err, &refused) || refused.Code != "FORBIDDEN" {
		t.Errorf("err = %v, want FORBIDDEN", err)
	}
}

// linkgate stands in for Linkgate and tells what reached it.
type linkgate struct {
	*httptest.Server
	requests chan string
	answer   string
}

func newLinkgate(t *testing.T, status int, answer string) *linkgate {
	l := &linkgate{requests: make(chan string, 10)}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var blink []string
		for name, values := range r.Header {
			if strings.Contains(strings.ToLower(name), "blink") || name == "Cookie" {
				blink = append(blink, values...)
			}
		}
		if r.Header.Get("blink-auth-userid") == "" || r.Header.Get("blink-auth-proxysecret") == "" {
			blink = append(blink, "unvouched")
		}
		l.requests <- fmt.Sprintf("%s %s %s %d", r.Method, r.RequestURI, body, len(blink))
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	t.Cleanup(l.Close)
	return l
}

func TestProxy(t *testing.T) {
	l := newLinkgate(t, 200, `{"code":"OK"}`)
	h := demo.NewHost(demo.HostOptions{LinkgateURL: l.URL})
	server := httptest.NewServer(h)
	defer server.Close()
	tests := []struct{ method, path, body, want string }{
		{"POST", "/connector/acme/auth/notes", "", "POST /auth/notes  2"},
		{"DELETE", "/connector/acme/linked-accounts/a%2Fb%20c?x=1&y=%2F", "", "DELETE /linked-accounts/a%2Fb%20c?x=1&y=%2F  2"},
		{"PATCH", "/connector/acme/any/path/", "body", "PATCH /any/path/ body 2"},
		{"GET", "/connector/acme//double/../dots", "", "GET //double/../dots  2"},
	}
	for _, tt := range tests {
		r, err := http.NewRequest(tt.method, server.URL+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		// What a client must not be able to say.
		r.Header["blink-auth-userid"] = []string{"u_grace"}
		r.Header["Blink_Auth_Userid"] = []string{"u_grace"}
		r.Header["BLINK-AUTH-PROXYSECRET"] = []string{"guess"}
		r.Header.Set("Blink-Auth-Other", "x")
		r.Header.Set("Connection", "blink-auth-userid")
		r.Header.Set("Cookie", "__Host-linkgate=secret")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if got := <-l.requests; got != tt.want || answer.StatusCode != 200 {
			t.Errorf("got %q with %d, want %q", got, answer.StatusCode, tt.want)
		}
	}
	for _, path := range []string{"/connector/other/auth/notes", "/connector/acme", "/nothing"} {
		answer, err := http.Post(server.URL+path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode < 400 {
			t.Errorf("%s = %d, want an error", path, answer.StatusCode)
		}
	}
	l.Close()
	answer, err := http.Post(server.URL+"/connector/acme/auth/notes", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusBadGateway {
		t.Errorf("without Linkgate: %d, want 502", answer.StatusCode)
	}
}

func TestClicks(t *testing.T) {
	ctx := context.Background()
	l := newLinkgate(t, 200, `{"code":"OK","message":"OK","data":{"authorization_url":"https://linkgate.example/connect/t"}}`)
	h := demo.NewHost(demo.HostOptions{})
	h.SetLinkgate(l.URL + "/")
	if got, err := h.Connect(ctx, "u_ada", "a/b"); err != nil || got != "https://linkgate.example/connect/t" {
		t.Errorf("Connect = %q, %v", got, err)
	}
	if err := h.Disconnect(ctx, "u_ada", "la 1"); err != nil {
		t.Error(err)
	}
	if err := h.Finish(ctx, "u_ada", "notes", "tok"); err != nil {
		t.Error(err)
	}
	got := []string{<-l.requests, <-l.requests, <-l.requests}
	want := []string{"POST /auth/a%2Fb  2", "DELETE /linked-accounts/la%201  2", `POST /auth/notes/finish {"finish_token":"tok"} 2`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	refusing := newLinkgate(t, 404, `{"code":"NOT_FOUND"}`)
	h.SetLinkgate(refusing.URL)
	var status *demo.StatusError
	if err := h.Disconnect(ctx, "u_ada", "x"); !errors.As(err, &status) || status.Status != 404 || status.Body != `{"code":"NOT_FOUND"}` {
		t.Errorf("err = %v, want a *StatusError with 404 and the body", err)
	}
}

func TestHostPage(t *testing.T) {
	ctx := context.Background()
	h := demo.NewHost(demo.HostOptions{LinkgateURL: "http://127.0.0.1:8080/"})
	server := httptest.NewServer(h)
	defer server.Close()
	h.Put(demo.Account{UserID: "u_ada", AuthID: "notes", ExternalAccountID: "ext-1", Extra: `<b>"Ada"</b>`})
	h.Put(demo.Account{UserID: "u_ada", AuthID: "notes", ExternalAccountID: "ext-2", RequiresReauth: true, AccessToken: "at-secret"})
	h.Put(demo.Account{UserID: "u_grace", AuthID: "notes", ExternalAccountID: "graces-own"})
	b := demo.NewBrowser()
	page, err := b.Get(ctx, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Connected apps", `data-linkgate-origin="http://127.0.0.1:8080"`, "&lt;b&gt;&#34;Ada&#34;&lt;/b&gt;", "ext-2", "sign in again",
		"فاطمة الفهرية", "Acme Notes",
	} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("Ada's page lacks %q", want)
		}
	}
	for _, secret := range []string{"graces-own", "at-secret", "ext-1", h.APIKey().Reveal(), h.ProxySecret().Reveal()} {
		if strings.Contains(page.Body, secret) {
			t.Errorf("Ada's page has %q", secret)
		}
	}
	page, err = b.Submit(ctx, page, "Grace Hopper", nil)
	if err != nil || !strings.Contains(page.Body, "graces-own") || strings.Contains(page.Body, "ext-2") {
		t.Errorf("Grace's page is not hers: %d, %v", page.Status, err)
	}
	if list, err := b.Get(ctx, server.URL+"/apps"); err != nil || !strings.Contains(list.Body, "graces-own") || strings.Contains(list.Body, "<html") {
		t.Errorf("the list for refreshing: %d, %v", list.Status, err)
	}
	for _, asset := range []string{"/host.css", "/host.js"} {
		if page, err := b.Get(ctx, server.URL+asset); err != nil || page.Status != 200 {
			t.Errorf("%s: %d, %v", asset, page.Status, err)
		}
	}
}

// Another site must not click in a user's name.
func TestHostIsGuardedAgainstForgery(t *testing.T) {
	l := newLinkgate(t, 200, `{}`)
	server := httptest.NewServer(demo.NewHost(demo.HostOptions{LinkgateURL: l.URL}))
	defer server.Close()
	for _, path := range []string{"/connector/acme/auth/notes", "/switch"} {
		r, _ := http.NewRequest(http.MethodPost, server.URL+path, strings.NewReader(url.Values{"user": {"u_ada"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s = %d, want 403", path, answer.StatusCode)
		}
	}
}
