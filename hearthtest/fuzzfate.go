package hearthtest

import (
	"slices"
	"time"

	"hearth/core/vault/vaulttest"
)

// What happens to people in a fuzzed world.

// happen lets the world have its way with somebody, and time pass.
func (f *fuzz) happen() {
	f.collect() // before what was read can end
	if f.evil != nil && f.rng.IntN(4) == 0 {
		f.endEvil()
	}
	p := f.souls[f.rng.IntN(len(f.souls))]
	switch n := f.rng.IntN(100); {
	case f.without(n):
	case n < 6:
		f.tell(p, "", "crashes")
		p.Crash()
		f.start(p)
		f.did.Crashes++
	case n < 10:
		f.tell(p, "", "restarts")
		p.Stop()
		f.start(p)
		f.did.Restarts++
	case n < 22:
		f.tell(p, "", "offline: %v", !p.offline)
		if p.offline = !p.offline; p.offline {
			f.w.Net.Offline(p.Name)
			f.did.Offline++
		} else {
			f.w.Net.Online(p.Name)
			p.apart = time.Now()
		}
	case n < 25:
		s := f.server()
		f.tell(p, "", "%s stops", s.URL)
		s.Stop()
		f.w.Sleep(f.span(time.Hour))
		s.Start()
		f.tell(p, "", "%s starts", s.URL)
		for _, o := range f.souls {
			o.apart = time.Now()
		}
		f.did.Outages++
	case n < 32:
		p.Stop()
		p.copied, p.key = p.Disk.Copy(), p.Key.Copy()
		f.start(p)
	case n < 34:
		if p.copied == nil {
			break
		}
		f.tell(p, "", "is restored from a copy")
		f.unsure(p)
		p.Stop()
		p.Disk, p.Key, p.copied, p.restored = p.copied, p.key, nil, true
		f.start(p)
		f.did.Restored++
	case n < 35:
		f.tell(p, "", "is away for more than a month")
		f.endEvil() // what is withheld for so long has ended
		f.w.Sleep(time.Hour)
		for _, o := range f.souls {
			if o == p || o.offline {
				f.unsure(o)
			}
		}
		for _, m := range f.said {
			m.queued = false // it may have ended before it could go
		}
		f.w.Net.Offline(p.Name)
		f.w.Sleep(31*day + f.span(10*day))
		if !p.offline {
			f.w.Net.Online(p.Name)
			p.apart = time.Now()
		}
		f.did.Absences++
	case n < 39:
		f.cut(p.Name)
		p.apart = time.Now()
		f.did.Cut++
	case n < 43:
		p.Skew = []time.Duration{0, time.Minute, -time.Minute, time.Hour, -time.Hour, day / 2, -day / 2}[f.rng.IntN(7)]
		f.tell(p, "", "has a clock that is %v ahead", p.Skew)
		p.Stop()
		f.start(p)
		f.did.ClockJumps++
	case n < 48:
		p.Stop()
		p.Faults = &vaulttest.Faults{At: 1 + f.rng.IntN(150), Kept: f.rng.IntN(2) == 0, Kill: f.rng.IntN(3) == 0}
		f.tell(p, "", "has a disk that fails at step %d (kept %v, kills %v)", p.Faults.At, p.Faults.Kept, p.Faults.Kill)
		if err := p.Start(); err != nil {
			f.did.DiskFaults++
			p.Faults = nil
			f.start(p)
		}
	case n < 54:
		f.turnEvil(p)
	case n < 57:
		f.betray(p)
	}
	switch f.rng.IntN(10) {
	case 0:
		f.w.Sleep(f.span(day))
	case 1, 2:
		f.w.Sleep(f.span(time.Hour))
	default:
		f.w.Sleep(f.span(time.Minute))
	}
}

// revive starts whoever a failing disk has killed, on a disk that works.
func (f *fuzz) revive() {
	for _, p := range f.souls {
		if p.Faults == nil || !p.Faults.Failed() {
			continue
		}
		f.did.DiskFaults++
		p.restored = true // what it was giving out it may give out again
		if p.Faults.Kill {
			f.tell(p, "", "was killed by its disk")
			p.Crash()
			p.Faults = nil
			f.start(p)
			continue
		}
		f.tell(p, "", "had a fault of its disk")
		p.Faults = nil // the disk works again
	}
}

// betray has somebody turn on the others in a conversation.
func (f *fuzz) betray(p *soul) {
	if f.within == nil || p.offline || p.restored || p.Faults != nil || f.evil != nil {
		return
	}
	in := f.roomOf(p)
	if in == nil {
		return
	}
	f.collect()
	f.unsure(p)
	p.restored = true // its own client will find that its leaf was used
	for _, o := range f.souls {
		f.doubt(in, o)
	}
	deed, err := f.within.Betray(f.w, p.Person, in.id, f.rng)
	f.tell(p, in.id, "betrays the others: %s, %v", deed, err)
	f.did.EvilMembers++
	f.did.deed(deed, 1)
	f.w.Net.Online(p.Name)
}

// without reports whether what the world chose is a fate that nobody meets in it.
func (f *fuzz) without(n int) bool {
	for _, fate := range []struct {
		name     string
		from, to int
	}{
		{"crash", 0, 6}, {"restart", 6, 10}, {"offline", 10, 22}, {"outage", 22, 25}, {"restore", 25, 34}, {"absence", 34, 35},
		{"cut", 35, 39}, {"clock", 39, 43}, {"disk", 43, 48}, {"evilserver", 48, 54}, {"evilmember", 54, 57},
	} {
		if fate.from <= n && n < fate.to {
			return slices.Contains(f.spared, fate.name)
		}
	}
	return false
}

func (f *fuzz) span(most time.Duration) time.Duration {
	return time.Duration(f.rng.Int64N(int64(most)))
}

func (f *fuzz) start(p *soul) {
	f.w.T.Helper()
	p.Faults = nil
	if err := p.Start(); err != nil {
		f.w.T.Fatalf("%s does not start: %v", p.Name, err)
	}
}

func (f *fuzz) cut(person string) {
	for _, l := range f.w.Net.Links() {
		if l.Person == person || person == "" {
			l.Cut()
		}
	}
}

// collect takes everybody's events.
func (f *fuzz) collect() {
	for _, p := range f.souls {
		p.Seen()
	}
	for _, p := range f.revoked {
		p.Seen()
	}
}
