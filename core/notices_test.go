package core

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestNoticesAreListed: docs/notices.md has a row for each code of a notice, and
// no other.
func TestNoticesAreListed(t *testing.T) {
	codes := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, id := range v.Names {
				if !strings.HasPrefix(id.Name, "Notice") || i >= len(v.Values) {
					continue
				}
				if lit, ok := v.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					code, _ := strconv.Unquote(lit.Value)
					codes[code] = id.Name
				}
			}
			return true
		})
	}
	b, err := os.ReadFile("../docs/notices.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(b), -1) {
		if listed[m[1]] {
			t.Errorf("docs/notices.md lists %q twice", m[1])
		}
		listed[m[1]] = true
		if codes[m[1]] == "" {
			t.Errorf("docs/notices.md lists %q, which is no code", m[1])
		}
	}
	for code, name := range codes {
		if !listed[code] {
			t.Errorf("docs/notices.md does not list %q (%s): add a row", code, name)
		}
	}
	if len(codes) < 10 {
		t.Errorf("found %d codes: this test looks in the wrong place", len(codes))
	}
}
