package core

import (
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/wire"
)

// The self room is the conversation of an account's own devices: founded with
// the second one, and the first room that a new device is put into.

// selfRoom returns the self room and its conversation; nil where there is none
// yet.
func (s *step) selfRoom(me *account) (*room, *conversation, error) {
	cv, err := s.conv(convID(roster.SelfID(me.ID)))
	if err != nil || cv == nil {
		return nil, nil, err
	}
	r, err := s.room(cv.Room)
	return r, cv, err
}

// foundSelf founds the self room where there is none that this device is in, or
// can come back into: from one that it fell out of only a sibling lets it in
// again. With anew it doesn't wait for that: siblings that are in the old room
// find the new one, and all of them meet in one of the two (see wins).
func (s *step) foundSelf(anew bool) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	r, cv, err := s.selfRoom(me)
	if err != nil {
		return err
	}
	if r != nil && r.State == roomOutOfStep {
		others, err := s.siblings(me)
		if err != nil || len(others) > 0 && !anew {
			return err
		}
		s.closeRoom(r, roomBeaten)
	}
	if r != nil && r.State != roomLeft && r.State != roomRemoved && r.State != roomBeaten {
		return nil
	}
	if cv != nil && len(cv.Gaps) > 0 && cv.Gaps[len(cv.Gaps)-1].out() {
		cv.Gaps[len(cv.Gaps)-1].Till = s.c.now().Unix() // nobody has more
	}
	chain, err := me.chain()
	if err != nil {
		return err
	}
	_, private, err := s.doors()
	if err != nil {
		return err
	}
	region := wire.Region(0)
	if private != nil {
		region = private.ID.Region()
	}
	return s.found(foundation{
		me: me, conv: convID(roster.SelfID(me.ID)), kind: KindSelf, region: region,
		state: roster.NewSelf(chain, retention), chains: [][][]byte{chain.Entries()},
	})
}

// keepSelf founds a new self room where those who could let this device into the
// old one are gone.
func (s *step) keepSelf() error {
	me, err := s.me()
	if err != nil || len(me.Chain) == 1 {
		return err // it never had a sibling
	}
	others, err := s.siblings(me)
	if err != nil || len(others) > 0 {
		return err
	}
	return s.foundSelf(false)
}

// inSelfRoom follows this device's coming into the self room: its siblings are
// told where it is reached, and asked for what it missed.
func (s *step) inSelfRoom() error {
	if err := s.shareDevice(); err != nil {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	return s.askMissed(me)
}

// callOver follows a sibling's invitation into a self room that does not win: the
// sibling did not know of this one, and is added here, now that it can be reached.
func (s *step) callOver(rq *request) error {
	s.del(requestName(rq.ID))
	if len(rq.Wrapper.Doors) != 1 {
		return nil
	}
	d, err := s.device(rq.Wrapper.Device)
	if err != nil {
		return err
	}
	d.Sibling = rq.Wrapper.Doors[0]
	s.putDevice(d)
	s.then(s.c.wakeAllDevices)
	return nil
}

// crossOver follows this device's change from one self room to another: what the
// devices in each have set and heard goes both ways.
func (s *step) crossOver(from wire.RoomID, to *room, ro *roster.Roster) error {
	before, err := s.room(from)
	if err != nil || before == nil || before.ID == to.ID || before.State != roomOK {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	key, err := me.key()
	if err != nil {
		return err
	}
	s.put(askAllName, true)
	for _, l := range ro.LeavesOf(me.ID) {
		if l.Device == key.ID() {
			continue
		}
		if err := s.oweHistory(l.Device, nil, 0); err != nil {
			return err
		}
	}
	return nil
}

// mayCrossBack reports whether a sibling's answer leads back into the self room
// that this device did not wait for, and that room wins.
func (s *step) mayCrossBack(cv *conversation, inv *letter.Wrapper, j *joining) (bool, error) {
	me, err := s.me()
	if err != nil || inv.Account != me.ID || convID(j.roster.State().ID) != cv.ID {
		return false, err
	}
	return s.wins(cv, inv, j, s.c.now().Unix())
}
