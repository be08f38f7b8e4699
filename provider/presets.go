package provider

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed presets/*.yaml
var embedded embed.FS

// presetFiles are the presets in the binary. Their names are the files'.
func presetFiles() fs.FS {
	files, err := fs.Sub(embedded, "presets")
	if err != nil {
		panic(fmt.Sprintf("reading embedded presets: %v", err)) // can't happen: they are in the binary
	}
	return files
}

// Presets names the providers that come ready-made, in order.
func Presets() []string {
	names, err := presetNames(presetFiles())
	if err != nil {
		panic(fmt.Sprintf("reading embedded presets: %v", err)) // can't happen either
	}
	return names
}

func presetNames(files fs.FS) ([]string, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("listing presets: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name, ok := strings.CutSuffix(entry.Name(), presetEnding); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// Preset returns a connection with the preset's values and Provider set, a copy of the caller's
// own. What it leaves empty (auth_id, client_id, client_secret) the connection brings.
func Preset(name string) (Connection, bool) {
	p, ok := PresetNamed(name)
	return p.Connection, ok
}

// PresetNamed returns all that a preset's file says, a copy of the caller's own.
func PresetNamed(name string) (PresetFile, bool) {
	if !slices.Contains(Presets(), name) {
		return PresetFile{}, false
	}
	p, _, err := readPreset(presetFiles(), name)
	if err != nil {
		panic(fmt.Sprintf("reading embedded presets: %v", err)) // the tests read and check every preset
	}
	return p, true
}
