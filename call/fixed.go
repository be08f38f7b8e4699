package call

import (
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"linkgate/linkedaccount"
	"linkgate/provider"
)

// fixedHeader is one of calls.headers. Its name is spelt as net/http does.
type fixedHeader struct {
	name     string
	values   []string // of every call; nil: each account has its own
	template string   // with placeholders, where values is nil
}

// fixedHeaders are set on every call of a connection, whatever the caller sent under their names.
type fixedHeaders []fixedHeader

func newFixedHeaders(of map[string]string) (all fixedHeaders) {
	for name, value := range of {
		h := fixedHeader{name: textproto.CanonicalMIMEHeaderKey(name), template: value}
		if !strings.Contains(value, "{") {
			h.values = []string{value}
		}
		all = append(all, h)
	}
	return all
}

// put sets them. It fails with ErrNoTarget.
func (all fixedHeaders) put(into http.Header, a *linkedaccount.Account) error {
	for _, h := range all {
		values := h.values
		if values == nil {
			value, err := fill(h.template, a, provider.IsHeaderValue)
			if err != nil {
				return err
			}
			values = []string{value}
		}
		into[h.name] = values
	}
	return nil
}

// drop takes what has their names out of a trailer, which some services read as part of the header.
func (all fixedHeaders) drop(from http.Header) {
	for _, h := range all {
		delete(from, h.name)
	}
}

// headerProblems are those of calls.headers.
func headerProblems(c provider.Connection) []provider.Problem {
	var problems []provider.Problem
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.Calls.Headers)) {
		add := func(m mistake) {
			problems = append(problems, provider.Problem{Key: "calls.headers." + name, Text: m.text, Remedy: m.remedy})
		}
		lower := strings.ToLower(name)
		switch {
		case name == "" || !isPlainName(lower):
			add(mistake{"can't be a header's name", "use letters, digits and -, such as X-Api-Version"})
		case seen[lower]:
			add(mistake{"is there twice", "keep one of the two; a preset's is replaced under the name that the preset has"})
		case isCredentialHeader(lower, c.Credential):
			add(mistake{"is where the credential goes", "leave it out: the user's credential is put in by itself"})
		case provider.IsReservedHeader(name) || isDroppedFromRequest(lower):
			add(mistake{"is a header that Linkgate sets itself, or never sends", "leave it out"})
		default:
			if m := valueMistake(c, c.Calls.Headers[name]); m != (mistake{}) {
				add(m)
			}
		}
		seen[lower] = true
	}
	return problems
}

// isCredentialHeader tells the header that carries the credential. Authorization is refused to all.
func isCredentialHeader(lower string, place provider.CredentialPlace) bool {
	return lower == "authorization" || lower == strings.ToLower(place.Header)
}

func valueMistake(c provider.Connection, value string) mistake {
	whole := placeholder.ReplaceAllLiteralString(value, "x")
	switch {
	case strings.ContainsAny(whole, "{}"):
		return mistake{"has a brace that is not part of a placeholder", "write a placeholder as {name}, with a name of identity.settings or the key of a field"}
	case !provider.IsHeaderValue(whole):
		return mistake{"has a value that can't be a header's", "write what the service's documentation says, in ASCII, on one line and without blanks around it"}
	}
	for _, found := range placeholder.FindAllStringSubmatch(value, -1) {
		if name := found[1]; !told(c, name) && !asked(c, name) && name != externalAccountID {
			return unknownPlaceholder(name)
		}
	}
	return mistake{}
}

// told tells a value that the identity brings.
func told(c provider.Connection, name string) bool {
	_, is := c.Identity.Settings[name]
	return is
}

// asked tells a value that the user types, and that is no secret.
func asked(c provider.Connection, name string) bool {
	return slices.ContainsFunc(c.Fields, func(f provider.Field) bool { return f.Key == name && !f.Secret })
}

func unknownPlaceholder(name string) mistake {
	return mistake{
		fmt.Sprintf("has the placeholder {%s}, and no account has a value for it", name),
		fmt.Sprintf("name in identity.settings.%s where the service tells it, ask for it with a field, or use {%s}", name, externalAccountID),
	}
}
