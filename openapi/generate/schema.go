package main

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// row is a parameter, or a member of an object, in a table.
type row struct {
	Name, In string
	Type     template.HTML
	Needed   bool
	Text     template.HTML
	Limits   string
	Values   []string // there are no others
}

func parameterRows(operation, item *tree) []row {
	var rows []row
	for _, list := range []*tree{item.at("parameters"), operation.at("parameters")} {
		for _, p := range list.items() {
			schema := p.at("schema")
			rows = append(rows, row{
				Name: p.at("name").text(), In: p.at("in").text(), Needed: p.at("required").text() == "true",
				Type: typeOf(p.followed().direct("schema")), Text: markup(p.at("description").text()), Limits: limitsOf(schema), Values: valuesOf(schema),
			})
		}
	}
	return rows
}

func memberRows(schema *tree) []row {
	needed := schema.at("required").texts()
	var rows []row
	for _, m := range schema.at("properties").members() {
		text := m.direct("description").text()
		if m.ref() == "" {
			text = m.at("description").text()
		}
		rows = append(rows, row{
			Name: m.key, Type: typeOf(m.tree), Needed: slices.Contains(needed, m.key), Text: markup(text),
			Limits: limitsOf(m.followed()), Values: valuesOf(m.tree),
		})
	}
	return rows
}

// typeOf is a schema in a few words; those of the document are links.
func typeOf(t *tree) template.HTML {
	if name := t.ref(); name != "" {
		return template.HTML(fmt.Sprintf(`<a href="#%s">%s</a>`, schemaAnchor(name), template.HTMLEscapeString(name)))
	}
	if options := t.at("oneOf").items(); len(options) > 0 {
		var all []string
		for _, option := range options {
			all = append(all, string(typeOf(option)))
		}
		slices.Reverse(all) // null last
		return template.HTML(strings.Join(all, " or "))
	}
	if inner := t.direct("items"); inner.there() {
		return "list of " + typeOf(inner)
	}
	kinds := t.at("type").texts()
	if len(kinds) == 0 {
		kinds = []string{t.at("type").text()}
	}
	text := strings.Join(kinds, " or ")
	if t.at("format").text() == "date-time" {
		text = strings.Replace(text, "string", "time", 1)
	}
	if properties := t.at("properties").members(); len(properties) > 0 {
		var names []string
		for _, p := range properties {
			names = append(names, p.key)
		}
		text += " {" + strings.Join(names, ", ") + "}"
	}
	return template.HTML(template.HTMLEscapeString(text))
}

// limitsOf words what a value must keep to.
func limitsOf(t *tree) string {
	var all []string
	add := func(format, key string) {
		if v := t.at(key).text(); v != "" {
			all = append(all, fmt.Sprintf(format, v))
		}
	}
	low, high := t.at("minimum").text(), t.at("maximum").text()
	if low != "" && high != "" {
		all = append(all, low+" to "+high)
	} else {
		add("at least %s", "minimum")
		add("at most %s", "maximum")
	}
	add("up to %s characters", "maxLength")
	add("up to %s entries", "maxItems")
	add("default %s", "default")
	return strings.Join(all, " · ")
}

// valuesOf are a schema's only values, unless it has a name: then its own section lists them.
func valuesOf(t *tree) []string {
	if t.ref() != "" {
		return nil
	}
	return t.at("enum").texts()
}

func schemaAnchor(name string) string { return "schema-" + name }
