package call

import (
	"slices"
	"strings"
)

// rules are a connection's calls.allow, ready to be asked. Nothing is allowed but what a rule
// allows. A rule is a method, a blank and a path below the base URL:
//
//	GET /user               one path; HEAD as well, and a WebSocket, whose handshake is a GET
//	POST /repos/*/*/issues  * stands for one segment that is not empty
//	GET /repos/**           ** stands for any number of segments, also none
//	* /drafts/**            every method but CONNECT and TRACE, which are never allowed
//
// Capitals count, and so does a slash at the end.
type rules []rule

type rule struct {
	method  string // * for any
	pattern []part
}

// part is one segment of a pattern.
type part struct {
	kind kind
	text string // of a literal, decoded
}

type kind int

const (
	literal    kind = iota
	oneSegment      // *
	anyNumber       // **
)

// allow tells whether a request may be sent: when every reading of its path is allowed.
func (r rules) allow(method string, p path) bool {
	if !isToken(method) || isNeverSent(method) || len(p.readings) == 0 {
		return false
	}
	return !slices.ContainsFunc(p.readings, func(segments []string) bool {
		return !slices.ContainsFunc(r, func(one rule) bool { return one.allows(method, segments) })
	})
}

func (r rule) allows(method string, segments []string) bool {
	asked := r.method == "*" || r.method == method || r.method == "GET" && method == "HEAD"
	return asked && matches(r.pattern, segments)
}

// matches compares from the left. Where a literal fails, the last ** takes one segment more; what
// an earlier ** took can stay, for what follows it has been found as far left as it can be.
func matches(pattern []part, segments []string) bool {
	next, retry, taken := 0, -1, 0
	for i := 0; i < len(segments); {
		switch {
		case next < len(pattern) && pattern[next].kind == anyNumber:
			next++
			retry, taken = next, i
		case next < len(pattern) && pattern[next].fits(segments[i]):
			next++
			i++
		case retry >= 0:
			taken++
			next, i = retry, taken
		default:
			return false
		}
	}
	return !slices.ContainsFunc(pattern[next:], func(p part) bool { return p.kind != anyNumber })
}

func (p part) fits(segment string) bool {
	if p.kind == oneSegment {
		return segment != ""
	}
	return p.text == segment
}

// isNeverSent: CONNECT asks for a tunnel and TRACE for the request with its credential, in the
// answer's body (RFC 9110 §9.3.6, §9.3.8). Some services don't mind how a method is written.
func isNeverSent(method string) bool {
	return strings.EqualFold(method, "CONNECT") || strings.EqualFold(method, "TRACE")
}

// isToken is RFC 9110 §5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
