package call

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestRedirects: a service sends its caller elsewhere in every way that HTTP has. The client is
// told, without the token; Linkgate goes nowhere.
func TestRedirects(t *testing.T) {
	elsewhere := newTripwire(t)
	to := "http://" + elsewhere.host() + "/x"
	var answer string
	service := newRawService(t, func(rawRequest) string { return answer })
	w := service.before(t, "* /pub/**")
	sent := 0
	for _, status := range []int{300, 301, 302, 303, 304, 305, 306, 307, 308, 310, 399, 200, 201, 401, 421, 426} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			for _, location := range []string{to, to + "?access_token=" + theToken, "//" + elsewhere.host() + "/x", "/base/pub/y"} {
				answer = fmt.Sprintf("HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Location: %s\r\nRefresh: 0; url=%s\r\nLink: <%s>; rel=preload\r\n"+
					"Alt-Svc: h2c=\"%s\"\r\nContent-Length: 0\r\n\r\n", status, location, location, location, location, elsewhere.host())
				res, _ := w.want(status, nil, method, "/pub/x", "body")
				sent++
				checkPassedOn(t, res, location)
			}
		}
	}
	for _, r := range service.take() {
		sent--
		checkAllowed(t, r)
		if r.target != "/base/pub/x" {
			t.Errorf("%s %s arrives", r.method, r.target)
		}
	}
	if sent != 0 {
		t.Errorf("%d requests more were sent than have arrived", sent)
	}
	elsewhere.check(t)
}

func checkPassedOn(t *testing.T, res *http.Response, location string) {
	t.Helper()
	if text := fmt.Sprint(res.Header); strings.Contains(text, theToken) {
		t.Errorf("%d to %s: the token comes back: %s", res.StatusCode, location, text)
	}
	if got := res.Header.Get("Location"); got != location && !strings.Contains(location, theToken) {
		t.Errorf("%d to %s: the client is sent to %q", res.StatusCode, location, got)
	}
	if got := res.Header["Alt-Svc"]; got != nil {
		t.Errorf("%d: Alt-Svc %q", res.StatusCode, got)
	}
}

// TestInterimAnswers: hints that come before the answer are held to the same.
func TestInterimAnswers(t *testing.T) {
	elsewhere := newTripwire(t)
	service := newRawService(t, func(rawRequest) string {
		hints := fmt.Sprintf("Link: <http://%s/>; rel=preconnect\r\nSet-Cookie: a=b\r\nLinkgate-User-Id: u2\r\nX-Token: %s\r\n\r\n", elsewhere.host(), theToken)
		return "HTTP/1.1 103 Early Hints\r\n" + hints + "HTTP/1.1 102 Processing\r\n" + hints + plainAnswer
	})
	w := service.before(t, "GET /pub/**")
	conn, err := net.Dial("tcp", w.front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /pub/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	text, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(text), "103 Early Hints\r\n") || !strings.HasSuffix(string(text), "ok") {
		t.Errorf("got %q, %v", text, err)
	}
	for _, never := range []string{theToken, "Set-Cookie", "Linkgate-User-Id"} {
		if strings.Contains(string(text), never) {
			t.Errorf("%s comes through: %q", never, text)
		}
	}
	elsewhere.check(t)
}

// TestRawServiceNotices: the service of these tests finds fault with what is at fault.
func TestRawServiceNotices(t *testing.T) {
	for _, payload := range []string{
		"GET /x HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n",
		"GET /x HTTP/1.0\r\nHost: HOST\r\n\r\n",
		"GET /x y HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"GET http://HOST/x HTTP/1.1\r\nHost: HOST\r\n\r\n",
		"GET /x HTTP/1.1\nHost: HOST\n\n",
		"GET /x HTTP/1.1\r\nHost: HOST\r\nX: a\r\n b\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: HOST\r\nX : a\r\n\r\n",
		"GET /x HTTP/1.1\r\nHost: HOST\r\nX: a\rb\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"POST /x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: HOST\r\nContent-Length: +1\r\n\r\na",
		"POST /x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	} {
		service := newRawService(t, nil)
		host := service.listener.Addr().String()
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, strings.ReplaceAll(payload, "HOST", host))
		io.ReadAll(conn) // until the service closes it
		conn.Close()
		service.mu.Lock()
		if len(service.faults) != 1 || len(service.requests) != 0 {
			t.Errorf("%q: faults %q, requests %q", payload, service.faults, service.requests)
		}
		service.mu.Unlock()
	}
}
