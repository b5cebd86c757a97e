package mls

import (
	"bytes"
)

// JoinOptions go with a Welcome.
type JoinOptions struct {
	// RatchetTree is the tree that was sent beside the Welcome, in the form of
	// Group.RatchetTree; nil where it is inside. One given here is preferred.
	RatchetTree []byte
	PSKs        []PSK
	Limits      Limits
	// Parent is our state in the group that this one follows by ReInit or
	// branches from (RFC 9420 §11.2, §11.3). A Welcome bound to such a group is
	// refused without it. Its resumption secret need not be among PSKs.
	Parent *Group
}

// Join enters a group by a Welcome, as an MLSMessage, RFC 9420 §12.4.3.1. It
// checks everything: the whole tree, all signatures, our own leaf, the keys. The
// members' credentials are the caller's to judge, before the group is used.
//
// Whether we are in a group of this id already (§12.4.3.1) is the caller's to
// know.
//
// The keys are left as they are, so that a failure can be tried again with what
// was missing; after success the caller MUST wipe them (secrets.Wipe), for a
// KeyPackage serves once.
func Join(welcomeMessage []byte, kp *KeyPackage, secrets *KeyPackageSecrets, o JoinOptions) (*Group, *GroupInfo, error) {
	m := new(message)
	if err := unmarshal(welcomeMessage, m); err != nil {
		return nil, nil, err
	}
	if m.welcome == nil {
		return nil, nil, errWireFormat
	}
	w := m.welcome
	if !secrets.matches(kp) {
		return nil, nil, ErrNotForUs
	}
	// §12.4.3.1: the suite is that of the KeyPackage.
	if w.suite != kp.Suite {
		return nil, nil, errWelcomeSuite
	}
	p, err := w.suite.params()
	if err != nil {
		return nil, nil, err
	}
	gs, info, j, err := openWelcome(p, w, kp, secrets, &o)
	if err != nil {
		return nil, nil, err
	}
	defer gs.wipe()
	defer clear(j.psk)
	// §12.4.3.1: suite and version are those of the KeyPackage (the version was
	// checked in reading).
	if info.context.suite != kp.Suite {
		return nil, nil, errWelcomeSuite
	}
	if err := checkSuccessor(gs.psks, info, o.Parent); err != nil {
		return nil, nil, err
	}
	tree, err := joinTree(p, info, o.RatchetTree)
	if err != nil {
		return nil, nil, err
	}
	if o.Limits.MaxMembers > 0 && tree.members() > o.Limits.MaxMembers {
		return nil, nil, ErrTooManyMembers
	}
	if err := checkBranchMembers(gs.psks, tree, o.Parent); err != nil {
		return nil, nil, err
	}
	own, ok := findLeaf(tree, kp.leaf)
	if !ok {
		return nil, nil, errWelcomeOwnLeaf
	}
	signer := tree.leaf(LeafIndex(info.signer))
	if signer == nil || LeafIndex(info.signer) == own {
		return nil, nil, errWelcomeSigner
	}
	if err := info.verify(p, signer.SignatureKey); err != nil {
		return nil, nil, err
	}
	priv := newPathKeys(clone(secrets.leafKey.bytes()))
	if gs.pathSecret != nil {
		if err := priv.join(tree, own, LeafIndex(info.signer), gs.pathSecret); err != nil {
			return nil, nil, err
		}
	}
	sig, err := NewSignatureKey(kp.Suite, secrets.signature.priv.bytes())
	if err != nil {
		return nil, nil, err
	}
	g := &Group{p: p, limits: o.Limits, ctx: info.context, tree: tree, own: own, priv: priv, sig: sig}
	g.ctx.extensions = cloneExtensions(info.context.extensions)
	g.enter(newEpochKeys(p, gs.joiner, j.psk, marshal(&info.context)))
	// §12.4.3.1: the confirmation tag MUST match.
	if !macEqual(g.keys.confirmationTag(p, g.ctx.confirmedTranscriptHash), info.confirmationTag) {
		g.Wipe()
		return nil, nil, errWelcomeTag
	}
	return g, info, nil
}

// joining is what opening a Welcome yields beside its parts.
type joining struct{ psk []byte }

// openWelcome finds and opens what is meant for a KeyPackage, RFC 9420
// §12.4.3.1.
func openWelcome(p *suiteParams, w *welcome, kp *KeyPackage, secrets *KeyPackageSecrets, o *JoinOptions) (*groupSecrets, *GroupInfo, *joining, error) {
	ref := kp.Ref()
	var mine *encryptedGroupSecrets
	for i := range w.secrets {
		if bytes.Equal(w.secrets[i].newMember, ref) {
			if mine != nil {
				return nil, nil, nil, errWelcomeTwice
			}
			mine = &w.secrets[i]
		}
	}
	if mine == nil {
		return nil, nil, nil, ErrNotForUs
	}
	gs, err := openSecrets(p, secrets.initKey.bytes(), w.info, mine)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := checkWelcomePSKs(p, gs.psks); err != nil {
		return nil, nil, nil, err
	}
	if len(gs.joiner) != p.nh {
		return nil, nil, nil, errGroupSecretsForm
	}
	table := newPSKTable(o.PSKs)
	if o.Parent != nil && !o.Parent.gone {
		table = o.Parent.psks(o.PSKs)
	}
	psk, err := pskSecret(p, gs.psks, table)
	if err != nil {
		return nil, nil, nil, err
	}
	ws := welcomeSecret(p, gs.joiner, psk)
	defer clear(ws)
	info, err := openInfo(p, ws, w.info)
	if err != nil {
		return nil, nil, nil, err
	}
	return gs, info, &joining{psk}, nil
}

// checkWelcomePSKs is RFC 9420 §12.4.3.1 and §8.4: well-formed, each once, and a
// re-init or branch key alone among its kind.
func checkWelcomePSKs(p *suiteParams, ids []PSKID) error {
	successors := 0
	seen := map[string]bool{}
	for i := range ids {
		if len(ids[i].Nonce) != p.nh {
			return errWelcomePSKNonce
		}
		if seen[ids[i].full()] {
			return errWelcomeSamePSK
		}
		seen[ids[i].full()] = true
		if ids[i].Type == PSKResumption && ids[i].Usage != UsageApplication {
			successors++
		}
	}
	if successors > 1 {
		return errWelcomePSKs
	}
	return nil
}

// joinTree reads the tree, from outside or from the GroupInfo, and checks it
// whole, RFC 9420 §12.4.3.1.
func joinTree(p *suiteParams, info *GroupInfo, outside []byte) (*ratchetTree, error) {
	raw := outside
	if raw == nil {
		var ok bool
		if raw, ok = findExtension(info.extensions, ExtensionRatchetTree); !ok {
			return nil, errWelcomeTree
		}
	}
	tree, err := parseTree(p, raw)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(tree.rootHash(), info.context.treeHash) {
		return nil, errWelcomeTreeHash
	}
	if err := tree.verify(info.context.groupID, info.context.extensions); err != nil {
		return nil, err
	}
	return tree, nil
}

// findLeaf finds our leaf by its bytes, RFC 9420 §12.4.3.1.
func findLeaf(t *ratchetTree, leaf *LeafNode) (LeafIndex, bool) {
	for _, i := range t.allMembers() {
		l := t.leaf(i)
		if bytes.Equal(l.SignatureKey, leaf.SignatureKey) && l.Equal(leaf) {
			return i, true
		}
	}
	return 0, false
}

// checkSuccessor is RFC 9420 §11.2 and §11.3 for one who joins the group that
// follows another.
func checkSuccessor(ids []PSKID, info *GroupInfo, parent *Group) error {
	for i := range ids {
		id := &ids[i]
		if id.Type != PSKResumption || id.Usage == UsageApplication {
			continue
		}
		fits := parent != nil && !parent.gone && bytes.Equal(parent.ctx.groupID, id.GroupID) && parent.ctx.epoch == id.Epoch
		// §11.2, §11.3: such a group starts at epoch 1.
		if info.context.epoch != 1 {
			return errSuccessorEpoch
		}
		if id.Usage == UsageBranch {
			if !fits {
				return errBranchUsage
			}
			// §11.3: version (one alone is known here) and suite stay.
			if info.context.suite != parent.ctx.suite {
				return errBranchParameters
			}
			continue
		}
		if !fits || parent.reinit == nil {
			return errReInitUsage
		}
		// §11.2: all as the ReInit said.
		r := parent.reinit
		if r.Version != versionMLS10 || r.Suite != info.context.suite ||
			!bytes.Equal(r.GroupID, info.context.groupID) || !equalExtensions(r.Extensions, info.context.extensions) {
			return errReInitParameters
		}
	}
	return nil
}

// checkBranchMembers is RFC 9420 §11.3: all members of a branch are members of
// its group. For this package a member is the same when its signature key or its
// credential is; more is the application's to judge.
func checkBranchMembers(ids []PSKID, tree *ratchetTree, parent *Group) error {
	branch := false
	for i := range ids {
		branch = branch || ids[i].Type == PSKResumption && ids[i].Usage == UsageBranch
	}
	if !branch {
		return nil
	}
	known := map[string]bool{}
	for m := range parent.members() {
		known["k"+string(m.Leaf.SignatureKey)] = true
		known["c"+string(marshal(&m.Leaf.Credential))] = true
	}
	for _, i := range tree.allMembers() {
		l := tree.leaf(i)
		if !known["k"+string(l.SignatureKey)] && !known["c"+string(marshal(&l.Credential))] {
			return errBranchMember
		}
	}
	return nil
}
