package mls

// Limits bound what a group accepts. The zero value means the defaults named
// with each field and everything optional off. They are saved with the group.
type Limits struct {
	// MaxForward is how many generations a sender may be ahead of the last one
	// read in an epoch; default 8192.
	MaxForward uint32
	// MaxSkipped is how many unused keys are kept for each ratchet of a sender,
	// the oldest dropped first; default 1000.
	MaxSkipped int
	// MaxSkippedTotal is the same over the whole group; default 8192.
	MaxSkippedTotal int
	// KeepEpochs is how many past epochs' resumption secrets are kept for use as
	// PSKs; default 0. No message key of a past epoch is ever kept.
	KeepEpochs int
	// MaxMembers refuses a commit or a Welcome that leads to more members;
	// default 0, no bound.
	MaxMembers int
	// AllowExternalCommits lets strangers with a GroupInfo join by themselves.
	AllowExternalCommits bool
	// AllowExternalProposals admits proposals from external senders and from
	// those who ask to be added, and commits that refer to them.
	AllowExternalProposals bool
	// AllowProposalsByReference admits proposals that members send by themselves,
	// and commits that refer to them.
	AllowProposalsByReference bool
}

func (l Limits) maxForward() uint32 {
	if l.MaxForward == 0 {
		return 8192
	}
	return l.MaxForward
}

func (l Limits) maxSkipped() int {
	if l.MaxSkipped <= 0 {
		return 1000
	}
	return l.MaxSkipped
}

func (l Limits) maxSkippedTotal() int {
	if l.MaxSkippedTotal <= 0 {
		return 8192
	}
	return l.MaxSkippedTotal
}

func (l *Limits) encode(e *encoder) {
	e.u32(l.MaxForward)
	e.u32(uint32(max(l.MaxSkipped, 0)))
	e.u32(uint32(max(l.MaxSkippedTotal, 0)))
	e.u32(uint32(max(l.KeepEpochs, 0)))
	e.u32(uint32(max(l.MaxMembers, 0)))
	var flags uint8
	for i, on := range []bool{l.AllowExternalCommits, l.AllowExternalProposals, l.AllowProposalsByReference} {
		if on {
			flags |= 1 << i
		}
	}
	e.u8(flags)
}

func (l *Limits) decode(d *decoder) {
	l.MaxForward = d.u32()
	for _, n := range []*int{&l.MaxSkipped, &l.MaxSkippedTotal, &l.KeepEpochs, &l.MaxMembers} {
		v := d.u32()
		if v > 1<<31-1 {
			d.fail(errState)
			return
		}
		*n = int(v)
	}
	flags := d.u8()
	if flags > 7 {
		d.fail(errState)
		return
	}
	l.AllowExternalCommits = flags&1 != 0
	l.AllowExternalProposals = flags&2 != 0
	l.AllowProposalsByReference = flags&4 != 0
}
