package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// tree is a value of the document. Mappings keep their order: it is the order of the page.
type tree struct {
	value any
	root  *tree
}

func parse(text []byte) (*tree, error) {
	root := &tree{}
	if err := yaml.UnmarshalWithOptions(text, &root.value, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	root.value = once(root.value)
	root.root = root
	return root, nil
}

// once leaves the last of equal keys in mappings: a merge key (<<) leaves two, the merged one first.
func once(value any) any {
	switch v := value.(type) {
	case yaml.MapSlice:
		var kept yaml.MapSlice
		at := map[any]int{}
		for _, item := range v {
			item.Value = once(item.Value)
			if i, ok := at[item.Key]; ok {
				kept[i] = item
				continue
			}
			at[item.Key] = len(kept)
			kept = append(kept, item)
		}
		return kept
	case []any:
		for i := range v {
			v[i] = once(v[i])
		}
	}
	return value
}

// json is the value as JSON, in its order.
func (t *tree) json() ([]byte, error) {
	var compact, out bytes.Buffer
	if err := writeJSON(&compact, t.value); err != nil {
		return nil, err
	}
	if err := json.Indent(&out, compact.Bytes(), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

func writeJSON(out *bytes.Buffer, value any) error {
	switch v := value.(type) {
	case yaml.MapSlice:
		return writeList(out, "{}", len(v), func(i int) error {
			if err := writeJSON(out, fmt.Sprint(v[i].Key)); err != nil {
				return err
			}
			out.WriteByte(':')
			return writeJSON(out, v[i].Value)
		})
	case []any:
		return writeList(out, "[]", len(v), func(i int) error { return writeJSON(out, v[i]) })
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func writeList(out *bytes.Buffer, brackets string, n int, write func(i int) error) error {
	out.WriteByte(brackets[0])
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := write(i); err != nil {
			return err
		}
	}
	out.WriteByte(brackets[1])
	return nil
}

// at is what is below, by keys; references on the way are followed. Never nil.
func (t *tree) at(keys ...string) *tree {
	found := t.followed()
	for _, key := range keys {
		mapping, _ := found.value.(yaml.MapSlice)
		found = &tree{root: t.root}
		for _, item := range mapping {
			if item.Key == key {
				found.value = item.Value
			}
		}
		found = found.followed()
	}
	return found
}

// followed is what a reference leads to, or t.
func (t *tree) followed() *tree {
	mapping, _ := t.value.(yaml.MapSlice)
	for _, item := range mapping {
		if ref, ok := item.Value.(string); ok && item.Key == "$ref" {
			return t.root.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
	}
	return t
}

// ref is the last word of t's reference; empty when it is none.
func (t *tree) ref() string {
	mapping, _ := t.value.(yaml.MapSlice)
	for _, item := range mapping {
		if ref, ok := item.Value.(string); ok && item.Key == "$ref" {
			return ref[strings.LastIndexByte(ref, '/')+1:]
		}
	}
	return ""
}

// direct is what one key has, and no reference is followed: for who wants to know its name.
func (t *tree) direct(key string) *tree {
	mapping, _ := t.value.(yaml.MapSlice)
	for _, item := range mapping {
		if item.Key == key {
			return &tree{item.Value, t.root}
		}
	}
	return &tree{root: t.root}
}

// member is one of a mapping's.
type member struct {
	key string
	*tree
}

func (t *tree) members() []member {
	mapping, _ := t.value.(yaml.MapSlice)
	var all []member
	for _, item := range mapping {
		all = append(all, member{fmt.Sprint(item.Key), &tree{item.Value, t.root}})
	}
	return all
}

func (t *tree) items() []*tree {
	list, _ := t.value.([]any)
	var all []*tree
	for _, value := range list {
		all = append(all, &tree{value, t.root})
	}
	return all
}

func (t *tree) there() bool { return t.value != nil }

// text is a scalar as text; empty when there is none.
func (t *tree) text() string {
	if t.value == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(t.value))
}

func (t *tree) texts() []string {
	var all []string
	for _, item := range t.items() {
		all = append(all, item.text())
	}
	return all
}
