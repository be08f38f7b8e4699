package testservers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startTimeout is how long a server may take to answer; only a machine in trouble needs it all.
const startTimeout = 20 * time.Second

// errDied tells that redis-server ended by itself, as it does when its port is taken.
var errDied = errors.New("redis-server ended")

// RedisServer is a running redis-server that keeps nothing on disk.
type RedisServer struct {
	URL string // redis://127.0.0.1:port/0

	t       testing.TB
	server  *os.Process    // redis-server itself
	keeper  *exec.Cmd      // the shell that ends with us, and ends the server
	release io.WriteCloser // closing it lets the keeper go
	stop    sync.Once
}

// Redis starts a private redis-server and returns its URL.
func Redis(t testing.TB) string {
	t.Helper()
	return StartRedis(t).URL
}

// StartRedis starts a private redis-server that the test can pause and stop.
func StartRedis(t testing.TB) *RedisServer {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("finding redis-server: %v; `make test` installs it on Debian and Ubuntu", err)
	}
	// Between choosing a free port and listening on it another process may take it.
	for range 5 {
		var s *RedisServer
		if s, err = launchRedis(t, binary); err == nil {
			t.Cleanup(s.Stop)
			return s
		}
		if !errors.Is(err, errDied) {
			break
		}
	}
	t.Fatalf("starting redis-server: %v", err)
	return nil
}

// Pause freezes the server: it accepts connections and answers nothing.
func (s *RedisServer) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on, with all it held.
func (s *RedisServer) Resume() { s.signal(syscall.SIGCONT) }

// Stop kills the server; connections to it are refused from then on.
func (s *RedisServer) Stop() {
	s.stop.Do(func() {
		s.release.Close()
		_ = s.keeper.Wait() // the shell reports the killing; there is nothing else to learn
	})
}

func (s *RedisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.server.Signal(sig); err != nil {
		s.t.Fatalf("sending %v to redis-server: %v", sig, err)
	}
}

// keeperScript runs a command, tells its process id, and kills it as soon as standard input ends:
// at Stop, and also when the test process dies without any cleanup.
const keeperScript = `"$@" >&2 & echo $!; cat >/dev/null; kill -9 $!; wait`

func launchRedis(t testing.TB, binary string) (*RedisServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	var log bytes.Buffer
	keeper := exec.Command("/bin/sh", "-c", keeperScript, "keeper", binary,
		"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", t.TempDir(),
		"--save", "", "--appendonly", "no", "--daemonize", "no")
	keeper.Stderr = &log
	release, err := keeper.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := keeper.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := keeper.Start(); err != nil {
		return nil, err
	}
	s := &RedisServer{URL: fmt.Sprintf("redis://127.0.0.1:%d/0", port), t: t, keeper: keeper, release: release}
	if err := s.await(stdout); err != nil {
		s.Stop() // waits, so that log is complete
		return nil, fmt.Errorf("%w\n%s", err, log.Bytes())
	}
	return s, nil
}

// await learns the server's process id from the keeper and waits until that server answers.
func (s *RedisServer) await(stdout io.Reader) error {
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return fmt.Errorf("reading the process id: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return fmt.Errorf("reading the process id: %w", err)
	}
	if s.server, err = os.FindProcess(pid); err != nil {
		return fmt.Errorf("finding process %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return s.answers(ctx, pid)
}

// answers returns when the server with this process id, and no other on its port, has answered.
func (s *RedisServer) answers(ctx context.Context, pid int) error {
	options, err := redis.ParseURL(s.URL)
	if err != nil {
		return err
	}
	options.MaxRetries = -1
	client := redis.NewClient(options)
	defer client.Close()
	for {
		info, err := client.Info(ctx, "server").Result()
		if err == nil && strings.Contains(info, fmt.Sprintf("process_id:%d\r\n", pid)) {
			return nil
		}
		if s.server.Signal(syscall.Signal(0)) != nil {
			return errDied
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for redis-server: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
