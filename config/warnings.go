package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// prefixes are what people put before our names in the belief that every program wants one. (Two of
// our names do begin with APP_.)
var prefixes = [...]string{"LINKGATE_", "BLINK_", "APP_"}

// ofCommands are variables of `linkgate accounts`, which knows nothing of the configuration.
var ofCommands = []string{"LINKGATE_URL", "LINKGATE_API_KEY", "LINKGATE_API_KEY_FILE"}

// nearMisses warns of variables that are set, unknown, and look like a known one misspelt.
func (v *variables) nearMisses() []Mistake {
	var warnings []Mistake
	for _, name := range slices.Sorted(maps.Keys(v.source.Environ)) {
		if v.used[name] || slices.Contains(ofCommands, name) {
			continue
		}
		meant, ok := meantVariable(name)
		if !ok {
			continue
		}
		w := Mistake{
			Variable: name,
			Text:     name + " is no variable of Linkgate's and has no effect",
			Remedy:   fmt.Sprintf("Did you mean %s?", meant),
		}
		if name == meant+"_FILE" {
			w.Text = name + " has no effect: only secrets are read from files"
			w.Remedy = fmt.Sprintf("Set %s itself.", meant)
		}
		warnings = append(warnings, w)
	}
	return warnings
}

// placeholder is how the values in .env.example begin.
const placeholder = "replace-me"

// placeholders warns of variables that are in use and still have the example's value.
func (v *variables) placeholders() []Mistake {
	var warnings []Mistake
	for _, name := range slices.Sorted(maps.Keys(v.used)) {
		if strings.HasPrefix(v.source.Environ[name], placeholder) {
			warnings = append(warnings, Mistake{
				Variable: name,
				Text:     name + " still has the value of .env.example",
				Remedy:   "Replace it by your own: everybody knows that one.",
			})
		}
	}
	return warnings
}

// halfShared finds a database for many replicas beside a Redis for one.
func (c Config) halfShared() []Mistake {
	if c.DatabaseURL.IsZero() || !c.RedisURL.IsZero() {
		return nil
	}
	return []Mistake{{
		Variable: "REDIS_URL",
		Text:     "REDIS_URL is not set although DATABASE_URL is: a second replica would not know the sessions of the first",
		Remedy:   "Set REDIS_URL before you run more than one replica.",
	}}
}

// meantVariable finds the known variable that name probably stands for: as it is, without one of
// the prefixes, or without several.
func meantVariable(name string) (string, bool) {
	known := variableNames()
	forms := []string{strings.ToUpper(name)}
	for _, p := range prefixes {
		if bare, ok := strings.CutPrefix(forms[len(forms)-1], p); ok {
			forms = append(forms, bare)
		}
	}
	for _, form := range forms {
		for _, plain := range []string{form, strings.TrimSuffix(form, "_FILE")} {
			if slices.Contains(known, plain) {
				return plain, true
			}
		}
	}
	for _, form := range forms {
		if meant, ok := nearest(form, known); ok {
			return meant, true
		}
	}
	return "", false
}

// maxTyped is longer than any name we know.
const maxTyped = 64

// nearest is the candidate closest to name, if it is close enough to be what was meant: with at
// most one typing error for every four characters, and three in all.
func nearest(name string, candidates []string) (string, bool) {
	if len(name) > maxTyped {
		return "", false
	}
	best, bestDistance := "", min(len(name)/4, 3)+1
	for _, c := range candidates {
		if d := distance(fold(name), fold(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best, best != ""
}

// fold makes clientId, client-id and client_id alike.
func fold(name string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name))
}

// distance counts the typing errors between a and b: a character put in, left out or changed, or
// two neighbours swapped (optimal string alignment).
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
