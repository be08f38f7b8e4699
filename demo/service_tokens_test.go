package demo_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"linkgate/demo"
)

// The service remembers which access tokens arrived at its API, and whether they were good.
func TestTokensSeen(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	ada, grace := p.accessToken(t, "ada"), p.accessToken(t, "grace")
	p.service.Play(demo.Script{Fault: demo.Only(demo.OpEcho, -1, *demo.Answer(401, ""))})
	for _, request := range []struct{ token, path string }{
		{ada, "/api/me"}, {"", "/api/me"}, {grace, "/api/nothing"}, {ada, "/api/echo"}, {"guess", "/api/me"},
	} {
		p.api(t, request.token, "GET", request.path, "")
	}
	p.service.Expire(adaSubject)
	p.api(t, ada, "GET", "/api/me", "")
	want := []demo.TokenSeen{{Token: ada, Valid: 2, Invalid: 1}, {Token: grace, Valid: 1}, {Token: "guess", Invalid: 1}}
	if diff := cmp.Diff(want, p.service.TokensSeen()); diff != "" {
		t.Errorf("tokens seen (-want +got):\n%s", diff)
	}
}

func TestExpire(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	g := p.signIn(t, demo.NotesOIDC, "ada")
	token, grace := g.exchange(t), p.accessToken(t, "grace")
	p.service.Expire(adaSubject)
	for name, tt := range map[string]struct {
		token string
		want  int
	}{"Ada's token": {token.AccessToken, 401}, "Grace's": {grace, 200}} {
		if answer, _ := p.api(t, tt.token, "GET", "/api/me", ""); answer.StatusCode != tt.want {
			t.Errorf("%s = %d, want %d", name, answer.StatusCode, tt.want)
		}
	}
	fresh := refresh(t, g.config, token.RefreshToken)
	if answer, _ := p.api(t, fresh.AccessToken, "GET", "/api/me", ""); answer.StatusCode != 200 {
		t.Errorf("the refreshed token = %d, want 200", answer.StatusCode)
	}
}

func TestAccessTokenLifetime(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{AccessTokenLifetime: 20 * time.Second})
	token := p.signIn(t, demo.NotesOIDC, "ada").exchange(t)
	if got := token.ExpiresIn; got < 18 || got > 20 {
		t.Errorf("expires_in = %d, want 20", got)
	}
}

func TestEndGrant(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	g := p.signIn(t, demo.NotesOIDC, "ada")
	token := g.exchange(t)
	p.service.EndGrant(adaSubject)
	_, err := g.config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
		t.Errorf("refreshing: err = %v, want invalid_grant", err)
	}
	if !p.service.Active(token.AccessToken) {
		t.Error("the access token did not live on")
	}
	again := p.signIn(t, demo.NotesOIDC, "ada").exchange(t)
	refresh(t, g.config, again.RefreshToken)
}

// Refreshes are counted apart from codes, each with its token, and once more if its token had been
// replaced; one whose reply was lost has been, one that was not done has not.
func TestRefreshUses(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	g := p.signIn(t, demo.NotesOIDC, "ada")
	first := g.exchange(t)
	try := func(token string) {
		_, _ = g.config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token}).Token()
	}
	p.service.Play(demo.Script{Fault: func(_ string, r *http.Request) *demo.Fault {
		if demo.IsRefresh(r) {
			return demo.Answer(503, "")
		}
		return nil
	}})
	try(first.RefreshToken)
	p.service.Play(demo.Script{})
	second := refresh(t, g.config, first.RefreshToken)
	p.service.Play(demo.Script{Fault: demo.Only(demo.OpToken, 1, demo.Fault{Status: 503, Done: true})})
	try(second.RefreshToken)
	want := counts{refreshes: 3, first: 2, second: 1}
	if got := p.counts(first, second); got != want {
		t.Errorf("before a replaced token is used: %+v, want %+v", got, want)
	}
	try(second.RefreshToken)
	try(first.RefreshToken)
	try("nonsense")
	want = counts{refreshes: 6, first: 3, second: 2, superseded: 2}
	if got := p.counts(first, second); got != want {
		t.Errorf("after: %+v, want %+v", got, want)
	}
	if got := p.service.Requests(demo.OpToken); got != 7 {
		t.Errorf("token requests = %d, want 7: the code's, too", got)
	}
}

type counts struct{ refreshes, first, second, superseded int }

func (p *party) counts(first, second *oauth2.Token) counts {
	s := p.service
	return counts{s.Refreshes(), s.RefreshUses(first.RefreshToken), s.RefreshUses(second.RefreshToken), s.SupersededUses()}
}
