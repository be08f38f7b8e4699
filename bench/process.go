package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startTimeout is how long a server may take to its first answer.
const startTimeout = 20 * time.Second

// process is a server that was started here.
type process struct {
	name    string
	addr    string
	command *exec.Cmd
	startup time.Duration // from its start to its first good answer
}

// start starts a server and waits until ready says that it answers at addr. Its log
// goes to a file in dir.
func start(ctx context.Context, dir, name, addr string, command *exec.Cmd, ready func(context.Context) error) (*process, error) {
	p := &process{name: name, addr: addr, command: command}
	log, err := os.CreateTemp(dir, "log-")
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	defer log.Close()
	command.Stderr = log
	began := time.Now()
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	deadline := began.Add(startTimeout)
	for {
		err := ready(ctx)
		if err == nil {
			p.startup = time.Since(began)
			return p, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			p.stop()
			said, _ := os.ReadFile(log.Name()) // better no log than another error
			return nil, fmt.Errorf("starting %s: %w\n%s", name, err, said)
		}
		time.Sleep(500 * time.Microsecond)
	}
}

// stop ends the server as an operator would.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	_ = p.command.Wait()
}

// startAll starts servers one after the other. What it returns is to be stopped even if it fails.
func startAll(begin ...func() (*process, error)) (started []*process, err error) {
	for _, begin := range begin {
		p, err := begin()
		if err != nil {
			return started, err
		}
		started = append(started, p)
	}
	return started, nil
}

func stopAll(started []*process) {
	for _, p := range started {
		p.stop()
	}
}

// answers is ready when what the target asks for is answered with 200.
func answers(addr string, t target) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := dial(ctx, addr)
		if err != nil {
			return err
		}
		defer c.conn.Close()
		_, err = c.ask(t, 0)
		return err
	}
}

// listens is ready when addr can be connected to.
func listens(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := dial(ctx, addr)
		if err != nil {
			return err
		}
		return c.conn.Close()
	}
}

// tick is the unit of CPU times in /proc (USER_HZ, which is 100 wherever Go runs on Linux).
const tick = time.Second / 100

// cpu is the time that the process and its children have used, in user space and in the kernel;
// proc(5).
func (p *process) cpu() (time.Duration, error) {
	pid := strconv.Itoa(p.command.Process.Pid)
	children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	if err != nil {
		return 0, fmt.Errorf("reading CPU time: %w", err)
	}
	var used time.Duration
	for _, pid := range append(strings.Fields(string(children)), pid) {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			return 0, fmt.Errorf("reading CPU time: %w", err)
		}
		own, err := parseCPU(string(stat))
		if err != nil {
			return 0, err
		}
		used += own
	}
	return used, nil
}

func parseCPU(stat string) (time.Duration, error) {
	// The second field, in parentheses, may hold spaces: count from behind it.
	_, rest, found := cutLast(stat, ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return 0, errors.New("reading CPU time: too few fields")
	}
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime, fields 14 and 15
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading CPU time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// memory is what of the process is in RAM, in bytes; proc(5), VmRSS.
func (p *process) memory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading memory: %w", err)
	}
	return parseMemory(string(status))
}

func parseMemory(status string) (int64, error) {
	for line := range strings.Lines(status) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading memory: %w", err)
			}
			return kib << 10, nil
		}
	}
	return 0, errors.New("reading memory: no VmRSS")
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
