package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"linkgate/secret"
)

const plain = "hunter2-correct-horse"

// leaks tells whether out shows the secret, in the clear or in hex as %x and %X print it.
func leaks(out string) bool {
	out = strings.ToLower(out)
	for _, form := range []string{plain, fmt.Sprintf("%x", plain), fmt.Sprintf("% x", plain), fmt.Sprint([]byte(plain))} {
		if strings.Contains(out, form) {
			return true
		}
	}
	return false
}

type exported struct{ Token secret.Text }

type unexported struct {
	token secret.Text
	ptr   *secret.Text
	inner exported
}

func holders() map[string]any {
	text := secret.New(plain)
	return map[string]any{
		"value":           text,
		"pointer":         &text,
		"exported":        exported{text},
		"exported ptr":    &exported{text},
		"unexported":      unexported{text, &text, exported{text}},
		"unexported ptr":  &unexported{text, &text, exported{text}},
		"slice":           []secret.Text{text},
		"array":           [1]secret.Text{text},
		"unexported list": []unexported{{text, &text, exported{text}}},
		"map value":       map[string]secret.Text{"k": text},
		"map of structs":  map[string]unexported{"k": {text, &text, exported{text}}},
		"interface":       []any{text, &text},
		"error":           fmt.Errorf("calling: %w", holderError{text}),
		"joined error":    errors.Join(holderError{text}, errors.New("more")),
	}
}

type holderError struct{ token secret.Text }

func (e holderError) Error() string { return fmt.Sprintf("refused %v %s %q", e.token, e.token, e) }

func (e holderError) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "refused %v", e.token) }

func TestTextPrintsNowhere(t *testing.T) {
	flags := []string{"", "+", "#", "-", " ", "0", "+#", "40", ".3", "#.90", "[1]"}
	for name, holder := range holders() {
		t.Run(name, func(t *testing.T) {
			for verb := 'A'; verb <= 'z'; verb++ {
				for _, flag := range flags {
					format := "%" + flag + string(verb)
					if out := fmt.Sprintf(format, holder); leaks(out) {
						t.Errorf("%s printed the secret: %s", format, out)
					}
				}
			}
			for _, format := range []string{"", "%*d", "%d %[3]d", "%!"} { // mistakes that fmt reports in its output
				if out := fmt.Sprintf(format, holder, holder); leaks(out) {
					t.Errorf("%q printed the secret: %s", format, out)
				}
			}
		})
	}
}

func TestTextEncodesNowhere(t *testing.T) {
	for name, holder := range holders() {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "holder", holder)
			slog.New(slog.NewTextHandler(&log, nil)).Info("m", "holder", holder)
			asJSON, _ := json.Marshal(holder) // an error is as good as a redaction
			asYAML, _ := yaml.Marshal(holder)
			asXML, _ := xml.Marshal(holder)
			var page bytes.Buffer
			_ = template.Must(template.New("").Parse(`<p title="{{.}}">{{.}}<script>{{.}}</script>`)).Execute(&page, holder)
			for as, out := range map[string]string{
				"slog": log.String(), "json": string(asJSON), "yaml": string(asYAML), "xml": string(asXML),
				"html/template": page.String(),
			} {
				if leaks(out) {
					t.Errorf("%s shows the secret: %s", as, out)
				}
			}
		})
	}
}

func TestTextSaysRedacted(t *testing.T) {
	text := secret.New(plain)
	asJSON, err := json.Marshal(exported{text})
	if err != nil {
		t.Fatal(err)
	}
	asText, err := text.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		fmt.Sprintf("%s|%v|%d|%#v", text, text, text, &text),
		text.String(), text.GoString(), text.LogValue().String(), string(asText), string(asJSON),
	}
	want := []string{
		"[redacted]|[redacted]|[redacted]|[redacted]",
		"[redacted]", "[redacted]", "[redacted]", "[redacted]", `{"Token":"[redacted]"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLeaksFindsAPlantedSecret(t *testing.T) {
	for _, out := range []string{plain, fmt.Sprintf("%X", plain), fmt.Sprintf("% x", plain), fmt.Sprint([]byte(plain))} {
		if !leaks(out) {
			t.Errorf("the tests here would not see a leak such as %q", out)
		}
	}
}

func TestTextTakesAndReveals(t *testing.T) {
	var fromJSON, fromYAML exported
	if err := json.Unmarshal([]byte(`{"Token":"`+plain+`"}`), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte("token: "+plain), &fromYAML); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]secret.Text{
		"New": secret.New(plain), "JSON": fromJSON.Token, "YAML": fromYAML.Token,
	} {
		if got := text.Reveal(); got != plain || text.IsZero() {
			t.Errorf("%s: Reveal() is not what went in, IsZero() = %v", name, text.IsZero())
		}
	}
	if zero := (secret.Text{}); !zero.IsZero() || zero.Reveal() != "" || !secret.New("").IsZero() {
		t.Error("an empty Text is not zero")
	}
}

func TestTextRefusesItsOwnPlaceholder(t *testing.T) {
	var text secret.Text
	b, err := secret.New(plain).MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if err := text.UnmarshalText(b); err == nil {
		t.Error("a printed secret was taken for the secret")
	}
}

func TestTextEqual(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{plain, plain, true},
		{"", "", true},
		{plain, "", false},
		{plain, plain[1:], false},
		{plain, plain + "x", false},
		{plain, strings.ToUpper(plain), false},
	} {
		if got := secret.New(tt.a).Equal(secret.New(tt.b)); got != tt.want {
			t.Errorf("Equal(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
}
