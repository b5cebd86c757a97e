package rpc

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/core"
	"hearth/core/lock"
)

var update = flag.Bool("update", false, "write schema.json and api.ts anew")

// schema collects the types that the API speaks, from the Go types themselves.
type schema struct {
	t     testing.TB
	names map[string]reflect.Type
}

// described is a method or a notification.
type described struct {
	Params any `json:"params"`
	Result any `json:"result,omitempty"`

	params, result reflect.Type
}

// surface lists all methods and notifications with their types.
func surface() (calls, notes map[string]*described) {
	calls = map[string]*described{methodReceive: {params: reflect.TypeFor[ReceiveParams](), result: reflect.TypeFor[Received]()},
		methodWatch: {params: reflect.TypeFor[None](), result: reflect.TypeFor[None]()}}
	for name, m := range methods {
		calls[name] = &described{params: m.params, result: m.result}
	}
	for name, m := range homeMethods {
		calls[name] = &described{params: m.params, result: m.result}
	}
	notes = map[string]*described{
		notifyEvent:  {params: reflect.TypeFor[EventParams]()},
		notifyRooms:  {params: reflect.TypeFor[RoomsParams]()},
		notifyLock:   {params: reflect.TypeFor[lock.Status]()},
		notifyLeft:   {params: reflect.TypeFor[None]()},
		notifyCancel: {params: reflect.TypeFor[cancelParams]()},
		notifyAck:    {params: reflect.TypeFor[ackParams]()},
	}
	return calls, notes
}

var generic = regexp.MustCompile(`^(\w+)\[(?:.*[./])?(\w+)\]$`)

// name is a type's in the schema. The same name for two types is a failure.
func (s *schema) name(t reflect.Type) string {
	n := t.Name()
	if m := generic.FindStringSubmatch(n); m != nil {
		n = m[2] + m[1] // List[core.Room] is RoomList
	}
	n = strings.ToUpper(n[:1]) + n[1:]
	if t == reflect.TypeFor[lock.Status]() {
		n = "LockStatus"
	}
	if known, ok := s.names[n]; ok && known != t {
		s.t.Errorf("two types are called %s: %v and %v", n, known, t)
	}
	if _, ok := s.names[n]; !ok {
		s.names[n] = t
		for _, f := range members(t) { // those that it needs
			s.json(f.typ)
		}
	}
	return n
}

// member is a field as JSON has it.
type member struct {
	name     string
	typ      reflect.Type
	optional bool
	null     bool
}

func members(t reflect.Type) (out []member) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, has := f.Tag.Lookup("json")
		name, options, _ := strings.Cut(tag, ",")
		if f.Anonymous && !has {
			out = append(out, members(f.Type)...)
			continue
		}
		if name == "-" || !f.IsExported() {
			continue
		}
		m := member{name: name, typ: f.Type, optional: strings.Contains(options, "omit")}
		if t == reflect.TypeFor[core.Event]() && name == "expires" {
			m.null = true // a message that is kept says so
		}
		out = append(out, m)
	}
	return out
}

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
)

// json writes a type as JSON Schema.
func (s *schema) json(t reflect.Type) map[string]any {
	switch {
	case t == timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case t == rawType:
		return map[string]any{"type": []string{"string", "number"}} // a request's id
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.json(t.Elem())
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"type": "string", "contentEncoding": "base64"}
		}
		return map[string]any{"type": "array", "items": s.json(t.Elem())}
	case reflect.Struct:
		return map[string]any{"$ref": "#/$defs/" + s.name(t)}
	case reflect.Int, reflect.Int64, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer"}
	}
	s.t.Errorf("no schema for %v", t)
	return nil
}

// ts writes a type as TypeScript.
func (s *schema) ts(t reflect.Type) string {
	switch {
	case t == timeType:
		return "string"
	case t == rawType:
		return "string | number"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.ts(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "string"
		}
		return s.ts(t.Elem()) + "[]"
	case reflect.Struct:
		return s.name(t)
	}
	return "number"
}

func (s *schema) object(t reflect.Type) map[string]any {
	props, required := map[string]any{}, []string{}
	for _, m := range members(t) {
		p := s.json(m.typ)
		if m.null {
			p = map[string]any{"anyOf": []any{p, map[string]any{"type": "null"}}}
		}
		props[m.name] = p
		if !m.optional {
			required = append(required, m.name)
		}
	}
	o := map[string]any{"type": "object", "properties": props}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// TestSchemaIsAsTheTypesAre: schema.json and api.ts describe what the methods take
// and answer, and nothing else. go generate ./rpc writes them anew.
func TestSchemaIsAsTheTypesAre(t *testing.T) {
	s := &schema{t: t, names: map[string]reflect.Type{}}
	calls, notes := surface()
	for _, all := range []map[string]*described{calls, notes} {
		for _, d := range all {
			d.Params = s.json(d.params)
			if d.result != nil {
				d.Result = s.json(d.result)
			}
		}
	}
	defs := map[string]any{"Error": s.object(reflect.TypeFor[Error]())}
	s.names["Error"] = reflect.TypeFor[Error]()
	for changed := true; changed; {
		changed = false
		for _, n := range slices.Sorted(maps.Keys(s.names)) {
			if defs[n] == nil {
				defs[n], changed = s.object(s.names[n]), true
			}
		}
	}
	b, err := json.MarshalIndent(map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title": "Hearth's client API: JSON-RPC 2.0, one message a line", "methods": calls, "notifications": notes, "$defs": defs}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	generated(t, "schema.json", append(b, '\n'))

	var ts bytes.Buffer
	fmt.Fprintln(&ts, "// Made from the Go types by go generate ./rpc; not to be edited.")
	for _, n := range slices.Sorted(maps.Keys(s.names)) {
		fmt.Fprintf(&ts, "\nexport interface %s {\n", n)
		for _, m := range members(s.names[n]) {
			sign, null := "", ""
			if m.optional {
				sign = "?"
			}
			if m.null {
				null = " | null"
			}
			fmt.Fprintf(&ts, "\t%s%s: %s%s;\n", m.name, sign, s.ts(m.typ), null)
		}
		fmt.Fprintln(&ts, "}")
	}
	fmt.Fprintln(&ts, "\n/** Methods, with what they take and answer. */\nexport interface Methods {")
	for _, n := range slices.Sorted(maps.Keys(calls)) {
		fmt.Fprintf(&ts, "\t%q: { params: %s; result: %s };\n", n, s.ts(calls[n].params), s.ts(calls[n].result))
	}
	fmt.Fprintln(&ts, "}\n\n/** Notifications, with what they say. */\nexport interface Notifications {")
	for _, n := range slices.Sorted(maps.Keys(notes)) {
		fmt.Fprintf(&ts, "\t%q: %s;\n", n, s.ts(notes[n].params))
	}
	fmt.Fprintln(&ts, "}")
	generated(t, "api.ts", ts.Bytes())
}

// generated compares a generated file with what it must be, or writes it.
func generated(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the types say (%v): run go generate ./rpc", path, err)
	}
}
