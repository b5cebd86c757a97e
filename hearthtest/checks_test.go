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

// TestEveryCheckMatters takes out one check after another and sees the deviation
// that it stops succeed. In an ordinary run it takes a seeded handful; with
// HEARTH_CHECKS=all, every one.
func TestEveryCheckMatters(t *testing.T) {
	if testing.Short() || os.Getenv("HEARTH_CHECKS") == "none" {
		t.Skip("taking checks out is left out of short runs")
	}
	chosen := allDeviations()
	for _, d := range chosen {
		if len(d.edits) == 0 {
			t.Errorf("deviation %q names no check that stops it", d.name)
		}
	}
	if os.Getenv("HEARTH_CHECKS") != "all" {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:min(len(chosen), 4)]
	}
	for _, d := range chosen {
		t.Run(strings.ReplaceAll(d.name, " ", "_"), func(t *testing.T) { takeOut(t, d) })
	}
}

// takeOut runs one deviation against our code without what stops it.
func takeOut(t *testing.T, d deviation) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	replace := map[string]string{}
	for i, e := range d.edits {
		file := filepath.Join(root, filepath.FromSlash(e.file))
		from := file
		if replace[file] != "" {
			from = replace[file]
		}
		source, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), e.old); n != 1 {
			t.Fatalf("%s has this %d times, want once:\n%s", e.file, n, e.old)
		}
		without := filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(e.file)))
		if err := os.WriteFile(without, []byte(strings.Replace(string(source), e.old, e.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[file] = without
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-vet=off", "-overlay", list, "-count=1",
		"-run", "^TestDeviations$/^"+strings.ReplaceAll(d.name, " ", "_")+"$", ".")
	out, err := cmd.CombinedOutput()
	text := string(out)
	switch {
	case strings.Contains(text, "[build failed]") || strings.Contains(text, "[setup failed]"):
		t.Fatalf("without the check it does not build:\n%s", text)
	case err == nil:
		t.Error("without the check the deviation still has no effect: the check or the test is for nothing")
	case !strings.Contains(text, "--- FAIL: TestDeviations/"):
		t.Errorf("without the check the run ended otherwise:\n%s", text)
	}
}
