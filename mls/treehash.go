package mls

import "slices"

// The first byte of a node's encoding, RFC 9420 §7.8.
const (
	nodeTypeLeaf   uint8 = 1
	nodeTypeParent uint8 = 2
)

func (p *parentNode) encode(e *encoder) {
	e.vec(p.encryptionKey)
	e.vec(p.parentHash)
	e.list(func(e *encoder) {
		for _, i := range p.unmerged {
			e.u32(uint32(i))
		}
	})
}

func (p *parentNode) decode(d *decoder) {
	p.encryptionKey = d.vec()
	p.parentHash = d.vec()
	d.list(func(d *decoder) {
		i := LeafIndex(d.u32())
		if n := len(p.unmerged); n > 0 && i <= p.unmerged[n-1] {
			d.fail(invalid("§7.1", "a list of unmerged leaves is not in rising order"))
		}
		p.unmerged = append(p.unmerged, i)
	})
}

// leafHash is the tree hash of a leaf, RFC 9420 §7.8.
func (t *ratchetTree) leafHash(i LeafIndex, l *LeafNode) []byte {
	var e encoder
	e.u8(nodeTypeLeaf)
	e.u32(uint32(i))
	e.opt(l != nil, func(e *encoder) { l.encode(e) })
	return t.p.hash(e.b)
}

// parentTreeHash is the tree hash of a parent node, RFC 9420 §7.8.
func (t *ratchetTree) parentTreeHash(p *parentNode, left, right []byte) []byte {
	var e encoder
	e.u8(nodeTypeParent)
	e.opt(p != nil, func(e *encoder) { p.encode(e) })
	e.vec(left)
	e.vec(right)
	return t.p.hash(e.b)
}

// hash is the tree hash of a node. What didn't change isn't hashed again.
func (t *ratchetTree) hash(x nodeIndex) []byte {
	if h := t.hashes[x]; h != nil {
		return h
	}
	var h []byte
	if x.isLeaf() {
		h = t.leafHash(x.leaf(), t.leaf(x.leaf()))
	} else {
		h = t.parentTreeHash(t.parent(x), t.hash(x.left()), t.hash(x.right()))
	}
	t.hashes[x] = h
	return h
}

// rootHash is the tree hash of the whole tree. The result is shared: read only.
func (t *ratchetTree) rootHash() []byte { return t.hash(t.root()) }

// within returns the part of a rising list that lies under x.
func within(list []LeafIndex, x nodeIndex) []LeafIndex {
	first, last := x.span()
	from, _ := slices.BinarySearch(list, first)
	to, found := slices.BinarySearch(list, last)
	if found {
		to++
	}
	return list[from:to]
}

// hashWithout is the tree hash of x in a tree where the given leaves are blank
// and in no list of unmerged leaves, RFC 9420 §7.9.
func (t *ratchetTree) hashWithout(x nodeIndex, without []LeafIndex) []byte {
	without = within(without, x)
	if len(without) == 0 {
		return t.hash(x)
	}
	if x.isLeaf() {
		return t.leafHash(x.leaf(), nil)
	}
	p := t.parent(x)
	if p != nil && len(p.unmerged) > 0 {
		q := *p
		q.unmerged = slices.DeleteFunc(slices.Clone(p.unmerged), func(i LeafIndex) bool {
			_, found := slices.BinarySearch(without, i)
			return found
		})
		p = &q
	}
	return t.parentTreeHash(p, t.hashWithout(x.left(), without), t.hashWithout(x.right(), without))
}
