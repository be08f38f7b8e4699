package demo

import (
	"context"
	"sync"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"
)

var (
	_ fosite.Storage                     = (*store)(nil)
	_ oauth2.CoreStorage                 = (*store)(nil)
	_ oauth2.TokenRevocationStorage      = (*store)(nil)
	_ openid.OpenIDConnectRequestStorage = (*store)(nil)
	_ pkce.PKCERequestStorage            = (*store)(nil)
)

// store is fosite's storage in memory. Records go in and out as copies, as they would with a
// database: fosite changes the sessions of what it holds.
type store struct {
	mu      sync.Mutex
	clients map[string]fosite.Client
	tables  map[table]map[string]record // keys are signatures, never the tokens themselves
}

type table int

const (
	codes table = iota
	openidSessions
	challenges
	accessTokens
	refreshTokens
)

type record struct {
	request *fosite.Request
	used    bool // a code exchanged, a refresh token rotated or revoked
}

func newStore() *store {
	s := &store{clients: map[string]fosite.Client{}, tables: map[table]map[string]record{}}
	for _, t := range []table{codes, openidSessions, challenges, accessTokens, refreshTokens} {
		s.tables[t] = map[string]record{}
	}
	return s
}

func snapshot(r fosite.Requester) *fosite.Request {
	c := *r.Sanitize(allParameters(r)).(*fosite.Request)
	c.Session = r.GetSession().Clone()
	return &c
}

func allParameters(r fosite.Requester) []string {
	var names []string
	for name := range r.GetRequestForm() {
		names = append(names, name)
	}
	return names
}

func (s *store) put(t table, key string, r fosite.Requester) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[t][key] = record{request: snapshot(r)}
	return nil
}

// get returns fosite.ErrNotFound, or with the record itself the error used for one that is used.
func (s *store) get(t table, key string, used error) (fosite.Requester, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.tables[t][key]
	switch {
	case !ok:
		return nil, fosite.ErrNotFound
	case found.used:
		return snapshot(found.request), used
	}
	return snapshot(found.request), nil
}

func (s *store) remove(t table, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tables[t], key)
	return nil
}

// use marks as used what match selects.
func (s *store) use(t table, match func(key string, r *fosite.Request) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, found := range s.tables[t] {
		if match(key, found.request) {
			found.used = true
			s.tables[t][key] = found
		}
	}
	return nil
}

// active counts a subject's live tokens.
func (s *store) active(subject string, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for t, kind := range map[table]fosite.TokenType{accessTokens: fosite.AccessToken, refreshTokens: fosite.RefreshToken} {
		for _, found := range s.tables[t] {
			session := found.request.Session
			if !found.used && session.GetSubject() == subject && session.GetExpiresAt(kind).After(now) {
				n++
			}
		}
	}
	return n
}

func (s *store) register(c fosite.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[c.GetID()] = c
}

func (s *store) GetClient(_ context.Context, id string) (fosite.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.clients[id]
	if !ok {
		return nil, fosite.ErrNotFound
	}
	return c, nil
}

// Client assertions are not offered: each is refused as one already known.
func (s *store) ClientAssertionJWTValid(context.Context, string) error { return fosite.ErrJTIKnown }

func (s *store) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return fosite.ErrJTIKnown
}

func (s *store) CreateAuthorizeCodeSession(_ context.Context, code string, r fosite.Requester) error {
	return s.put(codes, code, r)
}

func (s *store) GetAuthorizeCodeSession(_ context.Context, code string, _ fosite.Session) (fosite.Requester, error) {
	return s.get(codes, code, fosite.ErrInvalidatedAuthorizeCode)
}

func (s *store) InvalidateAuthorizeCodeSession(_ context.Context, code string) error {
	return s.use(codes, func(key string, _ *fosite.Request) bool { return key == code })
}

func (s *store) CreateOpenIDConnectSession(_ context.Context, code string, r fosite.Requester) error {
	return s.put(openidSessions, code, r)
}

func (s *store) GetOpenIDConnectSession(_ context.Context, code string, _ fosite.Requester) (fosite.Requester, error) {
	return s.get(openidSessions, code, nil)
}

func (s *store) DeleteOpenIDConnectSession(_ context.Context, code string) error {
	return s.remove(openidSessions, code)
}

func (s *store) CreatePKCERequestSession(_ context.Context, signature string, r fosite.Requester) error {
	return s.put(challenges, signature, r)
}

func (s *store) GetPKCERequestSession(_ context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	return s.get(challenges, signature, nil)
}

func (s *store) DeletePKCERequestSession(_ context.Context, signature string) error {
	return s.remove(challenges, signature)
}

func (s *store) CreateAccessTokenSession(_ context.Context, signature string, r fosite.Requester) error {
	return s.put(accessTokens, signature, r)
}

func (s *store) GetAccessTokenSession(_ context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	return s.get(accessTokens, signature, fosite.ErrInactiveToken)
}

func (s *store) DeleteAccessTokenSession(_ context.Context, signature string) error {
	return s.remove(accessTokens, signature)
}

func (s *store) CreateRefreshTokenSession(_ context.Context, signature, _ string, r fosite.Requester) error {
	return s.put(refreshTokens, signature, r)
}

func (s *store) GetRefreshTokenSession(_ context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	return s.get(refreshTokens, signature, fosite.ErrInactiveToken)
}

func (s *store) DeleteRefreshTokenSession(_ context.Context, signature string) error {
	return s.remove(refreshTokens, signature)
}

// RotateRefreshToken ends the pair that was; one grant has one live pair at a time.
func (s *store) RotateRefreshToken(ctx context.Context, grant, _ string) error {
	if err := s.RevokeRefreshToken(ctx, grant); err != nil {
		return err
	}
	return s.RevokeAccessToken(ctx, grant)
}

func (s *store) RevokeRefreshToken(_ context.Context, grant string) error {
	return s.use(refreshTokens, ofGrant(grant))
}

func (s *store) RevokeAccessToken(_ context.Context, grant string) error {
	return s.use(accessTokens, ofGrant(grant))
}

// ofGrant matches the tokens of one grant: fosite keeps its first request's id through refreshes.
func ofGrant(id string) func(string, *fosite.Request) bool {
	return func(_ string, r *fosite.Request) bool { return r.ID == id }
}
