package mls

// Option hands facts to Process.
type Option func(*processOptions)

type processOptions struct {
	psks []PSK
}

// WithPSKs hands in the pre-shared keys that a commit may name. The group's own
// resumption secrets need not be among them.
func WithPSKs(psks ...PSK) Option {
	return func(o *processOptions) { o.psks = append(o.psks, psks...) }
}

// Process reads one MLSMessage of a member (or, where Limits allow, from
// outside) and changes nothing: what it would do is in the Staged it returns.
// Errors are those named in this package, for errors.Is; ErrInvalid stands for
// every broken rule of the RFC.
//
// A commit of our own, come back in the log, answers ErrOwnCommit: apply the
// saved PendingCommit.
func (g *Group) Process(msg []byte, opts ...Option) (*Staged, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	var o processOptions
	for _, f := range opts {
		f(&o)
	}
	m := new(message)
	if err := unmarshal(msg, m); err != nil {
		return nil, err
	}
	switch {
	case m.private != nil:
		return g.processPrivate(m.private, &o)
	case m.public != nil:
		return g.processPublic(m.public, &o)
	}
	return nil, errNotForGroup
}

// addressed checks group and epoch, RFC 9420 §6.1 and §12.4.2.
func (g *Group) addressed(groupID []byte, epoch uint64) error {
	if string(groupID) != string(g.ctx.groupID) {
		return ErrWrongGroup
	}
	if epoch != g.ctx.epoch {
		return ErrWrongEpoch
	}
	return nil
}

func (g *Group) processPrivate(m *privateMessage, o *processOptions) (*Staged, error) {
	a, generation, err := g.openMember(m)
	if err != nil {
		return nil, err
	}
	return g.stage(a, generation, o)
}

// openMember opens a member's PrivateMessage and verifies who sent it.
func (g *Group) openMember(m *privateMessage) (*authenticatedContent, uint32, error) {
	if err := g.addressed(m.groupID, m.epoch); err != nil {
		return nil, 0, err
	}
	s, err := openSenderData(g.p, m, g.keys.senderData)
	if err != nil {
		return nil, 0, err
	}
	// §6.3.2: the sender's leaf MUST be occupied.
	leaf := g.tree.leaf(LeafIndex(s.leaf))
	if leaf == nil {
		return nil, 0, errSenderBlank
	}
	own := LeafIndex(s.leaf) == g.own
	if own && s.generation < g.secrets.next(s.leaf, m.contentType) {
		if m.contentType == ContentCommit {
			return nil, 0, ErrOwnCommit
		}
		return nil, 0, ErrOwnMessage
	}
	k, err := g.secrets.peek(s.leaf, m.contentType, s.generation)
	if err != nil {
		return nil, 0, err
	}
	defer k.wipe()
	a, err := openPrivate(g.p, m, s, k)
	if err != nil {
		return nil, 0, err
	}
	if err := a.verify(g.p, leaf.SignatureKey, &g.ctx); err != nil {
		return nil, 0, err
	}
	if own {
		return nil, 0, ErrTwin
	}
	return a, s.generation, nil
}

func (g *Group) processPublic(m *publicMessage, o *processOptions) (*Staged, error) {
	if err := g.addressed(m.content.groupID, m.content.epoch); err != nil {
		return nil, err
	}
	if err := g.admit(&m.content); err != nil {
		return nil, err
	}
	a, err := openPublic(g.p, m, g.keys.membership, &g.ctx)
	if err != nil {
		return nil, err
	}
	key, err := g.senderKey(&a.content)
	if err != nil {
		return nil, err
	}
	if err := a.verify(g.p, key, &g.ctx); err != nil {
		return nil, err
	}
	if s := a.content.sender; s.kind == senderMember && LeafIndex(s.index) == g.own {
		if a.content.contentType == ContentCommit {
			return nil, ErrOwnCommit
		}
		return nil, ErrOwnMessage
	}
	return g.stage(a, 0, o)
}

// admit checks who may send what, RFC 9420 §6, and what Limits leave on, before
// any key is touched.
func (g *Group) admit(c *framedContent) error {
	switch c.sender.kind {
	case senderExternal, senderNewMemberProposal:
		if c.contentType != ContentProposal {
			return errSenderContent
		}
		if !g.limits.AllowExternalProposals {
			return ErrNotAllowed
		}
		return checkExternalSender(c.sender, c.proposal)
	case senderNewMemberCommit:
		if c.contentType != ContentCommit {
			return errSenderContent
		}
		if !g.limits.AllowExternalCommits {
			return ErrNotAllowed
		}
		// §12.4.3.2: an external commit MUST have a path.
		if c.commit.path == nil {
			return errExternalPath
		}
	}
	return nil
}

// senderKey is RFC 9420 §6.1: the key that a sender's signature must verify
// with.
func (g *Group) senderKey(c *framedContent) ([]byte, error) {
	switch c.sender.kind {
	case senderMember:
		leaf := g.tree.leaf(LeafIndex(c.sender.index))
		if leaf == nil {
			return nil, errSenderBlank
		}
		return leaf.SignatureKey, nil
	case senderExternal:
		// §12.1.8.1: an index into the external_senders extension.
		senders, err := externalSenders(g.ctx.extensions)
		if err != nil || uint64(c.sender.index) >= uint64(len(senders)) {
			return nil, errExternalSender
		}
		return senders[c.sender.index].SignatureKey, nil
	case senderNewMemberProposal:
		return c.proposal.Add.leaf.SignatureKey, nil
	default:
		return c.commit.path.leaf.SignatureKey, nil
	}
}

// stage reads authenticated content by kind.
func (g *Group) stage(a *authenticatedContent, generation uint32, o *processOptions) (*Staged, error) {
	s := &Staged{before: g, content: a, generation: generation}
	switch a.content.contentType {
	case ContentApplication:
		return s, nil
	case ContentProposal:
		if a.content.sender.kind == senderMember && !g.limits.AllowProposalsByReference {
			return nil, ErrNotAllowed
		}
		r := &resolved{proposal: a.content.proposal, sender: a.content.sender}
		if err := g.checkProposal(r); err != nil {
			return nil, err
		}
		if err := g.checkCustom(&plan{list: []resolved{*r}}); err != nil {
			return nil, err
		}
		s.ref = a.proposalRef(g.p)
		return s, nil
	}
	return g.stageCommit(s, a, o)
}
