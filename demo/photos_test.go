package demo_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/dghubble/oauth1"

	"linkgate/demo"
	"linkgate/secret"
)

// album is Photos on loopback, and a consumer of it, by a library that others wrote.
type album struct {
	*httptest.Server
	photos   *demo.Photos
	consumer *oauth1.Config
}

func newAlbum(t *testing.T, c demo.PhotosClient, signer oauth1.Signer) *album {
	t.Helper()
	c.Key, c.Callback = "key", "http://127.0.0.1:1/callback"
	photos := demo.NewPhotosFor(c)
	mux := http.NewServeMux()
	mux.Handle("/photos/", http.StripPrefix("/photos", photos))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	at := server.URL + "/photos"
	return &album{server, photos, &oauth1.Config{
		ConsumerKey: "key", CallbackURL: c.Callback + "?state=s", Signer: signer,
		Endpoint: oauth1.Endpoint{RequestTokenURL: at + "/request_token", AuthorizeURL: at + "/authorize", AccessTokenURL: at + "/access_token"},
	}}
}

// decide answers the service's pages, and returns what the callback gets.
func (a *album) decide(t *testing.T, token, decision string) url.Values {
	t.Helper()
	address, err := a.consumer.AuthorizationURL(token)
	if err != nil {
		t.Fatal(err)
	}
	browser := demo.NewBrowser()
	browser.Stop = func(u *url.URL) bool { return u.Path == "/callback" }
	page, err := browser.Get(t.Context(), address.String())
	if err != nil {
		t.Fatal(err)
	}
	if page, err = browser.Submit(t.Context(), page, "sign-in", url.Values{"username": {"ada"}, "password": {demo.Password}}); err != nil {
		t.Fatal(err)
	}
	if page, err = browser.Submit(t.Context(), page, decision, nil); err != nil {
		t.Fatal(err)
	}
	return page.URL.Query()
}

// TestPhotosJourney: a client that others wrote signs in and calls, with both methods.
func TestPhotosJourney(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]*album{
		"HMAC-SHA1": newAlbum(t, demo.PhotosClient{Secret: secret.New("s&%")}, &oauth1.HMACSigner{ConsumerSecret: "s&%"}),
		"RSA-SHA1":  newAlbum(t, demo.PhotosClient{PublicKey: public}, &oauth1.RSASigner{PrivateKey: key}),
	} {
		t.Run(name, func(t *testing.T) {
			token, tokenSecret, err := a.consumer.RequestToken()
			if err != nil {
				t.Fatal(err)
			}
			callback := a.decide(t, token, "allow")
			if callback.Get("state") != "s" || callback.Get("oauth_token") != token {
				t.Errorf("got callback %v", callback)
			}
			access, accessSecret, err := a.consumer.AccessToken(token, tokenSecret, callback.Get("oauth_verifier"))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := a.consumer.AccessToken(token, tokenSecret, callback.Get("oauth_verifier")); err == nil {
				t.Error("the verifier is good twice")
			}
			client := a.consumer.Client(t.Context(), oauth1.NewToken(access, accessSecret))
			res, err := client.Post(a.URL+"/photos/api/echo?q=a+b", "application/x-www-form-urlencoded", strings.NewReader("title=Caf%C3%A9+%26"))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if want := `{"bytes":19,"params":[["q","a b"],["title","Café \u0026"]],"user":"photos_1815"}`; strings.TrimSpace(string(body)) != want {
				t.Errorf("got %s, want %s", body, want)
			}
		})
	}
}

// TestPhotosRefuses: a wrong secret or verifier, and a request that is not the one that was signed.
func TestPhotosRefuses(t *testing.T) {
	a := newAlbum(t, demo.PhotosClient{Secret: secret.New("right")}, &oauth1.HMACSigner{ConsumerSecret: "wrong"})
	if _, _, err := a.consumer.RequestToken(); err == nil || !strings.Contains(err.Error(), "signature_invalid") {
		t.Errorf("with a wrong secret: got %v", err)
	}
	a.consumer.Signer = &oauth1.HMACSigner{ConsumerSecret: "right"}
	token, tokenSecret, err := a.consumer.RequestToken()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.consumer.AccessToken(token, tokenSecret, "none"); err == nil || !strings.Contains(err.Error(), "verifier_invalid") {
		t.Errorf("with a wrong verifier: got %v", err)
	}
	if callback := a.decide(t, token, "deny"); callback.Get("denied") != token || callback.Has("oauth_verifier") {
		t.Errorf("denied: got %v", callback)
	}
	a.consumer.CallbackURL = "https://evil.example/"
	if _, _, err := a.consumer.RequestToken(); err == nil || !strings.Contains(err.Error(), "parameter_rejected") {
		t.Errorf("with another callback: got %v", err)
	}
}
