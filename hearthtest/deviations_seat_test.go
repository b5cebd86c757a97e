package hearthtest

import (
	"time"

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
	}, []Edit{{"core/inbox.go", "if err := s.outOfStep(r, cv, NoticeSeatLost", "return nil\n\t\tif err := s.outOfStep(r, cv, NoticeSeatLost"}}},

	{"a room called gone", func(st *Stage) {
		st.Bob.Stop()
		_, remove := st.refuse(st.Bob, wire.OpSeatOpen, wire.ErrGone)
		defer remove()
		if err := st.Bob.Start(); err != nil {
			st.T.Fatal(err)
		}
		st.Bob.Notice(core.NoticeGone)
	}, []Edit{{"core/inbox.go", "return s.outOfStep(r, cv, NoticeGone", "return nil\n\t\t\treturn s.outOfStep(r, cv, NoticeGone"}}},

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
	}, []Edit{{"core/work.go", "return lookAgain - c.now().Sub(p.at), ", "return 60*lookAgain - c.now().Sub(p.at), "}}},
	{"an own post withheld for good", func(st *Stage) {
		// Alice reads past it, and would post again and again what the server
		// says is there: it keeps the entry for carol.
		st.Net.Offline("carol")
		st.Sleep(time.Hour) // nobody renews a leaf any more, which would seal it anew
		var gone wire.Number
		remove := st.onEntry(st.Alice, wire.KindPost, func(e wire.Entry) []wire.Entry {
			if gone == 0 {
				gone = e.Number
			}
			if e.Number == gone {
				return nil
			}
			return []wire.Entry{e}
		})
		defer remove()
		posts := 0
		onRequest(st.World, st.Alice, wire.OpRoomPost, func(*wire.RoomPost) { posts++ })
		first, err := st.Alice.TrySend(st.Group, "withheld from alice")
		if err != nil || first.State != core.StateQueued {
			st.T.Errorf("got %v, %v, want queued", first.State, err)
		}
		st.Bob.Send(st.Group, afterIt)
		st.Alice.Expect(afterIt)
		st.Sleep(5 * Patience)
		if posts > 20 {
			st.T.Errorf("alice posts %d times", posts)
		}
		events, err := st.Alice.Client.History(st.Alice.Patience(), st.Group, 0)
		if err != nil {
			st.T.Fatal(err)
		}
		for _, e := range events {
			if e.ID == first.ID && e.State == core.StateQueued {
				st.T.Error("it is still queued")
			}
		}
		if n := count(st.Bob.Texts(), "withheld from alice"); n != 1 {
			st.T.Errorf("bob reads it %d times", n)
		}
		st.Net.Online("carol")
		st.Carol.Expect("withheld from alice")
	}, []Edit{{"core/work.go", "len(w.Sealed) == 0 || passed && wait <= 0 {", "len(w.Sealed) == 0 {"}}},
}
