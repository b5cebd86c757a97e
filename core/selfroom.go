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

// foundSelf founds the self room unless there is one.
func (s *step) foundSelf() error {
	me, err := s.me()
	if err != nil {
		return err
	}
	if r, _, err := s.selfRoom(me); err != nil || r != nil && r.State != roomLeft && r.State != roomRemoved {
		return err
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
