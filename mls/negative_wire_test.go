package mls

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// broken is one way of breaking one rule of RFC 9420 §2 to §5, §7, §10 or
// §12.4.3 that a receiver checks before it looks at a group: try hands the
// broken thing in and returns the receiver's answer, which must be a refusal
// that cites the section and contains the text. The receiver's tree and keys
// must be the same to the byte afterwards.
type broken struct {
	section string
	name    string
	text    string
	try     func(tb testing.TB) error
}

func runBroken(t *testing.T, rows []broken) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.section+" "+r.name, func(t *testing.T) {
			err := r.try(t)
			switch {
			case err == nil:
				t.Fatal("accepted")
			case !errors.Is(err, ErrInvalid):
				t.Errorf("error %q is not ErrInvalid", err)
			case !strings.Contains(err.Error(), r.text) || r.text == "":
				t.Errorf("got %q, want one with %q", err, r.text)
			}
		})
	}
}

// The rows are counted, and none stands twice.
func TestNegativeTreeCount(t *testing.T) {
	seen := map[string]bool{}
	for name, rows := range map[string][]broken{
		"encoding": brokenEncodings, "KeyPackages": brokenKeyPackages,
		"trees": brokenTrees, "update paths": brokenPaths, "private keys": brokenKeys,
	} {
		t.Logf("%s: %d rows", name, len(rows))
		for _, r := range rows {
			if seen[r.name] {
				t.Errorf("the row %q stands twice", r.name)
			}
			seen[r.name] = true
		}
	}
	t.Logf("%d ways of being wrong in sections 2, 5, 7, 10 and 12.4.3", len(seen))
	if len(seen) < 110 {
		t.Errorf("got %d rows, want at least 110", len(seen))
	}
}

func TestNegativeEncodings(t *testing.T)   { runBroken(t, brokenEncodings) }
func TestNegativeKeyPackages(t *testing.T) { runBroken(t, brokenKeyPackages) }

type decodable interface{ decode(*decoder) }

// reads offers bytes to a decoder.
func reads(v func() decodable, b ...byte) func(testing.TB) error {
	return func(testing.TB) error { return unmarshal(b, v()) }
}

func asCredential() decodable { return new(Credential) }
func asExtensions() decodable { return new(extensionList) }

// reshaped bends a good KeyPackage's structure, without signing it again, and
// reads it back.
func reshaped(bend func(k *KeyPackage)) func(testing.TB) error {
	return func(tb testing.TB) error {
		k := seedKeyPackage(tb)
		bend(k)
		_, err := ParseKeyPackage(marshal(k))
		return err
	}
}

var brokenEncodings = []broken{
	{"§2.1.2", "a length below 64 in two bytes", "shortest form", reads(asCredential, 0, 1, 0x40, 2, 'm', 'e')},
	{"§2.1.2", "a length of zero in two bytes", "shortest form", reads(asCredential, 0, 1, 0x40, 0)},
	{"§2.1.2", "a length below 64 in four bytes", "shortest form", reads(asCredential, 0, 1, 0x80, 0, 0, 2, 'm', 'e')},
	{"§2.1.2", "a length below 16384 in four bytes", "shortest form",
		reads(asCredential, append([]byte{0, 1, 0x80, 0, 0x3f, 0xff}, make([]byte, 0x3fff)...)...)},
	{"§2.1.2", "a length with the reserved prefix", "reserved prefix", reads(asCredential, 0, 1, 0xc2, 'm', 'e')},
	{"§2.1.2", "a length in eight bytes as QUIC has it", "reserved prefix",
		reads(asCredential, 0, 1, 0xc0, 0, 0, 0, 0, 0, 0, 2, 'm', 'e')},
	{"§2.1.2", "a two-byte length cut short", "ends inside", reads(asCredential, 0, 1, 0x40)},
	{"§2.1.2", "a four-byte length cut short", "ends inside", reads(asCredential, 0, 1, 0x80, 1)},
	{"§2.1", "a vector longer than the data", "ends inside", reads(asCredential, 0, 1, 3, 'm', 'e')},
	{"§2.1", "a vector of a gigabyte that is not there", "ends inside", reads(asCredential, 0, 1, 0xbf, 0xff, 0xff, 0xff)},
	{"§2.1", "a byte after the value", "follow the value", reads(asCredential, 0, 1, 2, 'm', 'e', 0)},
	{"§2.1", "no bytes at all", "ends inside", reads(asCredential)},
	{"§2.1", "half a number", "ends inside", reads(asCredential, 0)},
	{"§2.1", "a list whose last element is cut short", "ends inside", reads(asExtensions, 3, 0, 9, 1)},
	{"§2.1", "an element that reaches past the end of its list", "ends inside", reads(asExtensions, 3, 0, 9, 2, 1, 2)},
	{"§2.1", "a list of two-byte numbers with an odd length", "ends inside",
		reads(func() decodable { return new(RequiredCapabilities) }, 3, 0, 9, 0, 0, 0)},
	{"§2.1.1", "an optional value that is neither there nor not", "presence byte", func(testing.TB) error {
		_, err := parseTree(suite1, []byte{1, 2})
		return err
	}},
	{"§5.3", "a credential of type zero", "type is not supported", reads(asCredential, 0, 0, 2, 'm', 'e')},
	{"§5.3", "a credential of a GREASE type", "type is not supported", reads(asCredential, 0x0a, 0x0a, 2, 'm', 'e')},
	{"§5.3", "an X.509 credential without certificate", "no certificate", reads(asCredential, 0, 2, 0)},
	{"§13.4", "an extension type twice", "twice in one list", reads(asExtensions, 6, 0, 9, 0, 0, 9, 0)},
	{"§13.4", "an extension type twice with another between", "twice in one list",
		reads(asExtensions, 9, 0, 9, 0, 0, 7, 0, 0, 9, 0)},
	{"§13.4", "an extension type twice in a leaf", "twice in one list",
		reshaped(func(k *KeyPackage) { k.leaf.Extensions = []Extension{{1, nil}, {1, nil}} })},
	{"§13.4", "an extension type twice in a KeyPackage", "twice in one list",
		reshaped(func(k *KeyPackage) { k.Extensions = []Extension{{7, nil}, {7, []byte{1}}} })},
	{"§7.2", "a leaf whose source is zero", "one of the three", reshaped(func(k *KeyPackage) { k.leaf.Source = 0 })},
	{"§7.2", "a leaf whose source is unknown", "one of the three", reshaped(func(k *KeyPackage) { k.leaf.Source = 4 })},
	{"§7.2", "an Update's leaf passed off as a KeyPackage's", "§", func(tb testing.TB) error {
		// The source says KeyPackage, but no lifetime follows it.
		l := seedKeyPackage(tb).leaf.copy()
		whole := marshal(l)
		l.Source = LeafFromUpdate
		b := marshal(l)
		at := 0
		for b[at] == whole[at] {
			at++
		}
		b[at] = LeafFromKeyPackage
		_, err := ParseLeafNode(b)
		return err
	}},
}

// bent changes a good KeyPackage of a suite, has its owner sign it again, and
// checks it. With sign unset the change comes after the signatures.
func bent(s Suite, sign bool, bend func(k *KeyPackage)) func(testing.TB) error {
	return func(tb testing.TB) error {
		key, err := GenerateSignatureKey(s)
		if err != nil {
			tb.Fatal(err)
		}
		me := Member{Credential: BasicCredential([]byte("me")), SignatureKey: key}
		k, _, err := NewKeyPackage(s, me, Lifetime{1, 2}, nil)
		if err != nil {
			tb.Fatal(err)
		}
		if bend(k); sign {
			signKeyPackage(tb, k, key)
		}
		back, err := ParseKeyPackage(marshal(k))
		if err != nil {
			tb.Fatalf("the form is not what this row is about: %v", err)
		}
		return back.Verify()
	}
}

// signKeyPackage signs leaf and KeyPackage as they are, the leaf's key included.
func signKeyPackage(tb testing.TB, k *KeyPackage, key *SignatureKey) {
	tb.Helper()
	p, err := key.suite.params()
	if err != nil {
		tb.Fatal(err)
	}
	if k.leaf.Signature, err = p.signWithLabel(key.priv.bytes(), leafLabel, k.leaf.signedContent(nil, 0)); err != nil {
		tb.Fatal(err)
	}
	var e encoder
	k.encodeUnsigned(&e)
	if k.Signature, err = p.signWithLabel(key.priv.bytes(), keyPackageLabel, e.b); err != nil {
		tb.Fatal(err)
	}
}

func drop(list []uint16, v uint16) (out []uint16) {
	for _, x := range list {
		if x != v {
			out = append(out, x)
		}
	}
	return out
}

// lowOrderPoint is one of the seven, found in the list.
func lowOrderPoint() []byte {
	for point := range lowOrderPoints {
		return bytes.Clone(point[:])
	}
	return nil
}

var brokenKeyPackages = []broken{
	{"§10.1", "a KeyPackage of a suite that we do not have", "not supported", bent(1, true, func(k *KeyPackage) { k.Suite = 4 })},
	{"§10.1", "a KeyPackage of a GREASE suite", "not supported", bent(1, true, func(k *KeyPackage) { k.Suite = 0x0a0a })},
	{"§10.1", "a KeyPackage of version zero", "not mls10", bent(1, true, func(k *KeyPackage) { k.Version = 0 })},
	{"§10.1", "a KeyPackage of a later version", "not mls10", bent(1, true, func(k *KeyPackage) { k.Version = 2 })},
	{"§10.1", "a KeyPackage with a wrong signature", "KeyPackage's signature", bent(1, false, func(k *KeyPackage) { k.Signature[5] ^= 1 })},
	{"§10.1", "a KeyPackage without signature", "KeyPackage's signature", bent(1, false, func(k *KeyPackage) { k.Signature = nil })},
	{"§10.1", "a KeyPackage whose init key was changed", "KeyPackage's signature",
		bent(1, false, func(k *KeyPackage) { k.InitKey[3] ^= 1 })},
	{"§10.1", "a KeyPackage whose extensions were changed", "KeyPackage's signature", bent(1, false, func(k *KeyPackage) {
		k.Extensions = []Extension{{Type: 1, Data: []byte("new")}}
	})},
	{"§10.1", "a KeyPackage moved to another suite of the same keys", "KeyPackage's signature",
		bent(1, false, func(k *KeyPackage) { k.Suite = 3 })},
	{"§10.1", "one key for init and leaf", "are the same", bent(1, true, func(k *KeyPackage) { k.InitKey = k.leaf.EncryptionKey })},
	{"§10", "a leaf of a KeyPackage that comes from an Update", "another source",
		bent(1, true, func(k *KeyPackage) { k.leaf.Source = LeafFromUpdate })},
	{"§10", "a leaf of a KeyPackage that comes from a commit", "another source",
		bent(1, true, func(k *KeyPackage) { k.leaf.Source = LeafFromCommit })},
	{"§10", "a KeyPackage extension that its capabilities lack", "KeyPackage carries an extension",
		bent(1, true, func(k *KeyPackage) { k.Extensions = []Extension{{Type: 0xF00D}} })},
	{"§10", "an init key that is too short", "public key", bent(1, true, func(k *KeyPackage) { k.InitKey = k.InitKey[1:] })},
	{"§10", "an init key that nobody can encrypt to", "public key", bent(1, true, func(k *KeyPackage) { k.InitKey = lowOrderPoint() })},
	{"§10", "an empty init key", "public key", bent(1, true, func(k *KeyPackage) { k.InitKey = nil })},
	{"§10", "an encryption key that is too long", "public key",
		bent(1, true, func(k *KeyPackage) { k.leaf.EncryptionKey = append(k.leaf.EncryptionKey, 0) })},
	{"§10", "an encryption key that nobody can encrypt to", "public key",
		bent(1, true, func(k *KeyPackage) { k.leaf.EncryptionKey = lowOrderPoint() })},
	{"§10", "a P-256 encryption key that is not on the curve", "public key",
		bent(2, true, func(k *KeyPackage) { k.leaf.EncryptionKey[40] ^= 1 })},
	{"§10", "a P-384 init key that is not on the curve", "public key",
		bent(7, true, func(k *KeyPackage) { k.InitKey[40] ^= 1 })},
	{"§10", "an X-Wing key whose X25519 half nobody can agree with", "public key", bent(0xF001, true, func(k *KeyPackage) {
		copy(k.leaf.EncryptionKey[len(k.leaf.EncryptionKey)-32:], lowOrderPoint())
	})},
	{"§10", "an X-Wing key whose ML-KEM half is not reduced", "public key", bent(0xF002, true, func(k *KeyPackage) {
		for i := range k.InitKey[:96] {
			k.InitKey[i] = 0xff
		}
	})},
	{"§5.1.2", "an Ed25519 signature key that is too short", "signature key",
		bent(1, true, func(k *KeyPackage) { k.leaf.SignatureKey = k.leaf.SignatureKey[1:] })},
	{"§5.1.2", "a P-256 signature key that is not on the curve", "signature key",
		bent(2, true, func(k *KeyPackage) { k.leaf.SignatureKey[40] ^= 1 })},
	{"§5.1.2", "a P-521 signature key that is compressed", "signature key",
		bent(5, true, func(k *KeyPackage) { k.leaf.SignatureKey = append([]byte{2}, k.leaf.SignatureKey[1:67]...) })},
	{"§5.1.2", "an ECDSA signature that is not DER", "KeyPackage's signature", bent(2, false, func(k *KeyPackage) {
		k.Signature = make([]byte, 64)
	})},
	{"§5.1.2", "an Ed25519 signature with a byte too many", "KeyPackage's signature",
		bent(1, false, func(k *KeyPackage) { k.Signature = append(k.Signature, 0) })},
	{"§7.3", "a leaf with a wrong signature", "leaf's signature", bent(1, false, func(k *KeyPackage) { k.leaf.Signature[9] ^= 1 })},
	{"§7.3", "a leaf whose lifetime was stretched", "leaf's signature", bent(1, false, func(k *KeyPackage) { k.leaf.Lifetime.NotAfter++ })},
	{"§7.3", "a leaf whose identity was exchanged", "leaf's signature",
		bent(1, false, func(k *KeyPackage) { k.leaf.Credential.Identity = []byte("you") })},
	{"§7.3", "a leaf whose capabilities were changed", "leaf's signature",
		bent(1, false, func(k *KeyPackage) { k.leaf.Capabilities.Proposals = nil })},
	{"§7.3", "a leaf signed by another key", "leaf's signature", bent(1, true, func(k *KeyPackage) {
		other, err := GenerateSignatureKey(1)
		if err != nil {
			panic(err)
		}
		k.leaf.SignatureKey = other.Public()
	})},
	{"§7.3", "a leaf extension that its capabilities lack", "carries an extension",
		bent(1, true, func(k *KeyPackage) { k.leaf.Extensions = []Extension{{Type: 0xF00D}} })},
	{"§7.3", "a GREASE extension that its capabilities lack", "carries an extension", bent(1, true, func(k *KeyPackage) {
		k.leaf.Capabilities.Extensions = nil
		k.leaf.Extensions = []Extension{{Type: 0x1a1a}}
	})},
	{"§7.2", "capabilities that lack the leaf's own credential type", "its own credential", bent(1, true, func(k *KeyPackage) {
		k.leaf.Capabilities.Credentials = drop(k.leaf.Capabilities.Credentials, CredentialBasic)
	})},
	{"§11.1", "capabilities that lack the version", "lack the version",
		bent(1, true, func(k *KeyPackage) { k.leaf.Capabilities.Versions = []uint16{2} })},
	{"§11.1", "capabilities that lack the suite", "lack the cipher suite",
		bent(1, true, func(k *KeyPackage) { k.leaf.Capabilities.Suites = drop(k.leaf.Capabilities.Suites, 1) })},
}

// A KeyPackage bent in nothing, and one with what the RFC allows, are accepted.
func TestNegativeKeyPackageBaseline(t *testing.T) {
	for _, s := range Suites() {
		for name, bend := range map[string]func(*KeyPackage){
			"unchanged": func(*KeyPackage) {},
			"GREASE and default extensions": func(k *KeyPackage) {
				c := &k.leaf.Capabilities
				c.Extensions = []uint16{0x0a0a, 0xfafa}
				c.Versions = append(c.Versions, 0x2a2a)
				c.Suites = append(c.Suites, 0x0a0a, 0xdada)
				c.Proposals = append(c.Proposals, 0x3a3a, 0xf123)
				c.Credentials = append(c.Credentials, 0x4a4a)
				k.leaf.Extensions = []Extension{{1, []byte("app")}, {0x0a0a, []byte("x")}}
				k.Extensions = []Extension{{0xfafa, nil}}
			},
			"a lifetime long past": func(k *KeyPackage) { k.leaf.Lifetime = Lifetime{1, 2} },
		} {
			if err := bent(s, true, bend)(t); err != nil {
				t.Errorf("%v, %s: %v", s, name, err)
			}
		}
	}
}
