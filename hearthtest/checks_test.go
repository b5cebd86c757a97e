package hearthtest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// check is the line of our code that stops one deviation. Taken out, the
// deviation must succeed: its test must fail. So the test is known to test, and
// the line to matter.
type check struct {
	deviation string // the subtest of TestDeviations
	file      string // from the module's root
	old, new  string // old stands exactly once in file
}

// TestEveryCheckMatters takes out one check after another and sees the deviation
// that it stops succeed. In an ordinary run it takes a seeded handful; with
// HEARTH_CHECKS=all, every one.
func TestEveryCheckMatters(t *testing.T) {
	if testing.Short() || os.Getenv("HEARTH_CHECKS") == "none" {
		t.Skip("taking checks out is left out of short runs")
	}
	named := map[string]bool{}
	for _, c := range checks {
		if deviationNamed(c.deviation) == nil {
			t.Errorf("a check names the deviation %q, which does not exist", c.deviation)
		}
		named[c.deviation] = true
	}
	for _, d := range deviations {
		if !named[d.name] {
			t.Errorf("deviation %q names no check that stops it", d.name)
		}
	}
	chosen := checks
	if os.Getenv("HEARTH_CHECKS") != "all" {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:min(len(chosen), 4)]
	}
	for _, c := range chosen {
		t.Run(c.deviation, func(t *testing.T) { takeOut(t, c) })
	}
}

// takeOut runs one deviation against our code without one check.
func takeOut(t *testing.T, c check) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, filepath.FromSlash(c.file))
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), c.old); n != 1 {
		t.Fatalf("%s has the check %d times, want once:\n%s", c.file, n, c.old)
	}
	without := filepath.Join(t.TempDir(), filepath.Base(c.file))
	if err := os.WriteFile(without, []byte(strings.Replace(string(source), c.old, c.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: without}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-vet=off", "-overlay", list, "-count=1",
		"-run", fmt.Sprintf("^TestDeviations$/^%s$", strings.ReplaceAll(c.deviation, " ", "_")), ".")
	out, err := cmd.CombinedOutput()
	text := string(out)
	switch {
	case strings.Contains(text, "[build failed]") || strings.Contains(text, "[setup failed]"):
		t.Fatalf("without the check it does not build:\n%s", text)
	case err == nil:
		t.Errorf("without the check %q of %s the deviation still has no effect: the check or the test is for nothing", c.old, c.file)
	case !strings.Contains(text, "--- FAIL: TestDeviations/"):
		t.Errorf("without the check the run ended otherwise:\n%s", text)
	}
}
