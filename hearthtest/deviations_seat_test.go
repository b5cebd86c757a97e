package hearthtest

import (
	"hearth/core"
	"hearth/wire"
)

// What a server can do to seats, and with what it answers.
var seatDeviations = []deviation{
	{"a seat put in beside a new member", func(st *stage) {
		dave := st.Person("dave")
		st.onEntry(st.bob, wire.KindCommit, func(e wire.Entry) []wire.Entry {
			e.Add = append(e.Add, wire.NewSeatID(1))
			return []wire.Entry{e}
		})
		if _, err := st.alice.Client.GroupAdd(st.alice.patience(), st.group, []string{"dave"}); err != nil {
			st.T.Fatal(err)
		}
		st.bob.notice(core.NoticeSeats)
		if _, err := st.alice.Client.GroupRemove(st.alice.patience(), st.group, []string{"dave"}); err != nil {
			st.T.Fatal(err)
		}
		st.Sleep(Patience)
		_ = dave
	}, []edit{{"core/commit.go", "if len(ch.Added) != len(e.Add) || len(ch.Removed) != len(e.Remove) {", "if false {"}}},

	{"a seat put into our own change", func(st *stage) {
		onRequest(st.World, st.alice, wire.OpRoomCommit, func(c *wire.RoomCommit) {
			s := wire.NewSecret()
			c.Add = append(c.Add, wire.NewSeat{ID: wire.NewSeatID(1), Hash: s.Hash()})
		})
		name := "pantry"
		if _, err := st.alice.Client.GroupSet(st.alice.patience(), st.group, core.GroupSettings{Name: &name}); err != nil {
			st.T.Fatal(err)
		}
		st.alice.notice(core.NoticeSeats)
	}, []edit{{"core/commit.go", "if !same {\n\t\tif err := s.notice(cv, NoticeSeats", "if false {\n\t\tif err := s.notice(cv, NoticeSeats"}}},

	{"a removed member keeps its seat", func(st *stage) {
		onRequest(st.World, st.alice, wire.OpRoomCommit, func(c *wire.RoomCommit) { c.Remove = nil })
		dave := st.Person("dave")
		if _, err := st.alice.Client.GroupAdd(st.alice.patience(), st.group, []string{"dave"}); err != nil {
			st.T.Fatal(err)
		}
		dave.Accept()
		dave.Send(st.group, "dave is here")
		st.bob.Expect("dave is here")
		if _, err := st.alice.Client.GroupRemove(st.alice.patience(), st.group, []string{"dave"}); err != nil {
			st.T.Fatal(err)
		}
		st.bob.notice(core.NoticeSeats)
		st.alice.Send(st.group, "without dave")
		st.bob.Expect("without dave")
		dave.ExpectNever("without dave", Patience)
	}, []edit{{"core/commit.go", "if len(ch.Added) != len(e.Add) || len(ch.Removed) != len(e.Remove) {", "if false {"}}},

	{"the log's head goes back", func(st *stage) {
		st.alice.Send(st.pair, "before it")
		st.bob.Expect("before it")
		onAnswer(st.World, st.bob, wire.OpSeatOpen, func(o *wire.SeatOpened) {
			if o.Head > 2 {
				o.Head = 2
			}
		})
		st.bob.Restart()
		st.bob.notice(core.NoticeRolledBack)
	}, []edit{{"core/inbox.go", "case o.Head < r.Read:", "case false:"}}},

	{"a seat called lapsed", func(st *stage) {
		onAnswer(st.World, st.bob, wire.OpSeatOpen, func(o *wire.SeatOpened) { o.Lapsed = true })
		st.bob.Restart()
		st.bob.notice(core.NoticeOutOfStep)
	}, []edit{{"core/inbox.go", "case o.Lapsed, o.Cursor > r.Read:", "case false:"}}},

	{"a seat that does not open any more", func(st *stage) {
		st.bob.Stop()
		_, remove := st.refuse(st.bob, wire.OpSeatOpen, wire.ErrDenied)
		defer remove()
		if err := st.bob.Start(); err != nil {
			st.T.Fatal(err)
		}
		st.bob.notice(core.NoticeSeatLost)
	}, []edit{{"core/inbox.go", "return s.outOfStep(r, cv, NoticeSeatLost", "return nil\n\t\treturn s.outOfStep(r, cv, NoticeSeatLost"}}},

	{"a room called gone", func(st *stage) {
		st.bob.Stop()
		_, remove := st.refuse(st.bob, wire.OpSeatOpen, wire.ErrGone)
		defer remove()
		if err := st.bob.Start(); err != nil {
			st.T.Fatal(err)
		}
		st.bob.notice(core.NoticeSeatLost)
	}, []edit{{"core/inbox.go", "return s.outOfStep(r, cv, NoticeSeatLost", "return nil\n\t\treturn s.outOfStep(r, cv, NoticeSeatLost"}}},

	{"every post called stale", func(st *stage) {
		n, remove := st.refuse(st.alice, wire.OpRoomPost, wire.ErrStale)
		sent, err := st.alice.TrySend(st.pair, "patient")
		if err != nil || sent.State != core.StateQueued {
			st.T.Errorf("got %v, %v, want queued", sent.State, err)
		}
		st.Sleep(Patience)
		if *n > 200 {
			st.T.Errorf("alice asked %d times in two minutes", *n)
		}
		remove()
		st.bob.Expect("patient")
	}, []edit{{"core/sender.go", "wait = max(wait, retry/2+rand.N(retry))", "wait = 0"}}},

	{"a post taken and dropped", func(st *stage) {
		remove := st.Net.Tamper(func(l *Link, d Direction, f wire.Frame) []wire.Frame {
			if d != ToServer || l.Person != "alice" || f.Op != wire.OpRoomPost {
				return []wire.Frame{f}
			}
			l.Send(st.ctx, ToClient, wire.Frame{Op: f.Op, ID: f.ID, Body: wire.Encode(wire.Appended{Number: 99, Epoch: 1})})
			return nil
		})
		sent, err := st.alice.TrySend(st.pair, "swallowed")
		if err != nil || sent.State != core.StateQueued {
			st.T.Errorf("got %v, %v, want queued", sent.State, err)
		}
		remove()
		st.bob.Expect("swallowed")
	}, nil},
}
