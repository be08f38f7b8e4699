package provider

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// settingForm is what a setting may be: one DNS label, or one segment of a path, so that it can't
// lead out of its place in a URL. The service tells it, but often its users have chosen it.
var settingForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]{0,62}$`)

func isSetting(s string) bool {
	return settingForm.MatchString(s) && !strings.Contains(s, "..")
}

// settings reads each value of identity.settings from the first source that tells it. A sign-in
// without one is worth nothing: no URL could be made for it.
func (c Connection) settings(sources ...document) (map[string]string, error) {
	values, err := c.settingsTold(sources...)
	if err != nil {
		return nil, err
	}
	for _, name := range c.settingNames() {
		if _, told := values[name]; !told {
			return nil, &Error{Op: opIdentify, Kind: ErrNotVerified, Code: "nothing at identity.settings." + name}
		}
	}
	return values, nil
}

// settingsTold is settings without those that no source tells; nil: none.
func (c Connection) settingsTold(sources ...document) (map[string]string, error) {
	var values map[string]string
	for _, name := range c.settingNames() {
		path := c.Identity.Settings[name]
		source := slices.IndexFunc(sources, func(d document) bool { return d.at(path) != nil })
		if source < 0 {
			continue
		}
		value, ok := sources[source].text(path)
		if !ok || !isSetting(value) {
			return nil, &Error{Op: opIdentify, Kind: ErrNotVerified, Code: "no usable value at identity.settings." + name}
		}
		if values == nil {
			values = map[string]string{}
		}
		values[name] = value
	}
	return values, nil
}

// tellsSettings says whether the sources have something for each of them.
func (c Connection) tellsSettings(sources ...document) bool {
	for _, path := range c.Identity.Settings {
		if !slices.ContainsFunc(sources, func(d document) bool { return d.at(path) != nil }) {
			return false
		}
	}
	return true
}

func (c Connection) settingNames() []string {
	return slices.Sorted(maps.Keys(c.Identity.Settings))
}
