package handlers

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"linkgate/openapi"
)

func TestDocument(t *testing.T) {
	w := newBench(t).asBrowser("GET", "/openapi.json")
	for header, want := range map[string]string{
		"Content-Type": "application/json", "Access-Control-Allow-Origin": "*",
		"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff",
	} {
		if got := w.Header().Get(header); got != want {
			t.Errorf("got %s %q, want %q", header, got, want)
		}
	}
	var d struct{ OpenAPI string }
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || d.OpenAPI != "3.1.0" || w.Code != http.StatusOK {
		t.Errorf("got %d, %+v, %v", w.Code, d, err)
	}
}

func TestDocs(t *testing.T) {
	w := newBench(t).asBrowser("GET", "/docs")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=UTF-8" {
		t.Fatalf("got %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	_, style, _ := strings.Cut(w.Body.String(), "<style>")
	style, _, found := strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	want := "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; img-src data:; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'none'"
	if got := w.Header().Get("Content-Security-Policy"); got != want || !found {
		t.Errorf("got policy %q\nwant %q", got, want)
	}
	for header, want := range map[string]string{
		"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": "", "Strict-Transport-Security": "max-age=31536000",
	} {
		if got := w.Header().Get(header); got != want {
			t.Errorf("got %s %q, want %q", header, got, want)
		}
	}
}

// TestDocsAreAskedForOnce: who has them already is told so, and a HEAD gets no body.
func TestDocsAreAskedForOnce(t *testing.T) {
	for _, path := range []string{"/openapi.json", "/docs"} {
		b := newBench(t)
		whole := b.asBrowser("GET", path)
		tag := whole.Header().Get("ETag")
		for name, test := range map[string]struct {
			method, have string
			status       int
		}{
			"again":   {"GET", tag, http.StatusNotModified},
			"older":   {"GET", `"older"`, http.StatusOK},
			"no body": {"HEAD", "", http.StatusOK},
		} {
			w := b.do(test.method, path, "", "If-None-Match", test.have)
			hasBody := test.method == "GET" && test.status == http.StatusOK
			if w.Code != test.status || (w.Body.Len() > 0) != hasBody || w.Header().Get("ETag") != tag || tag == "" {
				t.Errorf("%s %s: got %d with %d bytes and ETag %q", path, name, w.Code, w.Body.Len(), w.Header().Get("ETag"))
			}
		}
	}
}

// TestProblemsAreExplained: the page has a place for each problem that is described, and no two are
// of one name.
func TestProblemsAreExplained(t *testing.T) {
	problems, err := openapi.Problems()
	if err != nil || len(problems) < 20 {
		t.Fatalf("got %d problems, %v", len(problems), err)
	}
	seen := map[string]bool{}
	for _, p := range problems {
		if !strings.Contains(string(openapi.Page()), `id="`+p.Slug+`"`) || p.Meaning == "" || p.Remedy == "" || p.Status < 400 || seen[p.Slug] {
			t.Errorf("%+v is not explained once and whole", p)
		}
		seen[p.Slug] = true
	}
}
