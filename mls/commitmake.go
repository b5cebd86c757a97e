package mls

import (
	"bytes"
	"fmt"
	"slices"
)

// CommitOptions says what a commit changes. The zero value renews our own path
// and nothing else.
type CommitOptions struct {
	Add        []*KeyPackage
	Remove     []LeafIndex
	Custom     []CustomProposal
	Extensions []Extension // the whole new list of the GroupContext; nil leaves it
	// ClearExtensions sets the GroupContext's extensions to none.
	ClearExtensions bool
	PSKs            []PSK
	ReInit          *ReInit
	ByReference     [][]byte // ProposalRefs of proposals sent by themselves, in the order given
	ReferencedPSKs  []PSK    // the keys that PSK proposals among ByReference name
	// NoPath leaves our path as it is where the RFC allows it (§12.4: only
	// Adds, PSKs, custom proposals or a ReInit).
	NoPath bool
	// Leaf changes our own leaf with the new path.
	Leaf *LeafChange
	// AuthenticatedData travels in the clear, signed; default empty.
	AuthenticatedData []byte
	// PadTo is the least size of the content inside a PrivateMessage.
	PadTo int
	// Public sends the commit as a PublicMessage.
	Public bool
	// WelcomeGroupInfoExtensions go into the GroupInfo inside the Welcomes.
	WelcomeGroupInfoExtensions []Extension
	// InlineTree puts the ratchet tree into the Welcomes, too; otherwise it is
	// PendingCommit.RatchetTree, to be sent beside them.
	InlineTree bool
}

// LeafChange is a new look for our own leaf; nil fields leave it as it is.
type LeafChange struct {
	Credential   *Credential
	Capabilities *Capabilities
	Extensions   []Extension // nil: unchanged; empty: none
	SignatureKey *SignatureKey
}

// PendingCommit is a commit of ours that is not yet known to have won. Save it,
// send its Message; when the first commit that leaves this epoch is ours, apply
// its Staged, then send the Welcomes; if it is another's, Discard it.
type PendingCommit struct {
	message []byte
	welcome *welcome // nil where nobody is added
	staged  *Staged
}

// Commit builds a commit from the current state, RFC 9420 §12.4.1. The group
// stays as it was, but for one of our handshake generations that a
// PrivateMessage uses up: the PendingCommit carries it along, so saving that one
// is enough.
func (g *Group) Commit(o CommitOptions) (*PendingCommit, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	c, list, err := g.commitProposals(&o)
	if err != nil {
		return nil, err
	}
	founding := g.ctx.epoch == 0 && g.tree.members() == 1
	from := sender{senderMember, uint32(g.own)}
	t, err := g.begin(list, from, nil, founding)
	if err != nil {
		return nil, err
	}
	if o.NoPath && (t.plan.needsPath || o.Leaf != nil) {
		return nil, fmt.Errorf("%w: these changes need a path", ErrUsage)
	}
	format := wirePrivateMessage
	if o.Public {
		format = wirePublicMessage
	}
	a := g.frame(format, o.AuthenticatedData)
	a.content.contentType = ContentCommit
	a.content.commit = c
	sig := g.sig
	var made *createdPath
	var commitSecret []byte
	if !o.NoPath {
		if o.Leaf != nil && o.Leaf.SignatureKey != nil {
			if sig, err = NewSignatureKey(g.ctx.suite, o.Leaf.SignatureKey.priv.bytes()); err != nil {
				return nil, err
			}
		}
		made, err = t.tree.createPath(g.own, g.changedLeaf(o.Leaf), sig, g.ctx.groupID, t.added, t.provisional)
		if err != nil {
			return nil, err
		}
		defer made.wipe()
		t.pathLeaf = true
		c.path, t.priv, commitSecret = made.path, made.keys, made.commitSecret
	}
	if err := t.checkResult(); err != nil {
		return nil, err
	}
	// §12.4.1: signed with the key that the group knows us by until the commit
	// is applied.
	if err := a.sign(g.p, g.sig, &g.ctx); err != nil {
		return nil, err
	}
	sch, err := t.finish(a, g.keys.init, commitSecret, g.psks(slices.Concat(o.PSKs, o.ReferencedPSKs)))
	if err != nil {
		return nil, err
	}
	defer clear(sch.joiner)
	defer clear(sch.psk)
	sch.next.sig = sig
	a.auth.confirmationTag = sch.confirm
	pc := &PendingCommit{staged: &Staged{before: g, content: a, next: sch.next, list: list,
		added: t.added, committer: g.own}}
	if len(o.Add)+len(t.added) > 0 {
		if pc.welcome, err = t.makeWelcome(sch, made, &o); err != nil {
			return nil, err
		}
	}
	pc.staged.generation = g.secrets.next(uint32(g.own), ContentCommit)
	if pc.message, err = g.seal(a, o.PadTo); err != nil {
		return nil, err
	}
	return pc, nil
}

// commitProposals turns options into a proposal list.
func (g *Group) commitProposals(o *CommitOptions) (*commit, []resolved, error) {
	c := new(commit)
	for _, ref := range o.ByReference {
		c.proposals = append(c.proposals, proposalOrRef{ref: ref})
	}
	add := func(p Proposal) { c.proposals = append(c.proposals, proposalOrRef{proposal: &p}) }
	if o.Extensions != nil || o.ClearExtensions {
		add(Proposal{Type: ProposalGroupContextExtensions, Extensions: cloneExtensions(o.Extensions)})
	}
	for _, i := range o.Remove {
		add(Proposal{Type: ProposalRemove, Remove: i})
	}
	for _, kp := range o.Add {
		add(Proposal{Type: ProposalAdd, Add: kp})
	}
	for i := range o.PSKs {
		add(Proposal{Type: ProposalPSK, PSK: o.PSKs[i].ID.freshNonce(g.p)})
	}
	if o.ReInit != nil {
		add(Proposal{Type: ProposalReInit, ReInit: o.ReInit})
	}
	for _, x := range o.Custom {
		if x.Type == 0 || ProposalType(x.Type).isDefault() {
			return nil, nil, fmt.Errorf("%w: a custom proposal has the number of one of the RFC's", ErrUsage)
		}
		add(Proposal{Type: ProposalType(x.Type), Custom: slices.Clone(x.Data)})
	}
	list, err := g.resolve(c, sender{senderMember, uint32(g.own)})
	return c, list, err
}

// changedLeaf is our leaf with what changes, to be given keys and signed.
func (g *Group) changedLeaf(ch *LeafChange) *LeafNode {
	leaf := g.tree.leaf(g.own).copy()
	if ch == nil {
		return leaf
	}
	if ch.Credential != nil {
		leaf.Credential = *ch.Credential
	}
	if ch.Capabilities != nil {
		leaf.Capabilities = *ch.Capabilities
	}
	if ch.Extensions != nil {
		leaf.Extensions = cloneExtensions(ch.Extensions)
	}
	return leaf
}

// makeWelcome seals the new epoch for those added, RFC 9420 §12.4.3.1.
func (t *transition) makeWelcome(sch *schedule, made *createdPath, o *CommitOptions) (*welcome, error) {
	info, err := sch.next.groupInfo(false, o.InlineTree, o.WelcomeGroupInfoExtensions)
	if err != nil {
		return nil, err
	}
	p := t.g.p
	ws := welcomeSecret(p, sch.joiner, sch.psk)
	defer clear(ws)
	w := &welcome{suite: t.ctx.suite, info: sealInfo(p, ws, info)}
	for i, kp := range t.plan.adds {
		secrets := &groupSecrets{joiner: sch.joiner, psks: sch.ids}
		if made != nil {
			// §12.4.3.1: the path secret of the lowest node above both.
			secrets.pathSecret = made.secretFor(t.added[i])
		}
		sealed, err := sealSecrets(p, kp, w.info, secrets)
		if err != nil {
			return nil, err
		}
		w.secrets = append(w.secrets, sealed)
	}
	return w, nil
}

// Message is the commit as an MLSMessage, to be sent to the group.
func (c *PendingCommit) Message() []byte { return slices.Clone(c.message) }

// Staged is what the commit does; apply it when the commit has won.
func (c *PendingCommit) Staged() *Staged { return c.staged }

// Welcome is the MLSMessage for one joiner, named by its KeyPackage's Ref, with
// nobody else's secrets in it. It is nil for others. Send it only once the
// commit has won.
func (c *PendingCommit) Welcome(ref []byte) []byte {
	if c.welcome == nil {
		return nil
	}
	for _, s := range c.welcome.secrets {
		if bytes.Equal(s.newMember, ref) {
			w := &welcome{suite: c.welcome.suite, secrets: []encryptedGroupSecrets{s}, info: c.welcome.info}
			return marshal(&message{welcome: w})
		}
	}
	return nil
}

// WelcomeAll is one MLSMessage for all joiners, nil where there are none.
func (c *PendingCommit) WelcomeAll() []byte {
	if c.welcome == nil {
		return nil
	}
	return marshal(&message{welcome: c.welcome})
}

// RatchetTree is the public tree of the new epoch, for the joiners.
func (c *PendingCommit) RatchetTree() []byte { return c.staged.next.RatchetTree() }

// Discard wipes the next epoch's secrets of a commit that lost.
func (c *PendingCommit) Discard() { c.staged.Discard() }

// Format keeps secrets out of logs for every verb.
func (c *PendingCommit) Format(f fmt.State, _ rune) { fmt.Fprint(f, "mls.PendingCommit(secret)") }
