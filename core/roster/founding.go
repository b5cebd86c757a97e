package roster

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// A conversation is not its room: when a room cannot go on, a member founds
// another, and the old room's log decides which one it is (protocol §5).

const foundingVersion = 1

// Founding is what a member says in the old room of the successor that it has
// founded; its leaf signs the notice around it. The wrapper around each Welcome
// of the successor carries it too.
type Founding struct {
	_            struct{} `cbor:",toarray"`
	Version      uint8
	Conversation ConversationID
	// Generation is the successor's.
	Generation uint32
	// Base is the epoch of the old room that the founder could build, and
	// Transcript that epoch's confirmed transcript hash.
	Base       uint64
	Transcript [sha256.Size]byte
	// Info is the SHA-256 of the GroupInfo in the successor's Welcomes: with it
	// the notice names one group and no other.
	Info [sha256.Size]byte
}

// Encode returns the founding's deterministic CBOR, with the present version.
func (f Founding) Encode() []byte {
	f.Version = foundingVersion
	return wire.Encode(f)
}

// ParseFounding reads what Encode wrote.
func ParseFounding(b []byte) (Founding, error) {
	var f Founding
	if err := wire.Decode(b, &f); err != nil {
		return Founding{}, fmt.Errorf("%w: a founding could not be read: %w", ErrRefused, err)
	}
	if f.Version != foundingVersion {
		return Founding{}, refuse("a founding of another version: update this program")
	}
	return f, nil
}

// Standing is what a reader of the old log knows when it comes to a founding
// notice: all of it follows from the log, so that all readers judge alike.
type Standing struct {
	// Newest is who is in the conversation by the newest state that the reader
	// can build: its epoch's, or what After makes of a commit it could not
	// enter.
	Newest *Roster
	// Epoch is the newest epoch that the reader could enter. Transcript is its
	// confirmed transcript hash, Before that of the epoch before; nil if the
	// reader was not there.
	Epoch      uint64
	Transcript [sha256.Size]byte
	Before     *[sha256.Size]byte
	// Accepted is the generation of the last founding that was valid in this
	// log; the conversation's own as long as there was none.
	Accepted uint32
	// OutOfStep lists who has posted an out-of-step notice since the log's
	// newest commit or valid founding.
	OutOfStep []wire.AccountID
}

// Judge says whether a founding notice of a device is valid. The first valid one
// of a generation counts, for everybody; a higher generation takes its place,
// which needs that somebody could not follow the last.
func (s Standing) Judge(f Founding, account wire.AccountID, device identity.DeviceID) error {
	st := s.Newest.state
	m, in := st.Member(account)
	_, has := s.Newest.LeafOf(account, device)
	switch {
	case f.Conversation != st.ID:
		return refuse("a founding for another conversation")
	case !in || !has:
		return refuse("a founding by a device that has no leaf in the conversation")
	case f.Generation != s.Accepted+1:
		return refuse("a founding of another generation than the next")
	case f.Base == s.Epoch:
		if f.Transcript != s.Transcript {
			return refuse("a founding upon another history")
		}
	case f.Base == s.Epoch-1 && s.Epoch > 0:
		if s.Before != nil && f.Transcript != *s.Before {
			return refuse("a founding upon another history")
		}
	case f.Base == 0 || f.Base-1 != s.Epoch:
		return refuse("a founding upon an epoch that is not the newest or beside it")
	}
	if s.stuck(account) {
		return nil
	}
	if s.Accepted != st.Generation {
		return refuse("a second founding though nobody is out of step")
	}
	// Owners and admins may move a conversation at will.
	if st.Kind != Direct && m.Role < RoleAdmin {
		return refuse("a founding by a member though nobody is out of step")
	}
	return nil
}

// stuck reports whether another than the founder is out of step. Its own word
// counts where there is no third who could be.
func (s Standing) stuck(founder wire.AccountID) bool {
	for _, a := range s.OutOfStep {
		if _, in := s.Newest.state.Member(a); in && (a != founder || len(s.Newest.state.Members) <= 2) {
			return true
		}
	}
	return false
}

// After returns the roster that a commit leads to whose proposals were read
// though it could not be entered (mls.Group.Peek): a successor's roster is the
// base's, changed by them. A commit that is refused changes nothing. If it goes
// beyond its sender's rights, the sender has signed that it does: the account is
// left out, unless nobody would be left.
func (r *Roster) After(ch mls.Changes) *Roster {
	after, err := r.Judge(ch)
	if err == nil {
		return after
	}
	l, ok := r.leaves[ch.Committer]
	if !ok || !errors.Is(err, errRights) || r.state.Kind != Group || len(r.state.Members) < 2 {
		return r
	}
	out := &Roster{state: r.Without(l.Account), chains: maps.Clone(r.chains), leaves: maps.Clone(r.leaves)}
	delete(out.chains, l.Account)
	for _, gone := range r.LeavesOf(l.Account) {
		delete(out.leaves, gone.Index)
	}
	return out
}

// Succeed returns the state with which a successor of r begins. chains are newer
// ones of its members: a device that has changed since is added by its new
// position.
func (r *Roster) Succeed(generation uint32, chains ...*identity.Chain) (State, [][][]byte) {
	s := r.State()
	s.Generation = generation
	known := maps.Clone(r.chains)
	for _, c := range chains {
		m, in := s.Member(c.Account())
		if in && c.Compare(known[c.Account()]) == identity.Ahead {
			known[c.Account()] = c
			s.Put(c, m.Role)
		}
	}
	var entries [][][]byte
	for _, m := range s.Members {
		entries = append(entries, known[m.Account].Entries())
	}
	return s, entries
}

// JudgeSuccessor says whether a group that was joined by a founding's Welcome is
// what the founding may lead to, in the eyes of one who knows r: everybody is
// there, with the role and under the settings that they had. Nobody is left out
// but by what After found; that somebody has no leaf yet is no offence, for a
// device may be out of reach. next has passed JudgeWelcome.
func (r *Roster) JudgeSuccessor(f Founding, next *Roster) error {
	a, b := r.state, next.state
	switch {
	case b.ID != a.ID || b.Kind != a.Kind || f.Conversation != a.ID:
		return refuse("a successor of another conversation")
	case b.Generation != f.Generation || b.Generation <= a.Generation:
		return refuse("a successor of another generation than its founding's")
	case a.Name != b.Name || a.Limit != b.Limit || a.Retention != b.Retention || a.Traced != b.Traced:
		return refuse("a successor with other settings")
	case !slices.EqualFunc(a.Members, b.Members, func(x, y Member) bool { return x.Account == y.Account && x.Role == y.Role }):
		return refuse("a successor with other people or roles")
	}
	for _, m := range a.Members {
		switch next.chains[m.Account].Compare(r.chains[m.Account]) {
		case identity.Ahead, identity.Same:
		default:
			return refuse("a successor that goes back behind a chain, or forks from it")
		}
	}
	return nil
}
