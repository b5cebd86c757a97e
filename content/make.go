package content

import (
	"crypto/rand"
	"math"
	"slices"
	"time"

	"hearth/wire"
)

// TextPlain is the media type of plain text, exactly as we write it.
const TextPlain = "text/plain;charset=utf-8"

// Options are what any message may carry.
type Options struct {
	// Sent is when it was sent, by the sender's clock.
	Sent time.Time
	// Expires is the sender's own end, if any.
	Expires *Expiration
	// InReplyTo is the message that this one answers, if any.
	InReplyTo *MessageID
	// Topic groups messages; empty for none.
	Topic []byte
}

// EndsAt returns an expiration at a time, to the second, rounded up.
func EndsAt(t time.Time) *Expiration {
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return &Expiration{Time: uint32(min(max(s, 0), math.MaxUint32))}
}

// EndsAfterReading returns an expiration d after the receiver read the message.
func EndsAfterReading(d time.Duration) *Expiration {
	return &Expiration{Relative: true, Time: uint32(min(max(int64((d+time.Second-1)/time.Second), 1), math.MaxUint32))}
}

func newMessage(o Options, p Part) *Message {
	m := &Message{Expires: o.Expires, InReplyTo: o.InReplyTo, Topic: o.Topic, Part: p}
	rand.Read(m.Salt[:])
	if !o.Sent.IsZero() {
		m.Extensions = Extensions{KeySent: wire.Encode(o.Sent.UnixMilli())}
	}
	return m
}

// NewText returns a message of plain text; with InReplyTo it is a reply. The
// text is 1 to MaxText bytes of UTF-8.
func NewText(text string, o Options) (*Message, error) {
	if err := CheckText(text); err != nil {
		return nil, err
	}
	return newMessage(o, Part{Disposition: Render, Body: Single{TextPlain, []byte(text)}}), nil
}

// NewForward returns a message that says what another one said, without telling
// who said it. Its part goes along and how its text looks, but not whom it mentions.
func NewForward(of *Message, o Options) (*Message, error) {
	m := newMessage(o, of.Part)
	if m.Extensions == nil {
		m.Extensions = Extensions{}
	}
	m.Extensions[KeyForwarded] = wire.Encode(true)
	marks := slices.DeleteFunc(of.Marks(), func(k Mark) bool { return k.Style == Mention })
	if err := m.Mark(marks); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, refused(err)
	}
	return m, nil
}

// NewReaction returns a reaction, such as one emoji, to another message.
func NewReaction(to MessageID, reaction string, o Options) (*Message, error) {
	if err := CheckText(reaction); err != nil {
		return nil, err
	}
	o.InReplyTo = &to
	return newMessage(o, Part{Disposition: Reaction, Body: Single{TextPlain, []byte(reaction)}}), nil
}

// NewEdit returns a message whose text takes the place of another's, which must
// be the same sender's.
func NewEdit(of MessageID, text string, o Options) (*Message, error) {
	m, err := NewText(text, o)
	if err != nil {
		return nil, err
	}
	m.Replaces = &of
	return m, nil
}

// NewDelete returns a message that takes another away, which must be the same
// sender's; a reaction is taken back in the same way.
func NewDelete(of MessageID, o Options) *Message {
	m := newMessage(o, Part{Body: Null{}})
	m.Replaces = &of
	return m
}

// NewAttachment returns a message with content that lies elsewhere and, if
// caption is not empty, a text beside it.
func NewAttachment(file External, caption string, o Options) (*Message, error) {
	p := Part{Disposition: Attachment, Body: file}
	if caption != "" {
		if err := CheckText(caption); err != nil {
			return nil, err
		}
		text := Part{Disposition: Render, Body: Single{TextPlain, []byte(caption)}}
		p = Part{Disposition: Render, Body: Multi{ProcessAll, []Part{text, p}}}
	}
	m := newMessage(o, p)
	if err := m.check(); err != nil {
		return nil, refused(err)
	}
	return m, nil
}

// CheckText says whether a text can be sent, in words for the one who typed it.
func CheckText(text string) error {
	switch {
	case text == "":
		return wire.Errorf(wire.BadInput, "there is no text to send").WithNext("type one")
	case len(text) > MaxText:
		return wire.Errorf(wire.BadInput, "the text is longer than %d bytes", MaxText).WithNext("send it in parts")
	case checkPart(Part{Body: Single{TextPlain, []byte(text)}}, 1, new(1)) != nil:
		return wire.Errorf(wire.BadInput, "the text is not valid UTF-8").WithNext("check the terminal's encoding")
	}
	return nil
}
