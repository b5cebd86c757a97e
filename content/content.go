// Package content holds what a message says: the CBOR message format of
// draft-ietf-mimi-content-08, the envelope in which it travels inside MLS, and
// the sizes to which both are padded. It is pure: no I/O, no clock.
//
// It promises that bytes it accepts encode again to the same bytes, that it
// allocates no more than a small multiple of what it is given, and that a
// message's id is the same on every device and after every re-encryption.
//
// Start with Message and Parse; make messages with NewText and its siblings in
// make.go. What every application message of a room wraps around is Envelope.
package content

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"hearth/wire"
)

// Type is the media type of an encoded Message. Version says which draft it
// follows; an old decoder stays when a newer draft changes the format.
const (
	Type    = "application/mimi-content"
	Version = 8
)

// Limits of one message. A message that breaks one is refused whole.
const (
	// MaxMessage is the largest encoded message, bytes: with its envelope it
	// fits the largest padding class.
	MaxMessage = MaxEnvelope - envelopeOverhead
	// MaxText is the longest text, bytes of UTF-8.
	MaxText = 32 << 10
	// MaxParts bounds the parts in all, MaxDepth how deep they nest: a message
	// with one part has depth 1.
	MaxParts = 64
	MaxDepth = 4
	// MaxExtensions bounds their number, MaxExtension one value's bytes.
	MaxExtensions = 16
	MaxExtension  = 4096

	maxTopic = 64   // bytes of a topic id
	maxShort = 255  // bytes of a media type, language, file name, extension name
	maxLong  = 2048 // bytes of a URL or description
	maxKey   = 128  // bytes of a key, nonce or hash
)

// MessageID names a message: the number of the hash, 1 for SHA-256, and 31
// bytes of it (draft §3.3).
type MessageID [32]byte

// String returns the id as the command line shows it: 43 characters of
// unpadded base64url.
func (id MessageID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseMessageID reads what String wrote.
func ParseMessageID(s string) (id MessageID, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(id) || b[0] != hashSHA256 {
		return id, wire.Errorf(wire.BadInput, "not a message id").WithNext("copy the id from the output of recv or history")
	}
	return MessageID(b), nil
}

// hashSHA256 is SHA-256 in the IANA registry of named information hashes.
const hashSHA256 = 1

// Message is one message: `[salt, replaces, topicId, expires, inReplyTo,
// extensions, nestedPart]` (draft §4).
type Message struct {
	// Salt makes equal messages differ; random.
	Salt [16]byte
	// Replaces names the message that this one edits, or deletes if Part is
	// Null. Only its own sender may: who reads must check.
	Replaces *MessageID
	// Topic groups messages; empty for none.
	Topic []byte
	// Expires is when the message ends; nil for when the room says.
	Expires *Expiration
	// InReplyTo names the message that this one answers or reacts to.
	InReplyTo *MessageID
	// Extensions, at most one of each key.
	Extensions Extensions
	// Part is the body.
	Part Part
}

// Expiration is an end chosen by the sender.
type Expiration struct {
	_ struct{} `cbor:",toarray"`
	// Relative: Time is seconds from when the receiver reads the message; else
	// seconds since 1970.
	Relative bool
	Time     uint32
}

// Extensions hold the values of extension keys, each one whole CBOR item.
type Extensions map[ExtensionKey]cbor.RawMessage

// ExtensionKey is a registered integer (Text is empty) or a private name.
type ExtensionKey struct {
	Int  int64
	Text string
}

// Keys that we know. Names that begin with "hearth." are ours.
var (
	// KeySenderURI and KeyRoomURI are the draft's; not sent, for MLS says both.
	KeySenderURI = ExtensionKey{Int: 1}
	KeyRoomURI   = ExtensionKey{Int: 2}
	// KeySent is when the sender sent the message, by its clock: milliseconds
	// since 1970.
	KeySent = ExtensionKey{Text: "hearth.sent"}
	// KeyForwarded says that somebody else wrote it first: true.
	KeyForwarded = ExtensionKey{Text: "hearth.forwarded"}
)

var decMode = wire.Reader(4*MaxDepth+8, 1024, 64)

// messageBody is the array as it is encoded.
type messageBody struct {
	_          struct{} `cbor:",toarray"`
	Salt       []byte
	Replaces   *MessageID
	Topic      []byte
	Expires    *Expiration
	InReplyTo  *MessageID
	Extensions map[any]cbor.RawMessage
	Part       cbor.RawMessage
}

// Encode returns the message's bytes. It fails if the message breaks a limit.
func (m *Message) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, refused(err)
	}
	b := m.marshal()
	if len(b) > MaxMessage {
		return nil, refused(errTooLong)
	}
	return b, nil
}

func (m *Message) marshal() []byte {
	ext := make(map[any]cbor.RawMessage, len(m.Extensions))
	for k, v := range m.Extensions {
		ext[k.any()] = v
	}
	return wire.Encode(messageBody{Salt: m.Salt[:], Replaces: m.Replaces, Topic: m.Topic, Expires: m.Expires,
		InReplyTo: m.InReplyTo, Extensions: ext, Part: encodePart(m.Part)})
}

// Parse reads one message, strictly: no trailing bytes, no second way of saying
// the same, no limit broken. An error is a *wire.Error with code bad_input.
func Parse(b []byte) (*Message, error) {
	m, err := parse(b)
	if err != nil {
		return nil, refused(err)
	}
	return m, nil
}

var (
	errTooLong   = errors.New("too long")
	errTooMany   = errors.New("too many parts, extensions, or levels")
	errForm      = errors.New("not the form of the draft")
	errAmbiguous = errors.New("not the deterministic encoding")
)

func refused(cause error) error {
	return fmt.Errorf("%w (%w)", &wire.Error{Code: wire.BadInput, Message: "a message could not be read"}, cause)
}

func parse(b []byte) (*Message, error) {
	if len(b) > MaxMessage {
		return nil, errTooLong
	}
	var body messageBody
	if err := decMode.Unmarshal(b, &body); err != nil {
		return nil, err
	}
	if len(body.Salt) != 16 {
		return nil, errForm
	}
	m := &Message{Salt: [16]byte(body.Salt), Replaces: body.Replaces, Topic: body.Topic, Expires: body.Expires, InReplyTo: body.InReplyTo}
	for k, v := range body.Extensions {
		key, err := extensionKey(k)
		if err != nil {
			return nil, err
		}
		if m.Extensions == nil {
			m.Extensions = Extensions{}
		}
		m.Extensions[key] = v
	}
	left := MaxParts
	var err error
	if m.Part, err = parsePart(body.Part, MaxDepth, &left); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	if !bytes.Equal(m.marshal(), b) {
		return nil, errAmbiguous
	}
	return m, nil
}

// check holds for what is sent and for what is read.
func (m *Message) check() error {
	if len(m.Topic) > maxTopic {
		return errTooLong
	}
	if len(m.Extensions) > MaxExtensions {
		return errTooMany
	}
	for k, v := range m.Extensions {
		if len(v) > MaxExtension || len(k.Text) > maxShort {
			return errTooLong
		}
		if k.Text != "" && k.Int != 0 || cbor.Wellformed(v) != nil {
			return errForm
		}
	}
	left := MaxParts
	return checkPart(m.Part, MaxDepth, &left)
}

func (k ExtensionKey) any() any {
	if k.Text != "" {
		return k.Text
	}
	return k.Int
}

func extensionKey(k any) (ExtensionKey, error) {
	switch k := k.(type) {
	case uint64:
		if k <= 1<<63-1 {
			return ExtensionKey{Int: int64(k)}, nil
		}
	case int64:
		return ExtensionKey{Int: k}, nil
	case string:
		if k != "" {
			return ExtensionKey{Text: k}, nil
		}
	}
	return ExtensionKey{}, errForm
}

// ID returns the id of the message with these bytes, sent by an account to a
// conversation (draft §3.3): the hash of the sender's and the room's URI, the
// message, and its salt once more. The room's URI names the conversation, so
// the id stays the same in a successor.
func ID(sender wire.AccountID, conversation [32]byte, message []byte) (MessageID, error) {
	m, err := Parse(message)
	if err != nil {
		return MessageID{}, err
	}
	h := sha256.New()
	h.Write([]byte(SenderURI(sender)))
	h.Write([]byte(ConversationURI(conversation)))
	h.Write(message)
	h.Write(m.Salt[:])
	id := MessageID{hashSHA256}
	copy(id[1:], h.Sum(nil))
	return id, nil
}

// SenderURI names an account, and ConversationURI a conversation, as the draft
// wants them: URIs. Both have one length, so that joined they are unambiguous.
func SenderURI(a wire.AccountID) string { return "hearth:account/" + a.String() }

// ConversationURI names a conversation.
func ConversationURI(c [32]byte) string {
	return "hearth:conversation/" + base64.RawURLEncoding.EncodeToString(c[:])
}
