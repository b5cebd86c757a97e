package content

import (
	"bytes"

	"hearth/wire"
)

// EnvelopeVersion is the version of the envelope.
const EnvelopeVersion = 2

// Envelope is what each application message of a room holds (protocol §1,
// "Holes"): the body, and what shows that the log was not thinned, reordered or
// forked on its way.
type Envelope struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Kind    EnvelopeKind
	// Count is the sending leaf's running count in this room, from 1, without
	// gaps. A message that is encrypted again keeps its count.
	Count uint64
	// Ends is when the leaf's previous post, Count-1, ends on the server at the
	// earliest, by the server's clock, in Unix seconds: until then no honest
	// server says that it has expired (decision 0025). It stays as Count does; 0
	// with the first.
	Ends int64
	// Commit and CommitHash are the number and the SHA-256 of the newest
	// commit that the sender had applied when it encrypted.
	Commit     wire.Number
	CommitHash [32]byte
	// Body depends on Kind.
	Body []byte
}

// EnvelopeKind says what the body of an envelope is.
type EnvelopeKind uint8

// The kinds. A kind that isn't known is counted and skipped.
const (
	KindContent  EnvelopeKind = 1 // a Message
	KindAnnounce EnvelopeKind = 2 // a leaf's seat and doors
	KindReceipt  EnvelopeKind = 3 // delivered and read marks
	KindCard     EnvelopeKind = 4 // a person's name and doors
	KindLeave    EnvelopeKind = 5 // a signed leave
	KindSync     EnvelopeKind = 8 // what an account's devices keep equal, in the self room
)

// MaxEnds bounds a time in an envelope: the year 2242.
const MaxEnds = 1 << 33

// Padding (attack A47): what is encrypted is padded to one of few sizes. What is
// padded is RFC 9420's PrivateMessageContent (§6.3.1): the envelope, its length
// and the signature.
const (
	// mlsOverhead bounds what a PrivateMessage adds to what is padded: headers,
	// group id, sender data, length fields, tag. With a group id of 32 bytes
	// it is under 100 bytes.
	mlsOverhead = 512
	// MaxPadded is the largest size.
	MaxPadded = wire.MaxPost - mlsOverhead
	// signedOverhead is what length and Ed25519 signature add to an envelope,
	// at most: 4, and 2 and 64 bytes.
	signedOverhead = 70
	// MaxEnvelope is the largest envelope, bytes.
	MaxEnvelope = MaxPadded - signedOverhead
	// envelopeOverhead bounds what an envelope adds to its body.
	envelopeOverhead = 72
)

var classes = [...]int{256, 1 << 10, 4 << 10, 16 << 10, MaxPadded}

// PadTo returns the padTo that mls.Group.Encrypt is to get for an envelope of n
// bytes: the smallest size that holds it with its signature. Beyond MaxEnvelope
// there is none, and the answer is the largest.
func PadTo(n int) int {
	for _, c := range classes {
		if n+signedOverhead <= c {
			return c
		}
	}
	return MaxPadded
}

// Encode returns the envelope's bytes, with the present version. It fails if
// the body is too long to be posted.
func (e Envelope) Encode() ([]byte, error) {
	e.Version = EnvelopeVersion
	b := wire.Encode(e)
	if len(b) > MaxEnvelope {
		return nil, refused(errTooLong)
	}
	return b, nil
}

// ParseEnvelope reads what Encode wrote, strictly. A newer version is code
// unsupported, all else bad_input.
func ParseEnvelope(b []byte) (Envelope, error) {
	var e Envelope
	if len(b) > MaxEnvelope {
		return e, refused(errTooLong)
	}
	if err := decMode.Unmarshal(b, &e); err != nil {
		return Envelope{}, refused(err)
	}
	if !bytes.Equal(wire.Encode(e), b) {
		return Envelope{}, refused(errAmbiguous)
	}
	if e.Version > EnvelopeVersion {
		return Envelope{}, &wire.Error{Code: wire.Unsupported, Message: "a message came from a newer version of hearth", Next: "update this client"}
	}
	if e.Version < EnvelopeVersion || e.Count == 0 || e.Ends < 0 || e.Ends > MaxEnds || (e.Ends == 0) != (e.Count == 1) {
		return Envelope{}, refused(errForm)
	}
	return e, nil
}
