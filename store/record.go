package store

import (
	"encoding/binary"
	"errors"

	"hearth/wire"
)

// recordOp is the kind of a record.
type recordOp uint8

// The changes that a room goes through. Acknowledgements are not among them: a
// lost one only delivers again, so they are written by checkpoints, shuffled.
const (
	opCreate  recordOp = iota + 1 // Change is createChange
	opAppend                      // an entry; no Change
	opCommit                      // an entry; Change is commitChange
	opRename                      // Change is renameChange
	opLeave                       // Change is leaveChange
	opDoorSet                     // Change is doorSetChange
	opClaim                       // Change is claimChange
	opDrop                        // Change is dropChange
	opClose                       // Change is closeChange
)

// record is one change of one room as the journal keeps it. docs/data-held.md
// lists the fields; a test compares.
type record struct {
	_  struct{} `cbor:",toarray"`
	Op recordOp
	// Room is the room or door.
	Room wire.RoomID
	// Rev counts the room's changes from 1 without a gap, so that replaying a
	// record twice changes nothing.
	Rev uint64
	// Expires is when the entry ends, Unix seconds; 0 without an entry.
	Expires int64
	// Class is the class of a door's entry.
	Class *wire.ClassID
	// Entry is the entry's wire.EntryTail.
	Entry []byte
	// Change is the CBOR of what Op needs.
	Change []byte
}

type createChange struct {
	_        struct{} `cbor:",toarray"`
	Door     bool
	Made     [32]byte // the SHA-256 of the request, to know it again
	Token    wire.SecretHash
	Seats    []wire.NewSeat
	Classes  []wire.DoorClass
	Packages []wire.DoorPackage
	Day      Day
}

type commitChange struct {
	_      struct{} `cbor:",toarray"`
	Token  wire.SecretHash
	Add    []wire.NewSeat
	Remove []wire.SeatID
	Traced bool
	Shown  *wire.SeatID // the committing seat, if it showed a right token
	Day    Day
}

type renameChange struct {
	_   struct{} `cbor:",toarray"`
	Old wire.SeatID
	New wire.NewSeat
}

type leaveChange struct {
	_     struct{} `cbor:",toarray"`
	Seats []wire.SeatID
}

type doorSetChange struct {
	_       struct{} `cbor:",toarray"`
	Put     []wire.DoorClass
	Drop    []wire.ClassID
	Replace bool
	Add     []wire.DoorPackage
}

type claimChange struct {
	_       struct{}     `cbor:",toarray"`
	Package wire.EntryID // the first bytes of the sealed package's SHA-256
}

type dropChange struct {
	_     struct{} `cbor:",toarray"`
	Until Day      // how long the stub answers "gone"
}

type closeChange struct {
	_   struct{} `cbor:",toarray"`
	Day Day      // from when the room takes no posts
}

// appendRecord appends rec to a batch, with its length before it.
func appendRecord(dst []byte, rec *record) []byte {
	b := wire.Encode(rec)
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

var errRecord = errors.New("a journal record cannot be read")

// nextRecord takes one record off the front of a batch.
func nextRecord(b []byte) (rec *record, rest []byte, err error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) || (w > 1 && b[w-1] == 0) {
		return nil, nil, errRecord
	}
	b = b[w:]
	rec = new(record)
	if err := wire.Decode(b[:n], rec); err != nil {
		return nil, nil, errRecord
	}
	return rec, b[n:], nil
}
