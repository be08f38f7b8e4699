package call

import (
	"net/url"
	"strings"

	"linkgate/provider"
)

// cleanQuery takes out of a query what is ours (linked_account_id), what names another method than
// the rules have allowed, and credentials (RFC 6750 §2.3, and the parameter that ours goes into).
// The rest keeps its order and its bytes.
func cleanQuery(rawQuery string, c provider.Connection) string {
	var kept strings.Builder
	first := true
	for rest := rawQuery; rest != ""; {
		piece := firstPiece(rest)
		rest = rest[len(piece):]
		if isDroppedParameter(piece, c.Credential.Query) {
			continue
		}
		if first && len(piece) < len(rawQuery)-len(rest) {
			piece = piece[1:] // the separator from what was dropped before it
		}
		kept.WriteString(piece)
		first = false
	}
	return kept.String()
}

// firstPiece is the first parameter of a query, with the separator before it if it begins with one.
// A semicolon separates as well: HTML 4 asked services to take one for an ampersand, and some do.
func firstPiece(query string) string {
	if end := strings.IndexAny(query[1:], "&;"); end >= 0 {
		return query[:end+1]
	}
	return query
}

func isDroppedParameter(piece, ours string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(piece, "&;"), "=")
	name = parameterName(name)
	switch name {
	case "":
		return false
	case "linked_account_id", "access_token", "_method",
		"x_http_method_override", "x_http_method", "x_method_override":
		return true
	}
	return name == parameterName(url.QueryEscape(ours))
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
	return strings.NewReplacer(".", "_", " ", "_", "[", "_", "-", "_").Replace(name)
}
