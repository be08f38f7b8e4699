package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// flow counts the bytes of uploads and downloads as they pass.
type flow struct {
	received, sent atomic.Int64
}

// Received counts the bytes of bodies that OpEcho and OpUpload have read so far.
func (s *Service) Received() int64 { return s.flow.received.Load() }

// Sent counts the bytes that OpDownload has handed to the network so far.
func (s *Service) Sent() int64 { return s.flow.sent.Load() }

// drain reads a body to its end, and counts.
func (f *flow) drain(body io.Reader) (int64, error) {
	return io.Copy(counter{&f.received}, body)
}

type counter struct{ n *atomic.Int64 }

func (c counter) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}

// echoed is what arrived, as OpEcho answers it.
type echoed struct {
	Method  string      `json:"method"`
	Proto   string      `json:"proto"`
	Host    string      `json:"host"`
	Path    string      `json:"path"` // as it was sent, still escaped
	Query   string      `json:"query"`
	Headers http.Header `json:"headers"` // Authorization as "absent", or "present" with the start of its SHA-256
	Bytes   int64       `json:"bytes"`   // of the body
	Trailer http.Header `json:"trailer,omitempty"`
}

func (s *Service) echo(w http.ResponseWriter, r *http.Request, _ ServiceUser) {
	n, err := s.flow.drain(r.Body)
	if err != nil {
		badRequest(w, "the body broke off")
		return
	}
	sent, query, _ := strings.Cut(r.RequestURI, "?")
	headers := r.Header.Clone()
	headers.Set("Authorization", fingerprint(r.Header.Values("Authorization")))
	writeJSON(w, http.StatusOK, echoed{
		Method: r.Method, Proto: r.Proto, Host: r.Host, Path: sent, Query: query, Headers: headers, Bytes: n, Trailer: r.Trailer,
	})
}

// fingerprint says which secret it was to those who know it.
func fingerprint(values []string) string {
	if len(values) == 0 {
		return "absent"
	}
	sum := sha256.Sum256([]byte(strings.Join(values, ", ")))
	return "present " + hex.EncodeToString(sum[:4])
}

// upload says nothing before it has read everything.
func (s *Service) upload(w http.ResponseWriter, r *http.Request, _ ServiceUser) {
	n, err := s.flow.drain(r.Body)
	if err != nil {
		badRequest(w, "the body broke off")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"bytes": n})
}

// download sends ?bytes= bytes: the first at once, the others ?pause= milliseconds later (none:
// no pause), and in a trailer how many they were.
func (s *Service) download(w http.ResponseWriter, r *http.Request, _ ServiceUser) {
	total, err := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
	if err != nil || total < 0 {
		badRequest(w, "bytes is required")
		return
	}
	pause, _ := strconv.Atoi(r.URL.Query().Get("pause"))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Trailer", "Acme-Bytes")
	out := io.MultiWriter(w, counter{&s.flow.sent})
	if _, err := io.CopyN(out, endlessZeros{}, min(total, 1)); err != nil || http.NewResponseController(w).Flush() != nil {
		return // the caller is gone
	}
	if !wait(r.Context(), time.Duration(pause)*time.Millisecond) {
		return
	}
	if _, err := io.CopyN(out, endlessZeros{}, max(total-1, 0)); err == nil {
		w.Header().Set("Acme-Bytes", strconv.FormatInt(total, 10))
	}
}

// endlessZeros reads as zero bytes without end.
type endlessZeros struct{}

func (endlessZeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// events sends ?n= server-sent events, one each 100 ms, the first at once.
func events(w http.ResponseWriter, r *http.Request, _ ServiceUser) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 0 {
		badRequest(w, "n is required")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	for i := range n {
		if i > 0 && !wait(r.Context(), 100*time.Millisecond) {
			return
		}
		fmt.Fprintf(w, "id: %d\ndata: {\"event\":%d}\n\n", i, i)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
	}
}

// echoMessages sends each WebSocket message back.
func echoMessages(w http.ResponseWriter, r *http.Request, _ ServiceUser) {
	// Any origin: it is a token that lets callers in, not a cookie.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: []string{"*"}})
	if err != nil {
		return // it has been told
	}
	defer conn.CloseNow() //nolint:errcheck // the caller has closed it, or is gone
	conn.SetReadLimit(maxBody)
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil {
			return
		}
		if conn.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}
