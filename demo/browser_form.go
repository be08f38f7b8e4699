package demo

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// Form is a form on a page with its fields as they stand.
type Form struct {
	Method  string // GET or POST
	Action  *url.URL
	Fields  url.Values
	Buttons []Button
}

// Button is a submit button.
type Button struct {
	Label, Name, Value string
}

// ErrNoButton: the page has no such button to press.
var ErrNoButton = errors.New("no such button on the page")

// Submit presses the button with that label or value (empty: the first button of the first form
// that has one) after setting fields. Origin and Sec-Fetch-Site are those of a real browser.
func (b *Browser) Submit(ctx context.Context, p Page, button string, fields url.Values) (Page, error) {
	form, pressed, ok := p.find(button)
	if !ok {
		return p, ErrNoButton
	}
	sent := url.Values{}
	for _, source := range []url.Values{form.Fields, fields} {
		for name, values := range source {
			sent[name] = values
		}
	}
	if pressed.Name != "" {
		sent.Set(pressed.Name, pressed.Value)
	}
	to := *form.Action
	if form.Method == http.MethodGet {
		to.RawQuery, sent = sent.Encode(), nil
	}
	return b.navigate(ctx, navigation{method: form.Method, to: &to, from: p.URL, form: sent})
}

func (p Page) find(button string) (Form, Button, bool) {
	for _, f := range p.Forms {
		for _, b := range f.Buttons {
			if button == "" || button == b.Label || button == b.Value {
				return f, b, true
			}
		}
	}
	return Form{}, Button{}, false
}

func (p Page) has(button string) bool {
	_, _, ok := p.find(button)
	return ok
}

// parseForms finds the forms of a page. Text that is no HTML has none.
func parseForms(page *url.URL, text string) []Form {
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return nil
	}
	var forms []Form
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" {
			forms = append(forms, parseForm(page, n))
		}
	}
	return forms
}

func parseForm(page *url.URL, n *html.Node) Form {
	f := Form{Method: http.MethodGet, Action: page, Fields: url.Values{}}
	if strings.EqualFold(attr(n, "method"), http.MethodPost) {
		f.Method = http.MethodPost
	}
	if action, err := page.Parse(attr(n, "action")); err == nil && attr(n, "action") != "" {
		f.Action = action
	}
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && !has(c, "disabled") {
			f.add(c)
		}
	}
	return f
}

// add takes one control of the form.
func (f *Form) add(n *html.Node) {
	name, value, kind := attr(n, "name"), attr(n, "value"), strings.ToLower(attr(n, "type"))
	switch {
	case n.Data == "button" && (kind == "" || kind == "submit"):
		f.Buttons = append(f.Buttons, Button{Label: text(n), Name: name, Value: value})
	case n.Data == "input" && kind == "submit":
		f.Buttons = append(f.Buttons, Button{Label: value, Name: name, Value: value})
	case n.Data != "input" || name == "" || kind == "button" || kind == "reset" || kind == "image":
		// neither a button nor a field that is sent; other controls are on no page of ours
	case kind != "checkbox" && kind != "radio" || has(n, "checked"):
		f.Fields.Add(name, value)
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// text is what a person reads in n.
func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
