package config

import (
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

const minRedacted = 6 // characters

// text reads a scalar as it is written, so that a client id of digits keeps its zeros, and puts
// the values of variables in.
func (d *decoder) text(node ast.Node, key string) (string, bool) {
	var raw string
	switch n := node.(type) {
	case *ast.StringNode:
		raw = n.Value
	case *ast.LiteralNode:
		raw = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		raw = node.GetToken().Value
	case *ast.NullNode:
		d.wrong(node, key, "", `Write the value after the colon, or "" for an empty one.`)
		return "", false
	default:
		d.wrong(node, key, "a text", "Write one value after the colon, in quotes if it has special characters.")
		return "", false
	}
	value, mistake := expand(raw, d.lookup)
	if mistake != nil {
		d.add(node, key+": "+mistake.Text, mistake.Remedy)
		d.broken[key] = true
		return "", false
	}
	return value, true
}

// duration reads a number with its unit, such as 90s.
func (d *decoder) duration(node ast.Node, key string) (time.Duration, bool) {
	text, ok := d.text(node, key)
	if !ok {
		return 0, false
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		d.wrong(node, key, "a duration", "Write a number with its unit, such as 90s or 24h.")
		return 0, false
	}
	return duration, true
}

// truth reads true or false.
func (d *decoder) truth(node ast.Node, key string) (truth, ok bool) {
	text, ok := d.text(node, key)
	if !ok {
		return false, false
	}
	switch strings.ToLower(text) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	d.add(node, key+": is neither true nor false", "Write true or false.")
	return false, false
}

// lookup finds a variable's value and remembers it, for redact.
func (d *decoder) lookup(name string) (string, *Mistake) {
	value, mistake := reference(name, d.vars)
	if mistake == nil {
		d.inserted[value] = name
	}
	return value, mistake
}

// redact shows a variable in place of its value, which may be a secret in the wrong place. Where
// a text quotes, the value is quoted too, and may be cut. What is very short is no secret.
func (d *decoder) redact(text string) string {
	for value, name := range d.inserted {
		if len(value) < minRedacted {
			continue
		}
		quoted := strconv.Quote(value)
		for _, form := range []string{value, quoted[1 : len(quoted)-1]} {
			text = strings.ReplaceAll(text, form, "${"+name+"}")
			text = redactCut(text, form, "${"+name+"}")
		}
	}
	return text
}

// redactCut shows by in place of the beginning of a value, where a text has been cut short in it.
func redactCut(text, value, by string) string {
	for n := len(value); n >= minRedacted; n-- {
		text = strings.ReplaceAll(text, value[:n]+"…", by+"…")
	}
	return text
}
