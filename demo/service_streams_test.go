package demo_test

import (
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

// The first byte of a download is there while the last can't have been sent yet.
func TestDownloadIsSentAsItGoes(t *testing.T) {
	const size = 64 << 20 // more than the network's buffers hold
	p := newParty(t, demo.ServiceOptions{})
	answer := p.begin(t, p.accessToken(t, "ada"), "GET", "/api/download?bytes=67108864", nil)
	first := make([]byte, 1)
	if _, err := io.ReadFull(answer.Body, first); err != nil || first[0] != '0' {
		t.Fatalf("first byte = %q, %v", first, err)
	}
	if sent := p.service.Sent(); sent >= size {
		t.Errorf("Sent = %d when the first byte arrived, want less than all", sent)
	}
	rest, err := io.Copy(io.Discard, answer.Body)
	if err != nil || rest != size-1 {
		t.Errorf("the rest = %d bytes, %v; want %d", rest, err, size-1)
	}
	if got := answer.Trailer.Get("Acme-Bytes"); got != "67108864" {
		t.Errorf("trailer = %q, want 67108864", got)
	}
}

// Events arrive one by one: the second has not been made when the first is there.
func TestEventsArriveOneByOne(t *testing.T) {
	p := newParty(t, demo.ServiceOptions{})
	token := p.accessToken(t, "ada")
	done := make(chan struct{})
	p.service.Play(demo.Script{After: func(op string, _ *http.Request) { close(done) }})
	answer := p.begin(t, token, "GET", "/api/events?n=1000000", nil)
	first := make([]byte, len("id: 0"))
	if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "id: 0" {
		t.Fatalf("first event = %q, %v", first, err)
	}
	answer.Body.Close() // and the service notices
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
