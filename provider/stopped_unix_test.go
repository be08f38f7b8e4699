//go:build unix

package provider

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"linkgate/secret"
)

// serviceOfChild tells a child of TestStoppedProcess, which is this program once more, where the
// service is.
const serviceOfChild = "LINKGATE_TEST_SERVICE"

const childTimeout = 400 * time.Millisecond // of its legs

func TestMain(m *testing.M) {
	if address := os.Getenv(serviceOfChild); address != "" {
		fmt.Println(refreshInChild(address))
		return
	}
	os.Exit(m.Run())
}

// refreshInChild refreshes once and says how it went.
func refreshInChild(address string) string {
	p, err := New(Connection{
		Provider: "oauth2", ClientID: "id", ClientSecret: secret.New(theClientSecret),
		AuthorizeURL: address + "/authorize", TokenURL: address + "/token", Identity: IdentityPaths{URL: address + "/me", ID: "id"},
	}, Deps{AllowPrivateNetworks: true})
	if err != nil {
		return err.Error()
	}
	p.Refresher.(*refresher).client.timeout = childTimeout
	refreshed, err := p.Refresher.Refresh(context.Background(), theCredential(), time.Time{})
	if err != nil {
		return err.Error()
	}
	return "refreshed: " + refreshed.Credential.RefreshToken.Reveal()
}

// TestStoppedProcess stops a process (SIGSTOP) that has sent its refresh token, answers it, and lets
// it go on when its time has long passed: it must read the answer, for that has come only once.
func TestStoppedProcess(t *testing.T) {
	s := newService(t)
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), serviceOfChild+"="+s.URL)
	started := make(chan *os.Process, 1)
	s.answer("/token", func(w http.ResponseWriter, _ *http.Request) {
		process := <-started
		if err := process.Signal(syscall.SIGSTOP); err != nil {
			t.Error(err)
		}
		reply(w, 200, map[string]any{"access_token": theNextToken, "refresh_token": "rotated"})
		go func() {
			time.Sleep(3 * childTimeout)
			if err := process.Signal(syscall.SIGCONT); err != nil {
				t.Error(err)
			}
		}()
	})
	var said strings.Builder
	child.Stdout = &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	started <- child.Process
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(said.String()), "refreshed: rotated"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
