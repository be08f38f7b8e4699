package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"
)

//go:embed page.html operation.html guide.html style.css
var files embed.FS

// page is what the template is filled with.
type page struct {
	Style    template.CSS
	Title    string
	Tags     []tag
	Schemas  []schema
	Problems []problem

	samples map[string]template.HTML // curl, by operation id
}

// tag is a group of operations.
type tag struct {
	Name, Anchor string
	Text         template.HTML
	Operations   []operation
}

type operation struct {
	ID, Method, Path, Summary, Scope string
	Incoming                         bool // Linkgate sends it
	Text                             template.HTML
	Parameters                       []row
	Body                             template.HTML // link to its schema
	BodyNeeded                       bool
	BodyRows                         []row
	Answers                          []answer
	Sample, Example                  template.HTML
	ExampleOf                        string // the status, or "body"
	Problems                         []string
}

type answer struct {
	Status     string
	Text, Type template.HTML
}

type schema struct {
	Name, Anchor, Type string
	Text               template.HTML
	Rows               []row
	Values             []string
}

type problem struct {
	Slug, Title, Status string
	Everywhere          bool
	Meaning, Remedy     template.HTML
}

// render writes the page. tokens is the style of our other pages, whose colours it takes.
func render(root *tree, tokens string) ([]byte, error) {
	own, err := files.ReadFile("style.css")
	if err != nil {
		return nil, err
	}
	colours, _, found := strings.Cut(tokens, "*, ::before")
	if !found {
		return nil, errors.New("templates/pages/style.css: its colours are expected before the rule for *, ::before")
	}
	p := &page{Style: template.CSS(colours + string(own)), Title: root.at("info", "title").text(), samples: map[string]template.HTML{}}
	for _, fill := range []func(*tree) error{p.fillOperations, p.fillSchemas, p.fillProblems} {
		if err := fill(root); err != nil {
			return nil, err
		}
	}
	layout, err := template.New("page.html").Funcs(template.FuncMap{"sample": p.sample, "code": code}).ParseFS(files, "*.html")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = layout.Execute(&out, p)
	return out.Bytes(), err
}

// sample is the curl of an operation, for the guide.
func (p *page) sample(id string) (template.HTML, error) {
	if text, ok := p.samples[id]; ok {
		return text, nil
	}
	return "", fmt.Errorf("the guide shows %q, and no operation of this id has a sample", id)
}

func (p *page) fillOperations(root *tree) error {
	byTag := map[string][]operation{}
	for _, list := range []string{"paths", "webhooks"} {
		for _, item := range root.at(list).members() {
			for _, m := range item.members() {
				if !isOperation(m) {
					continue
				}
				o, err := operationOf(m, item)
				if err != nil {
					return fmt.Errorf("%s %s: %w", m.key, item.key, err)
				}
				o.Incoming = list == "webhooks"
				p.samples[o.ID] = o.Sample
				tag := m.at("tags").texts()[0]
				byTag[tag] = append(byTag[tag], o)
			}
		}
	}
	for _, t := range root.at("tags").items() {
		name := t.at("name").text()
		p.Tags = append(p.Tags, tag{name, "tag-" + name, markup(t.at("description").text()), byTag[name]})
	}
	return nil
}

// isOperation tells of a path's member whether it is an operation that has not been told already.
func isOperation(m member) bool {
	return slices.Contains([]string{"get", "put", "post", "patch", "delete"}, m.key) && !m.at("x-same-as").there()
}

// needs is what a description says of the scope, which the page has in a line of its own.
var needs = regexp.MustCompile("\\s*Needs\\s+`[a-z:]+`\\.")

func operationOf(m, item member) (operation, error) {
	o := operation{
		ID: m.at("operationId").text(), Method: strings.ToUpper(m.key), Path: item.key, Summary: m.at("summary").text(),
		Scope: m.at("x-scope").text(), Text: markup(needs.ReplaceAllString(m.at("description").text(), "")), Parameters: parameterRows(m.tree, item.tree),
		Problems: m.at("x-problems").texts(),
	}
	if m.at("x-passes-through").there() {
		o.Method = "ANY"
	}
	for _, s := range m.at("x-codeSamples").items() {
		o.Sample = code(s.at("source").text())
	}
	if body := m.at("requestBody", "content", "application/json"); body.there() {
		o.Body, o.BodyNeeded = typeOf(body.direct("schema")), m.at("requestBody", "required").text() == "true"
		o.BodyRows = memberRows(body.at("schema"))
		if err := o.exemplify("body", body); err != nil {
			return o, err
		}
	}
	for _, a := range m.at("responses").members() {
		if a.key == "default" {
			continue
		}
		content := a.at("content", "application/json")
		told := answer{Status: a.key, Text: markup(a.at("description").text())}
		if content.there() {
			told.Type = typeOf(content.direct("schema"))
		}
		o.Answers = append(o.Answers, told)
		if err := o.exemplify(a.key, content); err != nil {
			return o, err
		}
	}
	return o, nil
}

// exemplify takes over the example of a content; the last one counts.
func (o *operation) exemplify(of string, content *tree) error {
	value := content.at("examples", "one", "value")
	if !value.there() {
		return nil
	}
	var err error
	o.ExampleOf = of
	o.Example, err = pretty(value)
	return err
}

func (p *page) fillSchemas(root *tree) error {
	for _, s := range root.at("components", "schemas").members() {
		p.Schemas = append(p.Schemas, schema{
			Name: s.key, Anchor: schemaAnchor(s.key), Type: s.at("type").text(),
			Text: markup(s.at("description").text()), Rows: memberRows(s.tree), Values: s.at("enum").texts(),
		})
	}
	return nil
}

func (p *page) fillProblems(root *tree) error {
	for _, t := range root.at("x-problem-types").items() {
		slug := t.at("slug").text()
		p.Problems = append(p.Problems, problem{
			Slug: slug, Title: titleOf(slug), Status: t.at("status").text(), Everywhere: t.at("everywhere").there(),
			Meaning: markup(t.at("meaning").text()), Remedy: markup(t.at("remedy").text()),
		})
	}
	known := func(slug string) bool {
		return slices.ContainsFunc(p.Problems, func(p problem) bool { return p.Slug == slug })
	}
	for _, t := range p.Tags {
		for _, o := range t.Operations {
			for _, slug := range o.Problems {
				if !known(slug) {
					return fmt.Errorf("%s: x-problem-types does not explain %q", o.ID, slug)
				}
			}
		}
	}
	return nil
}

// titleOf is a slug in words, as the title of a problem is.
func titleOf(slug string) string {
	words := strings.ReplaceAll(slug, "-", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}
