package call

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// ErrNoTarget: the account lacks a value that calls.base_url or calls.headers need, or has one that
// does not fit there. Errors that wrap it are *TargetError.
var ErrNoTarget = errors.New("the account has no address to call")

// TargetError wraps ErrNoTarget and names the placeholder. The value stays out: it is the user's.
type TargetError struct {
	Placeholder string
	Missing     bool // else the value does not fit
}

// Error implements error.
func (e *TargetError) Error() string {
	what := "does not fit"
	if e.Missing {
		what = "is missing"
	}
	return fmt.Sprintf("finding the account's address: %v: its {%s} %s", ErrNoTarget, e.Placeholder, what)
}

// Unwrap lets errors.Is find ErrNoTarget.
func (e *TargetError) Unwrap() error { return ErrNoTarget }

// externalAccountID is the placeholder that every account has a value for: the identity's subject.
const externalAccountID = "external_account_id"

// base is a connection's calls.base_url. Where it has {placeholders}, each account has a base of
// its own. A placeholder is a whole label of the host, followed by a domain that the operator
// wrote out, or a whole segment of the path; so its value can't lead to another domain. What the
// user was asked for can be the whole host as well, for services that customers run themselves: the
// user's own credential goes where the user said.
type base struct {
	scheme string
	host   string // with placeholders, and the port if there is one
	asked  bool   // the whole host is one placeholder
	path   string // escaped, with placeholders; empty or beginning with a slash, without one at the end
}

// target is where a request to p goes as an account. Scheme, host and the path's beginning are the
// base's, whatever p and rawQuery are. It fails with ErrNoTarget, and ErrBadPath for the query.
func (b base) target(p path, rawQuery string, a *linkedaccount.Account) (url.URL, error) {
	if strings.ContainsFunc(rawQuery, isNeverInQuery) {
		return url.URL{}, fmt.Errorf("reading the query: %w: it has a character that must be encoded", ErrBadPath)
	}
	fits := isLabel
	if b.asked {
		fits = provider.IsAuthority
	}
	host, err := fill(b.host, a, fits)
	if err != nil {
		return url.URL{}, err
	}
	front, err := fill(b.path, a, isPathValue)
	if err != nil {
		return url.URL{}, err
	}
	escaped := front + p.escaped
	return url.URL{
		Scheme:   b.scheme,
		Host:     strings.ToLower(host),
		Path:     unescape(escaped),
		RawPath:  escaped,
		RawQuery: rawQuery,
	}, nil
}

// isNeverInQuery tells what would end the query, or the request line, early.
func isNeverInQuery(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }

// fill puts an account's values in the place of the placeholders.
func fill(template string, a *linkedaccount.Account, fits func(string) bool) (string, error) {
	if !strings.Contains(template, "{") {
		return template, nil
	}
	var filled strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		filled.WriteString(before)
		if !found {
			return filled.String(), nil
		}
		name, after, _ := strings.Cut(rest, "}")
		value := a.Identity.Settings[name]
		if name == externalAccountID {
			value = a.Identity.Subject
		}
		if !fits(value) {
			return "", &TargetError{Placeholder: name, Missing: value == ""}
		}
		filled.WriteString(value)
		template = after
	}
}

var (
	placeholder = regexp.MustCompile(`\{([A-Za-z0-9_.-]+)\}`)
	label       = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`) // RFC 1123 §2.1
	pathValue   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]{0,62}$`)
)

func isLabel(s string) bool { return label.MatchString(s) }

// isPathValue tells what may stand for a path segment: plain, and never a dot segment.
func isPathValue(s string) bool { return pathValue.MatchString(s) && !strings.Contains(s, "..") }

// placeholders names those of the base, each once.
func (b base) placeholders() []string {
	var names []string
	for _, found := range placeholder.FindAllStringSubmatch(b.host+b.path, -1) {
		if !slices.Contains(names, found[1]) {
			names = append(names, found[1])
		}
	}
	return names
}

// parseBase reads calls.base_url.
func parseBase(template string) (base, []provider.Problem) {
	b, m := readBase(template)
	if m != (mistake{}) {
		return base{}, []provider.Problem{{Key: "calls.base_url", Text: m.text, Remedy: m.remedy}}
	}
	return b, nil
}

func readBase(template string) (base, mistake) {
	const standIn = "x" // a label, a segment, and no port
	whole := placeholder.ReplaceAllLiteralString(template, standIn)
	u, err := url.Parse(whole)
	switch {
	case template == "":
		return base{}, mistake{"is missing", "write the address that every call begins with: https://api.example.com"}
	case strings.ContainsAny(whole, "{}"):
		return base{}, mistake{"has a brace that is not part of a placeholder", "write a placeholder as {" + externalAccountID + "}, or as {name} with a name of identity.settings"}
	case err != nil || u.Host == "" || u.Opaque != "":
		return base{}, mistake{"is not a URL", "write it as https://host/path"}
	case u.User != nil:
		return base{}, mistake{"has a user name or password in it", "leave it out: calls go out with the user's credential alone"}
	case strings.ContainsAny(template, "?#"):
		return base{}, mistake{"has a query or fragment", "leave out ? or # and what follows"}
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return base{}, mistake{"is not https", "write it as https://host/path; plain http is for loopback hosts only"}
	}
	_, rest, _ := strings.Cut(template, "://")
	host, front, _ := strings.Cut(rest, "/")
	if m := hostMistake(host, u); m != (mistake{}) {
		return base{}, m
	}
	front = strings.TrimSuffix("/"+front, "/")
	return base{u.Scheme, host, isPlaceholder(host), front}, frontMistake(front, standIn)
}

// hostMistake looks at the host with its port, as the template has it and, in u, with stand-ins.
func hostMistake(host string, u *url.URL) mistake {
	switch {
	case isPlaceholder(host): // placeholderProblems sees to it that the user was asked for it
		return mistake{}
	case strings.HasSuffix(host, ":") || u.Port() != "" && !isPort(u.Port()):
		return mistake{"has a port that is none", "write a number from 1 to 65535, or leave it and the colon out"}
	case net.ParseIP(u.Hostname()) != nil && !strings.Contains(host, "{"):
		return mistake{}
	}
	return nameMistake(strings.TrimSuffix(host, ":"+u.Port()))
}

func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return err == nil && port > 0
}

// nameMistake looks at a host name from its end. With a placeholder in the last two labels, an
// account could choose the domain; with a number as the last, an address (127.1 is one).
func nameMistake(name string) mistake {
	labels := strings.Split(name, ".")
	for i, l := range slices.Backward(labels) {
		after := len(labels) - 1 - i
		switch {
		case isPlaceholder(l) && after < 2:
			return mistake{"has a placeholder without a domain after it", "write at least two labels after it: https://{name}.example.com"}
		case isPlaceholder(l):
		case strings.Contains(l, "{"):
			return mistake{"has a placeholder that is only a part of a label", "make it the whole of what stands between two dots: https://{name}.example.com"}
		case !isLabel(l):
			return mistake{"has a host that is no name", "write the host as the service's documentation does, in ASCII: letters, digits, dashes and dots"}
		case after == 0 && strings.Trim(l[:1], "0123456789") == "":
			return mistake{"has a host that ends in a number and is no address", "write a host name, or all four numbers of an IPv4 address"}
		}
	}
	return mistake{}
}

func isPlaceholder(s string) bool { return s != "" && placeholder.FindString(s) == s }

// frontMistake holds the path that goes before every other to what those are held to.
func frontMistake(front, standIn string) mistake {
	for segment := range strings.SplitSeq(front, "/") {
		if strings.Contains(segment, "{") && !isPlaceholder(segment) {
			return mistake{"has a placeholder that is only a part of a path segment", "make it the whole of what stands between two slashes: https://api.example.com/{name}"}
		}
	}
	whole := placeholder.ReplaceAllLiteralString(front, standIn) + "/"
	found, why := readings(whole)
	switch {
	case why != "":
		return mistake{"has a path that is never sent: " + why, "write the path plainly, with one slash between segments"}
	case len(found) > 1:
		return mistake{"has a path that can be read in more than one way", `write it without encoded slashes, backslashes and semicolons`}
	}
	return mistake{}
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
