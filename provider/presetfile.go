package provider

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// PresetFile is one file of presets/: facts about a service. Connection has the keys of
// connections.yaml; the others are for the operator alone, and no connection has them.
type PresetFile struct {
	Connection Connection
	Setup      Setup
	Sources    []Source
	Remarks    []Remark // the file's comments: habits that a reader would trip over
}

// Remark is a comment in a preset's file.
type Remark struct {
	Key  string // that it stands above; empty: the file as a whole
	Text string
}

// Setup says what the operator does at the service before its users can connect.
type Setup struct {
	Console string   `yaml:"console"` // where; empty: the first step says it
	Steps   []string `yaml:"steps"`   // {redirect_uri} stands for the address to paste
}

// RedirectURIPlaceholder stands in a step of Setup for the connection's redirect URI.
const RedirectURIPlaceholder = "{redirect_uri}"

// Source is a page that some of the preset's values come from.
type Source struct {
	URL        string   `yaml:"url"`        // may be empty where nobody has confirmed the values
	For        []string `yaml:"for"`        // top-level keys of the file
	Unverified bool     `yaml:"unverified"` // nobody has seen the page say so
}

// Unverified names the keys that hold a value which nobody has confirmed, in order.
func (p PresetFile) Unverified() []string {
	var keys []string
	for _, s := range p.Sources {
		if s.Unverified {
			keys = append(keys, s.For...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// PresetError is a mistake in a preset's file.
type PresetError struct {
	File         string
	Line, Column int    // from 1; zero: of the file as a whole
	Text         string // what is wrong
	Remedy       string // what to do
}

// Error implements error.
func (e *PresetError) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	return fmt.Sprintf("%s: %s; %s", place, e.Text, e.Remedy)
}

const presetEnding = ".yaml"

// LoadPreset reads the preset name from its file among files, and checks all of it. The error joins
// a *PresetError for each mistake.
func LoadPreset(files fs.FS, name string) (PresetFile, error) {
	p, root, err := readPreset(files, name)
	if err != nil {
		return PresetFile{}, err
	}
	var mistakes []error
	for _, problem := range p.problems(topLevel(root)) {
		at := place(root, problem.Key)
		mistakes = append(mistakes, &PresetError{name + presetEnding, at.Line, at.Column, problem.Key + ": " + problem.Text, problem.Remedy})
	}
	return p, errors.Join(mistakes...)
}

// readPreset reads the file's keys, each of which must be one of ours, and checks no value.
func readPreset(files fs.FS, name string) (PresetFile, ast.Node, error) {
	content, err := fs.ReadFile(files, name+presetEnding)
	if err != nil {
		return PresetFile{}, nil, fmt.Errorf("reading preset %s: %w", name, err)
	}
	root, err := parsePreset(content)
	if err != nil {
		return PresetFile{}, nil, unreadPreset(name+presetEnding, err)
	}
	if at, key := misspeltDuration(root); at != nil {
		mistake := &PresetError{name + presetEnding, at.Line, at.Column, key + ": is not a duration", "write a number with its unit, such as 90s or 24h"}
		return PresetFile{}, nil, mistake
	}
	var read struct {
		Connection `yaml:",inline"`
		Setup      Setup    `yaml:"setup"`
		Sources    []Source `yaml:"sources"`
	}
	if err := yaml.NodeToValue(root, &read, yaml.Strict()); err != nil {
		return PresetFile{}, nil, unreadPreset(name+presetEnding, err)
	}
	read.Provider = name
	return PresetFile{Connection: read.Connection, Setup: read.Setup, Sources: read.Sources, Remarks: remarks(content)}, root, nil
}

// parsePreset finds the mapping that the file is.
func parsePreset(content []byte) (ast.Node, error) {
	parsed, err := parser.ParseBytes(content, 0)
	if err != nil {
		return nil, err
	}
	if len(parsed.Docs) != 1 || len(pairs(parsed.Docs[0].Body)) == 0 {
		return nil, errors.New("the file is not one document of `key: value` lines")
	}
	return parsed.Docs[0].Body, nil
}

// remarks finds the comments that have lines of their own. Lines that follow one another are one.
func remarks(content []byte) []Remark {
	var all []Remark
	var open []string
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if text, ok := strings.CutPrefix(line, "#"); ok {
			open = append(open, strings.TrimSpace(text))
			continue
		}
		if len(open) > 0 {
			key, _, _ := strings.Cut(strings.TrimPrefix(line, "- "), ":")
			if key == "name" || line == "" {
				key = ""
			}
			all = append(all, Remark{Key: key, Text: strings.Join(open, " ")})
			open = nil
		}
	}
	if len(open) > 0 {
		all = append(all, Remark{Text: strings.Join(open, " ")})
	}
	return all
}

// misspeltDuration finds a duration that is none, for the library does not tell its place. nil: there
// is no such.
func misspeltDuration(root ast.Node) (*token.Position, string) {
	for _, pair := range pairs(root) {
		key := pair.Key.GetToken().Value
		if !slices.Contains([]string{"lifetime", "margin", "keep_alive"}, key) {
			continue
		}
		if _, err := time.ParseDuration(pair.Value.GetToken().Value); err != nil {
			return pair.Value.GetToken().Position, key
		}
	}
	return nil, ""
}

// unknownField is how the library words a key that nothing has.
var unknownField = regexp.MustCompile(`unknown field "(.*)"`)

// unreadPreset words what stopped the reading. The library stops at the first mistake.
func unreadPreset(file string, err error) error {
	mistake := &PresetError{File: file, Text: err.Error(), Remedy: "write `key: value` lines, indented alike, as the other presets do"}
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		mistake.Text = syntax.GetMessage()
		if tk := syntax.GetToken(); tk != nil && tk.Position != nil {
			mistake.Line, mistake.Column = tk.Position.Line, tk.Position.Column
		}
	}
	if found := unknownField.FindStringSubmatch(mistake.Text); found != nil {
		mistake.Text = "unknown key " + found[1]
		mistake.Remedy = "mend its spelling, or leave it out; provider/connection.go has every key, and provider/presetfile.go setup and sources"
	}
	return mistake
}

// topLevel names the keys of the file, in order.
func topLevel(root ast.Node) []string {
	var keys []string
	for _, pair := range pairs(root) {
		keys = append(keys, pair.Key.GetToken().Value)
	}
	return keys
}

func pairs(node ast.Node) []*ast.MappingValueNode {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode: // a mapping of one key
		return []*ast.MappingValueNode{n}
	}
	return nil
}

// place is where the key at a path (identity.url, fields.0.key) stands, or what holds it, where the
// key itself is missing.
func place(node ast.Node, path string) *token.Position {
	at := &token.Position{Line: 1, Column: 1}
	for step := range strings.SplitSeq(path, ".") {
		position, value := below(node, step)
		if value == nil {
			return at
		}
		at, node = position, value
	}
	return at
}

// below is what a key or an index leads to, and where that stands; nil: nothing.
func below(node ast.Node, step string) (*token.Position, ast.Node) {
	for _, pair := range pairs(node) {
		if pair.Key.GetToken().Value == step {
			return pair.Key.GetToken().Position, pair.Value
		}
	}
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return nil, nil
	}
	for i, value := range list.Values {
		if strconv.Itoa(i) == step {
			return start(value), value
		}
	}
	return nil, nil
}

// start is where a node begins. The library places a mapping at its first colon.
func start(node ast.Node) *token.Position {
	if first := pairs(node); len(first) > 0 {
		return first[0].Key.GetToken().Position
	}
	return node.GetToken().Position
}
