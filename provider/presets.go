package provider

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

// Presets names the providers that come ready-made, in order.
func Presets() []string {
	files, err := presetFiles.ReadDir("presets")
	if err != nil {
		panic(fmt.Sprintf("reading embedded presets: %v", err)) // can't happen: they are in the binary
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(file.Name(), ".yaml"))
	}
	return names
}

// Preset returns a connection with the preset's values and Provider set, a copy of the caller's
// own. What it leaves empty (auth_id, client_id, client_secret) the connection brings.
func Preset(name string) (Connection, bool) {
	if !slices.Contains(Presets(), name) {
		return Connection{}, false
	}
	data, err := presetFiles.ReadFile(path.Join("presets", name+".yaml"))
	if err != nil {
		panic(fmt.Sprintf("reading embedded preset %s: %v", name, err)) // can't happen either
	}
	var c Connection
	if err := yaml.UnmarshalWithOptions(data, &c, yaml.Strict()); err != nil {
		panic(fmt.Sprintf("reading embedded preset %s: %v", name, err)) // every preset is read in the tests
	}
	c.Provider = name
	return c, true
}
