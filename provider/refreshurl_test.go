package provider

import (
	"net/http"
	"testing"
)

// TestRefreshURL: a service may trade refresh tokens at another address than codes.
func TestRefreshURL(t *testing.T) {
	s := newService(t)
	s.answer("/refresh", func(w http.ResponseWriter, r *http.Request) {
		if r.PostForm.Get("grant_type") != "refresh_token" || r.PostForm.Get("refresh_token") != theRefreshToken {
			t.Errorf("asked %v, want a refresh", r.PostForm)
		}
		reply(w, 200, map[string]any{"access_token": theNextToken})
	})
	c := s.oauth2()
	c.RefreshURL = s.URL + "/refresh"
	p := s.open(c)
	if _, err := s.connect(p); err != nil {
		t.Fatal(err)
	}
	got, err := refresh(t, p)
	if err != nil || got.Credential.AccessToken.Reveal() != theNextToken {
		t.Errorf("got %v, want the next token", err)
	}
	if s.count("/token") != 1 || s.count("/refresh") != 1 {
		t.Errorf("%d requests at token_url, %d at refresh_url; want one each", s.count("/token"), s.count("/refresh"))
	}
}
