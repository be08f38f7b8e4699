package demo

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"linkgate/secret"
)

// What Linkgate hands to an owner's app, in Go's canonical spelling.
const (
	userHeader       = "Linkgate-User-Id"
	tokenHeader      = "Linkgate-Token-"
	tokenErrorHeader = "Linkgate-Token-Error-"
)

// OwnerApp is "Rota", an owner's own app that stands behind Linkgate at APP_URL. It has no line of
// OAuth in it: it checks that a request comes from Linkgate, and shows what Linkgate gave it, at
// /hello to people and at any other path as JSON. What does not come from Linkgate is refused.
type OwnerApp struct {
	secret secret.Text
}

// NewOwnerApp makes an app with a secret of its own.
func NewOwnerApp() *OwnerApp {
	return &OwnerApp{secret: secret.New("whsec_" + base64.StdEncoding.EncodeToString([]byte(random()+random())))}
}

// Secret is what the app and Linkgate share (APP_SECRET).
func (a *OwnerApp) Secret() secret.Text { return a.secret }

// Arrived is a request as an owner's app sees it.
type Arrived struct {
	Method  string         `json:"method"`
	Target  string         `json:"target"` // path and query, as on the request line
	User    string         `json:"user"`
	Tokens  []ArrivedToken `json:"tokens"`
	Headers []string       `json:"headers"` // names alone
}

// ArrivedToken is what an owner's app got for a connection. The token itself is never shown.
type ArrivedToken struct {
	AuthID string `json:"auth_id"` // in lower case, as the names of headers have none
	Token  string `json:"token"`   // "absent", or "present" and the start of its SHA-256
	Error  string `json:"error"`   // why there is none
}

// ServeHTTP serves /hello, its style, and JSON everywhere else.
func (a *OwnerApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/hello.css" {
		http.ServeFileFS(w, r, pages, "pages/owner_app.css")
		return
	}
	user, err := a.fromLinkgate(r)
	if err != nil {
		http.Error(w, "This did not come through Linkgate.", http.StatusUnauthorized)
		return
	}
	seen := Arrived{Method: r.Method, Target: r.RequestURI, User: user, Tokens: arrivedTokens(r.Header), Headers: names(r.Header)}
	if r.URL.Path != "/hello" {
		writeJSON(w, http.StatusOK, seen)
		return
	}
	setPageHeaders(w, "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	t := template.Must(template.ParseFS(pages, "pages/owner_app.html"))
	_ = t.Execute(w, seen) // the reader is gone
}

var errNotOneUser = errors.New("not one user")

// fromLinkgate is the user in whose name Linkgate sent r; an error if it was not Linkgate. The
// payload is that of package appproxy.
func (a *OwnerApp) fromLinkgate(r *http.Request) (user string, err error) {
	users := r.Header.Values(userHeader)
	if len(users) != 1 {
		return "", errNotOneUser
	}
	var tokens []string
	for name, values := range r.Header {
		if strings.HasPrefix(name, tokenHeader) {
			tokens = append(tokens, strings.ToLower(name)+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(tokens)
	payload := strings.Join(append([]string{r.Method, r.RequestURI, users[0]}, tokens...), "\n")
	webhook, err := standardwebhooks.NewWebhook(a.secret.Reveal())
	if err != nil {
		return "", fmt.Errorf("reading our own secret: %w", err)
	}
	return users[0], webhook.Verify([]byte(payload), r.Header)
}

func arrivedTokens(h http.Header) []ArrivedToken {
	tokens := []ArrivedToken{}
	for _, name := range names(h) {
		if id, ok := strings.CutPrefix(name, tokenErrorHeader); ok {
			tokens = append(tokens, ArrivedToken{AuthID: strings.ToLower(id), Token: "absent", Error: h.Get(name)})
		} else if id, ok := strings.CutPrefix(name, tokenHeader); ok {
			tokens = append(tokens, ArrivedToken{AuthID: strings.ToLower(id), Token: fingerprint(h[name])})
		}
	}
	return tokens
}

// names lists the headers of a request, sorted.
func names(h http.Header) []string {
	all := []string{}
	for name := range h {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
