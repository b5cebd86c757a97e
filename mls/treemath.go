package mls

import "math/bits"

// RFC 9420 appendix C: a full binary tree with 2^d leaves as an array. Leaf i
// is node 2i; parents have the odd numbers. All functions expect nodes of a tree
// with the given number of leaves, which is a power of two.

// nodeIndex numbers the nodes of a tree from the left, leaves and parents
// alternating.
type nodeIndex uint32

// node is the leaf's place among the nodes.
func (i LeafIndex) node() nodeIndex { return nodeIndex(i) << 1 }

// isLeaf says whether the node is a leaf.
func (x nodeIndex) isLeaf() bool { return x&1 == 0 }

// leaf is the reverse of LeafIndex.node.
func (x nodeIndex) leaf() LeafIndex { return LeafIndex(x >> 1) }

// level is the node's height: 0 for a leaf.
func (x nodeIndex) level() int { return bits.TrailingZeros32(^uint32(x)) }

// rootNode is the root of a tree with so many leaves.
func rootNode(leaves uint32) nodeIndex { return nodeIndex(leaves - 1) }

// left and right are the children of a parent node.
func (x nodeIndex) left() nodeIndex  { return x ^ 1<<(x.level()-1) }
func (x nodeIndex) right() nodeIndex { return x ^ 3<<(x.level()-1) }

// up is the node's parent; for the root it is a node outside the tree.
func (x nodeIndex) up() nodeIndex {
	k := x.level()
	return (x | 1<<k) &^ (1 << (k + 1))
}

// sibling is the other child of the node's parent.
func (x nodeIndex) sibling() nodeIndex {
	if p := x.up(); x < p {
		return p.right()
	} else {
		return p.left()
	}
}

// span is the range of leaves under the node, both ends included.
func (x nodeIndex) span() (first, last LeafIndex) {
	half := nodeIndex(1)<<x.level() - 1
	return (x - half).leaf(), (x + half).leaf()
}

// covers says whether the leaf is under the node.
func (x nodeIndex) covers(i LeafIndex) bool {
	first, last := x.span()
	return first <= i && i <= last
}
