package demo_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"linkgate/demo"
)

// begin sends a request and returns its answer with the body unread.
func (p *party) begin(t *testing.T, token, method, path string, body io.Reader) *http.Response {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, p.issuer+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// An upload is read as it comes, and an answer comes after the last byte.
func TestUploadIsReadAsItComes(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	token := p.accessToken(t, "ada")
	body, writer := io.Pipe()
	go func() {
		writer.Write([]byte("first"))
		for p.service.Received() < 5 { // it never gets there where the body is held until its end
			time.Sleep(time.Millisecond)
		}
		writer.Write([]byte(strings.Repeat("x", 2<<20))) // more than is ever held
		writer.Close()
	}()
	answer := p.begin(t, token, "POST", "/api/upload", body)
	got, err := io.ReadAll(answer.Body)
	if err != nil || strings.TrimSpace(string(got)) != `{"bytes":2097157}` {
		t.Errorf("got %s, %v; want 2097157 bytes", got, err)
	}
	if got := p.service.Received(); got != 2097157 {
		t.Errorf("Received = %d, want 2097157", got)
	}
}

// The first byte of a download is there before the last is sent.
func TestDownloadIsSentAsItGoes(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	token := p.accessToken(t, "ada")
	answer := p.begin(t, token, "GET", "/api/download?bytes=2&pause=3600000", nil)
	if n, err := io.ReadFull(answer.Body, make([]byte, 1)); n != 1 || p.service.Sent() != 1 {
		t.Fatalf("%d of %d bytes have arrived, %v; want the one", n, p.service.Sent(), err)
	}
	answer.Body.Close()

	answer = p.begin(t, token, "GET", "/api/download?bytes=67108864", nil)
	got, err := io.Copy(io.Discard, answer.Body)
	if err != nil || got != 64<<20 || p.service.Sent() != got+1 {
		t.Errorf("%d bytes, %v; want 64 MiB", got, err)
	}
	if got := answer.Trailer.Get("Acme-Bytes"); got != "67108864" {
		t.Errorf("trailer = %q, want 67108864", got)
	}
}

// Events arrive one by one, and end when their reader has left.
func TestEventsArriveOneByOne(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	token := p.accessToken(t, "ada")
	done := make(chan struct{})
	p.service.Play(demo.Script{After: func(string, *http.Request) { close(done) }})
	answer := p.begin(t, token, "GET", "/api/events?n=1000000", nil)
	first := make([]byte, 64<<10)
	n, err := answer.Body.Read(first)
	if err != nil || !strings.HasPrefix(string(first[:n]), "id: 0\n") || n > 1000 {
		t.Fatalf("read %d bytes, %.20q, %v; want one event, or a few", n, first[:n], err)
	}
	for lines := bufio.NewScanner(answer.Body); lines.Text() != "id: 5"; {
		if !lines.Scan() {
			t.Fatal("the events ended")
		}
	}
	answer.Body.Close()
	<-done
}

func TestWebSocketEcho(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	conn, _, err := websocket.Dial(t.Context(), p.issuer+"/api/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + p.accessToken(t, "ada")}, "Origin": {"https://host.example"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	for _, message := range []string{"one", strings.Repeat("x", 100<<10)} {
		conn.SetReadLimit(1 << 20)
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(message)); err != nil {
			t.Fatal(err)
		}
		kind, got, err := conn.Read(t.Context())
		if err != nil || kind != websocket.MessageText || string(got) != message {
			t.Errorf("got %v %.10q, %v; want %.10q", kind, got, err, message)
		}
	}
}

// A fault strikes a streaming operation before any of its body is read.
func TestStreamFaults(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	token := p.accessToken(t, "ada")
	tests := map[string]struct {
		fault demo.Fault
		want  string
	}{
		"status": {*demo.Answer(503, ""), "503"},
		"drop":   {demo.Fault{Drop: true}, "dropped"},
		"hang":   {demo.Fault{Hang: true}, "hangs"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			asked, after := p.service.Requests(demo.OpUpload), false
			fault := demo.Only(demo.OpUpload, 1, tt.fault)
			p.service.Play(demo.Script{Fault: fault, After: func(string, *http.Request) { after = true }})
			if got := uploadRequest(t, p, token); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := p.service.Requests(demo.OpUpload) - asked; got != 1 || after {
				t.Errorf("%d requests were counted, done: %t; want one, undone", got, after)
			}
			if got := p.service.Received(); got != 0 {
				t.Errorf("%d bytes were received, want none", got)
			}
		})
	}
	p.service.Play(demo.Script{})
	if got := uploadRequest(t, p, token); !strings.HasPrefix(got, `200 {"bytes":4}`) {
		t.Errorf("after the faults: %s, want 200", got)
	}
}

// uploadRequest uploads and says in short what came of it.
func uploadRequest(t *testing.T, p *party, token string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, p.issuer+"/api/upload", io.MultiReader(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return inShort(t, r)
}
