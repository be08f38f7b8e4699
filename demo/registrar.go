package demo

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"linkgate/secret"
)

// RegistrarOptions configures a Registrar.
type RegistrarOptions struct {
	URL            string              // its address, without a trailing slash
	InitialToken   secret.Text         // empty: anybody may register
	SecretLifetime time.Duration       // zero: secrets live for ever
	Now            func() time.Time    // nil: time.Now
	Changed        func(Client)        // told of each client that is registered or updated; may be nil
	KeepsSecrets   bool                // an update brings no new secret
	Unmanaged      bool                // RFC 7591 alone: no registration_client_uri
	AuthMethod     string              // for every client, whatever it asks for; empty: as it asks
	Refuse         func(Claims) string // an error code of RFC 7591 §3.2.2; nil or "": none
}

// Claims is client metadata (RFC 7591 §2).
type Claims = map[string]any

// Registrar simulates dynamic client registration (RFC 7591 at /register) and its management
// (RFC 7592 at /register/{client_id}). Each update that brings no secret along makes a new one, and
// each makes a new registration access token.
type Registrar struct {
	options RegistrarOptions
	routes  http.Handler
	stage   stage

	mu      sync.Mutex
	clients map[string]Claims // by client_id
	tokens  map[string]string // registration access tokens by client_id
	secrets []string
}

// NewRegistrar makes a server without clients.
func NewRegistrar(o RegistrarOptions) *Registrar {
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Registrar{options: o, clients: map[string]Claims{}, tokens: map[string]string{}}
	g.stage.errorBody = oauthError
	mux := http.NewServeMux()
	for pattern, route := range map[string]struct {
		op string
		do http.HandlerFunc
	}{
		"POST /register":        {OpClientCreate, g.create},
		"GET /register/{id}":    {OpClientGet, g.managing(g.get)},
		"PUT /register/{id}":    {OpClientUpdate, g.managing(g.update)},
		"DELETE /register/{id}": {OpClientDelete, g.managing(g.remove)},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { g.stage.perform(route.op, w, r, route.do) })
	}
	g.routes = mux
	return g
}

// ServeHTTP implements http.Handler.
func (g *Registrar) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.routes.ServeHTTP(w, r) }

// Play has it follow a script.
func (g *Registrar) Play(s Script) { g.stage.play(s) }

// Requests counts what was asked for.
func (g *Registrar) Requests(op string) int { return g.stage.count(op) }

// Clients are those that are registered now, by their ids.
func (g *Registrar) Clients() map[string]Claims {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.clients)
}

// Secrets are all that it has ever given or taken, for a search in what must not have them.
func (g *Registrar) Secrets() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string{g.options.InitialToken.Reveal()}, g.secrets...)
}

func refuseClient(w http.ResponseWriter, status int, code string) {
	writeAsJSON(w, status, map[string]string{"error": code, "error_description": "a sentence of the service's own"})
}

func bearerOf(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}

func (g *Registrar) create(w http.ResponseWriter, r *http.Request) {
	if want := g.options.InitialToken.Reveal(); want != "" && bearerOf(r) != want {
		refuseClient(w, http.StatusUnauthorized, "invalid_token")
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	claims, ok := g.read(w, r)
	if !ok {
		return
	}
	id := "client-" + random()
	claims["client_id"], claims["client_id_issued_at"] = id, g.options.Now().Unix()
	g.renewSecret(claims)
	g.clients[id] = claims
	g.answer(w, http.StatusCreated, id)
}

// read takes metadata out of a request (RFC 7591 §2, §3.2.2).
func (g *Registrar) read(w http.ResponseWriter, r *http.Request) (claims Claims, ok bool) {
	uris := []any{}
	if json.NewDecoder(r.Body).Decode(&claims) == nil {
		uris, _ = claims["redirect_uris"].([]any)
	}
	code := ""
	switch {
	case len(uris) == 0:
		code = "invalid_redirect_uri"
	case g.options.Refuse != nil:
		code = g.options.Refuse(claims)
	}
	if code != "" {
		refuseClient(w, http.StatusBadRequest, code)
		return nil, false
	}
	claims["token_endpoint_auth_method"] = cmp.Or(g.options.AuthMethod, asText(claims["token_endpoint_auth_method"]), "client_secret_basic")
	return claims, true
}

func asText(v any) string {
	s, _ := v.(string)
	return s
}

func (g *Registrar) renewSecret(claims Claims) {
	if claims["token_endpoint_auth_method"] == "none" {
		return
	}
	s := random() + random()
	g.secrets = append(g.secrets, s)
	claims["client_secret"], claims["client_secret_expires_at"] = s, 0
	if g.options.SecretLifetime > 0 {
		claims["client_secret_expires_at"] = g.options.Now().Add(g.options.SecretLifetime).Unix()
	}
}

// answer is a client information response (RFC 7592 §3).
func (g *Registrar) answer(w http.ResponseWriter, status int, id string) {
	claims := maps.Clone(g.clients[id])
	if g.options.Changed != nil {
		c := Client{ID: id, Name: asText(claims["client_name"]), Secret: secret.New(asText(claims["client_secret"]))}
		uris, _ := claims["redirect_uris"].([]any)
		for _, uri := range uris {
			c.RedirectURIs = append(c.RedirectURIs, asText(uri))
		}
		g.options.Changed(c)
	}
	if !g.options.Unmanaged {
		if g.tokens[id] == "" {
			g.tokens[id] = random()
			g.secrets = append(g.secrets, g.tokens[id])
		}
		claims["registration_access_token"], claims["registration_client_uri"] = g.tokens[id], g.options.URL+"/register/"+id
	}
	writeAsJSON(w, status, claims)
}

// managing lets through who has the client's registration access token. A client that is not there is
// 401 as well (RFC 7592 §2.1).
func (g *Registrar) managing(do http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if want := g.tokens[r.PathValue("id")]; want == "" || bearerOf(r) != want {
			refuseClient(w, http.StatusUnauthorized, "invalid_token")
			return
		}
		do(w, r)
	}
}

func (g *Registrar) get(w http.ResponseWriter, r *http.Request) {
	g.answer(w, http.StatusOK, r.PathValue("id"))
}

func (g *Registrar) update(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	claims, ok := g.read(w, r)
	if !ok {
		return
	}
	before := g.clients[id]
	forbidden := slices.ContainsFunc([]string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"},
		func(name string) bool { _, there := claims[name]; return there })
	sent, withSecret := claims["client_secret"]
	if forbidden || claims["client_id"] != id || withSecret && sent != before["client_secret"] {
		refuseClient(w, http.StatusBadRequest, "invalid_client_metadata") // RFC 7592 §2.2
		return
	}
	claims["client_id_issued_at"] = before["client_id_issued_at"]
	claims["client_secret"], claims["client_secret_expires_at"] = before["client_secret"], before["client_secret_expires_at"]
	if !withSecret && !g.options.KeepsSecrets {
		g.renewSecret(claims)
	}
	g.clients[id] = claims
	g.tokens[id] = "" // another one
	g.answer(w, http.StatusOK, id)
}

func (g *Registrar) remove(w http.ResponseWriter, r *http.Request) {
	delete(g.clients, r.PathValue("id"))
	delete(g.tokens, r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
}
