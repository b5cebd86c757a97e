package hearthtest

import (
	"time"

	"hearth/core"
	"hearth/core/vault/vaulttest"
)

// What the model of a fuzzed world knows for sure of people and conversations.

// soul is a device of a person, as the model sees it.
type soul struct {
	*Person
	handle  string // the person's, in full
	offline bool
	apart   time.Time      // when it last had no connection, for sure
	talks   int            // messages so far, to number them
	heard   map[string]int // by text, what was read until the last rest
	// copied is the home as it was once, restored says that it came back, or that
	// its leaf was used by somebody else, since the last rest.
	copied   *vaulttest.Memory
	key      *vaulttest.Key
	restored bool
	// sure: what ended before may never come.
	sure      time.Time
	leaving   bool // it is being revoked
	revokedAt time.Time
}

// place is a conversation.
type place struct {
	id     string
	direct bool
	// short: its timer was a day once, so that what is not read soon may be gone.
	short bool
	stays map[*soul]*stay
	// maybe is until when an invitation of a person may still land, for whoever
	// was ever invited.
	maybe map[string]time.Time
	// removing are those whose removal may go on by itself until the next rest.
	removing map[string]bool
	// declined are those who declined an invitation: what was said to them before
	// is said again when they write first, behind what came with a later invitation.
	declined map[string]bool
}

// stay is what is known for sure of a device's place in a conversation: between
// in and out it is in, between gone and back it is not.
type stay struct {
	in, out    time.Time // zero: not known
	gone, back time.Time
}

// saying is a message that somebody sent.
type saying struct {
	by         *soul
	in         *place
	text       string
	began, end time.Time // of the call; end only if it was acknowledged
	sent       bool
	queued     bool
	short      bool
	missed     []*soul // who was offline then
}

func (f *fuzz) locked(do func()) {
	f.w.Net.mu.Lock() // any lock will do; it is held for a moment
	defer f.w.Net.mu.Unlock()
	do()
}

// found notes a conversation that somebody began, and who is invited.
func (f *fuzz) found(room string, direct bool, by *soul, invited ...string) {
	f.locked(func() {
		if f.rooms[room] == nil {
			f.rooms[room] = &place{id: room, direct: direct, stays: map[*soul]*stay{},
				maybe: map[string]time.Time{}, removing: map[string]bool{}, declined: map[string]bool{}}
			f.did.Founded++
		}
		for _, handle := range append(invited, by.handle) {
			f.rooms[room].maybe[handle] = time.Now().Add(invitation)
		}
	})
	f.enters(room, by)
}

func (f *fuzz) known(room string) (ok bool) {
	f.locked(func() { ok = f.rooms[room] != nil })
	return ok
}

// enters notes that a device is in, by its own list of conversations.
func (f *fuzz) enters(room string, p *soul) {
	rooms, err := p.Client.Rooms(p.Patience())
	if err != nil {
		return
	}
	for _, r := range rooms {
		if r.Room != room || r.State != core.RoomOK || p.leaving {
			continue
		}
		f.locked(func() {
			s := f.rooms[room].stay(p)
			if s.in.IsZero() || !s.out.IsZero() {
				*s = stay{in: time.Now()}
			}
			if f.rooms[room].removing[p.handle] {
				s.out = time.Now()
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

// leaves notes that it is not sure any more that a person is a member.
func (f *fuzz) leaves(in *place, handle string) {
	f.locked(func() {
		for _, p := range f.souls {
			if p.handle == handle {
				in.doubt(p)
			}
		}
	})
}

func (in *place) doubt(p *soul) {
	if s := in.stay(p); s.out.IsZero() {
		s.out = time.Now()
	}
}

// doubt notes that a device may not get everything in a conversation from now
// on, until the world was at rest.
func (f *fuzz) doubt(in *place, p *soul) { f.locked(func() { in.doubt(p) }) }

// unsure notes that a device may not get everything for a while, nor what was
// sent before.
func (f *fuzz) unsure(p *soul) {
	f.locked(func() {
		for _, in := range f.rooms {
			if in.stays[p] != nil {
				in.doubt(p)
			}
		}
		p.sure = time.Now()
	})
}

// invitation is how long an invitation may take to be answered.
const invitation = 62 * day

// mayCome notes that it is not sure any more that a person is no member.
func (f *fuzz) mayCome(in *place, handle string) {
	f.locked(func() {
		in.maybe[handle] = time.Now().Add(invitation)
		for _, p := range f.souls {
			if p.handle != handle {
				continue
			}
			if s := in.stay(p); s.back.IsZero() {
				s.back = time.Now()
			}
		}
	})
}

// settled is what a rest shows: who is in step with the others is in, and whoever
// no member list names, and no invitation can bring back, is not.
func (f *fuzz) settled(views map[*soul][]core.Room) {
	for _, in := range f.rooms {
		clear(in.removing)
		members, seen := map[string]bool{}, false
		here := map[*soul]bool{}
		for p, rooms := range views {
			for _, r := range rooms {
				if r.Room != in.id || r.State != core.RoomOK {
					continue
				}
				seen, here[p] = true, true
				for _, m := range r.Members {
					members[m.Account] = true
				}
			}
		}
		for _, p := range f.souls {
			me, err := p.Client.Whoami()
			switch {
			case here[p]:
				in.stays[p] = &stay{in: time.Now()}
			case err == nil && seen && !members[me.Account] && time.Now().After(in.maybe[p.handle]) && !in.direct:
				in.stays[p] = &stay{gone: time.Now()}
			default:
				in.stays[p] = &stay{}
			}
		}
	}
}
