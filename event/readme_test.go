package event_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"linkgate/event"
	"linkgate/outbox"
	"linkgate/secret"
)

// TestReceiverOfTheReadme builds and runs the receiver that the README shows.
func TestReceiverOfTheReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(readme), "```go\npackage main")
	code, _, found := strings.Cut(code, "```")
	if !found {
		t.Fatal("the README has no receiver")
	}
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "receiver")
	if err := os.WriteFile(source, []byte("package main"+code), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	receiver := exec.CommandContext(t.Context(), program) // killed when the test ends
	receiver.Env = []string{"ADDR=" + addr, "WEBHOOK_SECRET=" + oldSecret}
	if err := receiver.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = receiver.Process.Kill(); _ = receiver.Wait() })
	for range 500 {
		if answer, err := http.Get("http://" + addr); err == nil {
			answer.Body.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	url, m := "http://"+addr+"/linkgate/events", outbox.Message{ID: "evt_1", Payload: []byte("{}")}
	if err := newWebhook(t, event.WebhookOptions{URL: url, Network: private}).Deliver(t.Context(), m); err != nil {
		t.Errorf("it does not take an event: %v", err)
	}
	stranger, err := event.NewWebhook(event.WebhookOptions{URL: url, Network: private, Secrets: []secret.Text{secret.New(newSecret)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Deliver(t.Context(), m); err == nil || err.Error() != "the webhook answered 401" {
		t.Errorf("what a stranger has signed: %v", err)
	}
}
