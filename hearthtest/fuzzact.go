package hearthtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hearth/core"
	"hearth/core/vault/vaulttest"
	"hearth/wire"
)

// What people do in a fuzzed world.

// act chooses what one device does next; the choice is made here, on the world's
// goroutine, and carried out by what it returns.
func (f *fuzz) act(p *soul) func() {
	ctx := p.Patience
	switch n := f.rng.IntN(100); {
	case n < 58:
		in := f.roomOf(p)
		if in == nil {
			break
		}
		return f.say(p, in, f.rng.IntN(f.chatter)+1)
	case n < 66:
		to := f.other(p)
		return func() {
			p.talks++
			s, err := p.TrySend(to.handle, fmt.Sprintf("first %s %d", p.Name, p.talks))
			f.tell(p, s.Room, "writes first to %s: %s %v", to.Name, s.State, err)
			if f.fine(p, "write first", err) && s.Room != "" {
				f.found(s.Room, true, p)
			}
		}
	case n < 70:
		name, who := fmt.Sprintf("g%d", f.rng.IntN(1000)), []string{}
		for _, i := range f.rng.Perm(len(f.souls))[:1+f.rng.IntN(len(f.souls)-1)] {
			if o := f.souls[i]; o.handle != p.handle && !slices.Contains(who, o.handle) {
				who = append(who, o.handle)
			}
		}
		if len(who) == 0 {
			break
		}
		return func() {
			g, err := p.Client.GroupNew(ctx(), name, who)
			f.tell(p, g.Room, "founds a group of %v: %v", who, err)
			if f.fine(p, "found a group", err) {
				f.found(g.Room, false, p, who...)
			}
		}
	case n < 76:
		in, to := f.groupOf(p), f.other(p)
		if in == nil {
			break
		}
		return func() { f.add(p, in, to) }
	case n < 79:
		in, to := f.groupOf(p), f.other(p)
		if in == nil {
			break
		}
		return func() { f.remove(p, in, to) }
	case n < 81:
		in := f.groupOf(p)
		if in == nil {
			break
		}
		return func() {
			f.leaves(in, p.handle)
			_, err := p.Client.GroupLeave(ctx(), in.id)
			f.tell(p, in.id, "leaves: %v", err)
			if f.fine(p, "leave", err) {
				f.count(func(c *tally) { c.Left++ })
			}
		}
	case n < 85:
		in, to, role := f.groupOf(p), f.other(p), []string{"member", "admin", "owner"}[f.rng.IntN(3)]
		if in == nil {
			break
		}
		return func() {
			_, err := p.Client.GroupRole(ctx(), in.id, to.handle, role)
			f.tell(p, in.id, "makes %s %s: %v", to.Name, role, err)
			if f.fine(p, "give a role", err) {
				f.count(func(c *tally) { c.Roles++ })
			}
		}
	case n < 87:
		in, timer := f.roomOf(p), []string{"1d", "7d", "30d", "1y"}[f.rng.IntN(4)]
		if in == nil {
			break
		}
		// What is not read within a day may be gone.
		in.short = in.short || timer == "1d"
		return func() {
			_, err := p.Client.GroupSet(ctx(), in.id, core.GroupSettings{Retention: &timer})
			f.tell(p, in.id, "sets the timer to %s: %v", timer, err)
			if f.fine(p, "set a timer", err) {
				f.count(func(c *tally) { c.Timers++ })
			}
		}
	case n < 89:
		in, to := f.groupOf(p), f.other(p)
		if in == nil {
			break
		}
		return func() { f.link(p, in, to) }
	case n < 90:
		in, to := f.roomOf(p), f.server()
		if in == nil {
			break
		}
		// Whoever's doors do not answer at that moment comes later, and does not get
		// what is said until then.
		for _, o := range f.souls {
			f.doubt(in, o)
		}
		return func() {
			m, err := p.Client.GroupMove(ctx(), in.id, to.URL)
			f.tell(p, in.id, "moves it to %s: %s %v", to.URL, m.State, err)
			if f.fine(p, "move", err) {
				f.count(func(c *tally) { c.Moved++ })
			}
		}
	case n < 92:
		return f.linkDevice(p)
	case n < 93:
		return f.revokeDevice(p)
	}
	decline := f.rng.IntN(6) == 0
	return func() { f.answer(p, decline) }
}

// comesBack is how long a device may wait before it tries a server again.
const comesBack = 5 * time.Minute

// say sends a few messages, one after the other.
func (f *fuzz) say(p *soul, in *place, n int) func() {
	var list []*saying
	for range n {
		p.talks++
		m := &saying{by: p, in: in, text: fmt.Sprintf("%s %06d", p.Name, p.talks), short: in.short}
		for _, o := range f.souls {
			if o.offline || time.Since(o.apart) < comesBack {
				m.missed = append(m.missed, o)
			}
		}
		list = append(list, m)
		f.said = append(f.said, m)
	}
	return func() {
		for _, m := range list {
			m.began = time.Now()
			s, err := p.TrySend(in.id, m.text)
			f.tell(p, in.id, "says %s: %s %v", m.text, s.State, err)
			if !f.fine(p, "send", err) {
				continue
			}
			if m.sent = s.State == core.StateSent; m.sent {
				m.end = time.Now()
				f.count(func(c *tally) { c.Sent++ })
			} else {
				m.queued = true
				f.count(func(c *tally) { c.Queued++ })
			}
		}
	}
}

func (f *fuzz) add(p *soul, in *place, who *soul) {
	f.mayCome(in, who.handle)
	ch, err := p.Client.GroupAdd(p.Patience(), in.id, []string{who.handle})
	f.tell(p, in.id, "adds %s: %d, skipped %v, %v", who.Name, len(ch.Changed), ch.Skipped, err)
	if f.fine(p, "add", err) && len(ch.Changed) > 0 {
		f.count(func(c *tally) { c.Added++ })
	}
}

func (f *fuzz) remove(p *soul, in *place, who *soul) {
	f.leaves(in, who.handle)
	f.locked(func() { in.removing[who.handle] = true })
	ch, err := p.Client.GroupRemove(p.Patience(), in.id, []string{who.handle})
	f.tell(p, in.id, "removes %s: %d, skipped %v, %v", who.Name, len(ch.Changed), ch.Skipped, err)
	if !f.fine(p, "remove", err) || len(ch.Changed) == 0 {
		return
	}
	f.locked(func() {
		f.did.Removed++
		for _, o := range f.souls {
			if o.handle != who.handle {
				continue
			}
			s := in.stay(o)
			// Somebody may have added them again meanwhile: then nothing is sure.
			if s.back.IsZero() || s.back.Before(s.out) {
				s.gone, s.back = time.Now(), time.Time{}
			}
		}
	})
}

func (f *fuzz) link(p *soul, in *place, to *soul) {
	inv, err := p.Client.GroupLink(p.Patience(), in.id, core.GroupLinkOptions{Uses: 1, Expire: time.Hour})
	if !f.fine(p, "make a link", err) {
		return
	}
	f.mayCome(in, to.handle)
	j, err := to.Client.GroupJoin(to.Patience(), inv.Link, "")
	f.tell(to, in.id, "follows a link of %s: %s %v", p.Name, j.State, err)
	if f.fine(to, "follow a link", err) && j.State == core.JoinJoined {
		f.count(func(c *tally) { c.ByLink++ })
		f.enters(in.id, to)
	}
}

// answer accepts or declines everything that waits.
func (f *fuzz) answer(p *soul, decline bool) {
	list, err := p.Client.Requests(p.Patience())
	if !f.fine(p, "list requests", err) {
		return
	}
	for _, q := range list {
		if decline {
			_, err := p.Client.Decline(p.Patience(), q.ID)
			f.tell(p, q.Room, "declines: %v", err)
			f.locked(func() {
				if in := f.rooms[q.Room]; in != nil {
					in.declined[p.handle] = true
				}
			})
			f.fine(p, "decline", err)
			continue
		}
		a, err := p.Client.Accept(p.Patience(), q.ID)
		f.tell(p, q.Room, "accepts: %s %v", a.State, err)
		if f.fine(p, "accept", err) && a.State == "accepted" && f.known(a.Room) {
			f.enters(a.Room, p)
		}
	}
}

// linkDevice gives p's account one device more.
func (f *fuzz) linkDevice(p *soul) func() {
	n := 0
	for _, o := range f.souls {
		if o.handle == p.handle {
			n++
		}
	}
	if n >= 3 {
		return nil
	}
	f.devices++
	d := &soul{Person: f.w.Stranger(fmt.Sprintf("%s-%d", strings.SplitN(p.Name, "-", 2)[0], f.devices)), handle: p.handle, heard: map[string]int{}}
	return func() {
		err := p.LinkTo(d.Person)
		f.tell(p, "", "links %s: %v", d.Name, err)
		if !f.fine(p, "link a device", err) {
			d.Stop()
			return
		}
		f.locked(func() {
			f.did.Linked++
			f.coming = append(f.coming, d)
		})
	}
}

// revokeDevice takes another device out of p's account.
func (f *fuzz) revokeDevice(p *soul) func() {
	for _, o := range f.souls {
		if o == p || o.handle != p.handle || o.leaving {
			continue
		}
		me, err := o.Client.Whoami()
		if err != nil {
			return nil
		}
		o.leaving = true
		f.unsure(o)
		return func() {
			start := time.Now()
			_, err := p.Client.RevokeDevice(p.Patience(), me.Device)
			f.tell(p, "", "revokes %s: %v", o.Name, err)
			if !f.fine(p, "revoke a device", err) {
				return
			}
			f.count(func(c *tally) { c.Revoked++ })
			o.revokedAt = time.Now()
			if time.Since(start) > Patience-time.Second {
				return // it goes on by itself
			}
			// Where p is in step, it is out by now.
			rooms, err := p.Client.Rooms(p.Patience())
			if err != nil {
				return
			}
			f.locked(func() {
				for _, r := range rooms {
					if in := f.rooms[r.Room]; in != nil && r.State == core.RoomOK {
						s := in.stay(o)
						s.gone, s.back = time.Now(), time.Time{}
					}
				}
			})
		}
	}
	return nil
}

// settleDevices takes in which devices came and went in this round.
func (f *fuzz) settleDevices() {
	f.souls = append(f.souls, f.coming...)
	f.coming = nil
	for _, p := range f.souls {
		switch {
		case !p.revokedAt.IsZero():
			f.revoked = append(f.revoked, p)
		case p.leaving:
			p.leaving = false
		}
	}
	f.souls = slices.DeleteFunc(f.souls, func(p *soul) bool { return !p.revokedAt.IsZero() })
}

// other picks somebody else's device.
func (f *fuzz) other(p *soul) *soul {
	for {
		if o := f.souls[f.rng.IntN(len(f.souls))]; o.handle != p.handle {
			return o
		}
	}
}

func (f *fuzz) server() *Server { return f.w.Server([]string{"home", "away"}[f.rng.IntN(2)]) }

// roomOf picks a conversation that p lists as one to write in.
func (f *fuzz) roomOf(p *soul) *place { return f.pick(p, func(*place) bool { return true }) }

func (f *fuzz) groupOf(p *soul) *place { return f.pick(p, func(in *place) bool { return !in.direct }) }

func (f *fuzz) pick(p *soul, fits func(*place) bool) *place {
	var list []*place
	for _, r := range f.list(p) {
		if in := f.rooms[r.Room]; in != nil && r.State == core.RoomOK && fits(in) {
			list = append(list, in)
		}
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b *place) int { return strings.Compare(a.id, b.id) })
	return list[f.rng.IntN(len(list))]
}

// fine reports whether a call went well, and fails the test where it went wrong
// in a way that no person should see.
func (f *fuzz) fine(p *soul, what string, err error) bool {
	if err == nil {
		return true
	}
	f.count(func(c *tally) { c.Refused++ })
	for _, k := range []wire.Code{wire.Denied, wire.NotFound, wire.Unreachable, wire.Full, wire.Stale, wire.Taken, wire.BadInput, wire.Gone} {
		if isCode(err, k) {
			return false
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return false // its servers do not answer
	}
	if p.Faults != nil && strings.Contains(err.Error(), vaulttest.ErrFault.Error()) {
		return false
	}
	f.w.T.Errorf("%s: %s: %v", p.Name, what, err)
	return false
}

func (f *fuzz) count(how func(*tally)) { f.locked(func() { how(&f.did) }) }
