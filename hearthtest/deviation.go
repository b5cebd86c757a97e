package hearthtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hearth/core"
)

// A Deviation is one way in which a server, the network, a member or a stranger
// departs from the protocol. Its run asserts that the departure is noticed or
// has no effect. The edits take out what stops it; Checks sees it succeed then.
type Deviation struct {
	Name  string
	Run   func(st *Stage)
	Edits []Edit
}

// Edit changes one place in our code; Old stands in File exactly once.
type Edit struct{ File, Old, New string }

// Stage is where deviations play: alice, bob and carol, a direct conversation
// of alice and bob, and a group of all three, "kitchen", that alice owns.
type Stage struct {
	*World
	Alice, Bob, Carol *Person
	Pair, Group       string
	safety            string
}

func newStage(w *World) *Stage {
	st := &Stage{World: w, Alice: w.Person("alice"), Bob: w.Person("bob"), Carol: w.Person("carol")}
	for _, p := range st.everybody() {
		p.Receipts(false) // the entries that a deviation tampers with are messages
	}
	st.Pair = st.Alice.Befriend(st.Bob)
	st.Group = st.Alice.Group("kitchen", st.Bob, st.Carol)
	for _, p := range st.everybody() {
		p.Send(st.Group, p.Name+" is here")
	}
	for _, p := range st.everybody() {
		p.Seen()
	}
	st.safety = st.safetyOf(st.Alice, "bob")
	return st
}

func (st *Stage) everybody() []*Person { return []*Person{st.Alice, st.Bob, st.Carol} }

func (st *Stage) safetyOf(p *Person, who string) string {
	st.T.Helper()
	s, err := p.Client.Safety(p.Patience(), who)
	if err != nil {
		st.T.Fatalf("safety number: %v", err)
	}
	return s.Safety
}

// Sound asserts what no deviation may ever change: who is in the group, for
// everybody, and the safety number.
func (st *Stage) Sound() {
	st.T.Helper()
	for _, p := range st.everybody() {
		if n := len(p.Members(st.Group)); n != 3 {
			st.T.Errorf("%s lists %d members, want 3", p.Name, n)
		}
	}
	if got := st.safetyOf(st.Alice, "bob"); got != st.safety {
		st.T.Error("the safety number of alice and bob changed")
	}
}

// Notice waits for a notice with one of these codes, unless there was one.
func (p *Person) Notice(codes ...string) {
	p.w.T.Helper()
	p.read = 0
	p.Await("a notice "+strings.Join(codes, " or "), func(e core.Event) bool {
		return e.Type == core.EventNotice && slices.Contains(codes, e.Code)
	})
}

// Play plays each deviation in a world of its own, as a subtest.
func Play(t *testing.T, all []Deviation) {
	for _, d := range all {
		t.Run(Subtest(d.Name), func(t *testing.T) {
			Run(t, func(w *World) {
				st := newStage(w)
				d.Run(st)
				st.Sound()
			})
		})
	}
}

// Subtest is what a deviation of that name is called where it is played.
func Subtest(name string) string { return strings.ReplaceAll(name, " ", "_") }

// Checks takes out one check after another and sees the deviation that it stops
// succeed. In an ordinary run it takes a seeded pair; with HEARTH_CHECKS=all,
// every one, and with HEARTH_CHECKS=none, or -short, none. folder is the package
// whose tests play them, a path below the module; played are the deviations by
// the name of the test that does.
func Checks(t *testing.T, folder string, played map[string][]Deviation) {
	if testing.Short() || os.Getenv("HEARTH_CHECKS") == "none" {
		t.Skip("taking checks out is left out of short runs")
	}
	type check struct {
		Deviation
		test string
	}
	var all []check
	for _, test := range slices.Sorted(maps.Keys(played)) {
		for _, d := range played[test] {
			all = append(all, check{d, test})
			if len(d.Edits) == 0 {
				t.Errorf("deviation %q names no check that stops it", d.Name)
			}
			for _, e := range d.Edits {
				if source, err := os.ReadFile(filepath.Join(moduleRoot(t), filepath.FromSlash(e.File))); err != nil || strings.Count(string(source), e.Old) != 1 {
					t.Errorf("deviation %q: %s has not this once:\n%s", d.Name, e.File, e.Old)
				}
			}
		}
	}
	if os.Getenv("HEARTH_CHECKS") != "all" {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:min(len(all), 2)]
	}
	for _, c := range all {
		t.Run(Subtest(c.Name), func(t *testing.T) { takeOut(t, c.Deviation, folder, c.test) })
	}
}

// takeOut runs one deviation against our code without what stops it.
func takeOut(t *testing.T, d Deviation, folder, test string) {
	root := moduleRoot(t)
	dir := t.TempDir()
	replace := map[string]string{}
	for i, e := range d.Edits {
		file := filepath.Join(root, filepath.FromSlash(e.File))
		from := file
		if replace[file] != "" {
			from = replace[file]
		}
		source, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(source), e.Old); n != 1 {
			t.Fatalf("%s has this %d times, want once:\n%s", e.File, n, e.Old)
		}
		without := filepath.Join(dir, fmt.Sprintf("%d-%s", i, filepath.Base(e.File)))
		if err := os.WriteFile(without, []byte(strings.Replace(string(source), e.Old, e.New, 1)), 0o600); err != nil {
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
		"-run", "^"+test+"$/^"+regexp.QuoteMeta(Subtest(d.Name))+"$", ".")
	cmd.Dir = filepath.Join(root, filepath.FromSlash(folder))
	cmd.Env = append(os.Environ(), "HEARTH_FULL=1") // no slices
	out, err := cmd.CombinedOutput()
	text := string(out)
	switch {
	case strings.Contains(text, "[build failed]") || strings.Contains(text, "[setup failed]"):
		t.Fatalf("without the check it does not build:\n%s", text)
	case err == nil:
		t.Error("without the check the deviation still has no effect: the check or the test is for nothing")
	case strings.Contains(text, "panic:") || !strings.Contains(text, "--- FAIL: "+test+"/"):
		t.Errorf("without the check the run ended otherwise:\n%s", text)
	default:
		t.Logf("without the check:\n%s", text)
	}
}

// moduleRoot is the folder of go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("there is no go.mod above the test")
		}
		dir = up
	}
}
