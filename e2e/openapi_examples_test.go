package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"linkgate/demo"
)

// walk is every operation, in an order in which a newcomer's examples work one after the other.
var walk = []string{
	"listConnections", "importAccount", "listAccounts", "getAccount", "testAccount", "updateAccount", "bindComponent",
	"getComponentAccount", "listAccountComponents", "callGet", "getToken", "unbindComponent", "openSession", "finishSession", "getSession",
	"listEvents", "deleteAccount", "offboardUser",
}

// TestExamples runs the commands that the page shows, as they stand there, in a shell; every answer is
// as the document says.
func TestExamples(t *testing.T) {
	t.Parallel()
	w := newWorld(t, with("HOST_FINISH", "true"), with("API_KEYS", fullKey))
	d := describedBy(t, w)
	examples := map[string]string{}
	documented := map[string]apiRequest{}
	d.operations(func(method, path string, o *openapi3.Operation) {
		examples[o.OperationID] = sourceOf(t, o)
		documented[o.OperationID] = apiRequest{method: method, path: path}
	})
	if len(examples) != len(walk) {
		t.Errorf("got %d examples, and %d are run", len(examples), len(walk))
	}
	c := &conformance{described: d}
	variables := map[string]string{
		"LINKGATE_URL": w.Linkgate.URL(""), "LINKGATE_API_KEY": fullKey, "USER_ID": "grace", "AUTH_ID": demo.NotesOAuth2, "ACCESS_TOKEN": c.tokenOfAda(),
	}
	for _, id := range walk {
		status, body := runExample(t, examples[id], variables)
		if status/100 != 2 {
			t.Fatalf("%s: got %d: %s", id, status, body)
		}
		d.shape(t, documented[id], status, body)
		got := apiAnswer{status: status, body: body}
		switch id {
		case "importAccount":
			variables["ACCOUNT_ID"] = got.text(t, "id")
		case "openSession":
			variables["SESSION_ID"] = got.text(t, "id")
			variables["FINISH_TOKEN"] = c.relayed(got.text(t, "authorization_url"))
		}
	}
}

// tokenOfAda is an access token of the service, as an owner would have one before Linkgate.
func (c *conformance) tokenOfAda() string {
	t := c.t
	opened := c.wants(t, "201", post("/v1/sessions", `{"user_id":"ada","auth_id":"notes"}`))
	token := c.relayed(opened.text(t, "authorization_url"))
	c.finished(post("/v1/sessions/"+opened.text(t, "id")+"/finish", fmt.Sprintf(`{"user_id":"ada","finish_token":%q}`, token)))
	ended := c.wants(t, "200", get("/v1/sessions/"+opened.text(t, "id")))
	return c.wants(t, "200", post("/v1/accounts/"+ended.text(t, "account_id")+"/token", "")).text(t, "access_token")
}

// runExample runs a command line and returns the status and the body of the answer. What is added to it
// is only that curl tells the status.
func runExample(t *testing.T, example string, variables map[string]string) (int, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "sh", "-euc", strings.Replace(example, "curl ", `curl -sS -w '\n%{http_code}' `, 1))
	shell.Env = append(shell.Env, "PATH=/usr/local/bin:/usr/bin:/bin", "no_proxy=*")
	for name, value := range variables {
		shell.Env = append(shell.Env, name+"="+value)
	}
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, example)
	}
	text := string(out)
	at := strings.LastIndexByte(text, '\n')
	status, err := strconv.Atoi(text[at+1:])
	if err != nil {
		t.Fatal(err)
	}
	return status, []byte(text[:at])
}

// shape holds an answer's body against the schema of its status.
func (d *described) shape(t *testing.T, a apiRequest, status int, body []byte) {
	t.Helper()
	response := d.document.Paths.Value(a.path).GetOperation(a.method).Responses.Status(status)
	if response == nil {
		t.Errorf("%s %s: the document knows no %d", a.method, a.path, status)
		return
	}
	media := response.Value.Content.Get("application/json")
	if media == nil {
		return
	}
	value, err := decoded(body)
	if err == nil {
		err = media.Schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020())
	}
	if err != nil {
		t.Errorf("%s %s: %v\n%s", a.method, a.path, err, body)
	}
}
