package roster

import (
	"bytes"
	"errors"
	"fmt"
	"maps"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// Judge says whether a commit may be applied, by this roster and the commit
// alone, and returns the roster after it. The error wraps ErrRefused and names
// the rule; r is as it was. Every client asks it of every commit, its own
// included, before it applies it and again when it replays one from disk.
func (r *Roster) Judge(ch mls.Changes) (*Roster, error) {
	if err := r.checkShape(ch); err != nil {
		return nil, err
	}
	v := verdict{before: r, committer: r.leaves[ch.Committer]}
	if err := v.readChange(ch); err != nil {
		return nil, err
	}
	if err := v.followChains(); err != nil {
		return nil, err
	}
	if err := v.readState(ch); err != nil {
		return nil, err
	}
	if err := v.moveLeaves(ch); err != nil {
		return nil, err
	}
	if err := v.readEvidence(); err != nil {
		return nil, err
	}
	if err := v.judgeRights(); err != nil {
		return nil, fmt.Errorf("%w%w", err, errRights)
	}
	for a := range v.after.chains {
		if _, ok := v.after.state.Member(a); !ok {
			delete(v.after.chains, a)
		}
	}
	return v.after, nil
}

// errRights marks a commit that is sound in itself and more than its sender may
// do: an offence that the sender has signed. It has no text of its own.
var errRights = errors.New("")

// verdict is one judgement under way.
type verdict struct {
	before    *Roster
	committer Leaf
	change    Change
	after     *Roster
	changed   map[wire.AccountID]bool // accounts whose chain got further

	removed, added []Leaf
	evidence       []signed
	used           []bool // evidence that something rests on
}

// checkShape refuses what no commit of a conversation holds.
func (r *Roster) checkShape(ch mls.Changes) error {
	switch {
	// protocol §4: external commits and proposals are off.
	case ch.External:
		return refuse("an external commit")
	case len(ch.ByReference) > 0:
		return refuse("a proposal that does not travel in its commit")
	case ch.ReInit != nil:
		return refuse("a ReInit: a conversation moves by a successor room")
	case len(ch.PSKs) > 0:
		return refuse("a pre-shared key")
	case !equalExtensions(ch.ExtensionsBefore, Extensions(r.state)):
		return refuse("a commit of another group or epoch than the roster's")
	}
	if _, ok := r.leaves[ch.Committer]; !ok {
		return refuse("a commit by a leaf that is not in the roster")
	}
	return nil
}

// readChange finds the commit's custom proposal.
func (v *verdict) readChange(ch mls.Changes) (err error) {
	for i, p := range ch.Custom {
		switch {
		case p.Type != ChangeProposal:
			return refuse("a custom proposal of a type that there is not")
		case i > 0:
			return refuse("two changes in one commit")
		case p.Sender != ch.Committer:
			return refuse("a change that another than the committer proposes")
		}
		if v.change, err = ParseChange(p.Data); err != nil {
			return err
		}
	}
	return nil
}

// followChains takes in the chain entries that travel with the commit.
func (v *verdict) followChains() error {
	v.after = &Roster{chains: maps.Clone(v.before.chains), leaves: maps.Clone(v.before.leaves)}
	v.changed = map[wire.AccountID]bool{}
	for _, p := range v.change.Chains {
		var c *identity.Chain
		var err error
		if known, ok := v.before.chains[p.Account]; ok {
			c, err = known.Follow(p.Entries)
		} else {
			c, err = identity.VerifyFor(p.Account, p.Entries)
		}
		if err != nil {
			return fmt.Errorf("%w: chain entries: %w", ErrRefused, err)
		}
		v.after.chains[p.Account] = c
		v.changed[p.Account] = true
	}
	return nil
}

// readState finds the state after the commit: it travels exactly when it is
// changed, its hash is the extension's, its positions are those of the chains.
func (v *verdict) readState(ch mls.Changes) (err error) {
	s := v.before.State()
	if len(v.change.State) > 0 {
		if bytes.Equal(v.change.State, s.Encode()) {
			return refuse("a state that travels though it stays as it was")
		}
		if s, err = ParseState(v.change.State); err != nil {
			return err
		}
	}
	if s.ID != v.before.state.ID || s.Kind != v.before.state.Kind {
		return refuse("a conversation's id and kind never change")
	}
	if s.Generation != v.before.state.Generation {
		return refuse("a generation that changes in a commit: only a founding does that")
	}
	if !equalExtensions(ch.ExtensionsAfter, Extensions(s)) {
		return refuse("a state that is not the one that the commit signs")
	}
	for _, m := range s.Members {
		c, ok := v.after.chains[m.Account]
		if !ok {
			return refuse("an account without its chain")
		}
		if m.Position != c.Position() || m.Head != c.Head() {
			return refuse("a chain position in the state that is not the chain's")
		}
	}
	for a := range v.changed {
		_, was := v.before.state.Member(a)
		if _, is := s.Member(a); !was && !is {
			return refuse("a chain of an account that is not in the roster")
		}
	}
	v.after.state = s
	return nil
}

// moveLeaves applies the commit to the leaves, in the order of RFC 9420 §12.3:
// updates, removes, adds. Each leaf that is new or changed is proven, and each
// one that stays is proven again if its account's chain got further.
func (v *verdict) moveLeaves(ch mls.Changes) error {
	leaves := v.after.leaves
	gone := map[mls.LeafIndex]bool{}
	for _, m := range ch.Removed {
		gone[m.Index] = true
	}
	for _, u := range ch.Updated {
		old, ok := leaves[u.Index]
		if !ok || gone[u.Index] {
			return refuse("a change of a leaf that is not there")
		}
		l, err := v.after.prove(u.Index, u.New)
		if err != nil {
			return err
		}
		// attacks A12: an update never changes whose leaf it is.
		switch {
		case l.Account != old.Account:
			return refuse("an update that gives a leaf to another account")
		case l.Device != old.Device:
			return refuse("an update that gives a leaf to another device")
		case l.Position.Compare(old.Position) < 0:
			return refuse("an update that goes back to an older chain position")
		}
		leaves[u.Index] = l
	}
	for _, m := range ch.Removed {
		l, ok := v.before.leaves[m.Index]
		if _, still := leaves[m.Index]; !ok || !still {
			return refuse("a change of a leaf that is not there")
		}
		if m.Index == v.committer.Index {
			return refuse("a commit that removes its own sender")
		}
		delete(leaves, m.Index)
		v.removed = append(v.removed, l)
	}
	for _, l := range leaves {
		m, in := v.after.state.Member(l.Account)
		if !in {
			return refuse("an account that leaves the roster keeps a leaf")
		}
		if !v.changed[l.Account] {
			continue
		}
		cred := identity.Credential{Account: m.Account, Device: l.Device, Position: l.Position}
		if err := v.after.chains[l.Account].Proves(cred, l.Key[:]); err != nil {
			return fmt.Errorf("%w: a commit that brings a revocation and leaves the leaf: %w", ErrRefused, err)
		}
	}
	for _, m := range ch.Added {
		l, err := v.after.prove(m.Index, m.Leaf)
		if err != nil {
			return err
		}
		if err := v.after.seat(l); err != nil {
			return err
		}
		v.added = append(v.added, l)
	}
	return v.after.bound()
}

// readEvidence reads what the commit carries and checks who signed it.
func (v *verdict) readEvidence() error {
	for _, e := range v.change.Evidence {
		s, err := e.read()
		if err != nil {
			return err
		}
		if s.conversation != v.before.state.ID {
			return refuse("evidence of another conversation")
		}
		if _, ok := v.before.state.Member(s.account); !ok {
			return refuse("evidence of an account that is not in the roster")
		}
		if err := s.signedBy(v.after.chains[s.account]); err != nil {
			return err
		}
		v.evidence = append(v.evidence, s)
	}
	v.used = make([]bool, len(v.evidence))
	return nil
}
