// Package openapi is the description of the accounts API: openapi.yaml is what people write, and from
// it openapi/generate makes what Linkgate serves, openapi.json for programs and docs.html for people.
// Both are committed, so that a build needs nothing but Go; a test tells when they are out of date.
//
// The problems that a back end can meet are described there too (x-problem-types); package handlers
// has them in a table of its own, and a test of its holds the two together.
package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

//go:generate go run ./generate

//go:embed openapi.json
var document string

//go:embed docs.html
var page string

// Document is the description as JSON, of OpenAPI 3.1.
func Document() []byte { return []byte(document) }

// Page is the same for people, with all that it needs.
func Page() []byte { return []byte(page) }

// StyleSource is the source expression that allows Page's style in a content security policy (CSP
// Level 3 §2.3.1). It has no script.
func StyleSource() string {
	_, rest, _ := bytes.Cut(Page(), []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	sum := sha256.Sum256(style)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// ETag is the entity tag of what Document or Page returned (RFC 9110 §8.8.3).
func ETag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// Problem is a type of problem that a back end can meet.
type Problem struct {
	Slug       string `json:"slug"`
	Status     int    `json:"status"`
	Everywhere bool   `json:"everywhere"` // any operation may answer with it
	Meaning    string `json:"meaning"`
	Remedy     string `json:"remedy"`
}

// Problems are all that the document describes.
func Problems() ([]Problem, error) {
	var d struct {
		Problems []Problem `json:"x-problem-types"`
	}
	if err := json.Unmarshal(Document(), &d); err != nil {
		return nil, fmt.Errorf("reading openapi.json: %w", err)
	}
	return d.Problems, nil
}
