package identity

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"hearth/wire"
)

// DeviceKey is a device's id with its private key. It prints as "secret".
// The zero DeviceKey is no key: it signs as one that nobody's chain holds.
type DeviceKey struct {
	id   DeviceID
	seed *secret
}

// NewDeviceKey returns a fresh device.
func NewDeviceKey() DeviceKey {
	return DeviceKey{id: NewDeviceID(), seed: newSecret()}
}

// deviceKeyState is the stored form of a DeviceKey.
type deviceKeyState struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	ID      DeviceID
	Seed    []byte
}

// Marshal returns the secret bytes to store, sealed, on the device.
func (k DeviceKey) Marshal() []byte {
	return wire.Encode(deviceKeyState{Version: 1, ID: k.id, Seed: k.Seed()})
}

// ParseDeviceKey reads what Marshal wrote.
func ParseDeviceKey(b []byte) (DeviceKey, error) {
	var s deviceKeyState
	if err := wire.Decode(b, &s); err != nil || s.Version != 1 || len(s.Seed) != ed25519.SeedSize {
		return DeviceKey{}, fmt.Errorf("%w: a stored device key could not be read", ErrInvalid)
	}
	return DeviceKey{id: s.ID, seed: secretFrom(s.Seed)}, nil
}

// ID returns the device's id.
func (k DeviceKey) ID() DeviceID { return k.id }

// Seed returns a copy of the 32 secret bytes from which the Ed25519 key is made
// (RFC 8032 §5.1.5): MLS signs leaves with it.
func (k DeviceKey) Seed() []byte { return append([]byte(nil), k.seed.bytes()...) }

// Public returns the public half.
func (k DeviceKey) Public() PublicKey { return public(k.private()) }

func (k DeviceKey) private() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(k.seed.bytes()) }

func public(k ed25519.PrivateKey) PublicKey { return PublicKey(k.Public().(ed25519.PublicKey)) }

// Sign signs message under label.
func (k DeviceKey) Sign(label Label, message []byte) []byte {
	return ed25519.Sign(k.private(), tbs(label, message))
}

// SignKnock fills in the device and the signature of a.
func (k DeviceKey) SignKnock(challenge []byte, a *wire.AccountKnock) {
	a.Device = append([]byte(nil), k.id[:]...)
	a.Signature = ed25519.Sign(k.private(), wire.KnockTBS(challenge, *a))
}

// Candidate returns what the device hands to the one that adds it to account.
func (k DeviceKey) Candidate(account wire.AccountID) Candidate {
	c := Candidate{ID: k.id, Key: k.Public()}
	c.Proof = k.Sign(labelProof, c.message(account))
	return c
}

// String hides the key.
func (k DeviceKey) String() string { return "secret" }

// GoString hides the key from %#v.
func (k DeviceKey) GoString() string { return "identity.DeviceKey(secret)" }

func (k DeviceKey) sign(e *entry) {
	e.Signer = append([]byte(nil), k.id[:]...)
	e.Signature = ed25519.Sign(k.private(), e.tbs())
}

// RecoverySize is the size of a recovery key in bytes.
const RecoverySize = 32

// RecoveryKey is the secret that outranks every device of an account. It is
// shown once, as words (Words), and kept on no device. It prints as "secret".
type RecoveryKey struct {
	seed *secret
}

// NewRecoveryKey returns a fresh recovery key.
func NewRecoveryKey() RecoveryKey { return RecoveryKey{seed: newSecret()} }

// Public returns the public half, which chains carry.
func (k RecoveryKey) Public() PublicKey { return public(k.private()) }

// private derives the signing key under a label of its own, so that other keys
// can come from the same words.
func (k RecoveryKey) private() ed25519.PrivateKey {
	b, err := hkdf.Expand(sha256.New, k.seed.bytes(), "hearth recovery signature v1", ed25519.SeedSize)
	if err != nil {
		panic("identity: " + err.Error()) // a length of ours that HKDF refuses: a bug
	}
	return ed25519.NewKeyFromSeed(b)
}

// BackupRoot derives what opens a backup from the words (core/backup). It is not
// the signing key, so a device may keep it: it opens and signs nothing else.
func (k RecoveryKey) BackupRoot() wire.Secret {
	b, err := hkdf.Expand(sha256.New, k.seed.bytes(), "hearth backup root v1", 32)
	if err != nil {
		panic("identity: " + err.Error()) // a length of ours that HKDF refuses: a bug
	}
	return wire.SecretFrom(b)
}

// String hides the key.
func (k RecoveryKey) String() string { return "secret" }

// GoString hides the key from %#v.
func (k RecoveryKey) GoString() string { return "identity.RecoveryKey(secret)" }

func (k RecoveryKey) sign(e *entry) {
	e.Signer = nil
	e.Signature = ed25519.Sign(k.private(), e.tbs())
}
