package e2e

import (
	"net/http"
	"net/url"

	"linkgate/demo"
	"linkgate/oauthstate"
	"linkgate/testservers"
)

// outages cuts Linkgate off from its stores while sessions are under way.
func (c *canary) outages() {
	c.t.Helper()
	for _, network := range []*testservers.TCPProxy{c.toRedis, c.toSQL} {
		for _, fail := range []func(){network.Cut, network.Hang} {
			account := c.linked(c.t, c.user(), demo.NotesOIDC, "linus")
			b, callback := c.atCallback(c.t, demo.NotesOIDC)
			fail()
			_, _ = c.Host.Connect(c.t.Context(), c.user(), demo.NotesOIDC)
			_ = c.Host.Disconnect(c.t.Context(), account.UserID, account.ID)
			c.askOperator()
			network.Restore()
			if _, err := b.Get(c.t.Context(), callback.String()); err != nil {
				c.t.Error(err)
			}
		}
		c.cutMidway(network)
	}
	c.dump()
}

// cutMidway cuts the network while the code is at the service, until the tokens are on their way.
func (c *canary) cutMidway(network *testservers.TCPProxy) {
	c.t.Helper()
	c.Service.Play(demo.Script{Before: func(op string, _ *http.Request) {
		if op == demo.OpToken {
			network.Cut()
		}
	}, After: func(op string, _ *http.Request) {
		if op == demo.OpToken {
			network.Restore()
		}
	}})
	defer c.Service.Play(demo.Script{})
	c.connect(c.t, c.user(), demo.NotesOIDC, "linus")
	if c.Service.Requests(demo.OpToken) == 0 {
		c.t.Error("no code came to the service")
	}
}

// relays is what happens when the host has to relay the end (HOST_FINISH).
func (c *canary) relays() {
	c.t.Helper()
	c.Host.Play(demo.Script{Before: func(op string, _ *http.Request) {
		if op == demo.OpAdd {
			c.dumpRedis(c.t.Context())
		}
	}})
	for _, authID := range []string{demo.NotesOIDC, demo.NotesOAuth2} {
		c.relay(authID, "", 200)
		c.relay(authID, "grace", 403)
		c.deny(authID)
	}
	c.dump()
	for _, e := range echoes() {
		c.Service.Play(answering(e, demo.OpToken))
		c.relay(demo.NotesOAuth2, "", 200)
	}
	c.Service.Play(demo.Script{})
	c.intrude()
	c.misaddress()
}

// relay connects a user and has a finisher relay the finish token, to wrong addresses first; no
// finisher means the user who started.
func (c *canary) relay(authID, finisher string, want int) {
	c.t.Helper()
	ctx, user := c.t.Context(), c.user()
	page := c.connect(c.t, user, authID, "ada")
	wantState(c.t, page, "relaying")
	c.wantPhase(user, oauthstate.Relaying)
	token := finishToken(c.t, page)
	for _, wrong := range []struct{ authID, token string }{
		{rawAuthID, token}, {authID, token[:len(token)-4] + "AAAA"}, {authID, token + token}, {authID, url.QueryEscape(token + "\n")},
	} {
		if got := status(c.Host.Finish(ctx, user, wrong.authID, wrong.token)); got < 400 {
			c.t.Errorf("a finish with a wrong token or auth id: %d, want a refusal", got)
		}
	}
	if finisher == "" {
		finisher = user
	}
	if got := status(c.Host.Finish(ctx, finisher, authID, token)); got != want {
		c.t.Errorf("a finish by %s for %s: %d, want %d", finisher, user, got, want)
	}
	c.wantPhase(user, oauthstate.Done)
	if got := status(c.Host.Finish(ctx, finisher, authID, token)); got != want {
		c.t.Errorf("the same finish again: %d, want %d", got, want)
	}
}
