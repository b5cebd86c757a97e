package sealedfile

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"hearth/wire"
)

func key(b byte) wire.Secret { return wire.SecretFrom(bytes.Repeat([]byte{b}, 32)) }

func plain(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func seal(t testing.TB, k wire.Secret, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, k, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	// In odd pieces: how it is written makes no difference.
	for rest := b; len(rest) > 0; {
		n := min(len(rest), 10007)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(k wire.Secret, size int, sealed []byte) ([]byte, error) {
	r, err := NewReader(bytes.NewReader(sealed), k, int64(size))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

var sizes = []int{0, 1, 1023, 1024, 1025, ChunkSize - 1, ChunkSize, ChunkSize + 1, 2 * ChunkSize, 3*ChunkSize + 17, 1 << 20}

func TestAFileOpensAsItWasSealed(t *testing.T) {
	for _, n := range sizes {
		b := plain(n)
		sealed := seal(t, key(1), b)
		if int64(len(sealed)) != SealedSize(int64(n)) {
			t.Errorf("%d bytes: sealed %d, announced %d", n, len(sealed), SealedSize(int64(n)))
		}
		got, err := open(key(1), n, sealed)
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
		if n > 16 && bytes.Contains(sealed, b[:16]) {
			t.Errorf("%d bytes: they are in clear", n)
		}
	}
}

// TestWhatWasTamperedWithDoesNotOpen: whatever a server, or somebody who knows
// other files, makes of sealed bytes.
func TestWhatWasTamperedWithDoesNotOpen(t *testing.T) {
	const n = 3 * ChunkSize // padded by zeros of its own chunk or none
	b := plain(n)
	sealed := seal(t, key(1), b)
	other := seal(t, key(2), plain(n + 1)[:n])
	chunk := func(s []byte, i int) []byte {
		at := headSize + i*(ChunkSize+tagSize)
		return s[at:min(at+ChunkSize+tagSize, len(s))]
	}
	head := sealed[:headSize]
	join := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	c0, c1, c2 := chunk(sealed, 0), chunk(sealed, 1), chunk(sealed, 2)
	if got, err := open(key(1), n, join(head, c0, c1, c2)); err != nil || !bytes.Equal(got, b) {
		t.Fatalf("put together again it does not open: %v", err)
	}
	for name, s := range map[string][]byte{
		"nothing":                 nil,
		"half a head":             head[:10],
		"only the head":           head,
		"cut in a chunk":          sealed[:len(sealed)-1],
		"cut at a chunk":          join(head, c0, c1),
		"first chunk gone":        join(head, c1, c2),
		"middle chunk gone":       join(head, c0, c2),
		"last chunk alone":        join(head, c2),
		"chunks swapped":          join(head, c1, c0, c2),
		"last chunks swapped":     join(head, c0, c2, c1),
		"a chunk twice":           join(head, c0, c0, c2),
		"a chunk more":            join(head, c0, c1, c2, c2),
		"a byte more":             append(slices.Clone(sealed), 0),
		"another file behind":     join(sealed, other),
		"a chunk of another file": join(head, c0, chunk(other, 1), c2),
		"the head of another":     join(other[:headSize], c0, c1, c2),
	} {
		if got, err := open(key(1), n, s); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %d bytes, %v", name, len(got), err)
		}
	}
	for at := 0; at < len(sealed); at += 997 {
		s := slices.Clone(sealed)
		s[at] ^= 1
		if _, err := open(key(1), n, s); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d changed: %v", at, err)
		}
	}
	if _, err := open(key(2), n, sealed); !errors.Is(err, ErrDamaged) {
		t.Errorf("another key opens it: %v", err)
	}
	// Zeros are not told from padding: another size of them is another file.
	sealed = seal(t, key(1), make([]byte, n))
	for _, size := range []int{0, n - 1, n + 1} {
		if _, err := open(key(1), size, sealed); !errors.Is(err, ErrDamaged) {
			t.Errorf("it opens as %d bytes: %v", size, err)
		}
	}
}

// TestPaddingIsZeros: whoever has the key cannot hide something behind a file.
func TestPaddingIsZeros(t *testing.T) {
	a, commitment, err := cipherOf(key(1), 5)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, Padded(5))
	copy(b, "hello")
	if got, err := open(key(1), 5, slices.Concat(commitment, a.Seal(nil, nonce(0), b, nil))); err != nil || string(got) != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
	b[len(b)-1] = 1
	if _, err := open(key(1), 5, slices.Concat(commitment, a.Seal(nil, nonce(0), b, nil))); !errors.Is(err, ErrDamaged) {
		t.Errorf("padding that says something: %v", err)
	}
}

func TestAWriterTakesWhatWasAnnounced(t *testing.T) {
	for _, c := range []struct{ said, written int }{{10, 9}, {10, 11}, {0, 1}, {ChunkSize, ChunkSize - 1}} {
		w, err := NewWriter(io.Discard, key(1), int64(c.said))
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(make([]byte, c.written))
		if err = errors.Join(err, w.Close()); !errors.Is(err, errSize) {
			t.Errorf("%d said, %d written: %v", c.said, c.written, err)
		}
	}
	for _, n := range []int64{-1, MaxSize + 1} {
		if _, err := NewWriter(io.Discard, key(1), n); err == nil {
			t.Errorf("%d bytes can be sealed", n)
		}
	}
}

// TestSealedFilesFitAServer: the largest file fits the largest blob, padding adds at
// most an eighth, and there are few lengths.
func TestSealedFilesFitAServer(t *testing.T) {
	if n := SealedSize(MaxSize); n > wire.MaxBlob {
		t.Errorf("the largest file is %d bytes sealed, a blob has at most %d", n, wire.MaxBlob)
	}
	lengths := map[int64]bool{}
	for n := int64(1); n <= MaxSize; n += n/512 + 1 {
		p := Padded(n)
		if p < n || n > smallest && p > n+n/8 || Padded(p) != p || SealedSize(n) > wire.MaxBlob {
			t.Fatalf("%d bytes are padded to %d", n, p)
		}
		lengths[p] = true
	}
	if len(lengths) > 700 {
		t.Errorf("there are %d lengths", len(lengths))
	}
}

func FuzzOpen(f *testing.F) {
	for _, n := range []int{0, 5, 2000, ChunkSize + 5} {
		f.Add(seal(f, key(1), plain(n)), uint32(n))
	}
	f.Fuzz(func(t *testing.T, sealed []byte, size uint32) {
		got, err := open(key(1), int(size), sealed)
		if err != nil {
			return
		}
		if int64(len(got)) != int64(size) || !bytes.Equal(seal(t, key(1), got), sealed) {
			t.Error("it opens, and is sealed again to other bytes")
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	p := plain(1 << 20)
	b.SetBytes(1 << 20)
	for b.Loop() {
		w, _ := NewWriter(io.Discard, key(1), 1<<20)
		w.Write(p)
		w.Close()
	}
}
