package call

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/provider"
	"linkgate/secret"
)

const theRedirectURI = "https://linkgate.example/callback/svc"

// newSigned is a world whose service wants every request signed, and checks it (RFC 5849). before,
// which may be nil, sees requests first, and answers when it says so.
func newSigned(t *testing.T, before func(http.ResponseWriter, *http.Request) bool) *world {
	t.Helper()
	photos := demo.NewPhotosFor(demo.PhotosClient{Key: "key", Secret: secret.New("client-secret"), Callback: theRedirectURI})
	var connection provider.Connection
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if before == nil || !before(rw, r) {
			photos.ServeHTTP(rw, r)
		}
	}, func(_ *Options, c *provider.Connection) {
		base := c.Calls.BaseURL
		*c = provider.Connection{
			AuthID: theAuthID, Provider: "oauth1", ClientID: "key", ClientSecret: secret.New("client-secret"),
			RequestTokenURL: base + "/request_token", AuthorizeURL: base + "/authorize", AccessTokenURL: base + "/access_token",
			Identity: provider.IdentityPaths{URL: base + "/api/me", ID: "account.id"}, Calls: c.Calls,
		}
		connection = *c
	})
	w.tokens.account.Credential = signIn(t, connection)
	return w.start()
}

func signIn(t *testing.T, c provider.Connection) provider.Credential {
	t.Helper()
	p, err := provider.New(c, provider.Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	attempt, address, err := p.Redirector.Authorize(t.Context(), secret.New("state"), theRedirectURI)
	if err != nil {
		t.Fatal(err)
	}
	browser := demo.NewBrowser()
	browser.Stop = func(u *url.URL) bool { return u.Host == "linkgate.example" }
	page, err := browser.Get(t.Context(), address)
	if err == nil {
		page, err = browser.Submit(t.Context(), page, "sign-in", url.Values{"username": {"ada"}, "password": {demo.Password}})
	}
	if err == nil {
		page, err = browser.Submit(t.Context(), page, "allow", nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	q := page.URL.Query()
	grant, err := p.Redirector.Exchange(t.Context(), attempt, provider.Callback{
		OAuthToken: secret.New(q.Get("oauth_token")), OAuthVerifier: secret.New(q.Get("oauth_verifier")),
	})
	if err != nil {
		t.Fatal(err)
	}
	return grant.Credential
}

const (
	aForm = "application/x-www-form-urlencoded; charset=utf-8"
	echo  = "/api/echo"
)

// chunked hides a body's length.
type chunked struct{ io.Reader }

// TestSignedCalls: what a user sends arrives signed, whatever its body.
func TestSignedCalls(t *testing.T) {
	longest := "a=" + strings.Repeat("x", maxForm-2)
	tests := map[string]struct {
		method, path, kind string
		body               io.Reader
		bytes              int
		params             [][2]string
	}{
		"none":           {"GET", echo + "?b=2&a=1&b=1", "", nil, 0, [][2]string{{"a", "1"}, {"b", "1"}, {"b", "2"}}},
		"form":           {"POST", echo + "?tag=a", aForm, strings.NewReader("tag=b&t=Caf%C3%A9+%26"), 21, [][2]string{{"t", "Café &"}, {"tag", "a"}, {"tag", "b"}}},
		"form in bits":   {"PUT", echo, aForm, chunked{strings.NewReader("b=2&a=%2B")}, 9, [][2]string{{"a", "+"}, {"b", "2"}}},
		"longest form":   {"POST", echo, aForm, strings.NewReader(longest), maxForm, [][2]string{{"a", longest[2:]}}},
		"empty, in bits": {"POST", echo, aForm, chunked{strings.NewReader("")}, 0, [][2]string{}},
		"JSON":           {"POST", echo, "application/json", strings.NewReader(strings.Repeat("1", 3*maxForm)), 3 * maxForm, [][2]string{}},
		"JSON, in bits":  {"POST", echo, "application/json", chunked{strings.NewReader(strings.Repeat("1", 3*maxForm))}, 3 * maxForm, [][2]string{}},
	}
	w := newSigned(t, nil)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			res, text := w.ask(test.method, test.path, test.body, "Content-Type", test.kind, "Authorization", "OAuth mine")
			if err := w.err(); err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("got %d %s and %v", res.StatusCode, text, err)
			}
			var got struct {
				Bytes  int
				Params [][2]string
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.params, got.Params); diff != "" || got.Bytes != test.bytes {
				t.Errorf("%d bytes, want %d; parameters (-want +got):\n%.300s", got.Bytes, test.bytes, diff)
			}
		})
	}
}

// TestFormTooLong: it is refused by its length where that is told, else as soon as it shows, and
// nothing of it is sent.
func TestFormTooLong(t *testing.T) {
	var sent atomic.Int32
	w := newSigned(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == echo {
			sent.Add(1)
		}
		return false
	})
	long := "a=" + strings.Repeat("x", maxForm-1)
	w.want(failed, ErrFormTooLong, "POST", echo, long, "Content-Type", aForm)
	res, _ := w.ask("POST", echo, chunked{strings.NewReader(long)}, "Content-Type", aForm)
	if err := w.err(); res.StatusCode != failed || err != ErrFormTooLong { //nolint:errorlint // as it is
		t.Errorf("in bits: got %d and %v", res.StatusCode, err)
	}
	if sent.Load() != 0 {
		t.Errorf("%d requests were sent", sent.Load())
	}
}

// TestSignedAgain: a request that is sent again has a signature of its own, of the credential that it
// is sent with.
func TestSignedAgain(t *testing.T) {
	var asked atomic.Int32
	w := newSigned(t, func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != echo || asked.Add(1) > 1 {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Retry-After", "0")
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	w.want(http.StatusOK, nil, "PUT", echo, "a=1", "Content-Type", aForm)
	good := *w.tokens.account
	w.tokens.rejected = func(*linkedaccount.Opened) (*linkedaccount.Opened, error) {
		other := good
		other.TokenVersion++
		return &other, nil
	}
	w.tokens.account.Credential.TokenSecret = secret.New("old")
	w.want(http.StatusOK, nil, "POST", echo, "a=1", "Content-Type", aForm)
	if asked.Load() != 4 || w.tokens.rejects != 1 {
		t.Errorf("got %d requests and %d rejections, want 4 and 1", asked.Load(), w.tokens.rejects)
	}
}
