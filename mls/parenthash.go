package mls

import (
	"bytes"
	"slices"
)

// parentHash is the parent hash of p with the given child on the copath, RFC
// 9420 §7.9.
func (t *ratchetTree) parentHash(p *parentNode, sibling nodeIndex) []byte {
	var e encoder
	e.vec(p.encryptionKey)
	e.vec(p.parentHash)
	e.vec(t.hashWithout(sibling, p.unmerged))
	return t.p.hash(e.b)
}

// verifyParentHashes is RFC 9420 §7.9.2 for a joiner: for every parent that
// isn't blank there is exactly one node below it that was set together with it.
// The chains end at leaves, which are signed, so no key got into the tree but by
// a member's hand.
func (t *ratchetTree) verifyParentHashes() error {
	for i, p := range t.parents {
		if p == nil {
			continue
		}
		x := nodeIndex(2*i + 1)
		left := t.parentHashHolds(p, x.left(), x.right())
		right := t.parentHashHolds(p, x.right(), x.left())
		if left == right {
			return invalid("§7.9.2", "a parent node is not covered by exactly one chain of parent hashes")
		}
	}
	return nil
}

// parentHashHolds says whether some node D in the resolution of child has p's
// parent hash, and was set together with p: all else in that resolution came
// later, so p lists it as unmerged.
func (t *ratchetTree) parentHashHolds(p *parentNode, child, sibling nodeIndex) bool {
	unmerged := within(p.unmerged, child)
	resolution := t.resolution(child)
	if len(resolution) != len(unmerged)+1 {
		return false
	}
	var d nodeIndex
	found := false
	for _, x := range resolution {
		if x.isLeaf() {
			if _, ok := slices.BinarySearch(unmerged, x.leaf()); ok {
				continue
			}
		}
		if found {
			return false // a second node that p doesn't list
		}
		d, found = x, true
	}
	if !found {
		return false
	}
	var have []byte
	if !d.isLeaf() {
		have = t.parent(d).parentHash
	} else if l := t.leaf(d.leaf()); l.Source == LeafFromCommit {
		have = l.ParentHash
	}
	return len(have) > 0 && bytes.Equal(have, t.parentHash(p, sibling))
}
