package config

import (
	"fmt"
	"strings"
)

// expand replaces each ${NAME} in a value by the variable's value; $${ stands for ${ itself. What
// is put in is not looked at again, so a variable's value can bring in neither YAML nor another
// variable.
func expand(value string, lookup func(name string) (string, *Mistake)) (string, *Mistake) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(value, "${")
		if !found {
			out.WriteString(value)
			return out.String(), nil
		}
		if strings.HasSuffix(before, "$") {
			out.WriteString(before + "{")
			value = after
			continue
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || !isVariableName(name) {
			return "", &Mistake{
				Text:   "a ${ is not followed by the name of a variable and }",
				Remedy: "Write ${NAME}, with letters, digits and underscores; write $${ for a plain ${.",
			}
		}
		replacement, mistake := lookup(name)
		if mistake != nil {
			return "", mistake
		}
		out.WriteString(before + replacement)
		value = rest
	}
}

// reference is the value of a variable that a file refers to; it must be there and not empty.
func reference(name string, vars *variables) (string, *Mistake) {
	value, set, mistake := vars.lookup(name)
	switch {
	case mistake != nil:
		return "", mistake
	case !set:
		return "", &Mistake{
			Text:   fmt.Sprintf("the variable %s is not set", name),
			Remedy: fmt.Sprintf("Set %s in the environment, or %s_FILE to a file that holds the value.", name, name),
		}
	case value == "":
		return "", &Mistake{
			Text:   fmt.Sprintf("the variable %s is empty", name),
			Remedy: fmt.Sprintf("Give %s a value in the environment.", name),
		}
	}
	return value, nil
}

func isVariableName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if digit := '0' <= c && c <= '9'; !letter && (!digit || i == 0) {
			return false
		}
	}
	return s != ""
}
