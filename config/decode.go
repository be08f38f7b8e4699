package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"linkgate/secret"
)

// decoder turns parsed YAML into Go values. The library's own decoder stops at the first mistake;
// this one goes on and keeps them all.
type decoder struct {
	file     string
	vars     *variables
	mistakes []Mistake
	broken   map[string]bool   // keys of the present connection whose value could not be read
	inserted map[string]string // what has been put in for a variable, and the variable's name
}

func newDecoder(file string, vars *variables) *decoder {
	return &decoder{file: file, vars: vars, broken: map[string]bool{}, inserted: map[string]string{}}
}

// entry is one key of a mapping and its value.
type entry struct {
	key   string
	at    ast.Node // the key itself
	value ast.Node
}

func (d *decoder) add(at ast.Node, text, remedy string) {
	p := position(at)
	d.mistakes = append(d.mistakes, Mistake{File: d.file, Line: p.Line, Column: p.Column, Text: text, Remedy: remedy})
}

// position is where a node begins. The library places a mapping at its first colon.
func position(n ast.Node) *token.Position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			return position(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return position(m.Key)
	}
	return n.GetToken().Position
}

// structure sets the fields of v that entries name. path is the key of v itself with a dot after
// it, or empty. Where each key stands is put in where.
func (d *decoder) structure(entries []entry, v reflect.Value, path string, where map[string]ast.Node) {
	fields := fieldsByKey(v.Type())
	for _, e := range entries {
		index, ok := fields[e.key]
		if !ok {
			d.unknown(e, slices.DeleteFunc(slices.Sorted(maps.Keys(fields)), isForPresets))
			continue
		}
		where[path+e.key] = e.at
		d.value(e.value, v.Field(index), path+e.key, where)
	}
}

// value sets v from node according to v's type.
func (d *decoder) value(node ast.Node, v reflect.Value, key string, where map[string]ast.Node) {
	switch target := v.Addr().Interface().(type) {
	case *string:
		if s, ok := d.text(node, key); ok {
			*target = s
		}
	case *secret.Text:
		if s, ok := d.text(node, key); ok {
			*target = secret.New(s)
		}
	case *time.Duration:
		if duration, ok := d.duration(node, key); ok {
			*target = duration
		}
	case *bool:
		if truth, ok := d.truth(node, key); ok {
			*target = truth
		}
	case *[]string:
		*target = d.texts(node, key)
	case *map[string]string:
		*target = d.merged(*target, node, key, where)
	default:
		if v.Kind() == reflect.Slice {
			v.Set(d.structures(node, v.Type(), key, where))
		} else if entries, ok := d.mapping(node, key); ok {
			d.structure(entries, v, key+".", where)
		}
	}
}

// structures reads a list of mappings; it takes the place of the preset's. The keys of the second
// are found at "fields.1.key".
func (d *decoder) structures(node ast.Node, kind reflect.Type, key string, where map[string]ast.Node) reflect.Value {
	values := reflect.MakeSlice(kind, 0, 0)
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		d.wrong(node, key, "a list", fmt.Sprintf("Begin each entry of %s with a dash, and indent its other lines like the first.", key))
		return values
	}
	for i, item := range list.Values {
		path := fmt.Sprintf("%s.%d", key, i)
		where[path] = item
		one := reflect.New(kind.Elem()).Elem()
		if entries, ok := d.mapping(item, path); ok {
			d.structure(entries, one, path+".", where)
		}
		values = reflect.Append(values, one)
	}
	return values
}

// texts reads a list; it takes the place of the preset's.
func (d *decoder) texts(node ast.Node, key string) []string {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		d.wrong(node, key, "a list", fmt.Sprintf("Write it as `%s: [one, two]`, or each on a line of its own after a dash.", key))
		return nil
	}
	values := make([]string, 0, len(list.Values))
	for _, item := range list.Values {
		if s, ok := d.text(item, key); ok {
			values = append(values, s)
		}
	}
	return values
}

// merged reads a mapping of texts over values, which are the preset's (a copy of our own).
func (d *decoder) merged(values map[string]string, node ast.Node, key string, where map[string]ast.Node) map[string]string {
	entries, ok := d.mapping(node, key)
	if !ok {
		return values
	}
	if values == nil {
		values = map[string]string{}
	}
	for _, e := range entries {
		path := key + "." + e.key
		where[path] = e.at
		if s, ok := d.text(e.value, key+"."+nameOf(e.key)); ok {
			values[e.key] = s
		}
	}
	return values
}

// wrong adds that key's value is of the wrong kind, without showing it.
func (d *decoder) wrong(node ast.Node, key, want, remedy string) {
	text := fmt.Sprintf("%s: is not %s", key, want)
	switch node.(type) {
	case *ast.NullNode:
		text = key + ": has no value"
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		text = key + ": uses an anchor, alias or tag (&, * or !)"
		remedy = "Write the value out; if it begins with such a character, put it in quotes."
	}
	d.broken[key] = true
	d.add(node, text, remedy)
}

// mapping lists the entries of a mapping, each key once.
func (d *decoder) mapping(node ast.Node, key string) ([]entry, bool) {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		d.wrong(node, key, "a mapping", "Write `key: value` lines, indented alike.")
		return nil, false
	}
	entries := make([]entry, 0, len(pairs))
	lines := map[string]int{}
	for _, pair := range pairs {
		name, ok := d.key(pair.Key)
		if !ok {
			continue
		}
		if first, twice := lines[name]; twice {
			d.add(pair.Key, fmt.Sprintf("%s: is here twice, in line %d already", nameOf(name), first), "Keep one of the two.")
			continue
		}
		lines[name] = pair.Key.GetToken().Position.Line
		entries = append(entries, entry{key: name, at: pair.Key, value: pair.Value})
	}
	return entries, true
}

func (d *decoder) key(node ast.MapKeyNode) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	default:
		d.add(node, "this key is not a plain word", "Write `key: value`; << and anchors are not supported.")
		return "", false
	}
}

// unknown adds that nothing has this key, with the known one that is nearest.
func (d *decoder) unknown(e entry, known []string) {
	remedy := "Known here: " + strings.Join(known, ", ") + "."
	if meant, ok := nearest(e.key, known); ok {
		remedy = fmt.Sprintf("Did you mean %s?", meant)
	}
	d.add(e.at, "unknown key "+nameOf(e.key), remedy)
}

// wordy is what a key looks like. Anything else in its place may be a value, even a secret one,
// that slipped there.
var wordy = regexp.MustCompile(`^[A-Za-z][A-Za-z_.-]{0,29}$`)

func nameOf(key string) string {
	if wordy.MatchString(key) {
		return key
	}
	return "(not shown: it does not look like a key)"
}

// fieldsByKey finds a struct's fields by their yaml keys.
func fieldsByKey(t reflect.Type) map[string]int {
	fields := map[string]int{}
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			fields[key] = i
		}
	}
	return fields
}
