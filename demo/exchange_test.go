package demo

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ory/fosite"
)

// slowStore takes its time between finding a code, or its challenge, and giving it out, so that
// others can come in between finding it and using it up.
type slowStore struct{ *store }

func (s slowStore) GetAuthorizeCodeSession(ctx context.Context, code string, session fosite.Session) (fosite.Requester, error) {
	r, err := s.store.GetAuthorizeCodeSession(ctx, code, session)
	time.Sleep(10 * time.Millisecond)
	return r, err
}

func (s slowStore) GetPKCERequestSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	r, err := s.store.GetPKCERequestSession(ctx, signature, session)
	time.Sleep(10 * time.Millisecond)
	return r, err
}

// Exchanges of one code that overlap are told apart: one wins, and the rest end its grant.
func TestOverlappingExchanges(t *testing.T) {
	client := Clients("http://127.0.0.1:1")[0]
	s := NewService(ServiceOptions{Issuer: "http://127.0.0.1:2", Clients: []Client{client}})
	s.oauth = composeOAuth(fositeConfig(s.options), slowStore{s.store}, s.keys)

	const verifier = "a-verifier-that-is-long-enough-for-RFC-7636"
	const challenge = "RlBsjzfF_69KXimd4t6uQgY-XB_zMcle7JB6a7qsvRs"
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {issueCode(t, s, client, challenge)},
		"redirect_uri": {client.RedirectURIs[0]}, "code_verifier": {verifier},
	}
	answers := make([]int, 5)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = post(s, client, form) })
	}
	all.Wait()
	won := 0
	for _, status := range answers {
		if status == http.StatusOK {
			won++
		}
	}
	if won != 1 {
		t.Errorf("answers = %v, want one 200", answers)
	}
	if got := s.ActiveTokens("acct_1815"); got != 0 {
		t.Errorf("active tokens = %d, want 0", got)
	}
}

// issueCode has ada consent without a browser.
func issueCode(t *testing.T, s *Service, c Client, challenge string) string {
	t.Helper()
	q := url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {c.RedirectURIs[0]}, "state": {"long enough"},
		"scope": {"openid"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}, "action": {"allow"},
	}
	r := httptest.NewRequest(http.MethodPost, "/oauth/authorize", strings.NewReader(q.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s.signedIn["window"] = s.options.Users[0]
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "window"})
	s.ServeHTTP(httptest.NewRecorder(), r)
	if len(s.Codes()) != 1 {
		t.Fatalf("codes = %v, want one", s.Codes())
	}
	return s.Codes()[0]
}

func post(s *Service, c Client, form url.Values) int {
	r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.ID, c.Secret.Reveal())
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}
