package templates

import (
	"regexp"
	"strings"
	"testing"
)

// inputOf is the element of one field, and what stands around it.
func inputOf(t *testing.T, page, key string) (input, around string) {
	t.Helper()
	for _, part := range strings.Split(page, `<div class="field">`)[1:] {
		part, _, _ = strings.Cut(part, "</div>")
		if strings.Contains(part, ` name="`+key+`"`) {
			return regexp.MustCompile(`<input[^>]*>`).FindString(part), part
		}
	}
	t.Fatalf("the page has no %q:\n%s", key, page)
	return "", ""
}

func TestInput(t *testing.T) {
	p := newPages(t)
	for _, tc := range []struct {
		name     string
		field    Field
		want     []string
		unwanted []string
	}{
		{"plain", Field{Key: "subdomain", Label: "Subdomain", Example: "acme"},
			[]string{`id="field-subdomain"`, `type="text"`, `value=""`, "placeholder=\"e.g. \u2068acme\u2069\"", `autocomplete="off"`, `autocapitalize="none"`, `spellcheck="false"`, `required=""`, `dir="auto"`},
			[]string{"aria-", "autofocus"}},
		{"typed before", Field{Key: "subdomain", Value: `a"><b>`}, []string{`value="a&#34;&gt;&lt;b&gt;"`}, []string{"<b>", "placeholder"}},
		{"key", Field{Key: "api_key", Secret: true}, []string{`type="password"`, `autocomplete="off"`, `value=""`, `autocapitalize="none"`, `spellcheck="false"`}, nil},
		{"key that somebody hands in", Field{Key: "api_key", Secret: true, Value: "hunter2"}, []string{`value=""`}, []string{"hunter2"}},
		{"password", Field{Key: "password", Secret: true}, []string{`type="password"`, `autocomplete="current-password"`}, nil},
		{"password of another name", Field{Key: "account_password", Secret: true}, []string{`autocomplete="current-password"`}, nil},
		{"user", Field{Key: "username"}, []string{`type="text"`, `autocomplete="username"`}, nil},
		{"e-mail", Field{Key: "email"}, []string{`type="text"`, `autocomplete="username"`}, nil},
		{"with help", Field{Key: "a", Help: "Ask."}, []string{`aria-describedby="help-a"`}, []string{"aria-invalid"}},
		{"with a mistake", Field{Key: "a", Mistake: "missing"}, []string{`aria-invalid="true"`, `aria-describedby="mistake-a"`}, nil},
		{"with both", Field{Key: "a", Help: "Ask.", Mistake: "missing"}, []string{`aria-describedby="mistake-a help-a"`}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, around := inputOf(t, render(t, p, p.Locale("en"), Ticket{Fields: []Field{tc.field}}), tc.field.Key)
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			for _, unwanted := range tc.unwanted {
				if strings.Contains(got, unwanted) {
					t.Errorf("got %s, want no %s", got, unwanted)
				}
			}
			for _, id := range strings.Fields(tc.field.Describes()) {
				if !strings.Contains(around, ` id="`+id+`"`) {
					t.Errorf("got %s, want an element %s", around, id)
				}
			}
			if !strings.Contains(around, `<label for="field-`+tc.field.Key+`">`) {
				t.Errorf("got %s, want a label", around)
			}
		})
	}
}

// TestMistakes: each stands at its field, and the page opens at the first.
func TestMistakes(t *testing.T) {
	p := newPages(t)
	fields := []Field{{Key: "a", Label: "A"}, {Key: "b", Label: "B", Mistake: "malformed"}, {Key: "c", Label: "C", Mistake: "rejected", Secret: true}, {Key: "d", Label: "D", Mistake: "nobody knows"}}
	page := render(t, p, p.Locale("en"), Ticket{ServiceName: "Amino", Form: true, Again: true, Fields: fields})
	for key, want := range map[string]string{"a": "", "b": "This does not look right", "c": "<bdi>Amino</bdi> did not accept this", "d": "This does not look right"} {
		input, around := inputOf(t, page, key)
		if got := strings.Contains(around, `class="mistake"`); got != (want != "") || !strings.Contains(around, want) {
			t.Errorf("%s: got %s, want %q", key, around, want)
		}
		if got := strings.Contains(input, "autofocus"); got != (key == "b") {
			t.Errorf("%s: got the focus: %v", key, got)
		}
		if got := strings.Contains(page, `href="#field-`+key+`"`); got != (want != "") {
			t.Errorf("%s: got it in the summary: %v", key, got)
		}
	}
	alert, form := strings.Index(page, `role="alert"`), strings.Index(page, "<form")
	if alert < 0 || alert > form || !strings.Contains(page, "<title>Not connected yet. · ") {
		t.Errorf("got the alert at %d, the form at %d; want it before, and in the title", alert, form)
	}
}

// TestAgainWithoutAMistake: the service takes none of it, and there is no one field to blame.
func TestAgainWithoutAMistake(t *testing.T) {
	p := newPages(t)
	page := render(t, p, p.Locale("en"), Ticket{Form: true, Again: true, Fields: []Field{{Key: "a"}, {Key: "b"}}})
	if input, _ := inputOf(t, page, "a"); !strings.Contains(input, "autofocus") || !strings.Contains(page, `role="alert"`) || strings.Contains(page, "<ul") {
		t.Errorf("got %s", page)
	}
	if strings.Contains(page, "emptied what is secret") {
		t.Error("got a word about secrets, and there is none")
	}
}

func TestNothingIsWrongAtFirst(t *testing.T) {
	p := newPages(t)
	page := render(t, p, p.Locale("en"), Ticket{Form: true, Fields: aForm()})
	if found := regexp.MustCompile(`<[^>]*(role="alert"|aria-invalid|autofocus)|Not connected`).FindString(page); found != "" {
		t.Errorf("got %s on a page that nobody has typed in", found)
	}
}

// TestPromise: who types a password here must not read that we never see it, and who types none
// must not be told of keeping.
func TestPromise(t *testing.T) {
	p := newPages(t)
	for _, l := range p.locales {
		for _, form := range []bool{false, true} {
			page := render(t, p, l, Ticket{ServiceName: "Amino", Form: form, Fields: aForm()})
			for key, want := range map[string]bool{"ticket.form": form, "ticket.next": !form, "ticket.connect": form, "ticket.continue": !form} {
				words, err := l.T(key, "service", "Amino")
				if err != nil {
					t.Fatal(err)
				}
				if key == "ticket.connect" || key == "ticket.continue" {
					words = ">" + words + "</button>"
				}
				if got := strings.Contains(page, string(words)); got != want {
					t.Errorf("%s: form %v: got %s: %v", l.Lang(), form, key, got)
				}
			}
			if promise, button := strings.Index(page, `class="promise"`), strings.Index(page, "<button"); form && promise > button {
				t.Errorf("%s: got the promise after the button", l.Lang())
			}
		}
	}
}

// TestWhereIsIt: a link to the service's help takes nothing along, and leads to a web page only.
func TestWhereIsIt(t *testing.T) {
	p := newPages(t)
	for _, tc := range []struct{ link, want string }{
		{"", ""},
		{"https://help.example/keys?a=1&b=2", `<a href="https://help.example/keys?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">`},
		{"javascript:alert(1)", `<a href="#ZgotmplZ" target="_blank" rel="noopener noreferrer">`},
		{"tel:1", `<a href="#ZgotmplZ" target="_blank" rel="noopener noreferrer">`},
		{"https://help.example/\u202E", `<a href="https://help.example/%e2%80%ae" target="_blank" rel="noopener noreferrer">`},
	} {
		_, around := inputOf(t, render(t, p, p.Locale("en"), Ticket{Fields: []Field{{Key: "a", Link: tc.link}}}), "a")
		if got := regexp.MustCompile(`<a [^>]*>`).FindString(around); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.link, got, tc.want)
		}
	}
}

// TestNoAddressRunsAScript: neither a link nor a form nor a page that is looked at again.
func TestNoAddressRunsAScript(t *testing.T) {
	p := newPages(t)
	for name, page := range map[string]Page{
		"ticket": Ticket{Action: "JavaScript:alert(1)"},
		"relay":  Relay{Action: "JavaScript:alert(1)"},
		"retry":  Result{State: "failed", TryAgain: "JavaScript:alert(1)"},
		"again":  Result{State: "working", Refresh: "JavaScript:alert(1)"},
	} {
		if html := render(t, p, p.Locale("en"), page); strings.Contains(html, "JavaScript:") || !strings.Contains(html, string(unsafeAddress)) {
			t.Errorf("%s: got a page with that address: %s", name, html)
		}
	}
}
