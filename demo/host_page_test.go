package demo_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/demo"
)

// linkgate stands in for Linkgate and tells what reached it.
type linkgate struct {
	*httptest.Server
	requests chan string
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
	ctx := t.Context()
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

// A call goes out as the card made it.
func TestCall(t *testing.T) {
	l := newLinkgate(t, 200, "ok")
	h := demo.NewHost(demo.HostOptions{LinkgateURL: l.URL})
	r, err := http.NewRequestWithContext(t.Context(), "PUT", "/api/echo//a%2Fb/../c?x=1", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := h.Call("u_ada", "a/b", r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if got, want := <-l.requests, "PUT /call/a%2Fb/api/echo//a%2Fb/../c?x=1 body 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(r.Header) != 0 {
		t.Errorf("the card's own request now has %v", r.Header)
	}
}

func TestHostPage(t *testing.T) {
	ctx := t.Context()
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
		"Connected apps", `data-linkgate-origin="http://127.0.0.1:8080"`, "&lt;b&gt;&#34;Ada&#34;&lt;/b&gt;", "ext-2", "Sign in again", "Who am I?", "Connect again",
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
