package mls

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
)

func TestVectorsDeserialization(t *testing.T) {
	var cases []struct {
		Header hexBytes `json:"vlbytes_header"`
		Length int      `json:"length"`
	}
	loadVectors(t, "deserialization.json", &cases)
	for _, c := range cases {
		d := decoder{b: c.Header}
		if got := d.header(); d.err != nil || got != c.Length || len(d.b) != 0 {
			t.Errorf("header %x: got %d, %v, want %d", []byte(c.Header), got, d.err, c.Length)
		}
		var e encoder
		e.header(c.Length)
		wantBytes(t, "header written", e.b, c.Header)
	}
	t.Logf("deserialization.json: %d cases passed", len(cases))
	if len(cases) != 14 {
		t.Errorf("%d cases, want 14", len(cases))
	}
}

func TestVectorsCryptoBasics(t *testing.T) {
	var cases []struct {
		Suite   Suite `json:"cipher_suite"`
		RefHash struct {
			Label      string
			Value, Out hexBytes
		} `json:"ref_hash"`
		Expand struct {
			Secret, Context, Out hexBytes
			Label                string
			Length               int
		} `json:"expand_with_label"`
		Derive struct {
			Secret, Out hexBytes
			Label       string
		} `json:"derive_secret"`
		Tree struct {
			Secret, Out hexBytes
			Label       string
			Generation  uint32
			Length      int
		} `json:"derive_tree_secret"`
		Sign struct {
			Priv, Pub, Content, Signature hexBytes
			Label                         string
		} `json:"sign_with_label"`
		Encrypt struct {
			Priv, Pub, Context, Plaintext, Ciphertext hexBytes
			KEMOutput                                 hexBytes `json:"kem_output"`
			Label                                     string
		} `json:"encrypt_with_label"`
	}
	loadVectors(t, "crypto-basics.json", &cases)
	count := countVectors("crypto-basics.json")
	for _, c := range cases {
		p, ok := count.params(t, c.Suite)
		if !ok {
			continue
		}
		wantBytes(t, "RefHash", p.refHash(c.RefHash.Label, c.RefHash.Value), c.RefHash.Out)
		wantBytes(t, "ExpandWithLabel", p.expandWithLabel(c.Expand.Secret, c.Expand.Label, c.Expand.Context, c.Expand.Length), c.Expand.Out)
		wantBytes(t, "DeriveSecret", p.deriveSecret(c.Derive.Secret, c.Derive.Label), c.Derive.Out)
		wantBytes(t, "DeriveTreeSecret", p.deriveTreeSecret(c.Tree.Secret, c.Tree.Label, c.Tree.Generation, c.Tree.Length), c.Tree.Out)

		s := c.Sign
		if err := p.verifyWithLabel(s.Pub, s.Label, s.Content, s.Signature); err != nil {
			t.Errorf("suite %d: verify: %v", c.Suite, err)
		}
		pub, err := p.sig.public(s.Priv)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "signature public key", pub, s.Pub)
		sig, err := p.signWithLabel(s.Priv, s.Label, s.Content)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.verifyWithLabel(s.Pub, s.Label, s.Content, sig); err != nil {
			t.Errorf("suite %d: verify own: %v", c.Suite, err)
		}

		x := c.Encrypt
		plain, err := p.decryptWithLabel(x.Priv, x.Label, x.Context, x.KEMOutput, x.Ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "DecryptWithLabel", plain, x.Plaintext)
		kem, ct, err := p.encryptWithLabel(x.Pub, x.Label, x.Context, x.Plaintext)
		if err != nil {
			t.Fatal(err)
		}
		plain, err = p.decryptWithLabel(x.Priv, x.Label, x.Context, kem, ct)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "own ciphertext", plain, x.Plaintext)
	}
	count.done(t, 5, 2)
}

func TestSuitesSealSignAndExport(t *testing.T) {
	for _, s := range Suites() {
		t.Run(s.String(), func(t *testing.T) {
			p, err := s.params()
			if err != nil {
				t.Fatal(err)
			}
			priv, pub, err := p.generateKeyPair()
			if err != nil {
				t.Fatal(err)
			}
			again, err := p.publicOf(priv)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "public key", again, pub)
			kem, ct, err := p.encryptWithLabel(pub, "x", []byte("context"), []byte("text"))
			if err != nil {
				t.Fatal(err)
			}
			for name, open := range map[string]func() ([]byte, error){
				"label":      func() ([]byte, error) { return p.decryptWithLabel(priv, "y", []byte("context"), kem, ct) },
				"context":    func() ([]byte, error) { return p.decryptWithLabel(priv, "x", []byte("contexu"), kem, ct) },
				"kem output": func() ([]byte, error) { return p.decryptWithLabel(priv, "x", []byte("context"), kem[1:], ct) },
				"ciphertext": func() ([]byte, error) { return p.decryptWithLabel(priv, "x", []byte("context"), kem, ct[1:]) },
				"key":        func() ([]byte, error) { return p.decryptWithLabel(priv[1:], "x", []byte("context"), kem, ct) },
			} {
				if _, err := open(); !errors.Is(err, errHPKEOpen) {
					t.Errorf("wrong %s: error %v", name, err)
				}
			}
			kem, sent, err := p.exportToExternal(pub)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.exportFromExternal(priv, kem)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "init secret", got, sent)

			key, err := GenerateSignatureKey(s)
			if err != nil {
				t.Fatal(err)
			}
			same, err := NewSignatureKey(s, key.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "signature key", same.Public(), key.Public())
			sig, err := p.signWithLabel(key.Bytes(), "l", []byte("m"))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.verifyWithLabel(key.Public(), "l", []byte("m"), sig); err != nil {
				t.Error(err)
			}
			if p.verifyWithLabel(key.Public(), "k", []byte("m"), sig) == nil {
				t.Error("a signature verifies under another label")
			}
			k, n := make([]byte, p.nk), make([]byte, p.nn)
			box := p.seal(k, n, []byte("aad"), []byte("text"))
			if out, err := p.open(k, n, []byte("aad"), box); err != nil || string(out) != "text" {
				t.Errorf("open: %q, %v", out, err)
			}
			if _, err := p.open(k, n, nil, box); err == nil {
				t.Error("opens with other additional data")
			}
		})
	}
}

// The list of points must be exactly those with which no agreement is possible.
func TestLowOrderPoints(t *testing.T) {
	priv, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if len(lowOrderPoints) != 7 {
		t.Errorf("%d points, want 7", len(lowOrderPoints))
	}
	for point := range lowOrderPoints {
		for _, top := range []byte{0, 0x80} {
			key := bytes.Clone(point[:])
			key[31] |= top
			pub, err := ecdh.X25519().NewPublicKey(key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := priv.ECDH(pub); err == nil {
				t.Errorf("point %x: agreement works", key)
			}
			if _, err := suite1.publicKey(key); err == nil {
				t.Errorf("point %x is taken for a key", key)
			}
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	key, err := GenerateSignatureKey(1)
	if err != nil {
		t.Fatal(err)
	}
	s := newSecret([]byte("hunter2"))
	holder := struct {
		s secret
		k *SignatureKey
		p *KeyPackageSecrets
	}{s, key, &KeyPackageSecrets{suite: 1, initKey: s, leafKey: s, signature: key}}
	for _, v := range []any{s, &s, key, holder, &holder, holder.p, *holder.p, []secret{s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			out := fmt.Sprintf(verb, v)
			for _, leak := range []string{"hunter2", "68756e74657232", "104 117 110", "0x68", fmt.Sprintf("%x", key.Bytes())} {
				if bytes.Contains([]byte(out), []byte(leak)) {
					t.Errorf("%s of %T prints the key: %s", verb, v, out)
				}
			}
		}
	}
	copied := s
	s.wipe()
	if copied.present() {
		t.Error("a copy survives the wipe")
	}
}

// Keys that are none are refused by every operation, without a panic.
func TestSuitesRefuseKeysThatAreNone(t *testing.T) {
	for _, s := range Suites() {
		p, err := s.params()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range [][]byte{nil, {1}, make([]byte, 31), make([]byte, 4000)} {
			if _, _, err := p.encryptWithLabel(key, "l", nil, nil); !errors.Is(err, errPublicKey) {
				t.Errorf("%v: encrypt: %v", s, err)
			}
			if _, _, err := p.exportToExternal(key); !errors.Is(err, errPublicKey) {
				t.Errorf("%v: export to: %v", s, err)
			}
			if _, err := p.exportFromExternal(key, key); !errors.Is(err, errHPKEOpen) {
				t.Errorf("%v: export from: %v", s, err)
			}
			if _, err := p.publicOf(key); err == nil {
				t.Errorf("%v: a private key of %d bytes is accepted", s, len(key))
			}
			if _, err := NewSignatureKey(s, key); !errors.Is(err, errSignatureKey) {
				t.Errorf("%v: signature key: %v", s, err)
			}
			if _, err := p.signWithLabel(key, "l", nil); !errors.Is(err, errSignatureKey) {
				t.Errorf("%v: sign: %v", s, err)
			}
			if p.verifyWithLabel(key, "l", nil, key) == nil {
				t.Errorf("%v: a signature verifies under no key", s)
			}
		}
		priv, _, err := p.generateKeyPair()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.exportFromExternal(priv, []byte{1}); !errors.Is(err, errHPKEOpen) {
			t.Errorf("%v: export from a short KEM output: %v", s, err)
		}
	}
	key, err := GenerateSignatureKey(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []Suite{2, 3, 4, 0} {
		if _, _, err := NewKeyPackage(s, Member{Credential: BasicCredential(nil), SignatureKey: key}, Lifetime{}, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("suite %d takes a key of suite 1: %v", s, err)
		}
	}
	if _, _, err := NewKeyPackage(1, Member{Credential: BasicCredential(nil)}, Lifetime{}, nil); !errors.Is(err, errSignatureKey) {
		t.Errorf("no signature key: %v", err)
	}
}

// The short check of X-Wing keys says what the library says, at every edge of
// the numbers in them.
func TestXWingKeyCheck(t *testing.T) {
	_, good, err := suiteF001.generateKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, at := range []int{0, 1, 2, 3, 4, 575, 1148, 1149, 1150, 1151, 1152, 1183, 1184, 1215} {
		for v := range 256 {
			key := bytes.Clone(good)
			key[at] = byte(v)
			_, err := suiteF001.kem.NewPublicKey(key)
			if got := suiteF001.checkPublicKey(key); (got == nil) != (err == nil) {
				t.Fatalf("byte %d = %d: check says %v, the library %v", at, v, got, err)
			}
			if err != nil {
				refused++
			}
		}
	}
	if refused == 0 {
		t.Error("no key was refused")
	}
	// Both numbers of a group of three bytes, around q = 3329.
	for n := 3320; n < 4096; n++ {
		low, high := bytes.Clone(good), bytes.Clone(good)
		low[0], low[1] = byte(n), low[1]&0xf0|byte(n>>8)
		high[1], high[2] = high[1]&0x0f|byte(n<<4), byte(n>>4)
		for _, key := range [][]byte{low, high} {
			if got := suiteF001.checkPublicKey(key); (got == nil) != (n < 3329) {
				t.Errorf("number %d: %v", n, got)
			}
		}
	}
}

func TestKeyPackageSecretsMatchTheirOwn(t *testing.T) {
	make1 := func(s Suite) (*KeyPackage, *KeyPackageSecrets) {
		key, err := GenerateSignatureKey(s)
		if err != nil {
			t.Fatal(err)
		}
		k, secrets, err := NewKeyPackage(s, Member{Credential: BasicCredential([]byte("me")), SignatureKey: key}, Lifetime{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return k, secrets
	}
	k, s := make1(1)
	other, otherSecrets := make1(1)
	sameKeys, third := make1(3)
	if !s.matches(k) || s.matches(other) || otherSecrets.matches(k) || third.matches(k) || s.matches(sameKeys) {
		t.Error("secrets match another KeyPackage")
	}
	mixed := *s
	mixed.signature = otherSecrets.signature
	if mixed.matches(k) {
		t.Error("secrets with another signature key match")
	}
	mixed = *s
	mixed.leafKey = otherSecrets.leafKey
	if mixed.matches(k) {
		t.Error("secrets with another leaf key match")
	}
	s.Wipe()
	if s.matches(k) || s.initKey.present() || s.leafKey.present() {
		t.Error("wiped secrets are still there")
	}
}
