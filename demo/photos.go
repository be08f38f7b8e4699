package demo

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"linkgate/secret"
)

// PhotosOAuth1 is the auth id of the connection that PhotosConnection configures.
const PhotosOAuth1 = "photos" // provider oauth1

// Photos is a simulated service of OAuth 1's age, "Acme Photos": request tokens, a page to allow or
// deny, access tokens that never end, and an API for signed requests (RFC 5849). Every signature,
// timestamp and nonce is checked.
type Photos struct {
	client PhotosClient
	users  []ServiceUser
	routes http.Handler
	ledger ledger

	mu       sync.Mutex
	requests map[string]*photosRequest // by request token
	accounts map[string]photosAccount  // by access token
	nonces   map[string]bool
	counts   map[string]int
}

// PhotosClient is the one client that the service knows.
type PhotosClient struct {
	Key       string
	Secret    secret.Text // of HMAC-SHA1
	PublicKey []byte      // of RSA-SHA1, PKIX in DER; empty: HMAC-SHA1 alone
	Callback  string      // where callbacks must be, without a query
}

// photosRequest is a request token.
type photosRequest struct {
	secret, callback, verifier string
	user                       ServiceUser
	used                       bool
}

// photosAccount is what an access token is good for.
type photosAccount struct {
	secret string
	user   ServiceUser
}

// NewPhotos makes the service for Linkgate at linkgateURL, with a new client secret.
func NewPhotos(linkgateURL string) *Photos {
	return NewPhotosFor(PhotosClient{Key: "linkgate-" + PhotosOAuth1, Secret: randomSecret(), Callback: linkgateURL + "/callback/" + PhotosOAuth1})
}

// NewPhotosFor makes the service for a client.
func NewPhotosFor(c PhotosClient) *Photos {
	p := &Photos{
		client: c, users: []ServiceUser{{"ada", "photos_1815", "Ada Lovelace"}, {"grace", "photos_1906", "Grace Hopper"}},
		requests: map[string]*photosRequest{}, accounts: map[string]photosAccount{}, nonces: map[string]bool{}, counts: map[string]int{},
	}
	p.ledger.add(c.Secret.Reveal())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /request_token", p.requestToken)
	mux.HandleFunc("/authorize", p.authorize)
	mux.HandleFunc("POST /access_token", p.accessToken)
	mux.HandleFunc("GET /api/me", p.asUser(p.me))
	mux.HandleFunc("/api/echo", p.asUser(p.echo))
	mux.HandleFunc("GET /style.css", serviceStyle)
	p.routes = http.NewCrossOriginProtection().Handler(mux)
	return p
}

// ServeHTTP implements http.Handler. It may be mounted anywhere: what is signed is the address that
// the client asked for.
func (p *Photos) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.counts[r.URL.Path]++
	p.mu.Unlock()
	p.routes.ServeHTTP(w, r)
}

// Client is the client that it knows.
func (p *Photos) Client() PhotosClient { return p.client }

// Requests counts the requests at one of its paths.
func (p *Photos) Requests(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[path]
}

// Secrets lists every secret that exists because of this service, for the canary test.
func (p *Photos) Secrets() []string { return p.ledger.all() }

// Forget ends all access of a user's, as when the user takes it away at the service.
func (p *Photos) Forget(subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for token, account := range p.accounts {
		if account.user.Subject == subject {
			delete(p.accounts, token)
		}
	}
}

// requestToken is RFC 5849 §2.1.
func (p *Photos) requestToken(w http.ResponseWriter, r *http.Request) {
	signed, problem := p.verify(r, func(string) (string, bool) { return "", true })
	callback, err := url.Parse(signed.param("oauth_callback"))
	switch {
	case problem != "":
		refusePhotos(w, problem)
		return
	case err != nil || withoutQuery(callback) != p.client.Callback:
		refusePhotos(w, "parameter_rejected")
		return
	}
	token, request := random(), &photosRequest{secret: random(), callback: callback.String()}
	p.ledger.add(token, request.secret, callback.Query().Get("state"))
	p.mu.Lock()
	p.requests[token] = request
	p.mu.Unlock()
	answerTokens(w, token, request.secret, url.Values{"oauth_callback_confirmed": {"true"}})
}

func withoutQuery(u *url.URL) string {
	plain := *u
	plain.RawQuery = ""
	return plain.String()
}

// accessToken is RFC 5849 §2.3: a request token is good for one access token.
func (p *Photos) accessToken(w http.ResponseWriter, r *http.Request) {
	signed, problem := p.verify(r, func(token string) (string, bool) {
		request, ok := p.requests[token]
		if !ok {
			return "", false
		}
		return request.secret, true
	})
	if problem != "" {
		refusePhotos(w, problem)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	request := p.requests[signed.param("oauth_token")]
	switch {
	case request == nil:
		refusePhotos(w, "token_rejected")
	case request.used:
		refusePhotos(w, "token_used")
	case request.verifier == "" || signed.param("oauth_verifier") != request.verifier:
		refusePhotos(w, "verifier_invalid")
	default:
		request.used = true
		token, account := random(), photosAccount{secret: random(), user: request.user}
		p.accounts[token] = account
		p.ledger.add(token, account.secret)
		answerTokens(w, token, account.secret, url.Values{"user_id": {request.user.Subject}, "screen_name": {request.user.Username}})
	}
}

func answerTokens(w http.ResponseWriter, token, tokenSecret string, more url.Values) {
	more.Set("oauth_token", token)
	more.Set("oauth_token_secret", tokenSecret)
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
	fmt.Fprint(w, more.Encode())
}

// refusePhotos names a problem as https://wiki.oauth.net/w/page/12238543/ProblemReporting has it.
func refusePhotos(w http.ResponseWriter, problem string) {
	w.Header().Set("WWW-Authenticate", `OAuth realm="Acme Photos", oauth_problem="`+problem+`"`)
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
	w.WriteHeader(http.StatusUnauthorized)
	fmt.Fprint(w, "oauth_problem="+problem)
}

// asUser serves a request of the API in the name of the access token's user.
func (p *Photos) asUser(do func(http.ResponseWriter, signedRequest, ServiceUser)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var user ServiceUser
		signed, problem := p.verify(r, func(token string) (string, bool) {
			account, ok := p.accounts[token]
			user = account.user
			return account.secret, ok
		})
		if problem != "" {
			refusePhotos(w, problem)
			return
		}
		do(w, signed, user)
	}
}

func (p *Photos) me(w http.ResponseWriter, _ signedRequest, user ServiceUser) {
	writeJSON(w, http.StatusOK, map[string]any{"account": map[string]any{"id": user.Subject, "display_name": user.Name}})
}

// echo tells what has arrived, as it was understood.
func (p *Photos) echo(w http.ResponseWriter, signed signedRequest, user ServiceUser) {
	writeJSON(w, http.StatusOK, map[string]any{"user": user.Subject, "params": signed.plain(), "bytes": len(signed.body)})
}

// authorize is RFC 5849 §2.2: sign-in, then allow or deny. Both pages have the request's own URL.
func (p *Photos) authorize(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("oauth_token")
	p.mu.Lock()
	defer p.mu.Unlock()
	request := p.requests[token]
	switch action := r.PostFormValue("action"); {
	case request == nil || request.used || request.verifier != "":
		p.page(w, http.StatusBadRequest, photosPage{Problem: "This request has been used, or never was."})
	case action == "sign-in":
		p.signIn(w, r, request)
	case request.user == ServiceUser{}:
		p.page(w, http.StatusOK, photosPage{SignIn: true, Users: p.users, Password: Password})
	case action == "allow":
		request.verifier = random()
		p.ledger.add(request.verifier)
		p.back(w, r, request, url.Values{"oauth_token": {token}, "oauth_verifier": {request.verifier}})
	case action == "deny":
		delete(p.requests, token)
		p.back(w, r, request, url.Values{"denied": {token}})
	default:
		p.page(w, http.StatusOK, photosPage{User: request.user, callback: request.callback})
	}
}

func (p *Photos) signIn(w http.ResponseWriter, r *http.Request, request *photosRequest) {
	i := slices.IndexFunc(p.users, func(u ServiceUser) bool { return u.Username == r.PostFormValue("username") })
	if i < 0 || r.PostFormValue("password") != Password {
		p.page(w, http.StatusOK, photosPage{SignIn: true, Users: p.users, Password: Password, Mistake: "That name and password don't belong together."})
		return
	}
	request.user = p.users[i]
	p.page(w, http.StatusOK, photosPage{User: request.user, callback: request.callback})
}

// back sends the browser to the callback, whose own parameters stay.
func (p *Photos) back(w http.ResponseWriter, r *http.Request, request *photosRequest, add url.Values) {
	query := add.Encode()
	if _, own, has := strings.Cut(request.callback, "?"); has {
		query = own + "&" + query
	}
	address, _, _ := strings.Cut(request.callback, "?")
	http.Redirect(w, r, address+"?"+query, http.StatusSeeOther)
}

// photosPage is what a page shows.
type photosPage struct {
	SignIn   bool
	Users    []ServiceUser
	Password string
	Mistake  string
	User     ServiceUser
	Problem  string

	callback string // where the form may lead
}

func (p *Photos) page(w http.ResponseWriter, status int, view photosPage) {
	to := ""
	if u, err := url.Parse(view.callback); err == nil && view.callback != "" {
		to = " " + origin(u)
	}
	setPageHeaders(w, "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"+to)
	w.WriteHeader(status)
	_ = template.Must(template.ParseFS(pages, "pages/photos.html")).Execute(w, view) // the reader is gone
}

// now is its clock, for timestamps.
func (p *Photos) now() time.Time { return time.Now() }

// PhotosApp is the host's card for PhotosConnection.
func PhotosApp() App {
	return App{ServiceID: "acme", AuthID: PhotosOAuth1, Name: "Acme Photos", Description: "A service of OAuth 1's age: it signs every request, and has no refresh and no revocation. Sign in as ada."}
}

// PhotosConnection is what connections.yaml has for the service after other connections; address is
// where it is. It holds the client secret in the clear.
func (p *Photos) PhotosConnection(address string) string {
	return fmt.Sprintf(`  - auth_id: %[1]s
    provider: oauth1
    name: Acme Photos
    client_id: %[2]s
    client_secret: %[3]s
    request_token_url: "%[4]s/request_token"
    authorize_url: "%[4]s/authorize"
    access_token_url: "%[4]s/access_token"
    identity: {url: "%[4]s/api/me", id: account.id, name: account.display_name}
    calls: {base_url: "%[4]s", allow: [GET /api/me, "* /api/echo"]}
`, PhotosOAuth1, p.client.Key, p.client.Secret.Reveal(), address)
}
