package browser

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func ask(t *testing.T, method string, f File, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "/linkgate.js", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

// TestScriptIsSmall: what a page loads is less than 4 KB, and needs nothing else.
func TestScriptIsSmall(t *testing.T) {
	w := ask(t, "GET", Script())
	if n := w.Body.Len(); n == 0 || n >= 4096 {
		t.Errorf("/linkgate.js has %d bytes, want less than 4096", n)
	}
	for _, loads := range []string{"import ", "import(", "require(", "importScripts", "sourceMappingURL", "eval(", "Function("} {
		if bytes.Contains(w.Body.Bytes(), []byte(loads)) {
			t.Errorf("/linkgate.js has %q in it: it is to stand by itself, as it is written", loads)
		}
	}
}

func TestScriptIsServed(t *testing.T) {
	first := ask(t, "GET", Script())
	for name, want := range map[string]string{
		"Content-Type":                 "text/javascript; charset=utf-8",
		"X-Content-Type-Options":       "nosniff",
		"Cache-Control":                "public, max-age=3600",
		"Access-Control-Allow-Origin":  "*",
		"Cross-Origin-Resource-Policy": "cross-origin",
	} {
		if got := first.Header().Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	etag := first.Header().Get("ETag")
	if again := ask(t, "GET", Script(), "If-None-Match", etag); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("with its ETag: %d and %d bytes, want 304 and none", again.Code, again.Body.Len())
	}
	if again := ask(t, "GET", Script(), "If-None-Match", `"another"`); again.Code != http.StatusOK {
		t.Errorf("with another ETag: %d, want 200", again.Code)
	}
	if head := ask(t, "HEAD", Script()); head.Code != http.StatusOK || head.Body.Len() > 0 || head.Header().Get("ETag") != etag {
		t.Errorf("HEAD: %d, %d bytes, ETag %s; want what GET says, without a body", head.Code, head.Body.Len(), head.Header().Get("ETag"))
	}
}

// TestTypesNameTheSameOptions: what the types promise is what the script takes.
func TestTypesNameTheSameOptions(t *testing.T) {
	declared, taken := ask(t, "GET", Types()).Body.String(), ask(t, "GET", Script()).Body.String()
	for _, option := range []string{"returnUrl", "finish", "signal"} {
		if !strings.Contains(declared, option+"?:") {
			t.Errorf("linkgate.d.ts does not declare %s", option)
		}
	}
	if !strings.Contains(taken, "{ returnUrl, finish, signal } = {}") {
		t.Error("linkgate.js takes other options than linkgate.d.ts declares")
	}
	for _, status := range []string{"linked", "pending", "failed", "closed", "expired", "blocked", "address"} {
		quoted := `"` + status + `"`
		if !strings.Contains(declared, quoted) || !strings.Contains(taken, quoted) {
			t.Errorf("%s is not in both linkgate.js and linkgate.d.ts", quoted)
		}
	}
}
