package mls

import (
	"encoding/binary"
	"fmt"
)

// RFC 9420 §2.1: the TLS presentation language with variable-size vector
// lengths. The decoder is strict: one encoding for each value, nothing left
// over, and never more memory asked for than there are bytes to fill it.

// maxVector is the greatest length that a vector header can state (§2.1.2).
const maxVector = 1<<30 - 1

// encoder appends encoded values to b.
type encoder struct{ b []byte }

func (e *encoder) u8(v uint8)   { e.b = append(e.b, v) }
func (e *encoder) u16(v uint16) { e.b = binary.BigEndian.AppendUint16(e.b, v) }
func (e *encoder) u32(v uint32) { e.b = binary.BigEndian.AppendUint32(e.b, v) }
func (e *encoder) u64(v uint64) { e.b = binary.BigEndian.AppendUint64(e.b, v) }

// raw writes an opaque value whose length is known to both sides.
func (e *encoder) raw(v []byte) { e.b = append(e.b, v...) }

// header writes the length of a vector, in its shortest form (§2.1.2). More
// than a gigabyte can't be written: no value that came through a decoder is
// that long, so it is a bug of the caller.
func (e *encoder) header(n int) {
	switch {
	case n < 1<<6:
		e.b = append(e.b, byte(n))
	case n < 1<<14:
		e.b = binary.BigEndian.AppendUint16(e.b, uint16(n)|1<<14)
	case n <= maxVector:
		e.b = binary.BigEndian.AppendUint32(e.b, uint32(n)|2<<30)
	default:
		panic("mls: a vector of more than 2^30-1 bytes cannot be encoded")
	}
}

// vec writes opaque<V>.
func (e *encoder) vec(v []byte) {
	e.header(len(v))
	e.b = append(e.b, v...)
}

// list writes T<V>: whatever f writes, with its length in bytes before it.
func (e *encoder) list(f func(*encoder)) {
	var inner encoder
	f(&inner)
	e.vec(inner.b)
}

// opt writes optional<T>; f is called only when the value is present (§2.1.1).
func (e *encoder) opt(present bool, f func(*encoder)) {
	if !present {
		e.u8(0)
		return
	}
	e.u8(1)
	f(e)
}

// decoder reads values from the front of b. After the first error it returns
// zero values, so a caller checks err once, at the end.
type decoder struct {
	b   []byte
	err error
}

// fail records the first error and stops all reading.
func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

// take returns the next n bytes without copying them.
func (d *decoder) take(n int) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > len(d.b) {
		d.fail(invalid("§2.1", "the data ends inside a value"))
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) u8() uint8 {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) u16() uint16 {
	if v := d.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if v := d.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if v := d.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// raw reads n bytes into a slice of their own.
func (d *decoder) raw(n int) []byte { return clone(d.take(n)) }

// header reads the length of a vector (§2.1.2). The prefix 11 and any form
// longer than needed are refused, as the RFC demands.
func (d *decoder) header() int {
	first := d.u8()
	switch first >> 6 {
	case 0:
		return int(first)
	case 1:
		n := int(first&0x3f)<<8 | int(d.u8())
		if d.err == nil && n < 1<<6 {
			d.fail(invalid("§2.1.2", "a vector length is not in its shortest form"))
		}
		return n
	case 2:
		rest := d.take(3)
		if rest == nil {
			return 0
		}
		n := int(first&0x3f)<<24 | int(rest[0])<<16 | int(rest[1])<<8 | int(rest[2])
		if n < 1<<14 {
			d.fail(invalid("§2.1.2", "a vector length is not in its shortest form"))
		}
		return n
	}
	d.fail(invalid("§2.1.2", "a vector length starts with the reserved prefix"))
	return 0
}

// vec reads opaque<V> into a slice of its own; an empty vector is nil.
func (d *decoder) vec() []byte { return clone(d.take(d.header())) }

// list reads T<V>: f is called, each time for one element, until the vector's
// bytes are used up.
func (d *decoder) list(f func(*decoder)) {
	inner := decoder{b: d.take(d.header())}
	for d.err == nil && len(inner.b) > 0 {
		before := len(inner.b)
		f(&inner)
		if inner.err == nil && len(inner.b) == before {
			inner.fail(invalid("§2.1", "an element of a vector has no length"))
		}
		if inner.err != nil {
			d.fail(inner.err)
		}
	}
}

// opt reads optional<T> and says whether the value was present (§2.1.1).
func (d *decoder) opt(f func(*decoder)) bool {
	switch d.u8() {
	case 0:
		return false
	case 1:
		if d.err == nil {
			f(d)
		}
		return d.err == nil
	}
	d.fail(invalid("§2.1.1", "the presence byte of an optional value is neither 0 nor 1"))
	return false
}

// clone copies b; nothing becomes nil, so that absent and empty are one value.
func clone(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}

// wireType is a value that can write itself.
type wireType interface{ encode(*encoder) }

// marshal returns the encoding of v.
func marshal(v wireType) []byte {
	var e encoder
	v.encode(&e)
	return e.b
}

// unmarshal reads v from b; bytes left over are an error.
func unmarshal(b []byte, v interface{ decode(*decoder) }) error {
	d := decoder{b: b}
	v.decode(&d)
	if d.err == nil && len(d.b) > 0 {
		d.fail(invalid("§2.1", fmt.Sprintf("%d bytes follow the value", len(d.b))))
	}
	return d.err
}
