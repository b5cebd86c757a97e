package core

import (
	"time"

	"hearth/content"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/mls"
	"hearth/wire"
)

// A device that fell out of step founds a successor when nobody is there to put
// it back. If the others had gone two epochs further by then, its founding does
// not count for them: they put it back into the old room, and it returns there
// (protocol §5).
//
// Whether that is so the device cannot read in the old log, for it cannot follow
// it. Whoever is honest judges the founding by that log alike, so that either all
// of them come to the successor or none does. A plain member's word that none does
// is therefore taken as long as nobody has spoken in the successor, and for now:
// the successor is still read, and the first one who speaks there takes the device
// over again. Then only the word of an owner or admin settles it, who is asked.

// forsaken is a successor that this device has left on a plain member's word.
type forsaken struct {
	_ struct{} `cbor:",toarray"`
	// Old is the room that it returned to, By whose word that was.
	Old wire.RoomID
	By  wire.AccountID
	// Lineage is what it knew of Old before.
	Lineage lineage
	Until   int64 // Unix seconds
}

func forsakenName(id wire.RoomID) string { return vault.Name("forsaken", b64(id[:])) }

// forsakenKept is how long a successor is still read that was left on a plain
// member's word: as long as somebody may be away and still follow.
const forsakenKept = wire.MaxTTL

func (s *step) forsaken(id wire.RoomID) (*forsaken, error) {
	f := new(forsaken)
	ok, err := s.get(forsakenName(id), f)
	if err != nil || !ok {
		return nil, err
	}
	return f, nil
}

// wayBack is what a Welcome to a room that was left for a successor leads to.
type wayBack uint8

const (
	wayNone   wayBack = iota
	wayBackTo         // back to the room
	wayForNow         // back to the room, until somebody speaks in the successor
	wayAsk            // nowhere on this member's word: those whose word counts are asked
	wayLater          // not before what is on its way in the successor has come through
)

// mayReturn says where a Welcome leads to a room that this device has left for a
// successor, from an epoch for which that founding was not valid.
func (s *step) mayReturn(r *room, cv *conversation, inv *letter.Wrapper, j *joining) (wayBack, error) {
	if inv.Room != r.ID || inv.Server != r.Server || cv.Room == r.ID {
		return wayNone, nil
	}
	l, err := s.lineage(r.ID)
	if err != nil || l.Accepted == nil || !l.Accepted.Entered || len(l.Later) == 0 {
		return wayNone, err
	}
	f, err := roster.ParseFounding(l.Accepted.Founding)
	untold := l.Accepted.Number == 0
	if err != nil || untold && r.Epoch >= inv.Epoch || !untold && wire.Epoch(f.Base)+1 >= inv.Epoch {
		return wayNone, nil
	}
	me, err := s.me()
	if err != nil {
		return wayNone, err
	}
	st := j.roster.State()
	if convID(st.ID) != cv.ID || st.Generation >= f.Generation || roleOf(j.roster, me.ID) == 0 {
		return wayNone, nil
	}
	if untold {
		unchanged, known, err := s.unchangedSince(l, f, cv.Room)
		switch {
		case err != nil:
			return wayNone, err
		case !known:
			return wayLater, nil
		case !unchanged:
			return wayNone, nil
		}
	}
	last, err := roster.Parse(l.Later)
	switch {
	case cv.Kind == KindDirect:
		if inv.Account == cv.Peer {
			return wayBackTo, nil
		}
		return wayNone, nil
	case err != nil || roleOf(last, inv.Account) == 0:
		return wayNone, nil
	case inv.Account == me.ID || atLeast(last, inv.Account, roster.RoleAdmin):
		return wayBackTo, nil
	}
	next, err := s.roster(cv.Room)
	if code(err) == wire.Damaged {
		return wayAsk, nil
	}
	if err != nil {
		return wayNone, err
	}
	if heard, err := s.anyoneHeard(cv.Room); err != nil || heard || next.State().Generation != f.Generation {
		return wayAsk, err
	}
	if sg, err := s.saga(cv.Room); err != nil || sg != nil {
		return wayLater, err
	}
	return wayForNow, nil
}

// askInPassing has a device that goes over to a successor because it was out of
// step ask members at their doors, if it has not yet: those who had gone further
// may not be able to open its notice, and would not know whom to put back. Those
// who come to the successor, too, have nothing to do about it.
func (s *step) askInPassing(r *room, cv *conversation) error {
	h, err := s.healing(r.ID)
	if err != nil || h == nil || h.Asked > 0 {
		return err
	}
	ro, err := s.lastRoster(r.ID)
	if err != nil {
		return err
	}
	doors, err := s.memberDoors(h, cv, ro)
	if err != nil {
		return err
	}
	for _, at := range doors {
		if err := s.sendRequest(h, at); err != nil {
			return err
		}
	}
	return nil
}

// anyoneHeard reports whether any other leaf has spoken in a room.
func (s *step) anyoneHeard(id wire.RoomID) (heard bool, err error) {
	err = s.scan(vault.Name("leaf", b64(id[:])), func(_ string, b []byte) (bool, error) {
		l := new(leaf)
		err := decodeRecord(b, l)
		heard = heard || l.Seen
		return !heard, err
	})
	return heard, err
}

// goBack returns to a room, and says again there what was said in the successor.
func (s *step) goBack(r *room, cv *conversation, inv *letter.Wrapper, j *joining, forNow bool) error {
	l, err := s.lineage(r.ID)
	if err != nil {
		return err
	}
	left, err := s.room(cv.Room)
	if err != nil {
		return err
	}
	if err := s.takeBack(r, cv, inv, j); err != nil {
		return err
	}
	back, err := s.room(r.ID)
	if err != nil || left == nil {
		return err
	}
	if err := s.sayAllAgain(cv, left, back); err != nil {
		return err
	}
	s.putRoom(back)
	if !forNow {
		s.closeRoom(left, roomBeaten)
		return nil
	}
	f := forsaken{Old: r.ID, By: inv.Account, Lineage: *l, Until: s.c.now().Add(forsakenKept).Unix()}
	s.putUntil(forsakenName(left.ID), f, f.Until+int64(askAgain.Seconds())) // read once more, to close the room
	left.State = roomSucceeded                                              // read, and nothing posted
	s.putRoom(left)
	id := left.ID
	s.then(func() { s.c.wakeRoom(id) })
	return nil
}

// sayAllAgain says in a room all that this device said in another: nobody else
// need have been there.
func (s *step) sayAllAgain(cv *conversation, left, next *room) error {
	err := s.rows(left.ID, func(w *row) (bool, error) {
		if w.Kind == content.KindContent {
			s.dropRow(left.ID, w)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return s.sayAgain(cv, left, &lineage{Accepted: &acceptedFounding{}}, next)
}

// heardForsaken deals with somebody who speaks in a successor that this device
// has left on a plain member's word: the two say different things of the old log.
// It goes over again, and asks those whose word counts.
func (s *step) heardForsaken(r *room, cv *conversation, staged *mls.Staged) error {
	f, err := s.forsaken(r.ID)
	if err != nil || f == nil {
		return err
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	index, _ := staged.Sender()
	if from, ok := ro.Leaf(index); !ok || from.Account == f.By {
		return nil
	}
	s.del(forsakenName(r.ID))
	old, err := s.room(f.Old)
	if err != nil {
		return err
	}
	if cv.Room != f.Old || old == nil {
		s.closeRoom(r, roomBeaten) // both have gone on from there
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
	var held []roster.LeafHash
	if ro, err := s.lastRoster(old.ID); err != nil {
		return err
	} else if ro != nil {
		if l, ok := ro.LeafOf(me.ID, key.ID()); ok {
			held = append(held, l.Hash)
		}
	}
	r.State = roomOK
	cv.Room = r.ID
	s.putConv(cv)
	if err := s.sayAllAgain(cv, old, r); err != nil {
		return err
	}
	s.closeRoom(old, roomBeaten)
	s.putLineage(old, &f.Lineage)
	s.putRoom(r)
	id := r.ID
	s.then(func() { s.c.wakeRoom(id) })
	if err := s.askWhoCounts(old, cv, held); err != nil {
		return err
	}
	return s.notice(cv, NoticeMoved, textMoved)
}

// askWhoCounts asks owners and admins to say whether this device is to return to
// a room that it has left, where it holds one of these leaves.
func (s *step) askWhoCounts(r *room, cv *conversation, held []roster.LeafHash) error {
	l, err := s.lineage(r.ID)
	if err != nil {
		return err
	}
	last, err := roster.Parse(l.Later)
	if err != nil {
		return nil
	}
	// As often as a device may say that it is out of step.
	if wait, err := s.healBudget(r.ID); err != nil || wait > 0 {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	h := &healing{Room: r.ID, Conv: r.Conv, Leaves: held}
	if err := s.ask(h, cv, last); err != nil {
		return err
	}
	doors, err := s.siblingDoors()
	if err != nil {
		return err
	}
	for _, m := range last.State().Members {
		if m.Account == me.ID || m.Role < roster.RoleAdmin {
			continue
		}
		p, err := s.person(m.Account)
		if err != nil {
			return err
		}
		doors = append(doors, p.reachedAt()...)
	}
	for _, at := range doors {
		if err := s.sendRequest(h, at); err != nil {
			return err
		}
	}
	return nil
}

// dueForsaken stops reading a successor that was left once nobody can come to it
// any more.
func (s *step) dueForsaken(r *room, f *forsaken) action {
	if left := time.Unix(f.Until, 0).Sub(s.c.now()); left > 0 {
		return waitFor(left)
	}
	s.del(forsakenName(r.ID))
	s.closeRoom(r, roomBeaten)
	return nil
}
