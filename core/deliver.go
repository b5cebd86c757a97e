package core

import (
	"context"
	"slices"
	"time"

	"hearth/core/lane"
	"hearth/core/vault"
	"hearth/wire"
)

// What is left to do once a commit of ours was seen: the tree goes up, then the
// Welcomes go out (protocol §3: none leaves before).

// wakeDelivery starts the sender of what a room's commits left to hand over.
func (c *Client) wakeDelivery(id wire.RoomID) {
	c.poke(queueID{treeQueue, id}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			return s.scan(deliveryName(id), func(_ string, b []byte) (bool, error) {
				d := new(delivery)
				act = c.handOver(d)
				return false, decodeRecord(b, d)
			})
		})
		return act, err
	})
}

// handOver uploads the tree and then lets the Welcomes go, each into the outbox
// of its door.
func (c *Client) handOver(d *delivery) action {
	return func(ctx context.Context) (time.Duration, error) {
		var token wire.Secret
		gone := false
		err := c.look(ctx, func(s *step) error {
			g, err := s.group(d.Room)
			if err != nil {
				return err
			}
			if gone = g == nil; gone {
				return nil // we are no longer in the group: the invitation is void
			}
			token, err = postToken(g, d.Room)
			return err
		})
		if err != nil {
			return 0, err
		}
		if !gone {
			id, err := c.cfg.Blobs.Put(ctx, d.Server, d.Room, token, wire.MaxTTL, d.Blob)
			if err != nil {
				return 0, err
			}
			if id != d.BlobID {
				return 0, lane.NotHearth()
			}
		}
		return 0, c.step(ctx, func(s *step) error {
			name := vault.Numbered(deliveryName(d.Room), d.N)
			if _, ok, err := s.bytes(name); err != nil || !ok {
				return err
			}
			s.del(name)
			if gone {
				return nil
			}
			for _, p := range d.Welcomes {
				if err := s.ship(p); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// arrivedAt reports whether nothing is on its way to a door any more: no Welcome
// whose tree is still to go up, and nothing in its outbox.
func (s *step) arrivedAt(door wire.RoomID) (bool, error) {
	waits := false
	err := s.scan("delivery", func(_ string, b []byte) (bool, error) {
		d := new(delivery)
		err := decodeRecord(b, d)
		waits = slices.ContainsFunc(d.Welcomes, func(p parcel) bool { return p.To.ID == door })
		return !waits, err
	})
	if err != nil || waits {
		return false, err
	}
	waits, err = s.any(parcelsName(door))
	return !waits, err
}
