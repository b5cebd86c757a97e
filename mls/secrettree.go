package mls

import (
	"maps"
	"slices"
)

// secretTree is RFC 9420 §9: from one encryption_secret to a key and nonce for
// every message of every sender. It follows the deletion schedule of §9.2: a
// node's secret goes when its children have been derived, a ratchet secret when
// the next one has, a message key when its message has been read.
//
// Invariant: nodes holds no secret from which an already used key could be
// derived again.
type secretTree struct {
	p      *suiteParams
	leaves uint32               // size of the tree in leaves, a power of two
	nodes  map[uint32][]byte    // node index → tree_node_secret, the frontier
	ratch  map[uint32]*ratchets // leaf index → its two ratchets, once derived
	limits Limits
}

func newSecretTree(p *suiteParams, leaves uint32, encryptionSecret []byte, limits Limits) *secretTree {
	size := uint32(1)
	for size < leaves {
		size <<= 1
	}
	return &secretTree{
		p: p, leaves: size, limits: limits,
		nodes: map[uint32][]byte{size - 1: encryptionSecret},
		ratch: map[uint32]*ratchets{},
	}
}

// path lists the nodes from the root down to a leaf.
func (t *secretTree) path(leaf uint32) []uint32 {
	node, span := t.leaves-1, t.leaves // root and leaves below it
	path := []uint32{node}
	first := uint32(0) // first leaf below node
	for span > 1 {
		span /= 2
		if leaf < first+span {
			node = 2*first + span - 1
		} else {
			first += span
			node = 2*first + span - 1
		}
		path = append(path, node)
	}
	return path
}

// derive fetches a leaf's ratchets, deriving the tree down to it, RFC 9420 §9.
// With keep false nothing in t changes, and what was not there before is the
// caller's to wipe.
func (t *secretTree) derive(leaf uint32, keep bool) (*ratchets, error) {
	if leaf >= t.leaves {
		return nil, errLeafIndex
	}
	if r := t.ratch[leaf]; r != nil {
		return r, nil
	}
	path := t.path(leaf)
	at := len(path) - 1
	for at >= 0 && t.nodes[path[at]] == nil {
		at--
	}
	if at < 0 {
		return nil, errLeafIndex // cannot happen: the frontier covers every leaf without ratchets
	}
	secret := slices.Clone(t.nodes[path[at]])
	for ; at < len(path)-1; at++ {
		left := t.p.expandWithLabel(secret, "tree", []byte("left"), t.p.nh)
		right := t.p.expandWithLabel(secret, "tree", []byte("right"), t.p.nh)
		clear(secret)
		on, off := left, right
		// The child we go to has the smaller index exactly when it is the left one.
		wentRight := path[at+1] > path[at]
		if wentRight {
			on, off = right, left
		}
		if keep {
			clear(t.nodes[path[at]])
			delete(t.nodes, path[at])
			t.nodes[siblingOf(path[at], path[at+1])] = off
			t.nodes[path[at+1]] = slices.Clone(on)
		} else {
			clear(off)
		}
		secret = on
	}
	r := &ratchets{
		handshake:   ratchet{secret: t.p.expandWithLabel(secret, "handshake", nil, t.p.nh)},
		application: ratchet{secret: t.p.expandWithLabel(secret, "application", nil, t.p.nh)},
	}
	clear(secret)
	if keep {
		clear(t.nodes[2*leaf])
		delete(t.nodes, 2*leaf)
		t.ratch[leaf] = r
	}
	return r, nil
}

// siblingOf gives the other child of parent: the two lie equally far from it.
func siblingOf(parent, child uint32) uint32 { return 2*parent - child }

// peek gives the key of one message and changes nothing. The key is the
// caller's to wipe.
func (t *secretTree) peek(leaf uint32, c ContentType, generation uint32) (messageKey, error) {
	r := t.ratch[leaf]
	if r == nil {
		var err error
		if r, err = t.derive(leaf, false); err != nil {
			return messageKey{}, err
		}
		defer r.wipe()
	}
	chain := r.of(c)
	if err := chain.check(generation, t.limits); err != nil {
		return messageKey{}, err
	}
	if i, ok := chain.find(generation); ok {
		k := chain.skipped[i]
		return messageKey{k.generation, slices.Clone(k.key), slices.Clone(k.nonce)}, nil
	}
	ahead := ratchet{next: chain.next, secret: slices.Clone(chain.secret)}
	defer ahead.wipe()
	return ahead.take(t.p, generation, 0), nil
}

// consume marks one generation as used: its key is wiped, those jumped over
// are kept within the limits. A generation already used is no error.
func (t *secretTree) consume(leaf uint32, c ContentType, generation uint32) {
	r, err := t.derive(leaf, true)
	if err != nil {
		return
	}
	chain := r.of(c)
	if chain.check(generation, t.limits) != nil {
		return
	}
	k := chain.take(t.p, generation, t.limits.maxSkipped())
	k.wipe()
	t.bound()
}

// use takes the next generation of our own chain for sending.
func (t *secretTree) use(leaf uint32, c ContentType) (messageKey, error) {
	r, err := t.derive(leaf, true)
	if err != nil {
		return messageKey{}, err
	}
	chain := r.of(c)
	if chain.spent {
		return messageKey{}, ErrGenerationsSpent
	}
	return chain.step(t.p), nil
}

// next is the generation that use would give. It changes nothing.
func (t *secretTree) next(leaf uint32, c ContentType) uint32 {
	if r := t.ratch[leaf]; r != nil {
		return r.of(c).next
	}
	return 0
}

// skipTo moves a chain forward without keeping keys.
func (t *secretTree) skipTo(leaf uint32, c ContentType, generation uint32) error {
	r, err := t.derive(leaf, true)
	if err != nil {
		return err
	}
	chain := r.of(c)
	if generation < chain.next {
		return nil
	}
	if generation-chain.next > t.limits.maxForward() {
		return ErrTooFarAhead
	}
	for chain.next < generation {
		chain.skip(t.p)
	}
	return nil
}

// bound keeps the sum of kept keys within the limit: the sender with the most
// loses its oldest, so one member cannot flush the keys of another.
func (t *secretTree) bound() {
	total := 0
	for _, r := range t.ratch {
		total += len(r.handshake.skipped) + len(r.application.skipped)
	}
	for ; total > t.limits.maxSkippedTotal(); total-- {
		var worst *ratchet
		for _, leaf := range slices.Sorted(maps.Keys(t.ratch)) {
			for _, c := range []*ratchet{&t.ratch[leaf].handshake, &t.ratch[leaf].application} {
				if worst == nil || len(c.skipped) > len(worst.skipped) {
					worst = c
				}
			}
		}
		worst.dropOldest()
	}
}

func (t *secretTree) clone() *secretTree {
	c := &secretTree{p: t.p, leaves: t.leaves, limits: t.limits,
		nodes: make(map[uint32][]byte, len(t.nodes)), ratch: make(map[uint32]*ratchets, len(t.ratch))}
	for i, s := range t.nodes {
		c.nodes[i] = slices.Clone(s)
	}
	for i, r := range t.ratch {
		c.ratch[i] = r.clone()
	}
	return c
}

func (t *secretTree) wipe() {
	for _, s := range t.nodes {
		clear(s)
	}
	for _, r := range t.ratch {
		r.wipe()
	}
	clear(t.nodes)
	clear(t.ratch)
}

// encode writes the state of MarshalRatchets, in the order of the indices.
func (t *secretTree) encode(e *encoder) {
	e.u32(t.leaves)
	e.list(func(e *encoder) {
		for _, i := range slices.Sorted(maps.Keys(t.nodes)) {
			e.u32(i)
			e.vec(t.nodes[i])
		}
	})
	e.list(func(e *encoder) {
		for _, i := range slices.Sorted(maps.Keys(t.ratch)) {
			e.u32(i)
			t.ratch[i].handshake.encode(e)
			t.ratch[i].application.encode(e)
		}
	})
}

// decodeSecretTree reads what encode wrote; anything out of order is refused,
// so that a state has one encoding.
func decodeSecretTree(d *decoder, p *suiteParams, limits Limits) *secretTree {
	t := &secretTree{p: p, limits: limits, leaves: d.u32(),
		nodes: map[uint32][]byte{}, ratch: map[uint32]*ratchets{}}
	if d.err == nil && (t.leaves == 0 || t.leaves&(t.leaves-1) != 0 || t.leaves > 1<<30) {
		d.fail(errState)
		return t
	}
	last := int64(-1)
	d.list(func(d *decoder) {
		i, s := d.u32(), d.vec()
		if d.err != nil {
			return
		}
		if int64(i) <= last || i >= 2*t.leaves-1 || len(s) != p.nh {
			d.fail(errState)
			return
		}
		last = int64(i)
		t.nodes[i] = s
	})
	last = -1
	d.list(func(d *decoder) {
		i := d.u32()
		r := &ratchets{}
		r.handshake.decode(d, p)
		r.application.decode(d, p)
		if d.err != nil {
			return
		}
		if int64(i) <= last || i >= t.leaves {
			d.fail(errState)
			return
		}
		last = int64(i)
		t.ratch[i] = r
	})
	return t
}
