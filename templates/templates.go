package templates

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"

	"golang.org/x/text/language"
)

//go:embed pages messages
var files embed.FS

// Page is what Render can write: Ticket, Result, Relay or Problem.
type Page interface {
	template() string // the file in pages/, without .html
}

// Pages holds the parsed templates and the translations.
type Pages struct {
	set     *template.Template
	style   template.CSS
	script  template.JS
	locales []Locale
	matcher language.Matcher
}

// New parses everything that is embedded.
func New() (*Pages, error) {
	set, err := template.ParseFS(files, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("parsing pages: %w", err)
	}
	style, err := files.ReadFile("pages/style.css")
	if err != nil {
		return nil, fmt.Errorf("reading style: %w", err)
	}
	script, err := files.ReadFile("pages/script.js")
	if err != nil {
		return nil, fmt.Errorf("reading script: %w", err)
	}
	locales, err := readLocales()
	if err != nil {
		return nil, err
	}
	return &Pages{
		set:     set,
		style:   template.CSS(style), //nolint:gosec // our own file, not input
		script:  template.JS(script), //nolint:gosec // our own file, not input
		locales: locales,
		matcher: newMatcher(locales),
	}, nil
}

// view is what a template works on. The locale's T and Plain are its methods.
type view struct {
	Locale
	Page   Page
	Style  template.CSS
	Script template.JS
}

// Render writes page to w. On an error w may have got a part of it, so give it a buffer.
func (p *Pages) Render(w io.Writer, l Locale, page Page) error {
	v := view{Locale: l, Page: page, Style: p.style, Script: p.script}
	if err := p.set.ExecuteTemplate(w, page.template()+".html", v); err != nil {
		return fmt.Errorf("rendering %s: %w", page.template(), err)
	}
	return nil
}

// StyleSource is the source expression that allows our style in a content security policy (CSP
// Level 3 §2.3.1).
func (p *Pages) StyleSource() string { return source([]byte(p.style)) }

// ScriptSource is the same for our script.
func (p *Pages) ScriptSource() string { return source([]byte(p.script)) }

func source(content []byte) string {
	sum := sha256.Sum256(content)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
