package mls

import (
	"crypto/hpke"
	"crypto/mlkem"
	"crypto/rand"
)

// encryptContext is the HPKE info string of RFC 9420 §5.1.3.
func encryptContext(label string, context []byte) []byte {
	var e encoder
	e.vec([]byte(labelPrefix + label))
	e.vec(context)
	return e.b
}

// encryptWithLabel is RFC 9420 §5.1.3, EncryptWithLabel: HPKE in base mode, one
// message, no additional data.
func (p *suiteParams) encryptWithLabel(pub []byte, label string, context, plaintext []byte) (kemOutput, ciphertext []byte, err error) {
	key, err := p.publicKey(pub)
	if err != nil {
		return nil, nil, err
	}
	kemOutput, sender, err := hpke.NewSender(key, p.hpkeKDF, p.hpkeAEAD, encryptContext(label, context))
	if err != nil {
		return nil, nil, errPublicKey
	}
	ciphertext, err = sender.Seal(nil, plaintext)
	if err != nil {
		return nil, nil, errPublicKey
	}
	return kemOutput, ciphertext, nil
}

// decryptWithLabel is the reverse. Every failure gives the same error.
func (p *suiteParams) decryptWithLabel(priv []byte, label string, context, kemOutput, ciphertext []byte) ([]byte, error) {
	key, err := p.kem.NewPrivateKey(priv)
	if err != nil {
		return nil, errHPKEOpen
	}
	recipient, err := hpke.NewRecipient(kemOutput, key, p.hpkeKDF, p.hpkeAEAD, encryptContext(label, context))
	if err != nil {
		return nil, errHPKEOpen
	}
	plaintext, err := recipient.Open(nil, ciphertext)
	if err != nil {
		return nil, errHPKEOpen
	}
	return plaintext, nil
}

// externalInitLabel is the exporter context of RFC 9420 §8.3.
const externalInitLabel = "MLS 1.0 external init secret"

// exportToExternal is the joiner's side of RFC 9420 §8.3: a fresh init_secret
// for the holder of the group's external key, and what carries it there.
func (p *suiteParams) exportToExternal(externalPub []byte) (kemOutput, initSecret []byte, err error) {
	key, err := p.publicKey(externalPub)
	if err != nil {
		return nil, nil, err
	}
	kemOutput, sender, err := hpke.NewSender(key, p.hpkeKDF, p.hpkeAEAD, nil)
	if err != nil {
		return nil, nil, errPublicKey
	}
	initSecret, err = sender.Export(externalInitLabel, p.nh)
	return kemOutput, initSecret, err
}

// exportFromExternal is the members' side of RFC 9420 §8.3.
func (p *suiteParams) exportFromExternal(externalPriv, kemOutput []byte) ([]byte, error) {
	key, err := p.kem.NewPrivateKey(externalPriv)
	if err != nil {
		return nil, errHPKEOpen
	}
	recipient, err := hpke.NewRecipient(kemOutput, key, p.hpkeKDF, p.hpkeAEAD, nil)
	if err != nil {
		return nil, errHPKEOpen
	}
	return recipient.Export(externalInitLabel, p.nh)
}

// deriveKeyPair is KEM.DeriveKeyPair of RFC 9180 §7.1.3. ikm has nh bytes
// wherever RFC 9420 uses it.
func (p *suiteParams) deriveKeyPair(ikm []byte) (priv, pub []byte, err error) {
	key, err := p.kem.DeriveKeyPair(ikm)
	if err != nil {
		return nil, nil, err
	}
	priv, err = key.Bytes()
	return priv, key.PublicKey().Bytes(), err
}

// generateKeyPair makes a fresh HPKE key pair.
func (p *suiteParams) generateKeyPair() (priv, pub []byte, err error) {
	ikm := p.random()
	defer clear(ikm)
	return p.deriveKeyPair(ikm)
}

// random returns nh fresh random bytes.
func (p *suiteParams) random() []byte {
	b := make([]byte, p.nh)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	return b
}

// publicOf returns the public half of an HPKE private key.
func (p *suiteParams) publicOf(priv []byte) ([]byte, error) {
	key, err := p.kem.NewPrivateKey(priv)
	if err != nil {
		return nil, invalid("§5.1", "a private key is not one of the suite")
	}
	return key.PublicKey().Bytes(), nil
}

// publicKey reads an HPKE public key to encrypt to.
func (p *suiteParams) publicKey(pub []byte) (hpke.PublicKey, error) {
	if err := p.checkPublicKey(pub); err != nil {
		return nil, err
	}
	key, err := p.kem.NewPublicKey(pub)
	if err != nil {
		return nil, errPublicKey
	}
	return key, nil
}

// checkPublicKey refuses what nobody could encrypt to: one such key in a tree
// would make later commits of the group fail. It costs less than publicKey,
// which for X-Wing expands a matrix that only encryption needs: a joiner checks
// every key of the tree, and encrypts to none.
func (p *suiteParams) checkPublicKey(pub []byte) error {
	if p.kem.ID() != kemXWing {
		if _, err := p.kem.NewPublicKey(pub); err != nil || p.lowOrder(pub) {
			return errPublicKey
		}
		return nil
	}
	if len(pub) != mlkem.EncapsulationKeySize768+32 || !reduced(pub[:mlkem.EncapsulationKeySize768-32]) || p.lowOrder(pub) {
		return errPublicKey
	}
	return nil
}

// reduced is the modulus check of FIPS 203 §7.2: the numbers of an ML-KEM public
// key, 12 bits each, lie below q.
func reduced(b []byte) bool {
	const q = 3329
	for ; len(b) >= 3; b = b[3:] {
		if uint16(b[0])|uint16(b[1]&0x0f)<<8 >= q || uint16(b[1])>>4|uint16(b[2])<<4 >= q {
			return false
		}
	}
	return true
}

// The two KEMs with an X25519 key in them, by their HPKE numbers.
const (
	kemX25519 = 0x0020
	kemXWing  = 0x647a
)

// lowOrder finds the X25519 points with which every Diffie-Hellman result is
// zero; RFC 9180 §7.1.4 makes encryption to them fail. In X-Wing the point is at
// the key's end.
func (p *suiteParams) lowOrder(pub []byte) bool {
	if id := p.kem.ID(); (id != kemX25519 && id != kemXWing) || len(pub) < 32 {
		return false
	}
	point := [32]byte(pub[len(pub)-32:])
	point[31] &= 0x7f // the top bit is not part of the number (RFC 7748 §5)
	_, found := lowOrderPoints[point]
	return found
}

// lowOrderPoints are 0, 1, the two of order 8, and p-1, p, p+1 (p = 2^255-19).
var lowOrderPoints = func() map[[32]byte]struct{} {
	order8a := [32]byte{
		0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00}
	order8b := [32]byte{
		0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57}
	points := map[[32]byte]struct{}{{}: {}, {1}: {}, order8a: {}, order8b: {}}
	for low := byte(0xec); low <= 0xee; low++ {
		point := [32]byte{low}
		for i := 1; i < 31; i++ {
			point[i] = 0xff
		}
		point[31] = 0x7f
		points[point] = struct{}{}
	}
	return points
}()

var (
	errPublicKey = invalid("§5.1", "a public key is not one of the suite")
	errHPKEOpen  = invalid("§5.1.3", "an HPKE ciphertext does not open")
)
