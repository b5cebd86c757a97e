package mls

import (
	"bytes"
)

// transition is the way from one epoch to the next, the same for the committer
// and for those who receive the commit: proposals, then path, then keys. It
// works on a copy of the tree; the group it starts from never changes.
type transition struct {
	g         *Group
	plan      *plan
	external  bool
	committer LeafIndex
	ctx       groupContext // of the next epoch, completed step by step
	tree      *ratchetTree
	added     []LeafIndex
	priv      *pathKeys
	own       LeafIndex
	ownUpdate *pendingProposal // our Update that this commit takes up
	removed   bool             // we are
	pathLeaf  bool             // the committer's leaf is new
}

// begin checks a proposal list and applies it, RFC 9420 §12.2 and §12.3.
// joiner is the path's leaf of an external commit, nil otherwise.
func (g *Group) begin(list []resolved, from sender, joiner *LeafNode, founding bool) (*transition, error) {
	pl, err := g.makePlan(list, from, founding)
	if err != nil {
		return nil, err
	}
	t := &transition{g: g, plan: pl, external: from.kind == senderNewMemberCommit,
		committer: LeafIndex(from.index), ctx: g.ctx, tree: g.tree.clone(), priv: g.priv, own: g.own}
	if pl.extensions != nil {
		t.ctx.extensions = pl.extensions.Extensions
	}
	for _, u := range pl.updates {
		i := LeafIndex(u.sender.index)
		t.tree.update(i, u.proposal.Update)
		if i == g.own {
			// Our own Update: its private key takes the place of the old one.
			t.ownUpdate = g.findPending(u.ref)
			if t.ownUpdate == nil || len(t.ownUpdate.leafKey) == 0 {
				return nil, ErrProposalUnknown
			}
		}
	}
	for _, i := range pl.removes {
		t.tree.remove(i)
		if i == g.own {
			t.removed = true
		}
	}
	for _, kp := range pl.adds {
		t.added = append(t.added, t.tree.add(kp.leaf))
	}
	if t.external {
		if err := t.addJoiner(joiner); err != nil {
			return nil, err
		}
	}
	if t.ownUpdate != nil {
		t.priv = t.priv.withLeaf(clone(t.ownUpdate.leafKey))
	}
	t.ctx.epoch++
	return t, nil
}

// addJoiner puts the leaf of an external commit where an Add would, RFC 9420
// §12.4.3.2.
func (t *transition) addJoiner(leaf *LeafNode) error {
	if t.plan.needsPath && leaf == nil {
		return errExternalPath
	}
	if len(t.plan.removes) == 1 {
		// §12.2: the leaf must meet what an Update of the removed one would;
		// whether both are one person is the application's to judge.
		old := t.g.tree.leaf(t.plan.removes[0])
		if bytes.Equal(old.EncryptionKey, leaf.EncryptionKey) {
			return errExternalRemove
		}
	}
	t.committer = t.tree.reserve()
	return nil
}

// provisional is the GroupContext that path secrets are sealed under, RFC 9420
// §12.4.1: all of the next epoch's but the transcript hash.
func (t *transition) provisional(treeHash []byte) []byte {
	ctx := t.ctx
	ctx.treeHash = treeHash
	return marshal(&ctx)
}

// schedule is what the key schedule yields on the way.
type schedule struct {
	next    *Group
	joiner  []byte // joiner_secret, for Welcomes
	psk     []byte // psk_secret
	ids     []PSKID
	confirm []byte // confirmation tag
}

// finish runs the key schedule, RFC 9420 §8 and §12.4.2. a is the signed commit,
// without its tag.
func (t *transition) finish(a *authenticatedContent, initSecret, commitSecret []byte, psks pskTable) (*schedule, error) {
	g, p := t.g, t.g.p
	psk, err := pskSecret(p, t.plan.psks, psks)
	if err != nil {
		return nil, err
	}
	t.priv = t.priv.current(t.tree)
	t.ctx.treeHash = t.tree.rootHash()
	t.ctx.confirmedTranscriptHash = confirmedHash(p, g.interim, a)
	ctx := marshal(&t.ctx)
	if commitSecret == nil {
		commitSecret = make([]byte, p.nh) // §8: zeros where there is no path
	}
	joiner := joinerSecret(p, initSecret, commitSecret, ctx)
	keys, encryption := newEpochKeys(p, joiner, psk, ctx)
	next := &Group{p: p, limits: g.limits, ctx: t.ctx, tree: t.tree, own: t.own, priv: t.priv, sig: g.sig, reinit: t.plan.reinit}
	if t.ownUpdate != nil && t.ownUpdate.sigKey != nil {
		// A copy: the proposal stays pending if this transition is dropped.
		if next.sig, err = NewSignatureKey(p.suite, t.ownUpdate.sigKey.priv.bytes()); err != nil {
			return nil, err
		}
	}
	next.enter(keys, encryption)
	next.remember(g)
	return &schedule{next, joiner, psk, t.plan.psks, keys.confirmationTag(p, t.ctx.confirmedTranscriptHash)}, nil
}

// initSecret is the secret that the next epoch starts from, RFC 9420 §8.3: the
// last one's, or for an external commit the one that the joiner sent.
func (t *transition) initSecret() ([]byte, error) {
	if !t.external {
		return clone(t.g.keys.init), nil
	}
	priv, _, err := t.g.p.deriveKeyPair(t.g.keys.external)
	if err != nil {
		return nil, err
	}
	defer clear(priv)
	secret, err := t.g.p.exportFromExternal(priv, t.plan.externalInit)
	if err != nil {
		return nil, ErrDecrypt
	}
	return secret, nil
}

// stageCommit reads an authenticated commit, RFC 9420 §12.4.2.
func (g *Group) stageCommit(s *Staged, a *authenticatedContent, o *processOptions) (*Staged, error) {
	c := a.content.commit
	list, err := g.resolve(c, a.content.sender)
	if err != nil {
		return nil, err
	}
	var joiner *LeafNode
	if c.path != nil {
		joiner = c.path.leaf
	}
	t, err := g.begin(list, a.content.sender, joiner, false)
	if err != nil {
		return nil, err
	}
	// §12.4: some kinds of proposal need a path, and so does an empty commit.
	if t.plan.needsPath && c.path == nil {
		return nil, errCommitNoPath
	}
	var commitSecret []byte
	if c.path != nil {
		if commitSecret, err = t.readPath(c.path); err != nil {
			return nil, err
		}
	}
	defer clear(commitSecret)
	if err := t.checkResult(); err != nil {
		return nil, err
	}
	s.list, s.added, s.committer, s.external = list, t.added, t.committer, t.external
	if t.removed {
		s.removed = true
		return s, nil
	}
	init, err := t.initSecret()
	if err != nil {
		return nil, err
	}
	defer clear(init)
	sch, err := t.finish(a, init, commitSecret, g.psks(o.psks))
	if err != nil {
		return nil, err
	}
	clear(sch.joiner)
	clear(sch.psk)
	// §12.4.2: the confirmation tag MUST match.
	if !macEqual(sch.confirm, a.auth.confirmationTag) {
		sch.next.retire(g)
		return nil, errConfirmationTag
	}
	s.next = sch.next
	return s, nil
}

// readPath merges a received path and opens our share of it, RFC 9420 §7.5 and
// §12.4.2.
func (t *transition) readPath(path *updatePath) (commitSecret []byte, err error) {
	if err := t.tree.applyPath(t.committer, path, t.ctx.groupID, t.added); err != nil {
		return nil, err
	}
	t.pathLeaf = true
	if t.removed {
		return nil, nil // nothing in it is for us any more
	}
	t.priv, commitSecret, err = t.priv.openPath(t.tree, t.own, t.committer, path, t.added, t.provisional(t.tree.rootHash()))
	return commitSecret, err
}

// checkResult is the end of RFC 9420 §12.2: the tree after the commit is valid
// (§7.3), and every member supports what the group's extensions ask (§12.1.7,
// §11.1).
func (t *transition) checkResult() error {
	if n, limit := t.tree.members(), t.g.limits.MaxMembers; limit > 0 && n > limit && n > t.g.tree.members() {
		return ErrTooManyMembers
	}
	if err := t.tree.checkUnique(); err != nil {
		return err
	}
	changed := t.added
	if t.plan.extensions != nil {
		// §12.1.7: the new list binds everybody.
		if _, err := externalSenders(t.ctx.extensions); err != nil {
			return errExtensionsForm
		}
		changed = t.tree.allMembers()
	} else {
		for _, u := range t.plan.updates {
			changed = append(changed[:len(changed):len(changed)], LeafIndex(u.sender.index))
		}
		if t.pathLeaf {
			changed = append(changed[:len(changed):len(changed)], t.committer)
		}
	}
	return t.tree.checkMembers(changed, t.ctx.extensions)
}
