// Package picture takes out of pictures what does not belong to the picture (places,
// times, cameras, names, earlier versions), without decoding them, and makes
// thumbnails.
//
// It promises that what it keeps is a list of parts it knows: what is new or odd is
// left out, and a picture that it cannot follow to its end is refused, never passed
// on whole; that memory does not grow with the file; and that it decodes nothing whose
// pixels are more than it allows, whatever a few bytes claim (attacks A34).
//
// Start with Strip.
package picture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// The media types of pictures that can be stripped.
const (
	JPEG = "image/jpeg"
	PNG  = "image/png"
	GIF  = "image/gif"
	WebP = "image/webp"
)

var (
	// ErrForm says that a picture is not of the form that its beginning announces.
	ErrForm = errors.New("not a picture that can be followed to its end")
	// ErrForeign says that a picture is of a sort from which nothing can be taken out.
	ErrForeign = errors.New("a sort of picture that cannot be stripped")
)

// maxParts bounds the parts that a picture is kept in.
const maxParts = 1 << 16

// Picture is what is left of one.
type Picture struct {
	Type string
	// Size is how long it is.
	Size int64
	// turn is the orientation, 1 to 8, as EXIF counts; progressive says that decoding
	// it takes more memory.
	turn        int
	progressive bool

	r     io.ReaderAt
	parts []part
}

// part is a stretch of the original, or bytes in the place of some.
type part struct {
	from, to int64
	made     []byte
}

// Strip finds what is to be kept of a file of size bytes. It returns nil for what is
// no picture.
func Strip(r io.ReaderAt, size int64) (*Picture, error) {
	head := make([]byte, 16)
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	head = head[:n]
	p := &Picture{r: r, turn: 1}
	in := &cursor{r: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 64<<10)}
	switch p.Type = sniff(head); p.Type {
	case JPEG:
		err = p.jpeg(in)
	case PNG:
		err = p.png(in)
	case GIF:
		err = p.gif(in)
	case WebP:
		err = p.webp(in, size)
	case foreign:
		err = ErrForeign
	default:
		return nil, nil
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = ErrForm
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Reader returns what is left of the picture.
func (p *Picture) Reader() io.Reader {
	all := make([]io.Reader, len(p.parts))
	for i, x := range p.parts {
		all[i] = &partReader{p: p, x: x}
	}
	return io.MultiReader(all...)
}

// partReader makes its reader when it is its turn.
type partReader struct {
	p  *Picture
	x  part
	at int64
}

// Read implements io.Reader.
func (r *partReader) Read(b []byte) (int, error) {
	if r.x.made != nil {
		n := copy(b, r.x.made[r.at:])
		if r.at += int64(n); n == 0 && len(b) > 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	left := r.x.to - r.x.from - r.at
	if left == 0 {
		return 0, io.EOF
	}
	n, err := r.p.r.ReadAt(b[:min(int64(len(b)), left)], r.x.from+r.at)
	r.at += int64(n)
	if n > 0 {
		err = nil
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// keep keeps a stretch of the original.
func (p *Picture) keep(from, to int64) error {
	p.Size += to - from
	if n := len(p.parts); n > 0 && p.parts[n-1].made == nil && p.parts[n-1].to == from {
		p.parts[n-1].to = to
		return nil
	}
	return p.add(part{from: from, to: to})
}

// make puts bytes of our own there.
func (p *Picture) make(b []byte) error {
	p.Size += int64(len(b))
	return p.add(part{made: b})
}

func (p *Picture) add(x part) error {
	if len(p.parts) == maxParts {
		return ErrForm
	}
	p.parts = append(p.parts, x)
	return nil
}

const foreign = "foreign"

// sniff tells a picture by its first bytes.
func sniff(b []byte) string {
	has := func(at int, s string) bool { return len(b) >= at+len(s) && string(b[at:at+len(s)]) == s }
	switch {
	case has(0, "\xff\xd8\xff"):
		return JPEG
	case has(0, pngMagic):
		return PNG
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return GIF
	case has(0, "RIFF") && has(8, "WEBP"):
		return WebP
	case has(0, "II*\x00"), has(0, "MM\x00*"), has(0, "\x00\x00\x00\x0cJXL "), has(0, "\xff\x0a"):
		return foreign // TIFF and raw pictures, JPEG XL
	case has(4, "ftyphei"), has(4, "ftyphev"), has(4, "ftypmif1"), has(4, "ftypmsf1"), has(4, "ftypavi"), has(4, "ftypcrx "):
		return foreign // HEIF, AVIF, raw
	}
	return ""
}

// cursor reads and knows where it is.
type cursor struct {
	r  *bufio.Reader
	at int64
}

// next reads n bytes, few.
func (c *cursor) next(n int) ([]byte, error) {
	b := make([]byte, n)
	m, err := io.ReadFull(c.r, b)
	c.at += int64(m)
	return b, err
}

func (c *cursor) skip(n int64) error {
	m, err := io.CopyN(io.Discard, c.r, n)
	c.at += m
	return err
}

func (c *cursor) byte() (byte, error) {
	b, err := c.r.ReadByte()
	if err == nil {
		c.at++
	}
	return b, err
}

// oriented writes the one line of EXIF that is kept: which way is up.
func oriented(turn int) []byte {
	b := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00")
	return append(b, byte(turn), 0, 0, 0, 0, 0, 0)
}

// turnOf reads which way is up from EXIF: the first directory of a TIFF; 1 where it
// does not say so.
func turnOf(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var o binary.ByteOrder = binary.BigEndian
	if string(b[:2]) == "II" {
		o = binary.LittleEndian
	}
	at := int64(o.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 1
	}
	n := int64(o.Uint16(b[at:]))
	for i := range n {
		e := at + 2 + 12*i
		if e+12 > int64(len(b)) {
			return 1
		}
		if o.Uint16(b[e:]) != 0x0112 || o.Uint16(b[e+2:]) != 3 {
			continue
		}
		if turn := int(o.Uint16(b[e+8:])); turn >= 1 && turn <= 8 {
			return turn
		}
	}
	return 1
}
