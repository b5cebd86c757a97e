package roster

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// stateVersion is the version of the state's format.
const stateVersion = 2

// Limits of a conversation.
const (
	// DefaultLimit is how many accounts a new group may have.
	DefaultLimit = 256
	// MaxLimit is the highest limit that a group may set: the state of so many
	// accounts fits MaxState.
	MaxLimit = 384
	// MaxState is the largest encoded state, bytes: it travels in each Welcome's
	// wrapper, which must fit a door's entry.
	MaxState = 32 << 10
	// MaxName is the longest name, bytes.
	MaxName = 128
	// MaxRetention is the longest timer, seconds: ten years.
	MaxRetention = 10 * 366 * 24 * 3600
)

// ConversationID names a conversation, whatever room it lives in: random for a
// group, derived for the other two kinds.
type ConversationID [32]byte

// String returns the id as people see it: 43 characters of unpadded base64url.
func (id ConversationID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseConversationID reads what String wrote.
func ParseConversationID(s string) (id ConversationID, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, errors.New("not a conversation id: want 43 characters of base64url")
	}
	return ConversationID(b), nil
}

// NewGroupID returns a fresh id for a group.
func NewGroupID() (id ConversationID) {
	rand.Read(id[:])
	return id
}

// DirectID returns the id of the direct conversation of two accounts, the same
// on both sides (protocol §6).
func DirectID(a, b wire.AccountID) ConversationID {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return sha256.Sum256(slices.Concat([]byte("hearth direct conversation v1\x00"), a[:], b[:]))
}

// SelfID returns the id of an account's self room.
func SelfID(a wire.AccountID) ConversationID {
	return sha256.Sum256(append([]byte("hearth self conversation v1\x00"), a[:]...))
}

// Kind is the kind of a conversation.
type Kind uint8

// The kinds of conversation.
const (
	Direct Kind = 1 // two accounts, for ever
	Group  Kind = 2
	Self   Kind = 3 // one account's devices
)

// Role is what an account may do, see the package's comment. Higher is more.
type Role uint8

// The roles. In a direct conversation both are members, in the self room the
// account is owner.
const (
	RoleMember Role = 1
	RoleAdmin  Role = 2
	RoleOwner  Role = 3
)

// String returns the role's name: member, admin or owner.
func (r Role) String() string {
	switch r {
	case RoleMember:
		return "member"
	case RoleAdmin:
		return "admin"
	case RoleOwner:
		return "owner"
	}
	return "unknown"
}

// Member is an account in the state.
type Member struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	Role    Role
	// Position and Head say how far the group knows the account's chain: the
	// highest position yet, and the hash of the entry there, so that a joiner
	// can be given no other chain.
	Position identity.Position
	Head     identity.Hash
}

// State is what a conversation's members have agreed on. The GroupContext holds
// its hash; it travels itself in the commit that changes it and in the wrapper
// around a Welcome, so that a report, which must reveal the GroupContext,
// reveals no role and no name (protocol §4).
type State struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	ID      ConversationID
	Kind    Kind
	Name    string
	Members []Member // ordered by account id
	// Limit is how many accounts there may be.
	Limit uint32
	// Retention is the timer in seconds; 0 keeps messages.
	Retention uint32
	// Traced mirrors the room's mode: posts show their seat (protocol §1).
	Traced bool
	// Generation orders the rooms of a conversation: 0 for the first, and one
	// more for each successor (protocol §5). No commit changes it.
	Generation uint32
}

// NewDirect returns the state of the direct conversation of two accounts.
func NewDirect(a, b *identity.Chain, retention uint32) State {
	s := State{Version: stateVersion, ID: DirectID(a.Account(), b.Account()), Kind: Direct, Limit: 2, Retention: retention}
	s.Put(a, RoleMember)
	s.Put(b, RoleMember)
	return s
}

// NewGroup returns the state of a group with its owner alone.
func NewGroup(id ConversationID, name string, owner *identity.Chain, retention uint32) State {
	s := State{Version: stateVersion, ID: id, Kind: Group, Name: name, Limit: DefaultLimit, Retention: retention}
	s.Put(owner, RoleOwner)
	return s
}

// NewSelf returns the state of an account's self room.
func NewSelf(c *identity.Chain, retention uint32) State {
	s := State{Version: stateVersion, ID: SelfID(c.Account()), Kind: Self, Limit: 1, Retention: retention}
	s.Put(c, RoleOwner)
	return s
}

// Clone returns a copy that shares nothing with s.
func (s State) Clone() State {
	s.Members = slices.Clone(s.Members)
	return s
}

func (s *State) find(a wire.AccountID) (int, bool) {
	return slices.BinarySearchFunc(s.Members, a, func(m Member, a wire.AccountID) int {
		return bytes.Compare(m.Account[:], a[:])
	})
}

// Member returns an account's place in the state.
func (s *State) Member(a wire.AccountID) (Member, bool) {
	if i, ok := s.find(a); ok {
		return s.Members[i], true
	}
	return Member{}, false
}

// Put sets an account's role, position and head, adding it if it is new.
func (s *State) Put(c *identity.Chain, r Role) {
	m := Member{Account: c.Account(), Role: r, Position: c.Position(), Head: c.Head()}
	i, ok := s.find(m.Account)
	if !ok {
		s.Members = slices.Insert(s.Members, i, Member{})
	}
	s.Members[i] = m
}

// SetRole sets the role of an account that is in the state.
func (s *State) SetRole(a wire.AccountID, r Role) {
	if i, ok := s.find(a); ok {
		s.Members[i].Role = r
	}
}

// Drop takes an account out.
func (s *State) Drop(a wire.AccountID) {
	if i, ok := s.find(a); ok {
		s.Members = slices.Delete(s.Members, i, i+1)
	}
}

// Encode returns the state's deterministic CBOR.
func (s State) Encode() []byte { return wire.Encode(s) }

// Hash returns the SHA-256 of the encoded state.
func (s State) Hash() [sha256.Size]byte { return sha256.Sum256(s.Encode()) }

// ParseState reads and checks an encoded state.
func ParseState(b []byte) (State, error) {
	var s State
	if len(b) > MaxState {
		return State{}, refuse("a state that is larger than any")
	}
	if err := wire.Decode(b, &s); err != nil {
		return State{}, fmt.Errorf("%w: the state could not be read: %w", ErrRefused, err)
	}
	return s, s.check()
}

// check is what every state must fulfil by itself.
func (s *State) check() error {
	switch {
	case s.Version != stateVersion:
		return refuse("a state of another version: update this program")
	case s.Limit < 1 || s.Limit > MaxLimit:
		return refuse("a size limit out of range")
	case len(s.Members) > int(s.Limit):
		return refuse("more accounts than the size limit")
	case s.Retention > MaxRetention:
		return refuse("a timer out of range")
	}
	owners := 0
	for i, m := range s.Members {
		if i > 0 && bytes.Compare(s.Members[i-1].Account[:], m.Account[:]) >= 0 {
			return refuse("accounts out of order, or one twice")
		}
		if m.Role < RoleMember || m.Role > RoleOwner {
			return refuse("a role that there is not")
		}
		if m.Position.Length == 0 {
			return refuse("an account without a chain position")
		}
		if m.Role == RoleOwner {
			owners++
		}
	}
	plain := s.Name == "" && !s.Traced
	switch s.Kind {
	case Direct:
		if len(s.Members) != 2 || s.Limit != 2 {
			return refuse("a direct conversation has exactly two accounts")
		}
		if s.ID != DirectID(s.Members[0].Account, s.Members[1].Account) {
			return refuse("a direct conversation's id is that of its two accounts")
		}
		for _, m := range s.Members {
			if m.Role != RoleMember {
				return refuse("a direct conversation has no roles")
			}
		}
		if !plain {
			return refuse("a direct conversation has no name and is not traced")
		}
	case Self:
		if len(s.Members) != 1 || owners != 1 || s.Limit != 1 || s.ID != SelfID(s.Members[0].Account) || !plain {
			return refuse("a self room has one account, its owner, and that account's id")
		}
	case Group:
		if owners == 0 {
			return refuse("a group has an owner")
		}
		if s.ID == (ConversationID{}) || !goodName(s.Name) {
			return refuse("a group has an id and a name of 1 to 128 bytes without control characters")
		}
	default:
		return refuse("a kind of conversation that there is not")
	}
	return nil
}

// goodName refuses what could make a name show as something else: control
// characters and those that turn the direction of text (attacks A35). The sets
// are written out, so that two versions of Unicode's tables cannot disagree.
func goodName(s string) bool {
	if s == "" || len(s) > MaxName || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		switch {
		case r < 0x20, r >= 0x7f && r < 0xa0, r == 0x61c, r == 0x200e, r == 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return false
		}
	}
	return true
}

// The codepoints of ours in MLS, from its ranges for private use.
const (
	// StateExtension is the GroupContext extension that holds the SHA-256 of
	// the encoded state.
	StateExtension uint16 = 0xF0A1
	// ChangeProposal is the custom proposal that carries a Change.
	ChangeProposal uint16 = 0xF0A2
)

// Extensions returns the GroupContext extensions of a group with state s. There
// are no others, and their order is fixed.
func Extensions(s State) []mls.Extension {
	required := mls.RequiredCapabilities{
		Extensions: []uint16{StateExtension}, Proposals: []uint16{ChangeProposal}, Credentials: []uint16{mls.CredentialBasic},
	}
	h := s.Hash()
	return []mls.Extension{required.Extension(), {Type: StateExtension, Data: h[:]}}
}

// Capabilities returns those of every leaf of ours.
func Capabilities() mls.Capabilities {
	c := mls.DefaultCapabilities()
	c.Extensions = append(c.Extensions, StateExtension)
	c.Proposals = append(c.Proposals, ChangeProposal)
	return c
}

// StateHash returns the hash that a GroupContext's extensions hold; false if
// they are not those of a conversation.
func StateHash(exts []mls.Extension) (h [sha256.Size]byte, ok bool) {
	for _, x := range exts {
		if x.Type == StateExtension && len(x.Data) == len(h) {
			return [sha256.Size]byte(x.Data), true
		}
	}
	return h, false
}

func equalExtensions(a, b []mls.Extension) bool {
	return slices.EqualFunc(a, b, func(x, y mls.Extension) bool { return x.Type == y.Type && bytes.Equal(x.Data, y.Data) })
}
