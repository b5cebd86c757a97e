package roster

import (
	"fmt"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

const storedVersion = 1

// stored is the form of a Roster on disk.
type stored struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	State   []byte
	Chains  [][][]byte // in the order of the state's members
	Leaves  []storedLeaf
}

type storedLeaf struct {
	_        struct{} `cbor:",toarray"`
	Index    uint32
	Account  wire.AccountID
	Device   identity.DeviceID
	Position identity.Position
	Key      identity.PublicKey
	Hash     LeafHash
}

// Marshal returns the roster's bytes, the same for the same roster.
func (r *Roster) Marshal() []byte {
	s := stored{Version: storedVersion, State: r.state.Encode(), Chains: r.Chains()}
	for _, l := range r.Leaves() {
		s.Leaves = append(s.Leaves, storedLeaf{
			Index: uint32(l.Index), Account: l.Account, Device: l.Device, Position: l.Position, Key: l.Key, Hash: l.Hash,
		})
	}
	return wire.Encode(s)
}

// Parse reads what Marshal wrote and proves all of it again: chains and leaves
// (attacks A12). Whether it fits the group on the same disk Check says.
func Parse(b []byte) (*Roster, error) {
	var s stored
	if err := wire.Decode(b, &s); err != nil || s.Version != storedVersion {
		return nil, refuse("a stored roster could not be read")
	}
	state, err := ParseState(s.State)
	if err != nil {
		return nil, err
	}
	r := &Roster{state: state, chains: map[wire.AccountID]*identity.Chain{}, leaves: map[mls.LeafIndex]Leaf{}}
	if len(s.Chains) != len(state.Members) {
		return nil, refuse("a stored roster without the chain of each member")
	}
	for i, m := range state.Members {
		c, err := identity.VerifyFor(m.Account, s.Chains[i])
		if err != nil {
			return nil, fmt.Errorf("%w: a stored roster: %w", ErrRefused, err)
		}
		if c.Position() != m.Position || c.Head() != m.Head {
			return nil, refuse("a chain that is not the one the group knows")
		}
		r.chains[m.Account] = c
	}
	for i, l := range s.Leaves {
		if i > 0 && s.Leaves[i-1].Index >= l.Index {
			return nil, refuse("a stored roster whose leaves are out of order")
		}
		c, ok := r.chains[l.Account]
		if !ok {
			return nil, refuse("a leaf of an account that is not in the roster")
		}
		if err := c.Proves(identity.Credential{Account: l.Account, Device: l.Device, Position: l.Position}, l.Key[:]); err != nil {
			return nil, fmt.Errorf("%w: a stored roster: %w", ErrRefused, err)
		}
		leaf := Leaf{Index: mls.LeafIndex(l.Index), Account: l.Account, Device: l.Device, Position: l.Position, Key: l.Key, Hash: l.Hash}
		if err := r.seat(leaf); err != nil {
			return nil, err
		}
	}
	return r, r.bound()
}
