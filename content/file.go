package content

import (
	"encoding/base64"
	"math"
	"strings"
	"time"

	"hearth/wire"
)

// Attached is a file that a message brings: where its sealed bytes lie, what opens
// them, and what its sender says of it. All that a sender says is a claim: who
// shows or writes the file makes Name harmless first, and never opens by it or by
// Type.
type Attached struct {
	Name, Type string
	Size       uint64 // of the plain bytes
	// Server holds the sealed bytes as Blob; Key opens them (core/sealedfile), and
	// Hash is the SHA-256 of the plain ones.
	Server string
	Blob   wire.BlobID
	Key    wire.Secret
	Hash   [32]byte
	// Caption is the text beside it.
	Caption string
	// Thumbnail is a small JPEG of a picture, made by the sender.
	Thumbnail []byte

	FileDetails
}

// FileDetails are what a player or a viewer wants to know before it has the file.
type FileDetails struct {
	// Millis is how long a recording is; Width and Height, a picture's pixels.
	Millis uint32 `cbor:"1,keyasint,omitempty"`
	Width  uint32 `cbor:"2,keyasint,omitempty"`
	Height uint32 `cbor:"3,keyasint,omitempty"`
	// Voice: it was spoken for this message.
	Voice bool `cbor:"4,keyasint,omitempty"`
	// Once: it is to be opened once, and then gone.
	Once bool `cbor:"5,keyasint,omitempty"`
	// Drop, in a direct conversation, lets the reader take the sealed bytes off the
	// server when the message ends with the reading.
	Drop []byte `cbor:"6,keyasint,omitempty"`
}

// KeyFile is the extension that holds FileDetails.
var KeyFile = ExtensionKey{Text: "hearth.file"}

const (
	// MaxFile is the largest file, bytes.
	MaxFile = 2 << 30
	// MaxThumbnail is the largest thumbnail, bytes.
	MaxThumbnail = 16 << 10
	// MaxFileName is the longest name that is sent, bytes.
	MaxFileName = maxShort
	// ThumbnailType is the media type of thumbnails.
	ThumbnailType = "image/jpeg"
	// UnknownType is the media type of what nobody knows.
	UnknownType = "application/octet-stream"
	// SealedFile is the number, of those for private use, that stands in EncAlg for
	// the form of core/sealedfile.
	SealedFile = 0xF001

	blobURL = "hearth:blob/"
)

// NewFile returns a message that brings a file.
func NewFile(a Attached, o Options) (*Message, error) {
	if a.Type == "" {
		a.Type = UnknownType
	}
	var ends uint32
	if e := o.Expires; e != nil && !e.Relative {
		ends = e.Time
	}
	parts := []Part{{Disposition: Attachment, Body: External{
		ContentType: a.Type, URL: blobURL + base64.RawURLEncoding.EncodeToString(a.Blob[:]) + "/" + a.Server, Expires: ends,
		Size: a.Size, EncAlg: SealedFile, Key: a.Key.Reveal(), HashAlg: hashSHA256, ContentHash: a.Hash[:], FileName: a.Name,
	}}}
	if a.Caption != "" {
		if err := CheckText(a.Caption); err != nil {
			return nil, err
		}
		parts = append([]Part{{Disposition: Render, Body: Single{TextPlain, []byte(a.Caption)}}}, parts...)
	}
	if len(a.Thumbnail) > 0 {
		parts = append(parts, Part{Disposition: Preview, Body: Single{ThumbnailType, a.Thumbnail}})
	}
	p := parts[0]
	if len(parts) > 1 {
		p = Part{Disposition: Render, Body: Multi{ProcessAll, parts}}
	}
	m := newMessage(o, p)
	if d := wire.Encode(a.FileDetails); len(d) > 1 {
		if m.Extensions == nil {
			m.Extensions = Extensions{}
		}
		m.Extensions[KeyFile] = d
	}
	if err := m.check(); err != nil {
		return nil, refused(err)
	}
	if _, ok := m.Attached(); !ok {
		return nil, refused(errForm)
	}
	return m, nil
}

// Attached returns the file that a message brings, if it is one that can be
// fetched.
func (m *Message) Attached() (a Attached, ok bool) {
	f, ok := m.File()
	if !ok || f.EncAlg != SealedFile || f.HashAlg != hashSHA256 || len(f.ContentHash) != 32 || len(f.Key) != 32 || f.Size > MaxFile {
		return a, false
	}
	name, server, ok := strings.Cut(strings.TrimPrefix(f.URL, blobURL), "/")
	id, err := base64.RawURLEncoding.Strict().DecodeString(name)
	if !ok || err != nil || len(id) != len(a.Blob) || !strings.HasPrefix(f.URL, blobURL) || server == "" {
		return a, false
	}
	a = Attached{Name: f.FileName, Type: f.ContentType, Size: f.Size, Server: server, Blob: wire.BlobID(id),
		Key: wire.SecretFrom(f.Key), Hash: [32]byte(f.ContentHash)}
	a.Caption, _ = m.Text()
	a.Thumbnail = thumbnailOf(m.Part)
	var d FileDetails
	if raw, there := m.Extensions[KeyFile]; there && decMode.Unmarshal(raw, &d) == nil && (len(d.Drop) == 0 || len(d.Drop) == 32) {
		a.FileDetails = d
	}
	return a, true
}

// WithText returns the message with the text of another in the place of its own: an
// edit changes what is said of a file, and not the file.
func (m *Message) WithText(e *Message) *Message {
	out := *m
	a, ok := m.Attached()
	text, is := e.Text()
	if !ok || !is {
		out.Part = e.Part
		return &out
	}
	a.Caption = text
	if f, err := NewFile(a, Options{}); err == nil {
		out.Part = f.Part
	}
	return &out
}

// Duration is how long a recording is.
func (d FileDetails) Duration() time.Duration { return time.Duration(d.Millis) * time.Millisecond }

// Lasting returns the details of a recording.
func (d FileDetails) Lasting(t time.Duration) FileDetails {
	d.Millis = uint32(min(max(t.Milliseconds(), 0), math.MaxUint32))
	return d
}

func thumbnailOf(p Part) []byte {
	m, ok := p.Body.(Multi)
	if !ok {
		return nil
	}
	for _, part := range m.Parts {
		s, ok := part.Body.(Single)
		if ok && part.Disposition == Preview && s.ContentType == ThumbnailType && len(s.Content) <= MaxThumbnail {
			return s.Content
		}
	}
	return nil
}
