package identity

import "fmt"

// Relation says how two chains stand to each other.
type Relation uint8

// The relations of Compare.
const (
	// Other: the chains are of two accounts.
	Other Relation = iota
	// Same: they have the same head.
	Same
	// Ahead: the first follows from the second, or has more recovery-signed
	// entries, which voids what the second has beyond their common part.
	Ahead
	// Behind: the second is ahead of the first.
	Behind
	// Fork: each has an entry that the other lacks, and no recovery-signed one
	// decides. First contact and the verified mark stop until one does
	// (protocol §7); commits are judged by the group's state all the same.
	Fork
)

// Compare says how c stands to o.
func (c *Chain) Compare(o *Chain) Relation {
	if c.Account() != o.Account() {
		return Other
	}
	p, q := c.Position(), o.Position()
	switch short := min(len(c.steps), len(o.steps)); {
	case c.Head() == o.Head():
		return Same
	// Each entry holds the hash of the one before, so that equal hashes at one
	// place mean equal chains up to there.
	case c.steps[short-1].hash == o.steps[short-1].hash:
		if len(c.steps) > short {
			return Ahead
		}
		return Behind
	// They part. Recovery-signed entries in the common part count for both, so
	// this compares those behind it.
	case p.Recovery > q.Recovery:
		return Ahead
	case p.Recovery < q.Recovery:
		return Behind
	}
	return Fork
}

// Extends reports whether c is o, or ahead of it.
func (c *Chain) Extends(o *Chain) bool {
	r := c.Compare(o)
	return r == Same || r == Ahead
}

// Follow returns the chain that entries lead to: either entries to append one
// after the other, or a whole chain of the same account that is ahead of c. The
// error wraps ErrNotNext when they lead elsewhere or nowhere.
func (c *Chain) Follow(entries [][]byte) (*Chain, error) {
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: no entries to follow", ErrInvalid)
	}
	next := c
	s, err := parseStep(entries[0])
	if err != nil {
		return nil, err
	}
	if s.Kind == KindCreate {
		if next, err = VerifyFor(c.Account(), entries); err != nil {
			return nil, err
		}
	} else {
		for _, raw := range entries {
			if next, err = next.Append(raw); err != nil {
				return nil, err
			}
		}
	}
	if next.Compare(c) != Ahead {
		return nil, ErrNotNext
	}
	return next, nil
}

// Since returns the entries that Follow needs to lead from o to c: those that o
// lacks, or all of them where appending cannot do it. It returns nil unless c is
// ahead of o.
func (c *Chain) Since(o *Chain) [][]byte {
	if c.Compare(o) != Ahead {
		return nil
	}
	common := 0
	for common < min(len(c.steps), len(o.steps)) && c.steps[common].hash == o.steps[common].hash {
		common++
	}
	entries := c.EntriesFrom(common)
	if _, err := o.Follow(entries); err == nil {
		return entries
	}
	return c.Entries()
}
