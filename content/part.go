package content

import (
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"hearth/wire"
)

// Part is a body or a part of one: `[disposition, language, cardinality, …]`,
// where what follows depends on the cardinality (draft §4).
type Part struct {
	Disposition Disposition
	// Language is empty or a comma-separated list of language tags.
	Language string
	// Body is Null, Single, External or Multi.
	Body Body
}

// Body is one of Null, Single, External and Multi.
type Body interface{ cardinality() uint64 }

// Disposition says what a part is for. Values up to 255 that we don't know are
// kept.
type Disposition uint8

// The dispositions of the draft.
const (
	Unspecified Disposition = iota
	Render
	Reaction
	Profile
	Inline
	Icon
	Attachment
	Session
	Preview
)

// Null is the absent body: of a message that deletes another.
type Null struct{}

// Single is content that travels in the message.
type Single struct {
	ContentType string
	Content     []byte
}

// External is content that lies elsewhere, encrypted under a key of its own.
type External struct {
	ContentType string
	URL         string
	// Expires is when the content goes, seconds since 1970; 0 for unknown.
	Expires uint32
	Size    uint64
	// EncAlg is the AEAD's number, 0 for none; Key, Nonce and AAD are its.
	EncAlg uint16
	Key    []byte
	Nonce  []byte
	AAD    []byte
	// HashAlg is the number of a named information hash, 0 for none.
	HashAlg     uint8
	ContentHash []byte
	Description string
	// FileName is what the sender says: to be shown, never to be opened by.
	FileName string
}

// Multi is two parts or more.
type Multi struct {
	Semantics Semantics
	Parts     []Part
}

// Semantics says how the parts of a Multi belong together.
type Semantics uint8

// The semantics of the draft.
const (
	ChooseOne  Semantics = iota // the receiver picks one
	SingleUnit                  // all or none
	ProcessAll                  // as many as possible
)

func (Null) cardinality() uint64     { return 0 }
func (Single) cardinality() uint64   { return 1 }
func (External) cardinality() uint64 { return 2 }
func (Multi) cardinality() uint64    { return 3 }

// encodePart encodes a part that checkPart let pass.
func encodePart(p Part) cbor.RawMessage {
	fields := []any{uint64(p.Disposition), p.Language, p.Body.cardinality()}
	switch b := p.Body.(type) {
	case Single:
		fields = append(fields, b.ContentType, bstr(b.Content))
	case External:
		fields = append(fields, b.ContentType, b.URL, b.Expires, b.Size, b.EncAlg, bstr(b.Key), bstr(b.Nonce), bstr(b.AAD),
			uint64(b.HashAlg), bstr(b.ContentHash), b.Description, b.FileName)
	case Multi:
		parts := make([]cbor.RawMessage, len(b.Parts))
		for i, part := range b.Parts {
			parts[i] = encodePart(part)
		}
		fields = append(fields, uint64(b.Semantics), parts)
	}
	return wire.Encode(fields)
}

// bstr makes an absent byte string an empty one.
func bstr(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// fields reads the items of an array one after another; the first failure
// stays.
type fields struct {
	items []cbor.RawMessage
	err   error
}

func next[T any](f *fields) (v T) {
	if f.err != nil {
		return v
	}
	if len(f.items) == 0 {
		f.err = errForm
		return v
	}
	f.err = decMode.Unmarshal(f.items[0], &v)
	f.items = f.items[1:]
	return v
}

// parsePart reads a part and at most depth levels of it, and takes its parts
// from left.
func parsePart(b []byte, depth int, left *int) (p Part, err error) {
	*left--
	if depth == 0 || *left < 0 {
		return p, errTooMany
	}
	if len(b) == 0 {
		return p, errForm
	}
	var f fields
	if err := decMode.Unmarshal(b, &f.items); err != nil {
		return p, err
	}
	p.Disposition = next[Disposition](&f)
	p.Language = next[string](&f)
	switch next[uint64](&f) {
	case 0:
		p.Body = Null{}
	case 1:
		p.Body = Single{next[string](&f), next[[]byte](&f)}
	case 2:
		p.Body = External{next[string](&f), next[string](&f), next[uint32](&f), next[uint64](&f), next[uint16](&f),
			next[[]byte](&f), next[[]byte](&f), next[[]byte](&f), next[uint8](&f), next[[]byte](&f), next[string](&f), next[string](&f)}
	case 3:
		m := Multi{Semantics: next[Semantics](&f)}
		for _, raw := range next[[]cbor.RawMessage](&f) {
			part, err := parsePart(raw, depth-1, left)
			if err != nil {
				return p, err
			}
			m.Parts = append(m.Parts, part)
		}
		p.Body = m
	default:
		return p, errForm
	}
	// Items that are left over, and nulls, don't encode again as they came.
	return p, f.err
}

func checkPart(p Part, depth int, left *int) error {
	*left--
	if depth == 0 || *left < 0 {
		return errTooMany
	}
	if len(p.Language) > maxShort {
		return errTooLong
	}
	switch b := p.Body.(type) {
	case Null:
	case Single:
		if b.ContentType == "" {
			return errForm
		}
		if len(b.ContentType) > maxShort || b.ContentType == TextPlain && len(b.Content) > MaxText {
			return errTooLong
		}
		if b.ContentType == TextPlain && !utf8.Valid(b.Content) {
			return errForm
		}
	case External:
		if b.ContentType == "" || b.URL == "" {
			return errForm
		}
		if max(len(b.ContentType), len(b.FileName)) > maxShort || max(len(b.URL), len(b.Description)) > maxLong ||
			max(len(b.Key), len(b.Nonce), len(b.AAD), len(b.ContentHash)) > maxKey {
			return errTooLong
		}
	case Multi:
		// Draft §4: two parts at least.
		if len(b.Parts) < 2 || b.Semantics > ProcessAll {
			return errForm
		}
		for _, part := range b.Parts {
			if err := checkPart(part, depth-1, left); err != nil {
				return err
			}
		}
	default: // nil, or a pointer
		return errForm
	}
	return nil
}
