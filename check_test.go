package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
	"linkgate/testservers"
)

func TestCheckEverythingAnswers(t *testing.T) {
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	configure(t, map[string]string{
		"REDIS_URL": testservers.Redis(t), "DATABASE_URL": testservers.Postgres(t), "ENCRYPTION_KEYSET": keyset.Reveal(),
		"APP_URL": serve(t, http.NotFound), "APP_SECRET": appSecret,
	})
	r, code, printed := checkJSON(t)
	if code != exitFine {
		t.Fatalf("exit code %d: %s", code, printed)
	}
	var got []string
	for _, a := range r.Answers {
		name, _, _ := strings.Cut(a.Name, " ")
		got = append(got, name+": "+a.Text)
	}
	want := []string{
		"host: answers and accepts HOST_API_KEY", "issuer: answers and describes itself", "service: answers",
		"app: answers", "Redis: answers", "Postgres: answers",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Each thing that does not answer is told with what to do, and alone decides the exit code.
func TestCheckSomethingDoesNotAnswer(t *testing.T) {
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	closed := closedPort(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, variable, value string
		probe, text, remedy   string // what they begin with, contain and contain
	}{
		{"host refuses the key", "HOST_API_KEY", "hunter2", "host", "does not accept our API key", "HOST_API_KEY"},
		{"host forbids", "HOST_API_URL", serve(t, forbid), "host", "refused with status 403", "HOST_API_KEY"},
		{"host down", "HOST_API_URL", "http://" + closed, "host", "unavailable", "HOST_API_URL"},
		{"host is something else", "HOST_API_URL", serve(t, http.NotFound), "host", "unavailable", "HOST_API_URL"},
		{"host is a website", "HOST_API_URL", serve(t, website), "host", "status 200 with an answer that makes no sense", "Check HOST_API_URL"},
		{"host sends elsewhere", "HOST_API_URL", serve(t, http.RedirectHandler("/login?hunter2", 302).ServeHTTP), "host", "status 302", "Check HOST_API_URL"},
		{"issuer down", "ISSUER", "http://" + closed, "issuer", "connection refused", "addresses"},
		{"issuer is another", "ISSUER", newIssuer(t, "/other"), "issuer", "could not be verified", "letter for letter"},
		{"service down", "SERVICE", "http://" + closed, "service", "refused", "addresses"},
		{"service without a certificate", "SERVICE", untrusted(t), "service", "certificate is not trusted", "addresses"},
		{"app down", "APP_URL", "http://" + closed, "app", "refused", "APP_URL"},
		{"Redis down", "REDIS_URL", "redis://:hunter2@" + closed, "Redis", "refused", "REDIS_URL"},
		{"Postgres down", "DATABASE_URL", "postgres://u:hunter2@" + closed + "/d", "Postgres", "refused", "DATABASE_URL"},
		{"data dir below a file", "DATA_DIR", file + "/data", "DATA_DIR", "can't be written", "permission"},
		{"private address", "ALLOW_PRIVATE_NETWORKS", "false", "service", "address is private", "ALLOW_PRIVATE_NETWORKS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := map[string]string{tt.variable: tt.value, "APP_SECRET": appSecret}
			if tt.variable == "DATABASE_URL" {
				env["ENCRYPTION_KEYSET"] = keyset.Reveal()
			}
			configure(t, env)
			r, code, printed := checkJSON(t)
			if code != exitUnanswered {
				t.Errorf("exit code %d, want %d", code, exitUnanswered)
			}
			if strings.Contains(printed, "hunter2") {
				t.Errorf("a secret is printed: %s", printed)
			}
			i := slices.IndexFunc(r.Answers, func(a answer) bool { return strings.HasPrefix(a.Name, tt.probe) })
			if i < 0 {
				t.Fatalf("%s was not asked: %s", tt.probe, printed)
			}
			if a := r.Answers[i]; a.OK || !strings.Contains(a.Text, tt.text) || !strings.Contains(a.Remedy, tt.remedy) {
				t.Errorf("got %+v, want a failure with %q and the remedy %q", a, tt.text, tt.remedy)
			}
		})
	}
}

// A host that hangs is given up on, with what to do; what answers is told all the same.
func TestCheckHostHangs(t *testing.T) {
	configure(t, map[string]string{"HOST_API_URL": serve(t, hang)})
	r, code, printed := checkJSON(t, "--timeout", "2s")
	if code != exitUnanswered {
		t.Errorf("exit code %d, want %d", code, exitUnanswered)
	}
	for i, a := range r.Answers {
		switch {
		case i > 0 && !a.OK:
			t.Errorf("%s: %s", a.Name, printed)
		case i == 0 && (a.OK || !strings.HasSuffix(a.Text, "timeout") || !strings.Contains(a.Remedy, "Check HOST_API_URL")):
			t.Errorf("host: got %+v, want a time-out and its remedy", a)
		}
	}
}

func TestCheckRefusals(t *testing.T) {
	redis, postgres := testservers.Redis(t), testservers.Postgres(t)
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	base, _, _ := strings.Cut(postgres, "?")
	configure(t, map[string]string{
		"REDIS_URL":    strings.Replace(redis, "redis://", "redis://nobody:hunter2@", 1),
		"DATABASE_URL": strings.Replace(postgres, base, base+"_hunter2", 1), "ENCRYPTION_KEYSET": keyset.Reveal(),
	})
	r, code, _ := checkJSON(t)
	if code != exitUnanswered {
		t.Errorf("exit code %d, want %d", code, exitUnanswered)
	}
	for _, a := range r.Answers[len(r.Answers)-2:] {
		if a.OK || !strings.HasPrefix(a.Text, "refuses: ") || strings.Contains(a.Text, ":hunter2") {
			t.Errorf("got %+v, want a refusal of %s", a, a.Name)
		}
	}
}

// check makes nothing: neither the data directory nor a keyset in it.
func TestCheckLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	configure(t, map[string]string{"DATA_DIR": filepath.Join(dir, "a", "b")})
	if _, code, printed := checkJSON(t); code != exitFine {
		t.Errorf("exit code %d: %s", code, printed)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("check left %v", left)
	}
}

func TestCheckKeysetInDataDir(t *testing.T) {
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, content string
		mode          os.FileMode
		want          string // in the answer's text
		ok            bool
	}{
		{"good", keyset.Reveal(), 0o600, "can be written", true},
		{"readable by all", keyset.Reveal(), 0o644, "chmod 600", false},
		{"garbage", "hunter2", 0o600, "not a usable keyset", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, keysetFile), []byte(tt.content), tt.mode); err != nil {
				t.Fatal(err)
			}
			configure(t, map[string]string{"DATA_DIR": dir})
			r, _, printed := checkJSON(t)
			got := r.Answers[len(r.Answers)-1]
			if got.OK != tt.ok || !strings.Contains(got.Text, tt.want) {
				t.Errorf("got %+v, want ok %v and %q", got, tt.ok, tt.want)
			}
			if strings.Contains(printed, "hunter2") {
				t.Errorf("the keyset is printed: %s", printed)
			}
		})
	}
}

// What never answers is given up on, and the others are heard all the same.
func TestAskAllGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		pending := askAll(t.Context(), []probe{
			{name: "silent", ask: func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }},
			{name: "quick", ask: func(context.Context) (string, error) { return "answers", nil }},
		}, time.Minute)
		got := []answer{<-pending[0].result, <-pending[1].result}
		want := []answer{{Name: "silent", Text: context.DeadlineExceeded.Error()}, {Name: "quick", OK: true, Text: "answers"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if waited := time.Since(start); waited != time.Minute { // by the bubble's clock
			t.Errorf("waited %v, want a minute", waited)
		}
	})
}

func TestCheckInWords(t *testing.T) {
	service := closedPort(t)
	configure(t, map[string]string{"SERVICE": "http://" + service})
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"check"}, strings.NewReader(""), &stdout, &stderr); code != exitUnanswered {
		t.Errorf("exit code %d, want %d", code, exitUnanswered)
	}
	_, got, _ := strings.Cut(stdout.String(), "\n\nAsking")
	want := " what Linkgate needs:\n" +
		"  ok      host " + os.Getenv("HOST_API_URL") + ": answers and accepts HOST_API_KEY\n" +
		"  ok      issuer " + os.Getenv("ISSUER") + ": answers and describes itself\n" +
		"  FAILED  service " + service + ": the connection was refused\n" +
		"      → Check the connection's addresses, and that this machine may reach them.\n" +
		"  ok      DATA_DIR " + os.Getenv("DATA_DIR") + ": is not there yet, and can be made\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if stderr.Len() > 0 {
		t.Errorf("standard error: %s", stderr.String())
	}
}
