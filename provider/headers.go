package provider

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// asAPI is authorize for a request of our own to the service's API, which may want calls.headers as
// much as it does with calls (Notion refuses what names no version). They go to the origin of
// calls.base_url alone. One whose value only the identity tells is left out: it is not known yet.
func (c Connection) asAPI(authorize func(*http.Request)) func(*http.Request) {
	return func(r *http.Request) {
		if strings.EqualFold(originOf(c.Calls.BaseURL), originOf(r.URL.String())) {
			for name, value := range c.Calls.Headers {
				if !strings.Contains(value, "{") {
					r.Header.Set(name, value)
				}
			}
		}
		authorize(r)
	}
}

// inHeaders tells whether a field's value stands in one of calls.headers.
func (c Connection) inHeaders(key string) bool {
	has := func(value string) bool { return strings.Contains(value, "{"+key+"}") }
	return slices.ContainsFunc(slices.Collect(maps.Values(c.Calls.Headers)), has)
}

// IsHeaderValue tells what can be a header's value as it stands (RFC 9110 §5.5): visible ASCII, with
// blanks between at most.
func IsHeaderValue(s string) bool {
	notASCII := func(r rune) bool { return r < ' ' || r > '~' }
	return s != "" && s == strings.TrimSpace(s) && httpguts.ValidHeaderFieldValue(s) && !strings.ContainsFunc(s, notASCII)
}
