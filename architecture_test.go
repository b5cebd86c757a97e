// Package hearth_test keeps the arrows of ARCHITECTURE.md: which package may
// see which. It reads the imports itself, in this process: through an exec of
// the go command, a broken rule would still answer "ok (cached)".
package hearth_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// arrows lists, for each package of this module (a folder), which others it may
// import. A package that is not listed, or a row whose folder is gone, fails.
var arrows = map[string][]string{
	"wire":                 {},
	"mls":                  {},
	"mls/peertest":         {},
	"identity":             {"wire"},
	"content":              {"wire"},
	"core/roster":          {"wire", "mls", "identity"},
	"core/letter":          {"wire", "mls", "identity"},
	"core/vault":           {"wire"},
	"core/vault/vaulttest": {"wire", "core/vault"},
	"core":                 {"wire", "mls", "identity", "content", "core/roster", "core/letter", "core/vault", "core/archive", "core/backup", "core/sealedfile", "core/picture", "core/lane"},
	"core/lane":            {"wire"},
	"core/archive":         {"wire"},
	"core/backup":          {"wire", "core/archive"},
	"core/sealedfile":      {"wire"},
	"core/picture":         {},
	"core/bench":           {"wire", "core", "core/vault"},
	"core/httpblobs":       {"wire", "core"},
	"core/lock":            {"wire", "core", "core/vault"},
	"rpc":                  {"wire", "core", "core/lock", "core/vault"},
	"store":                {"wire"},
	"store/home":           {"wire"},
	"blob":                 {"wire"},
	"blob/blobtest":        {"wire", "blob"},
	"server":               {"wire", "identity", "store", "blob"},
	"server/bench":         {"wire", "identity"},
	"cmd/hearth":           {"wire", "core", "core/bench", "core/httpblobs", "core/lock", "core/vault", "rpc", "server", "server/bench", "store", "store/home"},
	"hearthtest":           {"wire", "core", "core/httpblobs", "core/vault/vaulttest", "server"},
}

// pure packages hold no I/O, no clock and no goroutine of their own.
var pure = []string{"mls", "content", "wire", "identity", "core/roster", "core/letter", "core/archive", "core/backup", "core/sealedfile", "core/picture"}

// impure are the standard packages that a pure one may not import.
var impure = []string{"net", "net/http", "os", "os/exec", "database/sql", "log", "log/slog", "syscall", "time"}

// timeAllowed lists the pure packages that name durations or instants as
// values; none of them reads a clock, which TestPurePackagesReadNoClock checks.
var timeAllowed = []string{"wire", "content", "core/letter", "core/roster", "identity"}

// browser packages are built for js/wasm: what they reach through our own tree
// must hold neither of these.
var browser = []string{"core", "core/lock", "rpc"}
var notInBrowser = []string{"net/http", "database/sql", "modernc.org/sqlite", "github.com/coder/websocket"}

const module = "hearth"

// goFile is one source file: its package folder, imports and text.
type goFile struct {
	path, folder string
	imports      []string
}

func sources(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); p != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		g := goFile{path: p, folder: filepath.ToSlash(filepath.Dir(p))}
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			g.imports = append(g.imports, name)
		}
		files = append(files, g)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func own(imported string) (folder string, ok bool) {
	return strings.CutPrefix(imported, module+"/")
}

func TestArrowsPointDownOnly(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sources(t) {
		seen[f.folder] = true
		may, listed := arrows[f.folder]
		if !listed {
			t.Errorf("%s: package %s has no row in arrows: say what it may import", f.path, f.folder)
			continue
		}
		for _, i := range f.imports {
			if folder, ok := own(i); ok && !slices.Contains(may, folder) {
				t.Errorf("%s: %s may not import %s", f.path, f.folder, folder)
			}
		}
	}
	for folder := range arrows {
		if !seen[folder] {
			t.Errorf("arrows has a row for %s, which is gone: take it out", folder)
		}
	}
}

func TestPurePackagesDoNoIO(t *testing.T) {
	for _, f := range sources(t) {
		if !slices.Contains(pure, f.folder) {
			continue
		}
		for _, i := range f.imports {
			if i == "time" && slices.Contains(timeAllowed, f.folder) {
				continue
			}
			if slices.Contains(impure, i) {
				t.Errorf("%s: pure package %s may not import %s", f.path, f.folder, i)
			}
		}
	}
}

func TestPurePackagesReadNoClockAndStartNothing(t *testing.T) {
	for _, f := range sources(t) {
		if !slices.Contains(pure, f.folder) {
			continue
		}
		b, err := os.ReadFile(f.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"time.Now(", "time.Since(", "time.After(", "time.NewTimer(", "time.Sleep(", "\tgo func", "\tgo "} {
			for n, line := range strings.Split(string(b), "\n") {
				code, _, _ := strings.Cut(line, "//")
				if strings.Contains(code, bad) {
					t.Errorf("%s:%d: pure package uses %q", f.path, n+1, strings.TrimSpace(bad))
				}
			}
		}
	}
}

// TestMLSUsesOnlyTheStandardLibrary keeps mls free of everything but the
// standard library and golang.org/x/crypto.
func TestMLSUsesOnlyTheStandardLibrary(t *testing.T) {
	for _, f := range sources(t) {
		if f.folder != "mls" {
			continue
		}
		for _, i := range f.imports {
			first, _, _ := strings.Cut(i, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(i, "golang.org/x/crypto/") {
				t.Errorf("%s imports %s", f.path, i)
			}
		}
	}
}

// TestBrowserPackagesReachNoSocketOrSQL follows the imports of what runs in a
// browser through our own tree. (That nothing beyond it does is checked on the
// js/wasm build itself, by make test.)
func TestBrowserPackagesReachNoSocketOrSQL(t *testing.T) {
	imports := map[string][]string{}
	for _, f := range sources(t) {
		imports[f.folder] = append(imports[f.folder], f.imports...)
	}
	for _, start := range browser {
		if _, ok := imports[start]; !ok {
			continue
		}
		reached := map[string]string{start: start}
		queue := []string{start}
		for len(queue) > 0 {
			folder := queue[0]
			queue = queue[1:]
			for _, i := range imports[folder] {
				if slices.Contains(notInBrowser, i) {
					t.Errorf("%s reaches %s, through %s", start, i, reached[folder])
				}
				if next, ok := own(i); ok && reached[next] == "" {
					reached[next] = path.Join(reached[folder], "→", next)
					queue = append(queue, next)
				}
			}
		}
	}
}

// TestNoAnonymousDrawers refuses package names that say nothing.
func TestNoAnonymousDrawers(t *testing.T) {
	for folder := range arrows {
		for _, bad := range []string{"util", "utils", "common", "helpers", "manager", "misc"} {
			if path.Base(folder) == bad {
				t.Errorf("package %s: name it after what it does", folder)
			}
		}
	}
}
