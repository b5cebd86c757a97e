package wire

import "time"

// Epoch is a room's epoch, the MLS group's epoch: it moves by one with each
// commit.
type Epoch uint64

// Number is an entry's place in its room's log: 1 for the first, no gaps.
type Number uint64

// NewSeat is a seat to be made: an id and what recognises its secret.
type NewSeat struct {
	_    struct{} `cbor:",toarray"`
	ID   SeatID
	Hash SecretHash
	// Provisional marks a seat that waits for its joiner to rename it; it is
	// dropped when unclaimed for ClaimWithin (protocol §2).
	Provisional bool
}

// RoomCreate makes a room at epoch 1 with its first entry and all its first
// seats (protocol §1). The same creation repeated answers as the first did.
type RoomCreate struct {
	_         struct{} `cbor:",toarray"`
	Room      RoomID
	TokenHash SecretHash // of epoch 1's post token
	Payload   []byte     // the founding commit, entry 1
	Seats     []NewSeat  // their cursors are entry 1
}

// RoomPost appends one entry; the server isn't told who (protocol §1).
type RoomPost struct {
	_       struct{} `cbor:",toarray"`
	Room    RoomID
	Epoch   Epoch
	Token   Secret
	Payload []byte
	TTL     uint32 // seconds that are left, 1 to Welcome.Keep
	// Seat and SeatSecret are shown in traced rooms only (protocol §1).
	Seat       *SeatID
	SeatSecret Secret
}

// RoomCommit moves the epoch by compare-and-set, appends the commit and
// changes seats and token in the same transaction (protocol §1).
type RoomCommit struct {
	_          struct{} `cbor:",toarray"`
	Room       RoomID
	Epoch      Epoch // the epoch that the commit leaves
	Seat       SeatID
	SeatSecret Secret
	Token      Secret // of the epoch that the commit leaves
	Payload    []byte
	NewHash    SecretHash // of the next epoch's token
	Add        []NewSeat
	Remove     []SeatID
	Traced     bool // the room's mode from here on
}

// RoomEphemeral reaches the seats open now and is never stored.
type RoomEphemeral struct {
	_       struct{} `cbor:",toarray"`
	Room    RoomID
	Epoch   Epoch
	Token   Secret
	Payload []byte
}

// RoomNotice appends a notice: outside epochs, even when stuck (protocol §5).
type RoomNotice struct {
	_          struct{} `cbor:",toarray"`
	Room       RoomID
	Seat       SeatID
	SeatSecret Secret
	Payload    []byte
}

// Appended answers what appends: the entry is on disk.
type Appended struct {
	_      struct{} `cbor:",toarray"`
	Number Number
	Epoch  Epoch // the room's epoch after it
}

// SeatOpen asks for a seat's backlog and then its live entries. Handle is the
// connection's short name for the seat from here on; it is chosen by the
// client and not in use.
type SeatOpen struct {
	_      struct{} `cbor:",toarray"`
	Handle uint32
	Room   RoomID
	Seat   SeatID
	Secret Secret
	// Token shows that the device is in the current epoch; absent if it does
	// not know. A wrong one is no error (protocol §1, "has shown a right one").
	Token Secret
	// After is the last entry that the device has: reading starts behind it,
	// or behind the seat's cursor if that is further.
	After Number
	// Credit is how many entries the server may push before SeatCredit.
	Credit uint32
}

// SeatOpened answers SeatOpen.
type SeatOpened struct {
	_      struct{} `cbor:",toarray"`
	Cursor Number   // acknowledged through
	Head   Number   // the newest entry
	Epoch  Epoch    // the room's epoch
	// Lapsed: a commit behind the seat's cursor is gone; the seat holds
	// nothing back and cannot catch up by reading (protocol §1).
	Lapsed  bool
	Traced  bool
	Closing bool
}

// SeatCredit lets the server push More entries more.
type SeatCredit struct {
	_      struct{} `cbor:",toarray"`
	Handle uint32
	More   uint32
}

// SeatAck says that the device has saved the effects of all entries through
// Through (protocol §2). The token, if shown, counts as on opening.
type SeatAck struct {
	_       struct{} `cbor:",toarray"`
	Handle  uint32
	Through Number
	Token   Secret
}

// SeatRename puts a device's own id and secret in place of a provisional seat,
// or of its old ones. Repeated with the new secret it answers as the first did.
type SeatRename struct {
	_      struct{} `cbor:",toarray"`
	Room   RoomID
	Seat   SeatID
	Secret Secret
	New    NewSeat
}

// SeatClose ends the reading of a seat on this connection.
type SeatClose struct {
	_      struct{} `cbor:",toarray"`
	Handle uint32
}

// Kind is the kind of an entry.
type Kind uint8

// The kinds of entry.
const (
	KindPost Kind = iota
	KindCommit
	KindNotice
	KindKnock     // a post to a door
	KindEphemeral // never stored; its Number is 0
)

// Entry is one entry of a room, pushed to an open seat.
type Entry struct {
	_       struct{} `cbor:",toarray"`
	Handle  uint32
	Number  Number
	Kind    Kind
	Epoch   Epoch // the epoch it was posted in; 0 for notices and knocks
	Payload []byte
	// Add and Remove are a commit's seat changes, as the server made them.
	Add    []SeatID
	Remove []SeatID
	// Seat is who posted: commits and notices, and posts in traced rooms.
	Seat *SeatID
}

// Hole says that entries From through To expired and will not come.
type Hole struct {
	_      struct{} `cbor:",toarray"`
	Handle uint32
	From   Number
	To     Number
	// Early: some of them had not expired, but went before, because this seat
	// alone held back half of the room's budget (protocol §10).
	Early bool
}

// Live says that the backlog is done: everything through Head has been sent.
type Live struct {
	_      struct{} `cbor:",toarray"`
	Handle uint32
	Head   Number
}

// Closed says that a seat is no longer read here: removed by a commit, renamed
// or opened elsewhere (Denied), lapsed, or gone.
type Closed struct {
	_      struct{} `cbor:",toarray"`
	Handle uint32
	Code   Code
}

// Grain is to what an entry's end is rounded down by its ttl, so that the time
// of posting does not stand on a server's disk to the second.
func Grain(ttl time.Duration) time.Duration {
	switch {
	case ttl >= 24*time.Hour:
		return time.Hour
	case ttl >= time.Hour:
		return time.Minute
	}
	return time.Second
}

// Seconds returns d as a wire ttl: whole seconds, rounded up, at least 1 and at
// most MaxTTL.
func Seconds(d time.Duration) uint32 {
	d = min(d, MaxTTL)
	return uint32(max(1, (d+time.Second-1)/time.Second))
}
