package mls

import (
	"fmt"
	"iter"
	"slices"
)

// Group is one member's view of a group in one epoch. It is a value to step,
// not a service: nothing in it runs by itself, and it is not safe for use by
// several goroutines at once.
//
// Process and Commit leave the group as it was, but for our own handshake
// generation; Encrypt, SkipTo and Staged.Apply change it. The tree is shared
// with the states that were made from this one and never changed in place.
type Group struct {
	p       *suiteParams
	limits  Limits
	ctx     groupContext
	tree    *ratchetTree // shared with neighbouring epochs, copied before a change
	own     LeafIndex
	priv    *pathKeys     // private keys of the nodes above our leaf, and of it
	sig     *SignatureKey // ours alone, shared along the epochs of this group
	interim []byte        // interim transcript hash, RFC 9420 §8.2
	keys    *epochKeys
	secrets *secretTree
	past    []pastEpoch       // oldest first, at most Limits.KeepEpochs
	pending []pendingProposal // sent by themselves in this epoch, in order of arrival
	reinit  *ReInit           // set once a ReInit was committed
	gone    bool              // wiped
}

// pastEpoch keeps one resumption secret, RFC 9420 §8.6.
type pastEpoch struct {
	epoch  uint64
	secret []byte
}

// pendingProposal is a proposal sent by itself, until the epoch ends.
type pendingProposal struct {
	ref      []byte
	sender   sender
	proposal *Proposal
	leafKey  []byte        // private key of our own Update's leaf
	sigKey   *SignatureKey // and its signature key where that changes, too
}

// GroupConfig says how a new group starts.
type GroupConfig struct {
	Suite      Suite
	GroupID    []byte      // unique, best random; nil makes 32 random bytes
	Extensions []Extension // of the GroupContext
	Limits     Limits
}

// MemberInfo is one leaf with its place. KeyPackage is set for members that a
// commit adds.
type MemberInfo struct {
	Index      LeafIndex
	Leaf       *LeafNode
	KeyPackage *KeyPackage
}

// NewGroup starts a group with one member in epoch 0, RFC 9420 §11. The key in
// me is copied.
func NewGroup(cfg GroupConfig, me Member, life Lifetime) (*Group, error) {
	p, err := cfg.Suite.params()
	if err != nil {
		return nil, err
	}
	id := slices.Clone(cfg.GroupID)
	if len(id) == 0 {
		id = p.random()
	}
	leaf, leafKey, err := newOwnLeaf(p, me, life)
	if err != nil {
		return nil, fmt.Errorf("make own leaf: %w", err)
	}
	tree, priv, err := singleLeafTree(p, leaf, leafKey)
	if err != nil {
		return nil, err
	}
	sig, err := NewSignatureKey(cfg.Suite, me.SignatureKey.priv.bytes())
	if err != nil {
		return nil, err
	}
	g := &Group{p: p, limits: cfg.Limits, tree: tree, priv: priv, sig: sig, ctx: groupContext{
		suite:      cfg.Suite,
		groupID:    id,
		treeHash:   tree.rootHash(),
		extensions: cloneExtensions(cfg.Extensions),
	}}
	if err := tree.checkMembers(tree.allMembers(), g.ctx.extensions); err != nil {
		return nil, err
	}
	// §11: the first epoch's secret is random.
	g.enter(keysOfEpochSecret(p, p.random()))
	return g, nil
}

// enter installs an epoch's keys and closes its transcript.
func (g *Group) enter(keys *epochKeys, encryptionSecret []byte) {
	g.keys = keys
	g.secrets = newSecretTree(g.p, g.tree.leafCount(), encryptionSecret, g.limits)
	g.interim = interimHash(g.p, g.ctx.confirmedTranscriptHash, keys.confirmationTag(g.p, g.ctx.confirmedTranscriptHash))
}

// usable refuses work on a group that is over.
func (g *Group) usable() error {
	if g.gone {
		return ErrRemoved
	}
	if g.reinit != nil {
		// RFC 9420 §11.2: after a ReInit nothing more is sent in the old group.
		return ErrReInitialised
	}
	return nil
}

// Epoch is the number of the current epoch.
func (g *Group) Epoch() uint64 { return g.ctx.epoch }

// GroupID is the group's identifier.
func (g *Group) GroupID() []byte { return slices.Clone(g.ctx.groupID) }

// Suite is the group's cipher suite.
func (g *Group) Suite() Suite { return g.ctx.suite }

// Limits are those the group was made or joined with.
func (g *Group) Limits() Limits { return g.limits }

// Extensions are those of the GroupContext: what all members have signed.
func (g *Group) Extensions() []Extension { return cloneExtensions(g.ctx.extensions) }

// ContextBytes is the encoded GroupContext, RFC 9420 §8.1.
func (g *Group) ContextBytes() []byte { return marshal(&g.ctx) }

// ConfirmedTranscriptHash names the history of commits up to this epoch.
func (g *Group) ConfirmedTranscriptHash() []byte {
	return slices.Clone(g.ctx.confirmedTranscriptHash)
}

// TreeHash is the hash of the ratchet tree, RFC 9420 §7.8.
func (g *Group) TreeHash() []byte { return slices.Clone(g.ctx.treeHash) }

// RatchetTree is the public tree in the form of RFC 9420 §12.4.3.3, for
// JoinOptions.RatchetTree.
func (g *Group) RatchetTree() []byte { return g.tree.marshal() }

// OwnLeaf is our place in the tree.
func (g *Group) OwnLeaf() LeafIndex { return g.own }

// SignaturePublicKey is the public half of our leaf's signature key.
func (g *Group) SignaturePublicKey() []byte { return g.sig.Public() }

// Members lists the occupied leaves in order.
func (g *Group) Members() []MemberInfo { return slices.Collect(g.members()) }

func (g *Group) members() iter.Seq[MemberInfo] {
	return func(yield func(MemberInfo) bool) {
		for i := range g.tree.leafCount() {
			if leaf := g.tree.leaf(LeafIndex(i)); leaf != nil {
				if !yield(MemberInfo{Index: LeafIndex(i), Leaf: leaf}) {
					return
				}
			}
		}
	}
}

// Member is the leaf at an index, if it is occupied.
func (g *Group) Member(i LeafIndex) (*LeafNode, bool) {
	leaf := g.tree.leaf(i)
	return leaf, leaf != nil
}

// EpochAuthenticator is RFC 9420 §8.7: equal for two members exactly when they
// are in the same epoch of the same group.
func (g *Group) EpochAuthenticator() []byte { return slices.Clone(g.keys.authenticator) }

// Export is the exporter of RFC 9420 §8.5: n secret bytes that the members of
// this epoch share. n is at most 255 hash lengths.
func (g *Group) Export(label string, context []byte, n int) ([]byte, error) {
	if g.gone {
		return nil, ErrRemoved
	}
	return exportSecret(g.p, g.keys.exporter, label, context, n)
}

// ReInit is what the committed ReInit asks for, or nil.
func (g *Group) ReInit() *ReInit { return g.reinit }

// ResumptionPSK is this epoch's resumption secret under its name, RFC 9420
// §8.6: for a commit (UsageApplication), or to bind the first commit of a
// successor (UsageReInit, UsageBranch).
func (g *Group) ResumptionPSK(usage PSKUsage) PSK {
	return NewPSK(PSKID{Type: PSKResumption, Usage: usage, GroupID: g.GroupID(), Epoch: g.ctx.epoch}, g.keys.resumption)
}

// psks completes what the caller hands in by the group's own resumption PSKs.
func (g *Group) psks(given []PSK) pskTable {
	t := newPSKTable(given)
	add := func(epoch uint64, secret []byte) {
		id := PSKID{Type: PSKResumption, GroupID: g.ctx.groupID, Epoch: epoch}
		t[id.name()] = secret
	}
	for _, e := range g.past {
		add(e.epoch, e.secret)
	}
	add(g.ctx.epoch, g.keys.resumption)
	return t
}

// OwnGeneration is the generation that the next Encrypt will use.
func (g *Group) OwnGeneration() uint32 {
	return g.secrets.next(uint32(g.own), ContentApplication)
}

// SkipTo moves our own application ratchet forward so that the next Encrypt
// uses at least this generation: after a restart, to the end of what was
// reserved. A smaller number changes nothing; more than Limits.MaxForward is
// refused.
func (g *Group) SkipTo(generation uint32) error {
	if g.gone {
		return ErrRemoved
	}
	return g.secrets.skipTo(uint32(g.own), ContentApplication, generation)
}

// Encrypt seals an application message as a PrivateMessage, RFC 9420 §6.3,
// padded with zeros to padTo bytes of content where it is shorter. It uses up
// one generation of our ratchet: save MarshalRatchets before the bytes leave.
func (g *Group) Encrypt(plaintext []byte, padTo int) ([]byte, error) {
	return g.EncryptWithData(plaintext, nil, padTo)
}

// EncryptWithData is Encrypt with authenticated_data: bytes that anyone can
// read and that the signature covers.
func (g *Group) EncryptWithData(plaintext, authenticatedData []byte, padTo int) ([]byte, error) {
	if err := g.usable(); err != nil {
		return nil, err
	}
	a := g.frame(wirePrivateMessage, authenticatedData)
	a.content.contentType = ContentApplication
	a.content.application = plaintext
	if err := a.sign(g.p, g.sig, &g.ctx); err != nil {
		return nil, err
	}
	return g.sealPrivate(a, padTo)
}

// frame starts a message of ours.
func (g *Group) frame(f wireFormat, authenticatedData []byte) *authenticatedContent {
	return &authenticatedContent{wireFormat: f, content: framedContent{
		groupID:           g.ctx.groupID,
		epoch:             g.ctx.epoch,
		sender:            sender{senderMember, uint32(g.own)},
		authenticatedData: authenticatedData,
	}}
}

// sealPrivate uses the next generation of our ratchet for the content's kind.
func (g *Group) sealPrivate(a *authenticatedContent, padTo int) ([]byte, error) {
	k, err := g.secrets.use(uint32(g.own), a.content.contentType)
	if err != nil {
		return nil, err
	}
	defer k.wipe()
	m, err := sealPrivate(g.p, a, g.keys.senderData, k, padTo)
	if err != nil {
		return nil, err
	}
	return marshal(&message{private: m}), nil
}

// seal frames signed content of ours either way.
func (g *Group) seal(a *authenticatedContent, padTo int) ([]byte, error) {
	if a.wireFormat == wirePublicMessage {
		return marshal(&message{public: sealPublic(g.p, a, g.keys.membership, &g.ctx)}), nil
	}
	return g.sealPrivate(a, padTo)
}

// retire wipes the secrets that belong to this epoch alone, RFC 9420 §9.2. What
// the state that takes its place shares with it is left.
func (g *Group) retire(keep *Group) {
	if g.gone {
		return
	}
	g.keys.wipe()
	g.secrets.wipe()
	g.priv.retire(keep.priv)
	g.forget()
	if g.sig != keep.sig {
		g.sig.Wipe()
	}
}

// forget drops what no other state shares.
func (g *Group) forget() {
	for i := range g.pending {
		clear(g.pending[i].leafKey)
		if k := g.pending[i].sigKey; k != nil {
			k.Wipe()
		}
	}
	for i := range g.past {
		clear(g.past[i].secret)
	}
	g.pending, g.past = nil, nil
	g.gone = true
}

// Wipe overwrites every secret of the group, its copy of our signature key
// included. The group is of no use afterwards.
func (g *Group) Wipe() {
	if g.gone {
		return
	}
	g.keys.wipe()
	g.secrets.wipe()
	g.priv.wipe()
	g.sig.Wipe()
	g.forget()
}

// Format keeps secrets out of logs for every verb.
func (g *Group) Format(f fmt.State, _ rune) { fmt.Fprint(f, "mls.Group(secret)") }
