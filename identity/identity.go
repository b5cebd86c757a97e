// Package identity says who is who: device chains, credentials, recovery keys,
// safety numbers and handles. No I/O, no clock, no goroutine; fresh keys come
// from crypto/rand.
//
// It promises that a *Chain in hand is valid whole: every entry was signed by a
// device that was live at that point, or by the recovery key, so that no server
// and no operator can add a device. It must never learn what a device does
// with its key elsewhere: every signature here is under a label of its own.
//
// Start with Chain, then NewAccount.
package identity

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"hearth/wire"
)

// DeviceID names a device within its account: 16 random bytes, never used twice
// in a chain.
type DeviceID [16]byte

// NewDeviceID returns a fresh device id.
func NewDeviceID() (id DeviceID) {
	rand.Read(id[:])
	return id
}

// String returns the id as the command line shows it: 22 characters of
// unpadded base64url.
func (id DeviceID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseDeviceID reads what String wrote.
func ParseDeviceID(s string) (id DeviceID, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, errors.New("not a device id: want 22 characters of base64url")
	}
	return DeviceID(b), nil
}

// PublicKey is an Ed25519 public key (RFC 8032 §5.1.5).
type PublicKey [ed25519.PublicKeySize]byte

// Hash is the SHA-256 of a chain entry's bytes.
type Hash [sha256.Size]byte

// Position says how far a chain has got: it is compared by recovery-signed
// entries first, then by length (protocol §7). The zero Position is before any
// entry.
type Position struct {
	_ struct{} `cbor:",toarray"`
	// Recovery counts the entries signed by the recovery key.
	Recovery uint32
	// Length counts all entries, the first included.
	Length uint32
}

// Compare returns -1, 0 or 1 as p is behind, at or ahead of q.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Recovery, q.Recovery), cmp.Compare(p.Length, q.Length))
}

// Device is one device of an account, as its chain shows it.
type Device struct {
	ID  DeviceID
	Key PublicKey
	// Live says that the device was not revoked and the account not closed.
	Live bool
	// Added is the position of the entry that added the device.
	Added Position
}

// Limits of a chain.
const (
	// MaxEntries is the longest chain.
	MaxEntries = wire.MaxChain
	// MaxDevices is how many live devices an account may have at once.
	MaxDevices = 32
	// MaxServer is the longest home server URL, bytes.
	MaxServer = 255
)

// Errors that callers tell apart. Everything wrong with an entry's own content
// or signature is ErrInvalid.
var (
	// ErrInvalid says that an entry, chain, credential or signature is not
	// right; nothing was changed.
	ErrInvalid = errors.New("not valid")
	// ErrNotNext says that an entry is sound in form but does not follow the
	// chain at hand: the chain has moved on, or a second successor exists.
	ErrNotNext = errors.New("the entry does not follow this chain's head")
)
