package templates

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
)

// luminance is WCAG 2.2's relative luminance of #rrggbb.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	var r, g, b uint8
	if _, err := fmt.Sscanf(colour, "#%02x%02x%02x", &r, &g, &b); err != nil {
		t.Fatalf("reading colour %q: %v", colour, err)
	}
	linear := func(v uint8) float64 {
		c := float64(v) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

// schemes are the colours of each scheme by their name in style.css.
func schemes(t *testing.T) map[string]map[string]string {
	t.Helper()
	style, err := files.ReadFile("pages/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, _ := strings.Cut(string(style), "@media (prefers-color-scheme: dark)")
	dark, _, _ := strings.Cut(rest, "*, ::before")
	colours := func(css string) map[string]string {
		found := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			found[m[1]] = m[2]
		}
		return found
	}
	return map[string]map[string]string{"light": colours(light), "dark": colours(dark)}
}

func TestContrast(t *testing.T) {
	for scheme, colours := range schemes(t) {
		for _, pair := range []struct {
			front, back string
			want        float64 // WCAG 2.2: 4.5 for text (1.4.3), 3 for controls and focus (1.4.11)
		}{
			{"ink", "card", 4.5}, {"ink", "paper", 4.5}, {"ink", "tint", 4.5}, {"ink", "warn-tint", 4.5},
			{"soft", "card", 4.5}, {"soft", "paper", 4.5}, {"soft", "glow", 4.5}, {"soft", "tint", 4.5},
			{"warn", "warn-tint", 4.5}, {"bad", "bad-tint", 4.5}, {"bad", "card", 4.5}, {"ink", "bad-tint", 4.5},
			{"on-accent", "accent", 4.5}, {"on-accent", "accent-strong", 4.5},
			{"accent", "card", 4.5}, {"accent", "tint", 3}, {"accent", "bad-tint", 3}, {"accent", "glow", 3}, {"control", "card", 3},
		} {
			a, b := luminance(t, colours[pair.front]), luminance(t, colours[pair.back])
			if got := (math.Max(a, b) + 0.05) / (math.Min(a, b) + 0.05); got < pair.want {
				t.Errorf("%s: %s on %s: got %.2f, want %.1f", scheme, pair.front, pair.back, got, pair.want)
			}
		}
	}
}

// TestStyleTurnsAround finds what would stay on the wrong side in Arabic.
func TestStyleTurnsAround(t *testing.T) {
	style, err := files.ReadFile("pages/style.css")
	if err != nil {
		t.Fatal(err)
	}
	sided := regexp.MustCompile(`(margin|padding|border)-(left|right|top|bottom)|text-align: (left|right)|float:|[^-](left|right): `)
	if found := sided.FindString(string(style)); found != "" {
		t.Errorf("got %q, want a logical property", found)
	}
}

// TestNothingToFetch: a page that fetched anything would tell a third party about the visit.
func TestNothingToFetch(t *testing.T) {
	for _, name := range []string{"style.css", "script.js"} {
		raw, err := files.ReadFile("pages/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`url\(|@import|@font-face|fetch\(|https?:`).FindString(string(raw)); found != "" {
			t.Errorf("%s: got %q", name, found)
		}
	}
}
