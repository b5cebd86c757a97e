package core

import (
	"context"
	"time"

	"hearth/core/roster"
	"hearth/wire"
)

// A block takes the blocked person's way in: the contacts' key is replaced, at a
// random moment within a day so that the block can't be told from the change,
// and all other contacts are told the new one. The old one dies after a week
// (protocol §6).
const (
	rotateWithin = 24 * time.Hour
	oldKeyLives  = 7 * 24 * time.Hour
)

// rotateSoon plans the replacement of the contacts' key.
func (s *step) rotateSoon() error {
	_, d, err := s.doors()
	if err != nil || d == nil || d.RotateAt != 0 {
		return err
	}
	d.RotateAt = s.c.now().Add(s.c.jitter(rotateWithin)).Unix()
	s.putDoor(d)
	id := d.ID
	s.then(func() { s.c.wakeDoor(id) })
	return nil
}

// rotate replaces the contacts' key and tells the contacts. The server learns of
// the classes with the door's next look.
func (c *Client) rotate(ctx context.Context, id wire.RoomID) error {
	return c.step(ctx, func(s *step) error {
		d, err := s.door(id)
		if err != nil || d == nil || d.RotateAt == 0 {
			return err
		}
		d.RotateAt, d.Synced = 0, false
		if old := d.class(forContacts); old != nil {
			old.For, old.Until = forContactsOnce, s.c.now().Add(oldKeyLives).Unix()
		}
		d.Classes = append(d.Classes, newDoorClass(forContacts))
		s.putDoor(d)
		if err := s.shareDevice(); err != nil {
			return err
		}
		return s.scan("conversation", func(_ string, b []byte) (bool, error) {
			cv := new(conversation)
			if err := decodeRecord(b, cv); err != nil {
				return false, err
			}
			if cv.Kind != KindDirect {
				return true, nil
			}
			p, err := s.person(cv.Peer)
			if err != nil || p.Blocked {
				return true, err
			}
			r, err := s.room(cv.Room)
			if err != nil || r == nil || r.State != roomOK {
				return true, err
			}
			ro, err := s.roster(r.ID)
			if err != nil {
				return false, err
			}
			if len(ro.LeavesOf(cv.Peer)) > 0 && ro.State().Kind == roster.Direct {
				err = s.announce(r, ro)
				s.putRoom(r)
			}
			return true, err
		})
	})
}
