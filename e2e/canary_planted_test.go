package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"linkgate/demo"
	"linkgate/linkedaccount"
	"linkgate/oauthstate"
)

// TestCanaryPlanted puts a real secret into each kind of place, and sees that the canary test would
// fail: for every one of them, and none before.
func TestCanaryPlanted(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	c.start(append(c.backEnd(), c.realRedis(), with("LOG_FORMAT", "text"))...)
	c.linked(t, c.user(), demo.NotesOIDC, "ada")
	c.gather()
	for l, around := range c.leaks() {
		t.Errorf("before anything was planted: %+v %q", l, around)
	}

	places := c.plant()
	c.gather()
	found := map[kind]bool{}
	for l := range c.leaks() {
		found[l.kind] = true
	}
	for _, k := range places {
		if !found[k] {
			t.Errorf("what was planted in %q was not found", k)
		}
	}
}

// plant puts secrets that exist anyhow into every place, and returns which these are.
func (c *canary) plant() []kind {
	c.t.Helper()
	secrets := c.Service.Secrets()
	token := secrets[len(secrets)-1]
	fmt.Fprintf(c.Linkgate.log, "level=DEBUG msg=\"token request\" body=%q\n", "code="+token)
	c.answerWith("text/html", "/callback/notes", "<p>"+token)
	c.answerWith("application/json", "/auth/notes", `{"code":"INTERNAL","message":"`+token+`"}`)
	c.answerWith("application/problem+json", "/v1/accounts", `{"detail":"`+token+`"}`)
	c.answerWith("application/problem+json", "/v1/accounts/acc_1/token", `{"access_token":"`+token+`"}`)
	c.answerWith("application/json", "/v1/accounts", `{"data":[{"last_error":"`+token+`"}]}`)
	c.answerWith("text/event-stream", "/v1/sessions/1", "event: status\ndata: "+token+"\n\n")
	sent, err := http.Post(c.webhook, "application/json", strings.NewReader(`{"data":{"reason":"`+token+`"}}`))
	if err != nil {
		c.t.Fatal(err)
	}
	sent.Body.Close()
	err = c.redis.Set(c.t.Context(), "linkgate:session:planted", `{"sealed":"`+base64.StdEncoding.EncodeToString([]byte(token))+`"}`, time.Minute).Err()
	if err != nil {
		c.t.Fatal(err)
	}
	err = (&linkedaccount.Store{DB: c.db}).Audit(c.t.Context(), linkedaccount.Event{Name: "planted", Detail: "invalid_grant: " + token})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Linkgate.env["DATA_DIR"], "core"), []byte("\x00\x01"+token), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.see(inOperator, "/readyz", []byte(`{"problems":[{"error":"dial `+token+`"}]}`))
	c.command(0, nil, c.keyset(), "keys", "add", "--stdin") // prints the keyset, as it should
	return []kind{inLog, inPage, inEnvelope, inRedis, inCommands, inSQL, inFile, inOperator, inOutput, inProblem, inAnswer, inStream, inWebhook}
}

// answerWith lets the recorder have an answer.
func (c *canary) answerWith(contentType, path, body string) {
	c.t.Helper()
	asked, err := http.NewRequestWithContext(c.t.Context(), "GET", c.Linkgate.URL(path), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	err = c.record(&http.Response{
		StatusCode: 500, Request: asked, Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader([]byte(body))),
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// TestCanaryKnows: each kind of secret there is has come to its knowledge.
func TestCanaryKnows(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	c.start(c.realRedis(), with("HOST_FINISH", "true"))
	c.relay(demo.NotesOIDC, "", 200)
	c.gather()
	known := map[string]int{}
	for _, what := range c.secrets {
		known[what]++
	}
	for _, what := range []string{
		"API key of the host", "proxy secret", "second proxy secret", "password of Redis", "keyset", "key of the keyset",
		"client secret of the raw connection", "ticket", "cookie", "state", "code", "finish token", "secret of the service", "secret of Photos", "secret of Sunshine", "secret of MixApp",
	} {
		if known[what] == 0 {
			t.Errorf("knows no %s", what)
		}
	}
	// Client secrets, code, state, nonce, verifier, three tokens: those not seen on the way.
	if got := known["secret of the service"]; got < 7 {
		t.Errorf("knows %d secrets of the service, want 7 at least", got)
	}
	if got := newCanary(t).blind(inLog, inRedis); !slices.Equal(got, []kind{inLog, inRedis}) {
		t.Errorf("a canary that has seen nothing is blind to %q, want both", got)
	}
}

// TestCanaryBelonging: a ticket and a finish token may be seen in their own place, and in no other.
func TestCanaryBelonging(t *testing.T) {
	const origin = "http://linkgate.example"
	ticket, other := oauthstate.NewTicket(), oauthstate.NewTicket()
	finish := oauthstate.NewToken(oauthstate.IDOf(ticket)).Reveal()
	for _, test := range []struct {
		name, contentType, path, body string
		leaks                         int
	}{
		{"the ticket's page", "text/html", "/connect/" + ticket, "action=/connect/" + ticket, 0},
		{"its result", "text/html", "/connect/" + ticket + "/result", "linkgate.auth.success." + ticket, 0},
		{"its finish token", "text/html", "/connect/" + ticket + "/result", "linkgate.auth.finish." + finish, 0},
		{"the answer that opens it", "application/json", "/auth/notes", `{"data":{"authorization_url":"` + origin + "/connect/" + ticket + `"}}`, 0},
		{"another's page", "text/html", "/connect/" + other, "action=/connect/" + ticket, 1},
		{"another's result", "text/html", "/connect/" + other + "/result", "linkgate.auth.finish." + finish, 1},
		{"a callback", "text/html", "/callback/notes", "/connect/" + ticket, 1},
		{"the answer to a back end that opens it", "application/json", "/v1/sessions", `{"authorization_url":"` + origin + "/connect/" + ticket + `"}`, 0},
		{"another answer to it", "application/json", "/v1/sessions/1", `{"authorization_url":"` + origin + "/connect/" + ticket + `"}`, 1},
		{"the answer that tells a token", "application/json", "/v1/accounts/1/token", `{"access_token":"` + finish + `"}`, 0},
		{"a second one in it", "application/json", "/v1/accounts/1/token", `{"access_token":"x","refresh_token":"` + finish + `"}`, 1},
		{"a problem in its place", "application/problem+json", "/v1/accounts/1/token", `{"access_token":"` + finish + `"}`, 1},
		{"another answer with a token", "application/json", "/v1/accounts/1", `{"access_token":"` + finish + `"}`, 1},
		{"another answer", "application/json", "/auth/notes/finish", `{"data":{"state":"` + finish + `"}}`, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCanary(t)
			c.world = &world{Linkgate: &process{env: map[string]string{"PUBLIC_URL": origin}}}
			c.know("ticket", ticket, other)
			c.know("finish token", finish)
			c.answerWith(test.contentType, test.path, test.body)
			if got := c.leaks(); len(got) != test.leaks {
				t.Errorf("found %v, want %d", got, test.leaks)
			}
		})
	}
}
