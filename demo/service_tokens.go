package demo

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ory/fosite"
)

// TokenSeen is an access token that arrived at the API.
type TokenSeen struct {
	Token   string
	Valid   int // requests that it came with while it was good
	Invalid int // requests that it came with when it was not good, or not any more
}

// tokenUses remembers what tokens were used for. The zero value has seen none.
type tokenUses struct {
	mu         sync.Mutex
	seen       []TokenSeen
	places     map[string]int // in seen, by token
	refreshes  map[string]int // token requests, by refresh token
	replaced   map[string]bool
	superseded int
}

// see counts a request to the API.
func (u *tokenUses) see(token string, valid bool) {
	if token == "" {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.places == nil {
		u.places = map[string]int{}
	}
	at, known := u.places[token]
	if !known {
		at = len(u.seen)
		u.places[token] = at
		u.seen = append(u.seen, TokenSeen{Token: token})
	}
	if valid {
		u.seen[at].Valid++
	} else {
		u.seen[at].Invalid++
	}
}

// refresh counts a token request with a refresh token.
func (u *tokenUses) refresh(token string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.refreshes == nil {
		u.refreshes = map[string]int{}
	}
	u.refreshes[token]++
	if u.replaced[token] {
		u.superseded++
	}
}

// replace notes that another refresh token has been issued in place of this one.
func (u *tokenUses) replace(token string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.replaced == nil {
		u.replaced = map[string]bool{}
	}
	u.replaced[token] = true
}

// IsRefresh tells, in a Script, whether a request for OpToken is a refresh.
func IsRefresh(r *http.Request) bool { return r.PostForm.Get("grant_type") == "refresh_token" }

// TokensSeen lists the access tokens that arrived at the API, in the order of their first arrival.
func (s *Service) TokensSeen() []TokenSeen {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return slices.Clone(s.tokens.seen)
}

// Refreshes counts the token requests that carried a refresh token, faulty ones included.
func (s *Service) Refreshes() int {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	total := 0
	for _, n := range s.tokens.refreshes {
		total += n
	}
	return total
}

// RefreshUses counts those that carried this refresh token.
func (s *Service) RefreshUses(token string) int {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return s.tokens.refreshes[token]
}

// SupersededUses counts those that carried a refresh token for which another had already been
// issued when they arrived.
func (s *Service) SupersededUses() int {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return s.tokens.superseded
}

// Expire ends the life of a subject's access tokens now. Refresh tokens stay as they are.
func (s *Service) Expire(subject string) { s.store.expire(subject, time.Now().Add(-time.Second)) }

// EndGrant forgets a subject's refresh tokens, as when a user takes an app's access away: each is
// answered with invalid_grant from now on. Access tokens live on until they expire.
func (s *Service) EndGrant(subject string) { s.store.forget(refreshTokens, subject) }

// expire sets when a subject's access tokens end.
func (s *store) expire(subject string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, found := range s.tables[accessTokens] {
		if found.request.Session.GetSubject() == subject {
			found.request.Session.SetExpiresAt(fosite.AccessToken, at.UTC())
		}
	}
}

// forget removes a subject's tokens.
func (s *store) forget(t table, subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, found := range s.tables[t] {
		if found.request.Session.GetSubject() == subject {
			delete(s.tables[t], key)
		}
	}
}
