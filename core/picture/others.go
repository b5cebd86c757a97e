package picture

import (
	"encoding/binary"
	"io"
)

// PNG (ISO 15948): chunks with names. Kept are those that decoding and animation
// need.

const pngMagic = "\x89PNG\r\n\x1a\n"

var pngKept = map[string]bool{
	"IHDR": true, "PLTE": true, "IDAT": true, "IEND": true, "tRNS": true, "gAMA": true, "cHRM": true, "sRGB": true, "sBIT": true,
	"bKGD": true, "acTL": true, "fcTL": true, "fdAT": true,
}

func (p *Picture) png(in *cursor) error {
	if err := in.skip(int64(len(pngMagic))); err != nil {
		return err
	}
	if err := p.keep(0, in.at); err != nil {
		return err
	}
	for first, data := true, false; ; first = false {
		at := in.at
		h, err := in.next(8)
		if err != nil {
			return err
		}
		n, name := int64(binary.BigEndian.Uint32(h)), string(h[4:])
		if n >= 1<<31 || first != (name == "IHDR") {
			return ErrForm
		}
		if err := in.skip(n + 4); err != nil {
			return err
		}
		if pngKept[name] {
			if err := p.keep(at, in.at); err != nil {
				return err
			}
		}
		data = data || name == "IDAT"
		if name == "IEND" {
			if !data {
				return ErrForm
			}
			return nil // what follows is no part of it
		}
	}
}

// GIF (89a): blocks. Kept are pictures, their control blocks, and how often an
// animation runs.
func (p *Picture) gif(in *cursor) error {
	h, err := in.next(13)
	if err != nil {
		return err
	}
	if err := in.skip(colours(h[10])); err != nil {
		return err
	}
	if err := p.keep(0, in.at); err != nil {
		return err
	}
	for frames := 0; ; {
		at := in.at
		kind, err := in.byte()
		if err != nil {
			return err
		}
		kept := true
		switch kind {
		case 0x3b: // the end
			if frames == 0 {
				return ErrForm
			}
			return p.keep(at, in.at)
		case 0x2c: // a picture
			frames++
			d, err := in.next(9)
			if err != nil {
				return err
			}
			if err := in.skip(colours(d[8]) + 1); err != nil {
				return err
			}
		case 0x21:
			label, err := in.byte()
			if err != nil {
				return err
			}
			switch label {
			case 0xf9:
			case 0xff:
				id, err := in.next(12)
				if err != nil || id[0] != 11 {
					return form(err)
				}
				kept = string(id[1:]) == "NETSCAPE2.0" || string(id[1:]) == "ANIMEXTS1.0"
			default: // comments, and what is not known
				kept = false
			}
		default:
			return ErrForm
		}
		for size := byte(1); size != 0; {
			if size, err = in.byte(); err != nil {
				return err
			}
			if err := in.skip(int64(size)); err != nil {
				return err
			}
		}
		if kept {
			if err := p.keep(at, in.at); err != nil {
				return err
			}
		}
	}
}

func form(err error) error {
	if err == nil {
		err = ErrForm
	}
	return err
}

// colours is the length of the table of colours that a field of flags announces.
func colours(flags byte) int64 {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// WebP (RFC 9649): RIFF chunks. Kept are pictures, transparency and animation.

var webpKept = map[string]bool{"VP8 ": true, "VP8L": true, "VP8X": true, "ALPH": true, "ANIM": true, "ANMF": true}

// Flags of VP8X that announce what is left out.
const webpICC, webpEXIF, webpXMP = 0x20, 0x08, 0x04

func (p *Picture) webp(in *cursor, size int64) error {
	h, err := in.next(12)
	if err != nil {
		return err
	}
	end := 8 + int64(binary.LittleEndian.Uint32(h[4:]))
	if end > size {
		return ErrForm
	}
	head := append([]byte(nil), h...)
	if err := p.make(head); err != nil {
		return err
	}
	var extended []byte
	pictures := 0
	for in.at+8 <= end {
		at := in.at
		h, err := in.next(8)
		if err != nil {
			return err
		}
		name, n := string(h[:4]), int64(binary.LittleEndian.Uint32(h[4:]))
		n += n & 1
		if in.at+n > end {
			return ErrForm
		}
		switch {
		case name == "VP8X":
			if n != 10 || extended != nil {
				return ErrForm
			}
			body, err := in.next(10)
			if err != nil {
				return err
			}
			extended = append(h, body...)
			extended[8] &^= webpICC | webpEXIF | webpXMP
			if err := p.make(extended); err != nil {
				return err
			}
			continue
		case name == "EXIF" && n <= 64<<10:
			body, err := in.next(int(n))
			if err != nil {
				return err
			}
			if len(body) > 6 && string(body[:6]) == "Exif\x00\x00" {
				body = body[6:]
			}
			p.turn = turnOf(body)
			continue
		}
		if err := in.skip(n); err != nil {
			return err
		}
		if name == "VP8 " || name == "VP8L" || name == "ANMF" {
			pictures++
		}
		if webpKept[name] {
			if err := p.keep(at, in.at); err != nil {
				return err
			}
		}
	}
	if pictures == 0 {
		return io.ErrUnexpectedEOF
	}
	if p.turn != 1 && extended != nil {
		extended[8] |= webpEXIF
		b := oriented(p.turn)
		if err := p.make(append(binary.LittleEndian.AppendUint32([]byte("EXIF"), uint32(len(b))), b...)); err != nil {
			return err
		}
	}
	binary.LittleEndian.PutUint32(head[4:], uint32(p.Size-8))
	return nil
}
