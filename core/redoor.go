package core

import (
	"context"
	"time"

	"hearth/core/lane"
	"hearth/identity"
	"hearth/wire"
)

// Doors that are no more, ours and those of others. A server drops what nobody has
// opened for 90 days (protocol §10), and one that was restored from a backup may
// lack what was made since.

// doorsQueue makes the doors that this device lacks.
const doorsQueue queueKind = 0x33

// replaceDoor puts a new door in the place of one that does not open any more.
// Links that led to it are void.
func (s *step) replaceDoor(id wire.RoomID) error {
	me, err := s.me()
	if err != nil {
		return nil // not yet, or not any more
	}
	d, err := s.door(id)
	if err != nil || d == nil || !d.Made {
		return err
	}
	now := s.c.now()
	if now.Sub(time.Unix(d.Replaced, 0)) < refusedWait {
		return nil // one after another would not open either
	}
	s.del(doorName(id))
	next := newPrivateDoor(d.Server, id.Region())
	if d.Public {
		next = newPublicDoor(d.Server, id.Region())
	}
	next.Replaced = now.Unix()
	s.putDoor(next)
	s.then(func() {
		s.c.stopReading(id)
		s.c.wakeDoors()
	})
	if d.Public {
		return nil
	}
	if siblings, err := s.siblings(me); err != nil || len(siblings) > 0 {
		if err := s.shareDevice(); err != nil {
			return err
		}
	}
	if err := s.askFromThere(); err != nil {
		return err
	}
	rooms, err := s.allRooms()
	if err != nil {
		return err
	}
	for _, r := range rooms {
		if r.State != roomOK {
			continue
		}
		ro, err := s.roster(r.ID)
		if err != nil {
			return err
		}
		if err := s.announce(r, ro); err != nil {
			return err
		}
		s.putRoom(r)
	}
	return nil
}

// askFromThere has requests to rejoin made again that name a door which is no more, once
// there is another.
func (s *step) askFromThere() error {
	var list []*healing
	err := s.scan("healing", func(_ string, b []byte) (bool, error) {
		h := new(healing)
		list = append(list, h)
		return true, decodeRecord(b, h)
	})
	if err != nil {
		return err
	}
	at := s.c.now().Add(lookAgain).Unix()
	for _, h := range list {
		h.Made, h.Siblings, h.Members, h.Asked = 0, at, at, 0
		s.put(healingName(h.Room), h)
		s.then(func() { s.c.wakeHealing(h.Room) })
	}
	return nil
}

// wakeDoors makes the doors that this device lacks, and shows what has to stand
// behind the handle.
func (c *Client) wakeDoors() {
	c.poke(queueID{what: doorsQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			me, err := s.account()
			if err != nil || me == nil || me.Stage != stageDone {
				return err
			}
			return s.scan("door", func(_ string, b []byte) (bool, error) {
				d := new(door)
				if err := decodeRecord(b, d); err != nil {
					return false, err
				}
				if !d.Made || d.Public && !d.Shown {
					act = func(ctx context.Context) (time.Duration, error) { return 0, c.makeLacking(ctx, me, d) }
				}
				return act == nil, nil
			})
		})
		return act, err
	})
}

func (c *Client) makeLacking(ctx context.Context, me *account, d *door) error {
	if _, err := c.net.To(d.Server, lane.Seats).Up(ctx); err != nil {
		return err
	}
	if err := c.makeDoor(ctx, me, d); err != nil {
		return err
	}
	return c.startDoors(ctx)
}

// seek asks directories where a conversation's people are reached by now.
func (c *Client) seek(id wire.RoomID, conv convID) action {
	return func(ctx context.Context) (time.Duration, error) {
		var people []*person
		err := c.look(ctx, func(s *step) error {
			me, err := s.me()
			if err != nil {
				return err
			}
			ro, err := s.lastRoster(id)
			if err != nil || ro == nil {
				return err
			}
			for _, m := range ro.State().Members {
				if m.Account == me.ID {
					continue
				}
				p, err := s.person(m.Account)
				if err != nil {
					return err
				}
				people = append(people, p)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		for _, p := range people {
			c.seekPerson(ctx, p)
		}
		return 0, c.step(ctx, func(s *step) error {
			h, err := s.healing(id)
			if err != nil || h == nil {
				return err
			}
			h.Sought = true
			s.put(healingName(id), h)
			return nil
		})
	}
}

// seekPerson asks the directory that knows a person's handle where it is reached
// by now; without an answer that is as it was.
func (c *Client) seekPerson(ctx context.Context, p *person) *person {
	h, err := identity.ParseHandle(p.Handle)
	if err != nil {
		return p
	}
	chain, err := p.chain()
	if err != nil || chain == nil {
		return p
	}
	ctx, cancel := context.WithTimeout(ctx, introduceWithin)
	defer cancel()
	now, err := c.lookUp(ctx, chain.Server(), h.Domain, wire.AccountGet{Account: &p.Account})
	if err != nil {
		c.debug("where a person is reached is not known anew", err)
		return p
	}
	return now
}
