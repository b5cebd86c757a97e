package hearthtest

import (
	"math/rand/v2"
	"sync"
	"time"

	"hearth/wire"
)

// The evil server of a fuzzed world: for a while it drops, repeats, delays and
// swaps frames, or keeps all news from somebody. What it took is on its disk all
// the same, so that in the end everybody has everything.

// malice is how a server treats frames, in hundredths.
type malice struct {
	drop, twice, late, swap int
	withheld                string // a person who is told no news

	over chan struct{}

	mu   sync.Mutex
	rng  *rand.Rand
	kept map[*Link]*wire.Frame // one frame a link that waits to be overtaken
}

// turnEvil lets a server be evil for some rounds.
func (f *fuzz) turnEvil(p *soul) {
	if f.evil != nil {
		return
	}
	m := &malice{rng: rand.New(rand.NewPCG(f.rng.Uint64(), 0)), over: make(chan struct{}), kept: map[*Link]*wire.Frame{}}
	what := ""
	switch f.rng.IntN(6) {
	case 0:
		m.drop, what = 1+f.rng.IntN(5), "drops"
	case 1:
		m.twice, what = 1+f.rng.IntN(30), "repeats"
	case 2:
		m.late, what = 1+f.rng.IntN(10), "delays"
	case 3:
		m.swap, what = 1+f.rng.IntN(10), "swaps"
	case 4:
		m.withheld, what = p.Name, "withholds"
	default:
		m.drop, m.twice, m.late, m.swap, what = f.rng.IntN(3), f.rng.IntN(10), f.rng.IntN(5), f.rng.IntN(5), "does all"
	}
	f.tell(p, "", "the servers turn evil: %s", what)
	f.did.EvilServers++
	f.did.deed("server "+what, 1)
	remove := f.w.Net.Tamper(func(l *Link, d Direction, fr wire.Frame) []wire.Frame { return m.treat(f.w, l, d, fr) })
	f.evil = func() {
		remove()
		close(m.over)
		f.cut("") // what was withheld comes with the next connection
	}
}

// endEvil ends what the servers do.
func (f *fuzz) endEvil() {
	if f.evil != nil {
		f.evil()
		f.evil = nil
	}
}

func (m *malice) treat(w *World, l *Link, d Direction, f wire.Frame) (out []wire.Frame) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.withheld == l.Person && d == ToClient && f.Op == wire.OpEntry {
		return nil
	}
	if was := m.kept[l]; was != nil {
		delete(m.kept, l)
		return []wire.Frame{f, *was}
	}
	switch n := m.rng.IntN(100); {
	case n < m.drop:
		return nil
	case n < m.drop+m.twice:
		return []wire.Frame{f, f}
	case n < m.drop+m.twice+m.swap && d == ToClient:
		m.kept[l] = &f
		return nil
	case n < m.drop+m.twice+m.swap+m.late:
		after := time.Duration(m.rng.Int64N(int64(20 * time.Second)))
		w.tasks.Go(func() {
			select {
			case <-time.After(after):
				l.Send(w.ctx, d, f)
			case <-m.over:
			case <-w.ctx.Done():
			}
		})
		return nil
	}
	return []wire.Frame{f}
}
