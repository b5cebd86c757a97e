package core

import (
	"context"
	"time"

	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/wire"
)

var errYou = &wire.Error{Code: wire.BadInput, Message: "that is you", Next: "name somebody else"}

// Invite makes a link that reaches this account: a class of its own at the
// private door. uses 0: no limit; expire 0: no end.
func (c *Client) Invite(ctx context.Context, uses int, expire time.Duration) (Invitation, error) {
	return c.newLink(ctx, newDoorClass(forLink), uses, expire)
}

// newLink opens a class of the private door and returns the link that carries
// its key.
func (c *Client) newLink(ctx context.Context, class doorClass, uses int, expire time.Duration) (Invitation, error) {
	if uses < 0 || uses > 1<<20 || expire < 0 {
		return Invitation{}, wire.Errorf(wire.BadInput, "uses and expiry cannot be negative")
	}
	me, err := c.self(ctx)
	if err != nil {
		return Invitation{}, err
	}
	class.Uses = uint32(uses)
	out := Invitation{Uses: uses}
	if expire > 0 {
		t := c.now().Add(expire).Truncate(time.Second)
		class.Until, out.Expires = t.Unix(), &t
	}
	var d *door
	err = c.step(ctx, func(s *step) (err error) {
		if _, d, err = s.doors(); err != nil {
			return err
		}
		if d == nil {
			return errNotRegistered
		}
		live := d.Classes[:0]
		for _, k := range d.Classes {
			if !k.over(s.c.now()) {
				live = append(live, k)
			}
		}
		d.Classes = live
		if len(d.Classes) >= maxLinks {
			return wire.Errorf(wire.Full, "there are %d links already", maxLinks).WithNext("wait until one ends")
		}
		d.Classes = append(d.Classes, class)
		d.Synced = false
		s.putDoor(d)
		return nil
	})
	if err != nil {
		return Invitation{}, err
	}
	if err := c.stock(ctx, d.ID, true); err != nil {
		return Invitation{}, err
	}
	out.Link = letter.Invitation{Group: class.For == forGroupLink, Server: d.Server, Account: me.ID,
		Doors: []letter.LinkDoor{{ID: d.ID, Key: class.Key, Sealing: d.Sealing}}}.String()
	return out, nil
}

// maxLinks bounds the links that live at once.
const maxLinks = 200

// findByLink returns the person behind a link, and keeps how to reach it. A link
// carries the account's id: following one verifies the person (design §3).
func (c *Client) findByLink(ctx context.Context, text string) (*person, error) {
	p, _, err := c.readLink(ctx, text)
	return p, err
}

func (c *Client) readLink(ctx context.Context, text string) (*person, *linkUse, error) {
	l, err := letter.ParseInvitation(text)
	if err != nil {
		return nil, nil, err
	}
	if l.Group {
		return nil, nil, wire.Errorf(wire.BadInput, "that link leads into a group").WithNext("follow it with: hearth group join")
	}
	me, err := c.self(ctx)
	if err != nil {
		return nil, nil, err
	}
	if l.Account == me.ID {
		return nil, nil, errYou
	}
	var p *person
	err = c.look(ctx, func(s *step) (err error) {
		p, err = s.person(l.Account)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	use := &linkUse{}
	for _, d := range l.Doors {
		use.at = append(use.at, d.On(l.Server))
	}
	p.Knocks = append(p.Knocks, use.at...)
	return p, use, nil
}

// AddContact follows a link: the person behind it is verified, and the direct
// conversation begins, which the link's owner has accepted beforehand.
func (c *Client) AddContact(ctx context.Context, link string) (Contact, error) {
	p, use, err := c.readLink(ctx, link)
	if err != nil {
		return Contact{}, err
	}
	_, begin, err := c.direct(ctx, p, nil, use)
	if err != nil {
		return Contact{}, err
	}
	out := Contact{Account: p.Account.String(), Verified: true}
	err = c.step(ctx, func(s *step) error {
		if begin != nil {
			if err := begin(s); err != nil {
				return err
			}
		}
		if err := s.verified(p.Account); err != nil {
			return err
		}
		known, err := s.person(p.Account)
		if err != nil {
			return err
		}
		out.Handle = known.Handle
		out.Nickname, err = s.nickname(p.Account)
		return err
	})
	if err != nil {
		return Contact{}, err
	}
	me, err := c.self(ctx)
	if err != nil {
		return out, err
	}
	id := convID(roster.DirectID(me.ID, p.Account))
	err = c.wait(ctx, func(s *step) (bool, error) { return s.delivered(id, use.at) })
	if err != nil && ctx.Err() == nil {
		return out, err
	}
	return out, nil
}

// verified notes that a link tied an account to its person.
func (s *step) verified(id wire.AccountID) error {
	p, err := s.person(id)
	if err != nil {
		return err
	}
	p.Verified, p.Contact = true, true
	s.putPerson(p)
	return nil
}

// delivered reports whether a conversation's room stands and its invitations
// have left for these doors.
func (s *step) delivered(id convID, doors []address) (bool, error) {
	cv, err := s.conv(id)
	if err != nil || cv == nil {
		return false, err
	}
	r, err := s.room(cv.Room)
	if err != nil || r == nil || r.State == roomFounding {
		return false, err
	}
	waits, err := s.anyBehind(deliveryName(cv.Room), 0)
	for _, d := range doors {
		if err == nil && !waits {
			waits, err = s.anyBehind(parcelsName(d.ID), 0)
		}
	}
	return !waits, err
}
