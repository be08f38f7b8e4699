package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// A secret is looked for by its beginning, so that one that was cut short in a log is found too.
// It has to be long enough to meet nothing else by chance: a state parameter begins with 21
// characters that are its session's id.
const (
	soughtBytes   = 32
	shortestBytes = 16
)

// finder finds secrets in whatever spelling. The needles are kept by their first eight bytes.
type finder struct {
	needles map[[8]byte][]needle
}

// needle is one spelling of a secret.
type needle struct {
	secret string
	form   string
	text   string
}

func newFinder(t *testing.T, secrets []string) *finder {
	t.Helper()
	f := &finder{needles: map[[8]byte][]needle{}}
	for _, s := range secrets {
		if len(s) < shortestBytes {
			t.Fatalf("a secret of %d bytes can't be told from chance", len(s))
		}
		for text, form := range spellings(sought(s)) {
			key := [8]byte([]byte(text)[:8])
			f.needles[key] = append(f.needles[key], needle{secret: s, form: form, text: text})
		}
	}
	return f
}

// sought is the part of a secret that is looked for.
func sought(secret string) string { return secret[:min(len(secret), soughtBytes)] }

// find lists the needles in a haystack, but for the secrets that belong there.
func (f *finder) find(haystack []byte, own ...string) []needle {
	belongs := map[string]bool{}
	for _, s := range own {
		belongs[sought(s)] = true
	}
	var found []needle
	for i := 0; i+8 <= len(haystack); i++ {
		for _, n := range f.needles[[8]byte(haystack[i:])] {
			if !belongs[sought(n.secret)] && bytes.HasPrefix(haystack[i:], []byte(n.text)) {
				found = append(found, n)
			}
		}
	}
	return found
}

// spellings are the ways in which a secret may be written, each with its name. One that is spelt
// the same in several ways is there once.
func spellings(s string) map[string]string {
	forms := map[string]string{s: "raw"}
	add := func(form, text string) {
		if _, known := forms[text]; !known {
			forms[text] = form
		}
	}
	add("URL query", url.QueryEscape(s))
	add("URL path", url.PathEscape(s))
	add("URL twice", url.QueryEscape(url.QueryEscape(s)))
	add("JSON", inJSON(s, false))
	add("JSON for HTML", inJSON(s, true))
	add("JSON twice", inJSON(inJSON(s, false), false))
	add("JSON for HTML twice", inJSON(inJSON(s, true), true))
	add("quoted", unquoted(strconv.Quote(s)))
	add("quoted as ASCII", unquoted(strconv.QuoteToASCII(s)))
	add("quoted twice", unquoted(strconv.Quote(unquoted(strconv.Quote(s)))))
	add("HTML", html.EscapeString(s))
	add("hex", hex.EncodeToString([]byte(s)))
	add("HEX", strings.ToUpper(hex.EncodeToString([]byte(s))))
	add("decimal", unquoted(fmt.Sprint([]byte(s))))
	for offset := range 3 {
		add(fmt.Sprintf("base64 at %d", offset), inBase64(base64.RawStdEncoding, s, offset))
		add(fmt.Sprintf("base64url at %d", offset), inBase64(base64.RawURLEncoding, s, offset))
	}
	return forms
}

func unquoted(s string) string { return s[1 : len(s)-1] }

func inJSON(s string, forHTML bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(forHTML)
	_ = e.Encode(s) // a string can't fail
	return unquoted(strings.TrimSuffix(b.String(), "\n"))
}

// inBase64 is what base64 makes of s within a longer text: the digits that depend on s alone,
// when offset bytes, modulo three, come before it.
func inBase64(e *base64.Encoding, s string, offset int) string {
	digits := e.EncodeToString(append(make([]byte, offset), s...))
	return digits[(offset*8+5)/6 : (offset+len(s))*8/6]
}

// TestCanaryFinder plants a secret in every spelling and finds it.
func TestCanaryFinder(t *testing.T) {
	const planted = `pa"ss<w&o+r/d=%1\2 \x003'ü` + "\n\x01"
	const other = "another-secret-of-the-same-length"
	f := newFinder(t, []string{planted, other})
	for _, c := range []struct {
		name     string
		haystack string
		want     string // what is found; "": nothing
	}{
		{"raw", "token=" + planted + " and so on", planted},
		{"cut short", "token=" + sought(other), other},
		{"a query", "GET /?code=" + url.QueryEscape(planted), planted},
		{"a path", "GET /" + url.PathEscape(planted), planted},
		{"a query in a query", "?next=" + url.QueryEscape("/?code="+url.QueryEscape(planted)), planted},
		{"a log line of text", fmt.Sprintf("level=INFO error=%q", planted), planted},
		{"a quotation in a log line", fmt.Sprintf("level=INFO error=%q", fmt.Sprintf("no such thing: %q", planted)), planted},
		{"a quotation in ASCII", fmt.Sprintf("%+q", planted), planted},
		{"a log line of JSON", mustJSON(t, map[string]string{"error": planted}), planted},
		{"JSON in JSON", mustJSON(t, map[string]string{"body": mustJSON(t, planted)}), planted},
		{"a page", "<p>" + html.EscapeString(planted), planted},
		{"hex", fmt.Sprintf("%x", planted), planted},
		{"HEX", fmt.Sprintf("%X", planted), planted},
		{"bytes printed as numbers", fmt.Sprintf("%v", []byte(planted)), planted},
		{"the header of Basic authentication", base64.StdEncoding.EncodeToString([]byte("client:" + planted)), planted},
		{"a byte field in JSON", mustJSON(t, map[string][]byte{"sealed": []byte("ab" + planted)}), planted},
		{"base64url", base64.URLEncoding.EncodeToString([]byte("abc" + planted)), planted},
		{"a half of it", planted[len(planted)/2:], ""},
		{"something else", strings.Repeat("a perfectly harmless line\n", 100), ""},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := f.find([]byte(c.haystack))
			if c.want == "" && len(found) != 0 {
				t.Errorf("found %+v, want nothing", found)
			}
			if c.want != "" && (len(found) == 0 || found[0].secret != c.want) {
				t.Errorf("found %+v, want %q", found, c.want)
			}
			if found := f.find([]byte(c.haystack), planted, other); len(found) != 0 {
				t.Errorf("found %+v where they belong", found)
			}
		})
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
