package templates

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/a-h/templ"
	"golang.org/x/text/language"
)

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.977 generate

//go:embed pages messages
var files embed.FS

// Page is what Render can write: Ticket, Code, Result, Relay or Problem.
type Page interface {
	in(v view) (templ.Component, error)
}

// Pages holds what is the same in all pages, and the translations.
type Pages struct {
	style   string
	script  string
	locales []Locale
	matcher language.Matcher
}

// New reads everything that is embedded.
func New() (*Pages, error) {
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
	return &Pages{style: string(style), script: string(script), locales: locales, matcher: newMatcher(locales)}, nil
}

// Render writes page to w. On an error w may have got a part of it, so give it a buffer.
func (p *Pages) Render(w io.Writer, l Locale, page Page) error {
	markup, err := page.in(view{Locale: l, style: p.style, script: p.script})
	if err == nil {
		err = markup.Render(context.Background(), w)
	}
	if err != nil {
		return fmt.Errorf("rendering %T: %w", page, err)
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
