package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Keys of the accounts API, as API_KEYS has them.
const (
	fullKey  = "conformance-key-with-every-scope-0001"
	emptyKey = "conformance-key-of-another-scope-0002" // events alone need what it has not
	busyKey  = "conformance-key-that-is-in-a-hurry-03"
)

// described is a running Linkgate, every answer of which is held against its own /openapi.json.
type described struct {
	t        *testing.T
	w        *world
	document *openapi3.T
	problems map[string]int // status, by slug
	anywhere []string       // slugs that any operation may answer with

	mu   sync.Mutex
	seen map[string]bool // "operationId status" and "operationId slug"
}

func describedBy(t *testing.T, w *world) *described {
	t.Helper()
	answer, err := http.Get(w.Linkgate.URL("/openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	d := &described{t: t, w: w, problems: map[string]int{}, seen: map[string]bool{}}
	if d.document, err = openapi3.NewLoader().LoadFromData(text); err != nil {
		t.Fatal(err)
	}
	var extension struct {
		Types []struct {
			Slug       string
			Status     int
			Everywhere bool
		} `json:"x-problem-types"`
	}
	if err := json.Unmarshal(text, &extension); err != nil {
		t.Fatal(err)
	}
	for _, p := range extension.Types {
		d.problems[p.Slug] = p.Status
		if p.Everywhere {
			d.anywhere = append(d.anywhere, p.Slug)
		}
	}
	return d
}

// apiRequest is one request to the accounts API; headers are names and values.
type apiRequest struct {
	key, method, path, body string
	headers                 []string
}

// apiAnswer is its answer.
type apiAnswer struct {
	status int
	slug   string // of a problem
	header http.Header
	body   []byte
}

// text is a member of the answer's object.
func (a apiAnswer) text(t *testing.T, name string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(a.body, &object); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	value, _ := object[name].(string)
	return value
}

// get, post and so on are asks with every scope.
func get(path string) apiRequest { return apiRequest{key: fullKey, method: "GET", path: path} }
func post(path, body string) apiRequest {
	return apiRequest{key: fullKey, method: "POST", path: path, body: body}
}
func put(path, body string) apiRequest {
	return apiRequest{key: fullKey, method: "PUT", path: path, body: body}
}
func remove(path string) apiRequest { return apiRequest{key: fullKey, method: "DELETE", path: path} }

func (a apiRequest) with(headers ...string) apiRequest {
	a.headers = append(a.headers, headers...)
	return a
}
func (a apiRequest) as(key string) apiRequest { a.key = key; return a }

func (a apiRequest) request(t *testing.T, base string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), a.method, base+a.path, strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if a.key != "" {
		r.Header.Set("Authorization", "Bearer "+a.key)
	}
	if a.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(a.headers); i += 2 {
		r.Header.Set(a.headers[i], a.headers[i+1])
	}
	return r
}

// do sends a, and holds request and answer against the document.
func (d *described) do(t *testing.T, a apiRequest) apiAnswer {
	t.Helper()
	got := d.send(t, a)
	d.compare(t, a, got)
	return got
}

// send sends a.
func (d *described) send(t *testing.T, a apiRequest) apiAnswer {
	t.Helper()
	r := a.request(t, d.w.Linkgate.URL(""))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := apiAnswer{answer.StatusCode, "", answer.Header, body}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json") {
		got.slug = strings.TrimPrefix(got.text(t, "type"), "/docs#")
	}
	return got
}

// wants sends a and checks what it is answered: "200", or "404 not-found".
func (d *described) wants(t *testing.T, want string, a apiRequest) apiAnswer {
	t.Helper()
	got := d.do(t, a)
	if is := strings.TrimSpace(strconv.Itoa(got.status) + " " + got.slug); is != want {
		t.Errorf("%s %s: got %s, want %s\n%s", a.method, a.path, is, want, got.body)
	}
	return got
}

// compare holds one request and its answer against the document, and notes that they were seen.
func (d *described) compare(t *testing.T, a apiRequest, got apiAnswer) {
	t.Helper()
	path, item, parameters := d.find(a.path)
	if item == nil || item.GetOperation(a.method) == nil {
		t.Errorf("%s %s is not in the document", a.method, a.path)
		return
	}
	o := item.GetOperation(a.method)
	input := &openapi3filter.RequestValidationInput{
		Request: a.request(t, d.w.Linkgate.URL("")), PathParams: parameters,
		Route:   &routers.Route{Spec: d.document, Path: path, PathItem: item, Method: a.method, Operation: o},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if got.status < 400 {
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("%s %s was answered with %d, and the document does not allow it: %v", a.method, a.path, got.status, err)
		}
		if o.Responses.Status(got.status) == nil {
			t.Errorf("%s %s: the document knows no %d", a.method, a.path, got.status)
		}
	}
	err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: got.status, Header: got.header, Body: io.NopCloser(bytes.NewReader(got.body)),
		Options: input.Options,
	})
	if err != nil {
		t.Errorf("%s %s: the answer is not as documented: %v\n%s", a.method, a.path, err, got.body)
	}
	if got.status >= 400 && got.slug != "" {
		if d.problems[got.slug] != got.status {
			t.Errorf("%s %s: %s has status %d, and %d in the document", a.method, a.path, got.slug, got.status, d.problems[got.slug])
		}
		if !slices.Contains(d.anywhere, got.slug) && !slices.Contains(problemsOf(t, o), got.slug) {
			t.Errorf("%s %s: %s is not among the operation's x-problems", a.method, a.path, got.slug)
		}
	} else if got.status >= 400 && o.Extensions["x-passes-through"] == nil {
		t.Errorf("%s %s: got %d and no problem: %s", a.method, a.path, got.status, got.body)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[fmt.Sprint(o.OperationID, " ", got.status)] = true
	d.seen[o.OperationID+" "+got.slug] = true
}

var pathParameter = regexp.MustCompile(`\\\{([a-z_]+)\\\}`)

// find finds the path of the document that a path is one of.
func (d *described) find(path string) (string, *openapi3.PathItem, map[string]string) {
	path, _, _ = strings.Cut(path, "?")
	for template, item := range d.document.Paths.Map() {
		pattern := pathParameter.ReplaceAllStringFunc(regexp.QuoteMeta(template), func(p string) string {
			if p == `\{path\}` {
				return "(.+)" // it may have slashes
			}
			return "([^/]+)"
		})
		values := regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(path)
		if values == nil {
			continue
		}
		parameters := map[string]string{}
		for i, name := range pathParameter.FindAllStringSubmatch(regexp.QuoteMeta(template), -1) {
			parameters[name[1]] = values[i+1]
		}
		return template, item, parameters
	}
	return "", nil, nil
}

// operations are all of the document, but for those that differ from another in the method alone.
func (d *described) operations(each func(method, path string, o *openapi3.Operation)) {
	for path, item := range d.document.Paths.Map() {
		for method, o := range item.Operations() {
			if o.Extensions["x-same-as"] == nil {
				each(method, path, o)
			}
		}
	}
}

func problemsOf(t *testing.T, o *openapi3.Operation) []string {
	t.Helper()
	text, err := json.Marshal(o.Extensions["x-problems"])
	if err != nil {
		t.Fatal(err)
	}
	var slugs []string
	if err := json.Unmarshal(text, &slugs); err != nil {
		t.Fatal(err)
	}
	return slugs
}

// sourceOf is an operation's example: a command line.
func sourceOf(t *testing.T, o *openapi3.Operation) string {
	t.Helper()
	text, err := json.Marshal(o.Extensions["x-codeSamples"])
	if err != nil {
		t.Fatal(err)
	}
	var samples []struct{ Source string }
	if err := json.Unmarshal(text, &samples); err != nil || len(samples) != 1 {
		t.Fatalf("%s: got %d examples, %v", o.OperationID, len(samples), err)
	}
	return samples[0].Source
}

func decoded(body []byte) (value any, err error) {
	err = json.Unmarshal(body, &value)
	return value, err
}
