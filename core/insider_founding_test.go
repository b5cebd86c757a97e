package core_test

import (
	"crypto/sha256"
	"time"

	"hearth/core"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/hearthtest"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// The evil founder: a member who would like to have the conversation for itself.

// notice posts a notice in the room, signed and sealed as a client does.
func (m *insider) notice(kind letter.NoticeKind, body []byte, change ...func(*letter.Notice)) {
	m.st.T.Helper()
	n := letter.Notice{Kind: kind, Room: m.Room, Leaf: uint32(m.Group.OwnLeaf()), Account: m.chain.Account(), Body: body}
	for _, f := range change {
		f(&n)
	}
	b, err := letter.SealNotice(letter.LinkKey{Epoch: wire.Epoch(m.Group.Epoch()), Key: core.LinkKey(m.Group)}, m.key, n)
	m.must(err)
	m.must(m.raw.Ask(wire.OpRoomNotice, wire.RoomNotice{Room: m.Room, Seat: m.Seat, SeatSecret: m.Secret, Payload: b}, new(wire.Appended)))
}

// coup is a successor as an evil member founds it, for one other member.
type coup struct {
	founding
	says roster.Founding // of it
	old  insider         // the member, still in the old room
}

// coup prepares an honest founding for a victim, to be changed.
func (m *insider) coup(victim *hearthtest.Person) *coup {
	m.st.T.Helper()
	c := &coup{old: *m}
	c.key = m.key
	at, err := m.p.Client.Doors(account(victim))
	m.must(err)
	c.door = at[0]
	var got wire.DoorClaimed
	m.must(m.raw.Ask(wire.OpDoorClaim, wire.DoorClaim{Door: c.door.ID, Key: c.door.Key}, &got))
	b, _, err := core.OpenPackage(c.door, got.Sealed)
	m.must(err)
	c.kp, err = mls.ParseKeyPackage(b)
	m.must(err)
	c.add = []*mls.KeyPackage{c.kp}
	c.state, c.chains = m.Roster.Succeed(m.Roster.State().Generation + 1)
	c.says = roster.Founding{Conversation: c.state.ID, Generation: c.state.Generation, Base: m.Group.Epoch(), Transcript: core.CommitHash(m.Group)}
	return c
}

// found makes the successor, sends its Welcome and tells the old room.
func (m *insider) found(c *coup) {
	m.st.T.Helper()
	old := m.Room
	c.wrapper = func(w *letter.Wrapper) {
		info, err := m.Group.GroupInfo(false, false)
		m.must(err)
		if c.says.Info == ([32]byte{}) {
			c.says.Info = sha256.Sum256(info)
		}
		w.Old, w.Founding = old, c.says.Encode()
	}
	m.invite(&c.founding)
}

// tell tells the old room.
func (c *coup) tell(change ...func(*letter.Notice)) {
	c.old.notice(letter.NoticeFounding, c.says.Encode(), change...)
}

// failed checks that a coup came to nothing: the others are where they were, and
// hear each other.
func failed(st *stage, room wire.RoomID, codes ...string) {
	st.T.Helper()
	st.Sleep(time.Minute)
	for _, p := range []*hearthtest.Person{st.Alice, st.Bob} {
		in, err := p.Client.Inside(st.Group)
		if err != nil || in.Room != room {
			st.T.Errorf("%s is in another room, %v", p.Name, err)
		}
		told(st.World, p, codes...)
	}
	reaches(st.World, st.Group, "still here", st.Alice, st.Bob)
	reaches(st.World, st.Group, "me too", st.Bob, st.Alice)
}

// coups of carol, a plain member, that the log does not let count.
var coups = []hearthtest.Deviation{
	deviation("a plain member founds a successor", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		room := m.Room
		c := m.coup(st.Bob)
		m.found(c)
		c.tell()
		failed(st, room)
	}, edit("core/roster/founding.go", "if st.Kind != Direct && m.Role < RoleAdmin {", "if m.Role > RoleOwner {")),

	deviation("a plain member founds upon its own word that it is out of step", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		room := m.Room
		m.notice(letter.NoticeOutOfStep, []byte("I can't follow"))
		c := m.coup(st.Bob)
		m.found(c)
		c.tell()
		failed(st, room)
	}, edit("core/roster/founding.go", "in && (a != founder || len(s.Newest.state.Members) <= 2)", "in && (a != founder || true)")),

	deviation("a successor that the log does not name", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		room := m.Room
		m.found(m.coup(st.Bob))
		failed(st, room)
	}, edit("core/successor_follow.go", "case !l.unreadable(s.c.now()):", "case false:")),

	deviation("a founding in the owner's name", func(st *stage) {
		m := turn(st, st.Carol, st.Group)
		room := m.Room
		c := m.coup(st.Bob)
		m.found(c)
		in, err := st.Alice.Client.Inside(st.Group)
		m.must(err)
		c.tell(func(n *letter.Notice) { n.Account, n.Leaf = account(st.Alice), uint32(in.Group.OwnLeaf()) })
		failed(st, room)
	}, edit("core/letter/notice.go", "if !ok || !(identity.Device{Key: key}).Verify(identity.LabelNotice, s.Body, s.Signature) {", "if !ok || len(s.Body)+len(key) == 0 {"),
		edit("core/letter/notice.go", "n.Version, n.Epoch, n.Device = NoticeVersion, link.Epoch, key.ID()", "n.Version, n.Epoch = NoticeVersion, link.Epoch"),
		edit("core/roster/founding.go", "case !in || !has:", "case !in && !has:"),
		edit("core/notice.go", "l, ok := ro.LeafOf(n.Account, n.Device)", "l, ok := ro.LeafOf(n.Account, ro.LeavesOf(n.Account)[0].Device)")),

	ignored("a founding upon an older epoch", func(c *coup) { c.says.Base -= 2 }, edit("core/roster/founding.go", "case f.Base == 0 || f.Base-1 != s.Epoch:", "case false:")),

	ignored("a founding upon another history", func(c *coup) { c.says.Transcript[0] ^= 1 }, edit("core/roster/founding.go", "if f.Transcript != s.Transcript {", "if false {")),

	ignored("a founding of a generation far ahead", func(c *coup) { c.state.Generation, c.says.Generation = 1<<20, 1<<20 }, edit("core/roster/founding.go", "case f.Generation != s.Accepted+1:", "case false:")),

	// What a founding that counts may not lead to: bob does not follow.
	bent("a successor without one of the members", func(st *stage, m *insider, c *coup) {
		carol := account(st.Carol)
		c.state.Drop(carol)
		c.dropChain(carol)
	}),
	bent("a successor with a stranger", func(st *stage, m *insider, c *coup) {
		mallory := stranger(st, st.Person("mallory"))
		c.put(mallory.chain, roster.RoleAdmin)
	}),
	bent("a successor in which a role is raised", func(st *stage, m *insider, c *coup) {
		c.state.SetRole(account(st.Carol), roster.RoleOwner)
	}),
	bent("a successor with another timer", func(st *stage, m *insider, c *coup) { c.state.Retention = 3600 }),
	deviation("another group than the founding names", func(st *stage) {
		m := turn(st, st.Alice, st.Group)
		c := m.coup(st.Bob)
		c.says.Info = sha256.Sum256([]byte("another"))
		m.found(c)
		c.tell()
		refusedIt(st)
	}, edit("core/successor_follow.go", "if err == nil && f.Info != j.info {", "if false {")),
}

// ignored is a founding of the owner's that the log does not let count.
func ignored(name string, change func(c *coup), edits ...hearthtest.Edit) hearthtest.Deviation {
	return deviation(name, func(st *stage) {
		m := turn(st, st.Alice, st.Group)
		room := m.Room
		c := m.coup(st.Bob)
		change(c)
		m.found(c)
		c.tell()
		stayed(st, room)
	}, edits...)
}

// bent is a founding of the owner's that counts, of a successor that is bent.
func bent(name string, change func(st *stage, m *insider, c *coup)) hearthtest.Deviation {
	return deviation(name, func(st *stage) {
		m := turn(st, st.Alice, st.Group)
		c := m.coup(st.Bob)
		change(st, m, c)
		m.found(c)
		c.tell()
		refusedIt(st)
	}, edit("core/successor_follow.go", "if refused = base.JudgeSuccessor(f, j.roster); refused != nil {", "if base == nil {"))
}

// dropChain leaves an account's chain out of what joiners are given.
func (f *founding) dropChain(a wire.AccountID) {
	for i, entries := range f.chains {
		if c, err := identity.Verify(entries); err == nil && c.Account() == a {
			f.chains = append(f.chains[:i], f.chains[i+1:]...)
			return
		}
	}
}

// stayed: bob is in the room that he was in.
func stayed(st *stage, room wire.RoomID) {
	st.T.Helper()
	st.Sleep(time.Minute)
	in, err := st.Bob.Client.Inside(st.Group)
	if err != nil || in.Room != room {
		st.T.Errorf("bob is in another room, %v", err)
	}
	told(st.World, st.Bob)
	reaches(st.World, st.Group, "still here", st.Bob, st.Carol)
}

// refusedIt: bob did not follow, and says so.
func refusedIt(st *stage) {
	st.T.Helper()
	st.Bob.Notice(core.NoticeSuccessorRefused)
	if r := st.Bob.Room(st.Group); r.Name != "kitchen" || len(r.Members) != 3 || r.Retention != "30d" {
		st.T.Errorf("bob sees %+v", r)
	}
}
