package provider

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestResources: all are named wherever an access token is asked for, and nowhere else.
func TestResources(t *testing.T) {
	want := []string{"https://api.example/a", "urn:example:b"}
	for _, protocol := range signInProtocols {
		s := newService(t)
		c := s.connections()[protocol]
		c.Resource = want
		p := s.open(c)
		if _, err := s.connect(p); err != nil {
			t.Fatal(err)
		}
		if _, err := refresh(t, p); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.asked["resource"]); diff != "" {
			t.Errorf("%s: authorization request (-want +got):\n%s", protocol, diff)
		}
		for _, form := range s.forms {
			if diff := cmp.Diff(want, form["resource"]); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", protocol, form.Get("grant_type"), diff)
			}
		}
		s = newService(t)
		c = s.connections()[protocol]
		if _, err := s.connect(s.open(c)); err != nil || s.asked.Has("resource") || s.forms[0].Has("resource") {
			t.Errorf("%s: %v, resource named where none is configured: %v, %v", protocol, err, s.asked, s.forms)
		}
	}
}

// TestResourcesArePushed with the rest of the request.
func TestResourcesArePushed(t *testing.T) {
	s := newService(t)
	pushed := s.pushing()
	c := s.oauth2()
	c.PARURL, c.Resource = s.URL+"/par", []string{"https://api.example/"}
	s.begin(s.open(c))
	if s.asked.Has("resource") || (*pushed)[0].Get("resource") != "https://api.example/" {
		t.Errorf("asked %v, pushed %v; want the resource pushed", s.asked, *pushed)
	}
}
