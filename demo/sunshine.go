package demo

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"linkgate/secret"
)

// SunshineAuth is the auth id of the connection that Sunshine.Connection configures.
const SunshineAuth = "sunshine"

// OpTokenInfo is Sunshine's /v2/tokenInfo. Its other operations are OpAuthorize, OpToken and OpRevoke.
const OpTokenInfo = "token info"

// SunshineOptions configures a Sunshine. All but Apps must be set.
type SunshineOptions struct {
	LinkgateURL string // the integration's redirect URI and removeUrl are there
	Apps        []SunshineApp
	RemoveByGet bool // the removeUrl is called with GET and the app in the query, else with POST and JSON
}

// SunshineApp is an app at Sunshine, and the users who own it.
type SunshineApp struct {
	ID, Subdomain string
	Owners        []string
}

// Sunshine simulates Sunshine Conversations: the owner of an app authorises an integration, whose
// access is to the app, so that a revocation ends every token for it, whoever was given them. Tokens
// have no end and no refresh token. One integration is registered, with no PKCE: parameters that are
// not known are ignored. What the real service sends to a removeUrl is documented nowhere; here it is
// the app's id under the name that its API has for it.
type Sunshine struct {
	options      SunshineOptions
	clientID     string
	clientSecret secret.Text
	removal      secret.Text // of the removeUrl
	redirectURIs []string
	routes       http.Handler
	stage        stage
	ledger       ledger

	mu       sync.Mutex
	signedIn map[string]string       // user name by session cookie
	codes    map[string]sunshineCode // taken out when used
	tokens   map[string]string       // app id by access token
	keys     map[string]SunshineKey  // by app id
	removals []SunshineRemoval
}

type sunshineCode struct {
	appID string
	until time.Time
}

// SunshineKey is an app's own key, for Basic.
type SunshineKey struct {
	ID     string
	Secret secret.Text
}

// SunshineRemoval is a call of the integration's removeUrl.
type SunshineRemoval struct {
	AppID  string
	Status int // of the answer; 0: there was none
}

// NewSunshine makes a service with an integration that nobody has authorised.
func NewSunshine(o SunshineOptions) *Sunshine {
	if len(o.Apps) == 0 {
		o.Apps = []SunshineApp{
			{ID: "5e4af71a81966cfff3ef6550", Subdomain: "acme", Owners: []string{"ada", "grace"}},
			{ID: "5e4af71a81966cfff3ef6551", Subdomain: "acme-support", Owners: []string{"ada"}},
			{ID: "5e4af71a81966cfff3ef6552", Subdomain: "penguins", Owners: []string{"linus"}},
		}
	}
	s := &Sunshine{
		options: o, clientID: "linkgate-sunshine", clientSecret: randomSecret(), removal: secret.New(random()),
		redirectURIs: []string{o.LinkgateURL + "/callback/" + SunshineAuth, o.LinkgateURL + "/another"},
		signedIn:     map[string]string{}, codes: map[string]sunshineCode{}, tokens: map[string]string{}, keys: map[string]SunshineKey{},
	}
	for _, app := range o.Apps {
		s.keys[app.ID] = SunshineKey{ID: "app_" + random(), Secret: randomSecret()}
		s.ledger.add(s.keys[app.ID].Secret.Reveal())
	}
	s.ledger.add(s.clientSecret.Reveal(), s.removal.Reveal())
	s.stage.errorBody = sunshineError
	s.routes = s.newRoutes()
	return s
}

// sunshineError is how version 2 of the API words an error.
func sunshineError(status int) string {
	code := map[int]string{401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "too_many_requests"}[status]
	return fmt.Sprintf(`{"errors":[{"code":%q,"title":%q}]}`, cmp.Or(code, "internal_error"), http.StatusText(status))
}

func (s *Sunshine) newRoutes() http.Handler {
	mux := http.NewServeMux()
	for pattern, operation := range map[string]struct {
		op string
		do http.HandlerFunc
	}{
		"/oauth/authorize":            {OpAuthorize, s.authorize},
		"POST /oauth/token":           {OpToken, s.token},
		"GET /v2/tokenInfo":           {OpTokenInfo, s.tokenInfo},
		"DELETE /oauth/authorization": {OpRevoke, s.revoke},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.stage.perform(operation.op, w, r, operation.do) })
	}
	mux.HandleFunc("/{$}", s.webApp)
	mux.HandleFunc("GET /style.css", serviceStyle)
	return mux
}

// ServeHTTP serves the web app, the OAuth endpoints and /v2/tokenInfo.
func (s *Sunshine) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// Play directs the service from now on; the zero Script ends it.
func (s *Sunshine) Play(script Script) { s.stage.play(script) }

// Requests counts the requests for op that arrived, faulty ones included.
func (s *Sunshine) Requests(op string) int { return s.stage.count(op) }

// Apps lists all apps.
func (s *Sunshine) Apps() []SunshineApp { return slices.Clone(s.options.Apps) }

// Key is an app's own key.
func (s *Sunshine) Key(appID string) SunshineKey { return s.keys[appID] }

// Secrets lists every secret that exists because of this service, for the canary test.
func (s *Sunshine) Secrets() []string { return s.ledger.all() }

// RemovalSecret is the one in the integration's removeUrl.
func (s *Sunshine) RemovalSecret() secret.Text { return s.removal }

// Removals lists the calls of the integration's removeUrl, oldest first.
func (s *Sunshine) Removals() []SunshineRemoval {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.removals)
}

// ActiveTokens counts the tokens for an app that are good now.
func (s *Sunshine) ActiveTokens(appID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, id := range s.tokens {
		if id == appID {
			n++
		}
	}
	return n
}

// Connection is what connections.yaml has for it after other connections, by the preset and with the
// service's hosts replaced by address.
func (s *Sunshine) Connection(address string) string {
	return fmt.Sprintf(`  - auth_id: %[1]s
    provider: sunshine
    client_id: %[2]s
    client_secret: %[3]s
    removal_secret: %[4]s
    authorize_url: %[5]s/oauth/authorize
    token_url: %[5]s/oauth/token
    revoke_url: %[5]s/oauth/authorization
    identity: {url: "%[5]s/v2/tokenInfo"}
    calls: {base_url: "%[5]s", allow: [GET /v2/tokenInfo]}
`, SunshineAuth, s.clientID, s.clientSecret.Reveal(), s.removal.Reveal(), address)
}

// Remove ends the integration's access to an app, as its owner does in the web app and as a
// revocation does: the integration is told at its removeUrl, once, and its answer changes nothing.
func (s *Sunshine) Remove(ctx context.Context, appID string) {
	s.mu.Lock()
	for token, id := range s.tokens {
		if id == appID {
			delete(s.tokens, token)
		}
	}
	s.mu.Unlock()
	removal := SunshineRemoval{AppID: appID, Status: s.callRemoveURL(ctx, appID)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removals = append(s.removals, removal)
}

// callRemoveURL goes on when whoever has removed the integration does not wait.
func (s *Sunshine) callRemoveURL(ctx context.Context, appID string) (status int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	address := s.options.LinkgateURL + "/hooks/" + SunshineAuth + "/removed?secret=" + url.QueryEscape(s.removal.Reveal())
	body, _ := json.Marshal(map[string]string{"appId": appID}) // has no error to give for strings
	method := http.MethodPost
	if s.options.RemoveByGet {
		method, address, body = http.MethodGet, address+"&appId="+url.QueryEscape(appID), nil
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
