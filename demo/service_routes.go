package demo

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
)

// scopes that the service knows, with what its consent page says of them.
func scopes() []string { return []string{"openid", "profile", "notes.read", "offline_access"} }

func (s *Service) newRoutes() http.Handler {
	mux := http.NewServeMux()
	operations := map[string]struct {
		op string
		do http.HandlerFunc
	}{
		"GET /.well-known/openid-configuration": {OpDiscovery, s.discovery},
		"GET /oauth/jwks":                       {OpJWKS, s.jwks},
		"/oauth/authorize":                      {OpAuthorize, s.authorize},
		"POST /oauth/token":                     {OpToken, s.token},
		"POST /oauth/device":                    {OpDevice, s.deviceAuthorization},
		"/device":                               {OpActivate, s.activate},
		"POST /oauth/revoke":                    {OpRevoke, s.revoke},
		"POST /oauth/introspect":                {OpIntrospect, s.introspect},
		"GET /oauth/userinfo":                   {OpUserinfo, s.userinfo},
	}
	for pattern, o := range operations {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.stage.perform(o.op, w, r, o.do)
		})
	}
	mux.HandleFunc("GET /{$}", s.homePage)
	mux.HandleFunc("GET /style.css", serviceStyle)
	pages, api := http.NewCrossOriginProtection().Handler(mux), s.newAPI()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not through the mux, which would clean the path, nor guarded against forgery: no browser
		// adds an access token by itself.
		if strings.HasPrefix(r.URL.Path, "/api/") {
			api.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// note counts a code or refresh token before anything can go wrong with the request that carries it.
func (s *Service) note(op string, r *http.Request) {
	if op != OpToken {
		return
	}
	s.ledger.useCode(r.PostForm.Get("code"))
	s.ledger.add(r.PostForm.Get("code_verifier"))
	if IsRefresh(r) {
		s.tokens.refresh(r.PostForm.Get("refresh_token"))
	}
}

// discovery is OpenID Connect Discovery §4 with RFC 8414 and RFC 9207.
func (s *Service) discovery(w http.ResponseWriter, _ *http.Request) {
	at := func(path string) string { return s.options.Issuer + path }
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                         s.options.Issuer,
		"authorization_endpoint":                         at("/oauth/authorize"),
		"token_endpoint":                                 at("/oauth/token"),
		"revocation_endpoint":                            at("/oauth/revoke"),
		"device_authorization_endpoint":                  at("/oauth/device"),
		"introspection_endpoint":                         at("/oauth/introspect"),
		"userinfo_endpoint":                              at("/oauth/userinfo"),
		"jwks_uri":                                       at("/oauth/jwks"),
		"scopes_supported":                               scopes(),
		"claims_supported":                               []string{"sub", "name", "preferred_username"},
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token", "client_credentials", deviceGrant},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"ES256"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic", "client_secret_post"},
		"revocation_endpoint_auth_methods_supported":     []string{"client_secret_basic", "client_secret_post"},
		"introspection_endpoint_auth_methods_supported":  []string{"client_secret_basic"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	})
}

func (s *Service) jwks(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.keys.jwks())
}

func (s *Service) token(w http.ResponseWriter, r *http.Request) {
	s.exchange.Lock()
	defer s.exchange.Unlock()
	ctx := r.Context()
	session := new(openid.DefaultSession)
	request, err := s.oauth.NewAccessRequest(ctx, r, session)
	if err != nil {
		s.oauth.WriteAccessError(ctx, w, request, err)
		return
	}
	if request.GetGrantTypes().ExactOne("client_credentials") { // the client is whom its tokens are of
		session.Subject = request.GetClient().GetID()
		for _, scope := range request.GetRequestedScopes() {
			request.GrantScope(scope)
		}
	}
	response, err := s.oauth.NewAccessResponse(ctx, request)
	if err != nil {
		s.oauth.WriteAccessError(ctx, w, request, err)
		return
	}
	refreshToken, _ := response.GetExtra("refresh_token").(string)
	idToken, _ := response.GetExtra("id_token").(string)
	idToken, err = s.spoil(idToken)
	if err != nil {
		s.oauth.WriteAccessError(ctx, w, request, err)
		return
	}
	if idToken != "" {
		response.SetExtra("id_token", idToken)
	}
	s.ledger.add(response.GetAccessToken(), refreshToken, idToken)
	if IsRefresh(r) {
		s.tokens.replace(r.PostForm.Get("refresh_token"))
	}
	s.oauth.WriteAccessResponse(ctx, w, request, response)
}

func (s *Service) revoke(w http.ResponseWriter, r *http.Request) {
	s.exchange.Lock()
	defer s.exchange.Unlock()
	err := s.oauth.NewRevocationRequest(r.Context(), r)
	s.oauth.WriteRevocationResponse(r.Context(), w, err)
}

func (s *Service) introspect(w http.ResponseWriter, r *http.Request) {
	response, err := s.oauth.NewIntrospectionRequest(r.Context(), r, new(openid.DefaultSession))
	if err != nil {
		s.oauth.WriteIntrospectionError(r.Context(), w, err)
		return
	}
	s.oauth.WriteIntrospectionResponse(r.Context(), w, response)
}

// userinfo is OpenID Connect Core §5.3.
func (s *Service) userinfo(w http.ResponseWriter, r *http.Request) {
	user, granted, ok := s.caller(r)
	if !ok || !granted.Has("openid") {
		unauthorized(w)
		return
	}
	claims := map[string]any{"sub": user.Subject}
	if granted.Has("profile") {
		claims["name"], claims["preferred_username"] = user.Name, user.Username
	}
	writeJSON(w, http.StatusOK, claims)
}

// caller is whose access token a request bears (RFC 6750 §2.1).
func (s *Service) caller(r *http.Request) (ServiceUser, fosite.Arguments, bool) {
	token := bearer(r)
	if token == "" {
		return ServiceUser{}, nil, false
	}
	use, request, err := s.oauth.IntrospectToken(r.Context(), token, fosite.AccessToken, new(openid.DefaultSession))
	if err != nil || use != fosite.AccessToken {
		return ServiceUser{}, nil, false
	}
	subject := request.GetSession().GetSubject()
	if subject == request.GetClient().GetID() {
		s.mu.Lock()
		defer s.mu.Unlock()
		return ServiceUser{Subject: subject, Name: s.names[subject]}, request.GetGrantedScopes(), true
	}
	for _, u := range s.options.Users {
		if u.Subject == subject {
			return u, request.GetGrantedScopes(), true
		}
	}
	return ServiceUser{}, nil, false
}

// bearer is the access token of a request; empty if it has none, or two.
func bearer(r *http.Request) string {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok {
		return ""
	}
	return token
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone
}

// responseWriter edits an authorization response on its way to the client.
type responseWriter struct {
	http.ResponseWriter
	edit func(url.Values)
}

func (w responseWriter) WriteHeader(status int) {
	if location, err := url.Parse(w.Header().Get("Location")); err == nil && location.Host != "" {
		q := location.Query()
		w.edit(q)
		location.RawQuery = q.Encode()
		w.Header().Set("Location", location.String())
	}
	w.ResponseWriter.WriteHeader(status)
}

// responding makes w add iss (RFC 9207 §2), tamper, and remember the code.
func (s *Service) responding(w http.ResponseWriter) http.ResponseWriter {
	return responseWriter{w, func(q url.Values) {
		q.Set("iss", s.options.Issuer)
		s.ledger.issueCode(q.Get("code"))
		s.mu.Lock()
		tamper := s.tamperRedirect
		s.mu.Unlock()
		if tamper != nil {
			tamper(q)
		}
	}}
}
