package core

import (
	"slices"
	"time"

	"hearth/content"
	"hearth/core/roster"
	"hearth/wire"
)

// A conversation that this device fell out of, and in which nobody is left who
// could let it in again: no other device of the account lives, nobody else ever came
// or can still come by the invitation of then, and nobody has answered for as long as
// letters wait. There a direct conversation is
// begun again when something is said, and a group goes on in a new room.

// nobodyThere reports whether a room that this device is out of is such a one.
func (s *step) nobodyThere(r *room) (bool, error) {
	if r.State != roomOutOfStep {
		return false, nil
	}
	if k, err := s.copied(); err != nil || k != nil {
		return false, err // its own twin may be there
	}
	me, err := s.me()
	if err != nil {
		return false, err
	}
	others, err := s.siblings(me)
	if err != nil || len(others) > 0 {
		return false, err
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil || ro == nil {
		return false, err
	}
	h, err := s.healing(r.ID)
	if err != nil || h == nil {
		return false, err
	}
	asked := s.c.now().Sub(time.Unix(h.Begun, 0)) >= wire.MaxTTL
	for _, at := range ro.Leaves() {
		if at.Account == me.ID {
			continue
		}
		l, err := s.leaf(r.ID, at.Index)
		if err != nil {
			return false, err
		}
		// Who came while this device could not read the log answers it. A restored
		// home doesn't know since when somebody was invited.
		over := time.Unix(l.Since, 0).Add(wire.ClaimWithin)
		if l.Joined || l.Since == 0 || s.c.now().Before(over) || !asked && time.Unix(r.ReadAt, 0).Before(over) {
			return false, nil
		}
	}
	return true, nil
}

// foundAlone lets a group go on in a new room, with this account as its owner: who
// was invited can come no more.
func (s *step) foundAlone(r *room, cv *conversation) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	chain, err := me.chain()
	if err != nil {
		return err
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil {
		return err
	}
	old := ro.State()
	st := roster.NewGroup(old.ID, old.Name, chain, old.Retention)
	st.Limit, st.Traced = old.Limit, old.Traced
	var rows []row
	err = s.rows(r.ID, func(w *row) (bool, error) {
		if w.Kind == content.KindContent {
			rows = append(rows, row{Kind: w.Kind, Body: w.Body, Message: w.Message, Until: w.Until})
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	s.closeRoom(r, roomBeaten)
	if n := len(cv.Gaps); n > 0 && cv.Gaps[n-1].out() {
		cv.Gaps[n-1].Till = s.c.now().Unix() // nobody has more
	}
	err = s.found(foundation{me: me, conv: cv.ID, kind: cv.Kind, region: r.ID.Region(), server: r.Server,
		state: st, chains: [][][]byte{chain.Entries()}})
	if err != nil {
		return err
	}
	next, err := s.room(cv.Room)
	if err != nil {
		return err
	}
	for _, w := range rows {
		if _, err := s.enqueue(next, w); err != nil {
			return err
		}
	}
	s.putRoom(next)
	return s.notice(cv, NoticeRejoined, "Nobody else was left in this conversation. It goes on in a new room.")
}

// wakeAbandoned looks again at the rooms that this device is out of: a device of
// ours that is gone lets nobody in.
func (s *step) wakeAbandoned() error {
	var out []wire.RoomID
	err := s.scan("healing", func(_ string, b []byte) (bool, error) {
		var h healing
		err := decodeRecord(b, &h)
		out = append(out, h.Room)
		return err == nil, err
	})
	s.then(func() {
		for _, id := range slices.Compact(out) {
			s.c.wakeHealing(id)
		}
	})
	return err
}
