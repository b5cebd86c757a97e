package core

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestHomePageListsEveryRecord compares docs/home.md with the kinds of records
// that this package names: the first words handed to vault.Name, vault.Numbered
// and the steps' put and scan.
func TestHomePageListsEveryRecord(t *testing.T) {
	raw, err := os.ReadFile("../docs/home.md")
	if err != nil {
		t.Fatal(err)
	}
	page := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z-]+) \|(.*)\|$`).FindAllStringSubmatch(string(raw), -1) {
		if m[1] == "record" {
			continue // a table's head
		}
		if page[m[1]] {
			t.Errorf("docs/home.md: %s stands twice", m[1])
		}
		page[m[1]] = true
		cells := strings.Split(m[2], "|")
		for _, c := range cells {
			if strings.TrimSpace(c) == "" || len(cells) != 4 {
				t.Errorf("docs/home.md: the row of %s says type, what, why and until when", m[1])
				break
			}
		}
	}
	real := recordKinds(t)
	if len(real) < 30 {
		t.Fatalf("found only %d kinds of records: this test does not see them any more", len(real))
	}
	for kind, where := range real {
		if !page[kind] {
			t.Errorf("docs/home.md lacks the record %q of %s: add a row that says what it is, why it is kept, and until when", kind, where)
		}
	}
	for kind := range page {
		if real[kind] == "" {
			t.Errorf("docs/home.md lists the record %q, which no code names: take its row out", kind)
		}
	}
}

// recordKinds returns the kinds of records that this package names, and where.
func recordKinds(t *testing.T) map[string]string {
	t.Helper()
	set := token.NewFileSet()
	packages, err := parser.ParseDir(set, ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	constants := map[string]string{}
	text := func(e ast.Expr) (string, bool) {
		switch e := e.(type) {
		case *ast.BasicLit:
			if s, err := strconv.Unquote(e.Value); e.Kind == token.STRING && err == nil {
				return s, true
			}
		case *ast.Ident:
			s, ok := constants[e.Name]
			return s, ok
		}
		return "", false
	}
	see := func(visit func(ast.Node)) {
		for _, p := range packages {
			for _, f := range p.Files {
				ast.Inspect(f, func(n ast.Node) bool { visit(n); return true })
			}
		}
	}
	see(func(n ast.Node) {
		if v, ok := n.(*ast.ValueSpec); ok {
			for i, name := range v.Names {
				if i < len(v.Values) {
					if s, ok := text(v.Values[i]); ok {
						constants[name.Name] = s
					}
				}
			}
		}
	})
	naming := map[string]bool{"Name": true, "Numbered": true, "put": true, "putUntil": true, "putBytes": true, "scan": true}
	see(func(n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || len(call.Args) == 0 {
			return
		}
		if !naming[f.Sel.Name] {
			return
		}
		if s, ok := text(call.Args[0]); ok {
			kind, _, _ := strings.Cut(s, "/")
			kinds[kind] = set.Position(call.Pos()).String()
		}
	})
	return kinds
}
