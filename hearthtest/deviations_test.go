package hearthtest

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"hearth/wire"
)

// onEntry rewrites the entries of a kind that a person is sent.
func (w *World) onEntry(p *Person, k wire.Kind, f func(e wire.Entry) []wire.Entry) (remove func()) {
	return w.Net.Tamper(func(l *Link, d Direction, fr wire.Frame) []wire.Frame {
		var e wire.Entry
		if d != ToClient || l.Person != p.Name || fr.Op != wire.OpEntry || wire.Decode(fr.Body, &e) != nil || e.Kind != k {
			return []wire.Frame{fr}
		}
		var out []wire.Frame
		for _, e := range f(e) {
			out = append(out, wire.Frame{Op: wire.OpEntry, Body: wire.Encode(e)})
		}
		return out
	})
}

// renumber shifts the numbers of all that a person is sent in rooms, so that a
// server can put an entry in (shift 1) or leave one out (shift -1) without a
// gap. It follows from the first call of the returned function for a handle.
func (w *World) renumber(p *Person) (shift func(handle uint32, after wire.Number, by int)) {
	type place struct {
		link   *Link
		handle uint32
	}
	type move struct {
		after wire.Number
		by    int
	}
	moves := map[uint32]move{}
	w.Net.Tamper(func(l *Link, d Direction, f wire.Frame) []wire.Frame {
		if l.Person != p.Name {
			return []wire.Frame{f}
		}
		var e wire.Entry
		if d == ToClient && f.Op == wire.OpEntry && wire.Decode(f.Body, &e) == nil {
			if m, ok := moves[e.Handle]; ok && e.Number > m.after {
				e.Number = wire.Number(int(e.Number) + m.by)
				f.Body = wire.Encode(e)
			}
		}
		return []wire.Frame{f}
	})
	return func(handle uint32, after wire.Number, by int) { moves[handle] = move{after, by} }
}

// onAnswer rewrites the answers to a person's requests of one op.
func onAnswer[T any](w *World, p *Person, op wire.Op, f func(*T)) (remove func()) {
	return w.Net.Tamper(func(l *Link, d Direction, fr wire.Frame) []wire.Frame {
		var body T
		if d != ToClient || l.Person != p.Name || fr.Op != op || wire.Decode(fr.Body, &body) != nil {
			return []wire.Frame{fr}
		}
		f(&body)
		fr.Body = wire.Encode(body)
		return []wire.Frame{fr}
	})
}

// onRequest rewrites a person's requests of one op on their way.
func onRequest[T any](w *World, p *Person, op wire.Op, f func(*T)) (remove func()) {
	return w.Net.Tamper(func(l *Link, d Direction, fr wire.Frame) []wire.Frame {
		var body T
		if d != ToServer || l.Person != p.Name || fr.Op != op || wire.Decode(fr.Body, &body) != nil {
			return []wire.Frame{fr}
		}
		f(&body)
		fr.Body = wire.Encode(body)
		return []wire.Frame{fr}
	})
}

// refuse answers a person's requests of one op with an error, in the server's
// place, and counts them.
func (w *World) refuse(p *Person, op wire.Op, e *wire.Error) (count *int, remove func()) {
	count = new(int)
	remove = w.Net.Tamper(func(l *Link, d Direction, fr wire.Frame) []wire.Frame {
		if d != ToServer || l.Person != p.Name || fr.Op != op {
			return []wire.Frame{fr}
		}
		*count++
		l.Send(w.ctx, ToClient, wire.Frame{Op: wire.OpError, ID: fr.ID, Body: wire.Encode(e)})
		return nil
	})
	return count, remove
}

// count returns how often a text stands among a person's messages.
func count(texts []string, text string) (n int) {
	for _, t := range texts {
		if t == text {
			n++
		}
	}
	return n
}

// allDeviations gathers the files' lists.
func allDeviations() []Deviation {
	var all []Deviation
	for _, list := range [][]Deviation{logDeviations, holeDeviations, seatDeviations, peopleDeviations} {
		all = append(all, list...)
	}
	return all
}

func TestDeviations(t *testing.T) {
	for _, list := range [][]Deviation{logDeviations, some(t, 6, holeDeviations), seatDeviations, peopleDeviations} {
		Play(t, list)
	}
}

// some picks n of a list, all of it with HEARTH_FULL.
func some[T any](t *testing.T, n int, list []T) []T {
	if os.Getenv("HEARTH_FULL") != "" {
		return list
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	list = slices.Clone(list)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:n]
}

func TestSealedDeviations(t *testing.T) { Play(t, sealedDeviations) }
