package call

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxPath      = 8 << 10 // bytes; no server that we know takes more
	maxDecodings = 3       // a path that is still encoded after these is meant to deceive
	maxViews     = 64      // an honest path has one to eight
)

// path is a path below a base URL, and everything that a service may take it for. Services, and the
// gateways before them, differ in what they do to a path: decode it once or several times, before
// or after they cut it at the slashes, take a backslash for a slash, drop ";parameters" or slashes
// that stand together, make plain letters of wide ones. Which of these happen can't be known. So a
// path with a reading that leaves the base is refused (readPath), and one with several harmless
// readings is allowed only if each of them is (rules.allow).
type path struct {
	escaped  string     // as it came, and as it is sent
	readings [][]string // each: decoded segments; a trailing slash is an empty segment at the end
}

// readPath reads a path as it stands in a request line: escaped, beginning with a slash. It fails
// with ErrBadPath, and says why without repeating the path.
func readPath(escaped string) (path, error) {
	found, why := readings(escaped)
	if why != "" {
		return path{}, fmt.Errorf("reading the path: %w: %s", ErrBadPath, why)
	}
	return path{escaped: escaped, readings: found}, nil
}

// readings are all readings of a path, that of RFC 3986 first; or why it is refused.
func readings(escaped string) (found [][]string, why string) {
	if isUnmistakable(escaped) {
		return [][]string{strings.Split(escaped[1:], "/")}, ""
	}
	return closeReadings(escaped)
}

// closeReadings looks closer.
func closeReadings(escaped string) (found [][]string, why string) {
	if why := spellingMistake(escaped); why != "" {
		return nil, why
	}
	views := []view{{text: escaped}}
	for i := 0; i < len(views); i++ { // views grows meanwhile
		if why := views[i].mistake(); why != "" {
			return nil, why
		}
		for _, v := range views[i].steps() {
			if !slices.Contains(views, v) {
				views = append(views, v)
			}
		}
		if len(views) > maxViews {
			return nil, "it can be read in too many ways"
		}
	}
	for _, v := range views {
		segments := v.segments()
		same := func(other []string) bool { return slices.Equal(other, segments) }
		if !slices.ContainsFunc(found, same) {
			found = append(found, segments)
		}
	}
	return found, ""
}

// isUnmistakable tells a path that can be read in one way only, as most can: plain words between
// single slashes.
func isUnmistakable(path string) bool {
	if len(path) > maxPath || !strings.HasPrefix(path, "/") {
		return false
	}
	last := byte(0)
	for i := range len(path) {
		c := path[i]
		word := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
		if !word && (c != '/' || last == '/') {
			return false
		}
		last = c
	}
	return true
}

// spellingMistake holds a path to the grammar of RFC 3986 §3.3, with the square brackets besides,
// which browsers leave as they are.
func spellingMistake(escaped string) string {
	switch {
	case !strings.HasPrefix(escaped, "/"):
		return "it does not begin with a slash"
	case len(escaped) > maxPath:
		return "it is too long"
	case strings.Contains(escaped, "//"):
		return "it has an empty segment"
	}
	for i, r := range escaped {
		switch {
		case r == '%' && !isTriplet(escaped[i:]):
			return "it has a percent sign that encodes nothing"
		case mustBeEncoded(r):
			return "it has a character that must be encoded"
		}
	}
	return ""
}

// mustBeEncoded tells what does not stand in a path as it is, not even in an encoded byte.
func mustBeEncoded(r rune) bool {
	plain := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !plain && !strings.ContainsRune("/-._~!$&'()*+,;=:@[]%", r)
}

// view is the text of a path as some service may come to see it.
type view struct {
	text  string // begins with a slash
	depth int    // how often it has been decoded
}

// steps are what a service may make of a view by doing one thing to it.
func (v view) steps() []view {
	var steps []view
	add := func(text string, depth int) {
		if text != v.text {
			steps = append(steps, view{text, depth})
		}
	}
	add(unescape(v.text), v.depth+1)
	add(withoutParameters(v.text), v.depth)
	add(withoutEmpty(v.text), v.depth)
	add(strings.ReplaceAll(v.text, `\`, "/"), v.depth)
	add(beforeQuery(v.text), v.depth)
	add(plain(v.text), v.depth)
	return steps
}

// mistake says what makes a view one that no service must come to see; "" if nothing does.
func (v view) mistake() string {
	switch {
	case v.depth > maxDecodings:
		return "it is encoded too many times"
	case !utf8.ValidString(v.text): // overlong forms as well
		return "it is not UTF-8"
	case strings.ContainsFunc(v.text, unicode.IsControl):
		return "it has a control character"
	case isAddress(v.text):
		return "it can be taken for an address with a host of its own"
	case v.depth > 0 && isEncodedTwice(v.text):
		return "it has a question mark, a number sign or a %u escape that is encoded twice"
	case hasDotSegment(v.text):
		return "it has a dot segment"
	}
	return ""
}

var (
	parameters = regexp.MustCompile(`;[^/]*`)
	slashes    = regexp.MustCompile(`/{2,}`)
	scheme     = regexp.MustCompile(`^/[A-Za-z][A-Za-z0-9+.-]*:(/|$)`)
	twice      = regexp.MustCompile(`(?i)%(23|3f|u[0-9a-f]{4})`) // %u is of IIS and old JavaScript
)

// A regular expression takes longer than all else that most calls have done here; so each of these
// looks first whether there is anything to find.

func withoutParameters(text string) string {
	if !strings.Contains(text, ";") {
		return text
	}
	return parameters.ReplaceAllLiteralString(text, "")
}

func withoutEmpty(text string) string {
	if !strings.Contains(text, "//") {
		return text
	}
	return slashes.ReplaceAllLiteralString(text, "/")
}

// isAddress tells what looks like //host/path, or https://host/path after the first slash.
func isAddress(text string) bool {
	return strings.HasPrefix(text, "//") || strings.Contains(text, ":") && scheme.MatchString(text)
}

func isEncodedTwice(text string) bool {
	return strings.Contains(text, "%") && twice.MatchString(text)
}

func hasDotSegment(text string) bool {
	for segment := range strings.SplitSeq(text, "/") {
		if isDots(segment) {
			return true
		}
	}
	return false
}

// isDots tells a dot segment (RFC 3986 §3.3), and what Windows makes one of: it drops blanks and
// dots at the end of a name.
func isDots(segment string) bool {
	return strings.Contains(segment, ".") && strings.Trim(segment, ". ") == ""
}

// segments cuts the view at its slashes. What has not been decoded yet, is now: this is how
// RFC 3986 §2.4 has it.
func (v view) segments() []string {
	segments := strings.Split(v.text[1:], "/")
	if v.depth == 0 {
		for i, segment := range segments {
			segments[i] = unescape(segment)
		}
	}
	return segments
}

// beforeQuery cuts a view where a service that decodes first would see a query or a fragment.
func beforeQuery(text string) string {
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		return text[:i]
	}
	return text
}

// plain turns look-alikes of ASCII characters into them: those that Unicode holds equal (fullwidth
// forms, one character for two or three dots), and the slashes that Windows turns into plain ones.
func plain(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return text
	}
	return strings.NewReplacer("∕", "/", "⁄", "/", "∖", `\`).Replace(norm.NFKC.String(text))
}

// unescape decodes every percent-encoded byte once, and leaves a percent sign that encodes nothing.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var decoded strings.Builder
	for i := 0; i < len(s); i++ {
		if isTriplet(s[i:]) {
			decoded.WriteByte(fromHex(s[i+1])<<4 | fromHex(s[i+2]))
			i += 2
			continue
		}
		decoded.WriteByte(s[i])
	}
	return decoded.String()
}

// isTriplet tells that s begins with a percent-encoded byte (RFC 3986 §2.1).
func isTriplet(s string) bool { return len(s) >= 3 && s[0] == '%' && isHex(s[1]) && isHex(s[2]) }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func fromHex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&7 + 9 // a and A are 1 in the lowest three bits
}
