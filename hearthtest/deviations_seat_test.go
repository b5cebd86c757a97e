package hearthtest

import (
	"hearth/core"
	"hearth/wire"
)

// What a server can do to seats, and with what it answers.
var seatDeviations = []Deviation{
	{"a seat put in beside a new member", func(st *Stage) {
		dave := st.Person("dave")
		st.onEntry(st.Bob, wire.KindCommit, func(e wire.Entry) []wire.Entry {
			e.Add = append(e.Add, wire.NewSeatID(1))
			return []wire.Entry{e}
		})
		if _, err := st.Alice.Client.GroupAdd(st.Alice.Patience(), st.Group, []string{"dave"}); err != nil {
			st.T.Fatal(err)
		}
		st.Bob.Notice(core.NoticeSeats)
		if _, err := st.Alice.Client.GroupRemove(st.Alice.Patience(), st.Group, []string{"dave"}); err != nil {
			st.T.Fatal(err)
		}
		st.Sleep(Patience)
		_ = dave
	}, []Edit{{"core/commit.go", "if len(ch.Added) != len(e.Add) || len(ch.Removed) != len(e.Remove) {", "if len(ch.Added) > wire.MaxSeats {"}}},

	{"a seat put into our own change", func(st *Stage) {
		onRequest(st.World, st.Alice, wire.OpRoomCommit, func(c *wire.RoomCommit) {
			s := wire.NewSecret()
			c.Add = append(c.Add, wire.NewSeat{ID: wire.NewSeatID(1), Hash: s.Hash()})
		})
		name := "pantry"
		if _, err := st.Alice.Client.GroupSet(st.Alice.Patience(), st.Group, core.GroupSettings{Name: &name}); err != nil {
			st.T.Fatal(err)
		}
		st.Alice.Notice(core.NoticeSeats)
	}, []Edit{{"core/commit.go", "if !same {\n\t\tif err := s.notice(cv, NoticeSeats", "if false {\n\t\tif err := s.notice(cv, NoticeSeats"}}},

	{"a removed member keeps its seat", func(st *Stage) {
		onRequest(st.World, st.Alice, wire.OpRoomCommit, func(c *wire.RoomCommit) { c.Remove = nil })
		dave := st.Person("dave")
		if _, err := st.Alice.Client.GroupAdd(st.Alice.Patience(), st.Group, []string{"dave"}); err != nil {
			st.T.Fatal(err)
		}
		dave.Accept()
		dave.Send(st.Group, "dave is here")
		st.Bob.Expect("dave is here")
		if _, err := st.Alice.Client.GroupRemove(st.Alice.Patience(), st.Group, []string{"dave"}); err != nil {
			st.T.Fatal(err)
		}
		st.Bob.Notice(core.NoticeSeats)
		st.Alice.Send(st.Group, "without dave")
		st.Bob.Expect("without dave")
		dave.ExpectNever("without dave", Patience)
	}, []Edit{{"core/commit.go", "if len(ch.Added) != len(e.Add) || len(ch.Removed) != len(e.Remove) {", "if len(ch.Added) > wire.MaxSeats {"}}},

	{"the log's head goes back", func(st *Stage) {
		st.Alice.Send(st.Pair, "before it")
		st.Bob.Expect("before it")
		onAnswer(st.World, st.Bob, wire.OpSeatOpen, func(o *wire.SeatOpened) {
			if o.Head > 2 {
				o.Head = 2
			}
		})
		st.Bob.Restart()
		st.Bob.Notice(core.NoticeRolledBack)
	}, []Edit{{"core/successor.go", "case o.Head < r.Read:", "case false:"}}},

	{"a seat called lapsed", func(st *Stage) {
		onAnswer(st.World, st.Bob, wire.OpSeatOpen, func(o *wire.SeatOpened) { o.Lapsed = true })
		st.Bob.Restart()
		st.Bob.Notice(core.NoticeLapsed)
	}, []Edit{{"core/inbox.go", "case o.Lapsed:", "case false:"}}},

	{"a seat that does not open any more", func(st *Stage) {
		st.Bob.Stop()
		_, remove := st.refuse(st.Bob, wire.OpSeatOpen, wire.ErrDenied)
		defer remove()
		if err := st.Bob.Start(); err != nil {
			st.T.Fatal(err)
		}
		st.Bob.Notice(core.NoticeSeatLost)
	}, []Edit{{"core/inbox.go", "return s.outOfStep(r, cv, NoticeSeatLost", "return nil\n\t\treturn s.outOfStep(r, cv, NoticeSeatLost"}}},

	{"a room called gone", func(st *Stage) {
		st.Bob.Stop()
		_, remove := st.refuse(st.Bob, wire.OpSeatOpen, wire.ErrGone)
		defer remove()
		if err := st.Bob.Start(); err != nil {
			st.T.Fatal(err)
		}
		st.Bob.Notice(core.NoticeSeatLost)
	}, []Edit{{"core/inbox.go", "return s.outOfStep(r, cv, NoticeSeatLost", "return nil\n\t\treturn s.outOfStep(r, cv, NoticeSeatLost"}}},

	{"every post called stale", func(st *Stage) {
		n, remove := st.refuse(st.Alice, wire.OpRoomPost, wire.ErrStale)
		sent, err := st.Alice.TrySend(st.Pair, "patient")
		if err != nil || sent.State != core.StateQueued {
			st.T.Errorf("got %v, %v, want queued", sent.State, err)
		}
		st.Sleep(Patience)
		if *n > 200 {
			st.T.Errorf("alice asked %d times in two minutes", *n)
		}
		remove()
		st.Bob.Expect("patient")
	}, []Edit{{"core/work.go", "// us when it was applied.\n\t\t\treturn time.Second, nil", "// us when it was applied.\n\t\t\treturn 100 * time.Millisecond, nil"}}},

	{"a post taken and dropped", func(st *Stage) {
		remove := st.Net.Tamper(func(l *Link, d Direction, f wire.Frame) []wire.Frame {
			if d != ToServer || l.Person != "alice" || f.Op != wire.OpRoomPost {
				return []wire.Frame{f}
			}
			l.Send(st.ctx, ToClient, wire.Frame{Op: f.Op, ID: f.ID, Body: wire.Encode(wire.Appended{Number: 99, Epoch: 1})})
			return nil
		})
		sent, err := st.Alice.TrySend(st.Pair, "swallowed")
		if err != nil || sent.State != core.StateQueued {
			st.T.Errorf("got %v, %v, want queued", sent.State, err)
		}
		remove()
		st.Bob.Expect("swallowed")
	}, []Edit{{"core/work.go", "return lookAgain - c.now().Sub(p.at)", "_ = p\n\treturn 60 * lookAgain"}}},
}
