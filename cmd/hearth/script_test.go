package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hearth/server"
)

// TestMain lets the test binary be the program: scripts and tests run it as
// real processes.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hearth": func() { os.Exit(runWithin()) }})
}

// processLife bounds how long a process of the program lives in a test.
const processLife = 8 * time.Minute

// runWithin is run. A process that hangs ends by itself and says what all of its
// goroutines were doing, so that the test which waits for it fails, by name.
func runWithin() int {
	life := processLife
	if d, err := time.ParseDuration(os.Getenv(lifeEnv)); err == nil {
		life = d
	}
	time.AfterFunc(life, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("hearth %s is still running after %v", strings.Join(os.Args[1:], " "), life))
	})
	return run()
}

// lifeEnv is a variable of the environment that bounds it otherwise.
const lifeEnv = "HEARTH_TEST_LIFE"

// TestStories runs the command line as a person does, a file a story. Each has
// a house of its own at $HOUSE, whose name is $NAME.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		Setup:              setUpHouse,
		Condition:          condition,
		RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"json":   scriptJSON,
			"let":    scriptLet,
			"line":   scriptLine,
			"ready":  scriptReady,
			"scrape": scriptScrape,
		},
	})
}

// setUpHouse starts a server for one story, in the test's own process.
func setUpHouse(env *testscript.Env) error {
	data := filepath.Join(env.WorkDir, "house")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s, err := server.New(server.Config{Dir: data, Domain: l.Addr().String(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- s.Run(ctx) }()
	go func() { ended <- s.Serve(ctx, l) }()
	env.Defer(func() {
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				env.T().Log("the house ended with", err)
				env.T().FailNow()
			}
		}
	})
	env.Setenv("HOUSE", "http://"+l.Addr().String())
	env.Setenv("NAME", l.Addr().String())
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Setenv("FREE", free.Addr().String()) // where nobody listens
	return free.Close()
}

// condition tells what a machine can do. Where tests must not pass over
// anything, what is missing is a failure of the story that needs it.
func condition(name string) (bool, error) {
	if name == "unshare" {
		return os.Getenv("CI") == "true" || exec.Command("unshare", "-rm", "true").Run() == nil, nil
	}
	return false, nil
}

// lastOutput returns the lines of the last command's stdout as objects.
func lastOutput(ts *testscript.TestScript) (objects []map[string]any) {
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			ts.Fatalf("%q is not a line of JSON: %v", line, err)
		}
		objects = append(objects, m)
	}
	return objects
}

// scriptJSON is "json FIELD…": every line of the last stdout is an object with
// exactly these fields; one marked ? may be absent.
func scriptJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: json FIELD…")
	}
	checkFields(ts, lastOutput(ts), args)
}

// scriptLine is "line MEASURED FIELD…": json for the lines of a bench that tell of
// one figure.
func scriptLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: line MEASURED FIELD…")
	}
	others := func(m map[string]any) bool { return m["measured"] != args[0] }
	checkFields(ts, slices.DeleteFunc(lastOutput(ts), others), args[1:])
}

func checkFields(ts *testscript.TestScript, objects []map[string]any, args []string) {
	if len(objects) == 0 {
		ts.Fatalf("nothing was printed")
	}
	for _, m := range objects {
		got := slices.Sorted(maps.Keys(m))
		for _, f := range args {
			name, optional := strings.CutSuffix(f, "?")
			i := slices.Index(got, name)
			if i < 0 && !optional {
				ts.Fatalf("field %s is missing in %v", name, m)
			}
			if i >= 0 {
				got = slices.Delete(got, i, i+1)
			}
		}
		if len(got) > 0 {
			ts.Fatalf("fields %v are not in the contract: %v", got, m)
		}
	}
}

// scriptLet is "let VAR FIELD [TEXT]": VAR becomes a field of the last stdout's
// first object, or of the first one whose JSON holds TEXT.
func scriptLet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: let VAR FIELD [TEXT]")
	}
	for _, m := range lastOutput(ts) {
		if len(args) == 3 {
			if b, err := json.Marshal(m); err != nil || !strings.Contains(string(b), args[2]) {
				continue
			}
		}
		if v, ok := m[args[1]].(string); ok && v != "" {
			ts.Setenv(args[0], v)
			return
		}
	}
	ts.Fatalf("no field %s was printed", args[1])
}

// scriptReady is "ready HOST:PORT" or "ready SOCKET": wait until someone
// answers there.
func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready ADDRESS")
	}
	network, at := "tcp", args[0]
	if !strings.Contains(at, ":") {
		network, at = "unix", ts.MkAbs(at)
	}
	ts.Check(answers(network, at))
}

// scriptScrape is "[!] scrape FOLDER TEXT": some file below FOLDER holds TEXT.
func scriptScrape(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: scrape FOLDER TEXT")
	}
	found := ""
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), args[1]) {
			found = path
		}
		return err
	}))
	if neg && found != "" {
		ts.Fatalf("%s holds %q", found, args[1])
	}
	if !neg && found == "" {
		ts.Fatalf("no file holds %q", args[1])
	}
}
