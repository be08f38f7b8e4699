package connect_test

import (
	"net/http/httptest"
	"net/url"
	"testing"

	"linkgate/connect"
	"linkgate/demo"
	"linkgate/provider"
	"linkgate/secret"
)

// TestOAuth1 links an account of a service that has no codes: at once, after the host's relay, and
// not when the user denies it.
func TestOAuth1(t *testing.T) {
	for name, test := range map[string]struct {
		relayed, denied bool
		want            connect.State
	}{"at once": {false, false, connect.Linked}, "relayed": {true, false, connect.Linked}, "denied": {true, true, connect.Failed}} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.HostFinish = test.relayed
			photos := demo.NewPhotosFor(demo.PhotosClient{
				Key: "key", Secret: secret.New("client-secret"), Callback: "https://linkgate.test/callback/" + demo.NotesOIDC,
			})
			server := httptest.NewServer(photos)
			t.Cleanup(server.Close)
			f.Connections[demo.NotesOIDC] = newPhotosProvider(t, server.URL, photos)
			ticket := f.opened(t)
			q := f.fromPhotos(t, ticket, test.denied)
			cb := provider.Callback{OAuthToken: secret.New(q.Get("oauth_token")), OAuthVerifier: secret.New(q.Get("oauth_verifier"))}
			if q.Has("denied") {
				cb.Error = "access_denied"
			}
			if _, err := f.Complete(t.Context(), demo.NotesOIDC, browser, q.Get("state"), cb); err != nil {
				t.Fatal(err)
			}
			r, err := f.Result(t.Context(), ticket, browser)
			if err == nil && r.State == connect.Relaying {
				r, err = f.Finish(t.Context(), ada, demo.NotesOIDC, r.FinishToken)
			}
			if err != nil || r.State != test.want || test.denied && r.Reason != connect.Denied {
				t.Errorf("got %+v and %v, want %s", r, err, test.want)
			}
		})
	}
}

func newPhotosProvider(t *testing.T, at string, photos *demo.Photos) *provider.Provider {
	t.Helper()
	p, err := provider.New(provider.Connection{
		AuthID: demo.NotesOIDC, Provider: "oauth1", Name: "Acme Photos",
		ClientID: photos.Client().Key, ClientSecret: photos.Client().Secret,
		RequestTokenURL: at + "/request_token", AuthorizeURL: at + "/authorize", AccessTokenURL: at + "/access_token",
		Identity: provider.IdentityPaths{URL: at + "/api/me", ID: "account.id", Name: "account.display_name"},
	}, provider.Deps{AllowPrivateNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fromPhotos goes through the service's pages and returns what the callback is sent.
func (f *fixture) fromPhotos(t *testing.T, ticket string, denied bool) url.Values {
	t.Helper()
	address, err := f.Continue(t.Context(), ticket, browser, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := demo.NewBrowser()
	b.Stop = func(u *url.URL) bool { return u.Host == "linkgate.test" }
	decide := b.SignIn
	if denied {
		decide = b.Deny
	}
	page, err := decide(t.Context(), address, "ada")
	if err != nil {
		t.Fatal(err)
	}
	if !page.URL.Query().Has("state") {
		t.Fatalf("the journey ended at %s with status %d, want a callback with our state", page.URL, page.Status)
	}
	return page.URL.Query()
}
