package letter

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"

	"hearth/wire"
)

// Doors and trees are sealed with XChaCha20-Poly1305 under a key derived for the
// purpose and the nonce, together with a commitment to it, for several parties
// hold a sealing key and one ciphertext must not open in two ways (A31):
//
//	version, nonce, commitment, ciphertext of (length, bytes, zeros)

const (
	sealVersion = 1
	sealHead    = 1 + chacha20poly1305.NonceSizeX + 32
	sealAdds    = sealHead + chacha20poly1305.Overhead
	sealLength  = 4 // of the length inside
)

// Purposes: what is sealed for one opens for no other (A03).
const (
	purposePost    = "hearth door post v1"
	purposePackage = "hearth door key package v1"
	purposeTree    = "hearth tree blob v1"
)

// Size classes of whole sealed things, bytes (A47). An answer and a small
// Welcome are the same size.
var (
	postClasses    = []int{8 << 10, 16 << 10, 32 << 10, wire.MaxKnock}
	packageClasses = []int{4 << 10, 8 << 10, wire.MaxKeyPackage}
)

const (
	// MaxLetter is the longest encoded letter, bytes.
	MaxLetter = wire.MaxKnock - sealAdds - sealLength
	// MaxKeyPackage is the longest KeyPackage that a door can hold, bytes.
	MaxKeyPackage = wire.MaxKeyPackage - sealAdds - sealLength
)

// Seal returns what to post to door d.
func Seal(d Door, kind Kind, body []byte) ([]byte, error) {
	b := wire.Encode(Letter{Version: LetterVersion, Kind: kind, Body: body})
	if len(b) > MaxLetter {
		return nil, tooLong("the letter")
	}
	return seal(d.Sealing, purposePost, d.ID[:], b, classOf(postClasses, len(b))), nil
}

// Open opens what was posted to the own door id, whose sealing key is given.
func Open(id wire.RoomID, sealing wire.Secret, posted []byte) (Letter, error) {
	b, err := open(sealing, purposePost, id[:], posted)
	if err != nil {
		return Letter{}, refuse("open a letter", err)
	}
	l, err := parseLetter(b)
	if err != nil {
		return Letter{}, refuse("read a letter", err)
	}
	return l, nil
}

func parseLetter(b []byte) (Letter, error) {
	var l Letter
	if err := wire.Decode(b, &l); err != nil {
		return Letter{}, err
	}
	if l.Version != LetterVersion {
		return Letter{}, errForm
	}
	return l, nil
}

// SealPackage returns what to give door id to hand out for a KeyPackage.
func SealPackage(id wire.RoomID, sealing wire.Secret, keyPackage []byte) ([]byte, error) {
	if len(keyPackage) > MaxKeyPackage {
		return nil, tooLong("the key package")
	}
	return seal(sealing, purposePackage, id[:], keyPackage, classOf(packageClasses, len(keyPackage))), nil
}

// OpenPackage opens what door d handed out.
func OpenPackage(d Door, claimed []byte) (keyPackage []byte, err error) {
	b, err := open(d.Sealing, purposePackage, d.ID[:], claimed)
	if err != nil {
		return nil, refuse("open a key package", err)
	}
	return b, nil
}

// classOf returns the size of what n bytes are sealed into.
func classOf(classes []int, n int) int {
	for _, c := range classes {
		if n+sealAdds+sealLength <= c {
			return c
		}
	}
	return n + sealAdds + sealLength
}

// seal seals b into exactly size bytes.
func seal(key wire.Secret, purpose string, context, b []byte, size int) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	enc, commitment := derive(key, purpose, nonce)
	plain := make([]byte, size-sealAdds)
	binary.BigEndian.PutUint32(plain, uint32(len(b)))
	copy(plain[sealLength:], b)
	out := make([]byte, 0, size)
	out = append(append(append(out, sealVersion), nonce...), commitment...)
	return newAEAD(enc).Seal(out, nonce, plain, context)
}

func open(key wire.Secret, purpose string, context, sealed []byte) ([]byte, error) {
	if len(sealed) < sealAdds+sealLength || sealed[0] != sealVersion || key.Reveal() == nil {
		return nil, errSeal
	}
	nonce := sealed[1 : 1+chacha20poly1305.NonceSizeX]
	enc, commitment := derive(key, purpose, nonce)
	if !hmac.Equal(commitment, sealed[1+len(nonce):sealHead]) {
		return nil, errSeal
	}
	plain, err := newAEAD(enc).Open(nil, nonce, sealed[sealHead:], context)
	if err != nil {
		return nil, errSeal
	}
	n := binary.BigEndian.Uint32(plain)
	if uint64(n) > uint64(len(plain)-sealLength) {
		return nil, errForm
	}
	b, zeros := plain[sealLength:sealLength+n], plain[sealLength+n:]
	for _, z := range zeros {
		if z != 0 {
			return nil, errForm
		}
	}
	return b, nil
}

// derive returns the encryption key and the commitment to it for one nonce.
func derive(key wire.Secret, purpose string, nonce []byte) (enc, commitment []byte) {
	b, err := hkdf.Expand(sha256.New, key.Reveal(), purpose+string(nonce), 64)
	if err != nil {
		panic(err) // a constant length within bounds
	}
	return b[:32], b[32:]
}

func newAEAD(key []byte) cipher.AEAD {
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	return a
}
