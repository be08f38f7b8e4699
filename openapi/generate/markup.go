package main

import (
	"bytes"
	"encoding/json"
	"html/template"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
)

// markup is Markdown (CommonMark, as OpenAPI wants it) as HTML. Raw HTML in it is left out.
func markup(text string) template.HTML {
	var out bytes.Buffer
	if err := goldmark.Convert([]byte(text), &out); err != nil {
		return template.HTML(template.HTMLEscapeString(text))
	}
	html := strings.TrimSpace(out.String())
	if strings.Count(html, "<p>") == 1 && strings.HasPrefix(html, "<p>") {
		html = strings.TrimSuffix(strings.TrimPrefix(html, "<p>"), "</p>")
	}
	return template.HTML(html)
}

var (
	memberName = regexp.MustCompile(`(&#34;[A-Za-z0-9_.-]+&#34;)(:)`)
	variable   = regexp.MustCompile(`\$[A-Z_]+`)
	comment    = regexp.MustCompile(`(?m)(^| )# .*$`)
)

// code colours what a reader looks for: variables to fill in, names of members, remarks.
func code(text string) template.HTML {
	html := template.HTMLEscapeString(strings.TrimRight(text, "\n"))
	html = memberName.ReplaceAllString(html, `<b>$1</b>$2`)
	html = variable.ReplaceAllString(html, `<var>$0</var>`)
	return template.HTML(comment.ReplaceAllString(html, `<i>$0</i>`))
}

// pretty is an example as it would be shown to people.
func pretty(t *tree) (template.HTML, error) {
	compact, err := t.json()
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return "", err
	}
	return code(shortLists.ReplaceAllStringFunc(out.String(), func(list string) string {
		return strings.NewReplacer("[ ", "[", " ]", "]").Replace(spaces.ReplaceAllString(list, " "))
	})), nil
}

// shortLists are lists of texts, which are read more easily in one line.
var (
	shortLists = regexp.MustCompile(`\[\s+"[^\]{]*\]`)
	spaces     = regexp.MustCompile(`\s+`)
)
