package call

import (
	"strings"

	"linkgate/provider"
)

// cleanQuery takes out of a query what is ours (linked_account_id and component_id), what names
// another method than the rules have allowed, and credentials (RFC 6750 §2.3, and the parameter that
// ours goes into). The rest keeps its order and its bytes.
func cleanQuery(rawQuery string, c provider.Connection) string {
	if rawQuery == "" {
		return ""
	}
	var kept strings.Builder
	for rest := "&" + rawQuery; rest != ""; {
		piece := firstPiece(rest)
		rest = rest[len(piece):]
		if !isDroppedParameter(piece[1:], c.Credential.Query) {
			kept.WriteString(piece)
		}
	}
	if kept.Len() == 0 {
		return ""
	}
	return kept.String()[1:]
}

// firstPiece is the first parameter of a query that begins with a separator, with that separator.
// A semicolon is one too: HTML 4 asked services to take it for an ampersand, and some do.
func firstPiece(query string) string {
	if end := strings.IndexAny(query[1:], "&;"); end >= 0 {
		return query[:end+1]
	}
	return query
}

func isDroppedParameter(parameter, ours string) bool {
	name, _, _ := strings.Cut(parameter, "=")
	name = parameterName(name)
	switch name {
	case "":
		return false
	case "linked_account_id", "component_id", "access_token", "_method",
		"x_http_method_override", "x_http_method", "x_method_override":
		return true
	}
	return name == parameterName(ours)
}

// parameterName makes one of all names that some service takes for the same: PHP drops blanks
// before a name, ends it at a NUL and has an underscore for a dot, a blank and a lone bracket;
// others have name[] for a list, don't mind capitals, or decode more than once.
func parameterName(name string) string {
	for range maxDecodings {
		name = unescape(strings.ReplaceAll(name, "+", " "))
	}
	name, _, _ = strings.Cut(name, "\x00")
	name = strings.ToLower(strings.TrimLeft(name, "? \t\r\n\v\f"))
	if before, after, found := strings.Cut(name, "["); found && strings.Contains(after, "]") {
		name = before
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(". [-", r) {
			return '_'
		}
		return r
	}, name)
}
