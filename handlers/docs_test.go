package handlers

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/labstack/echo/v4"

	"linkgate/appproxy"
	"linkgate/connect"
	v1 "linkgate/handlers/v1"
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

// notForBackEnds are the errors that only the host, a browser or a service can meet.
var notForBackEnds = []error{
	errNobodyThere, errNotHost, errNoUser, errOtherSite, errAccount,
	connect.ErrUsed, connect.ErrWrongBrowser, connect.ErrWrongConnection, connect.ErrNotService, connect.ErrTooManyRemovals,
	appproxy.ErrBadPath, appproxy.ErrBadRequest, appproxy.ErrMethod, appproxy.ErrTimeout, appproxy.ErrUnavailable,
}

// TestEveryProblemIsDocumented: what the table of errors has for back ends is what the document
// explains, with the same status; and nothing else is.
func TestEveryProblemIsDocumented(t *testing.T) {
	problems, err := openapi.Problems()
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]int{}
	for _, p := range problems {
		documented[p.Slug] = p.Status
	}
	met := map[string]bool{}
	meet := func(err error) {
		f := explain(err)
		slug := slug(problemCode(f, err))
		met[slug] = true
		if documented[slug] != f.status {
			t.Errorf("%v: %s has status %d, and %d in openapi.yaml's x-problem-types", err, slug, f.status, documented[slug])
		}
	}
	for _, m := range meanings() {
		if !slices.Contains(notForBackEnds, m.err) {
			meet(m.err)
		}
	}
	meet(echo.ErrNotFound)
	meet(echo.ErrMethodNotAllowed)
	meet(errors.New("nobody knows this one"))
	for slug := range documented {
		if !met[slug] {
			t.Errorf("openapi.yaml explains %s, and no error means it", slug)
		}
	}
}

// TestEveryRouteIsDocumented: the table of routes and the document have the same operations.
func TestEveryRouteIsDocumented(t *testing.T) {
	var d struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(openapi.Document(), &d); err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for path, item := range d.Paths {
		for method := range item {
			if method != "parameters" {
				documented[strings.ToUpper(method)+" "+path] = true
			}
		}
	}
	parameter := regexp.MustCompile(`:([a-z_]+)`)
	routed := map[string]bool{}
	s := &site{Server: &Server{API: &v1.API{}}}
	for _, r := range s.backEndRoutes() {
		path := strings.Replace(parameter.ReplaceAllString(r.path, "{$1}"), "*", "{path}", 1)
		methods := []string{r.method}
		if r.method == anyMethod {
			methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
		}
		for _, method := range methods {
			routed[method+" "+path] = true
		}
	}
	if !maps.Equal(routed, documented) || len(routed) < 20 {
		t.Errorf("routes and openapi.yaml differ (-routes +document):\n%s", cmp.Diff(routed, documented))
	}
}
