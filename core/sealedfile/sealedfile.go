// Package sealedfile is the form in which a file lies at a server and in a home:
// sealed under a key of its own, in chunks, so that it streams both ways with
// memory for one chunk.
//
// It promises that whoever reads gets the bytes that were sealed, in their order,
// none missing and none added, or an error; that nobody can make a file that opens
// under two keys, or as two sizes, so that a report shows what its reader saw
// (attack A31); and that the sealed length tells the size to about one part in
// twenty (attack A47).
//
// The form: 32 bytes that commit to the key and the size; then chunks of ChunkSize
// bytes, each behind the other, sealed with ChaCha20-Poly1305 under a key that only
// this file has; a chunk's nonce is its number. The size, which says how many there
// are, is in both derivations. What is sealed is the file and, up to Padded, zeros.
// Nothing in it says that it is a file.
//
// A key seals one file once: what is to be sealed again gets another key.
//
// Start with NewWriter and NewReader.
package sealedfile

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"golang.org/x/crypto/chacha20poly1305"

	"hearth/wire"
)

const (
	// ChunkSize is how much of a file is sealed in one piece.
	ChunkSize = 64 << 10
	// MaxSize is the largest file.
	MaxSize = 2 << 30

	tagSize  = chacha20poly1305.Overhead
	headSize = 32
	// smallest is what the smallest files are padded to.
	smallest = 1 << 10
)

// ErrDamaged says that sealed bytes are not those of the key and the size.
var ErrDamaged = errors.New("not the file that was sealed")

// errSize says that a writer was not given the bytes that it was announced.
var errSize = errors.New("the file has another size than was said")

// Padded returns the size to which a file is padded: one with few digits (Padmé:
// Nikitin and others, Reducing metadata leakage from encrypted files).
func Padded(size int64) int64 {
	if size <= smallest {
		return smallest
	}
	e := bits.Len64(uint64(size)) - 1
	low := int64(1)<<(e-bits.Len64(uint64(e))) - 1
	return (size + low) &^ low
}

// SealedSize returns how long a file is when it is sealed.
func SealedSize(size int64) int64 {
	p := Padded(size)
	return headSize + p + (p+ChunkSize-1)/ChunkSize*tagSize
}

// cipherOf returns what seals the chunks of a file of a size, and the commitment to
// both.
func cipherOf(key wire.Secret, size int64) (cipher.AEAD, []byte, error) {
	if size < 0 || size > MaxSize {
		return nil, nil, fmt.Errorf("a file of %d bytes cannot be sealed", size)
	}
	info := binary.BigEndian.AppendUint64([]byte("hearth sealed file v1\x00"), uint64(size))
	b, err := hkdf.Expand(sha256.New, key.Reveal(), string(info), 2*headSize)
	if err != nil {
		return nil, nil, err
	}
	a, err := chacha20poly1305.New(b[headSize:])
	return a, b[:headSize], err
}

// nonce of a chunk.
func nonce(n uint64) []byte {
	b := make([]byte, chacha20poly1305.NonceSize)
	binary.BigEndian.PutUint64(b[chacha20poly1305.NonceSize-8:], n)
	return b
}

// Writer seals a file. Close it, else the file is not whole.
type Writer struct {
	w    io.Writer
	aead cipher.AEAD
	buf  []byte // of the present chunk, plain; room for a sealed one
	n    uint64 // chunks written
	left int64  // bytes of the file that are to come
	pad  int64  // zeros behind them
	err  error
}

// NewWriter returns a writer of a file of size bytes; the key is to be fresh.
func NewWriter(w io.Writer, key wire.Secret, size int64) (*Writer, error) {
	a, commitment, err := cipherOf(key, size)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(commitment); err != nil {
		return nil, err
	}
	return &Writer{w: w, aead: a, buf: make([]byte, 0, ChunkSize+tagSize), left: size, pad: Padded(size) - size}, nil
}

// Write implements io.Writer.
func (w *Writer) Write(b []byte) (int, error) {
	if int64(len(b)) > w.left && w.err == nil {
		w.err = errSize
	}
	if w.err != nil {
		return 0, w.err
	}
	w.left -= int64(len(b))
	return w.add(b)
}

func (w *Writer) add(b []byte) (n int, err error) {
	for len(b) > 0 {
		take := min(len(b), ChunkSize-len(w.buf))
		w.buf = append(w.buf, b[:take]...)
		b, n = b[take:], n+take
		if len(w.buf) == ChunkSize {
			if err := w.flush(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (w *Writer) flush() error {
	sealed := w.aead.Seal(w.buf[:0], nonce(w.n), w.buf, nil)
	w.n++
	_, w.err = w.w.Write(sealed)
	w.buf = w.buf[:0]
	return w.err
}

var zeros [4 << 10]byte

// Close ends the file. It fails if some of it was not written.
func (w *Writer) Close() error {
	if w.err == nil && w.left != 0 {
		w.err = errSize
	}
	if w.err != nil {
		return w.err
	}
	for w.pad > 0 {
		n, err := w.add(zeros[:min(w.pad, int64(len(zeros)))])
		if w.pad -= int64(n); err != nil {
			return err
		}
	}
	if len(w.buf) == 0 {
		return nil
	}
	return w.flush()
}

// Reader opens a file. What it gives is what was sealed; that all of it came is
// known when it says io.EOF, and not before.
type Reader struct {
	r    io.Reader
	aead cipher.AEAD
	buf  []byte // a sealed chunk
	have []byte // of the last one, what was not given yet
	n    uint64
	left int64 // plain bytes of the file that are to be given
	rest int64 // plain bytes, padding included, of chunks to be read
	err  error
}

// NewReader returns a reader of the file of size bytes that r holds. ErrDamaged: it
// was sealed under another key, or has another size.
func NewReader(r io.Reader, key wire.Secret, size int64) (*Reader, error) {
	a, commitment, err := cipherOf(key, size)
	if err != nil {
		return nil, err
	}
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, cut(err)
	}
	if subtle.ConstantTimeCompare(head[:], commitment) != 1 {
		return nil, ErrDamaged
	}
	return &Reader{r: r, aead: a, buf: make([]byte, ChunkSize+tagSize), left: size, rest: Padded(size)}, nil
}

// cut makes of an end that came too early what it is: damage.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrDamaged
	}
	return err
}

// Read implements io.Reader.
func (r *Reader) Read(b []byte) (int, error) {
	for len(r.have) == 0 && r.err == nil {
		r.err = r.next()
	}
	if len(r.have) == 0 {
		return 0, r.err
	}
	n := copy(b, r.have)
	r.have = r.have[n:]
	return n, nil
}

// next opens the next chunk.
func (r *Reader) next() error {
	if r.rest == 0 {
		// Nothing may follow: it would be somebody else's.
		switch n, err := io.ReadFull(r.r, r.buf[:1]); {
		case n != 0:
			return ErrDamaged
		default:
			return err
		}
	}
	plain := min(r.rest, ChunkSize)
	r.rest -= plain
	sealed := r.buf[:plain+tagSize]
	if _, err := io.ReadFull(r.r, sealed); err != nil {
		return cut(err)
	}
	b, err := r.aead.Open(sealed[:0], nonce(r.n), sealed, nil)
	if err != nil {
		return ErrDamaged
	}
	r.n++
	mine := min(r.left, plain)
	r.left -= mine
	for _, x := range b[mine:] {
		if x != 0 {
			return ErrDamaged
		}
	}
	r.have = b[:mine]
	return nil
}
