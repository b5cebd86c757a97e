package content

import (
	"bytes"

	"hearth/wire"
)

// FleetingVersion is the version of what an ephemeral post holds.
const FleetingVersion = 1

// Fleeting is what an ephemeral post holds instead of an envelope: something that
// is so for a moment, reaches who is there, and is kept nowhere (protocol §1). It
// has no count, for nothing is missing where it is missing.
type Fleeting struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Kind    FleetingKind
}

// FleetingKind says what is so.
type FleetingKind uint8

// The kinds. One that isn't known is passed over.
const (
	Typing  FleetingKind = 1 // the sender is writing something
	Stopped FleetingKind = 2 // and is not any more
)

// Encode returns its bytes, with the present version.
func (f Fleeting) Encode() []byte {
	f.Version = FleetingVersion
	return wire.Encode(f)
}

// ParseFleeting reads what Encode wrote, strictly.
func ParseFleeting(b []byte) (Fleeting, error) {
	var f Fleeting
	if len(b) > 16 {
		return f, refused(errTooLong)
	}
	if err := decMode.Unmarshal(b, &f); err != nil {
		return Fleeting{}, refused(err)
	}
	if f.Version != FleetingVersion {
		return Fleeting{}, refused(errForm)
	}
	if !bytes.Equal(wire.Encode(f), b) {
		return Fleeting{}, refused(errAmbiguous)
	}
	return f, nil
}
