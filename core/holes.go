package core

import (
	"context"
	"time"

	"hearth/content"
	"hearth/core/lane"
	"hearth/mls"
	"hearth/wire"
)

// Entries expire, and the server says where (protocol §1). Whether it says so
// honestly is judged here (decision 0025): each message says when the one before
// it of the same leaf ends on the server, so a hole over one that had not ended
// when the hole was stated is a lie.

// holeSlack is by how much a post may seem to have vanished too early, seconds:
// its sender's clock and ours may each be apart from the server's a little.
const holeSlack = int64(3 * lane.Apart / time.Second)

// ahead returns how far a server's clock is ahead of ours, in seconds, where the
// two do not agree.
func (c *Client) ahead(server string) int64 { return c.net.Terms(server).Ahead(c.now()) }

// holed notes a hole. The caller saves the room.
func (s *step) holed(r *room, cv *conversation, h *wire.Hole) error {
	r.Holes++
	r.HoleAt, r.HoleAhead = s.c.now().Unix(), s.c.ahead(r.Server)
	if !h.Early {
		return nil
	}
	// The server's word, and no more than that: it is said, so that it cannot be
	// used in silence.
	r.Early = r.Holes
	return s.noticeOnce(r, cv, NoticeEarly,
		"So much was said here while this device was away that the server did not keep all of it for this device.")
}

// countUp compares a leaf's running count with the last one. It reports whether
// the message is a new one.
func (s *step) countUp(r *room, cv *conversation, index mls.LeafIndex, e content.Envelope) (fresh bool, err error) {
	l, err := s.leaf(r.ID, index)
	if err != nil {
		return false, err
	}
	switch {
	case l.Seen && e.Count <= l.Count:
		return false, nil // a second copy, after its sender encrypted it again
	case l.Seen && e.Count > l.Count+1:
		err = s.uncounted(r, cv, l, e.Ends)
	}
	l.Seen, l.Count, l.Holes = true, e.Count, r.Holes
	s.putLeaf(r.ID, index, l)
	return true, err
}

// uncounted judges that messages of a leaf are missing, the last of which ends
// then: they were withheld, unless it had ended when the server last said that
// something had.
func (s *step) uncounted(r *room, cv *conversation, l *leaf, ends int64) error {
	stated := r.HoleAt + holeSlack
	switch {
	case l.Holes == r.Holes:
		return s.noticeOnce(r, cv, NoticeWithheld, "Messages that a member sent did not arrive.")
	case r.Early > l.Holes:
		return nil // said when the hole was stated
	case ends > stated+r.HoleAhead:
		return s.noticeOnce(r, cv, NoticeWithheld, "The server keeps back messages of a member and says that they had expired, which they had not.")
	case ends > stated:
		return s.noticeClocks(r, cv, r.HoleAhead)
	}
	return nil
}

// noticeClocks says that what was said here ends by a clock that is not ours.
func (s *step) noticeClocks(r *room, cv *conversation, ahead int64) error {
	return s.noticeOnce(r, cv, NoticeClocks, "This device's clock and the server's are "+
		showAway(time.Duration(max(ahead, -ahead))*time.Second)+
		" apart. If this device's is right, the server may be passing off messages as expired.")
}

// countEnds notes when a row that is being sealed ends on the server: the next
// one says it.
func (s *step) countEnds(r *room, w *row) error {
	if w.Count != r.Count {
		return nil // the next one has said it
	}
	ahead := s.c.ahead(r.Server)
	r.Ends = s.c.endsOn(w.Until, s.c.net.Terms(r.Server).Keep, ahead)
	if ahead == 0 {
		return nil
	}
	cv, err := s.conv(r.Conv)
	if err != nil || cv == nil {
		return err
	}
	return s.noticeClocks(r, cv, ahead)
}

// endsOn is when a post that is made now ends, at the earliest, by the clock of a
// server that keeps posts so long and is so far ahead of us.
func (c *Client) endsOn(until int64, keep uint32, ahead int64) int64 {
	now := c.now()
	ttl := time.Duration(min(ttlLeft(until, now), keep)) * time.Second
	ends := now.Add(ttl-wire.Grain(ttl)).Unix() + ahead
	return min(max(ends, 1), content.MaxEnds)
}

// posting is called before a row leaves over a connection: what its server says
// now counts, not what it said when the row was sealed.
func (c *Client) posting(ctx context.Context, r *room, w *row, keep uint32) error {
	ends := c.endsOn(w.Until, keep, c.ahead(r.Server))
	if r.Keep == keep && (r.Count != w.Count || ends >= r.Ends) {
		return nil
	}
	return c.step(ctx, func(s *step) error {
		r, cv, err := s.roomAndConv(r.ID)
		if err != nil || r == nil {
			return err
		}
		if r.Count == w.Count {
			r.Ends = min(r.Ends, ends)
			s.putRoom(r)
		}
		return s.serverKeeps(r, cv, keep)
	})
}

// serverKeeps notes for how long the server of a room keeps posts. Where that
// falls, or is a small part of what is asked for, people are told: a server that
// wants to drop messages need only say that it keeps none for long.
func (s *step) serverKeeps(r *room, cv *conversation, keep uint32) error {
	before := r.Keep
	if before == keep {
		return nil
	}
	r.Keep = keep
	s.putRoom(r)
	now := showAway(time.Duration(keep) * time.Second)
	if before != 0 && keep < before {
		return s.notice(cv, NoticeKeepsLess, "The server keeps messages for devices that are away for "+now+" now, no longer for "+
			showAway(time.Duration(before)*time.Second)+". Who is away for longer misses what is said here.")
	}
	if before != 0 {
		return nil
	}
	asked := wire.Seconds(wire.MaxTTL)
	switch ro, err := s.roster(r.ID); {
	case err != nil && code(err) != wire.Damaged:
		return err
	case err == nil && ro.State().Retention != 0:
		asked = min(asked, ro.State().Retention)
	}
	if keep >= asked/10 {
		return nil
	}
	return s.notice(cv, NoticeKeepsLess, "The server keeps messages for devices that are away for "+now+
		" only, much less than this conversation asks for. Who is away for longer misses what is said here.")
}
