package templates

import (
	"strings"
	"testing"
)

// TestResultGoesBack: a page that nobody has opened leads back by itself where there is nothing more to
// read or to decide, and offers the way back in every case.
func TestResultGoesBack(t *testing.T) {
	const back = "https://app.example/done?linkgate_status=success"
	for _, test := range []struct {
		name   string
		result Result
		goes   bool
	}{
		{"linked", Result{State: "linked", Return: back}, true},
		{"pending", Result{State: "pending", Return: back}, true},
		{"linked with less", Result{State: "linked", Missing: []string{"repo"}, Return: back}, false},
		{"linked, in a window of its own", Result{State: "linked", Return: back, Window: true}, false},
		{"denied", Result{State: "failed", Reason: "denied", Return: back}, true},
		{"denied, in a window of its own", Result{State: "failed", Reason: "denied", Return: back, Window: true}, false},
		{"failed", Result{State: "failed", Reason: "service_unavailable", Return: back}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPages(t)
			page := render(t, p, p.locales[0], test.result)
			if !strings.Contains(page, `id="return" rel="noreferrer" href="`+back+`"`) {
				t.Error("the page does not offer the way back")
			}
			if got := !strings.Contains(page, ` data-go=""`); got != test.goes {
				t.Errorf("it goes back by itself: %v, want %v", got, test.goes)
			}
			if got := strings.Contains(page, ` data-window="yes"`); got != test.result.Window {
				t.Errorf("it takes the window for its own: %v, want %v", got, test.result.Window)
			}
		})
	}
}

// TestReturnRunsNothing: what is no address of the web leads nowhere, with script or without.
func TestReturnRunsNothing(t *testing.T) {
	p := newPages(t)
	page := render(t, p, p.locales[0], Result{State: "linked", Return: "javascript:alert(1)"})
	if strings.Contains(page, "javascript:") || !strings.Contains(page, ` data-return="#ZgotmplZ"`) {
		t.Error("the page leads to a script")
	}
}

func TestNoReturn(t *testing.T) {
	p := newPages(t)
	page := render(t, p, p.locales[0], Result{State: "linked"})
	if strings.Contains(page, `id="return"`) || !strings.Contains(page, ` data-return="" data-go=""`) {
		t.Error("the page leads back to nowhere")
	}
}
