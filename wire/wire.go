// Package wire holds what client and server say to each other: ids, frames,
// error codes and limits. It is docs/protocol.cddl written in Go, and nothing
// else: no I/O, no clock, no goroutine.
//
// It promises that a frame it accepts encodes again to the same bytes, that no
// decoder allocates more than the bytes it was given, and that two kinds of id
// cannot be mixed up. It must never learn what a payload says.
//
// Start with Frame, then the request of each Op in room.go, door.go and
// account.go.
package wire

import "github.com/fxamacker/cbor/v2"

// Version is the version of the frames. A server that does not speak a
// client's version answers unsupported.
const Version = 2

// Frame is one message of a stream in either direction: one WebSocket message,
// one CBOR array of three.
type Frame struct {
	_ struct{} `cbor:",toarray"`

	// Op says what Body is.
	Op Op
	// ID is chosen by the client, is never 0, and comes back in the answer.
	// 0 marks an event that the server sends unasked.
	ID uint64
	// Body is the CBOR of the request, answer or event that Op names.
	Body cbor.RawMessage
}

// Op names a request, and its answer, or an event.
type Op uint16

// Requests. An answer has the request's Op, or OpError.
const (
	OpHello Op = 1 // Hello → Welcome
	OpError Op = 2 // *Error, an answer
	OpPing  Op = 3 // Nothing → Nothing

	OpRoomCreate    Op = 10 // RoomCreate → Appended
	OpRoomPost      Op = 11 // RoomPost → Appended
	OpRoomCommit    Op = 12 // RoomCommit → Appended
	OpRoomEphemeral Op = 13 // RoomEphemeral → Nothing
	OpRoomNotice    Op = 14 // RoomNotice → Appended

	OpSeatOpen   Op = 20 // SeatOpen → SeatOpened, then events
	OpSeatCredit Op = 21 // SeatCredit → Nothing
	OpSeatAck    Op = 22 // SeatAck → Nothing
	OpSeatRename Op = 23 // SeatRename → Nothing
	OpSeatClose  Op = 24 // SeatClose → Nothing

	OpDoorCreate Op = 30 // DoorCreate → Nothing
	OpDoorSet    Op = 31 // DoorSet → DoorState
	OpDoorPost   Op = 32 // DoorPost → Appended
	OpDoorClaim  Op = 33 // DoorClaim → DoorClaimed

	OpAccountCreate Op = 40 // AccountCreate → Nothing
	OpAccountAppend Op = 41 // AccountAppend → Nothing
	OpAccountGet    Op = 42 // AccountGet → AccountRecord
	OpAccountKnock  Op = 43 // AccountKnock → Nothing
)

// Events, pushed by the server with ID 0.
const (
	OpEntry  Op = 100 // Entry
	OpHole   Op = 101 // Hole
	OpLive   Op = 102 // Live
	OpClosed Op = 103 // Closed
)

// Nothing is the empty body of an answer that only says "done".
type Nothing struct {
	_ struct{} `cbor:",toarray"`
}

// Hello is a client's first frame on a connection.
type Hello struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
}

// Welcome answers Hello.
type Welcome struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
	// Domain is the server's name, as in handles: a host, or host:port.
	Domain string
	// Region is the storage region in which this server creates things.
	Region Region
	// Challenge is signed in requests that act for an account on this
	// connection (AccountKnock); 32 random bytes, new for each connection.
	Challenge []byte
	// Registration says who may create an account here.
	Registration Registration
	// Keep is the longest that this server keeps a post, in seconds: 1 to
	// MaxTTL. It refuses a longer ttl, and keeps what it has accepted until the
	// end under which it did, also if Keep falls later.
	Keep uint32
	// Now is the server's clock, in Unix seconds: entries end by it.
	Now int64
}

// Registration says who may create an account on a server.
type Registration uint8

// The three policies of an operator.
const (
	RegistrationClosed Registration = iota
	RegistrationInvite
	RegistrationOpen
)

// NewFrame returns the encoded frame of op with body v.
func NewFrame(op Op, id uint64, v any) []byte {
	return Encode(Frame{Op: op, ID: id, Body: Encode(v)})
}
