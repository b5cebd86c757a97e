package mls

import (
	"bytes"
	"slices"
)

// resolved is a proposal of a commit with who proposed it.
type resolved struct {
	proposal *Proposal
	sender   sender
	ref      []byte // nil where the commit holds it by value
}

// resolve finds what a commit's references stand for, RFC 9420 §12.4. Proposals
// by value are the committer's.
func (g *Group) resolve(c *commit, from sender) ([]resolved, error) {
	list := make([]resolved, 0, len(c.proposals))
	seen := map[string]bool{}
	for i := range c.proposals {
		p := &c.proposals[i]
		if p.proposal != nil {
			list = append(list, resolved{p.proposal, from, nil})
			continue
		}
		if from.kind == senderNewMemberCommit {
			// §12.4.3.2: a joiner cannot know that a reference is right.
			return nil, errExternalReference
		}
		if !g.limits.AllowProposalsByReference && !g.limits.AllowExternalProposals {
			return nil, ErrNotAllowed
		}
		if seen[string(p.ref)] {
			return nil, errCommitSameProposal
		}
		seen[string(p.ref)] = true
		found := g.findPending(p.ref)
		if found == nil {
			return nil, ErrProposalUnknown
		}
		list = append(list, resolved{found.proposal, found.sender, p.ref})
	}
	return list, nil
}

func (g *Group) findPending(ref []byte) *pendingProposal {
	for i := range g.pending {
		if bytes.Equal(g.pending[i].ref, ref) {
			return &g.pending[i]
		}
	}
	return nil
}

// checkProposal makes the checks of RFC 9420 §12.1 that need one proposal and
// the current epoch only. It is run when a proposal arrives by itself and again
// for each one in a commit.
func (g *Group) checkProposal(r *resolved) error {
	p := r.proposal
	switch p.Type {
	case ProposalAdd:
		// §12.1.1, §10.1.
		if p.Add.Version != versionMLS10 || p.Add.Suite != g.ctx.suite {
			return errAddSuite
		}
		return p.Add.Verify()
	case ProposalUpdate:
		// §12.1.2: it replaces the leaf of the member who sent it.
		if r.sender.kind != senderMember {
			return errUpdateSender
		}
		old := g.tree.leaf(LeafIndex(r.sender.index))
		if old == nil {
			return errSenderBlank
		}
		if p.Update.Source != LeafFromUpdate {
			return errLeafSource
		}
		// §7.3, §12.1.2: a new encryption key.
		if bytes.Equal(old.EncryptionKey, p.Update.EncryptionKey) {
			return errUpdateSameKey
		}
		if err := p.Update.check(g.p); err != nil {
			return err
		}
		return p.Update.verifySignature(g.p, g.ctx.groupID, LeafIndex(r.sender.index))
	case ProposalRemove:
		// §12.1.3.
		if g.tree.leaf(p.Remove) == nil {
			return errRemoveBlank
		}
	case ProposalPSK:
		return checkPSK(g.p, &p.PSK)
	case ProposalReInit:
		// §12.1.5.
		if p.ReInit.Version < versionMLS10 {
			return errReInitVersion
		}
	case ProposalExternalInit:
		// §12.1.6: in external commits only.
		if r.sender.kind != senderNewMemberCommit {
			return errExternalInitHere
		}
	}
	return nil
}

// checkPSK is RFC 9420 §12.1.4 for a commit of the running group.
func checkPSK(p *suiteParams, id *PSKID) error {
	if id.Type == PSKResumption && id.Usage != UsageApplication {
		return errPSKUsageHere
	}
	if len(id.Nonce) != p.nh {
		return errPSKNonce
	}
	return nil
}

// plan is a proposal list sorted by kind, checked, in the order in which RFC
// 9420 §12.3 applies it.
type plan struct {
	list         []resolved
	extensions   *Proposal // GroupContextExtensions
	updates      []resolved
	removes      []LeafIndex
	adds         []*KeyPackage
	psks         []PSKID
	reinit       *ReInit
	externalInit []byte
	needsPath    bool // §12.4: empty, or a kind that needs one
}

// makePlan makes the checks of RFC 9420 §12.2 that need no new tree. founding
// is set for our own first commit of a re-initialised or branched group, whose
// PSK is bound to the old one (§11.2, §11.3).
func (g *Group) makePlan(list []resolved, from sender, founding bool) (*plan, error) {
	pl := &plan{list: list, needsPath: len(list) == 0}
	for i := range list {
		r := &list[i]
		p := r.proposal
		if !(founding && p.Type == ProposalPSK) {
			if err := g.checkProposal(r); err != nil {
				return nil, err
			}
		}
		switch p.Type {
		case ProposalAdd:
			pl.adds = append(pl.adds, p.Add)
		case ProposalUpdate:
			pl.updates = append(pl.updates, *r)
			pl.needsPath = true
		case ProposalRemove:
			pl.removes = append(pl.removes, p.Remove)
			pl.needsPath = true
		case ProposalPSK:
			pl.psks = append(pl.psks, p.PSK)
		case ProposalReInit:
			pl.reinit = p.ReInit
		case ProposalExternalInit:
			if pl.externalInit != nil {
				return nil, errExternalInitCount
			}
			pl.externalInit = append([]byte{}, p.KEMOutput...)
			pl.needsPath = true
		case ProposalGroupContextExtensions:
			// §12.2: one at most.
			if pl.extensions != nil {
				return nil, errCommitTwoExtensions
			}
			pl.extensions = p
			pl.needsPath = true
		}
	}
	// §12.2: the same PreSharedKeyID twice. A map, for a commit holds tens of
	// thousands of them.
	uses := make(map[string]bool, len(pl.psks))
	for i := range pl.psks {
		use := pl.psks[i].full()
		if uses[use] {
			return nil, errCommitSamePSK
		}
		uses[use] = true
	}
	var err error
	if from.kind == senderNewMemberCommit {
		err = g.checkExternalPlan(pl)
	} else {
		err = g.checkMemberPlan(pl, LeafIndex(from.index))
	}
	if err != nil {
		return nil, err
	}
	return pl, g.checkCustom(pl)
}

// checkMemberPlan is the first list of RFC 9420 §12.2.
func (g *Group) checkMemberPlan(pl *plan, committer LeafIndex) error {
	// That there is no ExternalInit was seen for each proposal by itself. A ReInit
	// stands alone.
	if pl.reinit != nil && len(pl.list) > 1 {
		return errCommitReInitAlone
	}
	touched := map[LeafIndex]bool{}
	for _, u := range pl.updates {
		i := LeafIndex(u.sender.index)
		if i == committer {
			return errCommitOwnUpdate
		}
		if touched[i] {
			return errCommitSameLeaf
		}
		touched[i] = true
	}
	for _, i := range pl.removes {
		if i == committer {
			return errCommitRemovesSelf
		}
		if touched[i] {
			return errCommitSameLeaf
		}
		touched[i] = true
	}
	return g.checkAdds(pl)
}

// checkAdds is the part of RFC 9420 §12.2 on clients: for this package two
// leaves are one client when they share a signature key. Whether two
// credentials are one person is the application's to judge.
func (g *Group) checkAdds(pl *plan) error {
	if len(pl.adds) == 0 {
		return nil
	}
	added := make(map[string]bool, len(pl.adds))
	for _, kp := range pl.adds {
		key := string(kp.leaf.SignatureKey)
		if added[key] {
			return errCommitSameClient
		}
		added[key] = true
	}
	for m := range g.members() {
		if added[string(m.Leaf.SignatureKey)] && !slices.Contains(pl.removes, m.Index) {
			return errCommitClientPresent
		}
	}
	return nil
}

// checkCustom is RFC 9420 §12.2: a proposal of another type than the RFC's
// needs the support of all who process the commit, which those being added or
// removed do not.
func (g *Group) checkCustom(pl *plan) error {
	for _, r := range pl.list {
		if r.proposal.Type.isDefault() {
			continue
		}
		for m := range g.members() {
			if !slices.Contains(pl.removes, m.Index) && !m.Leaf.Capabilities.SupportsProposal(uint16(r.proposal.Type)) {
				return errCustomSupport
			}
		}
	}
	return nil
}

// checkExternalPlan is the second list of RFC 9420 §12.2.
func (g *Group) checkExternalPlan(pl *plan) error {
	if pl.externalInit == nil {
		return errExternalInitCount
	}
	if len(pl.removes) > 1 {
		return errExternalRemoves
	}
	// "No other proposals" than ExternalInit, Remove and PreSharedKey.
	for i := range pl.list {
		switch pl.list[i].proposal.Type {
		case ProposalExternalInit, ProposalRemove, ProposalPSK:
		default:
			return errExternalKind
		}
	}
	return nil
}

// checkExternalSender is RFC 9420 §12.1.8: what may be proposed from outside.
func checkExternalSender(from sender, p *Proposal) error {
	switch from.kind {
	case senderNewMemberProposal:
		if p.Type != ProposalAdd {
			return errExternalProposal
		}
	case senderExternal:
		if p.Type == ProposalUpdate || p.Type == ProposalExternalInit {
			return errExternalProposal
		}
	}
	return nil
}
