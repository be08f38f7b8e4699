package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	"linkgate/config"
	"linkgate/provider"
)

// TestPresetEntries: the entry that is shown for each preset works as it is, and with its comments
// taken for meant.
func TestPresetEntries(t *testing.T) {
	for _, name := range provider.Presets() {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"presets", name, "--json", "--auth-id", "7f3c"}, nil, &out, &errs); code != exitFine {
			t.Fatalf("%s: exit code %d: %s", name, code, &errs)
		}
		var page presetPage
		if err := json.Unmarshal(out.Bytes(), &page); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, entry := range []string{page.Entry, strings.ReplaceAll(page.Entry, "    # ", "    ")} {
			c, err := config.Load(entrySource(name, entry))
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, entry)
				continue
			}
			if len(c.Connections) != 1 || c.Connections[0].Provider != name {
				t.Errorf("%s: got %+v", name, c.Connections)
			}
		}
	}
}

// entrySource has an entry of connections.yaml and what else serve needs.
func entrySource(name, entry string) config.Source {
	variable := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	return config.Source{
		Environ: map[string]string{
			"PUBLIC_URL": "https://connect.example.com", "HOST_API_KEY": "the-api-key", "HOST_PROXY_SECRET": "0123456789abcdef",
			variable + "_CLIENT_ID": "the-client", variable + "_CLIENT_SECRET": "the-client-secret",
		},
		ReadFile: func(file string) ([]byte, error) {
			if file != "connections.yaml" {
				return nil, fs.ErrNotExist
			}
			return []byte("connections:\n" + entry), nil
		},
	}
}

// TestPresetPages: every page has what an operator needs, with nothing left to be filled in.
func TestPresetPages(t *testing.T) {
	const redirectURI = "https://connect.example.com/callback/7f3c"
	for _, name := range provider.Presets() {
		p, _ := provider.PresetNamed(name)
		var out, errs bytes.Buffer
		args := []string{"presets", name, "--public-url", "https://connect.example.com/", "--auth-id", "7f3c"}
		if code := run(t.Context(), args, nil, &out, &errs); code != exitFine {
			t.Fatalf("%s: exit code %d: %s", name, code, &errs)
		}
		page := out.String()
		if got, want := strings.Contains(page, "\n  "+redirectURI+"\n"), p.Connection.Redirects(); got != want {
			t.Errorf("%s: a redirect URI to paste: %v, want %v", name, got, want)
		}
		for _, left := range []string{unknownAuthID, unknownPublicURL, provider.RedirectURIPlaceholder, " \n", "%!"} {
			if strings.Contains(page, left) {
				t.Errorf("%s: %q is left in\n%s", name, left, page)
			}
		}
		for _, s := range p.Sources {
			if !strings.Contains(page, s.URL) {
				t.Errorf("%s: %s is missing", name, s.URL)
			}
		}
		for _, key := range p.Unverified() {
			if !strings.Contains(page, "Not confirmed") || !strings.Contains(page, key) {
				t.Errorf("%s: does not say that nobody confirmed %s", name, key)
			}
		}
	}
}
