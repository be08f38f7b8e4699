package templates

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/a-h/templ/generator"
	"github.com/a-h/templ/parser/v2"
)

// TestGenerated: what is compiled is what the .templ files say, and nothing is left over.
func TestGenerated(t *testing.T) {
	sources, err := filepath.Glob("*.templ")
	if err != nil || len(sources) == 0 {
		t.Fatalf("got %v, %v", sources, err)
	}
	for _, source := range sources {
		parsed, err := parser.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		var code bytes.Buffer
		if _, err := generator.Generate(parsed, &code, generator.WithVersion(templ.Version()), generator.WithFileName(source)); err != nil {
			t.Fatal(err)
		}
		want, err := format.Source(code.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(strings.TrimSuffix(source, ".templ") + "_templ.go")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s has changed since Go was made of it: go generate ./templates", source)
		}
	}
	if made, _ := filepath.Glob("*_templ.go"); len(made) != len(sources) {
		t.Errorf("got %v made of %v: remove what is left over", made, sources)
	}
}
