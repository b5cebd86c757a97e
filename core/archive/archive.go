// Package archive is the form in which records travel from one device of an
// account to another, or to a later one: sealed chunks of entries, each with its
// own end. It is pure: bytes in, values out.
//
// It promises that a chunk opens only with its key, for its account and purpose,
// at its place, and says whether it is the last: so that one that was cut off,
// swapped, spliced or taken from elsewhere is found. It never looks into an
// entry, and knows no clock: what has ended is the caller's to leave out.
//
// Start with Writer; Open reads a chunk.
package archive

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"hearth/wire"
)

// Version is the version of the format.
const Version = 1

// Entry is one record.
type Entry struct {
	_ struct{} `cbor:",toarray"`
	// Kind says what Value is, to who wrote it.
	Kind  string
	Value []byte
	Until int64 // Unix seconds: when it ends; 0: it does not
}

// ErrChunk says that a chunk is not the one that was written for this place.
var ErrChunk = errors.New("not a chunk of this archive")

const (
	// ChunkSize is about how many bytes of entries a chunk holds.
	ChunkSize = 1 << 20
	// MaxEntry is the largest entry, encoded.
	MaxEntry = 1 << 20
	// MaxChunk is the largest chunk: what it holds, the last entry, the padding.
	MaxChunk = ChunkSize + MaxEntry + 2*step

	step = 64 << 10 // chunks are padded to multiples of it (attack A47)
	head = 1 + chacha20poly1305.NonceSizeX + 32
)

// chunk is what is sealed.
type chunk struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Last    bool
	Entries []Entry
}

// Writer gathers entries into chunks. It holds one at a time.
type Writer struct {
	key     wire.Secret
	account wire.AccountID
	purpose string
	emit    func([]byte) error

	n       uint32
	size    int
	entries []Entry
}

// NewWriter returns a writer of an archive of account for one purpose; emit is
// given each chunk in order. A key seals one archive.
func NewWriter(key wire.Secret, account wire.AccountID, purpose string, emit func([]byte) error) *Writer {
	return &Writer{key: key, account: account, purpose: purpose, emit: emit}
}

// Add adds an entry.
func (w *Writer) Add(e Entry) error {
	size := len(wire.Encode(e))
	if size > MaxEntry {
		return wire.Errorf(wire.Full, "a record is too large for an archive")
	}
	if w.size > 0 && w.size+size > ChunkSize {
		if err := w.flush(false); err != nil {
			return err
		}
	}
	w.entries, w.size = append(w.entries, e), w.size+size
	return nil
}

// Close writes the last chunk; an archive has one at least.
func (w *Writer) Close() error { return w.flush(true) }

func (w *Writer) flush(last bool) error {
	b := seal(w.key, context(w.account, w.purpose, w.n), wire.Encode(chunk{Version: Version, Last: last, Entries: w.entries}))
	w.n++
	w.entries, w.size = w.entries[:0], 0
	return w.emit(b)
}

// Open opens chunk n, from 0, of an archive. Errors wrap ErrChunk.
func Open(key wire.Secret, account wire.AccountID, purpose string, n uint32, b []byte) (entries []Entry, last bool, err error) {
	plain, err := open(key, context(account, purpose, n), b)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrChunk, err)
	}
	c, err := parse(plain)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrChunk, err)
	}
	return c.Entries, c.Last, nil
}

func parse(b []byte) (c chunk, err error) {
	if err := wire.Decode(b, &c); err != nil {
		return chunk{}, err
	}
	if c.Version != Version {
		return chunk{}, wire.Errorf(wire.Unsupported, "the archive was written by another version of hearth").WithNext("update this client")
	}
	return c, nil
}

// context binds a chunk to its account, purpose and place.
func context(account wire.AccountID, purpose string, n uint32) []byte {
	b := append([]byte("hearth archive v1\x00"), account[:]...)
	b = binary.BigEndian.AppendUint32(b, n)
	return append(b, purpose...)
}

var errSeal = errors.New("does not open")

// seal is XChaCha20-Poly1305 under a key derived for the nonce, together with a
// commitment to it: one chunk opens in one way only (attack A31).
func seal(key wire.Secret, context, b []byte) []byte {
	size := (head + chacha20poly1305.Overhead + 4 + len(b) + step - 1) / step * step
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	aead, commitment := derive(key, nonce)
	plain := make([]byte, size-head-chacha20poly1305.Overhead)
	binary.BigEndian.PutUint32(plain, uint32(len(b)))
	copy(plain[4:], b)
	out := make([]byte, 0, size)
	out = append(append(append(out, Version), nonce...), commitment...)
	return aead.Seal(out, nonce, plain, context)
}

func open(key wire.Secret, context, b []byte) ([]byte, error) {
	if len(b) < head+chacha20poly1305.Overhead+4 || len(b) > MaxChunk || b[0] != Version || key.Reveal() == nil {
		return nil, errSeal
	}
	nonce := b[1 : 1+chacha20poly1305.NonceSizeX]
	aead, commitment := derive(key, nonce)
	if !hmac.Equal(commitment, b[1+len(nonce):head]) {
		return nil, errSeal
	}
	plain, err := aead.Open(nil, nonce, b[head:], context)
	if err != nil {
		return nil, errSeal
	}
	n := binary.BigEndian.Uint32(plain)
	if uint64(n) > uint64(len(plain)-4) {
		return nil, errSeal
	}
	for _, z := range plain[4+n:] {
		if z != 0 {
			return nil, errSeal
		}
	}
	return plain[4 : 4+n], nil
}

func derive(key wire.Secret, nonce []byte) (cipher.AEAD, []byte) {
	b, err := hkdf.Expand(sha256.New, key.Reveal(), "hearth archive v1"+string(nonce), 64)
	if err != nil {
		panic(err) // a constant length within bounds
	}
	aead, err := chacha20poly1305.NewX(b[:32])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	return aead, b[32:]
}
