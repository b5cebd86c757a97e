package mls

import (
	"bytes"
	"slices"
)

// updatePath is RFC 9420 §7.6: a committer's new leaf, the new public keys above
// it, and their secrets, encrypted to all who may have them.
type updatePath struct {
	leaf  *LeafNode
	nodes []updatePathNode
}

type updatePathNode struct {
	encryptionKey []byte
	secrets       []hpkeCiphertext
}

type hpkeCiphertext struct{ kemOutput, ciphertext []byte }

func (u *updatePath) encode(e *encoder) {
	u.leaf.encode(e)
	e.list(func(e *encoder) {
		for i := range u.nodes {
			n := &u.nodes[i]
			e.vec(n.encryptionKey)
			e.list(func(e *encoder) {
				for _, c := range n.secrets {
					e.vec(c.kemOutput)
					e.vec(c.ciphertext)
				}
			})
		}
	})
}

func (u *updatePath) decode(d *decoder) {
	u.leaf = new(LeafNode)
	u.leaf.decode(d)
	d.list(func(d *decoder) {
		n := updatePathNode{encryptionKey: d.vec()}
		d.list(func(d *decoder) {
			n.secrets = append(n.secrets, hpkeCiphertext{d.vec(), d.vec()})
		})
		u.nodes = append(u.nodes, n)
	})
}

const updatePathLabel = "UpdatePathNode"

// recipients is the resolution of a copath node without the leaves that the same
// commit adds (RFC 9420 §7.6): those get the secret in their Welcome. joiners is
// in rising order.
func (t *ratchetTree) recipients(copath nodeIndex, joiners []LeafIndex) []nodeIndex {
	all := t.resolution(copath)
	if len(joiners) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(x nodeIndex) bool {
		if !x.isLeaf() {
			return false
		}
		_, joins := slices.BinarySearch(joiners, x.leaf())
		return joins
	})
}

// createdPath is what a committer has after making an UpdatePath: all of it
// secret but path.
type createdPath struct {
	path         *updatePath
	keys         *pathKeys
	commitSecret []byte
	steps        []pathStep
	secrets      [][]byte // the path secret of each step
}

// createPath makes an UpdatePath for the member at sender, RFC 9420 §7.5, and
// merges it into the tree, which has the commit's proposals applied already.
// leaf is what the member's leaf shall be: its encryption key, source, parent
// hash and signature are put in here. context returns the encoded provisional
// GroupContext for the tree hash it is given. The caller wipes the result.
func (t *ratchetTree) createPath(sender LeafIndex, leaf *LeafNode, key *SignatureKey, groupID []byte,
	joiners []LeafIndex, context func(treeHash []byte) []byte) (*createdPath, error) {

	leafPriv, leafPub, err := t.p.generateKeyPair()
	if err != nil {
		return nil, err
	}
	c := &createdPath{path: new(updatePath), keys: newPathKeys(leafPriv), steps: t.filteredPath(sender)}
	secret := t.p.random()
	for _, step := range c.steps {
		c.secrets = append(c.secrets, secret)
		priv, pub, err := t.p.nodeKeyPair(secret)
		if err != nil {
			c.wipe()
			return nil, err
		}
		c.path.nodes = append(c.path.nodes, updatePathNode{encryptionKey: pub})
		c.keys.nodes[step.node] = nodeKey{pub, newSecret(priv)}
		secret = t.p.deriveSecret(secret, "path")
	}
	c.commitSecret = secret // §8: the secret after the last node's

	l := leaf.copy()
	l.EncryptionKey = leafPub
	l.Source = LeafFromCommit
	l.Lifetime = Lifetime{}
	l.ParentHash = t.mergeNodes(sender, c.steps, c.path.nodes)
	if err := l.sign(t.p, key, groupID, sender); err != nil {
		c.wipe()
		return nil, err
	}
	t.setLeaf(sender, l)
	c.path.leaf = l

	info := context(t.rootHash())
	for i, step := range c.steps {
		for _, x := range t.recipients(step.copath, joiners) {
			kem, ct, err := t.p.encryptWithLabel(t.encryptionKey(x), updatePathLabel, info, c.secrets[i])
			if err != nil {
				c.wipe()
				return nil, err
			}
			c.path.nodes[i].secrets = append(c.path.nodes[i].secrets, hpkeCiphertext{kem, ct})
		}
	}
	return c, nil
}

// secretFor is the path secret that a joiner's Welcome carries: that of the
// lowest new node above its leaf (RFC 9420 §12.4.3.1). nil if there is none.
func (c *createdPath) secretFor(joiner LeafIndex) []byte {
	for i, step := range c.steps {
		if step.copath.covers(joiner) {
			return c.secrets[i]
		}
	}
	return nil
}

// wipe forgets the path secrets and the commit secret, RFC 9420 §7.5; not the
// private keys, which the next epoch holds.
func (c *createdPath) wipe() {
	for _, s := range c.secrets {
		clear(s)
	}
	clear(c.commitSecret)
	c.secrets, c.commitSecret = nil, nil
}

// nodeKeyPair is the key pair of a path secret, RFC 9420 §7.4.
func (p *suiteParams) nodeKeyPair(pathSecret []byte) (priv, pub []byte, err error) {
	node := p.deriveSecret(pathSecret, "node")
	defer clear(node)
	return p.deriveKeyPair(node)
}

// mergeNodes blanks the sender's direct path, puts in the new keys with their
// parent hashes, from the root down, and returns the parent hash that the
// sender's leaf must have (RFC 9420 §7.5): empty where no node is above it.
func (t *ratchetTree) mergeNodes(sender LeafIndex, steps []pathStep, nodes []updatePathNode) []byte {
	t.blankPath(sender)
	var hash []byte
	for i := len(steps) - 1; i >= 0; i-- {
		p := &parentNode{encryptionKey: nodes[i].encryptionKey, parentHash: hash}
		t.setParent(steps[i].node, p)
		hash = t.parentHash(p, steps[i].copath)
	}
	return hash
}

// applyPath checks an UpdatePath by all that needs no secret and merges it into
// the tree, which has the commit's proposals applied already (RFC 9420 §7.5,
// §12.4.2). sender may be a blank leaf of the tree, for an external commit. After
// an error the tree is of no use. What concerns other members is for checkUnique and
// checkMembers, afterwards.
func (t *ratchetTree) applyPath(sender LeafIndex, path *updatePath, groupID []byte, joiners []LeafIndex) error {
	l := path.leaf
	if uint64(sender) >= uint64(len(t.leaves)) {
		return invalid("§7.2", "the sender of an UpdatePath lies outside the tree")
	}
	if l.Source != LeafFromCommit {
		return invalid("§7.3", "the leaf of an UpdatePath has another source")
	}
	if err := l.check(t.p); err != nil {
		return err
	}
	if err := l.verifySignature(t.p, groupID, sender); err != nil {
		return err
	}
	steps := t.filteredPath(sender)
	if len(path.nodes) != len(steps) {
		return invalid("§7.5", "an UpdatePath does not have one node for each of the filtered direct path")
	}
	// §12.4.2: the keys are new to the tree. This tells the committer's old
	// leaf key, and a key used twice within the path, too.
	if t.keys.has(keyEncryption, l.EncryptionKey) {
		return invalid("§12.4.2", "the leaf of an UpdatePath has an encryption key that is in the tree already")
	}
	seen := map[string]bool{string(l.EncryptionKey): true}
	for i := range path.nodes {
		n := &path.nodes[i]
		if err := t.p.checkPublicKey(n.encryptionKey); err != nil {
			return err
		}
		if t.keys.has(keyEncryption, n.encryptionKey) || seen[string(n.encryptionKey)] {
			return invalid("§12.4.2", "a node of an UpdatePath has an encryption key that is in the tree already")
		}
		seen[string(n.encryptionKey)] = true
		if len(n.secrets) != len(t.recipients(steps[i].copath, joiners)) {
			return invalid("§7.6", "a node of an UpdatePath does not have one ciphertext for each recipient")
		}
	}
	if hash := t.mergeNodes(sender, steps, path.nodes); !bytes.Equal(hash, l.ParentHash) {
		return invalid("§7.9.2", "the leaf of an UpdatePath has a wrong parent hash")
	}
	t.setLeaf(sender, l)
	return nil
}
