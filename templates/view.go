package templates

import (
	"fmt"
	"strings"

	"github.com/a-h/templ"
)

// view is what the markup of a page is written with: a language, and what every page has in it.
type view struct {
	Locale
	style, script string
}

// say is the message as markup; Locale.T has escaped it.
func (v view) say(key string, pairs ...string) templ.Component {
	return templ.Raw(v.T(key, pairs...))
}

// service is the name to speak of a service by.
func (v view) service(name string) (string, error) {
	if name == "" {
		return v.Plain("service.unknown")
	}
	return name, nil
}

// styled is our style, byte for byte what the content security policy allows.
func (v view) styled() templ.Component { return templ.Raw("<style>" + v.style + "</style>") }

// scripted is our script, likewise. data are names and values of its data attributes.
func (v view) scripted(data ...string) templ.Component {
	var b strings.Builder
	b.WriteString("<script")
	for i := 0; i+1 < len(data); i += 2 {
		b.WriteString(" data-" + data[i] + `="` + templ.EscapeString(data[i+1]) + `"`)
	}
	b.WriteString(">" + v.script + "</script>")
	return templ.Raw(b.String())
}

// unsafeAddress leads nowhere. It stands where an address could have run a script, and is what
// html/template puts there, so that whoever finds it on a page can look it up.
const unsafeAddress templ.SafeURL = "#ZgotmplZ"

// address is an address that a page may lead to: one of the web, or one without a scheme; templ's
// own check would let more schemes through. What is no printable ASCII, or could end an attribute,
// is percent-encoded, so that an address can't paint over what stands around it.
func address(s string) templ.SafeURL {
	scheme, _, found := strings.Cut(s, ":")
	if found && !strings.Contains(scheme, "/") && !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
		return unsafeAddress
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || strings.IndexByte("\"'<>()`", c) >= 0 {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return templ.SafeURL(b.String())
}
