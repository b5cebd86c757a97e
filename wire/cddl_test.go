package wire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The types of the wire by their names in docs/protocol.cddl.
var cddlTypes = map[string]any{
	"frame": Frame{}, "nothing": Nothing{}, "hello": Hello{}, "welcome": Welcome{}, "error": errorBody{},
	"new-seat": NewSeat{}, "room-create": RoomCreate{}, "room-post": RoomPost{}, "room-commit": RoomCommit{},
	"room-ephemeral": RoomEphemeral{}, "room-notice": RoomNotice{}, "appended": Appended{},
	"seat-open": SeatOpen{}, "seat-opened": SeatOpened{}, "seat-credit": SeatCredit{}, "seat-ack": SeatAck{},
	"seat-rename": SeatRename{}, "seat-close": SeatClose{},
	"entry": Entry{}, "hole": Hole{}, "live": Live{}, "closed": Closed{},
	"door-class": DoorClass{}, "door-package": DoorPackage{}, "door-create": DoorCreate{}, "door-set": DoorSet{},
	"door-state": DoorState{}, "door-post": DoorPost{}, "door-claim": DoorClaim{}, "door-claimed": DoorClaimed{},
	"account-create": AccountCreate{}, "account-append": AccountAppend{}, "account-get": AccountGet{},
	"knock": Knock{}, "account-record": AccountRecord{}, "account-knock": AccountKnock{}, "knock-tbs": knockTBS{},
}

// What a field's Go type is called there.
var cddlFields = map[reflect.Type][]string{
	reflect.TypeFor[RoomID]():              {"room-id"},
	reflect.TypeFor[SeatID]():              {"seat-id"},
	reflect.TypeFor[*SeatID]():             {"seat-id / null"},
	reflect.TypeFor[[]SeatID]():            {"[* seat-id]"},
	reflect.TypeFor[ClassID]():             {"class-id"},
	reflect.TypeFor[[]ClassID]():           {"[* class-id]"},
	reflect.TypeFor[AccountID]():           {"account-id"},
	reflect.TypeFor[*AccountID]():          {"account-id / null"},
	reflect.TypeFor[SecretHash]():          {"secret-hash"},
	reflect.TypeFor[Secret]():              {"secret"},
	reflect.TypeFor[Epoch]():               {"epoch"},
	reflect.TypeFor[Number]():              {"number"},
	reflect.TypeFor[[]byte]():              {"bytes"},
	reflect.TypeFor[[][]byte]():            {"[* bytes]"},
	reflect.TypeFor[string]():              {"text"},
	reflect.TypeFor[Code]():                {"text"},
	reflect.TypeFor[bool]():                {"bool"},
	reflect.TypeFor[uint64]():              {"uint"},
	reflect.TypeFor[int64]():               {"int"},
	reflect.TypeFor[uint32]():              {"handle", "seconds", "uint .size 4"},
	reflect.TypeFor[Region]():              {"uint .size 1"},
	reflect.TypeFor[Registration]():        {"0 / 1 / 2"},
	reflect.TypeFor[Kind]():                {"0 / 1 / 2 / 3 / 4"},
	reflect.TypeFor[Op]():                  {"uint"},
	reflect.TypeFor[NewSeat]():             {"new-seat"},
	reflect.TypeFor[[]NewSeat]():           {"[* new-seat]"},
	reflect.TypeFor[[]DoorClass]():         {"[* door-class]"},
	reflect.TypeFor[[]DoorPackage]():       {"[* door-package]"},
	reflect.TypeFor[[]Knock]():             {"[* knock]"},
	reflect.TypeFor[*Knock]():              {"knock / null"},
	reflect.TypeFor[Frame]().Field(3).Type: {"any"},
}

var (
	cddlRule  = regexp.MustCompile(`(?m)^([a-z-]+) = \[((?:[^\[\]]|\[[^\]]*\])*)\]`)
	cddlOp    = regexp.MustCompile(`(?m)^; op (\d+) +([a-z-]+)`)
	cddlNote  = regexp.MustCompile(`;.*`)
	cddlField = regexp.MustCompile(`\s*([a-z-]+): ([^,]+)`)
	humps     = regexp.MustCompile(`([a-z])([A-Z])`)
)

// kebab writes a Go name as the CDDL does.
func kebab(name string) string {
	if name == "ID" || name == "TTL" {
		return strings.ToLower(name)
	}
	return strings.ToLower(humps.ReplaceAllString(name, "$1-$2"))
}

func TestCDDLIsTheGoTypes(t *testing.T) {
	raw, err := os.ReadFile("../docs/protocol.cddl")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string][][2]string{}
	for _, m := range cddlRule.FindAllStringSubmatch(cddlNote.ReplaceAllString(string(raw), ""), -1) {
		rules[m[1]] = [][2]string{}
		for _, f := range cddlField.FindAllStringSubmatch(m[2], -1) {
			rules[m[1]] = append(rules[m[1]], [2]string{f[1], strings.TrimSpace(f[2])})
		}
	}
	for name := range rules {
		if _, ok := cddlTypes[name]; !ok {
			t.Errorf("the CDDL has %s, the test knows no such Go type", name)
		}
	}
	for name, v := range cddlTypes {
		fields, ok := rules[name]
		if !ok {
			t.Errorf("the CDDL lacks %s", name)
			continue
		}
		typ := reflect.TypeOf(v)
		if typ.Field(0).Tag.Get("cbor") != ",toarray" {
			t.Errorf("%s is not an array in Go", typ)
		}
		if typ.NumField()-1 != len(fields) {
			t.Errorf("%s has %d fields in Go and %d in the CDDL", name, typ.NumField()-1, len(fields))
			continue
		}
		for i, f := range fields {
			g := typ.Field(i + 1)
			if kebab(g.Name) != f[0] {
				t.Errorf("field %d of %s is %s in Go and %s in the CDDL", i, name, g.Name, f[0])
			}
			want := cddlFields[g.Type]
			ok := false
			for _, w := range want {
				ok = ok || w == f[1]
			}
			if !ok {
				t.Errorf("%s.%s is %s in Go and %q in the CDDL", name, f[0], g.Type, f[1])
			}
		}
	}
}

// TestCDDLNamesEveryOp reads the constants from the source, so that a new one
// cannot be forgotten.
func TestCDDLNamesEveryOp(t *testing.T) {
	raw, err := os.ReadFile("../docs/protocol.cddl")
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	for _, m := range cddlOp.FindAllStringSubmatch(string(raw), -1) {
		written[m[1]] = true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "wire.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ops := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Op") || len(spec.Values) != 1 {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		ops++
		if _, err := strconv.Atoi(lit.Value); err != nil || !written[lit.Value] {
			t.Errorf("the CDDL lacks op %s, %s", lit.Value, spec.Names[0].Name)
		}
		return true
	})
	if ops == 0 || ops != len(written) {
		t.Errorf("%d ops in Go, %d in the CDDL", ops, len(written))
	}
}
