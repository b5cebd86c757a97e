package roster

import (
	"bytes"
	"fmt"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

const changeVersion = 1

// Change is what a commit carries beside MLS's own proposals: the content of
// its one custom proposal. It is absent when it would be empty.
type Change struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	// State is the encoded new state; empty if the commit does not change it.
	State []byte
	// Chains are the chain entries that prove the commit's leaves, revocations
	// and closings, ordered by account.
	Chains   []ChainPart
	Evidence []Evidence
}

// ChainPart leads from the chain that the group knows to a later point: entries
// to append, or a whole chain (identity.Chain.Follow). For an account that is
// new it is the whole chain.
type ChainPart struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	Entries [][]byte
}

// Encode returns the change's deterministic CBOR.
func (c Change) Encode() []byte {
	c.Version = changeVersion
	return wire.Encode(c)
}

// ParseChange reads what Encode wrote. The parts are judged where they are
// used.
func ParseChange(b []byte) (Change, error) {
	var c Change
	if err := wire.Decode(b, &c); err != nil {
		return Change{}, fmt.Errorf("%w: the change could not be read: %w", ErrRefused, err)
	}
	if c.Version != changeVersion {
		return Change{}, refuse("a change of another version: update this program")
	}
	if len(c.State) == 0 && len(c.Chains) == 0 && len(c.Evidence) == 0 {
		return Change{}, refuse("a change that changes nothing")
	}
	if len(c.Chains) > MaxLimit || len(c.Evidence) > MaxLimit {
		return Change{}, refuse("a change that carries too much")
	}
	for i, p := range c.Chains {
		if i > 0 && bytes.Compare(c.Chains[i-1].Account[:], p.Account[:]) >= 0 {
			return Change{}, refuse("chains out of order, or one twice")
		}
		if len(p.Entries) == 0 || len(p.Entries) > identity.MaxEntries {
			return Change{}, refuse("a part of a chain with no entries, or too many")
		}
	}
	return c, nil
}

// Proposal is what a client adds to its commit to bring a change about.
type Proposal struct {
	// Custom goes into mls.CommitOptions.Custom; nil if there is nothing to
	// carry.
	Custom []mls.CustomProposal
	// Extensions goes into mls.CommitOptions.Extensions; nil if the state
	// stays.
	Extensions []mls.Extension
	// State is the state after the commit.
	State State
}

// Propose makes the proposal that leads from r to after. chains are those of
// new accounts, and newer ones of members than the group knows; after's
// positions are set from them. Evidence is what rights do not cover. Whether
// the commit is valid Judge says, of our own commits too.
func (r *Roster) Propose(after State, chains []*identity.Chain, evidence ...Evidence) (Proposal, error) {
	after = after.Clone()
	c := Change{Version: changeVersion, Evidence: evidence}
	for _, chain := range chains {
		part := ChainPart{Account: chain.Account()}
		m, in := after.Member(chain.Account())
		if known, ok := r.chains[chain.Account()]; ok {
			switch chain.Compare(known) {
			case identity.Ahead:
				part.Entries = chain.Since(known)
			case identity.Fork:
				return Proposal{}, refuse("a chain that forks from the one the group knows")
			default:
				continue // the group knows as much, or more
			}
		} else if part.Entries = chain.Entries(); !in {
			return Proposal{}, refuse("a chain of an account that is not in the roster")
		}
		if in {
			after.Put(chain, m.Role)
		}
		i, twice := c.findChain(part.Account)
		if twice {
			return Proposal{}, refuse("two chains of one account")
		}
		c.Chains = append(c.Chains[:i], append([]ChainPart{part}, c.Chains[i:]...)...)
	}
	if err := after.check(); err != nil {
		return Proposal{}, err
	}
	p := Proposal{State: after}
	if enc := after.Encode(); !bytes.Equal(enc, r.state.Encode()) {
		c.State = enc
		p.Extensions = Extensions(after)
	}
	if len(c.State) > 0 || len(c.Chains) > 0 || len(c.Evidence) > 0 {
		p.Custom = []mls.CustomProposal{{Type: ChangeProposal, Data: c.Encode()}}
	}
	return p, nil
}

func (c *Change) findChain(a wire.AccountID) (int, bool) {
	for i, p := range c.Chains {
		if n := bytes.Compare(p.Account[:], a[:]); n >= 0 {
			return i, n == 0
		}
	}
	return len(c.Chains), false
}

// Without returns the state that r's becomes when accounts leave: if no owner is
// left, the next in rank is one (protocol §4). In a direct conversation the
// state stays: its two accounts are its name.
func (r *Roster) Without(accounts ...wire.AccountID) State {
	s := r.State()
	if s.Kind != Group {
		return s
	}
	for _, a := range accounts {
		s.Drop(a)
	}
	if next, ok := r.heir(s); ok {
		s.SetRole(next, RoleOwner)
	}
	return s
}
