package hearthtest

import (
	"fmt"
	"slices"
	"strings"

	"hearth/core"
	"hearth/wire"
)

// What must be true of a fuzzed world whenever it has come to rest.

// rest lets the world come to rest and asks whether all is well.
func (f *fuzz) rest() {
	t := f.w.T
	f.did.Rests++
	f.endEvil()
	for _, p := range f.souls {
		f.w.Net.Online(p.Name)
		p.offline = false
		if p.Faults != nil {
			p.Crash()
			f.start(p)
		}
	}
	f.w.Sleep(2 * day)
	f.collect()
	for _, p := range f.souls {
		if err := p.Client.CatchUp(p.Patience()); err != nil {
			t.Errorf("%s cannot catch up: %v", p.Name, err)
		}
	}
	f.collect()
	views := map[*soul][]core.Room{}
	for _, p := range f.souls {
		views[p] = f.list(p)
	}
	f.agree(views)
	f.readable()
	f.alive(views)
	f.settled(views)
	f.said = nil
	for _, p := range append(slices.Clone(f.souls), f.revoked...) {
		p.seen, p.read, p.restored = nil, 0, false
	}
}

// agree: whoever is in a conversation sees the same members in the same epoch,
// and holds the same secrets.
func (f *fuzz) agree(views map[*soul][]core.Room) {
	for id := range f.rooms {
		say := map[string]string{}
		for _, p := range f.souls {
			for _, r := range views[p] {
				if r.Room != id {
					continue
				}
				if r.State == core.RoomOutOfStep && f.helped(views, p, id) {
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
				if f.within != nil {
					a, err := f.within.Authenticator(p.Person, id)
					fmt.Fprintf(&b, " %x %v", a, err)
				}
				say[p.Name] = b.String()
			}
		}
		first := ""
		for name, v := range say {
			if first == "" {
				first = name
			}
			if v != say[first] {
				f.w.T.Errorf("one conversation %.6s, two member lists:\n  %s: %s\n  %s: %s", id, first, say[first], name, v)
			}
		}
	}
}

// helped reports whether there is another who could put a device back: a home
// that came from a copy is a new device, and alone nobody lets it in.
func (f *fuzz) helped(views map[*soul][]core.Room, p *soul, room string) bool {
	for o, rooms := range views {
		for _, r := range rooms {
			if o != p && r.Room == room && r.State == core.RoomOK {
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
		f.fine(p, "list rooms", err)
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

// readable: every device has read what was sent while it was there, nothing else,
// each thing once and each sender in order.
func (f *fuzz) readable() {
	t := f.w.T
	for _, p := range append(slices.Clone(f.souls), f.revoked...) {
		times := map[string]int{}
		last := map[string]string{} // by conversation and sender
		for _, e := range p.seen {
			by, _, numbered := strings.Cut(e.Text, " ")
			if e.Type != core.EventMessage || !numbered || slices.Contains([]string{"first", "still", "evil"}, by) {
				continue
			}
			times[e.Text]++
			f.did.Read++
			if p.restored {
				continue // a home from a copy gives out again what it gave out since
			}
			if p.heard[e.Text]++; p.heard[e.Text] > 1 {
				t.Errorf("%s reads %q twice", p.Name, e.Text)
			}
			key := e.Room + " " + by
			if in := f.rooms[e.Room]; e.Text < last[key] && (in == nil || !in.declined[p.handle]) {
				t.Errorf("%s reads %q behind %q", p.Name, e.Text, last[key])
			}
			last[key] = e.Text
		}
		for _, m := range f.said {
			if m.by != p {
				f.wasRead(m, p, times[m.text])
			}
		}
	}
}

// wasRead judges one message on one device that has read it so many times.
func (f *fuzz) wasRead(m *saying, p *soul, times int) {
	t := f.w.T
	s := m.in.stays[p]
	if s == nil {
		if !m.in.maybe[p.handle].IsZero() {
			return // not known
		}
		if f.did.Forbidden++; times > 0 && !m.in.direct {
			t.Errorf("%s, who never was there, reads %q", p.Name, m.text)
		}
		return
	}
	// Whoever is taken out while offline does not get what waited.
	there := !s.in.IsZero() && s.in.Before(m.began) && m.end.After(p.sure) &&
		(s.out.IsZero() || m.end.Before(s.out) && !slices.Contains(m.missed, p))
	demanded := there && !m.short && !m.in.short && p.revokedAt.IsZero()
	// A server that withholds again and again takes a message, but not unseen.
	withheld := func() bool {
		if times > 0 || !slices.Contains(f.noticed(p, m.in.id), core.NoticeWithheld) {
			return false
		}
		f.did.Withheld++
		return true
	}
	if (m.sent || m.queued) && demanded && withheld() {
		return
	}
	if m.sent && demanded {
		if f.did.Demanded++; times == 0 {
			t.Errorf("%s was there and has not read %q (sent %v after the start)", p.Name, m.text, m.end.Sub(f.began))
		}
	}
	// What was left queued goes by itself, if nobody has left.
	by := m.in.stays[m.by]
	if m.queued && !s.in.IsZero() && s.in.Before(m.began) && m.began.After(p.sure) && m.began.After(m.by.sure) && s.out.IsZero() &&
		by != nil && !by.in.IsZero() && by.out.IsZero() && !m.short && !m.in.short && m.by.revokedAt.IsZero() && !withheld() {
		if f.did.Demanded++; times == 0 {
			t.Errorf("%s has not read %q, which was queued (%v after the start)", p.Name, m.text, m.began.Sub(f.began))
		}
	}
	away := !s.gone.IsZero() && s.gone.Before(m.began) && (s.back.IsZero() || m.sent && m.end.Before(s.back))
	if away {
		if f.did.Forbidden++; times > 0 {
			t.Errorf("%s was gone and reads %q (sent %v after the start)", p.Name, m.text, m.end.Sub(f.began))
		}
	}
}

// alive: the next message of each device reaches every other one.
func (f *fuzz) alive(views map[*soul][]core.Room) {
	for _, id := range f.ids() {
		var here []*soul
		for _, p := range f.souls {
			for _, r := range views[p] {
				if r.Room == id && r.State == core.RoomOK {
					here = append(here, p)
				}
			}
		}
		for _, p := range here {
			text := fmt.Sprintf("still here %s %d", p.Name, f.did.Rests)
			s, err := p.TrySend(id, text)
			if f.rooms[id].direct && isCode(err, wire.NotFound) && f.alone(p, here) {
				continue // nobody answered, and this device does not know where to ask again
			}
			if err != nil || s.State != core.StateSent {
				f.w.T.Errorf("%s cannot write in the end in %.6s: %v %s", p.Name, id, err, s.State)
				continue
			}
			f.did.Sent++
			for _, o := range here {
				if o == p || f.rooms[id].short && o.Skew != p.Skew {
					continue // over before it is there, by the other's clock
				}
				f.did.Demanded++
				if _, ok := o.TryAwait(Patience, func(e core.Event) bool {
					return e.Type == core.EventMessage && e.Text == text && e.Room == id
				}); !ok {
					f.w.T.Errorf("%s does not get the last message of %s in %.6s", o.Name, p.Name, id)
				}
			}
		}
	}
}

// alone: all who are there are one person's devices.
func (f *fuzz) alone(p *soul, here []*soul) bool {
	return !slices.ContainsFunc(here, func(o *soul) bool { return o.handle != p.handle })
}

// ids are the conversations in the order of their names.
func (f *fuzz) ids() (ids []string) {
	for id := range f.rooms {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
