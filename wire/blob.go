package wire

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strconv"
	"strings"
	"time"
)

// Headers of /v1/blob. Ids and capabilities stand here and never in the URL,
// which proxies log. Ids and secrets are unpadded base64url, numbers decimal.
const (
	// HeaderBlob is the blob's id. In an upload it says that the blob ends with
	// this request's body.
	HeaderBlob = "Hearth-Blob"
	// HeaderUpload names an upload that may take several requests.
	HeaderUpload = "Hearth-Upload"
	// HeaderOffset is where in the blob this request's body begins; in an
	// answer, how much of it is on disk.
	HeaderOffset = "Hearth-Offset"
	// HeaderRoom and HeaderToken pay for an upload: a room and its current post
	// token, or a door of one's own and its seat's secret. Neither is kept with
	// the blob (protocol §10).
	HeaderRoom  = "Hearth-Room"
	HeaderToken = "Hearth-Token"
	// HeaderTTL is how many seconds the blob is to be kept, at most MaxBlobTTL.
	HeaderTTL = "Hearth-TTL"
	// HeaderDrop is the hash of a secret in an upload, and the secret where the
	// blob is to be dropped before its time.
	HeaderDrop = "Hearth-Drop"
	// HeaderSlot is a slot's secret: the upload is put there, in the place of
	// what it held, and HeaderBlob is SlotID.
	HeaderSlot = "Hearth-Slot"
)

const (
	// MaxBlob is the largest blob, bytes: a file of 2 GiB, sealed.
	MaxBlob = 2<<30 + 1<<20
	// MaxWhole is the largest blob that is moved in one piece of memory, bytes.
	MaxWhole = 8 << 20
	// MaxBlobTTL is the longest that a blob is kept without being prolonged: a
	// blob follows its message (design §5), whose longest timer is a year.
	MaxBlobTTL = 400 * 24 * time.Hour
	// UploadWithin is how long an upload may take from its first byte; what is
	// unfinished then is removed.
	UploadWithin = 24 * time.Hour
)

// UploadID names an upload under way: random, chosen by the uploader and told to
// nobody, so that no one else can add to it.
type UploadID [16]byte

// NewUploadID returns a fresh upload id.
func NewUploadID() (id UploadID) {
	rand.Read(id[:])
	return id
}

// BlobIDFrom returns the id of the blob whose bytes went into h, a SHA-256.
func BlobIDFrom(r Region, h hash.Hash) BlobID {
	id := BlobID{byte(r)}
	copy(id[1:], h.Sum(nil))
	return id
}

// SlotID names the slot of a secret: a blob whose bytes may be replaced by who
// shows the secret, so that something can be found again that has changed.
func SlotID(r Region, secret Secret) BlobID {
	h := sha256.Sum256(append([]byte("hearth slot v1\x00"), secret.Reveal()...))
	h = sha256.Sum256(h[:]) // no blob's bytes have this name
	id := BlobID{byte(r)}
	copy(id[1:], h[:])
	return id
}

// FormatHeader writes an id or a secret as a header's value.
func FormatHeader(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// ParseHeader reads n bytes from a header's value.
func ParseHeader(value string, n int) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(b) != n || strings.ContainsAny(value, "\r\n") { // which the decoder skips
		return nil, errHeader
	}
	return b, nil
}

// ParseOffset reads HeaderOffset: digits, no sign, no leading zero, at most
// MaxBlob.
func ParseOffset(value string) (int64, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n > MaxBlob || strconv.FormatUint(n, 10) != value {
		return 0, errHeader
	}
	return int64(n), nil
}

// FormatOffset writes what ParseOffset reads.
func FormatOffset(n int64) string { return strconv.FormatInt(n, 10) }

// ParseTTL reads HeaderTTL: from one second to MaxBlobTTL.
func ParseTTL(value string) (time.Duration, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	d := time.Duration(n) * time.Second
	if err != nil || n == 0 || d > MaxBlobTTL || strconv.FormatUint(n, 10) != value {
		return 0, errHeader
	}
	return d, nil
}

var errHeader = Errorf(BadInput, "a header is absent or wrong")

// Range is a stretch of a blob.
type Range struct {
	From int64
	// To is the first byte that is no longer in it; -1 means to the end.
	To int64
}

// String writes the range as the Range header has it (RFC 9110 §14.1.1).
func (r Range) String() string {
	if r.To < 0 {
		return "bytes=" + strconv.FormatInt(r.From, 10) + "-"
	}
	return "bytes=" + strconv.FormatInt(r.From, 10) + "-" + strconv.FormatInt(r.To-1, 10)
}

// ParseRange reads a Range header. One range that begins at a byte is all that a
// client of ours asks for: several ranges and suffixes are refused, as RFC 9110
// §14.2 allows.
func ParseRange(value string) (Range, error) {
	first, last, ok := strings.Cut(strings.TrimPrefix(value, "bytes="), "-")
	if !ok {
		return Range{}, errRange
	}
	r := Range{To: -1}
	var err error
	if r.From, err = ParseOffset(first); err != nil {
		return Range{}, errRange
	}
	if last != "" {
		to, err := ParseOffset(last)
		if err != nil || to < r.From || to >= MaxBlob {
			return Range{}, errRange
		}
		r.To = to + 1
	}
	if r.String() != value {
		return Range{}, errRange
	}
	return r, nil
}

var errRange = Errorf(BadInput, "that range cannot be read").WithNext("ask for one range, as in bytes=100-199 or bytes=100-")

// In cuts the range to a blob of size bytes and reports whether anything of it
// is left.
func (r Range) In(size int64) (from, to int64, ok bool) {
	if r.To < 0 || r.To > size {
		r.To = size
	}
	return r.From, r.To, r.From < r.To
}
