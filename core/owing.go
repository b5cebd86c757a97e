package core

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"hearth/core/roster"
	"hearth/core/vault"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// What is owed to a room is computed, not remembered (protocol §4): a live
// device of ours without a leaf is added, a revoked device's leaf is taken out.

// deadKept is how long it is remembered that an account has revoked devices: as
// long as a device may be away and still be in step, and longer.
const deadKept = 100 * 24 * time.Hour

func deadName(id wire.AccountID) string { return vault.Name("dead", b64(id[:])) }

// dead notes that an account has revoked devices, so that every room is looked
// at for their leaves.
func (s *step) dead(c *identity.Chain) {
	if !slices.ContainsFunc(c.Devices(), func(d identity.Device) bool { return !d.Live }) {
		return
	}
	s.putUntil(deadName(c.Account()), c.Entries(), s.c.now().Add(deadKept).Unix())
	s.then(func() {
		s.c.dead[c.Account()] = c
		s.c.wakeAllRooms()
	})
}

// startDead reads which accounts have revoked devices.
func (c *Client) startDead(s *step) error {
	return s.scan("dead", func(_ string, b []byte) (bool, error) {
		var entries [][]byte
		if err := decodeRecord(b, &entries); err != nil {
			return false, err
		}
		chain, err := identity.Verify(entries)
		if err == nil {
			c.dead[chain.Account()] = chain
		}
		return true, nil
	})
}

// learnChain keeps a longer chain of a person; see person.learnChain.
func (s *step) learnChain(p *person, c *identity.Chain) (bool, error) {
	before := len(p.Chain)
	ok, err := p.learnChain(c)
	if err == nil && ok && len(p.Chain) > before {
		s.dead(c)
	}
	return ok, err
}

// learnChains takes in what a commit shows of the members' chains.
func (s *step) learnChains(before, after *roster.Roster) error {
	me, err := s.me()
	if err != nil {
		return err
	}
	for _, m := range after.State().Members {
		chain, ok := after.Chain(m.Account)
		if known, had := before.Chain(m.Account); !ok || had && known.Head() == chain.Head() {
			continue
		}
		if m.Account == me.ID {
			if err := s.learnOwnChain(chain); err != nil {
				return err
			}
			continue
		}
		p, err := s.person(m.Account)
		if err != nil {
			return err
		}
		if _, err := s.learnChain(p, chain); err != nil {
			return err
		}
		s.putPerson(p)
	}
	return nil
}

// corpses returns the leaves in a room of devices that are known to be revoked,
// and the chains that say so.
func (s *step) corpses(ro *roster.Roster, st roster.State) (leaves []mls.LeafIndex, chains []*identity.Chain) {
	for account, chain := range s.c.dead {
		if _, in := st.Member(account); !in {
			continue
		}
		known, ok := ro.Chain(account)
		if !ok || known.Compare(chain) == identity.Fork {
			continue // settled by a recovery-signed entry (protocol §7)
		}
		var here []mls.LeafIndex
		for _, l := range ro.LeavesOf(account) {
			if d, ok := chain.Device(l.Device); !ok || !d.Live {
				here = append(here, l.Index)
			}
		}
		if len(here) > 0 {
			leaves, chains = append(leaves, here...), append(chains, chain)
		}
	}
	slices.Sort(leaves)
	return leaves, chains
}

// dueRevoked plans the removal of revoked devices: at once where something of
// ours waits to be posted, else when it is our turn.
func (s *step) dueRevoked(r *room) error {
	if len(s.c.dead) == 0 {
		return nil
	}
	ro, err := s.roster(r.ID)
	if err != nil {
		return err
	}
	leaves, chains := s.corpses(ro, ro.State())
	if len(leaves) == 0 {
		delete(s.c.noticed, noticedKey{room: r.ID})
		return nil
	}
	if p, err := s.firstPlan(r.ID); err != nil || p != nil {
		return err // whatever commit comes next takes them out (apply)
	}
	waiting, err := s.any(outboxName(r.ID))
	if err != nil {
		return err
	}
	if !waiting {
		wait, err := s.turn(r, ro, chains)
		if err != nil {
			return err
		}
		if left := s.c.noticedFor(noticedKey{room: r.ID}, wait); left > 0 {
			s.c.wakeAt(r.ID, s.c.now().Add(left).Unix()+1)
			return nil
		}
	}
	s.plan(r, plan{Revoke: true})
	s.putRoom(r)
	return nil
}

// turn is how long this device waits before it removes others' revoked devices:
// siblings of the revoked come first, then rank (protocol §5).
func (s *step) turn(r *room, ro *roster.Roster, chains []*identity.Chain) (time.Duration, error) {
	g, err := s.group(r.ID)
	if err != nil || g == nil {
		return 0, err
	}
	sibling := func(a wire.AccountID) bool {
		return slices.ContainsFunc(chains, func(c *identity.Chain) bool { return c.Account() == a })
	}
	order := ro.Rank()
	slices.SortStableFunc(order, func(a, b mls.LeafIndex) int {
		la, _ := ro.Leaf(a)
		lb, _ := ro.Leaf(b)
		switch sa, sb := sibling(la.Account), sibling(lb.Account); {
		case sa && !sb:
			return -1
		case sb && !sa:
			return 1
		}
		return 0
	})
	place := slices.Index(order, g.OwnLeaf())
	if place <= 0 {
		return 0, nil
	}
	return time.Duration(place)*turn + rand.N(turn), nil
}

// noticedKey names something owed that was first seen at a time; device is zero
// for revocations.
type noticedKey struct {
	room   wire.RoomID
	device identity.DeviceID
}

// noticedFor returns how long is left of wait since something owed was first
// seen. The client's lock is held.
func (c *Client) noticedFor(k noticedKey, wait time.Duration) time.Duration {
	due, ok := c.noticed[k]
	if !ok {
		due = c.now().Add(wait)
		c.noticed[k] = due
	}
	return max(0, due.Sub(c.now()))
}

// wakeAllRooms wakes the senders of all rooms that are read; the lock is held.
func (c *Client) wakeAllRooms() {
	for id, r := range c.readers {
		if _, ok := r.log.(*roomLog); ok {
			c.wakeRoom(id)
		}
	}
}

// wakeAllDevices looks at all rooms for devices of ours that are missing; the
// lock is held.
func (c *Client) wakeAllDevices() {
	for id, r := range c.readers {
		if _, ok := r.log.(*roomLog); ok {
			c.wakeDevices(id)
		}
	}
}

// wakeDevices starts what adds our missing devices to a room.
func (c *Client) wakeDevices(id wire.RoomID) {
	c.poke(queueID{deviceQueue, id}, func(ctx context.Context) (act action, err error) {
		err = c.look(ctx, func(s *step) error {
			missing, wait, err := s.missing(id)
			if err != nil || len(missing) == 0 {
				return err
			}
			act = func(ctx context.Context) (time.Duration, error) {
				if wait > 0 {
					return wait, nil
				}
				return 0, c.addDevices(ctx, id, missing)
			}
			return nil
		})
		return act, err
	})
}

// missing returns the live devices of ours that a room lacks, can be reached,
// and are not being added; and how long this device leaves that to another.
func (s *step) missing(id wire.RoomID) (out []*device, wait time.Duration, err error) {
	me, err := s.account()
	if err != nil || me == nil || me.Stage != stageDone || len(me.Chain) == 1 {
		return nil, 0, err
	}
	r, err := s.room(id)
	if err != nil || r == nil || r.State != roomOK || r.Leaving || !s.c.live(id) {
		return nil, 0, err
	}
	ro, err := s.roster(id)
	if err != nil {
		return nil, 0, err
	}
	siblings, err := s.siblings(me)
	if err != nil {
		return nil, 0, err
	}
	self, _, err := s.selfRoom(me)
	if err != nil {
		return nil, 0, err
	}
	var first *roster.Roster // the self room's
	if self != nil && self.ID != id && (self.State == roomOK || self.State == roomFounding) {
		if first, err = s.roster(self.ID); err != nil {
			return nil, 0, err
		}
	}
	for _, d := range siblings {
		if _, in := ro.LeafOf(me.ID, d.ID); in || d.Sibling.Server == "" {
			continue
		}
		// When a device is linked, chain entry and self room come first
		// (protocol §4).
		if first != nil {
			if _, in := first.LeafOf(me.ID, d.ID); !in {
				continue
			}
		}
		out = append(out, d)
	}
	if len(out) == 0 {
		return nil, 0, nil
	}
	if adding, err := s.addingOwn(id, me); err != nil || adding {
		return nil, 0, err
	}
	g, err := s.group(id)
	if err != nil || g == nil {
		return nil, 0, err
	}
	place := slices.IndexFunc(ro.LeavesOf(me.ID), func(l roster.Leaf) bool { return l.Index == g.OwnLeaf() })
	if place > 0 {
		wait = s.c.noticedFor(noticedKey{id, out[0].ID}, time.Duration(place)*2*turn)
	}
	return out, wait, nil
}

// addingOwn reports whether a plan to add devices of ours waits in a room.
func (s *step) addingOwn(id wire.RoomID, me *account) (found bool, err error) {
	own := func(p *plan) bool {
		return slices.ContainsFunc(p.Add, func(i invitee) bool { return i.Account == me.ID })
	}
	if sg, err := s.saga(id); err != nil || sg != nil && own(&sg.Plan) {
		return true, err
	}
	err = s.scan(planName(id), func(_ string, b []byte) (bool, error) {
		p := new(plan)
		err := decodeRecord(b, p)
		found = found || err == nil && own(p)
		return !found, err
	})
	return found, err
}

// addDevices claims a KeyPackage of each missing device and plans to add them.
func (c *Client) addDevices(ctx context.Context, id wire.RoomID, missing []*device) error {
	me, err := c.self(ctx)
	if err != nil {
		return err
	}
	var add []invitee
	var last error
	for _, d := range missing {
		inv, got, err := c.claimAt(ctx, &person{Account: me.ID, Chain: me.Chain}, d.Sibling)
		if err == nil && got != d.ID {
			err = errBadPackage
		}
		if err != nil {
			last = err
			continue
		}
		add = append(add, inv)
	}
	if len(add) == 0 {
		return last
	}
	return errors.Join(last, c.step(ctx, func(s *step) error {
		r, err := s.room(id)
		if err != nil || r == nil || r.State != roomOK {
			return err
		}
		for _, d := range missing {
			delete(c.noticed, noticedKey{id, d.ID})
		}
		s.plan(r, plan{Add: add})
		s.putRoom(r)
		return nil
	}))
}

// any reports whether there is a record under prefix.
func (s *step) any(prefix string) (found bool, err error) {
	err = s.scan(prefix, func(string, []byte) (bool, error) {
		found = true
		return false, nil
	})
	return found, err
}
