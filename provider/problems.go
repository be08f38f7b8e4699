package provider

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Problem is a mistake in a connection. Key is the yaml key it is at, with a dot where a key is
// inside another ("identity.url", "authorize_params.state").
type Problem struct {
	Key    string
	Text   string // what is wrong
	Remedy string // what to do
}

// Error makes a Problem an error.
func (p Problem) Error() string { return fmt.Sprintf("%s: %s; %s", p.Key, p.Text, p.Remedy) }

// maxShown is longer than what we know by name.
const maxShown = 15

// shown quotes a value of the operator's, so that a slip of the pen can be seen. A longer one is
// left out: it may be a secret that got into the wrong place.
func shown(value string) string {
	if len(value) > maxShown {
		return "(not shown: it may be a secret)"
	}
	return strconv.Quote(value)
}

// Problems lists every mistake in what this package uses of a connection, in the order of its
// keys. (auth_id and name are config's to check: what they may be is not the protocol's business.
// Of calls and app package call knows what they may be.)
func (c Connection) Problems() []Problem {
	p, ok := protocolNamed(c.protocol())
	if !ok {
		return []Problem{c.unknownProvider()}
	}
	var problems []Problem
	if _, direct := protocolNamed(c.Provider); direct && c.Protocol != "" && c.Protocol != c.Provider {
		problems = append(problems, Problem{"protocol", "differs from provider, which is a protocol itself", "leave protocol out"})
	}
	if !p.clientless {
		problems = append(problems, c.clientProblems()...)
	}
	problems = append(problems, c.scopeProblems()...)
	problems = append(problems, paramProblems("authorize_params", c.AuthorizeParams, p.reservedParams())...)
	problems = append(problems, paramProblems("token_params", c.TokenParams, reservedTokenParams())...)
	problems = append(problems, c.fieldProblems()...)
	problems = append(problems, c.templateProblem("revoke_url", c.RevokeURL, optional)...)
	problems = append(problems, c.removalProblems()...)
	problems = append(problems, c.tokenProblems()...)
	problems = append(problems, pathProblem("identity.name", c.Identity.Name)...)
	problems = append(problems, c.settingProblems()...)
	problems = append(problems, c.bodyProblems()...)
	problems = append(problems, c.credentialProblems()...)
	return append(problems, p.problems(c)...)
}

func (c Connection) unknownProvider() Problem {
	remedy := "use a preset, which `linkgate presets` lists, or one of " + strings.Join(Protocols(), ", ")
	switch {
	case c.Protocol != "":
		return Problem{"protocol", "unknown protocol " + shown(c.Protocol), "use one of " + strings.Join(Protocols(), ", ")}
	case c.Provider == "":
		return Problem{"provider", "is missing", remedy}
	default:
		return Problem{"provider", "unknown provider " + shown(c.Provider), remedy}
	}
}

func (c Connection) clientProblems() []Problem {
	if p, ok := protocolNamed(c.protocol()); ok && p.client != nil {
		return p.client(c)
	}
	if c.Registration.On() {
		return c.registrationProblems()
	}
	var problems []Problem
	if c.ClientID == "" {
		problems = append(problems, Problem{"client_id", "is missing", "copy it from the service's page about your app"})
	}
	switch c.AuthStyle {
	case "", AuthBasic, AuthPost:
		if c.ClientSecret.IsZero() {
			problems = append(problems, Problem{"client_secret", "is missing", "copy it from the service's page about your app, or set auth_style: none for a public client"})
		}
	case AuthNone:
		if !c.ClientSecret.IsZero() {
			problems = append(problems, Problem{"client_secret", "is set, but auth_style none does not send it", "leave it out, or set auth_style to basic or post"})
		}
	case AuthPrivateKeyJWT, AuthSecretJWT:
		problems = append(problems, c.assertionProblems()...)
	default:
		problems = append(problems, Problem{"auth_style", "unknown style " + shown(c.AuthStyle), "use basic, post, none, private_key_jwt or client_secret_jwt"})
	}
	return problems
}

func (c Connection) scopeProblems() []Problem {
	var problems []Problem
	for _, scope := range c.Scopes {
		if !c.isOneScope(scope) {
			problems = append(problems, Problem{"scopes", shown(scope) + " is not one scope", "write each scope as an entry of its own"})
		}
	}
	if len(c.ScopeSeparator) > 1 || strings.ContainsFunc(c.ScopeSeparator, isWordRune) {
		problems = append(problems, Problem{"scope_separator", shown(c.ScopeSeparator) + " can't separate scopes", `use one sign, such as ","; leave it out for a space`})
	}
	return problems
}

// isScope holds a scope to the characters of RFC 6749 §3.3.
func isScope(s string) bool {
	for _, r := range s {
		if r <= 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return false
		}
	}
	return s != ""
}

func isWordRune(r rune) bool {
	return r < 0x20 || r > 0x7e || r == '.' || r == ':' || r == '_' || r == '-' || r == '/' ||
		'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// reservedAuthorizeParams are made anew for each attempt, or would take the others' place (request
// and request_uri, RFC 9101).
func reservedAuthorizeParams() []string {
	return []string{
		"client_id", "code_challenge", "code_challenge_method", "nonce", "redirect_uri",
		"request", "request_uri", "response_type", "scope", "state",
	}
}

func (p protocol) reservedParams() []string {
	if p.reserved == nil {
		return reservedAuthorizeParams()
	}
	return p.reserved
}

func reservedTokenParams() []string {
	return []string{
		"client_assertion", "client_assertion_type", "client_id", "client_secret", "code",
		"code_verifier", "grant_type", "redirect_uri", "refresh_token",
	}
}

func paramProblems(key string, params map[string]string, reserved []string) []Problem {
	var problems []Problem
	for _, name := range slices.Sorted(maps.Keys(params)) {
		at := key + "." + name
		switch {
		case name == "":
			problems = append(problems, Problem{key, "has a parameter without a name", "name it or leave it out"})
		case name == "scope" && slices.Contains(reserved, name):
			problems = append(problems, Problem{at, "is set by Linkgate", "use scopes instead"})
		case slices.Contains(reserved, name):
			problems = append(problems, Problem{at, "is set by Linkgate", "leave it out"})
		case name == "response_mode" && params[name] != "query" && params[name] != "form_post":
			problems = append(problems, Problem{at, "is " + shown(params[name]) + ", and Linkgate takes the answer from the query or a form alone", "leave it out, or use query or form_post"})
		}
	}
	return problems
}

// need says whether a key may be left out.
type need bool

const (
	required need = true
	optional need = false
)

func urlProblem(key, address string, n need) []Problem {
	if address == "" {
		if n == optional {
			return nil
		}
		return []Problem{{key, "is missing", "find it in the service's documentation"}}
	}
	if mistake := urlMistake(address); mistake != "" {
		return []Problem{{key, mistake, "write it as https://host/path; plain http is for loopback hosts only"}}
	}
	return nil
}

// urlMistake says what keeps an address from being one that we send secrets to; "" if nothing does.
func urlMistake(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "is not a URL"
	case u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		return "is not an absolute URL"
	case u.User != nil:
		return "has a user name or password in it"
	case strings.Contains(address, "#"):
		return "has a fragment"
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return ""
	default:
		return "is not https"
	}
}

func isHTTPS(address string) bool { return strings.HasPrefix(strings.ToLower(address), "https://") }

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

func pathProblem(key, path string) []Problem {
	if path == "" || !slices.Contains(strings.Split(path, "."), "") {
		return nil
	}
	return []Problem{{key, shown(path) + " is not a path", "write names and numbers with dots between them: data.0.id"}}
}

func unused(key, value, remedy string) []Problem {
	if value == "" {
		return nil
	}
	return []Problem{{key, "is not used by this protocol", remedy}}
}
