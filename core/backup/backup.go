// Package backup is the form of a backup: a file that opens with words on paper,
// and only as far as what is in it has not ended. It is pure: bytes in, values
// out.
//
// It promises that a file opens only with one of its two sets of words; that one
// which was cut off, changed, spliced or put together from several is refused
// whole, before anything of it is used; that what it claims of its size is
// bounded before memory is taken; and that a dated segment opens only with its
// time key, which lies elsewhere and is destroyed when the segment ends
// (docs/decisions/0014-backups-end.md). It knows no clock.
//
// Start with Write and Open.
package backup

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"hearth/core/archive"
	"hearth/wire"
)

// Version is the version of the format.
const Version = 1

// Limits, which are kept before anything is allocated.
const (
	MaxSegments = 4096
	MaxChunks   = 1 << 14 // 16 GiB
	maxWraps    = 4
)

// Manifest says what a backup holds.
type Manifest struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Account wire.AccountID
	// Counter grows with every backup of a lineage; Made is when, Unix seconds.
	Counter uint64
	Made    int64
	// Server is where time keys and the beacon are: blobs, by URL.
	Server string
	// Beacon is a blob that the next backup of the lineage drops: while it is
	// there, this is the newest.
	Beacon   *wire.BlobID
	Drop     wire.Secret // drops it
	Segments []Segment
}

// Segment is a part of a backup that ends as a whole.
type Segment struct {
	_    struct{} `cbor:",toarray"`
	Name string
	// End is when it ends, Unix seconds, not after the first thing in it; 0: it
	// doesn't. Key is the blob with its time key then.
	End    int64
	Key    *wire.BlobID
	Items  uint32
	Chunks []Chunk
}

// Chunk is a sealed piece of a segment.
type Chunk struct {
	_    struct{} `cbor:",toarray"`
	Hash [32]byte // SHA-256 of its bytes
	Size uint32
}

// Chunks gives the bytes of the file's chunks by their hashes, checked: what has
// not changed since goes into the next backup as it is.
func (f *File) Chunks() func(Chunk) ([]byte, bool) {
	at, from := f.at, map[Chunk]int64{}
	for _, s := range f.Manifest.Segments[f.segment:] {
		for _, c := range s.Chunks {
			from[c] = at
			at += int64(c.Size)
		}
	}
	return func(c Chunk) ([]byte, bool) {
		at, ok := from[c]
		if !ok {
			return nil, false
		}
		b, err := section(f.r, f.end, at, int64(c.Size), archive.MaxChunk)
		return b, err == nil && ChunkOf(b) == c
	}
}

// ChunkOf describes sealed bytes.
func ChunkOf(b []byte) Chunk { return Chunk{Hash: sha256.Sum256(b), Size: uint32(len(b))} }

// header begins a file, after the magic and its length.
type header struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Lineage [16]byte
	// Nonce makes the manifest's key.
	Nonce [16]byte
	// Wraps are the backup's key, sealed under each set of words.
	Wraps [][]byte
}

// A file is magic, the header's length, the header, the chunks in the order of
// the manifest, the sealed manifest, and its length.
const magic = "hearth backup\n"

// Keys are what a lineage of backups is sealed under.
type Keys struct {
	_       struct{} `cbor:",toarray"`
	Lineage [16]byte
	Key     wire.Secret
	Wraps   [][]byte
}

// NewKeys makes a lineage that opens with each of the roots, which are derived
// from words (identity.RecoveryKey).
func NewKeys(roots ...wire.Secret) (Keys, error) {
	k := Keys{Key: wire.NewSecret()}
	copy(k.Lineage[:], wire.NewSecret().Reveal())
	for _, root := range roots {
		w := archive.NewWriter(root, wire.AccountID{}, k.purpose("key"), func(b []byte) error {
			k.Wraps = append(k.Wraps, b)
			return nil
		})
		if err := errors.Join(w.Add(archive.Entry{Kind: "key", Value: k.Key.Reveal()}), w.Close()); err != nil {
			return Keys{}, err
		}
	}
	return k, nil
}

func (k *Keys) purpose(what string) string {
	return "hearth backup " + what + " " + string(k.Lineage[:])
}

func (k *Keys) derive(info string) wire.Secret {
	b, err := hkdf.Expand(sha256.New, k.Key.Reveal(), "hearth backup v1 "+info, 32)
	if err != nil {
		panic(err) // a constant length within bounds
	}
	return wire.SecretFrom(b)
}

// segmentKey needs the time key of a dated segment: without it the words open
// nothing of the segment.
func (k *Keys) segmentKey(name string, time wire.Secret) wire.Secret {
	base := k.derive("segment " + name)
	if time.Reveal() == nil {
		return base
	}
	b, err := hkdf.Key(sha256.New, time.Reveal(), base.Reveal(), "hearth backup v1 dated", 32)
	if err != nil {
		panic(err) // a constant length within bounds
	}
	return wire.SecretFrom(b)
}

// Segment returns a writer that seals a segment; emit is given its chunks.
func (k *Keys) Segment(account wire.AccountID, name string, time wire.Secret, emit func([]byte) error) *archive.Writer {
	return archive.NewWriter(k.segmentKey(name, time), account, k.purpose(name), emit)
}

// Writer writes a backup: its chunks first, the manifest that names them last.
type Writer struct {
	keys  *Keys
	w     io.Writer
	nonce [16]byte
}

// NewWriter begins a backup.
func (k *Keys) NewWriter(w io.Writer) (*Writer, error) {
	out := &Writer{keys: k, w: w}
	copy(out.nonce[:], wire.NewSecret().Reveal())
	head := wire.Encode(header{Version: Version, Lineage: k.Lineage, Nonce: out.nonce, Wraps: k.Wraps})
	_, err := w.Write(append(binary.BigEndian.AppendUint32([]byte(magic), uint32(len(head))), head...))
	return out, err
}

// Chunk adds a sealed chunk; all of a segment's come together.
func (w *Writer) Chunk(b []byte) error {
	_, err := w.w.Write(b)
	return err
}

// Close ends the backup with what says what is in it.
func (w *Writer) Close(m Manifest) error {
	m.Version = Version
	var sealed []byte
	a := archive.NewWriter(w.keys.derive("manifest "+string(w.nonce[:])), wire.AccountID{}, w.keys.purpose("manifest"), func(b []byte) error {
		sealed = b
		return nil
	})
	if err := errors.Join(a.Add(archive.Entry{Kind: "manifest", Value: wire.Encode(m)}), a.Close()); err != nil {
		return err
	}
	_, err := w.w.Write(binary.BigEndian.AppendUint32(sealed, uint32(len(sealed))))
	return err
}

// Errors.
var (
	// ErrNot says that this is no backup.
	ErrNot = &wire.Error{Code: wire.BadInput, Message: "that is not a backup", Next: "name the file that hearth backup create has written"}
	// ErrWords says that the words open another backup, or none.
	ErrWords = &wire.Error{Code: wire.Denied, Message: "these words do not open this backup",
		Next: "use the words that were shown when it was begun, or those of the account's registration"}
	// ErrDamaged says that a backup isn't as it was written.
	ErrDamaged = &wire.Error{Code: wire.Damaged, Message: "the backup is damaged or was put together from several", Next: "use another copy of it"}
)

// File is a backup that was opened. Its segments follow one another in the
// file: read them with Next.
type File struct {
	Keys     Keys
	Manifest Manifest
	r        io.ReaderAt
	at, end  int64 // of the chunks
	segment  int
}

// Open opens a backup of size bytes with a root.
func Open(r io.ReaderAt, size int64, root wire.Secret) (*File, error) {
	return open(r, size, func(h *header) (wire.Secret, error) {
		k := Keys{Lineage: h.Lineage}
		for _, w := range h.Wraps {
			entries, last, err := archive.Open(root, wire.AccountID{}, k.purpose("key"), 0, w)
			if err == nil && last && len(entries) == 1 && entries[0].Kind == "key" && len(entries[0].Value) == 32 {
				return wire.SecretFrom(entries[0].Value), nil
			}
		}
		return wire.Secret{}, ErrWords
	})
}

// Open opens a backup of the lineage.
func (k *Keys) Open(r io.ReaderAt, size int64) (*File, error) {
	return open(r, size, func(h *header) (wire.Secret, error) {
		if h.Lineage != k.Lineage {
			return wire.Secret{}, ErrWords
		}
		return k.Key, nil
	})
}

func open(r io.ReaderAt, size int64, key func(*header) (wire.Secret, error)) (*File, error) {
	const start = int64(len(magic) + 4)
	head := make([]byte, start)
	if size < start {
		return nil, ErrNot
	}
	if _, err := r.ReadAt(head, 0); err != nil || string(head[:len(magic)]) != magic {
		return nil, ErrNot
	}
	n := int64(binary.BigEndian.Uint32(head[len(magic):]))
	b, err := section(r, size, start, n, maxWraps*archive.MaxChunk)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(b)
	if err != nil {
		return nil, err
	}
	f := &File{r: r, at: start + n, Keys: Keys{Lineage: h.Lineage, Wraps: h.Wraps}}
	if f.Keys.Key, err = key(h); err != nil {
		return nil, err
	}
	foot, err := section(r, size, size-4, 4, 4)
	if err != nil {
		return nil, err
	}
	n = int64(binary.BigEndian.Uint32(foot))
	f.end = size - 4 - n
	sealed, err := section(r, size, f.end, n, archive.MaxChunk)
	if err != nil || f.end < f.at {
		return nil, ErrDamaged
	}
	entries, last, err := archive.Open(f.Keys.derive("manifest "+string(h.Nonce[:])), wire.AccountID{}, f.Keys.purpose("manifest"), 0, sealed)
	if err != nil || !last || len(entries) != 1 || entries[0].Kind != "manifest" {
		return nil, ErrDamaged
	}
	if f.Manifest, err = parseManifest(entries[0].Value); err != nil {
		return nil, err
	}
	total := f.at
	for _, s := range f.Manifest.Segments {
		for _, c := range s.Chunks {
			total += int64(c.Size)
		}
	}
	if total != f.end {
		return nil, ErrDamaged
	}
	return f, nil
}

// section reads n bytes, at most max, which the file must have.
func section(r io.ReaderAt, size, at, n, max int64) ([]byte, error) {
	if n < 0 || n > max || at < 0 || at > size-n {
		return nil, ErrDamaged
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, at); err != nil && n > 0 {
		return nil, ErrDamaged
	}
	return b, nil
}

func parseHeader(b []byte) (*header, error) {
	h := new(header)
	if len(b) > 0 && wire.Decode(b, h) == nil && h.Version != Version {
		return nil, wire.Errorf(wire.Unsupported, "the backup was written by another version of hearth").WithNext("use the version that wrote it, or a newer one")
	}
	if err := wire.Decode(b, h); err != nil || len(h.Wraps) > maxWraps {
		return nil, ErrDamaged
	}
	return h, nil
}

func parseManifest(b []byte) (m Manifest, err error) {
	if err := wire.Decode(b, &m); err != nil || m.Version != Version || len(m.Segments) > MaxSegments {
		return Manifest{}, ErrDamaged
	}
	names, chunks := map[string]bool{}, 0
	for _, s := range m.Segments {
		chunks += len(s.Chunks)
		if names[s.Name] || len(s.Chunks) == 0 || chunks > MaxChunks || (s.End == 0) != (s.Key == nil) || s.End < 0 {
			return Manifest{}, ErrDamaged
		}
		names[s.Name] = true
		for _, c := range s.Chunks {
			if c.Size > archive.MaxChunk {
				return Manifest{}, ErrDamaged
			}
		}
	}
	return m, nil
}

// Next reads the next segment: it gives the entries of each of its chunks to
// each, and answers io.EOF behind the last. A segment whose
// time key is absent is passed over: each is not called, and its bytes are
// checked all the same.
func (f *File) Next(time func(Segment) (key wire.Secret, ok bool, err error), each func(Segment, []archive.Entry) error) error {
	if f.segment == len(f.Manifest.Segments) {
		return io.EOF
	}
	s := f.Manifest.Segments[f.segment]
	f.segment++
	var dated wire.Secret
	opens := true
	if s.End != 0 {
		var err error
		if dated, opens, err = time(s); err != nil {
			return err
		}
	}
	key := f.Keys.segmentKey(s.Name, dated)
	items := uint32(0)
	for i, c := range s.Chunks {
		b, err := section(f.r, f.end, f.at, int64(c.Size), archive.MaxChunk)
		if f.at += int64(c.Size); err != nil || ChunkOf(b) != c {
			return ErrDamaged
		}
		if !opens {
			continue
		}
		entries, last, err := archive.Open(key, f.Manifest.Account, f.Keys.purpose(s.Name), uint32(i), b)
		if err != nil || last != (i == len(s.Chunks)-1) {
			return ErrDamaged
		}
		items += uint32(len(entries))
		if err := each(s, entries); err != nil {
			return fmt.Errorf("take in a backup: %w", err)
		}
	}
	if opens && items != s.Items {
		return ErrDamaged
	}
	return nil
}
