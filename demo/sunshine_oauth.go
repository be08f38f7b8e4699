package demo

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const sunshineCodeLife = time.Minute

// token trades a code for a token (RFC 6749 §4.1.3): the client's id and secret are in the body.
func (s *Sunshine) token(w http.ResponseWriter, r *http.Request) {
	form := r.PostForm
	s.ledger.useCode(form.Get("code"))
	if form.Get("client_id") != s.clientID || !equal(form.Get("client_secret"), s.clientSecret.Reveal()) {
		writeSunshine(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	if form.Get("grant_type") != "authorization_code" {
		writeSunshine(w, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
		return
	}
	token, ok := s.redeem(form.Get("code"))
	if !ok {
		writeSunshine(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	writeSunshine(w, http.StatusOK, map[string]string{"access_token": token, "token_type": "Bearer"})
}

func (s *Sunshine) redeem(code string) (token string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	granted, ok := s.codes[code]
	delete(s.codes, code)
	if !ok || time.Now().After(granted.until) {
		return "", false
	}
	token = random()
	s.tokens[token] = granted.appID
	s.ledger.add(token)
	return token, true
}

func (s *Sunshine) newCode(appID string) string {
	code := random()
	s.ledger.issueCode(code)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = sunshineCode{appID, time.Now().Add(sunshineCodeLife)}
	return code
}

// tokenInfo tells which app a token is for.
func (s *Sunshine) tokenInfo(w http.ResponseWriter, r *http.Request) {
	app, ok := s.app(s.bearerApp(r))
	if !ok {
		writeUnauthorized(w)
		return
	}
	writeSunshine(w, http.StatusOK, map[string]any{"app": map[string]string{"id": app.ID, "subdomain": app.Subdomain}})
}

// revoke ends the integration's access to the app of a token, or of an app's key.
func (s *Sunshine) revoke(w http.ResponseWriter, r *http.Request) {
	appID := s.bearerApp(r)
	if id, password, ok := r.BasicAuth(); ok {
		appID = s.keysApp(id, password)
	}
	if appID == "" {
		writeUnauthorized(w)
		return
	}
	s.Remove(r.Context(), appID)
	writeSunshine(w, http.StatusOK, struct{}{})
}

// bearerApp is the app of the token that a request comes with; empty: none.
func (s *Sunshine) bearerApp(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[token]
}

// keysApp is the app that a key belongs to; empty: none.
func (s *Sunshine) keysApp(id, password string) string {
	for appID, key := range s.keys {
		if key.ID == id && equal(password, key.Secret.Reveal()) {
			return appID
		}
	}
	return ""
}

func (s *Sunshine) app(id string) (SunshineApp, bool) {
	for _, app := range s.options.Apps {
		if app.ID == id {
			return app, true
		}
	}
	return SunshineApp{}, false
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func writeUnauthorized(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(sunshineError(http.StatusUnauthorized)))
}

func writeSunshine(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller is gone
}
