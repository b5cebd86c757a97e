package archive

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"hearth/wire"
)

func write(t testing.TB, key wire.Secret, account wire.AccountID, purpose string, entries ...Entry) (chunks [][]byte) {
	t.Helper()
	w := NewWriter(key, account, purpose, func(b []byte) error {
		chunks = append(chunks, b)
		return nil
	})
	for _, e := range entries {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return chunks
}

func TestEntriesComeBack(t *testing.T) {
	key, me := wire.NewSecret(), wire.AccountID{1}
	var in []Entry
	for i := range 40 {
		in = append(in, Entry{Kind: "line", Value: bytes.Repeat([]byte{byte(i)}, 100<<10), Until: int64(i)})
	}
	chunks := write(t, key, me, "test", in...)
	if len(chunks) < 4 {
		t.Fatalf("%d chunks", len(chunks))
	}
	var out []Entry
	for i, c := range chunks {
		if len(c) > MaxChunk || len(c)%(64<<10) != 0 {
			t.Errorf("a chunk of %d bytes", len(c))
		}
		got, last, err := Open(key, me, "test", uint32(i), c)
		if err != nil || last != (i == len(chunks)-1) {
			t.Fatalf("chunk %d of %d: last %v, %v", i, len(chunks), last, err)
		}
		out = append(out, got...)
	}
	same := func(a, b Entry) bool { return a.Kind == b.Kind && a.Until == b.Until && bytes.Equal(a.Value, b.Value) }
	if !slices.EqualFunc(in, out, same) {
		t.Error("other entries came out than went in")
	}
	if got, last, err := Open(key, me, "test", 0, write(t, key, me, "test")[0]); err != nil || len(got) != 0 || !last {
		t.Errorf("an empty archive: %v, %v, %v", got, last, err)
	}
}

func TestAChunkOpensOnlyInItsPlace(t *testing.T) {
	key, me := wire.NewSecret(), wire.AccountID{1}
	chunks := write(t, key, me, "test", Entry{Value: make([]byte, 900<<10)}, Entry{Value: make([]byte, 900<<10)})
	refused := func(what string, key wire.Secret, me wire.AccountID, purpose string, n uint32, b []byte) {
		t.Helper()
		if _, _, err := Open(key, me, purpose, n, b); !errors.Is(err, ErrChunk) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("another key", wire.NewSecret(), me, "test", 0, chunks[0])
	refused("no key", wire.Secret{}, me, "test", 0, chunks[0])
	refused("another account", key, wire.AccountID{2}, "test", 0, chunks[0])
	refused("another purpose", key, me, "backup", 0, chunks[0])
	refused("another place", key, me, "test", 0, chunks[1])
	refused("cut short", key, me, "test", 0, chunks[0][:len(chunks[0])-1])
	refused("nothing", key, me, "test", 0, nil)
	for _, at := range []int{0, 1, 30, 60, len(chunks[0]) - 1} {
		bad := bytes.Clone(chunks[0])
		bad[at] ^= 1
		refused("changed", key, me, "test", 0, bad)
	}
	if err := NewWriter(key, me, "test", nil).Add(Entry{Value: make([]byte, MaxEntry)}); err == nil {
		t.Error("an entry that is too large was taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(wire.Encode(chunk{Version: Version, Last: true, Entries: []Entry{{Kind: "line", Value: []byte("x"), Until: 5}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parse(b); err == nil && !bytes.Equal(wire.Encode(c), b) {
			t.Errorf("accepted %x, encodes as %x", b, wire.Encode(c))
		}
		Open(wire.NewSecret(), wire.AccountID{}, "test", 0, b)
	})
}
