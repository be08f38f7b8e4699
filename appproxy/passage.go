package appproxy

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// passage is one request on its way to the app.
type passage struct {
	proxy  *Proxy
	user   string
	tokens []field
	answer answer
	body   *body // nil: there is none
	sent   bool
	err    error
}

// rewrite makes of a client's request the one that the app gets. httputil.ReverseProxy has removed
// what is for one hop alone, so that nothing that is added here can be named in Connection and lost.
func (t *passage) rewrite(pr *httputil.ProxyRequest) {
	in, out := pr.In, pr.Out
	out.URL = t.proxy.target(in.URL)
	out.Host = "" // that of the URL
	drop(out.Header, isForgeable)
	dropUpgrade(out.Header)
	if out.Body != nil {
		t.body = newBody(in, out, t.answer.client)
		out.Body = t.body
	}
	out.Header[userHeader] = []string{t.user}
	for _, f := range t.tokens {
		out.Header[f.header] = []string{f.value}
	}
	t.proxy.sign(out, t.user, t.tokens)
	t.sent = true
}

// target is where a request goes at the app: its path behind the base's, escaped as it came, and its
// query as it came.
func (p *Proxy) target(u *url.URL) *url.URL {
	return &url.URL{
		Scheme: p.base.Scheme, Host: p.base.Host,
		Path: p.base.Path + u.Path, RawPath: p.base.RawPath + u.EscapedPath(),
		RawQuery: u.RawQuery, ForceQuery: u.ForceQuery,
	}
}

// modify readies the app's answer for the client.
func (t *passage) modify(res *http.Response) error {
	drop(res.Header, isOurs)
	if res.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	h := t.answer.Header()
	if _, told := res.Header["Content-Type"]; !told {
		h["Content-Type"] = nil // else the server would guess one
	}
	if t.body != nil && !t.body.isWhole() {
		// The server is neither to read away what the app has yet to get, nor to take what is left of
		// it for another request.
		_ = t.answer.client.EnableFullDuplex() // other servers than HTTP/1's always are
		h.Set("Connection", "close")
	}
	return nil
}

// end gives the client time for what the server has still to do: to write the rest of the answer, and
// to find the end of a body that nobody wants any more.
func (t *passage) end() {
	t.answer.client.writing()
	if t.body != nil {
		t.body.end()
	}
}

// passable tells whether a request can go to the app at all. TRACE would have the app send back what
// is for it alone, the tokens; CONNECT asks for a tunnel.
func passable(r *http.Request) error {
	if r.Method == http.MethodTrace || r.Method == http.MethodConnect {
		return ErrMethod
	}
	if ambiguous(r.URL) {
		return ErrBadPath
	}
	return nil
}

// ambiguous tells whether a path can be read in another way than as it stands: because dot segments in
// it, however they are spelt, lead elsewhere, or because Go would have to escape it anew. No client
// sends such a path by itself (RFC 3986 §5.2.4).
func ambiguous(u *url.URL) bool {
	if !strings.HasPrefix(u.Path, "/") || u.RawPath != "" && u.RawPath != u.EscapedPath() {
		return true
	}
	for segment := range strings.FieldsFuncSeq(u.Path, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." { // parameters, for servers that know them
			return true
		}
	}
	return false
}
