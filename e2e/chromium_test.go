package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"linkgate/secret"
)

// newKeyset makes a sealing keyset, as `linkgate keys new` does.
func newKeyset(t *testing.T) string {
	t.Helper()
	keyset, err := secret.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return keyset.Reveal()
}

// screen is what a page is looked at on.
type screen struct {
	name          string
	width, height int64
	dark          bool
	phone         bool
}

var screens = []screen{
	{name: "phone-light", width: 390, height: 844, phone: true},
	{name: "phone-dark", width: 390, height: 844, phone: true, dark: true},
	{name: "desk-light", width: 1280, height: 800},
	{name: "desk-dark", width: 1280, height: 800, dark: true},
}

// chromium starts a real Chromium with one window.
func chromium(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // the tests may run as root
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("accept-lang", "en"),
	)
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	window, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() { cancel(); cancelAllocator() })
	if err := chromedp.Do(window); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return window
}

// patience is how long a step in the browser may take.
const patience = 30 * time.Second

// do runs steps in a window and fails the test when one does not work.
func do(t *testing.T, window context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ask(t, window, chromedp.Steps(steps...))
}

// ask is do for an action that returns something.
func ask[T any](t *testing.T, window context.Context, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(window, patience)
	defer cancel()
	answer, err := chromedp.Run(ctx, action)
	if err != nil {
		last, cancel := context.WithTimeout(window, patience)
		defer cancel()
		at, _ := chromedp.Run(last, chromedp.Location())
		html, _ := chromedp.Run(last, chromedp.OuterHTML(chromedp.CSS("html")))
		t.Fatalf("in the browser: %v\nat %s:\n%s", err, at, html)
	}
	return answer
}

// opened runs steps that open a window at Linkgate, and returns that window once it is there: the
// host opens an empty one first.
func opened(t *testing.T, window context.Context, steps ...chromedp.Action[chromedp.Void]) context.Context {
	t.Helper()
	do(t, window, steps...)
	var id target.ID
	eventually(t, "a window opens at Linkgate", func() bool {
		targets, err := chromedp.Targets(window)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range targets {
			if i.OpenerID != "" && strings.Contains(i.URL, "/connect/") {
				id = i.TargetID
			}
		}
		return id != ""
	})
	popup, cancel := chromedp.NewContext(window, chromedp.WithTargetID(id))
	t.Cleanup(cancel)
	if err := chromedp.Do(popup); err != nil { // not with do: the window lives as long as this context
		t.Fatalf("attaching to the window: %v", err)
	}
	return popup
}

// look takes a picture of the page on each screen, checks that nothing sticks out sideways, and
// keeps the pictures in LINKGATE_SCREENSHOTS, a directory, when that is set.
func look(t *testing.T, window context.Context, name string) {
	t.Helper()
	for _, s := range screens {
		do(t, window, s.show())
		over := ask(t, window, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
		if over > 0 {
			t.Errorf("%s on %s: %d pixels stick out sideways", name, s.name, over)
		}
		picture := ask(t, window, chromedp.FullScreenshot(100))
		if dir := os.Getenv("LINKGATE_SCREENSHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+"-"+s.name+".png"), picture, 0o600); err != nil {
				t.Error(err)
			}
		}
	}
}

// show puts the window on this screen.
func (s screen) show() chromedp.Action[chromedp.Void] {
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	return chromedp.Func(func(ctx context.Context, at *chromedp.Target) error {
		_, err := cdp.Call(ctx, at, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.phone,
		})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, at, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"}, // no picture between two schemes
			},
		})
		return err
	})
}
