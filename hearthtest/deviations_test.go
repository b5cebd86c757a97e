package hearthtest

import (
	"slices"
	"strings"
	"testing"

	"hearth/core"
	"hearth/wire"
)

// A deviation is one way in which a server, the network or a stranger departs
// from the protocol. Its run asserts that the departure is noticed or has no
// effect. The edits take out what stops it; TestEveryCheckMatters sees it
// succeed then.
type deviation struct {
	name  string
	run   func(st *stage)
	edits []edit
}

// edit changes one place in our code; old stands there exactly once.
type edit struct{ file, old, new string }

// stage is where deviations play: alice, bob and carol, a direct conversation
// of alice and bob, and a group of all three that alice owns.
type stage struct {
	*World
	alice, bob, carol *Person
	pair, group       string
	safety            string
}

func newStage(w *World) *stage {
	st := &stage{World: w, alice: w.Person("alice"), bob: w.Person("bob"), carol: w.Person("carol")}
	st.pair = st.alice.Befriend(st.bob)
	st.group = st.alice.Group("kitchen", st.bob, st.carol)
	for _, p := range []*Person{st.alice, st.bob, st.carol} {
		p.Send(st.group, p.Name+" is here")
	}
	for _, p := range []*Person{st.alice, st.bob, st.carol} {
		p.Seen()
	}
	st.safety = st.safetyOf(st.alice, "bob")
	return st
}

func (st *stage) safetyOf(p *Person, who string) string {
	st.T.Helper()
	s, err := p.Client.Safety(p.patience(), who)
	if err != nil {
		st.T.Fatalf("safety number: %v", err)
	}
	return s.Safety
}

// sound asserts what no deviation may ever change: who is in the group, for
// everybody, and the safety number.
func (st *stage) sound() {
	st.T.Helper()
	for _, p := range []*Person{st.alice, st.bob, st.carol} {
		if n := len(p.Members(st.group)); n != 3 {
			st.T.Errorf("%s lists %d members, want 3", p.Name, n)
		}
	}
	if got := st.safetyOf(st.alice, "bob"); got != st.safety {
		st.T.Error("the safety number of alice and bob changed")
	}
}

// notice waits for a notice with one of these codes, unless there was one.
func (p *Person) notice(codes ...string) {
	p.w.T.Helper()
	p.read = 0
	p.Await("a notice "+strings.Join(codes, " or "), func(e core.Event) bool {
		return e.Type == core.EventNotice && slices.Contains(codes, e.Code)
	})
}

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
func allDeviations() []deviation {
	var all []deviation
	for _, list := range [][]deviation{logDeviations, seatDeviations, peopleDeviations} {
		all = append(all, list...)
	}
	return all
}

func TestDeviations(t *testing.T) {
	for _, d := range allDeviations() {
		t.Run(strings.ReplaceAll(d.name, " ", "_"), func(t *testing.T) {
			Run(t, func(w *World) {
				st := newStage(w)
				d.run(st)
				st.sound()
			})
		})
	}
}
