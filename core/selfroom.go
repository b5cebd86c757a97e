package core

import (
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
