package core

import (
	"context"

	"hearth/core/roster"
	"hearth/identity"
	"hearth/wire"
)

// GroupMove takes a conversation to another server: its owners and admins may do
// that at will (protocol §5). It returns once this device is there, or when ctx
// ends: then that goes on by itself.
func (c *Client) GroupMove(ctx context.Context, room, server string) (Moved, error) {
	id, err := c.roomByText(ctx, room)
	if err != nil {
		return Moved{}, err
	}
	if err := identity.CheckServer(server); err != nil {
		return Moved{}, wire.Errorf(wire.BadInput, "that is not a server's address").
			WithNext("write it as https://example.org or http://localhost:8420")
	}
	// One that does not answer is said at once.
	if _, err := c.region(ctx, server); err != nil {
		return Moved{}, err
	}
	var old wire.RoomID
	err = c.step(ctx, func(s *step) error {
		me, err := s.me()
		if err != nil {
			return err
		}
		cv, err := s.conv(id)
		if err != nil {
			return err
		}
		r, ro, _, err := s.active(cv, me)
		if err != nil {
			return err
		}
		switch {
		case cv.Kind == KindGroup && !atLeast(ro, me.ID, roster.RoleAdmin):
			return errRole
		case r.Server == server:
			return wire.Errorf(wire.Taken, "this conversation is on that server already")
		}
		old = r.ID
		l, err := s.lineage(old)
		if err != nil {
			return err
		}
		l.Due, l.Why, l.To = s.c.now().Unix(), NoticeMoved, server
		s.putLineage(r, l)
		s.then(func() { c.wakeRoom(old) })
		return nil
	})
	if err != nil {
		return Moved{}, err
	}
	out := Moved{Room: id.String(), Server: server, State: MoveUnderWay}
	err = c.wait(ctx, func(s *step) (bool, error) {
		cv, err := s.conv(id)
		if err != nil || cv == nil {
			return true, err
		}
		r, err := s.room(cv.Room)
		if err != nil || r == nil || cv.Room == old {
			return false, err
		}
		out.Server, out.State = r.Server, MoveDone
		return true, nil
	})
	if err != nil && ctx.Err() == nil {
		return out, err
	}
	return out, nil
}
