package linkedaccount_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linkgate/linkedaccount"
)

func rename(name string) func(*linkedaccount.Details) error {
	return func(d *linkedaccount.Details) error { d.DisplayName = name; return nil }
}

func TestPatch(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		if diff := cmp.Diff(linkedaccount.Details{Metadata: json.RawMessage("{}")}, a.Details); diff != "" {
			t.Errorf("at first (-want +got):\n%s", diff)
		}
		b, err := s.Patch(t.Context(), a.ID, a.Version, func(d *linkedaccount.Details) error {
			d.DisplayName = "Büro <b>"
			return d.MergeMetadata(json.RawMessage(`{"team": "<a>", "n": 12345678901234567890.10}`))
		})
		check(t, err)
		want := linkedaccount.Details{DisplayName: "Büro <b>", Metadata: json.RawMessage(`{"n":12345678901234567890.10,"team":"<a>"}`)}
		if diff := cmp.Diff(want, b.Details); diff != "" || b.Version != a.Version+1 {
			t.Errorf("version %d after %d, (-want +got):\n%s", b.Version, a.Version, diff)
		}
		if diff := cmp.Diff(b.Details, byID(t, s, a.ID).Details); diff != "" {
			t.Errorf("saved (-want +got):\n%s", diff)
		}
		same, err := s.Patch(t.Context(), a.ID, 0, rename("Büro <b>"))
		check(t, err)
		if same.Version != b.Version || byID(t, s, a.ID).Version != b.Version {
			t.Errorf("nothing changed, and the version is %d after %d", same.Version, b.Version)
		}
		again, _ := link(t, s, grant("octocat", "2"))
		if diff := cmp.Diff(want, again.Details); diff != "" {
			t.Errorf("after linking again (-want +got):\n%s", diff)
		}
	})
}

// TestDetailsGoWithTheAccount: what the owner said about somebody is not kept as history.
func TestDetailsGoWithTheAccount(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		_, err := s.Patch(t.Context(), a.ID, 0, func(d *linkedaccount.Details) error {
			d.DisplayName = "Ada's"
			return d.MergeMetadata(json.RawMessage(`{"desk":7}`))
		})
		check(t, err)
		_, _, err = s.Unlink(t.Context(), a.ID)
		check(t, err)
		a = byID(t, s, a.ID)
		check(t, s.HostDeleted(t.Context(), a.ID, a.Version))
		check(t, s.Revoked(t.Context(), byID(t, s, a.ID)))
		wantStatus(t, s, a.ID, linkedaccount.Unlinked)
		if diff := cmp.Diff(linkedaccount.Details{Metadata: json.RawMessage("{}")}, byID(t, s, a.ID).Details); diff != "" {
			t.Errorf("of an unlinked account (-want +got):\n%s", diff)
		}
	})
}

func TestPatchIsRefused(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		gone, leaving := put(t, s, linkedaccount.Unlinked, "gone"), put(t, s, linkedaccount.Unlinking, "leaving")
		fails := errors.New("no")
		metadata := func(text string) func(*linkedaccount.Details) error {
			return func(d *linkedaccount.Details) error { d.Metadata = json.RawMessage(text); return nil }
		}
		for name, test := range map[string]struct {
			id      string
			version int64
			fn      func(*linkedaccount.Details) error
			want    error
		}{
			"unknown":        {"acc_x", 0, rename("x"), linkedaccount.ErrNotFound},
			"history":        {gone.ID, 0, rename("x"), linkedaccount.ErrNotFound},
			"taken back":     {leaving.ID, 0, rename("x"), linkedaccount.ErrNotFound},
			"older":          {a.ID, a.Version - 1, rename("x"), linkedaccount.ErrStale},
			"newer":          {a.ID, a.Version + 1, rename("x"), linkedaccount.ErrStale},
			"fn's error":     {a.ID, 0, func(*linkedaccount.Details) error { return fails }, fails},
			"long name":      {a.ID, 0, rename(strings.Repeat("ü", linkedaccount.MaxDisplayName+1)), linkedaccount.ErrDisplayName},
			"two lines":      {a.ID, 0, rename("a\nb"), linkedaccount.ErrDisplayName},
			"NUL":            {a.ID, 0, rename("a\x00"), linkedaccount.ErrDisplayName},
			"no text":        {a.ID, 0, rename("\xff"), linkedaccount.ErrDisplayName},
			"array":          {a.ID, 0, metadata(`[]`), linkedaccount.ErrMetadata},
			"null":           {a.ID, 0, metadata(`null`), linkedaccount.ErrMetadata},
			"no JSON":        {a.ID, 0, metadata(`{"a":}`), linkedaccount.ErrMetadata},
			"two values":     {a.ID, 0, metadata(`{} {}`), linkedaccount.ErrMetadata},
			"large metadata": {a.ID, 0, metadata(`{"a":"` + strings.Repeat("x", linkedaccount.MaxMetadata) + `"}`), linkedaccount.ErrMetadata},
			"deep metadata":  {a.ID, 0, metadata(`{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`), linkedaccount.ErrMetadata},
		} {
			if _, err := s.Patch(t.Context(), test.id, test.version, test.fn); !errors.Is(err, test.want) {
				t.Errorf("%s: got %v, want %v", name, err, test.want)
			}
		}
		if now := byID(t, s, a.ID); !cmp.Equal(now, a) {
			t.Errorf("changed all the same:\n%s", cmp.Diff(a, now))
		}
		for name, fn := range map[string]func(*linkedaccount.Details) error{
			"longest name":     rename(strings.Repeat("ü", linkedaccount.MaxDisplayName)),
			"no name":          rename(""),
			"largest metadata": metadata(`{ "a":"` + strings.Repeat("x", linkedaccount.MaxMetadata-len(`{"a":""}`)) + `"}`),
			"escaped NUL":      metadata(`{"a\u0000":"\u0000"}`),
		} {
			if _, err := s.Patch(t.Context(), a.ID, 0, fn); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Of many who change the same version at once, one does, and what it wrote is there.
func TestParallelPatch(t *testing.T) {
	each(t, func(t *testing.T, s *linkedaccount.Store) {
		a := linked(t, s, "octocat")
		for round := range 3 {
			var won atomic.Int64
			var winner atomic.Value
			var all sync.WaitGroup
			for i := range 12 {
				all.Go(func() {
					name := strings.Repeat("x", i+1) + strings.Repeat("y", round)
					b, err := s.Patch(t.Context(), a.ID, a.Version, rename(name))
					switch {
					case err == nil:
						won.Add(1)
						winner.Store(b)
					case !errors.Is(err, linkedaccount.ErrStale):
						t.Error(err)
					}
				})
			}
			all.Wait()
			now := byID(t, s, a.ID)
			if b, _ := winner.Load().(linkedaccount.Account); won.Load() != 1 || now.DisplayName != b.DisplayName || now.Version != a.Version+1 {
				t.Errorf("%d have won; %q at version %d, want %q at %d", won.Load(), now.DisplayName, now.Version, b.DisplayName, a.Version+1)
			}
			a = now
		}
	})
}

// The examples of RFC 7396, appendix A, as far as they are of objects.
func TestMergeMetadata(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ before, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"a":1}`, `{"a":{"b":null,"c":0.10}}`, `{"a":{"c":0.10}}`},
		{``, `{"a":1}`, `{"a":1}`},
	} {
		d := linkedaccount.Details{Metadata: json.RawMessage(test.before)}
		if test.before == "" {
			d.Metadata = nil
		}
		if err := d.MergeMetadata(json.RawMessage(test.patch)); err != nil || string(d.Metadata) != test.want {
			t.Errorf("%s with %s: got %s, %v, want %s", test.before, test.patch, d.Metadata, err, test.want)
		}
	}
	for _, patch := range []string{`["c"]`, `"c"`, `null`, ``, `{`, "{\"a\":\"\xff\"}"} {
		d := linkedaccount.Details{Metadata: json.RawMessage(`{"a":"b"}`)}
		if err := d.MergeMetadata(json.RawMessage(patch)); !errors.Is(err, linkedaccount.ErrMetadata) || string(d.Metadata) != `{"a":"b"}` {
			t.Errorf("%s: %s, %v", patch, d.Metadata, err)
		}
	}
}
