package hearthtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hearth/core"
)

// What the model of a fuzzed world knows for sure, and what it demands.

// found notes a conversation that somebody began.
func (f *fuzz) found(room string, direct bool, by *soul) {
	f.locked(func() {
		if f.rooms[room] == nil {
			f.rooms[room] = &place{id: room, direct: direct, stays: map[*soul]*stay{}}
			f.did.founded++
		}
	})
	f.enters(room, by)
}

// enters notes that somebody is a member, by their own list of conversations.
func (f *fuzz) enters(room string, p *soul) {
	rooms, err := p.Client.Rooms(p.Patience())
	if err != nil {
		return
	}
	for _, r := range rooms {
		if r.Room != room || r.State != core.RoomOK {
			continue
		}
		f.locked(func() {
			s := f.rooms[room].stay(p)
			if s.in.IsZero() || !s.out.IsZero() {
				*s = stay{in: time.Now()}
			}
		})
	}
}

func (in *place) stay(p *soul) *stay {
	if in.stays[p] == nil {
		in.stays[p] = &stay{}
	}
	return in.stays[p]
}

// leaves notes that it is not sure any more that somebody is a member.
func (f *fuzz) leaves(in *place, p *soul) {
	f.locked(func() {
		s := in.stay(p)
		if s.out.IsZero() {
			s.out = time.Now()
		}
	})
}

// unsure notes that somebody may not get everything for a while.
func (f *fuzz) unsure(p *soul) {
	f.locked(func() {
		for _, in := range f.rooms {
			if s := in.stay(p); s.out.IsZero() {
				s.out = time.Now()
			}
			for _, m := range f.said {
				m.missed = append(m.missed, p)
			}
		}
	})
}

// mayCome notes that it is not sure any more that somebody is not.
func (f *fuzz) mayCome(in *place, p *soul) {
	f.locked(func() {
		if s := in.stay(p); s.back.IsZero() {
			s.back = time.Now()
		}
	})
}

func (f *fuzz) locked(do func()) {
	f.w.Net.mu.Lock()
	defer f.w.Net.mu.Unlock()
	do()
}

// say sends a few messages, one after the other.
func (f *fuzz) say(p *soul, in *place, n int) func() {
	var list []*saying
	for range n {
		p.talks++
		m := &saying{by: p, in: in, text: fmt.Sprintf("%s %06d", p.Name, p.talks)}
		for _, o := range f.souls {
			if o.offline {
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
				f.count(func(c *tally) { c.sent++ })
			} else {
				m.queued = true
				f.count(func(c *tally) { c.queued++ })
			}
		}
	}
}

func (f *fuzz) add(p *soul, in *place, who *soul) {
	f.mayCome(in, who)
	ch, err := p.Client.GroupAdd(p.Patience(), in.id, []string{who.Name})
	f.tell(p, in.id, "adds %s: %d, skipped %v, %v", who.Name, len(ch.Changed), ch.Skipped, err)
	if f.fine(p, "add", err) && len(ch.Changed) > 0 {
		f.count(func(c *tally) { c.added++ })
	}
}

func (f *fuzz) remove(p *soul, in *place, who *soul) {
	f.leaves(in, who)
	ch, err := p.Client.GroupRemove(p.Patience(), in.id, []string{who.Name})
	f.tell(p, in.id, "removes %s: %d, skipped %v, %v", who.Name, len(ch.Changed), ch.Skipped, err)
	if !f.fine(p, "remove", err) || len(ch.Changed) == 0 {
		return
	}
	f.locked(func() {
		f.did.removed++
		s := in.stay(who)
		// Somebody may have added them again meanwhile: then nothing is sure.
		if s.back.IsZero() || s.back.Before(s.out) {
			s.gone, s.back = time.Now(), time.Time{}
		}
	})
}

func (f *fuzz) link(p *soul, in *place, to *soul) {
	inv, err := p.Client.GroupLink(p.Patience(), in.id, core.GroupLinkOptions{Uses: 1, Expire: time.Hour})
	if !f.fine(p, "make a link", err) {
		return
	}
	f.mayCome(in, to)
	j, err := to.Client.GroupJoin(to.Patience(), inv.Link, "")
	f.tell(to, in.id, "follows a link of %s: %s %v", p.Name, j.State, err)
	if f.fine(to, "follow a link", err) && j.State == core.JoinJoined {
		f.count(func(c *tally) { c.links++ })
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

func (f *fuzz) known(room string) (ok bool) {
	f.locked(func() { ok = f.rooms[room] != nil })
	return ok
}

// judge lets the world come to rest and asks whether all is well.
func (f *fuzz) judge() {
	t := f.w.T
	for _, p := range f.souls {
		f.w.Net.Online(p.Name)
		p.offline = false
	}
	f.w.Sleep(2 * day)
	f.collect()
	for _, p := range f.souls {
		if err := p.Client.CatchUp(p.Patience()); err != nil {
			t.Errorf("%s cannot catch up: %v", p.Name, err)
		}
	}
	f.agree()
	f.readable()
	f.alive()
}

// agree: whoever is in a conversation sees the same members in the same epoch.
func (f *fuzz) agree() {
	for id := range f.rooms {
		views := map[string]string{}
		for _, p := range f.souls {
			for _, r := range f.list(p) {
				if r.Room != id {
					continue
				}
				if r.State == core.RoomOutOfStep && f.helped(p, id) {
					f.w.T.Errorf("%s is out of step in the end in %.6s: %s", p.Name, id, f.noticed(p, id))
				}
				if r.State != core.RoomOK {
					continue
				}
				var b strings.Builder
				fmt.Fprintf(&b, "epoch %d, %s:", r.Epoch, r.Retention)
				for _, m := range r.Members {
					fmt.Fprintf(&b, " %s=%s", f.nameOf(m.Account), m.Role)
				}
				views[p.Name] = b.String()
			}
		}
		first := ""
		for name, v := range views {
			if first == "" {
				first = name
			}
			if v != views[first] {
				f.w.T.Errorf("one conversation %.6s, two member lists:\n  %s: %s\n  %s: %s", id, first, views[first], name, v)
			}
		}
	}
}

// helped reports whether there is another who could put somebody back: a home
// that came from a copy is a new device, and alone nobody lets it in.
func (f *fuzz) helped(p *soul, room string) bool {
	for _, o := range f.souls {
		if o == p {
			continue
		}
		for _, r := range f.list(o) {
			if r.Room == room && r.State == core.RoomOK {
				return true
			}
		}
	}
	return false
}

// noticed lists what somebody was told about a conversation.
func (f *fuzz) noticed(p *soul, room string) (codes []string) {
	for _, e := range p.seen {
		if e.Type == core.EventNotice && e.Room == room {
			codes = append(codes, e.Code)
		}
	}
	return codes
}

func (f *fuzz) list(p *soul) []core.Room {
	rooms, err := p.Client.Rooms(p.Patience())
	if err != nil {
		f.w.T.Errorf("%s lists rooms: %v", p.Name, err)
	}
	return rooms
}

func (f *fuzz) nameOf(account string) string {
	for _, p := range f.souls {
		if me, err := p.Client.Whoami(); err == nil && me.Account == account {
			return p.Name
		}
	}
	return "?"
}

// readable: everybody has read what was sent while they were there, nothing
// else, each thing once and each sender in order.
func (f *fuzz) readable() {
	t := f.w.T
	for _, p := range f.souls {
		times := map[string]int{}
		last := map[string]string{} // by conversation and sender
		for _, e := range p.seen {
			if e.Type != core.EventMessage || strings.HasPrefix(e.Text, "first") {
				continue
			}
			times[e.Text]++
			f.did.read++
			if p.restored {
				continue // a home from a copy gives out again what it gave out since
			}
			if times[e.Text] > 1 {
				t.Errorf("%s reads %q twice", p.Name, e.Text)
			}
			key := e.Room + e.Account
			if e.Text < last[key] {
				t.Errorf("%s reads %q behind %q", p.Name, e.Text, last[key])
			}
			last[key] = e.Text
		}
		for _, m := range f.said {
			if m.by == p {
				continue
			}
			s := m.in.stays[p]
			if s == nil {
				if times[m.text] > 0 && !m.in.direct {
					t.Errorf("%s, who never was there, reads %q", p.Name, m.text)
				}
				continue
			}
			// Whoever is taken out while offline does not get what waited.
			there := !s.in.IsZero() && s.in.Before(m.began) &&
				(s.out.IsZero() || m.end.Before(s.out) && !slices.Contains(m.missed, p))
			if m.sent && there && !m.in.short && times[m.text] == 0 {
				t.Errorf("%s was there and has not read %q (sent %v after the start)", p.Name, m.text, m.end.Sub(f.began))
			}
			// What was left queued goes by itself, if nobody has left.
			by := m.in.stays[m.by]
			if m.queued && there && s.out.IsZero() && by != nil && by.out.IsZero() && !m.in.short && times[m.text] == 0 {
				t.Errorf("%s has not read %q, which was queued", p.Name, m.text)
			}
			away := !s.gone.IsZero() && s.gone.Before(m.began) && (s.back.IsZero() || m.sent && m.end.Before(s.back))
			if away && times[m.text] > 0 {
				t.Errorf("%s was gone and reads %q (sent %v after the start)", p.Name, m.text, m.end.Sub(f.began))
			}
		}
	}
}

// alive: the next message of each member reaches every other one.
func (f *fuzz) alive() {
	for id := range f.rooms {
		var here []*soul
		for _, p := range f.souls {
			for _, r := range f.list(p) {
				if r.Room == id && r.State == core.RoomOK {
					here = append(here, p)
				}
			}
		}
		for _, p := range here {
			text := "still here " + p.Name
			if s, err := p.TrySend(id, text); err != nil || s.State != core.StateSent {
				f.w.T.Errorf("%s cannot write in the end: %v %s", p.Name, err, s.State)
				continue
			}
			for _, o := range here {
				if o == p {
					continue
				}
				if _, ok := o.TryAwait(Patience, func(e core.Event) bool {
					return e.Type == core.EventMessage && e.Text == text && e.Room == id
				}); !ok {
					f.w.T.Errorf("%s does not get the last message of %s", o.Name, p.Name)
				}
			}
		}
	}
}
