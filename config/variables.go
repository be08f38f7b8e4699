package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// variables are the environment, with NAME_FILE standing in for NAME, and a memory of which
// names were asked for.
type variables struct {
	source Source
	used   map[string]bool
}

func newVariables(src Source) *variables {
	return &variables{source: src, used: map[string]bool{}}
}

// lookup finds name's value, in the environment or in the file that NAME_FILE names. set tells
// whether there is one at all. The mistake, if any, is the environment's.
func (v *variables) lookup(name string) (value string, set bool, mistake *Mistake) {
	v.used[name], v.used[name+"_FILE"] = true, true
	value, set = v.source.Environ[name]
	path := v.source.Environ[name+"_FILE"]
	switch {
	case path == "":
		return value, set, nil
	case value != "":
		return "", true, &Mistake{
			Variable: name + "_FILE",
			Text:     fmt.Sprintf("both %s and %s_FILE are set", name, name),
			Remedy:   fmt.Sprintf("Unset one of them: keep %s_FILE if the file is where the value is kept.", name),
		}
	}
	content, err := v.source.ReadFile(path)
	if err != nil {
		return "", true, unreadable(Mistake{Variable: name + "_FILE"}, path, err)
	}
	return strings.TrimRight(string(content), "\r\n"), true, nil
}

// unreadable words a failed read as a mistake at the given place.
func unreadable(at Mistake, path string, err error) *Mistake {
	at.Text = fmt.Sprintf("the file %s can't be read", path)
	at.Remedy = "Make it a plain file that Linkgate may read."
	switch {
	case errors.Is(err, fs.ErrNotExist):
		at.Text = fmt.Sprintf("there is no file %s", path)
		at.Remedy = "Create it, or correct the path."
	case errors.Is(err, fs.ErrPermission):
		at.Text = fmt.Sprintf("Linkgate is not allowed to read the file %s", path)
		at.Remedy = "Give the user that runs Linkgate permission to read it."
	}
	return &at
}
