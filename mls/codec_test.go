package mls

import (
	"bytes"
	"testing"
)

func TestCodecRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 16383, 16384, 100000} {
		var e encoder
		e.vec(make([]byte, n))
		e.opt(true, func(e *encoder) { e.u64(1<<63 | 5) })
		e.opt(false, nil)
		e.list(func(e *encoder) { e.u16(7); e.u16(8) })
		d := decoder{b: e.b}
		if got := d.vec(); len(got) != n {
			t.Errorf("vector of %d: %d bytes back", n, len(got))
		}
		var v uint64
		if !d.opt(func(d *decoder) { v = d.u64() }) || v != 1<<63|5 {
			t.Errorf("optional: %d", v)
		}
		if d.opt(func(*decoder) { t.Error("absent value read") }) {
			t.Error("absent value present")
		}
		var list []uint16
		d.list(func(d *decoder) { list = append(list, d.u16()) })
		if d.err != nil || len(d.b) != 0 || len(list) != 2 || list[1] != 8 {
			t.Errorf("list %v, %d bytes left, error %v", list, len(d.b), d.err)
		}
	}
}

// A stated length never makes the decoder ask for memory.
func TestCodecHugeLengthAllocatesNothing(t *testing.T) {
	b := []byte{0xbf, 0xff, 0xff, 0xff, 1, 2, 3}
	if n := testing.AllocsPerRun(10, func() { d := decoder{b: b}; d.vec() }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

// mustReencode is the property of every decoder: what it accepts, it writes
// back to the same bytes.
func mustReencode(t *testing.T, in []byte, v interface {
	wireType
	decode(*decoder)
}) {
	t.Helper()
	if unmarshal(in, v) != nil {
		return
	}
	if out := marshal(v); !bytes.Equal(out, in) {
		t.Errorf("accepted %x, wrote %x", in, out)
	}
}

type extensionList []Extension

func (l *extensionList) encode(e *encoder) { encodeExtensions(e, *l) }
func (l *extensionList) decode(d *decoder) { *l = decodeExtensions(d) }

func FuzzExtensions(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{8, 0, 1, 1, 9, 0x0a, 0x0a, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) { mustReencode(t, b, new(extensionList)) })
}

func FuzzCredential(f *testing.F) {
	f.Add([]byte{0, 1, 2, 'm', 'e'})
	f.Add([]byte{0, 2, 3, 2, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) { mustReencode(t, b, new(Credential)) })
}

func FuzzRequiredCapabilities(f *testing.F) {
	f.Add([]byte{2, 0, 9, 0, 2, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) { mustReencode(t, b, new(RequiredCapabilities)) })
}

func FuzzKeyPackage(f *testing.F) {
	k := seedKeyPackage(f)
	f.Add(marshal(k))
	f.Fuzz(func(t *testing.T, b []byte) {
		mustReencode(t, b, new(KeyPackage))
		if k, err := ParseKeyPackage(b); err == nil {
			k.Verify()
			k.Ref()
		}
	})
}

func FuzzLeafNode(f *testing.F) {
	l := seedKeyPackage(f).leaf
	f.Add(marshal(l))
	l = l.copy()
	l.Source, l.ParentHash = LeafFromCommit, []byte{1, 2}
	f.Add(marshal(l))
	f.Fuzz(func(t *testing.T, b []byte) { mustReencode(t, b, new(LeafNode)) })
}

func FuzzKeyPackageSecrets(f *testing.F) {
	key, err := GenerateSignatureKey(1)
	if err != nil {
		f.Fatal(err)
	}
	_, s, err := NewKeyPackage(1, Member{Credential: BasicCredential([]byte("me")), SignatureKey: key}, Lifetime{}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseKeyPackageSecrets(b); err == nil && !bytes.Equal(s.Marshal(), b) {
			t.Errorf("accepted %x, wrote %x", b, s.Marshal())
		}
	})
}

func seedKeyPackage(tb testing.TB) *KeyPackage {
	tb.Helper()
	key, err := GenerateSignatureKey(1)
	if err != nil {
		tb.Fatal(err)
	}
	me := Member{Credential: BasicCredential([]byte("me")), SignatureKey: key}
	k, s, err := NewKeyPackage(1, me, Lifetime{1, 2}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if !s.matches(k) {
		tb.Fatal("secrets do not match their KeyPackage")
	}
	back, err := ParseKeyPackageSecrets(s.Marshal())
	if err != nil || !back.matches(k) {
		tb.Fatalf("secrets do not survive storing: %v", err)
	}
	return k
}

// An element without length would be read for ever.
func TestCodecElementWithoutLength(t *testing.T) {
	d := decoder{b: []byte{1, 7}}
	calls := 0
	d.list(func(*decoder) { calls++ })
	if d.err == nil || calls != 1 {
		t.Errorf("error %v after %d calls", d.err, calls)
	}
}
