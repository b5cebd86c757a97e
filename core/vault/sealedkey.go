package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"hearth/wire"
)

// Protection is what stands between a key file and whoever has it.
type Protection byte

// The protections of a key file.
const (
	Unprotected  Protection = 0 // who has the file has the keys
	ByPassphrase Protection = 1
	ByKeyFile    Protection = 2 // a second file, elsewhere
)

// String returns the protection as the API names it.
func (p Protection) String() string {
	switch p {
	case ByPassphrase:
		return "passphrase"
	case ByKeyFile:
		return "key_file"
	}
	return "none"
}

// sealedKey is a key file under a protection: version, kind, then
//
//	protection, salt, cost of a guess      the head
//	a random key, sealed under the credential's
//	the plain key file, sealed under that key
//	a check, which tells damage from a wrong credential; it guards nothing
//
// The random key in the middle is what an open home holds: when the wrapping
// key moves forward the file is written again under it, and nobody has to type
// anything. A new credential brings a new random key. Both seals commit to
// their key (attack A31) and bind all that stands before them.
type sealedKey struct {
	protection Protection
	salt       [16]byte
	cost       Cost // zero for a key file
	wrapped    [sealedKeyWrapped]byte
	body       []byte
}

const (
	sealedKeyHead    = 2 + 1 + 16 + 4 + 4 + 1
	sealedKeyOver    = 24 + 32 + 16 // nonce, commitment, tag
	sealedKeyWrapped = 32 + sealedKeyOver
	sealedKeySize    = sealedKeyHead + sealedKeyWrapped + keySize + sealedKeyOver + 8
)

func (s *sealedKey) head() []byte {
	b := make([]byte, 0, sealedKeyHead+sealedKeyWrapped)
	b = append(b, keyVersion, keySealed, byte(s.protection))
	b = append(b, s.salt[:]...)
	b = binary.BigEndian.AppendUint32(b, s.cost.Passes)
	b = binary.BigEndian.AppendUint32(b, s.cost.Memory)
	return append(b, s.cost.Lanes)
}

func (s *sealedKey) marshal() []byte {
	b := append(s.bound(), s.body...)
	check := sha256.Sum256(b)
	return append(b, check[:8]...)
}

func parseSealedKey(b []byte) (s sealedKey, err error) {
	if len(b) < 2 || b[0] != keyVersion || b[1] != keySealed || len(b) != sealedKeySize {
		return s, damagedKey()
	}
	b, end := b[:sealedKeySize-8], b[sealedKeySize-8:]
	if check := sha256.Sum256(b); !hmac.Equal(check[:8], end) {
		return s, damagedKey()
	}
	s.protection = Protection(b[2])
	s.salt = [16]byte(b[3:19])
	s.cost = Cost{Passes: binary.BigEndian.Uint32(b[19:]), Memory: binary.BigEndian.Uint32(b[23:]), Lanes: b[27]}
	s.wrapped = [sealedKeyWrapped]byte(b[sealedKeyHead:])
	s.body = b[sealedKeyHead+sealedKeyWrapped:]
	switch {
	case s.protection == ByPassphrase && s.cost.valid():
	case s.protection == ByKeyFile && s.cost == Cost{}:
	default:
		return s, damagedKey()
	}
	return s, nil
}

// sealKey seals a plain key file under a fresh key, and that under c.
func sealKey(c Credential, cost Cost, plain []byte) (s sealedKey, kek secret) {
	if c.kind != ByPassphrase {
		cost = Cost{}
	}
	s = sealedKey{protection: c.kind, salt: [16]byte(random(16)), cost: cost}
	kek = newSecret()
	outer := c.key(s.salt[:], s.cost)
	defer outer.wipe()
	s.wrapped = [sealedKeyWrapped]byte(sealCommitting(outer, s.head(), kek.bytes()))
	s.seal(kek, plain)
	return s, kek
}

// seal replaces what is inside.
func (s *sealedKey) seal(kek secret, plain []byte) {
	s.body = sealCommitting(kek, s.bound(), plain)
}

// bound is what the inner seal binds.
func (s *sealedKey) bound() []byte { return append(s.head(), s.wrapped[:]...) }

// unwrap returns the key in the middle.
func (s *sealedKey) unwrap(c Credential) (secret, error) {
	if c.kind != s.protection {
		return secret{}, wrongCredential(s.protection)
	}
	outer := c.key(s.salt[:], s.cost)
	defer outer.wipe()
	b, err := openCommitting(outer, s.head(), s.wrapped[:])
	if err != nil || len(b) != 32 {
		return secret{}, wrongCredential(s.protection)
	}
	defer clear(b)
	return secretFrom(b), nil
}

// open returns the plain key file.
func (s *sealedKey) open(kek secret) ([]byte, error) {
	b, err := openCommitting(kek, s.bound(), s.body)
	if err != nil {
		return nil, damagedKey()
	}
	return b, nil
}

func wrongCredential(p Protection) *wire.Error {
	if p == ByKeyFile {
		return &wire.Error{Code: wire.Denied, Message: "that is not what opens this home",
			Next: "use the key file that was made for it"}
	}
	return &wire.Error{Code: wire.Denied, Message: "that is not the passphrase of this home",
		Next: "try again; look at capital letters and the keyboard's language. Nobody can reset it"}
}

func damagedKey() *wire.Error {
	return &wire.Error{Code: wire.Damaged, Message: "the key file of this home is damaged",
		Next: "put back a copy of the key file, or restore a backup into a new home"}
}
