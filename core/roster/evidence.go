package roster

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// maxNamed bounds the leaves that one piece of evidence names.
const maxNamed = 64

const evidenceVersion = 1

// EvidenceKind says what a piece of evidence is. Chain entries, the third kind
// that protocol §4 names, travel in Change.Chains: they speak for themselves.
type EvidenceKind uint8

// The kinds of evidence.
const (
	EvidenceRejoin EvidenceKind = 1 // Body is a rejoin, signed under identity.LabelRejoin
	EvidenceLeave  EvidenceKind = 2 // Body is a leave, signed under identity.LabelLeave
)

// Evidence is a statement that a device signed, by which any member may do what
// its role alone does not allow (protocol §4). It holds for one conversation.
type Evidence struct {
	_         struct{} `cbor:",toarray"`
	Kind      EvidenceKind
	Body      []byte
	Signature []byte
}

// rejoin asks for a fresh leaf: Remove for the device's old leaf if it is one of
// Leaves, Add for New. It is spent once the device has a leaf that it does not
// name.
type rejoin struct {
	_            struct{} `cbor:",toarray"`
	Version      uint8
	Conversation ConversationID
	Account      wire.AccountID
	Device       identity.DeviceID
	Position     identity.Position
	Leaves       []LeafHash // every leaf that the device may hold
	New          LeafHash   // the leaf in its new KeyPackage
	// Door is the SHA-256 of the door to answer at, which does not travel into
	// the group.
	Door [sha256.Size]byte
	// Suspect gave the device a seat that does not open; zero: nobody did
	// (protocol §2).
	Suspect wire.AccountID
}

// leave says that an account goes, with all its leaves. It is void when the
// account has a leaf that is not among Leaves, and spent once they are gone.
type leave struct {
	_            struct{} `cbor:",toarray"`
	Version      uint8
	Conversation ConversationID
	Account      wire.AccountID
	Device       identity.DeviceID
	Position     identity.Position
	Leaves       []LeafHash
}

// signed is what both have in common once read.
type signed struct {
	conversation ConversationID
	account      wire.AccountID
	device       identity.DeviceID
	position     identity.Position
	leaves       []LeafHash
	added        LeafHash // rejoin only
	door         [sha256.Size]byte
	suspect      wire.AccountID
	label        identity.Label
	Evidence
}

// read takes a piece of evidence apart; its signature is checked by signedBy.
func (e Evidence) read() (signed, error) {
	s := signed{Evidence: e}
	var version uint8
	var err error
	switch e.Kind {
	case EvidenceRejoin:
		var b rejoin
		err = wire.Decode(e.Body, &b)
		version = b.Version
		s.conversation, s.account, s.device, s.position, s.leaves = b.Conversation, b.Account, b.Device, b.Position, b.Leaves
		s.added, s.door, s.suspect, s.label = b.New, b.Door, b.Suspect, identity.LabelRejoin
	case EvidenceLeave:
		var b leave
		err = wire.Decode(e.Body, &b)
		version = b.Version
		s.conversation, s.account, s.device, s.position, s.leaves = b.Conversation, b.Account, b.Device, b.Position, b.Leaves
		s.label = identity.LabelLeave
	default:
		return s, refuse("evidence of a kind that there is not")
	}
	switch {
	case err != nil:
		return s, fmt.Errorf("%w: evidence could not be read: %w", ErrRefused, err)
	case version != evidenceVersion:
		return s, refuse("evidence of another version: update this program")
	case len(s.leaves) > maxNamed:
		return s, refuse("evidence that names too many leaves")
	}
	return s, nil
}

// signedBy checks that a device signed the evidence that is live at the
// account's known position, and does not speak from ahead of it.
func (s *signed) signedBy(c *identity.Chain) error {
	if c == nil || c.Account() != s.account {
		return refuse("evidence of an account that is not in the roster")
	}
	if s.position.Compare(c.Position()) > 0 {
		return refuse("evidence from ahead of the chain that travels with it")
	}
	if err := c.SignedBy(s.device, s.label, s.Body, s.Signature); err != nil {
		return refuse("evidence whose signer is not a live device at the account's known position")
	}
	return nil
}

func (s *signed) names(h LeafHash) bool { return slices.Contains(s.leaves, h) }

// NewLeave returns a device's signed word that its account leaves, with all the
// leaves that r shows.
func (r *Roster) NewLeave(key identity.DeviceKey, account wire.AccountID) (Evidence, error) {
	c, ok := r.chains[account]
	if !ok {
		return Evidence{}, refuse("an account that is not in the roster cannot leave")
	}
	b := leave{Version: evidenceVersion, Conversation: r.state.ID, Account: account, Device: key.ID(), Position: c.Position()}
	for _, l := range r.LeavesOf(account) {
		b.Leaves = append(b.Leaves, l.Hash)
	}
	body := wire.Encode(b)
	return Evidence{Kind: EvidenceLeave, Body: body, Signature: key.Sign(identity.LabelLeave, body)}, nil
}

// RejoinRequest is what a device that is out of step sends (protocol §5). Its
// Evidence goes into the commit that answers it.
type RejoinRequest struct {
	_          struct{} `cbor:",toarray"`
	Evidence   Evidence
	KeyPackage []byte // the whole KeyPackage, encoded
	// Door is where the answer goes, as core writes it; the group never sees
	// it.
	Door []byte
}

// NewRejoin returns a request of the device key, at its account's chain c, to be
// put back into a conversation: leaves are the hashes of every leaf that it may
// hold there, suspect whoever gave it a seat that does not open.
func NewRejoin(key identity.DeviceKey, c *identity.Chain, id ConversationID, leaves []LeafHash, kp *mls.KeyPackage, door []byte, suspect wire.AccountID) (RejoinRequest, error) {
	if len(leaves) > maxNamed {
		leaves = leaves[len(leaves)-maxNamed:] // the newest
	}
	body := wire.Encode(rejoin{
		Version: evidenceVersion, Conversation: id, Account: c.Account(), Device: key.ID(), Position: c.Position(),
		Leaves: leaves, New: HashLeaf(kp.Leaf()), Door: sha256.Sum256(door), Suspect: suspect,
	})
	r := RejoinRequest{
		Evidence:   Evidence{Kind: EvidenceRejoin, Body: body, Signature: key.Sign(identity.LabelRejoin, body)},
		KeyPackage: kp.Marshal(), Door: door,
	}
	return r, nil
}

// Encode returns the request's deterministic CBOR.
func (q RejoinRequest) Encode() []byte { return wire.Encode(q) }

// Statement is what a piece of evidence says; Roster.Read has checked who says
// it, as far as the group knows the chain.
type Statement struct {
	Kind         EvidenceKind
	Conversation ConversationID
	Account      wire.AccountID
	Device       identity.DeviceID
	// Position is how far the signer knew its own chain: if it is ahead of the
	// group's, the entries between are needed to answer.
	Position identity.Position
	// KeyPackage is the one to add; nil in a leave.
	KeyPackage *mls.KeyPackage
	Door       []byte
}

// ParseRejoin reads an encoded request and checks that its parts belong
// together, and its signature against the account's chain: the newest that the
// reader knows.
func ParseRejoin(b []byte, chain func(wire.AccountID) (*identity.Chain, bool)) (RejoinRequest, Statement, error) {
	var q RejoinRequest
	if err := wire.Decode(b, &q); err != nil {
		return q, Statement{}, fmt.Errorf("%w: the request could not be read: %w", ErrRefused, err)
	}
	s, err := q.Evidence.read()
	if err != nil {
		return q, Statement{}, err
	}
	if s.Kind != EvidenceRejoin {
		return q, Statement{}, refuse("a request to rejoin that is none")
	}
	if sha256.Sum256(q.Door) != s.door {
		return q, Statement{}, refuse("a request with another door than the one signed")
	}
	kp, err := mls.ParseKeyPackage(q.KeyPackage)
	if err != nil {
		return q, Statement{}, fmt.Errorf("%w: the request's KeyPackage: %w", ErrRefused, err)
	}
	if HashLeaf(kp.Leaf()) != s.added {
		return q, Statement{}, refuse("a request with another KeyPackage than the one signed")
	}
	c, _ := chain(s.account)
	if err := s.signedBy(c); err != nil {
		return q, Statement{}, err
	}
	st := s.statement()
	st.KeyPackage, st.Door = kp, q.Door
	return q, st, nil
}

// ReadLeave reads a signed leave and checks its signature against the account's
// chain: the newest that the reader knows.
func (e Evidence) ReadLeave(chain func(wire.AccountID) (*identity.Chain, bool)) (Statement, error) {
	s, err := e.read()
	if err != nil {
		return Statement{}, err
	}
	if s.Kind != EvidenceLeave {
		return Statement{}, refuse("a leave that is none")
	}
	c, _ := chain(s.account)
	if err := s.signedBy(c); err != nil {
		return Statement{}, err
	}
	return s.statement(), nil
}

func (s *signed) statement() Statement {
	return Statement{Kind: s.Kind, Conversation: s.conversation, Account: s.account, Device: s.device, Position: s.position}
}

// Encode returns the evidence's deterministic CBOR.
func (e Evidence) Encode() []byte { return wire.Encode(e) }

// ParseEvidence reads what Encode wrote, and its body's form.
func ParseEvidence(b []byte) (Evidence, error) {
	var e Evidence
	if err := wire.Decode(b, &e); err != nil {
		return e, fmt.Errorf("%w: evidence could not be read: %w", ErrRefused, err)
	}
	_, err := e.read()
	return e, err
}
