package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// proxySecret is shared by the generator, as the host, and Linkgate.
const proxySecret = "benchmark-benchmark-benchmark-01"

// target is what the host asks for, in the name of one user after the other.
type target struct {
	method, path string
	users        int64 // how many take turns
	size         int   // of the answer's body in bytes; zero: any
}

// generator makes load.
type generator struct {
	target
	sent atomic.Int64 // so far
}

// round is what one round of load showed.
type round struct {
	requests  int
	elapsed   time.Duration
	latencies []time.Duration // in order
	cpu       time.Duration   // of the server
}

func (r round) perSecond() float64 { return float64(r.requests) / r.elapsed.Seconds() }

// cpuPerRequest is in microseconds.
func (r round) cpuPerRequest() float64 {
	return float64(r.cpu.Nanoseconds()) / 1e3 / float64(r.requests)
}

func (r round) latency(quantile float64) float64 {
	return float64(r.latencies[int(quantile*float64(len(r.latencies)-1))].Microseconds())
}

// load asks over as many connections as wanted, one request after the other on each.
func (g *generator) load(ctx context.Context, addr string, connections int, length time.Duration) (round, error) {
	var workers sync.WaitGroup
	found := make([][]time.Duration, connections)
	failures := make([]error, connections)
	start := time.Now()
	for i := range connections {
		workers.Go(func() { found[i], failures[i] = g.work(ctx, addr, start.Add(length)) })
	}
	workers.Wait()
	r := round{elapsed: time.Since(start), latencies: slices.Concat(found...)}
	r.requests = len(r.latencies)
	slices.Sort(r.latencies)
	return r, errors.Join(failures...)
}

func (g *generator) work(ctx context.Context, addr string, until time.Time) ([]time.Duration, error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	var latencies []time.Duration
	for now := time.Now(); now.Before(until); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := c.ask(g.target, g.sent.Add(1)%g.users); err != nil {
			return nil, err
		}
		end := time.Now()
		latencies = append(latencies, end.Sub(now))
		now = end
	}
	return latencies, nil
}

// client speaks just enough HTTP/1.1 to take little of the machine that it shares with the server.
type client struct {
	conn    net.Conn
	answers *bufio.Reader
	request bytes.Buffer
}

func dial(ctx context.Context, addr string) (*client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, answers: bufio.NewReader(conn)}, nil
}

// ask is a user's click as the host proxies it. It returns the answer's body.
func (c *client) ask(t target, user int64) ([]byte, error) {
	c.request.Reset()
	fmt.Fprintf(&c.request, "%s %s HTTP/1.1\r\nHost: connect.example.com\r\n", t.method, t.path)
	if t.method == http.MethodPost {
		c.request.WriteString("Content-Length: 0\r\n")
	}
	fmt.Fprintf(&c.request, "Blink-Auth-Proxysecret: %s\r\nBlink-Auth-Userid: %s\r\n\r\n", proxySecret, userID(user))
	if err := c.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(c.request.Bytes()); err != nil {
		return nil, err
	}
	body, err := readAnswer(c.answers)
	if err == nil && t.size > 0 && len(body) != t.size {
		return nil, fmt.Errorf("the answer has %d bytes, want %d", len(body), t.size)
	}
	return body, err
}

func userID(user int64) string { return "user-" + strconv.FormatInt(user, 10) }

// readAnswer reads a 200 with a Content-Length; anything else is an error.
func readAnswer(r *bufio.Reader) ([]byte, error) {
	status, err := r.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		return nil, fmt.Errorf("the answer is %q", strings.TrimSpace(status))
	}
	length := -1
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		if line == "\r\n" {
			break
		}
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return nil, fmt.Errorf("reading the answer: %w", err)
			}
		}
	}
	if length < 0 || length > 1<<20 {
		return nil, errors.New("the answer has no sensible Content-Length")
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return body, nil
}
