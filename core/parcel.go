package core

import (
	"context"
	"time"

	"hearth/core/lane"
	"hearth/wire"
)

// What waits for somebody's door, first in, first out.

// wakeParcels starts the sender of a foreign door.
func (c *Client) wakeParcels(id wire.RoomID) {
	c.poke(queueID{doorQueue, id}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			return s.scan(parcelsName(id), func(name string, b []byte) (bool, error) {
				var p parcel
				if err := decodeRecord(b, &p); err != nil {
					return false, err
				}
				if ttlLeft(p.Until, c.now()) == 0 {
					return true, nil // the sweep takes it
				}
				act = c.sendParcel(name, p)
				return false, nil
			})
		})
		return act, err
	})
}

// sendParcel posts one parcel to a door.
func (c *Client) sendParcel(name string, p parcel) action {
	return func(ctx context.Context) (time.Duration, error) {
		s, err := c.net.To(p.To.Server, lane.Posts).Up(ctx)
		if err != nil {
			return 0, err
		}
		ttl := ttlLeft(p.Until, c.now()) // what is left once there is a connection
		if ttl == 0 {
			return 0, nil
		}
		err = s.Call(ctx, wire.OpDoorPost, wire.DoorPost{Door: p.To.ID, Key: p.To.Key, Payload: p.Payload, TTL: ttl}, new(wire.Appended))
		switch code(err) {
		case wire.Denied, wire.Gone, wire.BadInput:
			// The key was rotated or the door is gone: it will not come back.
			c.debug("a door takes nothing from us", err)
		default:
			if err != nil {
				return 0, err
			}
		}
		return 0, c.step(ctx, func(s *step) error {
			s.del(name)
			return nil
		})
	}
}
