package demo_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/demo"
	"linkgate/host"
)

// Each fault, seen from the wire; and whether the operation was done.
func TestFaults(t *testing.T) {
	elsewhere := httptest.NewServer(nil)
	defer elsewhere.Close()
	page := demo.HTML(502)
	tests := []struct {
		name  string
		fault demo.Fault
		want  string // status and start of the body, or "dropped", "hangs", "endless"
		done  bool
	}{
		{"none", demo.Fault{}, `200 {"access_token"`, true},
		{"late", demo.Fault{Delay: time.Millisecond}, `200 {"access_token"`, true},
		{"too late", demo.Fault{Delay: time.Hour}, "hangs", false},
		{"drop before", demo.Fault{Drop: true}, "dropped", false},
		{"drop after", demo.Fault{Drop: true, Done: true}, "dropped", true},
		{"hang before", demo.Fault{Hang: true}, "hangs", false},
		{"hang after", demo.Fault{Hang: true, Done: true}, "hangs", true},
		{"endless", demo.Fault{Endless: true}, "endless", false},
		{"status", *demo.Answer(500, ""), `500 {"error":"temporarily_unavailable"`, false},
		{"status and body", *demo.Answer(200, `{"error":"slow_down"}`), `200 {"error":"slow_down"}`, false},
		{"reply replaced", demo.Fault{Status: 503, Done: true}, `503 {"error":"temporarily_unavailable"`, true},
		{"page", *page, "502 <!doctype html>", false},
		{"redirect", *demo.Redirect(307, elsewhere.URL), "307 ", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newParty(t, demo.ServiceOptions{})
			g := p.signIn(t, demo.NotesOIDC, "ada")
			p.service.Play(demo.Script{Fault: demo.Only(demo.OpToken, 1, tt.fault)})
			if got := tokenRequest(t, p, g); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %.40q, want %q", got, tt.want)
			}
			if got := p.service.ActiveTokens(adaSubject) > 0; got != tt.done {
				t.Errorf("done = %t, want %t", got, tt.done)
			}
			if got := p.service.CodeUses(g.code); got != 1 || p.service.Requests(demo.OpToken) != 1 {
				t.Errorf("code uses = %d, want 1", got)
			}
			if !tt.done && !strings.HasPrefix(tokenRequest(t, p, g), `200 {"access_token"`) {
				t.Error("the second request, after the fault, did not succeed")
			}
		})
	}
}

// tokenRequest exchanges the code and says in short what came back.
func tokenRequest(t *testing.T, p *party, g grant) string {
	t.Helper()
	fields := url.Values{
		"grant_type": {"authorization_code"}, "code": {g.code}, "code_verifier": {g.verifier}, "redirect_uri": {g.config.RedirectURL},
	}
	r, err := http.NewRequest(http.MethodPost, p.issuer+"/oauth/token", strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(g.config.ClientID, g.config.ClientSecret)
	return inShort(t, r)
}

// inShort sends a request and says in short what came back.
func inShort(t *testing.T, r *http.Request) string {
	t.Helper()
	client := &http.Client{
		Timeout:       500 * time.Millisecond,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	var urlErr *url.Error
	switch {
	case errors.As(err, &urlErr) && urlErr.Timeout():
		return "hangs"
	case err != nil:
		return "dropped"
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 2<<20))
	if err != nil {
		t.Fatal(err)
	}
	if len(body) == 2<<20 {
		return "endless"
	}
	return answer.Status[:4] + string(body)
}

func TestScriptOrder(t *testing.T) {
	h, c := newHost(t)
	var mu sync.Mutex
	var got []string
	note := func(when string) func(string, *http.Request) {
		return func(op string, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			if !strings.Contains(string(body), `"auth_id":"notes"`) {
				t.Errorf("%s: the body is %q", when, body)
			}
			got = append(got, when+" "+op+" "+map[bool]string{true: "done", false: "undone"}[len(h.Accounts("u_ada")) > 0])
		}
	}
	h.Play(demo.Script{Before: note("before"), After: note("after"), Fault: func(op string, r *http.Request) *demo.Fault {
		note("fault")(op, r)
		return nil
	}})
	if _, err := c.Add(t.Context(), "u_ada", host.LinkedAccount{AuthID: "notes", ExternalAccountID: "x"}, "k"); err != nil {
		t.Fatal(err)
	}
	h.Play(demo.Script{})
	if _, err := c.List(t.Context(), "u_ada"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"before add undone", "fault add undone", "after add done"}, got); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
}

func TestOnly(t *testing.T) {
	twice := demo.Only(demo.OpAdd, 2, demo.Fault{Drop: true})
	always := demo.Only(demo.OpAdd, -1, demo.Fault{Drop: true})
	var got []bool
	for _, op := range []string{demo.OpGet, demo.OpAdd, demo.OpAdd, demo.OpAdd} {
		got = append(got, twice(op, nil) != nil, always(op, nil) != nil)
	}
	if diff := cmp.Diff([]bool{false, false, true, true, true, true, false, true}, got); diff != "" {
		t.Errorf("strikes (-want +got):\n%s", diff)
	}
}
