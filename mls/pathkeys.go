package mls

import (
	"bytes"
	"maps"
	"slices"
)

// pathKeys are the private keys a member holds: of its leaf, and of those nodes
// above it whose secret it was given (RFC 9420 §4.2, the tree invariant). It
// prints as "secret". Neighbouring epochs share keys that didn't change.
type pathKeys struct {
	leaf  secret
	nodes map[nodeIndex]nodeKey
}

// nodeKey is one node's private key, with the public one to know it by.
type nodeKey struct {
	pub  []byte
	priv secret
}

// newPathKeys takes the leaf's private key over.
func newPathKeys(leaf []byte) *pathKeys {
	return &pathKeys{leaf: newSecret(leaf), nodes: map[nodeIndex]nodeKey{}}
}

// String hides the keys.
func (*pathKeys) String() string { return "secret" }

// GoString hides the keys.
func (*pathKeys) GoString() string { return "secret" }

// withLeaf returns the keys with another leaf key, which is taken over: for our
// own Update that somebody committed.
func (k *pathKeys) withLeaf(leaf []byte) *pathKeys {
	return &pathKeys{leaf: newSecret(leaf), nodes: maps.Clone(k.nodes)}
}

// current returns the keys that still belong to nodes of the tree: what a
// commit blanked or gave a new key is left out.
func (k *pathKeys) current(t *ratchetTree) *pathKeys {
	next := &pathKeys{leaf: k.leaf, nodes: make(map[nodeIndex]nodeKey, len(k.nodes))}
	for x, key := range k.nodes {
		if p := t.parent(x); p != nil && bytes.Equal(p.encryptionKey, key.pub) {
			next.nodes[x] = key
		}
	}
	return next
}

// retire wipes every key that next doesn't hold, RFC 9420 §7.5 and §9.2. Call
// it when next has taken k's place.
func (k *pathKeys) retire(next *pathKeys) {
	if k == next {
		return
	}
	if k.leaf.p != next.leaf.p {
		k.leaf.wipe()
	}
	for x, key := range k.nodes {
		if key.priv.p != next.nodes[x].priv.p {
			key.priv.wipe()
		}
	}
}

// wipe forgets all keys.
func (k *pathKeys) wipe() {
	k.leaf.wipe()
	for _, key := range k.nodes {
		key.priv.wipe()
	}
}

// openPath decrypts the one path secret in an UpdatePath that is meant for us
// and derives what follows from it, RFC 9420 §7.5. The tree is the one that
// applyPath made, own is our leaf, context the encoded provisional GroupContext.
// It returns the keys of the next epoch; k stays as it was.
func (k *pathKeys) openPath(t *ratchetTree, own, sender LeafIndex, path *updatePath,
	joiners []LeafIndex, context []byte) (next *pathKeys, commitSecret []byte, err error) {

	steps := t.filteredPath(sender)
	at := slices.IndexFunc(steps, func(s pathStep) bool { return s.copath.covers(own) })
	if at < 0 || len(path.nodes) != len(steps) {
		return nil, nil, invalid("§7.5", "an UpdatePath has no secret for this member")
	}
	ours := k.current(t)
	for i, x := range t.recipients(steps[at].copath, joiners) {
		priv := ours.nodes[x].priv
		if x == own.node() {
			priv = ours.leaf
		}
		if !priv.present() || i >= len(path.nodes[at].secrets) {
			continue
		}
		c := path.nodes[at].secrets[i]
		secret, err := t.p.decryptWithLabel(priv.bytes(), updatePathLabel, context, c.kemOutput, c.ciphertext)
		if err != nil {
			return nil, nil, err
		}
		if len(secret) != t.p.nh {
			clear(secret)
			return nil, nil, invalid("§7.4", "a path secret has the wrong length")
		}
		commitSecret, err = ours.climb(t, steps[at:], secret)
		if err != nil {
			return nil, nil, err
		}
		return ours, commitSecret, nil
	}
	return nil, nil, invalid("§7.5", "an UpdatePath has no secret for this member")
}

// climb derives the keys of the given nodes, from the first up, beginning with
// the first one's path secret, which it uses up. Each must fit the public key in
// the tree. It returns the secret after the last (RFC 9420 §7.4, §8).
func (k *pathKeys) climb(t *ratchetTree, steps []pathStep, secret []byte) ([]byte, error) {
	for _, step := range steps {
		priv, pub, err := t.p.nodeKeyPair(secret)
		if err != nil {
			return nil, err
		}
		p := t.parent(step.node)
		if p == nil || !bytes.Equal(pub, p.encryptionKey) {
			clear(secret)
			clear(priv)
			return nil, invalid("§7.5", "a path secret does not fit the public key beside it")
		}
		k.nodes[step.node] = nodeKey{p.encryptionKey, newSecret(priv)}
		next := t.p.deriveSecret(secret, "path")
		clear(secret)
		secret = next
	}
	return secret, nil
}

// join sets the keys of a joiner from the path secret in its Welcome, RFC 9420
// §12.4.3.1: signer is the member who made the Welcome. The secret is copied.
func (k *pathKeys) join(t *ratchetTree, own, signer LeafIndex, pathSecret []byte) error {
	if len(pathSecret) != t.p.nh {
		return invalid("§7.4", "a path secret has the wrong length")
	}
	steps := t.filteredPath(signer)
	at := slices.IndexFunc(steps, func(s pathStep) bool { return s.copath.covers(own) })
	if at < 0 {
		return invalid("§12.4.3.1", "a Welcome's path secret belongs to no node above the joiner")
	}
	last, err := k.climb(t, steps[at:], clone(pathSecret))
	clear(last)
	return err
}

// encode writes the private keys: a secret itself.
func (k *pathKeys) encode(e *encoder) {
	e.vec(k.leaf.bytes())
	e.list(func(e *encoder) {
		for _, x := range slices.Sorted(maps.Keys(k.nodes)) {
			e.u32(uint32(x))
			e.vec(k.nodes[x].priv.bytes())
		}
	})
}

// decodePathKeys reads what encode wrote and checks that each key fits the
// tree and the leaf; nil on failure.
func decodePathKeys(d *decoder, t *ratchetTree, own LeafIndex) *pathKeys {
	k := newPathKeys(d.vec())
	last := -1
	d.list(func(d *decoder) {
		x, priv := nodeIndex(d.u32()), newSecret(d.vec())
		p := t.parent(x)
		if d.err == nil && (p == nil || int(x) <= last || !x.covers(own)) {
			d.fail(errStoredKeys)
			return
		}
		if d.err != nil {
			return
		}
		last = int(x)
		k.nodes[x] = nodeKey{p.encryptionKey, priv}
	})
	if d.err == nil {
		k.checkStored(d, t, own)
	}
	if d.err != nil {
		k.wipe()
		return nil
	}
	return k
}

var errStoredKeys = invalid("§4.2", "stored private keys do not fit the tree")

func (k *pathKeys) checkStored(d *decoder, t *ratchetTree, own LeafIndex) {
	l := t.leaf(own)
	if l == nil {
		d.fail(errStoredKeys)
		return
	}
	fits := func(priv secret, pub []byte) bool {
		got, err := t.p.publicOf(priv.bytes())
		return err == nil && bytes.Equal(got, pub)
	}
	if !fits(k.leaf, l.EncryptionKey) {
		d.fail(errStoredKeys)
	}
	for _, key := range k.nodes {
		if !fits(key.priv, key.pub) {
			d.fail(errStoredKeys)
		}
	}
}
