package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// prefixes are what people put before our names in the belief that every program wants one.
var prefixes = [...]string{"LINKGATE_", "BLINK_", "APP_"}

// nearMisses warns of variables that are set, unknown, and look like a known one misspelt.
func (v *variables) nearMisses() []Mistake {
	var warnings []Mistake
	for _, name := range slices.Sorted(maps.Keys(v.source.Environ)) {
		if v.used[name] {
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

// meantVariable finds the known variable that name probably stands for.
func meantVariable(name string) (string, bool) {
	known := variableNames()
	bare := strings.ToUpper(name)
	for _, p := range prefixes {
		bare = strings.TrimPrefix(bare, p)
	}
	if slices.Contains(known, bare) {
		return bare, true
	}
	if plain, ok := strings.CutSuffix(bare, "_FILE"); ok && slices.Contains(known, plain) {
		return plain, true
	}
	return nearest(bare, known)
}

// nearest is the candidate closest to name, if it is close enough to be what was meant: at most
// one character in four may differ, two in all for short names, none in very short ones.
func nearest(name string, candidates []string) (string, bool) {
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

// distance is Levenshtein's: how many characters must be put in, taken out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
