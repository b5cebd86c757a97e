package mls

import "slices"

// A group's saved state has two parts, so that a message does not rewrite the
// tree: the epoch part changes with each commit, the ratchet part with each
// message. Both are secrets: store them sealed. One state has one encoding, and
// a restored group encodes to the very same bytes.

// First byte of each stored form. A change of layout takes a new number.
const (
	epochFormat   = 1
	ratchetFormat = 1
	pendingFormat = 1
)

// MarshalEpoch gives everything but the secret tree. It is a secret.
func (g *Group) MarshalEpoch() []byte {
	var e encoder
	e.u8(epochFormat)
	g.limits.encode(&e)
	g.ctx.encode(&e)
	e.vec(g.tree.marshal())
	e.u32(uint32(g.own))
	g.priv.encode(&e)
	e.vec(g.sig.priv.bytes())
	e.vec(g.interim)
	g.keys.encode(&e)
	e.list(func(e *encoder) {
		for _, p := range g.past {
			e.u64(p.epoch)
			e.vec(p.secret)
		}
	})
	e.opt(g.reinit != nil, func(e *encoder) { g.reinit.encode(e) })
	return e.b
}

// MarshalRatchets gives the secret tree with all senders' ratchets and our own
// generations, the unused keys, and the proposals sent by themselves in this
// epoch. It is a secret, and belongs to one MarshalEpoch.
func (g *Group) MarshalRatchets() []byte {
	var e encoder
	e.u8(ratchetFormat)
	e.raw(g.binding())
	g.secrets.encode(&e)
	e.list(func(e *encoder) {
		for i := range g.pending {
			g.pending[i].encode(e)
		}
	})
	return e.b
}

// binding names the epoch that a ratchet part belongs to.
func (g *Group) binding() []byte {
	return g.p.hash(append(marshal(&g.ctx), g.interim...))
}

func (p *pendingProposal) encode(e *encoder) {
	e.vec(p.ref)
	p.sender.encode(e)
	p.proposal.encode(e)
	e.vec(p.leafKey)
	e.opt(p.sigKey != nil, func(e *encoder) { e.vec(p.sigKey.priv.bytes()) })
}

func (p *pendingProposal) decode(d *decoder, s Suite) {
	p.ref = d.vec()
	p.sender.decode(d)
	p.proposal = new(Proposal)
	p.proposal.decode(d)
	p.leafKey = d.vec()
	d.opt(func(d *decoder) {
		raw := d.vec()
		if d.err != nil {
			return
		}
		var err error
		if p.sigKey, err = NewSignatureKey(s, raw); err != nil {
			d.fail(errState)
		}
	})
}

// ParseGroup restores a group from its two parts. It trusts them as its own
// memory: they must have been stored sealed. Parts of different epochs, damage
// it can see and other versions are ErrState.
func ParseGroup(epoch, ratchets []byte) (*Group, error) {
	g := new(Group)
	d := &decoder{b: epoch}
	g.decodeEpoch(d)
	if d.err != nil || len(d.b) > 0 {
		return nil, ErrState
	}
	d = &decoder{b: ratchets}
	g.decodeRatchets(d)
	if d.err != nil || len(d.b) > 0 {
		return nil, ErrState
	}
	return g, nil
}

func (g *Group) decodeEpoch(d *decoder) {
	if d.u8() != epochFormat {
		d.fail(errState)
	}
	g.limits.decode(d)
	g.ctx.decode(d)
	tree := d.vec()
	if d.err != nil {
		return
	}
	var err error
	if g.p, err = g.ctx.suite.params(); err != nil {
		d.fail(err)
		return
	}
	if g.tree, err = parseTree(g.p, tree); err != nil {
		d.fail(err)
		return
	}
	g.own = LeafIndex(d.u32())
	g.priv = decodePathKeys(d, g.tree, g.own)
	raw := d.vec()
	if d.err != nil {
		return
	}
	if g.sig, err = NewSignatureKey(g.ctx.suite, raw); err != nil {
		d.fail(err)
		return
	}
	clear(raw)
	g.interim = d.vec()
	g.keys = new(epochKeys)
	g.keys.decode(d)
	for _, s := range g.keys.all() {
		if len(*s) != g.p.nh {
			d.fail(errState)
		}
	}
	d.list(func(d *decoder) { g.past = append(g.past, pastEpoch{d.u64(), d.vec()}) })
	d.opt(func(d *decoder) {
		g.reinit = new(ReInit)
		g.reinit.decode(d)
	})
	if d.err == nil && (g.tree.leaf(g.own) == nil || len(g.interim) != g.p.nh) {
		d.fail(errState)
	}
}

func (g *Group) decodeRatchets(d *decoder) {
	if d.u8() != ratchetFormat {
		d.fail(errState)
	}
	if !slices.Equal(d.raw(g.p.nh), g.binding()) {
		d.fail(errState) // of another epoch or group
	}
	g.secrets = decodeSecretTree(d, g.p, g.limits)
	if d.err == nil && g.secrets.leaves < g.tree.leafCount() {
		d.fail(errState)
	}
	d.list(func(d *decoder) {
		var p pendingProposal
		p.decode(d, g.ctx.suite)
		g.pending = append(g.pending, p)
	})
}
