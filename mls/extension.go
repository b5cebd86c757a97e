package mls

import "slices"

// Extension is one extension of a leaf, a KeyPackage, a GroupContext or a
// GroupInfo, RFC 9420 §13.4. Data is opaque here unless the type is one of the
// constants below.
type Extension struct {
	Type uint16
	Data []byte
}

// The extension types of RFC 9420 §17.3. Every client supports them, so
// capabilities need not list them (§7.2).
const (
	ExtensionApplicationID        uint16 = 1 // leaf: a name chosen by the application, not authenticated
	ExtensionRatchetTree          uint16 = 2 // GroupInfo
	ExtensionRequiredCapabilities uint16 = 3 // GroupContext
	ExtensionExternalPub          uint16 = 4 // GroupInfo
	ExtensionExternalSenders      uint16 = 5 // GroupContext
)

// defaultExtension says whether a type counts as supported unlisted.
func defaultExtension(t uint16) bool {
	return t >= ExtensionApplicationID && t <= ExtensionExternalSenders
}

func encodeExtensions(e *encoder, exts []Extension) {
	e.list(func(e *encoder) {
		for _, x := range exts {
			e.u16(x.Type)
			e.vec(x.Data)
		}
	})
}

// decodeExtensions reads a list of extensions. Unknown types stay in it, as
// RFC 9420 §13.5 asks; a type may not appear twice.
func decodeExtensions(d *decoder) []Extension {
	var exts []Extension
	d.list(func(d *decoder) {
		exts = append(exts, Extension{Type: d.u16(), Data: d.vec()})
	})
	if twice(exts) {
		d.fail(invalid("§13.4", "an extension type appears twice in one list"))
		return nil
	}
	return exts
}

// twice finds a type that stands more than once in a list.
func twice(exts []Extension) bool {
	if len(exts) < 2 {
		return false
	}
	types := make([]uint16, len(exts))
	for i, x := range exts {
		types[i] = x.Type
	}
	slices.Sort(types)
	for i := 1; i < len(types); i++ {
		if types[i] == types[i-1] {
			return true
		}
	}
	return false
}

// findExtension returns the data of the extension of one type, if it is there.
func findExtension(exts []Extension, t uint16) ([]byte, bool) {
	for _, x := range exts {
		if x.Type == t {
			return x.Data, true
		}
	}
	return nil, false
}

// equalExtensions compares two lists, order included.
func equalExtensions(a, b []Extension) bool {
	return slices.EqualFunc(a, b, func(x, y Extension) bool {
		return x.Type == y.Type && string(x.Data) == string(y.Data)
	})
}
