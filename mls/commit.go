package mls

// proposalOrRef is RFC 9420 §12.4: a proposal by value or by its reference.
type proposalOrRef struct {
	proposal *Proposal
	ref      []byte
}

func (p *proposalOrRef) encode(e *encoder) {
	if p.proposal != nil {
		e.u8(1)
		p.proposal.encode(e)
		return
	}
	e.u8(2)
	e.vec(p.ref)
}

func (p *proposalOrRef) decode(d *decoder) {
	switch t := d.u8(); t {
	case 1:
		p.proposal = new(Proposal)
		p.proposal.decode(d)
	case 2:
		p.ref = d.vec()
	default:
		if d.err == nil {
			d.fail(errProposalOrRef)
		}
	}
}

// commit is RFC 9420 §12.4.
type commit struct {
	proposals []proposalOrRef
	path      *updatePath
}

func (c *commit) encode(e *encoder) {
	e.list(func(e *encoder) {
		for i := range c.proposals {
			c.proposals[i].encode(e)
		}
	})
	e.opt(c.path != nil, func(e *encoder) { c.path.encode(e) })
}

func (c *commit) decode(d *decoder) {
	d.list(func(d *decoder) {
		var p proposalOrRef
		p.decode(d)
		c.proposals = append(c.proposals, p)
	})
	d.opt(func(d *decoder) {
		c.path = new(updatePath)
		c.path.decode(d)
	})
}
