package mls

// marshal writes the tree as the ratchet_tree extension does, RFC 9420 §12.4.3.3:
// all nodes from the left, without the blank ones after the last that isn't.
func (t *ratchetTree) marshal() []byte {
	var e encoder
	t.encode(&e)
	return e.b
}

func (t *ratchetTree) encode(e *encoder) {
	last := -1
	for x := range 2*len(t.leaves) - 1 {
		if !t.blank(nodeIndex(x)) {
			last = x
		}
	}
	e.list(func(e *encoder) {
		for x := range nodeIndex(last + 1) {
			e.opt(!t.blank(x), func(e *encoder) {
				if x.isLeaf() {
					e.u8(nodeTypeLeaf)
					t.leaves[x.leaf()].encode(e)
				} else {
					e.u8(nodeTypeParent)
					t.parents[x>>1].encode(e)
				}
			})
		}
	})
}

// parseTree reads what marshal wrote. It makes sure of the form: every value is
// where it may be, and every list of unmerged leaves names members below. What
// the tree is worth is for verify to say.
func parseTree(p *suiteParams, b []byte) (*ratchetTree, error) {
	d := decoder{b: b}
	t := decodeTree(p, &d)
	if d.err == nil && len(d.b) > 0 {
		d.fail(invalid("§2.1", "bytes follow the ratchet tree"))
	}
	if d.err != nil {
		return nil, d.err
	}
	return t, nil
}

// decodeTree reads a tree from the front of d; the result is nil on failure.
func decodeTree(p *suiteParams, d *decoder) *ratchetTree {
	t := &ratchetTree{p: p}
	blank := true // the last node read
	nodes := 0
	d.list(func(d *decoder) {
		var l *LeafNode
		var q *parentNode
		leafPlace := nodes%2 == 0
		blank = !d.opt(func(d *decoder) {
			switch kind := d.u8(); {
			case kind == nodeTypeLeaf && leafPlace:
				l = new(LeafNode)
				l.decode(d)
			case kind == nodeTypeParent && !leafPlace:
				q = new(parentNode)
				q.decode(d)
			default:
				d.fail(invalid("§12.4.3.3", "a node of the ratchet tree is of the wrong kind for its place"))
			}
		})
		if leafPlace {
			t.leaves = append(t.leaves, l)
		} else {
			t.parents = append(t.parents, q)
		}
		nodes++
	})
	if d.err != nil {
		return nil
	}
	if blank {
		d.fail(invalid("§12.4.3.3", "the ratchet tree is empty or ends in a blank node"))
		return nil
	}
	n := 1
	for 2*n-1 < nodes {
		n *= 2
	}
	t.leaves = append(t.leaves, make([]*LeafNode, n-len(t.leaves))...)
	t.parents = append(t.parents, make([]*parentNode, n-1-len(t.parents))...)
	t.hashes = make([][]byte, 2*n-1)
	if err := t.checkUnmergedForm(); err != nil {
		d.fail(err)
		return nil
	}
	t.indexKeys()
	return t
}

// checkUnmergedForm is RFC 9420 §12.4.3.1: an unmerged leaf is a member below
// the node that lists it. The rest of the code relies on it.
func (t *ratchetTree) checkUnmergedForm() error {
	for i, p := range t.parents {
		if p == nil {
			continue
		}
		x := nodeIndex(2*i + 1)
		for _, u := range p.unmerged {
			if !x.covers(u) || t.leaf(u) == nil {
				return invalid("§12.4.3.1", "an unmerged leaf is blank or not below the node that lists it")
			}
		}
	}
	return nil
}

// indexKeys fills the index of a tree that was just read.
func (t *ratchetTree) indexKeys() {
	for _, l := range t.leaves {
		if l != nil {
			t.keys.add(keyEncryption, l.EncryptionKey)
			t.keys.add(keySignature, l.SignatureKey)
		}
	}
	for _, p := range t.parents {
		if p != nil {
			t.keys.add(keyEncryption, p.encryptionKey)
		}
	}
	t.keys.fold()
}
