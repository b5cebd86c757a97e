package mls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// versionMLS10 is the protocol version mls10, RFC 9420 §6.
const versionMLS10 uint16 = 1

// Suite numbers a cipher suite, RFC 9420 §17.1.
type Suite uint16

// The suites this package has. 4 and 6 need X448 and Ed448, which the standard
// library doesn't offer. The last two are the compositions of
// draft-ietf-mls-pq-ciphersuites under private-use numbers: X-Wing as the KEM,
// classical signatures.
const (
	X25519_AES128GCM_SHA256_Ed25519        Suite = 1
	P256_AES128GCM_SHA256_P256             Suite = 2
	X25519_CHACHA20POLY1305_SHA256_Ed25519 Suite = 3
	P521_AES256GCM_SHA512_P521             Suite = 5
	P384_AES256GCM_SHA384_P384             Suite = 7
	XWing_CHACHA20POLY1305_SHA256_Ed25519  Suite = 0xF001
	XWing_AES128GCM_SHA256_Ed25519         Suite = 0xF002
)

// Suites returns the numbers of all suites this package has, in order.
func Suites() []Suite {
	return []Suite{
		X25519_AES128GCM_SHA256_Ed25519,
		P256_AES128GCM_SHA256_P256,
		X25519_CHACHA20POLY1305_SHA256_Ed25519,
		P521_AES256GCM_SHA512_P521,
		P384_AES256GCM_SHA384_P384,
		XWing_CHACHA20POLY1305_SHA256_Ed25519,
		XWing_AES128GCM_SHA256_Ed25519,
	}
}

// Supported says whether this package has the suite.
func (s Suite) Supported() bool {
	_, err := s.params()
	return err == nil
}

// String returns the suite's registered name, or a name for a number that this
// package doesn't have.
func (s Suite) String() string {
	if p, err := s.params(); err == nil {
		return p.name
	}
	return "unsupported suite"
}

// suiteParams are the algorithms of one suite. The values are shared and never
// change.
type suiteParams struct {
	suite Suite
	name  string

	nh int // bytes of a hash, of a MAC and of every derived secret
	nk int // bytes of an AEAD key
	nn int // bytes of an AEAD nonce

	newHash  func() hash.Hash
	newAEAD  func(key []byte) (cipher.AEAD, error)
	sig      *signatureScheme
	kem      hpke.KEM
	hpkeKDF  hpke.KDF
	hpkeAEAD hpke.AEAD
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

var (
	suite1 = &suiteParams{X25519_AES128GCM_SHA256_Ed25519, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
		32, 16, 12, sha256.New, newGCM, ed25519Scheme,
		hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.AES128GCM()}
	suite2 = &suiteParams{P256_AES128GCM_SHA256_P256, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
		32, 16, 12, sha256.New, newGCM, p256Scheme,
		hpke.DHKEM(ecdh.P256()), hpke.HKDFSHA256(), hpke.AES128GCM()}
	suite3 = &suiteParams{X25519_CHACHA20POLY1305_SHA256_Ed25519, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
		32, 32, 12, sha256.New, chacha20poly1305.New, ed25519Scheme,
		hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305()}
	suite5 = &suiteParams{P521_AES256GCM_SHA512_P521, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
		64, 32, 12, sha512.New, newGCM, p521Scheme,
		hpke.DHKEM(ecdh.P521()), hpke.HKDFSHA512(), hpke.AES256GCM()}
	suite7 = &suiteParams{P384_AES256GCM_SHA384_P384, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
		48, 32, 12, sha512.New384, newGCM, p384Scheme,
		hpke.DHKEM(ecdh.P384()), hpke.HKDFSHA384(), hpke.AES256GCM()}
	suiteF001 = &suiteParams{XWing_CHACHA20POLY1305_SHA256_Ed25519, "MLS_192_MLKEM768X25519_CHACHA20POLY1305_SHA256_Ed25519",
		32, 32, 12, sha256.New, chacha20poly1305.New, ed25519Scheme,
		hpke.MLKEM768X25519(), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305()}
	suiteF002 = &suiteParams{XWing_AES128GCM_SHA256_Ed25519, "MLS_192_MLKEM768X25519_AES128GCM_SHA256_Ed25519",
		32, 16, 12, sha256.New, newGCM, ed25519Scheme,
		hpke.MLKEM768X25519(), hpke.HKDFSHA256(), hpke.AES128GCM()}
)

// params resolves the suite; the error is ErrUnsupported.
func (s Suite) params() (*suiteParams, error) {
	switch s {
	case X25519_AES128GCM_SHA256_Ed25519:
		return suite1, nil
	case P256_AES128GCM_SHA256_P256:
		return suite2, nil
	case X25519_CHACHA20POLY1305_SHA256_Ed25519:
		return suite3, nil
	case P521_AES256GCM_SHA512_P521:
		return suite5, nil
	case P384_AES256GCM_SHA384_P384:
		return suite7, nil
	case XWing_CHACHA20POLY1305_SHA256_Ed25519:
		return suiteF001, nil
	case XWing_AES128GCM_SHA256_Ed25519:
		return suiteF002, nil
	}
	return nil, ErrUnsupported
}

// hash is the suite's hash of data.
func (p *suiteParams) hash(data []byte) []byte {
	h := p.newHash()
	h.Write(data)
	return h.Sum(nil)
}

// mac is the suite's HMAC.
func (p *suiteParams) mac(key, data []byte) []byte {
	h := hmac.New(p.newHash, key)
	h.Write(data)
	return h.Sum(nil)
}

// extract is KDF.Extract(salt, ikm).
func (p *suiteParams) extract(salt, ikm []byte) []byte {
	prk, err := hkdf.Extract(p.newHash, ikm, salt)
	if err != nil {
		panic("mls: " + err.Error()) // only a FIPS-only build refuses a key's length
	}
	return prk
}

// labelPrefix goes before every label (RFC 9420 §5.1.2, §5.1.3, §8).
const labelPrefix = "MLS 1.0 "

// expandWithLabel is RFC 9420 §8, ExpandWithLabel. n is at most 255*nh; more is
// a bug of the caller.
func (p *suiteParams) expandWithLabel(secret []byte, label string, context []byte, n int) []byte {
	var e encoder
	e.u16(uint16(n))
	e.vec([]byte(labelPrefix + label))
	e.vec(context)
	out, err := hkdf.Expand(p.newHash, secret, string(e.b), n)
	if err != nil {
		panic("mls: " + err.Error())
	}
	return out
}

// deriveSecret is RFC 9420 §8, DeriveSecret.
func (p *suiteParams) deriveSecret(secret []byte, label string) []byte {
	return p.expandWithLabel(secret, label, nil, p.nh)
}

// deriveTreeSecret is RFC 9420 §9, DeriveTreeSecret.
func (p *suiteParams) deriveTreeSecret(secret []byte, label string, generation uint32, n int) []byte {
	var e encoder
	e.u32(generation)
	return p.expandWithLabel(secret, label, e.b, n)
}

// refHash is RFC 9420 §5.2, RefHash. The label is used as it is, without prefix.
func (p *suiteParams) refHash(label string, value []byte) []byte {
	var e encoder
	e.vec([]byte(label))
	e.vec(value)
	return p.hash(e.b)
}

// seal encrypts with the suite's AEAD. key has nk bytes and nonce nn, which
// holds for every derived key; other lengths are a bug of the caller.
func (p *suiteParams) seal(key, nonce, aad, plaintext []byte) []byte {
	a, err := p.newAEAD(key)
	if err != nil {
		panic("mls: " + err.Error())
	}
	return a.Seal(nil, nonce, plaintext, aad)
}

// open is the reverse of seal; the error says nothing but that it failed.
func (p *suiteParams) open(key, nonce, aad, ciphertext []byte) ([]byte, error) {
	a, err := p.newAEAD(key)
	if err != nil {
		panic("mls: " + err.Error())
	}
	plaintext, err := a.Open(nil, nonce, ciphertext, aad)
	if err != nil {
		return nil, errOpen
	}
	return plaintext, nil
}

var errOpen = invalid("§5.1", "a ciphertext does not open")
