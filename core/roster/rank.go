package roster

import (
	"bytes"
	"cmp"
	"slices"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// Rank returns the leaves in the order of protocol §5: owners, admins, members,
// each by leaf index. A leaf's place, from 0, says how long it waits before it
// answers a request or founds a successor.
func (r *Roster) Rank() []mls.LeafIndex {
	leaves := r.Leaves()
	slices.SortStableFunc(leaves, func(a, b Leaf) int {
		return cmp.Compare(r.role(b.Account), r.role(a.Account))
	})
	out := make([]mls.LeafIndex, len(leaves))
	for i, l := range leaves {
		out[i] = l.Index
	}
	return out
}

func (r *Roster) role(a wire.AccountID) Role {
	m, _ := r.state.Member(a)
	return m.Role
}

// heir returns the account that becomes owner when r's group goes on with the
// accounts of after, none of whom was owner: by role, then by lowest leaf index;
// those without a leaf come last, by account id. false when an owner stays.
func (r *Roster) heir(after State) (wire.AccountID, bool) {
	if r.state.Kind != Group {
		return wire.AccountID{}, false
	}
	var rest []Member // those who stay, with the roles they had
	for _, m := range r.state.Members {
		if _, stays := after.Member(m.Account); !stays {
			continue
		}
		if m.Role == RoleOwner {
			return wire.AccountID{}, false
		}
		rest = append(rest, m)
	}
	if len(rest) == 0 {
		return wire.AccountID{}, false
	}
	lowest := map[wire.AccountID]int64{}
	for _, l := range r.leaves {
		if i, ok := lowest[l.Account]; !ok || int64(l.Index) < i {
			lowest[l.Account] = int64(l.Index)
		}
	}
	place := func(a wire.AccountID) int64 {
		if i, ok := lowest[a]; ok {
			return i
		}
		return 1 << 32 // behind every leaf
	}
	first := slices.MinFunc(rest, func(a, b Member) int {
		return cmp.Or(cmp.Compare(b.Role, a.Role), cmp.Compare(place(a.Account), place(b.Account)), bytes.Compare(a.Account[:], b.Account[:]))
	})
	return first.Account, true
}

// Owed is what a client that knows newer chains sees to be done in a
// conversation (protocol §4: what is owed is computed, not remembered).
type Owed struct {
	// Chains are those of members that are ahead of what the group knows; they
	// travel with the commit.
	Chains []*identity.Chain
	// Remove lists leaves of devices that were revoked, or whose account was
	// closed.
	Remove []Leaf
	// Closed lists accounts that have ended.
	Closed []wire.AccountID
	// Add lists live devices without a leaf, by account. Those of one's own
	// account any device adds; those of others add theirs.
	Add []identity.Credential
}

// Owed compares the roster with the chains that the caller knows. Chains that
// fork from the group's are left out: commits are judged by what the group
// knows until a recovery-signed entry settles it (protocol §7).
func (r *Roster) Owed(known func(wire.AccountID) (*identity.Chain, bool)) Owed {
	var o Owed
	for _, m := range r.state.Members {
		c := r.chains[m.Account]
		if k, ok := known(m.Account); ok && k.Compare(c) == identity.Ahead {
			c = k
			o.Chains = append(o.Chains, c)
		}
		if c.Closed() {
			o.Closed = append(o.Closed, m.Account)
		}
		for _, l := range r.LeavesOf(m.Account) {
			cred := identity.Credential{Account: l.Account, Device: l.Device, Position: l.Position}
			if c.Proves(cred, l.Key[:]) != nil {
				o.Remove = append(o.Remove, l)
			}
		}
		for _, d := range c.Devices() {
			if _, ok := r.LeafOf(m.Account, d.ID); d.Live && !ok {
				o.Add = append(o.Add, c.CredentialOf(d.ID))
			}
		}
	}
	return o
}
