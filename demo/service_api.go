package demo

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// forbiddenPath is what no connection allows: the API counts as OpForbidden whatever a careless
// server would take for it, so that a test can prove that nothing of the kind got through.
const forbiddenPath = "/api/forbidden-for-calls"

// apiRoute is one line of the API's table.
type apiRoute struct {
	method  string // empty: any
	path    string // one that ends in a slash has everything below it
	op      string
	perform func(op string, w http.ResponseWriter, r *http.Request, do http.HandlerFunc)
	do      func(http.ResponseWriter, *http.Request, ServiceUser)
}

func (s *Service) apiRoutes() []apiRoute {
	hold, stream := s.stage.perform, s.stage.stream
	return []apiRoute{
		{http.MethodGet, "/api/me", OpProfile, hold, s.profile},
		{http.MethodGet, "/api/notes", OpNotes, hold, s.listNotes},
		{http.MethodPost, "/api/notes", OpNotes, hold, s.createNote},
		{http.MethodGet, "/api/slow", OpSlow, hold, slow},
		{http.MethodGet, "/api/status/", OpStatus, hold, answerStatus},
		{http.MethodGet, "/api/redirect/", OpRedirect, hold, redirect},
		{"", "/api/echo", OpEcho, stream, s.echo},
		{"", "/api/echo/", OpEcho, stream, s.echo},
		{http.MethodPost, "/api/upload", OpUpload, stream, s.upload},
		{http.MethodGet, "/api/download", OpDownload, stream, s.download},
		{http.MethodGet, "/api/events", OpEvents, stream, events},
		{http.MethodGet, "/api/ws", OpWebSocket, stream, echoMessages},
	}
}

func (route apiRoute) matches(r *http.Request) bool {
	asked := r.URL.EscapedPath()
	below := strings.HasSuffix(route.path, "/") && strings.HasPrefix(asked, route.path)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return (below || asked == route.path) && (route.method == "" || route.method == method)
}

// newAPI serves the API (RFC 6750 §2.1): each route wants a valid access token.
func (s *Service) newAPI() http.Handler {
	routes := s.apiRoutes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _, valid := s.caller(r)
		s.tokens.see(bearer(r), valid)
		if isForbidden(r) {
			s.stage.stream(OpForbidden, w, r, func(w http.ResponseWriter, _ *http.Request) {
				writeJSON(w, http.StatusOK, map[string]any{"secret": "This was not meant for you."})
			})
			return
		}
		i := slices.IndexFunc(routes, func(route apiRoute) bool { return route.matches(r) })
		if i < 0 {
			writeJSON(w, http.StatusNotFound, map[string]any{"error": "not_found"})
			return
		}
		routes[i].perform(routes[i].op, w, r, func(w http.ResponseWriter, r *http.Request) {
			user, _, ok := s.caller(r) // again: the script may have changed it
			if !ok {
				unauthorized(w)
				return
			}
			routes[i].do(w, r, user)
		})
	})
}

func isForbidden(r *http.Request) bool {
	reading := loosely(r.URL.EscapedPath())
	return reading == forbiddenPath || strings.HasPrefix(reading, forbiddenPath+"/")
}

// loosely reads a path as the most careless of servers would: decoded twice, up to a NUL or a
// question mark, with backslashes for slashes, without parameters, in lower case, dots resolved.
func loosely(escaped string) string {
	p := escaped
	for range 2 {
		if plain, err := url.PathUnescape(p); err == nil {
			p = plain
		}
	}
	if end := strings.IndexAny(p, "\x00?#"); end >= 0 {
		p = p[:end]
	}
	segments := strings.Split(strings.ReplaceAll(p, `\`, "/"), "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return path.Clean("/" + strings.ToLower(strings.Join(segments, "/")))
}

// profile is how a service without OpenID Connect tells who somebody is: in its own way.
func (s *Service) profile(w http.ResponseWriter, _ *http.Request, user ServiceUser) {
	writeJSON(w, http.StatusOK, map[string]any{
		"account": map[string]any{"id": user.Subject, "display_name": user.Name},
	})
}

// notebook keeps each user's notes. The zero value is empty.
type notebook struct {
	mu    sync.Mutex
	notes map[string][]note // by subject
}

type note struct {
	ID      string    `json:"id"`
	Text    string    `json:"text"`
	Created time.Time `json:"created"`
}

func (s *Service) listNotes(w http.ResponseWriter, _ *http.Request, user ServiceUser) {
	s.notes.mu.Lock()
	own := append([]note{}, s.notes.notes[user.Subject]...)
	s.notes.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"notes": own})
}

func (s *Service) createNote(w http.ResponseWriter, r *http.Request, user ServiceUser) {
	var body struct{ Text string }
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Text == "" {
		badRequest(w, "text is required")
		return
	}
	n := note{ID: "note_" + random(), Text: body.Text, Created: time.Now().UTC()}
	s.notes.mu.Lock()
	if s.notes.notes == nil {
		s.notes.notes = map[string][]note{}
	}
	s.notes.notes[user.Subject] = append(s.notes.notes[user.Subject], n)
	s.notes.mu.Unlock()
	writeJSON(w, http.StatusCreated, n)
}

// slow answers after ?ms= milliseconds.
func slow(w http.ResponseWriter, r *http.Request, _ ServiceUser) {
	ms, err := strconv.Atoi(r.URL.Query().Get("ms"))
	if err != nil || ms < 0 {
		badRequest(w, "ms is required")
		return
	}
	if wait(r.Context(), time.Duration(ms)*time.Millisecond) {
		writeJSON(w, http.StatusOK, map[string]any{"ms": ms})
	}
}

// answerStatus answers with the status that the path asks for, and ?retry_after= as Retry-After.
func answerStatus(w http.ResponseWriter, r *http.Request, _ ServiceUser) {
	code, ok := lastNumber(r, http.StatusOK, 599)
	if !ok {
		badRequest(w, "no such status")
		return
	}
	if after := r.URL.Query().Get("retry_after"); after != "" {
		w.Header().Set("Retry-After", after)
	}
	writeJSON(w, code, map[string]any{"status": code})
}

// redirect redirects to ?to= with the status that the path asks for.
func redirect(w http.ResponseWriter, r *http.Request, _ ServiceUser) {
	code, ok := lastNumber(r, http.StatusMultipleChoices, http.StatusPermanentRedirect)
	if !ok {
		badRequest(w, "no such redirect")
		return
	}
	w.Header().Set("Location", r.URL.Query().Get("to"))
	writeJSON(w, code, map[string]any{"status": code})
}

// lastNumber is the number that a path ends in.
func lastNumber(r *http.Request, least, most int) (int, bool) {
	n, err := strconv.Atoi(path.Base(r.URL.Path))
	return n, err == nil && n >= least && n <= most
}

func badRequest(w http.ResponseWriter, why string) {
	writeJSON(w, http.StatusBadRequest, map[string]any{"error": "bad_request", "error_description": why})
}
