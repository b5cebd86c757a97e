package core

import (
	"context"
	"errors"
	"time"

	"hearth/content"
	"hearth/core/lane"
	"hearth/mls"
	"hearth/wire"
)

// What a room's sender does next, in this order: bring a staged commit through,
// put the device's own seat in place of a provisional one, stage the next plan,
// send what waits in the outbox.

// wakeRoom starts the sender of a room.
func (c *Client) wakeRoom(id wire.RoomID) {
	c.poke(queueID{roomQueue, id}, func(ctx context.Context) (action, error) { return c.nextInRoom(ctx, id) })
}

// nextInRoom decides, and saves what must be saved first.
func (c *Client) nextInRoom(ctx context.Context, id wire.RoomID) (act action, err error) {
	err = c.step(ctx, func(s *step) error {
		r, err := s.room(id)
		if err != nil || r == nil {
			return err
		}
		sg, err := s.saga(id)
		if err != nil {
			return err
		}
		if act, err = c.dueSuccession(s, r); act != nil || err != nil {
			return err
		}
		switch r.State {
		case roomOK, roomFounding:
		default:
			return nil
		}
		if sg != nil && sg.Plan.Found {
			act = c.sendFounding(r, sg)
			return nil
		}
		if r.Old != nil {
			act = c.sendRename(r)
			return nil
		}
		// From here on the log must have been read to its head: what is sealed
		// or staged on an older state is refused anyway (protocol §1).
		if !c.live(id) {
			return nil // the reader wakes us when it is
		}
		if sg != nil {
			act, err = c.sendCommit(s, r, sg)
			return err
		}
		if err := s.dueInvited(r); err != nil {
			return err
		}
		if _, err := s.dueLeave(r); err != nil {
			return err
		}
		if err := s.dueRefresh(r); err != nil {
			return err
		}
		if err := s.dueRevoked(r); err != nil {
			return err
		}
		p, err := s.firstPlan(id)
		if err != nil {
			return err
		}
		if p == nil {
			if p, err = s.dueRenewal(r); err != nil {
				return err
			}
		}
		if p != nil {
			return s.stage(r, p) // and look again
		}
		receipt, err := s.dueReceipt(r)
		if err != nil {
			return err
		}
		act, err = s.nextPost(r)
		if act == nil && receipt > 0 {
			act = func(context.Context) (time.Duration, error) { return receipt, nil }
		}
		return err
	})
	if act == nil && err == nil {
		// A step that staged something has woken us itself.
		return nil, nil
	}
	return act, err
}

// live reports whether the room's log was read to its head on the present
// connection. The client's lock is held.
func (c *Client) live(id wire.RoomID) bool {
	r := c.readers[id]
	return r != nil && r.live
}

// nextPost takes the first row that was not posted in this epoch, or whose entry
// does not come although the server took it: the same post again is one entry, a
// row that was passed over is sealed anew.
func (s *step) nextPost(r *room) (act action, err error) {
	var due time.Duration
	err = s.rows(r.ID, func(w *row) (bool, error) {
		left := ttlLeft(w.Until, s.c.now())
		if left == 0 {
			return true, nil // over: the sweep takes it
		}
		wait, passed := s.c.underWay(r, w.N)
		if w.Epoch != r.Epoch || len(w.Sealed) == 0 || passed && wait <= 0 {
			g, err := s.group(r.ID)
			if err != nil || g == nil {
				return false, err
			}
			if due, err := s.mustRenew(r, g); due || err != nil {
				return false, err
			}
			if w.Kind == content.KindReceipt {
				if ok, err := s.writeReceipt(r, w); err != nil || !ok {
					return err == nil, err
				}
			}
			if err := s.seal(r, g, w); err != nil {
				return false, err
			}
			if passed {
				n := w.N
				s.then(func() { delete(s.c.posted[r.ID], n) })
			}
		} else if wait > 0 {
			if due == 0 || wait < due {
				due = wait
			}
			return true, nil
		}
		g, err := s.group(r.ID)
		if err != nil || g == nil {
			return false, err
		}
		token, err := postToken(g, r.ID)
		if err != nil {
			return false, err
		}
		ro, err := s.roster(r.ID)
		if err != nil {
			return false, err
		}
		post := wire.RoomPost{Room: r.ID, Epoch: w.Epoch, Token: token, Payload: w.Sealed}
		if ro.State().Traced {
			post.Seat, post.SeatSecret = &r.Seat.ID, r.Seat.Secret
		}
		act = s.c.sendPost(r, w, post)
		return false, nil
	})
	if act == nil && due > 0 {
		act = func(context.Context) (time.Duration, error) { return due, nil }
	}
	return act, err
}

// sendPost posts a row.
func (c *Client) sendPost(r *room, w *row, post wire.RoomPost) action {
	return func(ctx context.Context) (time.Duration, error) {
		s, err := c.net.To(r.Server, lane.Posts).Up(ctx)
		if err != nil {
			return 0, err
		}
		// The connection may have taken long: what is left counts now.
		if post.TTL = ttlLeft(w.Until, c.now()); post.TTL == 0 {
			return 0, nil
		}
		keep := s.Welcome().Keep
		post.TTL = min(post.TTL, keep)
		if err := c.posting(ctx, r, w, keep); err != nil {
			return 0, err
		}
		var a wire.Appended
		err = s.Call(ctx, wire.OpRoomPost, post, &a)
		switch code(err) {
		case "":
			if err != nil {
				return 0, err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.acknowledged(r.ID, w.N, a.Number)
			return 0, nil
		case wire.Stale:
			// Another commit is in the log or on its way here; the reader wakes
			// us when it was applied.
			return time.Second, nil
		case wire.Stuck:
			// We did enter the epoch, but its token hash is not ours: one commit
			// sets it right (protocol §1).
			return time.Second, c.step(ctx, func(s *step) error {
				now, err := s.room(r.ID)
				if err != nil || now == nil || now.Epoch != w.Epoch {
					return err
				}
				if p, err := s.firstPlan(r.ID); err != nil || p != nil {
					return err
				}
				s.plan(now, plan{Renew: true})
				s.putRoom(now)
				return nil
			})
		}
		if code(err) == wire.Closing {
			err = errors.Join(err, c.roomClosing(ctx, r.ID))
		}
		return 0, err // full, closing, denied: it stays in the outbox
	}
}

// sendRename puts the device's own seat in place of the provisional or the old
// one.
func (c *Client) sendRename(r *room) action {
	old, now := *r.Old, r.Seat
	return func(ctx context.Context) (time.Duration, error) {
		s, err := c.net.To(r.Server, lane.Seats).Up(ctx)
		if err != nil {
			return 0, err
		}
		err = s.Call(ctx, wire.OpSeatRename, wire.SeatRename{Room: r.ID, Seat: old.ID, Secret: old.Secret, New: now.wire(false)}, nil)
		if code(err) == wire.Denied {
			// Either it was renamed before and the answer was lost, or the seat
			// is gone. Repeating with the new secret tells.
			err = s.Call(ctx, wire.OpSeatRename, wire.SeatRename{Room: r.ID, Seat: old.ID, Secret: now.Secret, New: now.wire(false)}, nil)
		}
		lost := code(err) == wire.Denied || code(err) == wire.Gone
		if err != nil && !lost {
			return 0, err
		}
		return 0, c.step(ctx, func(s *step) error {
			cur, err := s.room(r.ID)
			if err != nil || cur == nil || cur.Seat.ID != now.ID {
				return err
			}
			// If neither opens the reader finds out, and says so.
			cur.Old = nil
			if !lost {
				s.del(adderName(r.ID)) // nobody else's to spoil
			}
			s.putRoom(cur)
			s.then(func() { c.resume(cur) })
			return nil
		})
	}
}

// sendCommit sends a staged commit. What decides is the entry that comes back.
func (c *Client) sendCommit(s *step, r *room, sg *saga) (action, error) {
	if sg.Base != r.Epoch {
		return nil, errors.New("a staged commit for another epoch") // take drops it in the same step: a bug
	}
	if left, passed := c.underWay(r, sagaSent); left > 0 && !passed {
		return func(context.Context) (time.Duration, error) { return left, nil }, nil
	}
	g, err := s.group(r.ID)
	if err != nil {
		return nil, err
	}
	token, err := postToken(g, r.ID)
	if err != nil {
		return nil, err
	}
	req := wire.RoomCommit{
		Room: r.ID, Epoch: sg.Base, Seat: r.Seat.ID, SeatSecret: r.Seat.Secret, Token: token,
		Payload: sg.Message, NewHash: sg.NewHash, Add: sg.Add, Remove: sg.Remove, Traced: sg.Traced,
	}
	return func(ctx context.Context) (time.Duration, error) {
		conn, err := c.net.To(r.Server, lane.Seats).Up(ctx)
		if err != nil {
			return 0, err
		}
		var a wire.Appended
		err = conn.Call(ctx, wire.OpRoomCommit, req, &a)
		switch code(err) {
		case "":
			if err != nil {
				return 0, err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.acknowledged(r.ID, sagaSent, a.Number)
			return 0, nil
		case wire.Stale:
			return time.Second, nil // ours came through and the answer was lost, or another's did
		}
		return 0, err
	}, nil
}

// post is an acknowledged post: the number the server gave it, and when.
type post struct {
	number wire.Number
	at     time.Time
}

// acknowledged notes that the server took a row. The client's lock is held.
func (c *Client) acknowledged(id wire.RoomID, row uint64, n wire.Number) {
	if c.posted[id] == nil {
		c.posted[id] = make(map[uint64]post)
	}
	c.posted[id][row] = post{n, c.now()}
}

// underWay returns how long to wait for the entry of an acknowledged row before
// it is posted once more; 0 or less: post it now. A server that takes a post and
// drops it gains a minute. passed: the log was read past its number, and it was
// not there. The same bytes would be answered with that number for ever; sealed
// anew the message is another entry, and the same message to whoever has it.
func (c *Client) underWay(r *room, row uint64) (left time.Duration, passed bool) {
	p, ok := c.posted[r.ID][row]
	if !ok {
		return 0, false
	}
	return lookAgain - c.now().Sub(p.at), p.number != 0 && p.number <= r.Read
}

// sagaSent stands for the staged commit among the posted rows.
const sagaSent = 0

// leafAge is how old a leaf's keys may be before the first own post renews them
// (protocol §8).
const (
	leafAge      = 7 * 24 * time.Hour
	leafAgeLarge = 30 * 24 * time.Hour
	largeGroup   = 32
)

// mustRenew plans a renewal where our leaf's keys are too old, or the
// generations of this epoch are nearly used up, for one more post.
func (s *step) mustRenew(r *room, g *mls.Group) (bool, error) {
	age := leafAge
	if len(g.Members()) > largeGroup {
		age = leafAgeLarge
	}
	old := s.c.now().Sub(time.Unix(r.Renewed, 0)) >= age
	if !old && g.OwnGeneration() < commitBefore {
		return false, nil
	}
	s.plan(r, plan{Renew: true})
	s.putRoom(r)
	return true, nil
}

// dueRenewal returns the renewal that follows joining, at its random moment.
func (s *step) dueRenewal(r *room) (*plan, error) {
	if r.RenewAt == 0 || s.c.now().Unix() < r.RenewAt {
		return nil, nil
	}
	s.plan(r, plan{Renew: true})
	r.RenewAt = 0
	s.putRoom(r)
	return s.firstPlan(r.ID)
}
