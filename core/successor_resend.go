package core

import (
	"hearth/content"
	"hearth/core/roster"
	"hearth/wire"
)

// sayAgain says in a successor what this device said in the old room after the
// founding's base, or had queued: the same messages under the same ids, so that
// whoever has them drops the second copy. Changes that were waiting go along.
func (s *step) sayAgain(cv *conversation, r *room, l *lineage, next *room) error {
	if err := s.repeat(cv, r, next, s.lastHeard(r, l), true); err != nil {
		return err
	}
	if err := s.planAgain(r, next); err != nil {
		return err
	}
	if !r.Leaving {
		return nil
	}
	return s.leaveAgain(next)
}

// repeat says in a room what this device said in another behind a number of its log
// and, if queued, what was not sent there yet.
func (s *step) repeat(cv *conversation, r, next *room, after wire.Number, queued bool) error {
	type line struct {
		n uint64
		h *happening
	}
	var again []line
	err := s.scan(historyName(cv.ID), func(name string, b []byte) (bool, error) {
		h := new(happening)
		if err := decodeRecord(b, h); err != nil {
			return false, err
		}
		if h.said() && !h.Deleted && h.Own && h.Room == r.ID && (h.Number == 0 && queued || h.Number > after) {
			n, err := s.lineOf(cv.ID, h.ID)
			if err != nil {
				return false, err
			}
			again = append(again, line{n, h})
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, a := range again {
		until, err := s.lasts(cv.ID, a.h, next.ID)
		if err != nil {
			return err
		}
		if _, err := s.enqueue(next, row{Kind: content.KindContent, Body: a.h.Body, Message: a.h.ID, Until: until}); err != nil {
			return err
		}
		a.h.Room, a.h.Number = next.ID, 0
		s.putUntil(lineName(cv.ID, a.n), a.h, a.h.Until)
	}
	return nil
}

// leaveAgain says in a room that this account leaves, as it was about to in
// another, or with another leaf.
func (s *step) leaveAgain(next *room) error {
	// The signed word that was on its way names the leaves that were.
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	ro, err := s.roster(next.ID)
	if err != nil {
		return err
	}
	e, err := ro.NewLeave(key, me.ID)
	if err != nil {
		return err
	}
	next.Leaving = true
	_, err = s.enqueue(next, row{Kind: content.KindLeave, Body: e.Encode(), Until: s.c.now().Add(wire.MaxTTL).Unix()})
	return err
}

// lastHeard returns the number through which all members have, or can still get,
// what the old log says.
func (s *step) lastHeard(r *room, l *lineage) wire.Number {
	if l.Accepted.Number == 0 {
		// Nobody can read the old log any more. Who came to the conversation late
		// must not be told what was said before.
		return l.Grown
	}
	n := r.Commit
	if f, err := roster.ParseFounding(l.Accepted.Founding); err == nil && wire.Epoch(f.Base) < r.Epoch && l.Before != nil {
		n = l.Before.Commit
	}
	if l.Restored != 0 {
		n = min(n, l.Restored)
	}
	return n
}

// planAgain takes the changes that wait in a room along to another.
func (s *step) planAgain(r, next *room) error {
	var list []*plan
	err := s.scan(planName(r.ID), func(_ string, b []byte) (bool, error) {
		p := new(plan)
		err := decodeRecord(b, p)
		list = append(list, p)
		return true, err
	})
	if err != nil {
		return err
	}
	for _, p := range list {
		s.giveUp(r.ID, p, errMovedOn)
		// Evidence names leaves of the old room; a renewal is not needed.
		if !p.Renew && !p.Found && len(p.Evidence) == 0 {
			s.plan(next, *p)
		}
	}
	return nil
}

// errMovedOn says that a change waits for the conversation's new room.
var errMovedOn = (&wire.Error{Code: wire.Stale, Message: "the conversation has just moved to a new room"}).
	WithNext("the change goes on there by itself; look with: hearth rooms")
