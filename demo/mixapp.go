package demo

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"linkgate/secret"
)

// Operations of MixApp and of the Registrar.
const (
	OpClientList   = "client_list" // MixApp alone
	OpClientGet    = "client_get"
	OpClientCreate = "client_create"
	OpClientUpdate = "client_update"
	OpClientDelete = "client_delete"
)

// MixApp simulates the client registration of contracts/mixapp.md, to the letter: one address for
// everything, client_id in the query, errors in a shape of their own.
type MixApp struct {
	token secret.Text
	stage stage

	mu      sync.Mutex
	clients []MixAppClient
	secrets []string
	changed func(Client)
}

// MixAppClient is a client as MixApp writes it.
type MixAppClient struct {
	ClientID               string        `json:"client_id"`
	ClientSecret           string        `json:"client_secret"`
	ApplicationType        string        `json:"application_type"`
	ResponseTypes          []string      `json:"response_types"`
	Scopes                 []MixAppScope `json:"scopes"`
	RedirectURIs           []string      `json:"redirect_uris"`
	PostLogoutRedirectURIs []string      `json:"post_logout_redirect_uris"`
	ClientSecretExpiresAt  int64         `json:"client_secret_expires_at"`
	ClientName             string        `json:"client_name"`
	Contacts               []string      `json:"contacts"`
	LogoURI                string        `json:"logo_uri"`
	ClientURI              string        `json:"client_uri"`
	TOSURI                 string        `json:"tos_uri"`
	PolicyURI              string        `json:"policy_uri"`
}

// MixAppScope is a scope as MixApp writes it.
type MixAppScope struct {
	Name   string   `json:"name"`
	Desc   string   `json:"desc"`
	Fields []string `json:"fields"`
}

// NewMixApp makes a workplace without clients. changed is told of each client that is created or
// updated, for a Service to know it (Service.Register); nil: nobody is told.
func NewMixApp(changed func(Client)) *MixApp {
	m := &MixApp{token: randomSecret(), changed: changed}
	m.stage.errorBody = func(int) string { return mixappError(5000, "by the script") }
	return m
}

// Token is the OIDC token of the workplace.
func (m *MixApp) Token() secret.Text { return m.token }

// Play has it follow a script.
func (m *MixApp) Play(s Script) { m.stage.play(s) }

// Requests counts what was asked for.
func (m *MixApp) Requests(op string) int { return m.stage.count(op) }

// Clients are those that are registered now.
func (m *MixApp) Clients() []MixAppClient {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.clients)
}

// Secrets are all that it has ever given or taken, for a search in what must not have them.
func (m *MixApp) Secrets() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{m.token.Reveal()}, m.secrets...)
}

func mixappError(code int, message string) string {
	body, _ := json.Marshal(map[string]any{"error_code": code, "error_message": message, "more_info": ""})
	return string(body)
}

func refuseMixApp(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(mixappError(code, message)))
}

// ServeHTTP implements http.Handler.
func (m *MixApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	type key struct {
		method string
		one    bool
	}
	routes := map[key]struct {
		op string
		do http.HandlerFunc
	}{
		{http.MethodGet, false}:   {OpClientList, m.list},
		{http.MethodGet, true}:    {OpClientGet, m.get},
		{http.MethodPost, false}:  {OpClientCreate, m.create},
		{http.MethodPost, true}:   {OpClientUpdate, m.update},
		{http.MethodDelete, true}: {OpClientDelete, m.remove},
	}
	route, ok := routes[key{r.Method, r.URL.Query().Has("client_id")}]
	switch {
	case r.URL.Path != "/v1/oidc/acme/registration":
		refuseMixApp(w, http.StatusNotFound, 4040, "no such workplace")
	case r.Header.Get("Authorization") != "Bearer "+m.token.Reveal():
		refuseMixApp(w, http.StatusUnauthorized, 4010, "the token "+r.Header.Get("Authorization")+" is not valid")
	case !ok:
		refuseMixApp(w, http.StatusMethodNotAllowed, 4050, "no such operation")
	default:
		m.stage.perform(route.op, w, r, route.do)
	}
}

func (m *MixApp) list(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	writeAsJSON(w, http.StatusOK, append([]MixAppClient{}, m.clients...))
}

// find is the index of the client that a request names; -1 when there is none, which it says.
func (m *MixApp) find(w http.ResponseWriter, r *http.Request) int {
	i := slices.IndexFunc(m.clients, func(c MixAppClient) bool { return c.ClientID == r.URL.Query().Get("client_id") })
	if i < 0 {
		refuseMixApp(w, http.StatusNotFound, 4041, "there is no client "+r.URL.Query().Get("client_id"))
	}
	return i
}

func (m *MixApp) get(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(w, r); i >= 0 {
		writeAsJSON(w, http.StatusOK, m.clients[i])
	}
}

// mixappRequest is a client with what only requests have.
type mixappRequest struct {
	MixAppClient

	GenerateToken bool `json:"generate_token"`
}

// readMixApp reads a client out of a request, strictly: a name that the contract does not have is an
// error. So is a secret or id of the client's own choice.
func readMixApp(w http.ResponseWriter, r *http.Request) (asked mixappRequest, ok bool) {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&asked)
	if err != nil || asked.ClientID != "" || asked.ClientSecret != "" || len(asked.RedirectURIs) == 0 || asked.ClientName == "" ||
		!slices.Equal(asked.ResponseTypes, []string{"code"}) || !slices.Contains([]string{"native", "web"}, asked.ApplicationType) {
		refuseMixApp(w, http.StatusBadRequest, 4001, "the client is not valid")
		return asked, false
	}
	return asked, true
}

func (m *MixApp) create(w http.ResponseWriter, r *http.Request) {
	asked, ok := readMixApp(w, r)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := asked.MixAppClient
	c.ClientID = "mix-" + random()
	m.clients = append(m.clients, c)
	m.renew(&m.clients[len(m.clients)-1])
	writeAsJSON(w, http.StatusOK, m.clients[len(m.clients)-1])
}

// renew makes a new secret.
func (m *MixApp) renew(c *MixAppClient) {
	c.ClientSecret = random() + random()
	m.secrets = append(m.secrets, c.ClientSecret)
	m.tell(*c)
}

func (m *MixApp) tell(c MixAppClient) {
	if m.changed != nil {
		m.changed(Client{ID: c.ClientID, Name: c.ClientName, Secret: secret.New(c.ClientSecret), RedirectURIs: c.RedirectURIs})
	}
}

func (m *MixApp) update(w http.ResponseWriter, r *http.Request) {
	asked, ok := readMixApp(w, r)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find(w, r)
	if i < 0 {
		return
	}
	before := m.clients[i]
	m.clients[i] = asked.MixAppClient
	m.clients[i].ClientID, m.clients[i].ClientSecret = before.ClientID, before.ClientSecret
	m.clients[i].ClientSecretExpiresAt = before.ClientSecretExpiresAt
	if asked.GenerateToken {
		m.renew(&m.clients[i])
	} else {
		m.tell(m.clients[i])
	}
	writeAsJSON(w, http.StatusOK, m.clients[i])
}

func (m *MixApp) remove(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.find(w, r); i >= 0 {
		m.clients = slices.Delete(m.clients, i, i+1)
		writeAsJSON(w, http.StatusOK, map[string]bool{"result": true})
	}
}

// Expire has the secret of every client end at a time.
func (m *MixApp) Expire(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.clients {
		m.clients[i].ClientSecretExpiresAt = at.Unix()
	}
}

func writeAsJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
