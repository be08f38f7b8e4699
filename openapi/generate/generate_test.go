package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestGenerated: what is committed is what openapi.yaml says.
func TestGenerated(t *testing.T) {
	t.Chdir("..")
	made, err := makeAll(".")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range made {
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what openapi.yaml makes: go generate ./openapi", name)
		}
	}
}

// pageText makes the page of the document in ..
func pageText(t *testing.T) string {
	t.Helper()
	t.Chdir("..")
	made, err := makeAll(".")
	if err != nil {
		t.Fatal(err)
	}
	return string(made["docs.html"])
}

// TestLinksLeadSomewhere: each link within the page has its target, and each target is there once.
func TestLinksLeadSomewhere(t *testing.T) {
	text := pageText(t)
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(text, -1) {
		ids[m[1]]++
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%d elements are #%s", n, id)
		}
	}
	links := regexp.MustCompile(` href="([^"]*)"`).FindAllStringSubmatch(text, -1)
	if len(links) < 100 {
		t.Fatalf("got %d links: not the whole page", len(links))
	}
	for _, m := range links {
		address, isHere := strings.CutPrefix(m[1], "#")
		switch {
		case isHere && ids[address] == 0:
			t.Errorf("a link leads to #%s, which is not there", address)
		case !isHere && !slices.ContainsFunc([]string{"/openapi.json", "/linkgate.js", "/linkgate.d.ts", "https://", "data:image/svg+xml,"},
			func(known string) bool { return strings.HasPrefix(address, known) }):
			t.Errorf("a link leads to %s", address)
		}
	}
}

// TestPageIsAlone: nothing is loaded from anywhere, and there is nothing to run.
func TestPageIsAlone(t *testing.T) {
	text := pageText(t)
	for _, loads := range []string{"<script", "<img", "<iframe", "<link rel=\"stylesheet", "@import", "url("} {
		if strings.Contains(text, loads) {
			t.Errorf("the page has %q in it", loads)
		}
	}
	if found := regexp.MustCompile(`<[a-z][^>]* (src|style|on[a-z]+)=`).FindString(text); found != "" {
		t.Errorf("the page has %q in it", found)
	}
	if n := strings.Count(text, "<style>"); n != 1 {
		t.Errorf("got %d styles, want 1", n)
	}
}

// TestEveryOperationIsShown: with its words, a request to copy, and every problem explained.
func TestEveryOperationIsShown(t *testing.T) {
	text := pageText(t)
	document, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	shown := 0
	for path, item := range d.Paths {
		for method, raw := range item {
			var o struct {
				OperationID, Summary string
				Scope                string                    `json:"x-scope"`
				SameAs               string                    `json:"x-same-as"`
				Samples              []struct{ Source string } `json:"x-codeSamples"`
			}
			if method == "parameters" || json.Unmarshal(raw, &o) != nil || o.SameAs != "" {
				continue
			}
			shown++
			if len(o.Samples) != 1 || !strings.Contains(o.Samples[0].Source, "$LINKGATE_API_KEY") {
				t.Errorf("%s %s has no request to copy", method, path)
			}
			if !strings.Contains(text, `id="`+o.OperationID+`"`) || !strings.Contains(text, "Scope <code>"+o.Scope+"</code>") {
				t.Errorf("the page does not show %s (%s)", o.OperationID, o.Scope)
			}
		}
	}
	if shown < 18 {
		t.Errorf("got %d operations: not all", shown)
	}
}

func TestValidateRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no version":       `{info: {title: x, version: "1"}, paths: {}}`,
		"unknown keyword":  `{openapi: 3.1.0, info: {title: x, version: "1"}, paths: {}, components: {schemas: {A: {type: object, nonsense: 1}}}}`,
		"a wrong example":  `{openapi: 3.1.0, info: {title: x, version: "1"}, paths: {/a: {get: {responses: {"200": {description: a, content: {application/json: {schema: {type: string}, example: 1}}}}}}}}`,
		"a lost reference": `{openapi: 3.1.0, info: {title: x, version: "1"}, paths: {/a: {get: {responses: {"200": {$ref: "#/components/responses/B"}}}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			root, err := parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			document, err := root.json()
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(document); err == nil {
				t.Error("got no error")
			}
		})
	}
}

func TestMergeKeys(t *testing.T) {
	root, err := parse([]byte("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3, z: [4]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := root.at("b").json()
	if want := "{\n  \"x\": 1,\n  \"y\": 3,\n  \"z\": [\n    4\n  ]\n}\n"; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestTokensAreOfOurPages(t *testing.T) {
	style, err := os.ReadFile(filepath.Join("..", tokens))
	if err != nil {
		t.Fatal(err)
	}
	colour := regexp.MustCompile(`--accent: #[0-9a-f]{6};`).FindString(string(style))
	if colour == "" || !strings.Contains(pageText(t), colour) {
		t.Errorf("the page lacks %q", colour)
	}
}
