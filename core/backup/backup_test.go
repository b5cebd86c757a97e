package backup

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"hearth/core/archive"
	"hearth/wire"
)

// made is a small backup and what opens it.
func made(t testing.TB) (file []byte, root, time wire.Secret) {
	t.Helper()
	root, time = wire.NewSecret(), wire.NewSecret()
	k, err := NewKeys(root, wire.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := k.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	m := Manifest{Account: wire.AccountID{1}, Counter: 7, Made: 8, Server: "http://home.example"}
	for _, s := range []Segment{{Name: "state"}, {Name: "until 9", End: 9, Key: &wire.BlobID{1}}} {
		key := wire.Secret{}
		if s.End != 0 {
			key = time
		}
		a := k.Segment(m.Account, s.Name, key, func(b []byte) error {
			s.Chunks = append(s.Chunks, ChunkOf(b))
			return w.Chunk(b)
		})
		if err := errors.Join(a.Add(archive.Entry{Kind: s.Name, Value: []byte("value")}), a.Close()); err != nil {
			t.Fatal(err)
		}
		s.Items = 1
		m.Segments = append(m.Segments, s)
	}
	if err := w.Close(m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), root, time
}

func read(file []byte, root, time wire.Secret) (kinds []string, err error) {
	f, err := Open(bytes.NewReader(file), int64(len(file)), root)
	for err == nil {
		err = f.Next(func(Segment) (wire.Secret, bool, error) { return time, time.Reveal() != nil, nil }, func(_ Segment, e []archive.Entry) error {
			for _, e := range e {
				kinds = append(kinds, e.Kind)
			}
			return nil
		})
	}
	if err == io.EOF {
		err = nil
	}
	return kinds, err
}

func TestBackup(t *testing.T) {
	file, root, time := made(t)
	if got, err := read(file, root, time); err != nil || len(got) != 2 {
		t.Errorf("whole: %q, %v", got, err)
	}
	if got, err := read(file, root, wire.Secret{}); err != nil || len(got) != 1 || got[0] != "state" {
		t.Errorf("without the time key: %q, %v", got, err)
	}
	if _, err := read(file, root, wire.NewSecret()); !errors.Is(err, ErrDamaged) {
		t.Errorf("with another time key: %v", err)
	}
	if _, err := read(file, wire.NewSecret(), time); !errors.Is(err, ErrWords) {
		t.Errorf("with other words: %v", err)
	}
	if _, err := read(file, wire.Secret{}, time); !errors.Is(err, ErrWords) {
		t.Errorf("with no words: %v", err)
	}
}

// TestEveryByteCounts: no byte can be changed, and nothing cut off.
func TestEveryByteCounts(t *testing.T) {
	file, root, time := made(t)
	for n := 0; n < len(file); n += 1 + n%997 {
		bad := bytes.Clone(file)
		bad[n] ^= 0x40
		if _, err := read(bad, root, time); err == nil {
			// The other set of words is not looked at by who has these.
			if !inOtherWrap(file, n) {
				t.Fatalf("byte %d was changed, and it opens", n)
			}
		}
		if _, err := read(file[:n], root, time); err == nil {
			t.Fatalf("cut to %d bytes it opens", n)
		}
	}
}

// inOtherWrap reports whether byte n of a made file is in its second wrap.
func inOtherWrap(file []byte, n int) bool {
	h, err := parseHeader(file[len(magic)+4 : len(magic)+4+int(uint32(file[len(magic)])<<24|uint32(file[len(magic)+1])<<16|uint32(file[len(magic)+2])<<8|uint32(file[len(magic)+3]))])
	if err != nil {
		return false
	}
	at := bytes.Index(file, h.Wraps[1])
	return n >= at && n < at+len(h.Wraps[1])
}

func FuzzHeader(f *testing.F) {
	file, _, _ := made(f)
	n := int(file[len(magic)+1])<<16 | int(file[len(magic)+2])<<8 | int(file[len(magic)+3])
	f.Add(file[len(magic)+4 : len(magic)+4+n])
	f.Add(wire.Encode(header{Version: Version}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parseHeader(b); err == nil && !bytes.Equal(wire.Encode(h), b) {
			t.Fatal("a header does not encode to what it was read from")
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add(wire.Encode(Manifest{Version: Version}))
	f.Add(wire.Encode(Manifest{Version: Version, Beacon: &wire.BlobID{1}, Segments: []Segment{{Name: "state", Chunks: []Chunk{{Size: 5}}}, {Name: "u", End: 5, Key: &wire.BlobID{2}, Chunks: []Chunk{{}}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := parseManifest(b); err == nil && !bytes.Equal(wire.Encode(m), b) {
			t.Fatal("a manifest does not encode to what it was read from")
		}
	})
}

func FuzzOpen(f *testing.F) {
	file, root, time := made(f)
	f.Add([]byte{}, uint32(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, uint32(len(magic)))
	f.Add([]byte{0x7f, 0, 0, 0}, uint32(len(file)-4))
	f.Fuzz(func(t *testing.T, patch []byte, at uint32) {
		bad := bytes.Clone(file)
		n := copy(bad[min(int(at), len(bad)):], patch)
		kinds, err := read(bad, root, time)
		if n > 0 && !bytes.Equal(bad, file) && err == nil && !inOtherWrap(file, int(at)) && !inOtherWrap(file, int(at)+n-1) {
			t.Fatalf("%d bytes were changed at %d, and it opens: %q", n, at, kinds)
		}
	})
}
