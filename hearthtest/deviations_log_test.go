package hearthtest

import (
	"crypto/rand"

	"hearth/core"
	"hearth/wire"
)

// garbage is n bytes that mean nothing.
func garbage(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// afterIt is a message by which the others' place in the log can be told.
const afterIt = "said afterwards"

// countCheck takes out the comparison of a sender's running count.
var countCheck = Edit{"core/holes.go", "case l.Seen && e.Count > l.Count+1:", "case false:"}

// gapCheck takes out the notice for numbers that never come.
var gapCheck = Edit{"core/inbox.go",
	"r.Read = to\n\t\ts.putRoom(r)\n\t\treturn s.notice(cv, NoticeWithheld", "r.Read = to\n\t\ts.putRoom(r)\n\t\treturn nil\n\t\treturn s.notice(cv, NoticeWithheld"}

// What a server can do to a room's log.
var logDeviations = []Deviation{
	{"a message again under a new number", func(st *Stage) {
		shift := st.renumber(st.Bob)
		done := false
		st.onEntry(st.Bob, wire.KindPost, func(e wire.Entry) []wire.Entry {
			if done {
				return []wire.Entry{e}
			}
			done = true
			again := e
			again.Number++
			shift(e.Handle, e.Number, 1)
			return []wire.Entry{e, again}
		})
		st.Alice.Send(st.Pair, "once")
		st.Alice.Send(st.Pair, afterIt)
		st.Bob.Expect(afterIt)
		if n := count(st.Bob.Texts(), "once"); n != 1 {
			st.T.Errorf("bob reads it %d times", n)
		}
	}, []Edit{
		{"mls/staged.go", "g.secrets.consume(s.content.content.sender.index, s.Kind(), s.generation)", ""},
		{"core/message.go", "signed, err := s.has(signedName(cv.ID, n))", "n, signed, err := 0, false, error(nil)\n\t\t_ = n"},
		{"core/message.go", "if err != nil || signed || own {\n\t\t\treturn 0, err\n\t\t}\n\t\treturn n, nil", "if signed || own {\n\t\t\treturn 0, err\n\t\t}"},
	}},

	{"a message left out and the numbers closed up", func(st *Stage) {
		leaveOut(st, func(e wire.Entry, shift func(uint32, wire.Number, int)) []wire.Entry {
			shift(e.Handle, e.Number, -1)
			return nil
		})
		st.Bob.Notice(core.NoticeWithheld)
	}, []Edit{countCheck}},

	{"a message left out and its number too", func(st *Stage) {
		number := wire.Number(0)
		st.onEntry(st.Bob, wire.KindPost, func(e wire.Entry) []wire.Entry {
			if number == 0 {
				number = e.Number
			}
			if e.Number == number {
				return nil
			}
			return []wire.Entry{e}
		})
		st.Alice.Send(st.Pair, "lost")
		st.Alice.Send(st.Pair, afterIt)
		st.Bob.Notice(core.NoticeWithheld)
		st.Bob.Expect(afterIt)
	}, []Edit{gapCheck, countCheck}},

	{"two messages swapped", func(st *Stage) {
		var held *wire.Entry
		st.onEntry(st.Bob, wire.KindPost, func(e wire.Entry) []wire.Entry {
			if held == nil {
				held = &e
				return nil
			}
			if held.Number == 0 {
				return []wire.Entry{e}
			}
			first, second := e, *held
			first.Number, second.Number = held.Number, e.Number
			*held = wire.Entry{}
			return []wire.Entry{first, second}
		})
		st.Alice.Send(st.Pair, "one")
		st.Alice.Send(st.Pair, "two")
		st.Bob.Notice(core.NoticeReordered, core.NoticeWithheld)
	}, []Edit{countCheck}},

	{"a bit turned in a message", func(st *Stage) {
		leaveOut(st, func(e wire.Entry, _ func(uint32, wire.Number, int)) []wire.Entry {
			e.Payload[len(e.Payload)/2] ^= 1
			return []wire.Entry{e}
		})
		st.Bob.Notice(core.NoticeWithheld)
	}, []Edit{countCheck}},

	{"garbage among the messages", func(st *Stage) {
		shift := st.renumber(st.Bob)
		at := wire.Number(0)
		st.onEntry(st.Bob, wire.KindPost, func(e wire.Entry) []wire.Entry {
			if at == 0 {
				at = e.Number
				shift(e.Handle, e.Number, 1)
			}
			if e.Number != at {
				return []wire.Entry{e}
			}
			bad := e
			bad.Payload = garbage(len(e.Payload))
			e.Number++
			return []wire.Entry{bad, e}
		})
		st.Alice.Send(st.Pair, afterIt)
		st.Bob.Expect(afterIt)
	}, []Edit{{"core/inbox.go", "default:\n\t\tr.Bad++\n\t\treturn nil\n\t}\n\tif staged.Kind()", "default:\n\t\treturn err\n\t}\n\tif staged.Kind()"}}},

	{"garbage as a commit", func(st *Stage) {
		st.onEntry(st.Bob, wire.KindPost, func(e wire.Entry) []wire.Entry {
			e.Kind, e.Payload = wire.KindCommit, garbage(4000)
			return []wire.Entry{e}
		})
		st.Alice.Send(st.Group, "swallowed")
		st.Bob.Notice(core.NoticeOutOfStep)
		if got := st.Bob.State(st.Group); got != core.RoomOutOfStep {
			st.T.Errorf("bob's room is %s", got)
		}
	}, []Edit{{"core/commit.go", "s.c.debug(\"a commit was refused\", err)", "return nil"}}},

	{"a commit left out", func(st *Stage) {
		shift := st.renumber(st.Bob)
		st.onEntry(st.Bob, wire.KindCommit, func(e wire.Entry) []wire.Entry {
			shift(e.Handle, e.Number, -1)
			return nil
		})
		name := "pantry"
		if _, err := st.Alice.Client.GroupSet(st.Alice.Patience(), st.Group, core.GroupSettings{Name: &name}); err != nil {
			st.T.Fatal(err)
		}
		st.Alice.Send(st.Group, "in the next epoch")
		st.Bob.Notice(core.NoticeWithheld)
		st.Bob.ExpectNever("in the next epoch", Patience)
	}, []Edit{{"core/inbox.go", "if e.Epoch > r.Epoch {", "if false {"}}},

	{"a commit again", func(st *Stage) {
		shift := st.renumber(st.Bob)
		st.onEntry(st.Bob, wire.KindCommit, func(e wire.Entry) []wire.Entry {
			again := e
			again.Number++
			shift(e.Handle, e.Number, 1)
			return []wire.Entry{e, again}
		})
		name := "pantry"
		if _, err := st.Alice.Client.GroupSet(st.Alice.Patience(), st.Group, core.GroupSettings{Name: &name}); err != nil {
			st.T.Fatal(err)
		}
		st.Alice.Send(st.Group, afterIt)
		st.Bob.Expect(afterIt)
		if got := st.Bob.State(st.Group); got != core.RoomOK {
			st.T.Errorf("bob's room is %s", got)
		}
	}, []Edit{{"core/inbox.go", "if e.Epoch != r.Epoch && !(", "if false && !("}}},

	{"another log for one member", func(st *Stage) {
		// An entry that only bob sees moves the number of the next commit, for
		// him alone.
		shift := st.renumber(st.Bob)
		st.onEntry(st.Bob, wire.KindCommit, func(e wire.Entry) []wire.Entry {
			extra := wire.Entry{Handle: e.Handle, Number: e.Number, Kind: wire.KindPost, Epoch: e.Epoch, Payload: garbage(1000)}
			shift(e.Handle, e.Number, 1)
			e.Number++
			return []wire.Entry{extra, e}
		})
		name := "pantry"
		if _, err := st.Alice.Client.GroupSet(st.Alice.Patience(), st.Group, core.GroupSettings{Name: &name}); err != nil {
			st.T.Fatal(err)
		}
		st.Alice.Send(st.Group, afterIt)
		st.Bob.Notice(core.NoticeForked)
	}, []Edit{{"core/message.go", "if e.Commit != r.Commit || e.CommitHash != commitHash(g) {", "if false {"}}},

	{"a message under another epoch", func(st *Stage) {
		leaveOut(st, func(e wire.Entry, _ func(uint32, wire.Number, int)) []wire.Entry {
			e.Epoch--
			return []wire.Entry{e}
		})
		st.Bob.Notice(core.NoticeWithheld)
	}, []Edit{countCheck}},

	{"a message in the place of a commit", func(st *Stage) {
		st.onEntry(st.Bob, wire.KindPost, func(e wire.Entry) []wire.Entry {
			e.Kind = wire.KindCommit
			return []wire.Entry{e}
		})
		st.Alice.Send(st.Group, "as a commit")
		st.Bob.Notice(core.NoticeOutOfStep)
	}, []Edit{{"core/commit.go", "s.c.debug(\"a commit was refused\", err)", "return nil"}}},
}

// leaveOut does something to the second of three messages of alice to bob.
func leaveOut(st *Stage, do func(e wire.Entry, shift func(uint32, wire.Number, int)) []wire.Entry) {
	shift := st.renumber(st.Bob)
	st.Alice.Send(st.Pair, "before it")
	st.Bob.Expect("before it")
	done := false
	st.onEntry(st.Bob, wire.KindPost, func(e wire.Entry) []wire.Entry {
		if done {
			return []wire.Entry{e}
		}
		done = true
		return do(e, shift)
	})
	st.Alice.Send(st.Pair, "lost")
	st.Alice.Send(st.Pair, afterIt)
	st.Bob.Expect(afterIt)
}
