package mls

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
)

// signatureScheme is the signature algorithm of a suite. Keys are raw: for
// Ed25519 the 32-byte seed and public key, for ECDSA the big-endian scalar and
// the uncompressed point; an ECDSA signature is DER (RFC 9420 §5.1.2).
type signatureScheme struct {
	generate func() ([]byte, error)
	public   func(priv []byte) ([]byte, error)
	sign     func(p *suiteParams, priv, msg []byte) ([]byte, error)
	verify   func(p *suiteParams, pub, msg, sig []byte) bool
	check    func(pub []byte) bool // is it a key of the scheme at all
}

var ed25519Scheme = &signatureScheme{
	generate: func() ([]byte, error) {
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed)
		return seed, nil
	},
	public: func(priv []byte) ([]byte, error) {
		if len(priv) != ed25519.SeedSize {
			return nil, errSignatureKey
		}
		return ed25519.NewKeyFromSeed(priv)[ed25519.SeedSize:], nil
	},
	sign: func(_ *suiteParams, priv, msg []byte) ([]byte, error) {
		if len(priv) != ed25519.SeedSize {
			return nil, errSignatureKey
		}
		key := ed25519.NewKeyFromSeed(priv)
		defer clear(key)
		return ed25519.Sign(key, msg), nil
	},
	verify: func(_ *suiteParams, pub, msg, sig []byte) bool {
		return len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, msg, sig)
	},
	check: func(pub []byte) bool { return len(pub) == ed25519.PublicKeySize },
}

func ecdsaScheme(curve elliptic.Curve) *signatureScheme {
	return &signatureScheme{
		generate: func() ([]byte, error) {
			key, err := ecdsa.GenerateKey(curve, rand.Reader)
			if err != nil {
				return nil, err
			}
			return key.Bytes()
		},
		public: func(priv []byte) ([]byte, error) {
			key, err := ecdsa.ParseRawPrivateKey(curve, priv)
			if err != nil {
				return nil, errSignatureKey
			}
			return key.PublicKey.Bytes()
		},
		sign: func(p *suiteParams, priv, msg []byte) ([]byte, error) {
			key, err := ecdsa.ParseRawPrivateKey(curve, priv)
			if err != nil {
				return nil, errSignatureKey
			}
			return ecdsa.SignASN1(rand.Reader, key, p.hash(msg))
		},
		verify: func(p *suiteParams, pub, msg, sig []byte) bool {
			key, err := ecdsa.ParseUncompressedPublicKey(curve, pub)
			return err == nil && ecdsa.VerifyASN1(key, p.hash(msg), sig)
		},
		check: func(pub []byte) bool {
			_, err := ecdsa.ParseUncompressedPublicKey(curve, pub)
			return err == nil
		},
	}
}

var (
	p256Scheme = ecdsaScheme(elliptic.P256())
	p384Scheme = ecdsaScheme(elliptic.P384())
	p521Scheme = ecdsaScheme(elliptic.P521())
)

// signContent is the signed string of RFC 9420 §5.1.2.
func signContent(label string, content []byte) []byte {
	var e encoder
	e.vec([]byte(labelPrefix + label))
	e.vec(content)
	return e.b
}

// signWithLabel is RFC 9420 §5.1.2, SignWithLabel.
func (p *suiteParams) signWithLabel(priv []byte, label string, content []byte) ([]byte, error) {
	return p.sig.sign(p, priv, signContent(label, content))
}

// verifyWithLabel is RFC 9420 §5.1.2, VerifyWithLabel; the error is the same
// for a bad key and a bad signature.
func (p *suiteParams) verifyWithLabel(pub []byte, label string, content, sig []byte) error {
	if !p.sig.verify(p, pub, signContent(label, content), sig) {
		return errSignature
	}
	return nil
}

var (
	errSignature    = invalid("§5.1.2", "a signature does not verify")
	errSignatureKey = invalid("§5.1.2", "a signature key is not one of the suite")
)

// SignatureKey is a private signing key of a suite. It prints as "secret".
// Copies of the pointer share the key: wiping it ends all of them.
type SignatureKey struct {
	suite Suite
	priv  secret
	pub   []byte
}

// GenerateSignatureKey makes a fresh key.
func GenerateSignatureKey(s Suite) (*SignatureKey, error) {
	p, err := s.params()
	if err != nil {
		return nil, err
	}
	raw, err := p.sig.generate()
	if err != nil {
		return nil, fmt.Errorf("generate signature key: %w", err)
	}
	return NewSignatureKey(s, raw)
}

// NewSignatureKey takes a raw private key: the 32-byte seed for Ed25519, the
// big-endian scalar, of full length, for ECDSA. raw is copied.
func NewSignatureKey(s Suite, raw []byte) (*SignatureKey, error) {
	p, err := s.params()
	if err != nil {
		return nil, err
	}
	pub, err := p.sig.public(raw)
	if err != nil {
		return nil, err
	}
	return &SignatureKey{suite: s, priv: newSecret(clone(raw)), pub: pub}, nil
}

// Suite returns the suite the key was made for.
func (k *SignatureKey) Suite() Suite { return k.suite }

// Public returns a copy of the public key, as a leaf's SignatureKey carries it.
func (k *SignatureKey) Public() []byte { return clone(k.pub) }

// Bytes returns a copy of the raw private key: a secret, for storing it sealed.
func (k *SignatureKey) Bytes() []byte { return clone(k.priv.bytes()) }

// Wipe overwrites the private key.
func (k *SignatureKey) Wipe() { k.priv.wipe() }

// String hides the key.
func (*SignatureKey) String() string { return "secret" }

// GoString hides the key.
func (*SignatureKey) GoString() string { return "secret" }
