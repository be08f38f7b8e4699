package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"linkgate/secret"
)

// readEnvironment fills Config from variables and checks them. On a mistake the field keeps its
// zero value or default.
func readEnvironment(vars *variables) (Config, []Mistake) {
	values, mistakes := gather(vars)
	var c Config
	err := env.ParseWithOptions(&c, env.Options{Environment: values})
	broken := map[string]bool{}
	for _, m := range mistakes {
		broken[strings.TrimSuffix(m.Variable, "_FILE")] = true
	}
	var all env.AggregateError
	if errors.As(err, &all) {
		for _, e := range all.Errors {
			m := unparsable(e)
			broken[m.Variable] = true
			mistakes = append(mistakes, m)
		}
	}
	r := rules{config: &c, broken: broken}
	r.check()
	mistakes = append(mistakes, r.mistakes...)
	sortByVariable(mistakes)
	return c, mistakes
}

// sortByVariable puts mistakes in the order in which Config names the variables.
func sortByVariable(mistakes []Mistake) {
	names := variableNames()
	at := func(m Mistake) int { return slices.Index(names, strings.TrimSuffix(m.Variable, "_FILE")) }
	slices.SortStableFunc(mistakes, func(a, b Mistake) int { return at(a) - at(b) })
}

// gather looks up every variable of Config. Only a secret is looked for in a NAME_FILE.
func gather(vars *variables) (map[string]string, []Mistake) {
	values := map[string]string{}
	var mistakes []Mistake
	for _, v := range knownVariables() {
		if !v.secret {
			vars.used[v.name] = true
			values[v.name] = strings.TrimSpace(vars.source.Environ[v.name])
			continue
		}
		value, _, mistake := vars.lookup(v.name)
		if mistake != nil {
			mistakes = append(mistakes, *mistake)
		}
		values[v.name] = strings.TrimSpace(value)
	}
	return values, mistakes
}

// variable is one that Config has a field for.
type variable struct {
	name   string
	field  string
	secret bool
}

func knownVariables() []variable {
	var known []variable
	for f := range reflect.TypeFor[Config]().Fields() {
		name := f.Tag.Get("env")
		if name == "" || name == "-" {
			continue
		}
		secretive := f.Type == reflect.TypeFor[secret.Text]() || f.Type == reflect.TypeFor[[]secret.Text]()
		known = append(known, variable{name: name, field: f.Name, secret: secretive})
	}
	return known
}

func variableNames() []string {
	var names []string
	for _, v := range knownVariables() {
		names = append(names, v.name)
	}
	return names
}

// unparsable words an error of env: it names a field, people know the variable.
func unparsable(err error) Mistake {
	var parse env.ParseError
	if !errors.As(err, &parse) {
		return Mistake{Variable: "environment", Text: fmt.Sprintf("the environment can't be read (%T)", err), Remedy: "Please report this."}
	}
	m := meaningless(parse.Type)
	for _, v := range knownVariables() {
		if v.field == parse.Name {
			m.Variable, m.Text = v.name, v.name+" "+m.Text
		}
	}
	return m
}

// meaningless says what a value of this type has to look like.
func meaningless(t reflect.Type) Mistake {
	switch t {
	case reflect.TypeFor[bool]():
		return Mistake{Text: "is neither true nor false", Remedy: "Set it to true or false."}
	case reflect.TypeFor[time.Duration]():
		return Mistake{Text: "is not a duration", Remedy: "Write a number with its unit, such as 25s or 2m."}
	case reflect.TypeFor[int]():
		return Mistake{Text: "is not a whole number", Remedy: "Write digits alone, such as 50."}
	default:
		return Mistake{Text: "is not a log level", Remedy: "Set it to debug, info, warn or error."}
	}
}

// DataDir is DATA_DIR or its default, for commands that need no more than that.
func DataDir(src Source) string {
	c, _ := readEnvironment(newVariables(src))
	return c.DataDir
}
