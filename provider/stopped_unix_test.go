//go:build unix

package provider

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"linkgate/secret"
)

// serviceOfChild tells the child of TestStoppedProcess, which is this program once more, where the
// service is.
const serviceOfChild = "LINKGATE_TEST_SERVICE"

const (
	childTimeout   = time.Second // of its legs
	childRefreshes = 8           // at once, for a timeout that is due may lose to an answer that is there
)

func TestMain(m *testing.M) {
	if address := os.Getenv(serviceOfChild); address != "" {
		refreshInChild(address)
		return
	}
	os.Exit(m.Run())
}

// refreshInChild refreshes and prints how each went.
func refreshInChild(address string) {
	p, err := New(Connection{
		Provider: "oauth2", ClientID: "id", ClientSecret: secret.New(theClientSecret),
		AuthorizeURL: address + "/authorize", TokenURL: address + "/token", Identity: IdentityPaths{URL: address + "/me", ID: "id"},
	}, Deps{AllowPrivateNetworks: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	p.Refresher.(*refresher).client.timeout = childTimeout
	var all sync.WaitGroup
	for range childRefreshes {
		all.Go(func() {
			refreshed, err := p.Refresher.Refresh(context.Background(), theCredential(), time.Time{})
			fmt.Println(refreshed.Credential.RefreshToken.Reveal(), err)
		})
	}
	all.Wait()
}

// TestStoppedProcess stops a process (SIGSTOP) that has sent its refresh tokens, answers it, and lets
// it go on when its time has long passed: it must read the answers, for they have come only once.
func TestStoppedProcess(t *testing.T) {
	t.Parallel()
	s := newService(t)
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), serviceOfChild+"="+s.URL)
	var said strings.Builder
	child.Stdout = &said
	started, stopped := make(chan int, 1), make(chan struct{})
	var arrived atomic.Int32
	s.answer("/token", func(w http.ResponseWriter, _ *http.Request) {
		if arrived.Add(1) == childRefreshes {
			pid := <-started
			stop(t, pid)
			time.AfterFunc(2*childTimeout, func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
			close(stopped)
		}
		<-stopped
		reply(w, 200, map[string]any{"access_token": theNextToken, "refresh_token": "rotated"})
	})
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	started <- child.Process.Pid
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if got, want := said.String(), strings.Repeat("rotated <nil>\n", childRefreshes); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// stop returns when each thread of the process stands still.
func stop(t *testing.T, pid int) {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Error(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Errorf("the child has not stopped: %v, status %d", err, status)
	}
}
