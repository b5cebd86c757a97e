package identity

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net/url"

	"github.com/fxamacker/cbor/v2"

	"hearth/wire"
)

// entryVersion is the version of the entry format.
const entryVersion = 1

// Kind says what an entry does.
type Kind uint8

// The kinds of entry.
const (
	KindCreate   Kind = 1 // the first entry: first device, recovery key, home server
	KindAdd      Kind = 2 // one device more
	KindRevoke   Kind = 3 // one device less, for good
	KindRecovery Kind = 4 // another recovery key; only the old one may sign it
	KindMove     Kind = 5 // another home server
	KindClosed   Kind = 6 // the account has ended; nothing follows
)

// entry is the stored form of one link of a chain.
type entry struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	Number  uint32 // 1 for the first entry
	Prev    Hash   // of the entry before; zero in the first
	Kind    Kind
	Body    cbor.RawMessage // one of the bodies below, as Kind says
	// Signer is the id of the device that signed, empty for the recovery key.
	Signer    []byte
	Signature []byte // Ed25519 over entryTBS
}

// entryTBS is what an entry's signature covers. The account is bound through
// Prev: the first entry's hash is the account id.
type entryTBS struct {
	_       struct{} `cbor:",toarray"`
	Label   string
	Version uint8
	Number  uint32
	Prev    Hash
	Kind    Kind
	Body    cbor.RawMessage
	Signer  []byte
}

type createBody struct {
	_        struct{} `cbor:",toarray"`
	Device   DeviceID
	Key      PublicKey
	Recovery PublicKey
	Server   string
}

type addBody struct {
	_      struct{} `cbor:",toarray"`
	Device DeviceID
	Key    PublicKey
	// Proof is the new device's own signature (see Candidate): nobody can take
	// another's device into a chain.
	Proof []byte
}

type revokeBody struct {
	_      struct{} `cbor:",toarray"`
	Device DeviceID
}

type recoveryBody struct {
	_        struct{} `cbor:",toarray"`
	Recovery PublicKey
}

type moveBody struct {
	_      struct{} `cbor:",toarray"`
	Server string
}

type closedBody struct {
	_ struct{} `cbor:",toarray"`
}

func (e *entry) tbs() []byte {
	return wire.Encode(entryTBS{
		Label: string(labelEntry), Version: e.Version, Number: e.Number, Prev: e.Prev,
		Kind: e.Kind, Body: e.Body, Signer: e.Signer,
	})
}

func (e *entry) signedBy(key PublicKey) bool {
	return ed25519.Verify(key[:], e.tbs(), e.Signature)
}

// step is a parsed entry with what follows from it alone.
type step struct {
	raw  []byte
	hash Hash
	pos  Position // after this entry; set when it takes its place in a chain
	entry
	body any // *createBody … *closedBody
}

// byRecovery reports whether the recovery key signed the entry.
func (s *step) byRecovery() bool { return len(s.Signer) == 0 }

// parseStep reads an entry's bytes; its place and signature are not checked
// yet.
func parseStep(raw []byte) (*step, error) {
	if len(raw) > wire.MaxChainEntry {
		return nil, fmt.Errorf("%w: a chain entry is larger than %d bytes", ErrInvalid, wire.MaxChainEntry)
	}
	s := &step{raw: append([]byte(nil), raw...), hash: sha256.Sum256(raw)}
	if err := wire.Decode(s.raw, &s.entry); err != nil {
		return nil, fmt.Errorf("%w: a chain entry could not be read: %w", ErrInvalid, err)
	}
	if s.Version != entryVersion {
		return nil, fmt.Errorf("%w: a chain entry of version %d; this program knows version %d: update it", ErrInvalid, s.Version, entryVersion)
	}
	if n := len(s.Signer); n != 0 && n != len(DeviceID{}) {
		return nil, fmt.Errorf("%w: a chain entry's signer has %d bytes", ErrInvalid, n)
	}
	switch s.Kind {
	case KindCreate:
		s.body = new(createBody)
	case KindAdd:
		s.body = new(addBody)
	case KindRevoke:
		s.body = new(revokeBody)
	case KindRecovery:
		s.body = new(recoveryBody)
	case KindMove:
		s.body = new(moveBody)
	case KindClosed:
		s.body = new(closedBody)
	default:
		return nil, fmt.Errorf("%w: a chain entry of unknown kind %d", ErrInvalid, s.Kind)
	}
	if err := wire.Decode(s.Body, s.body); err != nil {
		return nil, fmt.Errorf("%w: a chain entry's body could not be read: %w", ErrInvalid, err)
	}
	return s, nil
}

// CheckServer says whether s is a home server's URL in its one spelling:
// scheme http or https, a lower-case host, an optional port, nothing else.
func CheckServer(s string) error {
	u, err := url.Parse(s)
	if err != nil || len(s) > MaxServer || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" ||
		s != u.Scheme+"://"+u.Host || checkDomain(u.Host) != nil {
		return fmt.Errorf("%w: a home server is written like https://example.org or http://localhost:8420", ErrInvalid)
	}
	return nil
}
