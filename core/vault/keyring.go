package vault

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"hearth/wire"
)

// secret is a key. It prints as "secret"; its bytes lie behind a pointer, so
// that no formatting verb reaches them.
type secret struct{ b *[32]byte }

func newSecret() secret { return secretFrom(random(32)) }

func secretFrom(b []byte) secret {
	k := [32]byte(b)
	return secret{&k}
}

func (s secret) bytes() []byte    { return s.b[:] }
func (s secret) String() string   { return "secret" }
func (s secret) GoString() string { return "secret" }
func (s secret) wipe() {
	if s.b != nil {
		clear(s.b[:])
	}
}

// derive returns the key that label names, one way.
func (s secret) derive(label string) secret {
	b, err := hkdf.Expand(sha256.New, s.bytes(), "hearth vault v1 "+label, 32)
	if err != nil {
		panic(err) // a constant length within bounds
	}
	return secretFrom(b)
}

// keyring is what the key file holds, and what follows from it.
//
//	root      for as long as the home lives: names, records without an end
//	wrapping  seals the table of bucket keys; moves forward, one way, with
//	          every sweep that destroys a bucket, so that an older image of
//	          the table stays shut (design §4)
//
// All other keys are derived. A passphrase, when there is one, wraps the whole
// (sealedkey.go), and nothing else changes.
type keyring struct {
	home       [16]byte // random; tells one home's key from another's
	generation uint64   // how often wrapping moved
	root       secret
	wrapping   secret
	founding   bool // the disk may still be empty

	names, keep, index, masks secret // derived from root
}

func newKeyring() keyring {
	k := keyring{home: [16]byte(random(16)), root: newSecret(), wrapping: newSecret()}
	k.deriveAll()
	return k
}

func (k *keyring) deriveAll() {
	k.names = k.root.derive("names")
	k.keep = k.root.derive("records without an end")
	k.index = k.root.derive("index of ends")
	k.masks = k.root.derive("masks of bucket ids")
}

// forward returns the keyring with its wrapping key one step on. The step is a
// function of the key alone: after a crash it can be repeated (sweep.go).
func (k keyring) forward() keyring {
	k.wrapping = k.wrapping.derive("forward")
	k.generation++
	return k
}

func (k *keyring) wipe() {
	for _, s := range []secret{k.root, k.wrapping, k.names, k.keep, k.index, k.masks} {
		s.wipe()
	}
}

// The key file: version, kind, body, check. The check tells damage from a wrong
// key; it guards nothing.
const (
	keyVersion = 1
	// keyPlain: the body is the keys themselves; keySealed: sealedkey.go.
	keyPlain  = 1
	keySealed = 2

	keyBody = 1 + 16 + 8 + 32 + 32
	keySize = 2 + keyBody + 8
)

func (k keyring) marshal() []byte {
	b := make([]byte, 0, keySize)
	b = append(b, keyVersion, keyPlain)
	state := byte(0)
	if k.founding {
		state = 1
	}
	b = append(b, state)
	b = append(b, k.home[:]...)
	b = binary.BigEndian.AppendUint64(b, k.generation)
	b = append(b, k.root.bytes()...)
	b = append(b, k.wrapping.bytes()...)
	check := sha256.Sum256(b)
	return append(b, check[:8]...)
}

func parseKeyring(b []byte) (keyring, error) {
	if len(b) < 2 {
		return keyring{}, damagedKey()
	}
	if b[0] != keyVersion {
		return keyring{}, &wire.Error{Code: wire.Unsupported, Message: "the key file of this home has a form that this version does not know",
			Next: "use the version of hearth that last opened this home, or a newer one"}
	}
	if b[1] == keySealed {
		return keyring{}, errLocked
	}
	if len(b) != keySize || b[1] != keyPlain || b[2] > 1 {
		return keyring{}, damagedKey()
	}
	check := sha256.Sum256(b[:keySize-8])
	if !hmac.Equal(check[:8], b[keySize-8:]) {
		return keyring{}, damagedKey()
	}
	k := keyring{
		founding:   b[2] == 1,
		home:       [16]byte(b[3:19]),
		generation: binary.BigEndian.Uint64(b[19:27]),
		root:       secretFrom(b[27:59]),
		wrapping:   secretFrom(b[59:91]),
	}
	k.deriveAll()
	return k, nil
}
