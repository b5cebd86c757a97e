package rpc

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzMessage checks that a message which is accepted encodes to a line that
// is accepted as the same message, and that what was accepted names nothing
// twice: JSON has many ways of writing one value, so bytes are compared in the
// form that we write.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"whoami"}`,
		`{"jsonrpc":"2.0","id":"a","method":"send","params":{"to":"bob","text":"hé \u2028 \"x\" <b>"}}`,
		`{"jsonrpc":"2.0","method":"ack","params":{"subscription":1,"number":2}}`,
		`{"jsonrpc":"2.0","id":-1.5e3,"result":[1,{"a":null}]}`,
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"m","data":{"code":"stale","message":"m","next":"n"}}}`,
		`{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}`,
		`[]`, `{}`, ``, `nul`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, wrong := decodeMessage(line)
		if wrong != nil {
			if wrong.Data == nil || wrong.Data.Code == "" || wrong.Data.Next == "" {
				t.Fatalf("refused without code or next step: %+v", wrong)
			}
			return
		}
		first, err := m.encode()
		if err != nil {
			t.Fatalf("accepted, but can't be written: %v", err)
		}
		if bytes.Count(first, []byte("\n")) != 1 {
			t.Fatalf("more than one line: %q", first)
		}
		again, wrong := decodeMessage(bytes.TrimSpace(first))
		if wrong != nil {
			t.Fatalf("%q was accepted, %q was not: %v", line, first, wrong)
		}
		second, err := again.encode()
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%q became %q, then %q (%v)", line, first, second, err)
		}
	})
}

// FuzzParams checks that no parameters make a method panic, and that what is
// accepted is the same after it was written and read again.
func FuzzParams(f *testing.F) {
	f.Add([]byte(`{"to":"bob","text":"hi","expire":"7d"}`))
	f.Add([]byte(`{"to":"bob","to":"eve","text":"hi"}`))
	f.Add([]byte(`{"TO":"bob"}`))
	f.Add([]byte(`{"to":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p, q SendParams
		if strict(raw, &p) != nil {
			return
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := strict(b, &q); err != nil || p != q {
			t.Fatalf("%q gave %+v, then %+v (%v)", raw, p, q, err)
		}
	})
}
