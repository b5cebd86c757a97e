package core

import (
	"context"
	"slices"
	"time"

	"hearth/core/lane"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// Notices are what a seat says outside of epochs, even when its device is stuck
// (protocol §5). Like rows of the outbox they are saved before they leave; unlike
// them nobody is told when they have come back.

// noticeQueue is what sends them, one a room.
const noticeQueue queueKind = 0x20

// unposted is a notice that waits to be posted.
type unposted struct {
	_    struct{} `cbor:",toarray"`
	N    uint64
	Kind letter.NoticeKind
	Body []byte
	// Until is when it means nothing any more, Unix seconds.
	Until int64
	// Sealed is the notice as it leaves, under the link key of Epoch; absent
	// until it was sealed.
	Sealed []byte
	Epoch  wire.Epoch
}

func unpostedName(id wire.RoomID) string { return vault.Name("notice", b64(id[:])) }

// noticesOf are the times of a seat's newest notices, Unix seconds: the server
// takes four a day, and one more would be in the way of what matters more.
type noticesOf struct {
	_     struct{} `cbor:",toarray"`
	Times []int64
}

func noticesName(id wire.RoomID) string { return vault.Name("noticed", b64(id[:])) }

const noticeDay = 24 * time.Hour

// heard is a notice whose signature was checked.
type heard struct {
	letter.Notice
	// number is its place in the log.
	number wire.Number
	// own says that this device wrote it.
	own bool
}

// hearNotice opens a notice and deals with it by its kind. What does not open,
// or is not signed by a leaf, has no effect.
func (s *step) hearNotice(r *room, cv *conversation, e *wire.Entry) error {
	links, err := s.linkKeys(r.ID)
	if err != nil {
		return err
	}
	ro, err := s.roster(r.ID)
	if code(err) == wire.Damaged {
		return nil // this room's state is lost: nobody here can be told by a key
	}
	if err != nil {
		return err
	}
	n, err := letter.OpenNotice(r.ID, links, e.Payload, func(n letter.Notice) (identity.PublicKey, bool) {
		l, ok := ro.LeafOf(n.Account, n.Device)
		// Of the epoch before, the place may be another's by now.
		return l.Key, ok && (n.Epoch != r.Epoch || uint32(l.Index) == n.Leaf)
	})
	if err != nil {
		s.c.debug("a notice was refused", err)
		return nil
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	return s.dealWith(r, cv, ro, heard{Notice: n, number: e.Number, own: n.Account == me.ID && n.Device == key.ID()})
}

// dealWith is the one list of what notices do.
func (s *step) dealWith(r *room, cv *conversation, ro *roster.Roster, n heard) error {
	switch n.Kind {
	case letter.NoticeOutOfStep:
		if err := s.saidOutOfStep(r, n.Account); err != nil {
			return err
		}
		return s.hearOutOfStep(r, cv, ro, n)
	case letter.NoticeFounding:
		return s.hearFounding(r, cv, n)
	}
	return nil // a later version's
}

// linkKeys returns the link keys of the last two epochs that a room was in, the
// newest first.
func (s *step) linkKeys(id wire.RoomID) ([]letter.LinkKey, error) {
	var keys linkKeys
	if _, err := s.get(linkName(id), &keys); err != nil {
		return nil, err
	}
	var out []letter.LinkKey
	for _, k := range keys.Keys {
		out = append(out, letter.LinkKey{Epoch: k.Epoch, Key: k.Key})
	}
	return out, nil
}

// postNotice puts a notice into a room's queue. It is sealed when it leaves, and
// waits while the seat has posted its four of the day. The caller saves the room.
func (s *step) postNotice(r *room, kind letter.NoticeKind, body []byte) {
	s.putNotice(r, unposted{Kind: kind, Body: body})
}

func (s *step) putNotice(r *room, n unposted) {
	r.Next++
	n.N, n.Until = r.Next, s.c.now().Add(wire.MaxTTL).Unix()
	s.putUntil(vault.Numbered(unpostedName(r.ID), n.N), n, n.Until)
	id := r.ID
	s.then(func() { s.c.wakeNotices(id) })
}

// wakeNotices starts the sender of a room's notices. It does not wait for the log
// to be read: a device that cannot read on must still be heard.
func (c *Client) wakeNotices(id wire.RoomID) {
	c.poke(queueID{noticeQueue, id}, func(ctx context.Context) (act action, err error) {
		err = c.step(ctx, func(s *step) error {
			act, err = s.nextNotice(id)
			return err
		})
		return act, err
	})
}

// nextNotice takes the first notice that waits.
func (s *step) nextNotice(id wire.RoomID) (action, error) {
	r, err := s.room(id)
	if err != nil || r == nil {
		return nil, err
	}
	var next *unposted
	err = s.scan(unpostedName(id), func(_ string, b []byte) (bool, error) {
		n := new(unposted)
		if err := decodeRecord(b, n); err != nil {
			return false, err
		}
		if ttlLeft(n.Until, s.c.now()) > 0 {
			next = n
		}
		return next == nil, nil
	})
	if err != nil || next == nil {
		return nil, err
	}
	if wait, err := s.noticeBudget(id, len(next.Sealed) > 0); err != nil || wait > 0 {
		return func(context.Context) (time.Duration, error) { return wait, nil }, err
	}
	links, err := s.linkKeys(id)
	if err != nil || len(links) == 0 {
		return nil, err // nothing that it could be sealed under: the sweep takes it
	}
	if len(next.Sealed) == 0 || next.Epoch != links[0].Epoch {
		if err := s.sealNotice(r, links[0], next); err != nil {
			return nil, err
		}
	}
	return s.c.sendNotice(r, next), nil
}

// sealNotice seals a notice under the newest link key and counts it.
func (s *step) sealNotice(r *room, link letter.LinkKey, n *unposted) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil || ro == nil {
		return err
	}
	l, _ := ro.LeafOf(me.ID, key.ID())
	n.Sealed, err = letter.SealNotice(link, key, letter.Notice{Kind: n.Kind, Room: r.ID, Leaf: uint32(l.Index), Account: me.ID, Body: n.Body})
	if err != nil {
		return err
	}
	n.Epoch = link.Epoch
	s.putUntil(vault.Numbered(unpostedName(r.ID), n.N), n, n.Until)
	var past noticesOf
	if _, err := s.get(noticesName(r.ID), &past); err != nil {
		return err
	}
	past.Times = append(past.Times, s.c.now().Unix())
	past.Times = past.Times[max(0, len(past.Times)-wire.NoticesPerDay):]
	s.putUntil(noticesName(r.ID), past, s.c.now().Add(noticeDay).Unix())
	return nil
}

// noticeBudget returns how long the next notice waits. One that was sealed is
// counted already: the same bytes again cost nothing.
func (s *step) noticeBudget(id wire.RoomID, sealed bool) (time.Duration, error) {
	var past noticesOf
	if _, err := s.get(noticesName(id), &past); err != nil || sealed {
		return 0, err
	}
	since := s.c.now().Add(-noticeDay)
	past.Times = slices.DeleteFunc(past.Times, func(t int64) bool { return time.Unix(t, 0).Before(since) })
	if len(past.Times) < wire.NoticesPerDay {
		return 0, nil
	}
	return time.Unix(past.Times[0]+1, 0).Sub(since), nil
}

// sendNotice posts a notice.
func (c *Client) sendNotice(r *room, n *unposted) action {
	req := wire.RoomNotice{Room: r.ID, Seat: r.Seat.ID, SeatSecret: r.Seat.Secret, Payload: n.Sealed}
	old := r.Old
	return func(ctx context.Context) (time.Duration, error) {
		s, err := c.net.To(r.Server, lane.Seats).Up(ctx)
		if err != nil {
			return 0, err
		}
		err = s.Call(ctx, wire.OpRoomNotice, req, new(wire.Appended))
		if code(err) == wire.Denied && old != nil {
			req.Seat, req.SeatSecret = old.ID, old.Secret
			err = s.Call(ctx, wire.OpRoomNotice, req, new(wire.Appended))
		}
		switch code(err) {
		case wire.Denied, wire.Gone, wire.BadInput:
			// The seat is lost, or the room: it will not come back.
			c.debug("a notice was not taken", err)
		default:
			if err != nil {
				return 0, err
			}
		}
		return 0, c.step(ctx, func(s *step) error {
			s.del(vault.Numbered(unpostedName(r.ID), n.N))
			return nil
		})
	}
}
