package wire

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// CBOR is written in one way, everywhere (RFC 8949 §4.2.1), and read strictly.
var (
	encMode = must(encOptions().EncMode())
	decMode = Reader(8, 4096, 64)
)

func encOptions() cbor.EncOptions {
	o := cbor.CoreDetEncOptions()
	o.NilContainers = cbor.NilContainerAsEmpty
	return o
}

// Reader returns a strict reader of CBOR with limits: how deep, and how many
// elements an array and pairs a map may have. It takes other ways of writing a
// value; who uses it encodes again and compares, as Decode does.
func Reader(depth, elements, pairs int) cbor.DecMode {
	return must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   depth,
		MaxArrayElements:  elements,
		MaxMapPairs:       pairs,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
	}.DecMode())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // an option of ours that the library refuses: a bug
	}
	return v
}

// Encode returns the deterministic CBOR (RFC 8949 §4.2.1) of a value.
func Encode(v any) []byte {
	b, err := encMode.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("wire: encode %T: %v", v, err)) // a type of ours that CBOR cannot say: a bug
	}
	return b
}

// errNotDeterministic says that bytes have a shorter or other form.
var errNotDeterministic = errors.New("not the deterministic encoding")

// Decode reads one wire value, strictly: no trailing bytes, no unknown field,
// no second way of writing the same value. An error is a *Error with code
// bad_input.
func Decode(b []byte, v any) error {
	err := decMode.Unmarshal(b, v)
	if err == nil && !bytes.Equal(Encode(v), b) {
		err = errNotDeterministic
	}
	if err != nil {
		return &Error{Code: BadInput, Message: fmt.Sprintf("a %T could not be read", v), cause: err}
	}
	return nil
}
