package wire

import "errors"

// An entry goes to many seats and differs between them only in its Handle, so a
// server encodes the rest once: the tail.

// EntryTail returns the CBOR of e without its array header and Handle.
func EntryTail(e Entry) []byte {
	e.Handle = 0
	return Encode(e)[2:] // one byte of array header, one of handle 0
}

// AppendEntryFrame appends the frame of OpEntry for handle with a tail of
// EntryTail.
func AppendEntryFrame(dst []byte, handle uint32, tail []byte) []byte {
	dst = append(dst, entryPrefix...)
	dst = append(dst, Encode(handle)...)
	return append(dst, tail...)
}

// entryPrefix is what stands before the handle in every frame of OpEntry.
var entryPrefix = func() []byte {
	b := NewFrame(OpEntry, 0, Entry{})
	n := len(Encode(Entry{}))
	return b[:len(b)-n+1]
}()

// EntryOfTail reads a tail back; the entry's Handle is 0.
func EntryOfTail(tail []byte) (Entry, error) {
	if len(tail) == 0 {
		return Entry{}, errors.New("an empty entry")
	}
	b := make([]byte, 0, len(tail)+2)
	b = append(b, entryPrefix[len(entryPrefix)-1], 0)
	var e Entry
	err := Decode(append(b, tail...), &e)
	return e, err
}
