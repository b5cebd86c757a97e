package mls

import "slices"

// Changes is what a commit does to the group, for the application to judge
// before Apply: identities, roles, who may do what.
type Changes struct {
	Committer LeafIndex // its leaf in the next epoch
	External  bool      // the committer joins by this very commit
	Added     []MemberInfo
	Removed   []MemberInfo
	Updated   []LeafChanged // by Update proposals and by the committer's path
	// ExtensionsBefore and ExtensionsAfter are those of the GroupContext.
	ExtensionsBefore, ExtensionsAfter []Extension
	PSKs                              []PSKID
	ReInit                            *ReInit
	Custom                            []CustomProposal
	Path                              bool // the commit renews the committer's path
	// ByReference lists who proposed what the commit only refers to, in the
	// order of the commit: the committer answers for all else.
	ByReference []Proposed
}

// LeafChanged is one member's leaf before and after.
type LeafChanged struct {
	Index    LeafIndex
	Old, New *LeafNode
}

// Proposed is a proposal that was sent by itself.
type Proposed struct {
	Sender   LeafIndex // or the index of an external sender
	Kind     SenderKind
	Proposal *Proposal
}

// Changes tells what a commit does; for anything but a commit it is empty.
func (s *Staged) Changes() Changes {
	if s.Kind() != ContentCommit {
		return Changes{}
	}
	g := s.before
	ch := Changes{
		Committer:        s.committer,
		External:         s.external,
		ExtensionsBefore: g.Extensions(),
		ExtensionsAfter:  g.Extensions(),
		Path:             s.content.content.commit.path != nil,
	}
	added := slices.Clone(s.added)
	for _, r := range s.list {
		p := r.proposal
		if r.ref != nil {
			ch.ByReference = append(ch.ByReference, Proposed{LeafIndex(r.sender.index), SenderKind(r.sender.kind), p})
		}
		switch p.Type {
		case ProposalAdd:
			info := MemberInfo{Leaf: p.Add.leaf, KeyPackage: p.Add}
			if len(added) > 0 {
				info.Index, added = added[0], added[1:]
			}
			ch.Added = append(ch.Added, info)
		case ProposalRemove:
			ch.Removed = append(ch.Removed, MemberInfo{Index: p.Remove, Leaf: g.tree.leaf(p.Remove)})
		case ProposalUpdate:
			i := LeafIndex(r.sender.index)
			ch.Updated = append(ch.Updated, LeafChanged{i, g.tree.leaf(i), p.Update})
		case ProposalGroupContextExtensions:
			ch.ExtensionsAfter = cloneExtensions(p.Extensions)
		case ProposalPSK:
			ch.PSKs = append(ch.PSKs, p.PSK)
		case ProposalReInit:
			ch.ReInit = p.ReInit
		case ProposalExternalInit:
		default:
			ch.Custom = append(ch.Custom, CustomProposal{uint16(p.Type), slices.Clone(p.Custom), LeafIndex(r.sender.index)})
		}
	}
	path := s.content.content.commit.path
	switch {
	case s.external:
		ch.Added = append(ch.Added, MemberInfo{Index: s.committer, Leaf: path.leaf})
	case path != nil:
		ch.Updated = append(ch.Updated, LeafChanged{s.committer, g.tree.leaf(s.committer), path.leaf})
	}
	return ch
}

func cloneExtensions(exts []Extension) []Extension {
	out := make([]Extension, 0, len(exts))
	for _, x := range exts {
		out = append(out, Extension{Type: x.Type, Data: slices.Clone(x.Data)})
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
