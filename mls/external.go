package mls

import "fmt"

// ExternalOptions go with an external commit.
type ExternalOptions struct {
	// RatchetTree is the tree of the GroupInfo's epoch; nil where it is inside.
	RatchetTree []byte
	// Remove takes out an old leaf of our own (a "resync"); nil removes nobody.
	Remove            *LeafIndex
	PSKs              []PSK
	AuthenticatedData []byte
	Limits            Limits
}

// JoinExternally joins by a commit of our own, RFC 9420 §12.4.3.2, from a
// GroupInfo with an external public key. It returns the commit, a PublicMessage,
// and our state in the epoch that it leads to: use that once the commit has won,
// and drop it if another has. Members accept it where
// Limits.AllowExternalCommits says so.
func JoinExternally(groupInfo []byte, me Member, life Lifetime, o ExternalOptions) ([]byte, *Group, error) {
	info, err := ParseGroupInfo(groupInfo)
	if err != nil {
		return nil, nil, err
	}
	p, err := info.context.suite.params()
	if err != nil {
		return nil, nil, err
	}
	base, err := externalBase(p, info, me, &o)
	if err != nil {
		return nil, nil, err
	}
	kem, initSecret, err := externalInit(p, info)
	if err != nil {
		return nil, nil, err
	}
	defer clear(initSecret)
	c := new(commit)
	add := func(p Proposal) { c.proposals = append(c.proposals, proposalOrRef{proposal: &p}) }
	add(Proposal{Type: ProposalExternalInit, KEMOutput: kem})
	if o.Remove != nil {
		add(Proposal{Type: ProposalRemove, Remove: *o.Remove})
	}
	for i := range o.PSKs {
		add(Proposal{Type: ProposalPSK, PSK: o.PSKs[i].ID.freshNonce(p)})
	}
	from := sender{kind: senderNewMemberCommit}
	list, err := base.resolve(c, from)
	if err != nil {
		return nil, nil, err
	}
	leaf := me.newLeaf(LeafFromCommit)
	t, err := base.begin(list, from, leaf, false)
	if err != nil {
		return nil, nil, err
	}
	t.own = t.committer
	made, err := t.tree.createPath(t.committer, leaf, base.sig, t.ctx.groupID, nil, t.provisional)
	if err != nil {
		return nil, nil, err
	}
	defer made.wipe()
	c.path, t.priv, t.pathLeaf = made.path, made.keys, true
	if err := t.checkResult(); err != nil {
		return nil, nil, err
	}
	a := &authenticatedContent{wireFormat: wirePublicMessage, content: framedContent{groupID: info.context.groupID,
		epoch: info.context.epoch, sender: from, authenticatedData: o.AuthenticatedData, contentType: ContentCommit, commit: c}}
	if err := a.sign(p, base.sig, &info.context); err != nil {
		return nil, nil, err
	}
	sch, err := t.finish(a, initSecret, made.commitSecret, newPSKTable(o.PSKs))
	if err != nil {
		return nil, nil, err
	}
	clear(sch.joiner)
	clear(sch.psk)
	a.auth.confirmationTag = sch.confirm
	return marshal(&message{public: &publicMessage{content: a.content, auth: a.auth}}), sch.next, nil
}

// externalBase is the group as an outsider knows it: its public state, checked,
// without any secret of the epoch.
func externalBase(p *suiteParams, info *GroupInfo, me Member, o *ExternalOptions) (*Group, error) {
	tree, err := joinTree(p, info, o.RatchetTree)
	if err != nil {
		return nil, err
	}
	signer := tree.leaf(LeafIndex(info.signer))
	if signer == nil {
		return nil, errWelcomeSigner
	}
	if err := info.verify(p, signer.SignatureKey); err != nil {
		return nil, err
	}
	if me.SignatureKey == nil || me.SignatureKey.suite != p.suite {
		return nil, fmt.Errorf("%w: the signature key is of another suite", ErrUsage)
	}
	sig, err := NewSignatureKey(p.suite, me.SignatureKey.priv.bytes())
	if err != nil {
		return nil, err
	}
	return &Group{p: p, limits: o.Limits, ctx: info.context, tree: tree, sig: sig, priv: newPathKeys(nil),
		keys: new(epochKeys), interim: interimHash(p, info.context.confirmedTranscriptHash, info.confirmationTag),
		own: noLeaf}, nil
}

// noLeaf is where an outsider stands: in no tree.
const noLeaf = LeafIndex(1<<32 - 1)

// externalInit is the joiner's side of RFC 9420 §8.3.
func externalInit(p *suiteParams, info *GroupInfo) (kemOutput, initSecret []byte, err error) {
	data, ok := findExtension(info.extensions, ExtensionExternalPub)
	if !ok {
		return nil, nil, errExternalPub
	}
	d := &decoder{b: data}
	pub := d.vec()
	if d.err != nil || len(d.b) > 0 {
		return nil, nil, errExternalPub
	}
	kemOutput, initSecret, err = p.exportToExternal(pub)
	if err != nil {
		return nil, nil, errExternalPub
	}
	return kemOutput, initSecret, nil
}
