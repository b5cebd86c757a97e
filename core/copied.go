package core

import (
	"context"
	"errors"
	"time"

	"hearth/core/lane"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/wire"
)

// A home that was copied, or restored from a copy, must not go on as the device
// that it was: its ratchets were used elsewhere, and perhaps still are. It finds
// out before it seals anything, for it reads each log to its head first: there
// are entries of its own leaf, signed by its own key, that it did not write, or
// its seat has acknowledged more than it has read. Which of two is the copy nobody
// can tell; whoever finds out gives way. It becomes a device of its own: a new
// key, added to the chain by the old one while it lives, new doors, new leaves. Its
// twin keeps all it has (docs/decisions/0022-copied-home.md).

// copyQueue is what makes a device of its own out of a copied home.
const copyQueue queueKind = 0x22

// copied is how far that has got; each stage is saved before the next begins.
type copied struct {
	_     struct{} `cbor:",toarray"`
	Stage copyStage
	// Old and New are device keys: secrets.
	Old, New []byte
	// Doors are the old device's, where its twin is reached.
	Doors []address
	// Due is when to begin, Unix seconds.
	Due int64
}

type copyStage uint8

const (
	copyFound copyStage = iota // nothing is read or sent under the old identity any more
	copyAdded                  // the chain holds the new device
	copyDoors                  // the home is the new device; its doors are being made
)

var copiedName = vault.Name("copied")

// copyEvery is how often a home becomes another device: its server can make it
// believe that it was restored, and must not fill the chain that way.
const copyEvery = 24 * time.Hour

func (s *step) copied() (*copied, error) {
	k := new(copied)
	ok, err := s.get(copiedName, k)
	if err != nil || !ok {
		return nil, err
	}
	return k, nil
}

// foundCopied stops everything that this home does under its device's identity,
// and begins to give it another one.
func (s *step) foundCopied() error {
	if k, err := s.copied(); err != nil || k != nil {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	k := &copied{Old: me.Device, Due: s.c.now().Unix()}
	last := vault.Name("copiedbefore")
	var at int64
	if ok, err := s.get(last, &at); err != nil {
		return err
	} else if ok {
		k.Due = at + int64(copyEvery.Seconds())
	}
	s.putUntil(last, k.Due, k.Due+int64(copyEvery.Seconds()))
	_, private, err := s.doors()
	if err != nil {
		return err
	}
	if private != nil {
		k.Doors = append(k.Doors, private.address(forFellows))
	}
	s.put(copiedName, k)
	rooms, err := s.allRooms()
	if err != nil {
		return err
	}
	for _, r := range rooms {
		if r.State == roomOK {
			r.State = roomOutOfStep
			s.putRoom(r)
		}
	}
	s.then(func() {
		for id := range s.c.readers {
			s.c.stopReading(id)
		}
		s.c.wakeCopied()
	})
	return nil
}

func (s *step) allRooms() (rooms []*room, err error) {
	err = s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		rooms = append(rooms, r)
		return true, decodeRecord(b, r)
	})
	return rooms, err
}

// wakeCopied goes on with a copied home.
func (c *Client) wakeCopied() {
	c.poke(queueID{what: copyQueue}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			k, err := s.copied()
			if err != nil || k == nil {
				return err
			}
			if wait := time.Unix(k.Due, 0).Sub(c.now()); wait > 0 {
				act = func(context.Context) (time.Duration, error) { return wait, nil }
				return nil
			}
			act = func(ctx context.Context) (time.Duration, error) { return 0, c.becomeAnother(ctx, k) }
			return nil
		})
		return act, err
	})
}

// becomeAnother carries the next stage out.
func (c *Client) becomeAnother(ctx context.Context, k *copied) error {
	me, err := c.self(ctx)
	if err != nil {
		return err
	}
	switch k.Stage {
	case copyFound:
		return c.addCopy(ctx, me, k)
	case copyAdded:
		return c.step(ctx, func(s *step) error { return s.takeIdentity(me, k) })
	}
	region, err := c.region(ctx, me.Server)
	if err != nil {
		return err
	}
	if err := c.makeDoors(ctx, me, region); err != nil {
		return err
	}
	if err := c.step(ctx, func(s *step) error { return s.askAllBack(k) }); err != nil {
		return err
	}
	if err := c.startDoors(ctx); err != nil {
		return err
	}
	return c.look(ctx, func(s *step) error {
		rooms, err := s.allRooms()
		for _, r := range rooms {
			c.resume(r)
		}
		return err
	})
}

// errCopied is the answer while a copied home becomes another device.
var errCopied = &wire.Error{Code: wire.Stale, Message: "this home was copied or restored, and is becoming a device of its own",
	Next: "try again in a minute"}

// addCopy appends the new device to the chain, signed by the old one.
func (c *Client) addCopy(ctx context.Context, me *account, k *copied) error {
	if len(k.New) == 0 {
		k.New = identity.NewDeviceKey().Marshal()
		if err := c.step(ctx, func(s *step) error { s.put(copiedName, k); return nil }); err != nil {
			return err
		}
	}
	old, err := identity.ParseDeviceKey(k.Old)
	if err != nil {
		return err
	}
	fresh, err := identity.ParseDeviceKey(k.New)
	if err != nil {
		return err
	}
	chain, err := me.chain()
	if err != nil {
		return err
	}
	// The home may be behind: its chain has grown since it was copied.
	if chain, err = c.newestOwnChain(ctx, me, chain); err != nil {
		return err
	}
	if _, there := chain.Device(fresh.ID()); !there {
		next, entry, err := chain.AddDevice(old, fresh.Candidate(me.ID))
		if err != nil {
			// The old device was revoked, or there are too many: this home is out,
			// and has said why. It does nothing more until its owner acts.
			c.debug("a copied home cannot be a device of its own", err)
			return c.step(ctx, func(s *step) error {
				k.Due = s.c.now().Add(copyEvery).Unix()
				s.put(copiedName, k)
				return nil
			})
		}
		err = c.net.To(me.Server, lane.Accounts).Do(ctx, wire.OpAccountAppend,
			wire.AccountAppend{Account: me.ID, Head: wire.SecretHash(chain.Head()), Entry: entry}, nil)
		if err != nil {
			return err // stale too: the next look reads the chain anew
		}
		chain = next
	}
	return c.step(ctx, func(s *step) error {
		now, err := s.me()
		if err != nil {
			return err
		}
		now.Chain = chain.Entries()
		s.put(accountName, now)
		k.Stage = copyAdded
		s.put(copiedName, k)
		return nil
	})
}

// newestOwnChain asks the home server for the account's chain. A server that
// shows none, as for accounts without a name, or another one, changes nothing.
func (c *Client) newestOwnChain(ctx context.Context, me *account, known *identity.Chain) (*identity.Chain, error) {
	var rec wire.AccountRecord
	err := c.net.To(me.Server, lane.Accounts).Do(ctx, wire.OpAccountGet, wire.AccountGet{Account: &me.ID}, &rec)
	if code(err) == wire.NotFound {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	if got, err := identity.VerifyFor(me.ID, rec.Chain); err == nil && got.Extends(known) {
		return got, nil
	}
	return known, nil
}

// takeIdentity makes this home the new device: the old one's doors, KeyPackages and
// invitations are its twin's alone from here on.
func (s *step) takeIdentity(me *account, k *copied) error {
	for _, kind := range []string{"door", "package", "request"} {
		var names []string
		err := s.scan(kind, func(name string, _ []byte) (bool, error) {
			names = append(names, name)
			return true, nil
		})
		if err != nil {
			return err
		}
		for _, name := range names {
			s.del(name)
		}
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	me.Device = k.New
	s.put(accountName, me)
	k.Stage = copyDoors
	s.put(copiedName, k)
	return nil
}

// askAllBack asks to be put into every room as the new device: at once by a notice
// of the old leaf, whose seat still opens, and at the doors of its twin and of
// members as any device that has fallen out.
func (s *step) askAllBack(k *copied) error {
	old, err := identity.ParseDeviceKey(k.Old)
	if err != nil {
		return err
	}
	rooms, err := s.allRooms()
	if err != nil {
		return err
	}
	for _, r := range rooms {
		if r.State != roomOutOfStep {
			continue
		}
		cv, err := s.conv(r.Conv)
		if err != nil || cv == nil {
			return errors.Join(err, wire.Errorf(wire.Damaged, "a room without its conversation"))
		}
		if err := s.askBack(r, cv, old, k.Doors); err != nil {
			return err
		}
		s.putRoom(r)
	}
	s.del(copiedName)
	return nil
}

func (s *step) askBack(r *room, cv *conversation, old identity.DeviceKey, doors []address) error {
	now := s.c.now()
	ro, err := s.lastRoster(r.ID)
	if err != nil {
		return err
	}
	h := &healing{Room: r.ID, Conv: r.Conv, Since: now.Unix(), Begun: now.Unix(), Copy: true, Twin: doors, Siblings: now.Unix(), Members: now.Unix()}
	if r.ReadAt != 0 {
		h.Since = r.ReadAt
	}
	if err := s.fellOut(cv, r.ReadAt); err != nil {
		return err
	}
	if err := s.ask(h, cv, ro); err != nil {
		return err
	}
	links, err := s.linkKeys(r.ID)
	if err != nil {
		return err
	}
	me, err := s.me()
	if err != nil {
		return err
	}
	if ro != nil && len(links) > 0 {
		if l, ok := ro.LeafOf(me.ID, old.ID()); ok {
			sealed, err := letter.SealNotice(links[0], old, letter.Notice{Kind: letter.NoticeOutOfStep, Room: r.ID,
				Leaf: uint32(l.Index), Account: me.ID, Body: letter.Rejoin{Request: h.Request, Chain: h.Chain}.Encode()})
			if err != nil {
				return err
			}
			s.putNotice(r, unposted{Kind: letter.NoticeOutOfStep, Sealed: sealed, Epoch: links[0].Epoch})
			h.Siblings = now.Add(refreshWait).Unix()
		}
	}
	h.Members = h.Siblings + int64(membersAfter.Seconds())
	s.put(healingName(r.ID), h)
	id := r.ID
	s.then(func() { s.c.wakeHealing(id) })
	return nil
}

// silent reports whether a room's seat is not to be opened: it is the twin's.
func (s *step) silent(id wire.RoomID) (bool, error) {
	if k, err := s.copied(); err != nil || k != nil {
		return k != nil, err
	}
	h, err := s.healing(id)
	return h != nil && h.Copy, err
}

// hearTwin deals with the request of a device that was this one until it found
// out that it is a copy: signed by a device which our own key added.
func (s *step) hearTwin(cv *conversation, a roster.Asking, chain *identity.Chain) error {
	me, err := s.me()
	if err != nil || a.Account != me.ID {
		return err
	}
	known, err := me.chain()
	if err != nil {
		return err
	}
	in, ok := chain.Device(a.Device)
	if _, there := known.Device(a.Device); there || !ok || !chain.Extends(known) {
		return nil
	}
	if in.Added.Recovery > known.Position().Recovery {
		return s.learnOwnChain(chain) // no copy: the recovery key's words let it in
	}
	me.Chain = chain.Entries()
	s.put(accountName, me)
	return s.notice(cv, NoticeTwin, "A copy of this account's data came up elsewhere. It goes on as a device of its own; if that is not you, revoke it.")
}
