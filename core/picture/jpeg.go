package picture

import (
	"encoding/binary"
	"strings"
)

// JPEG (ITU T.81 Annex B): segments behind markers, and coded data behind each SOS.
// Kept are the segments that decoding needs; of all others, which way is up.

// The markers that are told apart.
const (
	markSOF0, markSOF2, markSOF15 = 0xc0, 0xc2, 0xcf
	markRST0, markRST7            = 0xd0, 0xd7
	markSOI, markEOI, markSOS     = 0xd8, 0xd9, 0xda
	markDQT, markDNL, markDRI     = 0xdb, 0xdc, 0xdd
	markAPP0, markAPP1, markAPP14 = 0xe0, 0xe1, 0xee
	markTEM                       = 0x01
)

func (p *Picture) jpeg(in *cursor) error {
	if _, err := in.next(2); err != nil {
		return err
	}
	if err := p.keep(0, 2); err != nil {
		return err
	}
	// Which way is up stands in front, once it is known: before that nothing else is
	// kept but JFIF's own line.
	up := len(p.parts)
	if err := p.make([]byte{}); err != nil {
		return err
	}
	scans := 0
	mark, at, err := marker(in)
	for {
		if err != nil {
			return err
		}
		switch {
		case mark == markEOI:
			if scans == 0 {
				return ErrForm
			}
			if p.turn != 1 {
				b := append([]byte{0xff, markAPP1, 0, 0}, "Exif\x00\x00"...)
				b = append(b, oriented(p.turn)...)
				binary.BigEndian.PutUint16(b[2:], uint16(len(b)-2))
				p.parts[up].made = b
				p.Size += int64(len(b))
			}
			return p.keep(at, in.at) // what follows is another picture, or none
		case mark == markTEM, mark >= markRST0 && mark <= markSOI:
			return ErrForm
		}
		if err := p.segment(in, mark, at); err != nil {
			return err
		}
		if mark == markSOS {
			scans++
			mark, at, err = p.coded(in)
		} else {
			mark, at, err = marker(in)
		}
	}
}

// marker reads a marker, with what may fill the space before it, and says where it
// begins.
func marker(in *cursor) (mark byte, at int64, err error) {
	b, err := in.byte()
	if err == nil && b != 0xff {
		err = ErrForm
	}
	for err == nil {
		at = in.at - 1
		if mark, err = in.byte(); err == nil && mark != 0xff {
			if mark == 0 {
				err = ErrForm
			}
			break
		}
	}
	return mark, at, err
}

// segment reads a segment behind its marker, and keeps it if it is needed.
func (p *Picture) segment(in *cursor, mark byte, at int64) error {
	b, err := in.next(2)
	if err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint16(b)) - 2
	if n < 0 {
		return ErrForm
	}
	switch {
	case mark == markAPP0, mark == markAPP1:
		body, err := in.next(int(n))
		if err != nil {
			return err
		}
		if mark == markAPP1 && strings.HasPrefix(string(body), "Exif\x00\x00") {
			p.turn = turnOf(body[6:])
		}
		if mark == markAPP0 && strings.HasPrefix(string(body), "JFIF\x00") && n >= 14 {
			// Without the thumbnail that may be in it.
			return p.make(append([]byte{0xff, markAPP0, 0, 16}, append(body[:12:12], 0, 0)...))
		}
		return nil
	case mark == markAPP14:
		body, err := in.next(int(n))
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(body), "Adobe") && n == 12 { // it says what the colours mean
			return p.keep(at, in.at)
		}
		return nil
	}
	if err := in.skip(n); err != nil {
		return err
	}
	if mark >= markSOF0 && mark <= markSOF15 || mark == markSOS || mark >= markDQT && mark <= markDRI {
		p.progressive = p.progressive || mark == markSOF2
		return p.keep(at, in.at)
	}
	return nil
}

// coded reads coded data to the marker behind it, and keeps it.
func (p *Picture) coded(in *cursor) (mark byte, at int64, err error) {
	from := in.at
	for {
		b, err := in.byte()
		if err != nil {
			return 0, 0, err
		}
		for b == 0xff {
			at = in.at - 1
			if b, err = in.byte(); err != nil {
				return 0, 0, err
			}
			if b != 0 && b != 0xff && (b < markRST0 || b > markRST7) {
				return b, at, p.keep(from, at)
			}
		}
	}
}
