package mls

import "fmt"

// ProposeOptions go with a proposal sent by itself.
type ProposeOptions struct {
	AuthenticatedData []byte
	PadTo             int
	Public            bool        // as a PublicMessage
	Leaf              *LeafChange // of an Update: what else changes in our leaf
}

// Propose sends a proposal by itself, for any member to commit, RFC 9420 §12.1.
// Members accept it where Limits.AllowProposalsByReference says so. Our own is
// pending at once; save MarshalRatchets before the bytes leave. ref names it.
func (g *Group) Propose(p Proposal, o ProposeOptions) (msg, ref []byte, err error) {
	if p.Type == ProposalUpdate {
		return nil, nil, fmt.Errorf("%w: ProposeUpdate makes Updates", ErrUsage)
	}
	if p.Type == ProposalPSK {
		p.PSK = p.PSK.freshNonce(g.p)
	}
	return g.propose(&pendingProposal{proposal: &p}, o)
}

// ProposeUpdate proposes a fresh leaf for ourselves, RFC 9420 §12.1.2. Its
// private key is kept with the group until somebody commits it or the epoch
// ends.
func (g *Group) ProposeUpdate(o ProposeOptions) (msg, ref []byte, err error) {
	if err := g.usable(); err != nil {
		return nil, nil, err
	}
	priv, pub, err := g.p.generateKeyPair()
	if err != nil {
		return nil, nil, err
	}
	leaf := g.changedLeaf(o.Leaf)
	leaf.EncryptionKey = pub
	leaf.Source = LeafFromUpdate
	leaf.Lifetime = Lifetime{}
	leaf.ParentHash = nil
	pending := &pendingProposal{proposal: &Proposal{Type: ProposalUpdate, Update: leaf}, leafKey: priv}
	key := g.sig
	if o.Leaf != nil && o.Leaf.SignatureKey != nil {
		if key, err = NewSignatureKey(g.ctx.suite, o.Leaf.SignatureKey.priv.bytes()); err != nil {
			return nil, nil, err
		}
		pending.sigKey = key
	}
	if err := leaf.sign(g.p, key, g.ctx.groupID, g.own); err != nil {
		return nil, nil, err
	}
	return g.propose(pending, o)
}

func (g *Group) propose(pending *pendingProposal, o ProposeOptions) (msg, ref []byte, err error) {
	if err := g.usable(); err != nil {
		return nil, nil, err
	}
	pending.sender = sender{senderMember, uint32(g.own)}
	r := &resolved{proposal: pending.proposal, sender: pending.sender}
	if err := g.checkProposal(r); err != nil {
		return nil, nil, err
	}
	if err := g.checkCustom(&plan{list: []resolved{*r}}); err != nil {
		return nil, nil, err
	}
	format := wirePrivateMessage
	if o.Public {
		format = wirePublicMessage
	}
	a := g.frame(format, o.AuthenticatedData)
	a.content.contentType = ContentProposal
	a.content.proposal = pending.proposal
	if err := a.sign(g.p, g.sig, &g.ctx); err != nil {
		return nil, nil, err
	}
	pending.ref = a.proposalRef(g.p)
	if msg, err = g.seal(a, o.PadTo); err != nil {
		return nil, nil, err
	}
	if g.findPending(pending.ref) == nil {
		g.pending = append(g.pending, *pending)
	}
	return msg, clone(pending.ref), nil
}

// PendingProposals lists what was proposed by itself in this epoch, oldest
// first, with the references that CommitOptions.ByReference takes.
func (g *Group) PendingProposals() (refs [][]byte, proposals []Proposed) {
	for i := range g.pending {
		p := &g.pending[i]
		refs = append(refs, clone(p.ref))
		proposals = append(proposals, Proposed{LeafIndex(p.sender.index), SenderKind(p.sender.kind), p.proposal})
	}
	return refs, proposals
}

// ProposeJoin asks a group, from outside, to add a client: a PublicMessage with
// an Add, RFC 9420 §12.1.8. key signs for the KeyPackage's leaf. Members accept
// it where Limits.AllowExternalProposals says so.
func ProposeJoin(info *GroupInfo, kp *KeyPackage, key *SignatureKey) ([]byte, error) {
	return proposeOutside(info, sender{kind: senderNewMemberProposal}, Proposal{Type: ProposalAdd, Add: kp}, key)
}

// ProposeExternally proposes as the index-th of the group's external senders,
// RFC 9420 §12.1.8.1.
func ProposeExternally(info *GroupInfo, index uint32, p Proposal, key *SignatureKey) ([]byte, error) {
	return proposeOutside(info, sender{senderExternal, index}, p, key)
}

func proposeOutside(info *GroupInfo, from sender, p Proposal, key *SignatureKey) ([]byte, error) {
	params, err := info.context.suite.params()
	if err != nil {
		return nil, err
	}
	if err := checkExternalSender(from, &p); err != nil {
		return nil, err
	}
	a := &authenticatedContent{wireFormat: wirePublicMessage, content: framedContent{groupID: info.context.groupID,
		epoch: info.context.epoch, sender: from, contentType: ContentProposal, proposal: &p}}
	if err := a.sign(params, key, &info.context); err != nil {
		return nil, err
	}
	return marshal(&message{public: &publicMessage{content: a.content, auth: a.auth}}), nil
}
