package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth/content"
	"hearth/core/lane"
	"hearth/core/vault"
	"hearth/wire"
)

// Deleting an account (protocol §7): signed leaves in every room, then the chain
// entry that closes the account and with it all devices, then the doors, then
// what this home holds. It is written down first, and goes on by itself after a
// crash.

// ending is a deletion under way.
type ending struct {
	_     struct{} `cbor:",toarray"`
	Since int64    // Unix seconds
	// Left: the rooms were told, or given up on. Closed: the chain says so.
	// Emptied: nothing comes in at the doors any more.
	Left, Closed, Emptied bool
}

var endingName = vault.Name("ending")

// leaveWithin is how long a deletion waits for the rooms' servers. Members of a
// room that was not reached learn of it from the chain.
const leaveWithin = 30 * time.Second

// Deleted answers AccountDelete.
type Deleted struct {
	Account string `json:"account"`
	State   string `json:"state"`
	// Left is how many rooms were told, of Rooms.
	Left  int `json:"left"`
	Rooms int `json:"rooms"`
}

// StateDeleted is the state of an account that is no more.
const StateDeleted = "deleted"

// errDeleted is what a home says whose account was deleted.
var errDeleted = &wire.Error{Code: wire.NotFound, Message: "the account of this home was deleted",
	Next: "delete the home's folder; make another account with another --home"}

// AccountDelete deletes the account, on all its devices and for good. confirm is
// its handle or id, so that nobody does it by mistake. Cut short, it goes on by
// itself, and when it is called again.
func (c *Client) AccountDelete(ctx context.Context, confirm string) (Deleted, error) {
	err := c.step(ctx, func(s *step) error {
		me, err := s.me()
		if err != nil {
			return err
		}
		if confirm != me.ID.String() && (me.Handle() == "" || confirm != me.Handle() && confirm != me.Name) {
			return wire.Errorf(wire.BadInput, "that is not this account's name").WithNext("give its handle or id in full, as hearth whoami shows it")
		}
		if begun, err := s.has(endingName); err != nil || begun {
			return err
		}
		s.put(endingName, ending{Since: s.c.now().Unix()})
		return s.leaveAll(me)
	})
	if err != nil {
		return Deleted{}, err
	}
	return c.end(ctx)
}

// leaveAll says in every room that the account leaves.
func (s *step) leaveAll(me *account) error {
	key, err := me.key()
	if err != nil {
		return err
	}
	return s.scan("room", func(_ string, b []byte) (bool, error) {
		r := new(room)
		if err := decodeRecord(b, r); err != nil {
			return false, err
		}
		if r.State != roomOK || r.Leaving {
			return true, nil
		}
		ro, err := s.lastRoster(r.ID)
		if err != nil || ro == nil {
			return true, err
		}
		e, err := ro.NewLeave(key, me.ID)
		if err != nil {
			return true, nil // not in it
		}
		if _, err := s.enqueue(r, row{Kind: content.KindLeave, Body: e.Encode(), Until: s.c.now().Add(wire.MaxTTL).Unix()}); err != nil {
			return false, err
		}
		r.Leaving = true
		s.putRoom(r)
		return true, nil
	})
}

// end carries a deletion through.
func (c *Client) end(ctx context.Context) (Deleted, error) {
	if err := c.ending.begin(ctx); err != nil {
		return Deleted{}, err
	}
	defer c.ending.done()
	var me *account
	var e ending
	err := c.look(ctx, func(s *step) (err error) {
		if me, err = s.account(); err != nil || me == nil {
			return errors.Join(err, errNotRegistered)
		}
		_, err = s.get(endingName, &e)
		return err
	})
	if err != nil {
		return Deleted{}, err
	}
	out := Deleted{Account: me.ID.String(), State: StateDeleted}
	if me.Stage == stageClosed {
		return out, nil
	}
	save := func(f func()) error {
		f()
		return c.step(ctx, func(s *step) error { s.put(endingName, e); return nil })
	}
	count := func(s *step) (waits bool, err error) {
		out.Left, out.Rooms = 0, 0
		err = s.scan("room", func(_ string, b []byte) (bool, error) {
			r := new(room)
			err := decodeRecord(b, r)
			switch {
			case r.Leaving && r.State == roomOK:
				out.Rooms++
				waits = true
			case r.State == roomLeft:
				out.Rooms++
				out.Left++
			}
			return true, err
		})
		return waits, err
	}
	if !e.Left {
		bounded, cancel := context.WithTimeout(ctx, leaveWithin)
		err := c.wait(bounded, func(s *step) (bool, error) {
			waits, err := count(s)
			return !waits, err
		})
		cancel()
		if err != nil && bounded.Err() == nil {
			return out, err
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		if err := save(func() { e.Left = true }); err != nil {
			return out, err
		}
	} else if err := c.look(ctx, func(s *step) error { _, err := count(s); return err }); err != nil {
		return out, err
	}
	if !e.Closed {
		if err := c.closeChain(ctx, me); err != nil {
			return out, fmt.Errorf("close the account: %w", err)
		}
		if err := save(func() { e.Closed = true }); err != nil {
			return out, err
		}
	}
	if !e.Emptied {
		if err := c.emptyDoors(ctx); err != nil {
			return out, fmt.Errorf("shut the account's doors: %w", err)
		}
		if err := save(func() { e.Emptied = true }); err != nil {
			return out, err
		}
	}
	return out, c.forgetAll(ctx, me)
}

// closeChain appends the entry after which nothing follows.
func (c *Client) closeChain(ctx context.Context, me *account) error {
	key, err := me.key()
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		chain, err := c.newestOwn(ctx, me)
		if errors.Is(err, errClosedAlready) {
			return nil
		}
		if err != nil {
			return err
		}
		_, entry, err := chain.Close(key)
		if err != nil {
			return err
		}
		err = c.net.To(me.Server, lane.Accounts).Do(ctx, wire.OpAccountAppend, wire.AccountAppend{Account: me.ID, Head: wire.SecretHash(chain.Head()), Entry: entry}, nil)
		if err == nil || !errors.Is(err, wire.ErrStale) || try == 3 {
			return err
		}
	}
}

// emptyDoors takes everything out of this device's doors: nobody can put
// anything there any more, and their server drops them when they have not been
// opened for long enough.
func (c *Client) emptyDoors(ctx context.Context) error {
	var doors []*door
	var sv *savings
	err := c.look(ctx, func(s *step) (err error) {
		if sv, err = s.savings(); err != nil {
			return err
		}
		return s.scan("door", func(_ string, b []byte) (bool, error) {
			d := new(door)
			doors = append(doors, d)
			return true, decodeRecord(b, d)
		})
	})
	if err != nil {
		return err
	}
	for _, d := range doors {
		if !d.Public && sv != nil && sv.Beacon != nil {
			if err := c.cfg.Blobs.Drop(ctx, d.Server, *sv.Beacon, sv.Drop); err != nil {
				c.debug("a backup's beacon could not be dropped", err)
			}
			p := &serverPlace{c: c, server: d.Server, region: d.ID.Region(), by: d.payment(), slots: sv.Slots}
			p.drop(ctx)
		}
		set := wire.DoorSet{Door: d.ID, Seat: d.Seat.ID, Secret: d.Seat.Secret, Replace: true}
		for _, k := range d.Classes {
			set.Drop = append(set.Drop, k.ID)
		}
		err := c.net.To(d.Server, lane.Seats).Do(ctx, wire.OpDoorSet, set, new(wire.DoorState))
		if c := code(err); err != nil && c != wire.Denied && c != wire.Gone {
			return err
		}
	}
	return nil
}

// forgetAll leaves nothing in this home but that its account was deleted.
func (c *Client) forgetAll(ctx context.Context, me *account) error {
	err := c.step(ctx, func(s *step) error {
		s.put(accountName, account{ID: me.ID, Server: me.Server, Domain: me.Domain, Stage: stageClosed})
		s.then(func() {
			for id := range s.c.readers {
				s.c.stopReading(id)
			}
			clear(s.c.groups)
			clear(s.c.rosters)
		})
		return nil
	})
	for err == nil {
		n := 0
		err = c.step(ctx, func(s *step) error {
			items, err := c.vault.Scan(s.ctx, "", "", scanPage)
			if err != nil {
				return err
			}
			for _, it := range items {
				if it.Name != accountName {
					s.del(it.Name)
					n++
				}
			}
			return nil
		})
		if n == 0 {
			break
		}
	}
	if err != nil {
		return err
	}
	return c.removeFiles(ctx)
}

// resumeEnding goes on with a deletion that was cut short.
func (c *Client) resumeEnding(ctx context.Context) {
	for wait := time.Second; ; wait = min(2*wait, time.Hour) {
		begun := false
		err := c.look(ctx, func(s *step) (err error) {
			me, err := s.account()
			if err != nil || me == nil || me.Stage == stageClosed {
				return err
			}
			begun, err = s.has(endingName)
			return err
		})
		if err == nil && !begun {
			return
		}
		if err == nil {
			if _, err = c.end(ctx); err == nil {
				return
			}
		}
		c.debug("deleting the account failed", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}
