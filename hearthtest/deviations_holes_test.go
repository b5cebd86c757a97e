package hearthtest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/core"
	"hearth/server"
	"hearth/wire"
)

// holeOver states holes in the place of the next n posts that a person is sent in
// a room that others read too.
func (w *World) holeOver(p *Person, n int, early bool) {
	w.Net.Tamper(func(l *Link, d Direction, f wire.Frame) []wire.Frame {
		var e wire.Entry
		if d != ToClient || l.Person != p.Name || n == 0 || f.Op != wire.OpEntry ||
			wire.Decode(f.Body, &e) != nil || e.Kind != wire.KindPost || !w.sharedRoom(l, e.Handle) {
			return []wire.Frame{f}
		}
		n--
		return []wire.Frame{{Op: wire.OpHole, Body: wire.Encode(wire.Hole{Handle: e.Handle, From: e.Number, To: e.Number, Early: early})}}
	})
}

// sharedRoom reports whether somebody else has opened a seat in a room, too: the
// self room is nobody else's.
func (w *World) sharedRoom(l *Link, handle uint32) bool {
	seat, ok := l.Seat(handle)
	for _, other := range w.Net.Links() {
		other.mu.Lock()
		for _, o := range other.open {
			if ok && other.Person != l.Person && o.Room == seat.Room {
				other.mu.Unlock()
				return true
			}
		}
		other.mu.Unlock()
	}
	return false
}

// sendFor sends what ends after a while.
func (p *Person) sendFor(to, text string, d time.Duration) {
	p.w.T.Helper()
	ctx, cancel := context.WithTimeout(p.w.ctx, 10*time.Second)
	defer cancel()
	if _, err := p.Client.Send(ctx, core.SendOptions{To: to, Text: text, Expire: d}); err != nil {
		p.w.T.Fatalf("%s sends to %s: %v", p.Name, to, err)
	}
}

// saysNothing fails if a person was given a notice with one of these codes.
func (p *Person) saysNothing(codes ...string) {
	p.w.T.Helper()
	for _, e := range p.Seen() {
		if e.Type == core.EventNotice && slices.Contains(codes, e.Code) {
			p.w.T.Errorf("%s is told %s: %s", p.Name, e.Code, e.Text)
		}
	}
}

// endsCheck takes out that a hole is measured by when the message had to end.
var endsCheck = Edit{"core/holes.go", "case ends > stated+r.HoleAhead:", "case false:"}

// What a server can do with holes, to hide what was said (decision 0025), and what
// an honest one does, which must not look like it.
var holeDeviations = []Deviation{
	{"a hole stated over a message", func(st *Stage) {
		st.holeOver(st.Bob, 1, false)
		st.Alice.Send(st.Pair, "hidden")
		st.Alice.Send(st.Pair, afterIt)
		st.Bob.Expect(afterIt)
		st.Bob.Notice(core.NoticeWithheld)
	}, []Edit{endsCheck}},

	{"a hole stated over a message for who was away", func(st *Stage) {
		st.Sleep(time.Hour) // leaves are renewed after joining: posts by themselves
		st.Bob.Stop()
		st.Alice.sendFor(st.Pair, "hidden", 2*day)
		st.Sleep(day)
		st.Alice.Send(st.Pair, afterIt)
		st.holeOver(st.Bob, 1, false)
		st.Bob.Restart()
		st.Bob.Expect(afterIt)
		st.Bob.Notice(core.NoticeWithheld)
	}, []Edit{endsCheck}},

	{"a hole stated over a run behind messages that had ended", func(st *Stage) {
		st.Sleep(time.Hour)
		st.Bob.Stop()
		st.Alice.sendFor(st.Pair, "ends", 10*time.Minute)
		st.Alice.sendFor(st.Pair, "ends too", 10*time.Minute)
		for range 3 {
			st.Alice.Send(st.Pair, "hidden")
		}
		st.Sleep(time.Hour)
		st.Alice.Send(st.Pair, afterIt)
		st.holeOver(st.Bob, 3, false)
		st.Bob.Restart()
		st.Bob.Expect(afterIt)
		st.Bob.Notice(core.NoticeWithheld)
	}, []Edit{endsCheck}},

	{"a hole and a limit lowered for it, to who reads", func(st *Stage) {
		// What is kept was accepted under another limit: the new one excuses nothing.
		st.Sleep(time.Hour)
		onAnswer(st.World, st.Bob, wire.OpHello, func(h *wire.Welcome) { h.Keep = 60 })
		st.Bob.Stop()
		st.Alice.Send(st.Pair, "hidden")
		st.Sleep(time.Hour)
		st.Alice.Send(st.Pair, afterIt)
		st.holeOver(st.Bob, 1, false)
		st.Bob.Restart()
		st.Bob.Expect(afterIt)
		st.Bob.Notice(core.NoticeKeepsLess)
		st.Bob.Notice(core.NoticeWithheld)
	}, []Edit{endsCheck}},

	{"a hole and a limit lowered for it, to who writes", func(st *Stage) {
		st.Sleep(time.Hour)
		onAnswer(st.World, st.Alice, wire.OpHello, func(h *wire.Welcome) { h.Keep = 60 })
		st.Bob.Stop()
		st.Alice.Restart()
		st.Alice.Send(st.Pair, "hidden")
		st.Alice.Notice(core.NoticeKeepsLess)
		st.Sleep(time.Hour)
		st.Alice.Send(st.Pair, afterIt)
		st.Bob.Restart()
		st.Bob.Expect(afterIt)
	}, []Edit{{"core/holes.go", "if before != 0 && keep < before {", "if false {"}}},

	{"a limit lowered on the connection for posts alone", func(st *Stage) {
		posts := map[*Link]bool{}
		greeted := 0
		st.Net.Tamper(func(l *Link, d Direction, f wire.Frame) []wire.Frame {
			var h wire.Welcome
			if l.Person != "alice" || d != ToClient || f.Op != wire.OpHello || wire.Decode(f.Body, &h) != nil {
				return []wire.Frame{f}
			}
			if greeted++; greeted > 1 { // the first is the seats'
				posts[l] = true
				h.Keep, f.Body = 60, nil
				f.Body = wire.Encode(h)
			}
			return []wire.Frame{f}
		})
		st.Alice.Restart()
		st.Sleep(time.Minute)
		st.Alice.Send(st.Pair, "hidden")
		if len(posts) == 0 {
			st.T.Fatal("alice's posts went over no connection of their own")
		}
		st.Alice.Notice(core.NoticeKeepsLess)
	}, []Edit{{"core/holes.go", "return s.serverKeeps(r, cv, keep)\n\t})", "return s.serverKeeps(r, cv, r.Keep)\n\t})"}}},

	{"a limit that is absurdly low from the first", func(st *Stage) {
		erin := st.Stranger("erin")
		onAnswer(st.World, erin, wire.OpHello, func(h *wire.Welcome) { h.Keep = 3600 })
		if _, err := erin.Client.Register(erin.Patience(), core.RegisterOptions{Name: "erin", Server: st.World.Server("home").URL}); err != nil {
			st.T.Fatal(err)
		}
		erin.Befriend(st.Bob)
		erin.Notice(core.NoticeKeepsLess)
	}, []Edit{{"core/holes.go", "if keep >= asked/10 {", "if true {"}}},

	{"a hole and a clock put forward for it, to who reads", func(st *Stage) {
		st.Sleep(time.Hour)
		onAnswer(st.World, st.Bob, wire.OpHello, func(h *wire.Welcome) { h.Now += int64(40 * day / time.Second) })
		st.Bob.Stop()
		st.Alice.Send(st.Pair, "hidden")
		st.Alice.Send(st.Pair, afterIt)
		st.holeOver(st.Bob, 1, false)
		st.Bob.Restart()
		st.Bob.Expect(afterIt)
		st.Bob.Notice(core.NoticeClocks)
	}, []Edit{{"core/holes.go", "case ends > stated:", "case false:"}}},

	{"a hole and a clock put back for it, to who writes", func(st *Stage) {
		onAnswer(st.World, st.Alice, wire.OpHello, func(h *wire.Welcome) { h.Now -= int64(40 * day / time.Second) })
		st.Bob.Stop()
		st.Alice.Restart()
		st.Alice.Send(st.Pair, "hidden")
		st.Alice.Send(st.Pair, afterIt)
		st.Alice.Notice(core.NoticeClocks)
		st.Bob.Restart()
		st.Bob.Expect(afterIt)
	}, []Edit{{"core/holes.go", "if ahead == 0 {\n\t\treturn nil", "if true {\n\t\treturn nil"}}},

	{"a hole for want of room", func(st *Stage) {
		st.holeOver(st.Bob, 1, true)
		st.Alice.Send(st.Pair, "hidden")
		st.Alice.Send(st.Pair, afterIt)
		st.Bob.Expect(afterIt)
		st.Bob.Notice(core.NoticeEarly)
	}, []Edit{{"core/holes.go", "return s.noticeOnce(r, cv, NoticeEarly,", "return nil\n\treturn s.noticeOnce(r, cv, NoticeEarly,"}}},

	{"honest: messages that end while a device is away", func(st *Stage) {
		st.Bob.Stop()
		st.Alice.Send(st.Pair, "lasts")
		st.Alice.sendFor(st.Pair, "ends", 10*time.Minute)
		st.Sleep(time.Hour)
		st.Alice.Send(st.Pair, afterIt)
		st.Bob.Restart()
		st.Bob.Expect("lasts")
		st.Bob.Expect(afterIt)
		st.Bob.ExpectNever("ends", 0)
		st.quiet(st.Bob)
	}, []Edit{{"core/holes.go", "stated := r.HoleAt + holeSlack", "stated := holeSlack"}}},

	{"honest: away for 40 days", func(st *Stage) {
		st.Sleep(time.Hour)
		st.Bob.Stop()
		st.Alice.Send(st.Pair, "ends on the thirtieth day")
		st.Sleep(39 * day)
		st.Alice.Send(st.Pair, afterIt)
		st.Sleep(day)
		st.Bob.Restart()
		st.Bob.Expect(afterIt)
		st.Bob.ExpectNever("ends on", 0)
		st.quiet(st.Bob)
	}, []Edit{{"core/holes.go", "stated := r.HoleAt + holeSlack", "stated := holeSlack"}}},

	{"honest: a limit lowered afterwards", func(st *Stage) {
		st.Bob.Stop()
		st.Alice.Send(st.Pair, "under the old limit")
		st.restartHome(func(c *server.Config) { c.Keep = day })
		st.Alice.Send(st.Pair, "ends with the new limit")
		st.Sleep(3 * day)
		st.Alice.Send(st.Pair, afterIt)
		st.Bob.Restart()
		st.Bob.Expect("under the old limit") // a server keeps what it has accepted
		st.Bob.Expect(afterIt)
		st.Bob.ExpectNever("ends with", 0)
		st.Bob.saysNothing(core.NoticeWithheld, core.NoticeClocks)
		for _, p := range []*Person{st.Alice, st.Bob} {
			p.Notice(core.NoticeKeepsLess)
		}
	}, []Edit{{"core/holes.go", "min(ttlLeft(until, now), keep)", "min(ttlLeft(until, now), max(keep, 1<<31))"}}},

	{"honest: a clock that is 30 days slow reads", func(st *Stage) { wrongClock(st, st.Bob, -30*day) },
		[]Edit{{"core/lane/terms.go", "return then", "return 0"}}},

	{"honest: a clock that is 30 days fast writes", func(st *Stage) { wrongClock(st, st.Alice, 30*day) },
		[]Edit{{"core/lane/terms.go", "return then", "return 0"}}},

	{"honest: a device far behind in a full room", func(st *Stage) {
		st.Sleep(time.Hour)
		st.Bob.Stop()
		st.restartHome(func(c *server.Config) { c.Store.RoomBytes = 40_000 })
		for range 25 {
			st.Alice.Send(st.Pair, strings.Repeat("much ", 60))
			st.Sleep(time.Minute)
		}
		st.Sleep(9 * day)
		st.Alice.Send(st.Pair, afterIt)
		st.Bob.Restart()
		st.Bob.Expect(afterIt)
		st.Bob.Notice(core.NoticeEarly)
		st.quiet(st.Bob)
	}, []Edit{{"core/holes.go", "case r.Early > l.Holes:", "case false:"}}},

	{"honest: a message that ends before it leaves", func(st *Stage) {
		remove := st.Net.Tamper(func(l *Link, d Direction, f wire.Frame) []wire.Frame {
			if l.Person == "alice" && f.Op == wire.OpRoomPost {
				return nil
			}
			return []wire.Frame{f}
		})
		st.Alice.sendFor(st.Pair, "too late", 5*time.Minute)
		st.Sleep(10 * time.Minute)
		remove()
		st.Sleep(time.Hour)
		st.Alice.Send(st.Pair, afterIt)
		st.Bob.Expect(afterIt)
		st.quiet(st.Bob)
	}, []Edit{{"core/outbox.go", "s.putRow(id, s.c.void(w))", "_ = id"}}},
}

// quiet says that nothing was wrong with a log.
func (st *Stage) quiet(p *Person) {
	st.T.Helper()
	p.saysNothing(core.NoticeWithheld, core.NoticeForked, core.NoticeReordered, core.NoticeClocks, core.NoticeKeepsLess, core.NoticeOutOfStep)
}

// restartHome starts the server again under another configuration.
func (st *Stage) restartHome(change func(*server.Config)) {
	home := st.Server("home")
	home.Stop()
	home.Config(change)
	home.Start()
}

// wrongClock has a clock go wrong while bob is away and a message ends.
func wrongClock(st *Stage, p *Person, skew time.Duration) {
	st.T.Helper()
	st.Bob.Stop()
	if p.Skew = skew; p != st.Bob {
		p.Restart()
	}
	st.Alice.Send(st.Pair, "lasts")
	st.Alice.sendFor(st.Pair, "ends", 10*time.Minute)
	st.Sleep(day)
	st.Alice.Send(st.Pair, afterIt)
	st.Bob.Restart()
	st.Bob.Await("the end of the log", func(e core.Event) bool { return e.Text == afterIt })
	st.Bob.saysNothing(core.NoticeWithheld)
	p.Notice(core.NoticeClocks)
}

// TestHonestHolesAreSilent: cases in which no single check of ours stands between
// an honest server and a false alarm.
func TestHonestHolesAreSilent(t *testing.T) {
	type story struct {
		name string
		tell func(st *Stage)
	}
	for _, s := range some(t, 2, []story{
		// A day less than 30: what was said longer ago than the timer is long has
		// ended before it comes.
		{"a clock that is 29 days slow writes", func(st *Stage) { wrongClock(st, st.Alice, -29*day) }},
		{"a clock that is 29 days fast reads", func(st *Stage) { wrongClock(st, st.Bob, 29*day) }},
		{"a clock that is set right while connected", func(st *Stage) {
			st.Bob.Stop()
			wrong := true
			st.Alice.Clock = func() time.Time {
				if wrong {
					return time.Now().Add(-30 * day)
				}
				return time.Now()
			}
			st.Alice.Restart()
			st.Sleep(time.Second)
			wrong = false
			st.Alice.sendFor(st.Pair, "ends", 10*time.Minute)
			st.Sleep(time.Hour)
			st.Alice.Send(st.Pair, afterIt)
			st.Bob.Restart()
			st.Bob.Expect(afterIt)
			st.quiet(st.Bob)
			st.quiet(st.Alice)
		}},
		{"receipts that end while a device is away", func(st *Stage) {
			for _, p := range st.everybody() {
				p.Receipts(true)
			}
			st.Sleep(time.Hour)
			st.Bob.Stop()
			for range 4 {
				st.Alice.Send(st.Group, "from alice")
				st.Carol.Expect("from alice")
				st.Carol.Send(st.Group, "from carol")
				st.Alice.Expect("from carol")
				st.Sleep(36 * time.Hour)
			}
			st.Sleep(4 * day)
			st.Carol.Send(st.Group, afterIt)
			st.Alice.Send(st.Group, afterIt)
			st.Sleep(time.Hour)
			st.Bob.Restart()
			st.Bob.Expect(afterIt)
			st.Bob.Expect(afterIt)
			st.Alice.Send(st.Group, "the last")
			st.Bob.Expect("the last")
			st.quiet(st.Bob)
		}},
	}) {
		t.Run(s.name, func(t *testing.T) {
			Run(t, func(w *World) {
				st := newStage(w)
				s.tell(st)
				st.Sound()
			})
		})
	}
}
