package core_test

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"hearth/content"
	"hearth/core"
	"hearth/hearthtest"
	"hearth/mls"
	"hearth/wire"
)

// counted takes out the comparison of a sender's running count.
var counted = edit("core/holes.go", "case l.Seen && e.Count > l.Count+1:", "case false:")

// notOwn takes out that only an account itself says that it leaves.
var notOwn = edit("core/leave.go", "err != nil || account != from.Account {", "err != nil || account == (wire.AccountID{}) {")

// firstSeat takes out that a seat belongs to the leaf that announced it first.
var firstSeat = edit("core/message.go", "mls.LeafIndex(i) != from.Index {", "mls.LeafIndex(i) == 1<<30 {")

// unheard is a deviation that is one message of carol's, which says a text that
// nobody may be shown; what she says afterwards arrives.
func unheard(name string, do func(m *insider, secret string), edits ...hearthtest.Edit) hearthtest.Deviation {
	const never = "never shown"
	return deviation(name, func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		do(m, never)
		m.afterwards(st.Alice, st.Bob)
		for _, p := range []*hearthtest.Person{st.Alice, st.Bob} {
			p.ExpectNever(never, time.Second)
			if got := p.State(st.Group); got != core.RoomOK {
				st.T.Errorf("%s's room is %s", p.Name, got)
			}
		}
	}, edits...)
}

// Messages that the others must not be taken in by.
var messageDeviations = []hearthtest.Deviation{
	unheard("a generation far ahead", func(m *insider, secret string) {
		ahead := copyOf(m)
		m.must(ahead.SkipTo(8000))
		m.must(ahead.SkipTo(9000))
		b, err := ahead.Encrypt(m.envelope(content.KindContent, text(m, secret)), 0)
		m.must(err)
		m.post(b)
		m.Count--
	}, edit("core/found.go", "MaxForward: 8192", "MaxForward: 20000")),

	unheard("a generation used twice", func(m *insider, secret string) {
		again := copyOf(m)
		m.say(content.KindContent, text(m, "the first"))
		plain := m.envelope(content.KindContent, text(m, secret))
		b, err := again.Encrypt(plain, content.PadTo(len(plain)))
		m.must(err)
		m.post(b)
		m.Count--
	}, edit("mls/staged.go", "g.secrets.consume(s.content.content.sender.index, s.Kind(), s.generation)", "")),

	unheard("a message with data beside it", func(m *insider, secret string) {
		plain := m.envelope(content.KindContent, text(m, secret))
		b, err := m.Group.EncryptWithData(plain, []byte("for the server"), content.PadTo(len(plain)))
		m.must(err)
		m.post(b)
		m.Count--
	}, edit("core/inbox.go", "if len(staged.AuthenticatedData()) > 0 {", "if false {")),

	unheard("garbage in a message", func(m *insider, _ string) {
		b := make([]byte, 100)
		rand.Read(b)
		m.post(m.seal(b))
	}, edit("core/message.go", "e, err := content.ParseEnvelope(staged.Application())\n\tif err != nil {\n\t\treturn false, nil", "e, err := content.ParseEnvelope(staged.Application())\n\tif err != nil {\n\t\treturn false, err")),

	unheard("garbage where content must be", func(m *insider, _ string) {
		b := make([]byte, 100)
		rand.Read(b)
		m.say(content.KindContent, b)
	}, edit("core/message.go", "m, err := content.Parse(body)\n\tif err != nil {\n\t\treturn false, nil", "m, err := content.Parse(body)\n\tif err != nil {\n\t\treturn false, err")),

	unheard("garbage where a seat is announced", func(m *insider, _ string) {
		m.say(content.KindAnnounce, []byte{0xff})
	}, edit("core/message.go", "len(a.Doors) > maxDoors {\n\t\treturn false, nil", "len(a.Doors) > maxDoors {\n\t\treturn false, err")),

	unheard("a message of a later version", func(m *insider, secret string) {
		m.Count++
		b := wire.Encode(content.Envelope{Version: content.EnvelopeVersion + 1, Ends: time.Now().Unix(), Kind: content.KindContent, Count: m.Count, Commit: m.Commit,
			CommitHash: core.CommitHash(m.Group), Body: text(m, secret)})
		m.post(m.seal(b))
		m.Count--
	}, edit("content/envelope.go", "if e.Version > EnvelopeVersion {", "if false {")),

	unheard("a message whose end is past", func(m *insider, secret string) {
		m.say(content.KindContent, text(m, secret, func(c *content.Message) { c.Expires = content.EndsAt(time.Now().Add(-time.Hour)) }))
	}, edit("core/message.go", "if !ends.IsZero() && !ends.After(now) {", "if false {"),
		edit("content/read.go", "\t\tearliest(at)\n", "")),

	deviation("a text that is too long", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		long := strings.Repeat("x", content.MaxText+1)
		// What we encode has a place for the longest text: one more is put in by
		// hand.
		body := text(m, long[:content.MaxText])
		m.say(content.KindContent, lengthened(m, body))
		m.afterwards(st.Alice)
		if slices.Contains(st.Alice.Texts(), long) {
			st.T.Error("alice is shown a text that is too long")
		}
	}, edit("content/part.go", "b.ContentType == TextPlain && len(b.Content) > MaxText {", "false {")),

	deviation("a running count that jumps", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		m.Count += 5
		m.say(content.KindContent, text(m, "as if five were lost"))
		for _, p := range []*hearthtest.Person{st.Alice, st.Bob} {
			p.Notice(core.NoticeWithheld)
		}
	}, counted),

	deviation("a running count that goes back", func(st *stage) {
		// A seat announced under an old count is an old announcement.
		m := turn(st, st.Carol, st.Group)
		seat := wire.NewSeatID(m.Room.Region())
		m.say(content.KindAnnounce, core.Announcement(seat), func(e *content.Envelope) { e.Count, e.Ends = 1, 0 })
		m.Count--
		m.afterwards(st.Alice)
		if got, err := st.Alice.Client.SeatOf(st.Group, m.Group.OwnLeaf()); err != nil || got == seat {
			st.T.Errorf("alice takes the old announcement for a new one: %v", err)
		}
	}, edit("core/message.go", "if !fresh {", "if !fresh && e.Count > 1<<60 {")),

	deviation("a message under another log's commit", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		m.say(content.KindContent, text(m, "elsewhere"), func(e *content.Envelope) { e.CommitHash[0] ^= 1 })
		st.Alice.Notice(core.NoticeForked)
	}, edit("core/message.go", "if e.Commit != r.Commit || e.CommitHash != commitHash(g) {", "if false {")),

	deviation("another's message repeated as one's own", func(st *stage) {
		// Whoever copies the bytes of a message does not get its id.
		m := turn(st, st.Carol, st.Group)
		bob := turn(st, st.Bob, st.Group)
		body := text(bob, "bob brings the bread")
		m.say(content.KindContent, body)
		bob.say(content.KindContent, body)
		bob.afterwards(st.Alice)
		if n := count(st.Alice.Texts(), "bob brings the bread"); n != 2 {
			st.T.Errorf("alice sees %d of the two messages", n)
		}
	}, edit("core/message.go", "id, err := content.ID(from.Account, cv.ID, body)", "id, err := content.ID(wire.AccountID{}, cv.ID, body)")),

	deviation("a message from the future", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		msg, err := content.NewText("from tomorrow", content.Options{Sent: time.Now().Add(24 * time.Hour)})
		m.must(err)
		body, err := msg.Encode()
		m.must(err)
		m.say(content.KindContent, body)
		e := st.Alice.Expect("from tomorrow")
		if ahead := time.Until(e.Sent); ahead > time.Hour {
			st.T.Errorf("it stands %v in the future", ahead)
		}
	}, edit("core/amend.go", "if !known || sent.After(now.Add(maxAhead)) {", "if !known {")),

	deviation("a message that outlives the timer", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		m.say(content.KindContent, text(m, "for ever", func(c *content.Message) {
			c.Expires = content.EndsAt(time.Now().Add(365 * 24 * time.Hour))
		}))
		st.Alice.Expect("for ever")
		st.Alice.Stop()
		st.Sleep(31 * 24 * time.Hour)
		m.must(st.Alice.Start())
		events, err := st.Alice.Client.History(st.Alice.Patience(), st.Group, 0)
		m.must(err)
		for _, e := range events {
			if e.Text == "for ever" {
				st.T.Error("alice still has it after the conversation's timer")
			}
		}
	}, edit("content/read.go", "if room > 0 {", "if false {")),

	deviation("the seat of whoever removes announced", func(st *stage) {
		// Carol announces alice's seat and is removed by her: alice keeps it.
		m := turn(st, st.Carol, st.Group)
		alice, err := st.Alice.Client.Inside(st.Group)
		m.must(err)
		m.say(content.KindAnnounce, core.Announcement(alice.Seat))
		m.afterwards(st.Alice, st.Bob)
		_, err = st.Alice.Client.GroupRemove(st.Alice.Patience(), st.Group, []string{"carol"})
		m.must(err)
		st.Alice.Restart()
		st.Alice.Send(st.Group, "still here")
		if got := st.Alice.State(st.Group); got != core.RoomOK {
			st.T.Errorf("alice's room is %s", got)
		}
		back(st)
	}, edit("core/message.go", "taken := a.Seat == r.Seat.ID || r.Old != nil && a.Seat == r.Old.ID", "taken := false")),

	deviation("a forged word that another leaves as a message", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		m.say(content.KindLeave, leaveOf(m, m.key).Encode())
		stays(st, m)
	}, notOwn, signs),

	deviation("another's word to leave passed on", func(st *stage) {
		// Bob's word for the conversation of two, said in the group.
		key, _, _, err := st.Bob.Client.Identity()
		m := turn(st, st.Carol, st.Group)
		m.must(err)
		pair, err := st.Bob.Client.Inside(st.Pair)
		m.must(err)
		e, err := pair.Roster.NewLeave(key, account(st.Bob))
		m.must(err)
		m.say(content.KindLeave, e.Encode())
		stays(st, m)
	}, notOwn, edit("core/leave.go", "if err != nil || convID(st.Conversation) != r.Conv {", "if err != nil {"),
		edit("core/roster/judge.go", "if s.conversation != v.before.state.ID {", "if false {"),
		named),

	deviation("a removed member stays", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		_, err := st.Alice.Client.GroupRemove(st.Alice.Patience(), st.Group, []string{"carol"})
		m.must(err)
		st.Alice.Send(st.Group, "without carol")
		st.Bob.Expect("without carol")
		err = m.raw.Ask(wire.OpSeatOpen, wire.SeatOpen{Handle: 1, Room: m.Room, Seat: m.Seat, Secret: m.Secret, Token: m.token(m.Group), Credit: 64}, new(wire.SeatOpened))
		if !isCode(err, wire.Denied) {
			st.T.Errorf("carol's seat: got %v, want denied", err)
		}
		back(st)
	}, edit("store/apply.go", "\t\trm.removeSeats(c.Remove)", "\t\t_ = c.Remove")),

	deviation("a removed member whose seat nobody knew", func(st *stage) {
		// Carol announces a seat that is not hers, so that the Remove names
		// that one and hers stays: she is sent what she cannot read, and is
		// allowed nothing.
		m := turn(st, st.Carol, st.Group)
		m.say(content.KindAnnounce, core.Announcement(wire.NewSeatID(m.Room.Region())))
		m.afterwards(st.Alice)
		_, err := st.Alice.Client.GroupRemove(st.Alice.Patience(), st.Group, []string{"carol"})
		m.must(err)
		st.Alice.Send(st.Group, "without carol")
		st.Bob.Expect("without carol")
		next := wire.Epoch(m.Group.Epoch() + 1)
		m.must(m.raw.Ask(wire.OpSeatOpen, wire.SeatOpen{Handle: 1, Room: m.Room, Seat: m.Seat, Secret: m.Secret, Token: m.token(m.Group), Credit: 64}, new(wire.SeatOpened)))
		for _, e := range m.raw.Entries(time.Second) {
			if e.Epoch == next {
				if _, err := m.Group.Process(e.Payload); err == nil {
					st.T.Error("carol reads on")
				}
			}
		}
		err = m.raw.Ask(wire.OpRoomPost, wire.RoomPost{Room: m.Room, Epoch: next, Token: m.token(m.Group), Payload: []byte("x"), TTL: 60}, new(wire.Appended))
		if !isCode(err, wire.Stuck) {
			st.T.Errorf("a post of carol's: got %v, want stuck", err)
		}
		err = m.raw.Ask(wire.OpRoomCommit, wire.RoomCommit{Room: m.Room, Epoch: next, Seat: m.Seat, SeatSecret: m.Secret, Token: m.token(m.Group), Payload: []byte("x")}, new(wire.Appended))
		if !isCode(err, wire.Stuck) {
			st.T.Errorf("a commit of carol's: got %v, want stuck", err)
		}
		// Her own client finds that her leaf was used, and becomes another
		// device; how to reach that she must say herself.
		st.Net.Online("carol")
		st.Carol.Notice(core.NoticeTwin)
		st.Sleep(time.Minute)
		st.Carol.Send("alice", "it is me")
		st.Alice.Accept()
		back(st)
	}, edit("store/post.go", "case !right && !rm.shown(s):", "case false:")),
}

// copyOf is another copy of the insider's group.
func copyOf(m *insider) *mls.Group {
	m.st.T.Helper()
	g, err := mls.ParseGroup(m.Group.MarshalEpoch(), m.Group.MarshalRatchets())
	m.must(err)
	return g
}

// back has alice invite carol again, so that the stage is as it was.
func back(st *stage) {
	st.T.Helper()
	st.Net.Online("carol")
	if _, err := st.Alice.Client.GroupAdd(st.Alice.Patience(), st.Group, []string{"carol"}); err != nil {
		st.T.Fatal(err)
	}
	st.Carol.Accept()
	st.Carol.Send(st.Group, "back again")
	st.Alice.Expect("back again")
	st.Bob.Expect("back again")
}

// stays waits until whoever would remove bob has done so, and he has not gone.
func stays(st *stage, m *insider) {
	st.T.Helper()
	m.afterwards(st.Alice, st.Bob)
	st.Sleep(time.Minute)
	for _, p := range []*hearthtest.Person{st.Alice, st.Bob} {
		if n := len(p.Members(st.Group)); n != 3 {
			st.T.Errorf("%s lists %d members", p.Name, n)
		}
	}
}

func count(texts []string, text string) (n int) {
	for _, t := range texts {
		if t == text {
			n++
		}
	}
	return n
}

// lengthened is a text message with one byte more in its text than content
// lets one write.
func lengthened(m *insider, body []byte) []byte {
	m.st.T.Helper()
	i := strings.Index(string(body), "xxxx")
	// The length stands before the text, in two bytes or four.
	for n := 2; n <= 4; n += 2 {
		var length uint64
		for _, b := range body[i-n : i] {
			length = length<<8 | uint64(b)
		}
		if length == content.MaxText {
			out := slices.Insert(slices.Clone(body), i, byte('x'))
			for j, v := i-1, length+1; j >= i-n; j, v = j-1, v>>8 {
				out[j] = byte(v)
			}
			return out
		}
	}
	m.st.T.Fatal("the text's length was not found")
	return nil
}
