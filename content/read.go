package content

import (
	"bytes"
	"time"

	"hearth/wire"
)

// Kind returns what the message does. Whether its sender may (edit and delete:
// only own messages) is for the caller, who knows who sent what.
func (m *Message) Kind() Kind {
	switch _, null := m.Part.Body.(Null); {
	case null && m.Replaces != nil:
		return Delete
	case null:
		return Unknown
	case m.Part.Disposition == Reaction:
		if _, ok := m.Text(); ok && m.InReplyTo != nil && m.Replaces == nil {
			return React
		}
		return Unknown
	}
	if _, ok := m.File(); ok {
		return File
	}
	if k, ok := m.typedKind(); ok {
		return k
	}
	switch _, ok := m.Text(); {
	case !ok:
		return Unknown
	case m.Replaces != nil:
		return Edit
	default:
		return Text
	}
}

// Text returns the first plain text of the message. It may hold any characters,
// controls and changes of direction too: who shows it escapes them.
func (m *Message) Text() (string, bool) { return textOf(m.Part) }

func textOf(p Part) (string, bool) {
	switch b := p.Body.(type) {
	case Single:
		if b.ContentType == TextPlain {
			return string(b.Content), true
		}
	case Multi:
		for _, part := range b.Parts {
			if s, ok := textOf(part); ok {
				return s, true
			}
		}
	}
	return "", false
}

// File returns the first content of the message that lies elsewhere.
func (m *Message) File() (External, bool) { return fileOf(m.Part) }

func fileOf(p Part) (External, bool) {
	switch b := p.Body.(type) {
	case External:
		return b, true
	case Multi:
		for _, part := range b.Parts {
			if f, ok := fileOf(part); ok {
				return f, true
			}
		}
	}
	return External{}, false
}

// Forwarded reports whether the message says that somebody else wrote it first.
func (m *Message) Forwarded() bool {
	var yes bool
	raw, ok := m.Extensions[KeyForwarded]
	return ok && decMode.Unmarshal(raw, &yes) == nil && yes
}

// Sent returns when the message was sent, by its sender's clock, and whether it
// says so.
func (m *Message) Sent() (time.Time, bool) {
	raw, ok := m.Extensions[KeySent]
	if !ok {
		return time.Time{}, false
	}
	var ms int64
	if err := decMode.Unmarshal(raw, &ms); err != nil || ms < 0 || ms > maxMilli || !bytes.Equal(wire.Encode(ms), raw) {
		return time.Time{}, false
	}
	return time.UnixMilli(ms).UTC(), true
}

// maxMilli is the end of the year 9999: what RFC 3339 can say.
const maxMilli = 253402300799999

// End returns when the message ends on this device; the zero time for never.
// Times that aren't known are zero: received is when it came, read when the
// person read it. Room is the room's retention, 0 for keep.
//
// The earliest wins: the sender's end; as long after receipt as the sender's
// end is after sending, so that a wrong clock on either side prolongs nothing
// (attack A53); the room's retention after sending and after receipt.
func (m *Message) End(received, read time.Time, room time.Duration) (end time.Time) {
	earliest := func(t time.Time) {
		if end.IsZero() || t.Before(end) {
			end = t
		}
	}
	sent, known := m.Sent()
	if room > 0 {
		if known {
			earliest(sent.Add(room))
		}
		if !received.IsZero() {
			earliest(received.Add(room))
		}
	}
	switch e := m.Expires; {
	case e == nil:
	case e.Relative:
		if !read.IsZero() {
			earliest(read.Add(time.Duration(e.Time) * time.Second))
		}
	default:
		at := time.Unix(int64(e.Time), 0).UTC()
		earliest(at)
		if known && !received.IsZero() && at.After(sent) {
			earliest(received.Add(at.Sub(sent)))
		}
	}
	return end
}
