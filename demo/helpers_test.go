package demo_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"golang.org/x/oauth2"

	"linkgate/demo"
)

// party is a relying party in Linkgate's place: a ticket page whose button leads to the service,
// and a callback that remembers what it was sent.
type party struct {
	*httptest.Server
	service *demo.Service
	issuer  string
	clients []demo.Client

	mu        sync.Mutex
	authorize string
	callback  url.Values
}

// newParty starts a party and a service that knows it.
func newParty(t *testing.T, o demo.ServiceOptions) *party {
	t.Helper()
	p := &party{}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	server := httptest.NewUnstartedServer(nil)
	p.issuer = "http://" + server.Listener.Addr().String()
	p.clients = demo.Clients(p.URL)
	o.Issuer, o.Clients = p.issuer, p.clients
	p.service = demo.NewService(o)
	server.Config.Handler = p.service
	server.Start()
	t.Cleanup(server.Close)
	return p
}

func (p *party) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.URL.Path == "/connect/ticket" && r.Method == http.MethodGet:
		fmt.Fprint(w, `<form method="post"><button>Continue</button></form>`)
	case r.URL.Path == "/connect/ticket":
		http.Redirect(w, r, p.authorize, http.StatusSeeOther)
	default:
		p.callback = r.URL.Query()
		fmt.Fprint(w, "result")
	}
}

// config is the x/oauth2 configuration of the connection for authID.
func (p *party) config(authID string) *oauth2.Config {
	client := p.clients[0]
	style := oauth2.AuthStyleInHeader
	scopes := []string{"openid", "profile", "notes.read", "offline_access"}
	if authID == demo.NotesOAuth2 {
		client, style, scopes = p.clients[1], oauth2.AuthStyleInParams, scopes[2:]
	}
	return &oauth2.Config{
		ClientID: client.ID, ClientSecret: client.Secret.Reveal(), RedirectURL: client.RedirectURIs[0], Scopes: scopes,
		Endpoint: oauth2.Endpoint{AuthURL: p.issuer + "/oauth/authorize", TokenURL: p.issuer + "/oauth/token", AuthStyle: style},
	}
}

const (
	testState = "state-of-the-test"
	testNonce = "nonce-of-the-test"
)

// grant is a sign-in that came back with a code.
type grant struct {
	config         *oauth2.Config
	code, verifier string
	callback       url.Values
	page           demo.Page
}

// signIn has username connect in a browser of their own, and returns what the callback got.
func (p *party) signIn(t *testing.T, authID, username string) grant {
	t.Helper()
	g := grant{config: p.config(authID), verifier: oauth2.GenerateVerifier()}
	p.authorizeAt(g.config.AuthCodeURL(testState, oauth2.S256ChallengeOption(g.verifier), oauth2.SetAuthURLParam("nonce", testNonce)))
	page, err := demo.NewBrowser().SignIn(context.Background(), p.URL+"/connect/ticket", username)
	if err != nil {
		t.Fatalf("signing in: %v", err)
	}
	g.page, g.callback = page, p.took()
	g.code = g.callback.Get("code")
	return g
}

func (p *party) authorizeAt(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.authorize, p.callback = address, nil
}

func (p *party) took() url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.callback
}

func (g grant) exchange(t *testing.T) *oauth2.Token {
	t.Helper()
	token, err := g.config.Exchange(context.Background(), g.code, oauth2.VerifierOption(g.verifier))
	if err != nil {
		t.Fatalf("exchanging the code: %v", err)
	}
	return token
}
