package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// layers are the packages from the top down; CONTRIBUTING.md explains each. A package imports
// packages of lower layers only. A new package takes its place here.
var layers = [][]string{
	{"linkgate"},
	{"linkgate/handlers", "linkgate/config", "linkgate/demo"},
	{"linkgate/handlers/v1"},
	{"linkgate/handlers/inbound"},
	{"linkgate/connect", "linkgate/call", "linkgate/appproxy", "linkgate/idempotency"},
	{"linkgate/oauthstate", "linkgate/host", "linkgate/linkedaccount", "linkgate/registration", "linkgate/apikey", "linkgate/templates", "linkgate/browser", "linkgate/openapi"},
	{"linkgate/event"},
	{"linkgate/provider", "linkgate/outbox"},
	{"linkgate/database"},
	{"linkgate/secret", "linkgate/client", "linkgate/retry"},
}

// only lists who beside main may import a package, where its layer would let more do so.
var only = map[string][]string{
	"linkgate/config":    {},
	"linkgate/client":    {},
	"linkgate/demo":      {},
	"linkgate/templates": {"linkgate/handlers"},
	"linkgate/openapi":   {"linkgate/handlers"},
	"linkgate/apikey":    {"linkgate/handlers", "linkgate/handlers/v1", "linkgate/config"},
	"linkgate/browser":   {"linkgate/handlers"},
	"linkgate/call":      {"linkgate/handlers", "linkgate/handlers/v1", "linkgate/config"},
	"linkgate/appproxy":  {"linkgate/handlers"},
	"linkgate/provider":  {"linkgate/config", "linkgate/handlers", "linkgate/handlers/v1", "linkgate/connect", "linkgate/call", "linkgate/linkedaccount", "linkgate/registration", "linkgate/event"},
}

// workshop packages are tools and help for tests: nothing that ships imports them.
var workshop = []string{
	"linkgate/testservers", "linkgate/database/databasetest", "linkgate/e2e", "linkgate/bench", "linkgate/scripts",
	"linkgate/openapi/generate",
}

// vague names tell nothing of what a package is for, and attract everything.
var vague = []string{"util", "utils", "common", "helpers", "misc", "models", "types", "pkg"}

// listed is what `go list` tells of a package.
type listed struct {
	ImportPath string
	Imports    []string // of what ships: no test's
}

func TestImportsGoOneWay(t *testing.T) {
	packages := list(t)
	if len(packages) < len(layers) {
		t.Fatalf("go list finds %d packages: not all of Linkgate", len(packages))
	}
	for _, p := range packages {
		if slices.Contains(vague, path.Base(p.ImportPath)) {
			t.Errorf("%s: name it for what it does", p.ImportPath)
		}
		if isWorkshop(p.ImportPath) {
			continue
		}
		if layerOf(p.ImportPath) < 0 {
			t.Errorf("%s has no place in the layers of this test", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if isOurs(imported) && !allowed(p.ImportPath, imported) {
				t.Errorf("%s imports %s, against the direction of imports", p.ImportPath, imported)
			}
		}
	}
}

func TestAllowedImports(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"linkgate", "linkgate/config", true},
		{"linkgate", "linkgate/testservers", false},
		{"linkgate/handlers", "linkgate/config", false},
		{"linkgate/handlers", "linkgate/connect", true},
		{"linkgate/connect", "linkgate/handlers", false},
		{"linkgate/connect", "linkgate/call", false},
		{"linkgate/call", "linkgate/connect", false},
		{"linkgate/call", "linkgate/provider", true},
		{"linkgate/call", "linkgate/linkedaccount", true},
		{"linkgate/config", "linkgate/call", true},
		{"linkgate/config", "linkgate/appproxy", false},
		{"linkgate/appproxy", "linkgate/call", false},
		{"linkgate/appproxy", "linkgate/linkedaccount", true},
		{"linkgate/linkedaccount", "linkgate/provider", true},
		{"linkgate/linkedaccount", "linkgate/outbox", true},
		{"linkgate/registration", "linkgate/provider", true},
		{"linkgate/registration", "linkgate/linkedaccount", false},
		{"linkgate/handlers", "linkgate/apikey", true},
		{"linkgate/handlers", "linkgate/idempotency", true},
		{"linkgate/idempotency", "linkgate/oauthstate", true},
		{"linkgate/connect", "linkgate/apikey", false},
		{"linkgate/apikey", "linkgate/linkedaccount", false},
		{"linkgate/outbox", "linkgate/linkedaccount", false},
		{"linkgate/linkedaccount", "linkgate/event", true},
		{"linkgate/event", "linkgate/outbox", true},
		{"linkgate/event", "linkgate/linkedaccount", false},

		{"linkgate/outbox", "linkgate/database", true},
		{"linkgate/host", "linkgate/retry", true},
		{"linkgate/host", "linkgate/provider", false},
		{"linkgate/retry", "linkgate/secret", false},
		{"linkgate/client", "linkgate/retry", false},
		{"linkgate/oauthstate", "linkgate/host", false},
		{"linkgate/oauthstate", "linkgate/provider", false},
		{"linkgate/handlers", "linkgate/testservers", false},
		{"linkgate/handlers", "linkgate/demo", false},
	} {
		if got := allowed(test.from, test.to); got != test.want {
			t.Errorf("%s → %s: got %v, want %v", test.from, test.to, got, test.want)
		}
	}
}

func allowed(from, to string) bool {
	if isWorkshop(to) {
		return false
	}
	if from == "linkgate" { // main wires everything
		return true
	}
	if importers, limited := only[to]; limited && !slices.Contains(importers, from) {
		return false
	}
	return layerOf(from) < layerOf(to)
}

func layerOf(pkg string) int {
	return slices.IndexFunc(layers, func(layer []string) bool { return slices.Contains(layer, pkg) })
}

func isWorkshop(pkg string) bool {
	return slices.ContainsFunc(workshop, func(w string) bool { return pkg == w || strings.HasPrefix(pkg, w+"/") })
}

func isOurs(pkg string) bool { return pkg == "linkgate" || strings.HasPrefix(pkg, "linkgate/") }

func list(t *testing.T) []listed {
	t.Helper()
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "linkgate/...")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			return packages
		} else if err != nil {
			t.Fatalf("reading go list: %v", err)
		}
		packages = append(packages, p)
	}
}
