package wire

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
)

// Region is the storage region of a room, seat, door or blob: the first byte
// of its id, so that any node knows where a thing lives without asking.
type Region byte

// RoomID names a room or a door: its region, then 15 random bytes, chosen by
// the client that creates it.
type RoomID [16]byte

// SeatID names one device's place in one room: the room's region, then 15
// random bytes, chosen by the device. It is never derived from anything.
type SeatID [16]byte

// EntryID names an entry of a room: the first 16 bytes of its payload's
// SHA-256.
type EntryID [16]byte

// BlobID names a blob: its region, then the first 31 bytes of the SHA-256 of
// its bytes.
type BlobID [32]byte

// AccountID names an account: the SHA-256 of the first entry of its device
// chain. It holds no region.
type AccountID [32]byte

// SecretHash is the SHA-256 of a secret that a server must recognise but never
// hold: a seat's secret, a post token, a door key.
type SecretHash [32]byte

// NewRoomID returns a fresh room id in region r.
func NewRoomID(r Region) RoomID { return RoomID(freshID(r)) }

// NewSeatID returns a fresh seat id in region r.
func NewSeatID(r Region) SeatID { return SeatID(freshID(r)) }

func freshID(r Region) (id [16]byte) {
	rand.Read(id[:])
	id[0] = byte(r)
	return id
}

// EntryIDOf returns the id of the entry with this payload.
func EntryIDOf(payload []byte) EntryID {
	h := sha256.Sum256(payload)
	return EntryID(h[:16])
}

// BlobIDOf returns the id of the blob with these bytes in region r.
func BlobIDOf(r Region, b []byte) BlobID {
	h := sha256.Sum256(b)
	id := BlobID{byte(r)}
	copy(id[1:], h[:])
	return id
}

// Region returns the region that the id names.
func (id RoomID) Region() Region { return Region(id[0]) }

// Region returns the region that the id names.
func (id SeatID) Region() Region { return Region(id[0]) }

// Region returns the region that the id names.
func (id BlobID) Region() Region { return Region(id[0]) }

// String returns the account id as people see and type it: 43 characters of
// unpadded base64url.
func (id AccountID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// String returns the id as the command line shows it.
func (id RoomID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseAccountID reads what String wrote.
func ParseAccountID(s string) (id AccountID, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, errors.New("not an account id: want 43 characters of base64url")
	}
	return AccountID(b), nil
}

// Secret is a bearer capability: whoever shows its bytes may do what it opens.
// It prints as "secret"; its bytes lie behind two pointers, for fmt answers a
// verb that does not fit a pointer by printing what it points to. The zero
// Secret is absent.
type Secret struct{ at *held }

type held struct{ b *[32]byte }

// NewSecret returns a fresh random secret.
func NewSecret() Secret {
	var b [32]byte
	rand.Read(b[:])
	return Secret{&held{&b}}
}

// SecretFrom takes 32 bytes as a secret. Any other length gives the absent
// secret, which opens nothing.
func SecretFrom(b []byte) Secret {
	if len(b) != 32 {
		return Secret{}
	}
	k := [32]byte(b)
	return Secret{&held{&k}}
}

// Reveal returns a copy of the bytes, nil for the absent secret.
func (s Secret) Reveal() []byte {
	if s.at == nil {
		return nil
	}
	return append([]byte(nil), s.at.b[:]...)
}

// Hash returns what a server stores to recognise the secret. Secrets are
// uniformly random, so a plain hash suffices.
func (s Secret) Hash() SecretHash {
	if s.at == nil {
		return SecretHash{}
	}
	return sha256.Sum256(s.at.b[:])
}

// Opens reports whether s is the secret behind h, in constant time. The absent
// secret opens nothing.
func (s Secret) Opens(h SecretHash) bool {
	if s.at == nil {
		return false
	}
	got := s.Hash()
	return subtle.ConstantTimeCompare(got[:], h[:]) == 1
}

// String hides the secret.
func (s Secret) String() string { return "secret" }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return "wire.Secret(secret)" }

// MarshalCBOR writes the bytes: this is how a capability is shown.
func (s Secret) MarshalCBOR() ([]byte, error) {
	return encMode.Marshal(s.Reveal())
}

// UnmarshalCBOR reads 32 bytes, or none for the absent secret.
func (s *Secret) UnmarshalCBOR(b []byte) error {
	var raw []byte
	if err := decMode.Unmarshal(b, &raw); err != nil {
		return err
	}
	if len(raw) != 0 && len(raw) != 32 {
		return errors.New("a secret has 32 bytes")
	}
	*s = SecretFrom(raw)
	return nil
}
