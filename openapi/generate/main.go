// Command generate makes openapi.json and docs.html of openapi.yaml. It is run by go generate
// ./openapi, and is no part of Linkgate: what it imports is not in what is deployed.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/getkin/kin-openapi/openapi3"
)

// Where things are, from the directory that go generate runs in.
const (
	source = "openapi.yaml"
	tokens = "../templates/pages/style.css" // colours and type are those of all our pages
)

func main() {
	made, err := makeAll(".")
	for name, content := range made {
		if err == nil {
			err = os.WriteFile(name, content, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// makeAll makes every file of what is in dir, by name.
func makeAll(dir string) (map[string][]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, source))
	if err != nil {
		return nil, err
	}
	style, err := os.ReadFile(filepath.Join(dir, tokens))
	if err != nil {
		return nil, err
	}
	root, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	document, err := root.json()
	if err != nil {
		return nil, err
	}
	if err := validate(document); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	page, err := render(root, string(style))
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"openapi.json": document, "docs.html": page}, nil
}

// validate holds a document against OpenAPI 3.1, and its examples against its schemas.
func validate(document []byte) error {
	loaded, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return err
	}
	return loaded.Validate(context.Background())
}
