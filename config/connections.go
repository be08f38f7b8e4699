package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"linkgate/call"
	"linkgate/provider"
)

// maxFile bounds what is parsed; a connection takes about half a kilobyte.
const maxFile = 256 << 10

// readConnections reads the connections file. Connections with mistakes are left out.
func readConnections(path string, vars *variables) ([]provider.Connection, []Mistake) {
	content, err := vars.source.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, []Mistake{{File: path, Text: "there is no such file", Remedy: "Copy connections.example.yaml and fill it in, or set CONNECTIONS_FILE to where yours is."}}
	}
	if err != nil {
		return nil, []Mistake{*unreadable(Mistake{File: path}, path, err)}
	}
	d := newDecoder(path, vars)
	connections := d.connections(content)
	sortByPlace(d.mistakes)
	return connections, d.mistakes
}

func (d *decoder) connections(content []byte) []provider.Connection {
	root, ok := d.parse(content)
	if !ok {
		return nil
	}
	list, ok := d.list(root)
	if !ok {
		return nil
	}
	var connections []provider.Connection
	seen := map[string]int{}
	for _, node := range list {
		if c, ok := d.connection(node, seen); ok {
			connections = append(connections, c)
		}
	}
	return connections
}

// parse turns the file's text into the node of its one document.
func (d *decoder) parse(content []byte) (ast.Node, bool) {
	const remedy = "Begin the file with `connections:` and list them below it; connections.example.yaml shows how."
	if len(content) > maxFile {
		d.mistakes = append(d.mistakes, Mistake{File: d.file, Text: "the file is larger than 256 KiB", Remedy: "Check that CONNECTIONS_FILE names the right file."})
		return nil, false
	}
	file, err := parser.ParseBytes(content, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.mistakes = append(d.mistakes, d.unparsed(err))
		return nil, false
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.DirectiveType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch len(bodies) {
	case 0:
		d.mistakes = append(d.mistakes, Mistake{File: d.file, Line: 1, Column: 1, Text: "there are no connections", Remedy: remedy})
		return nil, false
	case 1:
		return bodies[0], true
	default:
		d.add(bodies[1], "a second document begins here", "Keep all connections in one list: take the line --- out.")
		return nil, false
	}
}

// quoted finds what the parser quotes from the file: it could be part of a secret.
var quoted = regexp.MustCompile(`"[^"]*"`)

// unparsed words what stopped the parser. Of its error only the kind and the place are shown,
// never the source text.
func (d *decoder) unparsed(err error) Mistake {
	m := Mistake{
		File:   d.file,
		Text:   "this is not YAML",
		Remedy: "Check indentation, brackets and quotes here and in the line above. Inside [ ] and { }, put ${NAME} in quotes.",
	}
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		m.Text += ": " + quoted.ReplaceAllString(syntax.GetMessage(), "something")
		if tk := syntax.GetToken(); tk != nil && tk.Position != nil {
			m.Line, m.Column = tk.Position.Line, tk.Position.Column
		}
	}
	return m
}

// list finds the list under the only key the file may have.
func (d *decoder) list(root ast.Node) ([]ast.Node, bool) {
	const remedy = "Write `connections:` and, below it, one entry that begins with `- auth_id:` for each connection."
	entries, ok := d.mapping(root, "the file")
	if !ok {
		return nil, false
	}
	var list *ast.SequenceNode
	for _, e := range entries {
		if e.key != "connections" {
			d.unknown(e, []string{"connections"})
			continue
		}
		list, ok = e.value.(*ast.SequenceNode)
		if !ok {
			d.add(e.value, "connections: is not a list", remedy)
			return nil, false
		}
	}
	if list == nil || len(list.Values) == 0 {
		d.add(root, "there are no connections", remedy)
		return nil, false
	}
	return list.Values, true
}

// connection reads one entry over a copy of its preset. seen holds the line of each auth id.
func (d *decoder) connection(node ast.Node, seen map[string]int) (provider.Connection, bool) {
	before := len(d.mistakes)
	where := map[string]ast.Node{}
	d.broken = map[string]bool{}
	entries, ok := d.mapping(node, "this entry")
	if !ok {
		return provider.Connection{}, false
	}
	preset := d.preset(entries)
	c := preset.Clone()
	d.structure(d.withoutPresetKeys(entries), reflect.ValueOf(&c).Elem(), "", where)
	d.unique(c.AuthID, where["auth_id"], seen)
	_, based := where["calls.base_url"]
	problems := slices.Concat(naming(c), c.Problems(), call.Problems(c))
	if !based {
		problems = append(problems, strayCalls(c, preset)...)
	}
	d.problems(problems, c.Provider, node, where)
	return c, len(d.mistakes) == before
}

// preset is the connection to start from: the one of the name under the key provider, or an empty
// one. That the name cannot be read or is unknown is said elsewhere.
func (d *decoder) preset(entries []entry) provider.Connection {
	for _, e := range entries {
		if e.key == "provider" {
			name, _ := newDecoder(d.file, d.vars).text(e.value, e.key)
			c, _ := provider.Preset(name)
			return c
		}
	}
	return provider.Connection{}
}

// isForPresets tells the keys of a preset's file that a connection of ours can't have.
func isForPresets(key string) bool { return key == "protocol" || key == "setup" || key == "sources" }

// withoutPresetKeys takes out the keys that are for presets alone.
func (d *decoder) withoutPresetKeys(entries []entry) []entry {
	return slices.DeleteFunc(entries, func(e entry) bool {
		if !isForPresets(e.key) {
			return false
		}
		d.add(e.at, e.key+": is for presets alone", "Name a preset or a protocol under provider, and leave this out.")
		return true
	})
}

// unique refuses an auth id that an earlier connection has.
func (d *decoder) unique(id string, at ast.Node, seen map[string]int) {
	if id == "" {
		return
	}
	if line, taken := seen[id]; taken {
		d.add(at, fmt.Sprintf("auth_id: is the same as in line %d", line), "Give each connection the Auth Id of its own app in the host's admin panel.")
		return
	}
	seen[id] = position(at).Line
}

// authIDForm is what can stand in a path and in the redirect URI without being escaped.
var authIDForm = regexp.MustCompile(`^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}$`)

const maxName = 80 // characters; it has to fit on a page

// naming are the problems with what a connection is called.
func naming(c provider.Connection) []provider.Problem {
	var problems []provider.Problem
	switch {
	case c.AuthID == "":
		problems = append(problems, provider.Problem{Key: "auth_id", Text: "is missing", Remedy: "copy the Auth Id of the app from the host's admin panel"})
	case !authIDForm.MatchString(c.AuthID):
		problems = append(problems, provider.Problem{Key: "auth_id", Text: "has a character that an Auth Id can't have, or too many", Remedy: "copy it from the host's admin panel: letters, digits, -, _, ~ and ."})
	}
	switch {
	case c.Name == "" && slices.Contains(provider.Protocols(), c.Provider): // presets bring one
		problems = append(problems, provider.Problem{Key: "name", Text: "is missing", Remedy: "write what users call the service, such as GitHub"})
	case utf8.RuneCountInString(c.Name) > maxName || strings.ContainsFunc(c.Name, unicode.IsControl):
		problems = append(problems, provider.Problem{Key: "name", Text: "does not fit on a page", Remedy: fmt.Sprintf("use at most %d characters in one line", maxName)})
	}
	return problems
}

// strayCalls are calls that a connection leaves to go to its preset's service although it signs in
// elsewhere: they would carry a credential there that is not that service's.
func strayCalls(c, preset provider.Connection) []provider.Problem {
	moved := hostOf(c.Issuer) != hostOf(preset.Issuer) || hostOf(c.TokenURL) != hostOf(preset.TokenURL)
	if !moved || preset.Calls.BaseURL == "" || len(c.Calls.Allow) == 0 {
		return nil
	}
	return []provider.Problem{{
		Key:    "calls",
		Text:   "go to the preset's service, though this connection signs in at another",
		Remedy: "set calls.base_url to the API of the service that issues the tokens",
	}}
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// problems adds what is wrong with the connection as a whole, except with values that could not
// even be read.
func (d *decoder) problems(problems []provider.Problem, name string, node ast.Node, where map[string]ast.Node) {
	for _, p := range problems {
		if d.broken[p.Key] {
			continue
		}
		at := node
		if n, ok := where[p.Key]; ok {
			at = n
		}
		if meant, ok := nearest(name, append(provider.Presets(), provider.Protocols()...)); ok && p.Key == "provider" {
			p.Remedy = fmt.Sprintf("did you mean %s?", meant)
		}
		d.add(at, d.redact(p.Key+": "+p.Text), sentence(p.Remedy))
	}
}

// NearestPreset is the preset that was meant by a misspelt name.
func NearestPreset(name string) (string, bool) { return nearest(name, provider.Presets()) }

// sentence gives a phrase its capital and its full stop.
func sentence(phrase string) string {
	first, size := utf8.DecodeRuneInString(phrase)
	phrase = string(unicode.ToUpper(first)) + phrase[size:]
	if !strings.HasSuffix(phrase, "?") {
		phrase += "."
	}
	return phrase
}
