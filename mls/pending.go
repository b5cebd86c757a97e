package mls

import "slices"

// Marshal saves the commit with the state it leads to, so that it survives a
// restart exactly. It is a secret.
func (c *PendingCommit) Marshal() []byte {
	s := c.staged
	var e encoder
	e.u8(pendingFormat)
	e.vec(c.message)
	s.content.encode(&e)
	e.opt(c.welcome != nil, func(e *encoder) { c.welcome.encode(e) })
	e.list(func(e *encoder) {
		for _, i := range s.added {
			e.u32(uint32(i))
		}
	})
	// References resolve to the proposals of the old epoch, kept in its
	// ratchet part; the resolved list makes the pending commit stand alone.
	e.list(func(e *encoder) {
		for i := range s.list {
			s.list[i].proposal.encode(e)
			s.list[i].sender.encode(e)
			e.vec(s.list[i].ref)
		}
	})
	e.u32(uint32(s.committer))
	e.u32(s.generation)
	e.vec(s.next.MarshalEpoch())
	e.vec(s.next.MarshalRatchets())
	return e.b
}

// ParsePendingCommit restores a commit that was made from this very state.
func (g *Group) ParsePendingCommit(b []byte) (*PendingCommit, error) {
	d := &decoder{b: b}
	if d.u8() != pendingFormat {
		d.fail(errState)
	}
	c := &PendingCommit{message: d.vec()}
	s := &Staged{before: g, content: new(authenticatedContent)}
	c.staged = s
	s.content.decode(d)
	d.opt(func(d *decoder) {
		c.welcome = new(welcome)
		c.welcome.decode(d)
	})
	d.list(func(d *decoder) { s.added = append(s.added, LeafIndex(d.u32())) })
	d.list(func(d *decoder) {
		r := resolved{proposal: new(Proposal)}
		r.proposal.decode(d)
		r.sender.decode(d)
		r.ref = d.vec()
		s.list = append(s.list, r)
	})
	s.committer = LeafIndex(d.u32())
	s.generation = d.u32()
	epoch, ratchets := d.vec(), d.vec()
	if d.err != nil || len(d.b) > 0 || s.content.content.contentType != ContentCommit {
		return nil, ErrState
	}
	next, err := ParseGroup(epoch, ratchets)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(next.ctx.groupID, g.ctx.groupID) || next.ctx.epoch != g.ctx.epoch+1 || next.own != g.own ||
		s.content.content.epoch != g.ctx.epoch || s.content.content.sender != (sender{senderMember, uint32(g.own)}) {
		return nil, ErrState
	}
	s.next = next
	// The generation that sealed the message is used up, even if the group's
	// ratchets were saved before it was made.
	if s.content.wireFormat == wirePrivateMessage {
		if err := g.secrets.skipTo(uint32(g.own), ContentCommit, s.generation+1); err != nil {
			return nil, ErrState
		}
	}
	return c, nil
}
