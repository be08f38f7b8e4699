package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"linkgate/apikey"
	"linkgate/demo"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"linkgate": main})
}

// TestScripts runs the journeys in testdata/script: the commands as a user meets them.
func TestScripts(t *testing.T) {
	services := &registrars{all: map[string]*demo.Registrar{}}
	staffrooms := &hosts{all: map[string]*demo.Host{}}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
			"keyid": keyid,
			"mode":  mode,

			"apikey": apikeyShown,
			"owe":    owe,
			"happen": happen,

			"world":   world,
			"ready":   ready,
			"api":     api,
			"capture": capture,
			"browse":  browse,
			"deny":    deny,

			"registrar":  services.start,
			"registered": services.registered,

			"staffroom":      staffrooms.start,
			"staffroomfails": staffrooms.fails,
			"staffroomlater": staffrooms.later,
			"linked":         staffrooms.linked,
			"records":        staffrooms.records,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector's second at each exit
			for _, name := range []string{".env.example", "connections.example.yaml"} {
				content, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(env.WorkDir, name), content, 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		RequireUniqueNames: true,
	})
}

// exits CODE COMMAND…: the command's exit code is CODE.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("running %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// keyid VARIABLE INDEX: sets the variable to the id of a key in the JSON on the standard output.
func keyid(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keyid VARIABLE INDEX")
	}
	var keys []keyInfo
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &keys))
	index, err := strconv.Atoi(args[1])
	ts.Check(err)
	if index >= len(keys) {
		ts.Fatalf("there are %d keys", len(keys))
	}
	ts.Setenv(args[0], strconv.FormatUint(uint64(keys[index].ID), 10))
}

// apikey VARIABLE VARIABLE: sets the variables to the API key on the standard output, and to its id.
func apikeyShown(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: apikey VARIABLE VARIABLE")
	}
	key := strings.TrimSpace(ts.ReadFile("stdout"))
	ts.Setenv(args[0], key)
	ts.Setenv(args[1], apikey.IDOf(key))
}

// mode MODE FILE: the file's permissions are MODE, in octal.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode MODE FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatInt(int64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("mode %s, want %s", got, args[0])
	}
}
