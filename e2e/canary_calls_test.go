package e2e

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"linkgate/demo"
)

// calls makes calls while all is well, and while a token endpoint repeats all it is told to those
// who refresh. What a service's API itself says to a caller is the service's to say.
func (c *canary) calls() {
	c.t.Helper()
	echoes := echoes()
	users := make([]string, len(echoes))
	for i := range users {
		users[i] = c.user()
		c.linked(c.t, users[i], demo.NotesOIDC, "ada")
	}
	c.wantCall(users[0], http.StatusOK)
	for _, path := range []string{"/api/echo/x?access_token=x", "/api/forbidden-for-calls", "/api/%2e%2e/me", "/api/status/401"} {
		c.callAs(users[0], path)
	}
	time.Sleep(shortLife)
	for i, e := range echoes {
		c.Service.Play(answering(e, demo.OpToken))
		// A worker may have refreshed a moment before.
		eventually(c.t, e.name+": a call fails, as a refresh has", func() bool {
			got := c.callAs(users[i], "/api/me")
			return got != http.StatusOK && got != http.StatusTooManyRequests
		})
		c.dumpSQL()
	}
	c.Service.Play(demo.Script{})
	c.Service.EndGrant(subjectOf("ada"))
	time.Sleep(shortLife)
	var asking sync.WaitGroup
	for _, user := range users {
		asking.Go(func() { c.callAs(user, "/api/me") })
	}
	asking.Wait()
	c.dump()
}

// callAs makes a call, whose answer is recorded, and returns its status.
func (c *canary) callAs(user, path string) int {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	answer, err := c.Host.Proxy(ctx, user, "GET", "/call/"+demo.NotesOIDC+path, nil)
	if err != nil {
		c.t.Errorf("%s: %v", strings.SplitN(path, "?", 2)[0], err)
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

func (c *canary) wantCall(user string, want int) {
	c.t.Helper()
	if got := c.callAs(user, "/api/me"); got != want {
		c.t.Errorf("a call as %s: %d, want %d", user, got, want)
	}
}
