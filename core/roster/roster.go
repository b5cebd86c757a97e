// Package roster judges who is in a conversation and who may change it
// (protocol §4). No I/O, no clock, no goroutine.
//
// It promises that a commit is judged by the group's state and the commit's
// bytes alone, so that all members come to the same verdict; that every leaf,
// by whichever path it arrives or changes, is a live device of its account's
// chain; and that no server has a say. It must never learn what is said in the
// conversation, or what somebody knows from elsewhere: newer chain heads, who
// has accepted, who is blocked.
//
// The rights, in a group:
//
//   - An owner may do everything, promote and demote owners too. At least one
//     owner remains.
//   - An admin adds accounts as members, removes plain members, adds devices of
//     anyone in the roster, sets name, timer, limit and tracing, and may step
//     down. Only owners set other roles: an admin who could make admins could
//     not be undone by anyone but the owner.
//   - A member renews its own leaf, adds devices of its own account, brings in
//     chain entries with what follows from them, and refreshes others with
//     evidence.
//
// In a direct conversation both have one right: add devices of the two, set the
// timer. In the self room every device does what a member may. Nobody, owners
// included, takes single leaves out at will: a leaf goes with its account, or
// because its device was revoked, or by evidence.
//
// A commit that brings in a chain's revocation also removes the leaves that it
// ends, so that after every commit each leaf is live in the chain that the
// group knows.
//
// Start with Roster.Judge and JudgeWelcome; State is what the group has signed.
package roster

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// ErrRefused says that a commit, a Welcome or evidence breaks a rule of the
// conversation; its text says which. Nothing was changed.
var ErrRefused = errors.New("refused by the conversation's rules")

func refuse(rule string) error { return fmt.Errorf("%w: %s", ErrRefused, rule) }

// LeafHash is the SHA-256 of a leaf's encoding: it names one state of one leaf.
type LeafHash [sha256.Size]byte

// HashLeaf returns the hash that names l.
func HashLeaf(l *mls.LeafNode) LeafHash { return sha256.Sum256(l.Marshal()) }

// Leaf is one device's place in the group.
type Leaf struct {
	Index    mls.LeafIndex
	Account  wire.AccountID
	Device   identity.DeviceID
	Position identity.Position // as its credential says
	Key      identity.PublicKey
	Hash     LeafHash
}

// Roster is what a member knows of its conversation, all of it judged: the
// state, the chain of every account up to the state's position, and whose each
// leaf is. A *Roster never changes; Judge returns another.
type Roster struct {
	state  State
	chains map[wire.AccountID]*identity.Chain // one for each member of state
	leaves map[mls.LeafIndex]Leaf
}

// JudgeWelcome judges a whole group, as a joiner, a founder or a client that
// reads it from its disk must: the state against the GroupContext's extensions,
// the chains against the state, every leaf of the tree against its chain.
// chains holds one for each member of the state, in any order; entries behind
// the state's position are cut off.
func JudgeWelcome(state []byte, exts []mls.Extension, members []mls.MemberInfo, chains [][][]byte) (*Roster, error) {
	s, err := ParseState(state)
	if err != nil {
		return nil, err
	}
	if !equalExtensions(exts, Extensions(s)) {
		return nil, refuse("the state is not the one that the group has signed")
	}
	r := &Roster{state: s, chains: map[wire.AccountID]*identity.Chain{}, leaves: map[mls.LeafIndex]Leaf{}}
	for _, entries := range chains {
		c, err := identity.Verify(entries)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
		m, ok := s.Member(c.Account())
		if !ok || r.chains[c.Account()] != nil {
			return nil, refuse("a chain of an account that is not in the roster, or twice")
		}
		c, ok = c.Prefix(m.Position)
		if !ok || c.Head() != m.Head {
			return nil, refuse("a chain that is not the one the group knows")
		}
		r.chains[c.Account()] = c
	}
	for _, m := range s.Members {
		if r.chains[m.Account] == nil {
			return nil, refuse("the chain of a member is missing")
		}
	}
	for _, m := range members {
		l, err := r.prove(m.Index, m.Leaf)
		if err != nil {
			return nil, err
		}
		if err := r.seat(l); err != nil {
			return nil, err
		}
	}
	return r, r.bound()
}

// prove reads a leaf's credential and checks it against the chain of its
// account, which must be in the roster. Every leaf passes here, whichever way
// it came (attacks A12).
func (r *Roster) prove(i mls.LeafIndex, n *mls.LeafNode) (Leaf, error) {
	if n == nil {
		return Leaf{}, refuse("a change of a leaf that is not there")
	}
	if n.Credential.Type != mls.CredentialBasic {
		return Leaf{}, refuse("a leaf whose credential is not a basic one")
	}
	cred, err := identity.ParseCredential(n.Credential.Identity)
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: a leaf: %w", ErrRefused, err)
	}
	c := r.chains[cred.Account]
	if _, ok := r.state.Member(cred.Account); !ok || c == nil {
		return Leaf{}, refuse("a leaf of an account that is not in the roster")
	}
	if err := c.Proves(cred, n.SignatureKey); err != nil {
		return Leaf{}, fmt.Errorf("%w: a leaf: %w", ErrRefused, err)
	}
	return Leaf{
		Index: i, Account: cred.Account, Device: cred.Device, Position: cred.Position,
		Key: identity.PublicKey(n.SignatureKey), Hash: HashLeaf(n),
	}, nil
}

// seat puts a proven leaf in its place.
func (r *Roster) seat(l Leaf) error {
	if _, ok := r.leaves[l.Index]; ok {
		return refuse("two leaves in one place")
	}
	if _, ok := r.LeafOf(l.Account, l.Device); ok {
		return refuse("a second leaf of one device")
	}
	r.leaves[l.Index] = l
	return nil
}

func (r *Roster) bound() error {
	if len(r.leaves) > wire.MaxSeats {
		return refuse("more leaves than a conversation may have")
	}
	return nil
}

// Check says whether r is the roster of a group with these extensions and
// leaves: what a client that restores both from its disk asks.
func (r *Roster) Check(exts []mls.Extension, members []mls.MemberInfo) error {
	if !equalExtensions(exts, Extensions(r.state)) || len(members) != len(r.leaves) {
		return refuse("the roster is another group's, or of another epoch")
	}
	for _, m := range members {
		l, err := r.prove(m.Index, m.Leaf)
		if err != nil {
			return err
		}
		if r.leaves[m.Index] != l {
			return refuse("the roster is another group's, or of another epoch")
		}
	}
	return nil
}

// State returns a copy of the state.
func (r *Roster) State() State { return r.state.Clone() }

// Chain returns the chain of a member, as far as the group knows it.
func (r *Roster) Chain(a wire.AccountID) (*identity.Chain, bool) {
	c, ok := r.chains[a]
	return c, ok
}

// Chains returns all members' chains, as JudgeWelcome takes them.
func (r *Roster) Chains() [][][]byte {
	out := make([][][]byte, 0, len(r.state.Members))
	for _, m := range r.state.Members {
		out = append(out, r.chains[m.Account].Entries())
	}
	return out
}

// Leaf returns the leaf in a place.
func (r *Roster) Leaf(i mls.LeafIndex) (Leaf, bool) {
	l, ok := r.leaves[i]
	return l, ok
}

// LeafOf returns a device's leaf.
func (r *Roster) LeafOf(a wire.AccountID, d identity.DeviceID) (Leaf, bool) {
	for _, l := range r.leaves {
		if l.Account == a && l.Device == d {
			return l, true
		}
	}
	return Leaf{}, false
}

// Leaves returns all leaves, ordered by index.
func (r *Roster) Leaves() []Leaf {
	return r.leavesWhere(func(Leaf) bool { return true })
}

// LeavesOf returns an account's leaves, ordered by index.
func (r *Roster) LeavesOf(a wire.AccountID) []Leaf {
	return r.leavesWhere(func(l Leaf) bool { return l.Account == a })
}

func (r *Roster) leavesWhere(is func(Leaf) bool) (out []Leaf) {
	for _, l := range r.leaves {
		if is(l) {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b Leaf) int { return cmp.Compare(a.Index, b.Index) })
	return out
}
