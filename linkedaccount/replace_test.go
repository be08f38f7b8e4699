package linkedaccount

import (
	"errors"
	"testing"
	"time"

	"linkgate/provider"
)

// TestReplace: what is given to somebody who asks how an account is, whose token the service has
// refused; and once more, when the service is not asked again.
func TestReplace(t *testing.T) {
	for _, test := range []struct {
		name      string
		age       time.Duration
		noRefresh bool // there is no refresh token
		arrange   func(*testing.T, *fixture, *Tokens, Account)
		token     string
		want      error
		requests  int
		asked     int // whose the token is
	}{
		{name: "a young one", token: "access/ada/2", requests: 1},
		{
			name: "replaced already", token: "access/ada/2",
			arrange: func(t *testing.T, f *fixture, tokens *Tokens, _ Account) {
				f.link(t, tokens, tokenUser, "ada", 0, tokenLife)
			},
		},
		{
			name: "in bad weather", want: provider.ErrUnavailable, requests: 1,
			arrange: func(_ *testing.T, f *fixture, _ *Tokens, _ Account) {
				f.service.fail = func(int) error { return weather(time.Hour) }
			},
		},
		{
			name: "of a grant that ended", want: ErrReauthRequired, requests: 2,
			arrange: func(_ *testing.T, f *fixture, _ *Tokens, _ Account) { f.service.good = nil },
		},
		{
			name: "disconnected", want: ErrNotFound,
			arrange: func(t *testing.T, _ *fixture, tokens *Tokens, a Account) { unlinkNow(t, tokens, a) },
		},
		{name: "without refresh token, and good", noRefresh: true, token: "access/ada/1", asked: 2},
		{
			name: "without refresh token, and dead", noRefresh: true, want: ErrReauthRequired, asked: 1,
			arrange: func(_ *testing.T, f *fixture, _ *Tokens, _ Account) { f.service.identify = invalidGrant },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			tokens := f.replica(t)
			g := f.service.grant("ada", time.Now(), tokenLife)
			if test.noRefresh {
				g.Credential.RefreshToken = secretless()
			}
			a := f.linkGrant(t, tokens, tokenUser, g)
			before, err := tokens.ByID(t.Context(), a.ID)
			if err != nil {
				t.Fatal(err)
			}
			if test.arrange != nil {
				test.arrange(t, f, tokens, a)
			}
			asked, identify := 0, f.service.identify
			f.service.identify = func() error {
				asked++
				if identify == nil {
					return nil
				}
				return identify()
			}
			for range 2 {
				got, err := tokens.Replace(t.Context(), before)
				if test.want == nil {
					wantToken(t, got, err, test.token)
				} else if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			}
			wantRequests(t, f.service, test.requests)
			if asked != test.asked {
				t.Errorf("the service was asked %d times, want %d", asked, test.asked)
			}
		})
	}
}

// TestByIDForWithoutARefreshToken: nobody asks the service for what can't be had.
func TestByIDForWithoutARefreshToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := newClock()
	f.now = c.Now
	f.service.identify = func() error { t.Error("the service was asked"); return nil }
	tokens := f.replica(t)
	g := f.service.grant("ada", c.Now(), tokenLife)
	g.Credential.RefreshToken = secretless()
	a := f.linkGrant(t, tokens, tokenUser, g)
	c.pass(tokenLife / 2)
	o, err := tokens.ByIDFor(t.Context(), a.ID, tokenLife*2/3)
	wantToken(t, o, err, "access/ada/1")
}
