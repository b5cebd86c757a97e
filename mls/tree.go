package mls

import (
	"slices"
)

// parentNode is RFC 9420 §7.1. Parents are shared between trees and never
// changed: a change puts a new one in the old one's place.
type parentNode struct {
	encryptionKey []byte
	parentHash    []byte
	unmerged      []LeafIndex // rising
}

// ratchetTree is the public state of a group's tree, RFC 9420 §4.1 and §7. It is
// always full: 2^d leaves, blank ones included.
//
// clone copies pointers only; the nodes, their hashes and the key index are
// shared, so a staged commit costs what it changes. A tree that was handed out
// must not be changed any more: change a clone.
type ratchetTree struct {
	p       *suiteParams
	leaves  []*LeafNode   // nil is blank
	parents []*parentNode // node 2i+1 at place i; nil is blank
	hashes  [][]byte      // tree hash by node; nil must be computed
	keys    keyIndex
}

// newTree returns a tree of one blank leaf.
func newTree(p *suiteParams) *ratchetTree {
	return &ratchetTree{p: p, leaves: make([]*LeafNode, 1), hashes: make([][]byte, 1)}
}

// singleLeafTree is a new group's tree, RFC 9420 §11, with its only member's
// private keys. leafKey is taken over.
func singleLeafTree(p *suiteParams, leaf *LeafNode, leafKey []byte) (*ratchetTree, *pathKeys, error) {
	if err := leaf.check(p); err != nil {
		return nil, nil, err
	}
	if err := leaf.checkSuite(p.suite); err != nil {
		return nil, nil, err
	}
	t := newTree(p)
	t.add(leaf)
	return t, newPathKeys(leafKey), nil
}

func (t *ratchetTree) clone() *ratchetTree {
	return &ratchetTree{
		p:       t.p,
		leaves:  slices.Clone(t.leaves),
		parents: slices.Clone(t.parents),
		hashes:  slices.Clone(t.hashes),
		keys:    t.keys.clone(),
	}
}

// leafCount is the number of leaves, blank ones included: a power of two.
func (t *ratchetTree) leafCount() uint32 { return uint32(len(t.leaves)) }

func (t *ratchetTree) root() nodeIndex { return rootNode(t.leafCount()) }

// leaf returns a leaf; nil if it is blank or outside the tree.
func (t *ratchetTree) leaf(i LeafIndex) *LeafNode {
	if uint64(i) >= uint64(len(t.leaves)) {
		return nil
	}
	return t.leaves[i]
}

// parent returns a parent node; nil if it is blank, a leaf or outside the tree.
func (t *ratchetTree) parent(x nodeIndex) *parentNode {
	if x.isLeaf() || int(x>>1) >= len(t.parents) {
		return nil
	}
	return t.parents[x>>1]
}

// blank says whether a node holds nothing.
func (t *ratchetTree) blank(x nodeIndex) bool {
	if x.isLeaf() {
		return t.leaf(x.leaf()) == nil
	}
	return t.parent(x) == nil
}

// encryptionKey returns the HPKE public key of a node that isn't blank.
func (t *ratchetTree) encryptionKey(x nodeIndex) []byte {
	if x.isLeaf() {
		return t.leaves[x.leaf()].EncryptionKey
	}
	return t.parents[x>>1].encryptionKey
}

// members counts the leaves that aren't blank.
func (t *ratchetTree) members() int {
	n := 0
	for _, l := range t.leaves {
		if l != nil {
			n++
		}
	}
	return n
}

// stale marks the hashes of a node and of all above it as unknown.
func (t *ratchetTree) stale(x nodeIndex) {
	for root := t.root(); ; x = x.up() {
		t.hashes[x] = nil
		if x == root {
			return
		}
	}
}

// setLeaf puts a leaf in its place and keeps keys and hashes in step.
func (t *ratchetTree) setLeaf(i LeafIndex, l *LeafNode) {
	if old := t.leaves[i]; old != nil {
		t.keys.remove(keyEncryption, old.EncryptionKey)
		t.keys.remove(keySignature, old.SignatureKey)
	}
	if l != nil {
		t.keys.add(keyEncryption, l.EncryptionKey)
		t.keys.add(keySignature, l.SignatureKey)
	}
	t.leaves[i] = l
	t.stale(i.node())
}

// setParent puts a parent node in its place.
func (t *ratchetTree) setParent(x nodeIndex, p *parentNode) {
	old := t.parents[x>>1]
	if old == nil && p == nil {
		return
	}
	if old != nil {
		t.keys.remove(keyEncryption, old.encryptionKey)
	}
	if p != nil {
		t.keys.add(keyEncryption, p.encryptionKey)
	}
	t.parents[x>>1] = p
	t.stale(x)
}

// directPath returns the nodes above a leaf, the lowest first, RFC 9420 §4.1:
// none for a leaf outside the tree.
func (t *ratchetTree) directPath(i LeafIndex) []nodeIndex {
	if uint64(i) >= uint64(len(t.leaves)) {
		return nil
	}
	var path []nodeIndex
	for x, root := i.node(), t.root(); x != root; {
		x = x.up()
		path = append(path, x)
	}
	return path
}

// blankPath blanks all nodes above a leaf.
func (t *ratchetTree) blankPath(i LeafIndex) {
	for _, x := range t.directPath(i) {
		t.setParent(x, nil)
	}
}

// reserve returns the leftmost blank leaf; if there is none it extends the tree
// (RFC 9420 §7.7), which doubles its leaves.
func (t *ratchetTree) reserve() LeafIndex {
	for i, l := range t.leaves {
		if l == nil {
			return LeafIndex(i)
		}
	}
	n := len(t.leaves)
	t.leaves = append(t.leaves, make([]*LeafNode, n)...)
	t.parents = append(t.parents, make([]*parentNode, n)...)
	t.hashes = append(t.hashes, make([][]byte, 2*n)...)
	return LeafIndex(n)
}

// add puts a new member in the leftmost blank leaf, RFC 9420 §12.1.1, and marks
// it as unmerged in all parents above that aren't blank.
func (t *ratchetTree) add(l *LeafNode) LeafIndex {
	i := t.reserve()
	t.setLeaf(i, l)
	for _, x := range t.directPath(i) {
		if old := t.parent(x); old != nil {
			at, _ := slices.BinarySearch(old.unmerged, i) // never there yet: the leaf was blank
			p := *old
			p.unmerged = slices.Insert(slices.Clip(slices.Clone(old.unmerged)), at, i)
			t.parents[x>>1] = &p // its key is the same; setLeaf has marked its hash
		}
	}
	return i
}

// update puts a new leaf in a member's place, RFC 9420 §12.1.2.
func (t *ratchetTree) update(i LeafIndex, l *LeafNode) {
	t.setLeaf(i, l)
	t.blankPath(i)
}

// remove blanks a leaf and the nodes above it, and truncates the tree while its
// right half has no member, RFC 9420 §12.1.3 and §7.7.
func (t *ratchetTree) remove(i LeafIndex) {
	t.setLeaf(i, nil)
	t.blankPath(i)
	last := len(t.leaves) - 1
	for last > 0 && t.leaves[last] == nil {
		last--
	}
	for n := len(t.leaves); n > 1 && last < n/2; n = len(t.leaves) {
		// The root and the right half go; no parent there can have a key, but
		// a key that a forged tree left there must not stay in the index.
		for _, p := range t.parents[n/2-1:] {
			if p != nil {
				t.keys.remove(keyEncryption, p.encryptionKey)
			}
		}
		t.leaves = t.leaves[:n/2]
		t.parents = t.parents[:n/2-1]
		t.hashes = t.hashes[:n-1]
	}
}

// resolution is RFC 9420 §4.1.1: the fewest nodes that cover all members under x.
func (t *ratchetTree) resolution(x nodeIndex) []nodeIndex {
	return t.appendResolution(nil, x)
}

func (t *ratchetTree) appendResolution(to []nodeIndex, x nodeIndex) []nodeIndex {
	if x.isLeaf() {
		if t.leaf(x.leaf()) != nil {
			to = append(to, x)
		}
		return to
	}
	if p := t.parent(x); p != nil {
		to = append(to, x)
		for _, i := range p.unmerged {
			to = append(to, i.node())
		}
		return to
	}
	return t.appendResolution(t.appendResolution(to, x.left()), x.right())
}

// empty says whether the resolution of x has no node.
func (t *ratchetTree) empty(x nodeIndex) bool {
	if !t.blank(x) {
		return false
	}
	return x.isLeaf() || t.empty(x.left()) && t.empty(x.right())
}

// pathStep is one node of a direct path with its child on the copath.
type pathStep struct{ node, copath nodeIndex }

// filteredPath is the filtered direct path of RFC 9420 §4.1.2: without the nodes
// whose child on the copath has nobody to encrypt to; none for a leaf outside
// the tree.
func (t *ratchetTree) filteredPath(i LeafIndex) []pathStep {
	if uint64(i) >= uint64(len(t.leaves)) {
		return nil
	}
	var path []pathStep
	for x, root := i.node(), t.root(); x != root; {
		step := pathStep{x.up(), x.sibling()}
		if !t.empty(step.copath) {
			path = append(path, step)
		}
		x = step.node
	}
	return path
}
