package core_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"time"

	"hearth/content"
	"hearth/core"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/hearthtest"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// stuck is what people read where nobody can follow a commit: after ten minutes
// there is a successor.
var stuck = map[string]string{"online": "out_of_step moved", "away": "out_of_step moved"}

var hostileRows = []hostileRow{
	{name: "garbage commit", act: garbageCommitted, away: "alice dave", within: foundedByAdmin, told: stuck,
		edits: []hearthtest.Edit{silent}},

	// Who was away finds its notice sealed for nobody any more, and asks at doors.
	{name: "commit valid for a subtree only", act: forSome, away: "carol erin", young: true, refreshed: true,
		told: map[string]string{"carol": "out_of_step rejoined", "dave": "out_of_step rejoined member_refreshed",
			"online": "member_refreshed member_refreshed", "away": "member_refreshed member_refreshed"},
		edits: []hearthtest.Edit{edit("core/heal.go", "if n.own {", "if false {")}},

	// The change is valid and strips seats beside: whose seat is gone asks at doors.
	{name: "seat strip", act: seatsStripped, away: "dave erin", refreshed: true,
		told: map[string]string{"bob": "seats_differ seat_lost rejoined member_refreshed", "dave": "seat_lost rejoined",
			"online": "seats_differ member_refreshed member_refreshed", "away": "seats_differ member_refreshed member_refreshed"},
		edits: []hearthtest.Edit{edit("core/inbox.go", "if err := s.heal(r, cv, code); err != nil {", "if err := error(nil); err != nil {")}},

	// Nobody is left who could put the others back.
	{name: "seat strip of everybody", act: everySeatStripped, away: "erin", refreshed: true, within: founded,
		told:  map[string]string{"away": "seat_lost rejoined", "online": "seats_differ seat_lost moved_untold member_refreshed"},
		edits: []hearthtest.Edit{edit("core/stranded.go", "return s.mayFound(r, l, NoticeServerLost, refreshWait)", "return nil")}},

	{name: "another's seat id", act: bobsSeat, away: "bob erin", gone: true, edits: []hearthtest.Edit{firstSeat}},

	// Three layers: the leaf's key is not that account's, the account changes, the
	// device changes.
	{name: "self-update to another's identity", act: asBob, away: "bob dave", within: founded, told: stuck,
		edits: []hearthtest.Edit{proves,
			edit("core/roster/judge.go", "case l.Account != old.Account:", "case false:"),
			edit("core/roster/judge.go", "case l.Device != old.Device:", "case false:")}},

	// What she has signed leaves her out. The owner and the admin are away, so that
	// a plain member founds: third in rank.
	{name: "change above its role", act: asOwner, away: "alice bob", gone: true, within: foundedByAdmin + 2*time.Minute, told: stuck,
		edits: []hearthtest.Edit{edit("core/roster/rights.go", "return refuse(\"a role changed by one who is not owner\")", "continue")}},

	{name: "ReInit", act: reInit, away: "carol", within: founded, told: stuck,
		edits: []hearthtest.Edit{edit("core/roster/judge.go", "case ch.ReInit != nil:", "case false:")}},

	// That the commit is refused has many layers; taken out here is that looking at
	// it costs no more than it is long.
	{name: "ten thousand proposals", act: manyProposals, away: "erin", within: founded, told: stuck,
		edits: []hearthtest.Edit{edit("mls/proposallist.go", "\t\tif uses[use] {",
			"\t\tfor j := range i / 8 {\n\t\t\tif pl.psks[j].full() == use {\n\t\t\t\treturn nil, errCommitSamePSK\n\t\t\t}\n\t\t}\n\t\tif uses[use] {")}},

	{name: "generation 2^32-1", act: farAhead, away: "bob erin",
		edits: []hearthtest.Edit{edit("core/found.go", "MaxForward: 8192", "MaxForward: 1 << 21")}},

	// That the tree is refused has layers of its own (insider_invite_test.go); taken
	// out here is that dave asks once more.
	{name: "forged Welcome tree", act: forgedTree, away: "alice bob carol erin", young: true,
		told:  map[string]string{"dave": "out_of_step rejoined", "away": "member_refreshed member_refreshed"},
		edits: []hearthtest.Edit{edit("core/comeback.go", "return s.askAnew(b)", "s.del(b.name()); return nil")}},

	// Five layers: off in package mls, not a PrivateMessage, refused by the judge,
	// removes its own sender, removes a leaf without its account.
	{name: "external commit", act: fromOutside, away: "dave", within: founded, told: stuck,
		edits: []hearthtest.Edit{edit("core/found.go", "return mls.Limits{", "return mls.Limits{AllowExternalCommits: true, "), private,
			edit("core/roster/judge.go", "case ch.External:", "case false:"),
			edit("core/roster/judge.go", "if m.Index == v.committer.Index {", "if false {"), single}},

	// No defence but a rule: nobody judges a commit by a clock (protocol §4), or
	// those who read it late would part from the others. The edit breaks the rule.
	{name: "expired KeyPackage", act: expiringPackage, admin: true, away: "bob erin", guest: "gina",
		edits: []hearthtest.Edit{edit("core/commit.go", "\t\t_, err = ro.Judge(staged.Changes())\n",
			"\t\t_, err = ro.Judge(staged.Changes())\n\t\tfor _, m := range staged.Changes().Added {\n\t\t\tif s.c.now().Unix() > int64(m.Leaf.Lifetime.NotAfter) {\n\t\t\t\terr = errForged\n\t\t\t}\n\t\t}\n")}},

	// Four layers: off in package mls, no proposal is kept that came by itself,
	// refused by the judge, a Remove that she has no right to.
	{name: "by-reference proposal", act: byReference, away: "bob", within: founded, told: stuck,
		edits: []hearthtest.Edit{edit("core/found.go", "return mls.Limits{", "return mls.Limits{AllowProposalsByReference: true, "),
			edit("core/inbox.go", "if staged.Kind() != mls.ContentApplication {", "if staged.Kind() != mls.ContentApplication {\n\t\ts.groups[r.ID] = true\n\t\ts.putRatchets(r.ID, staged.Apply())"),
			edit("core/roster/judge.go", "case len(ch.ByReference) > 0:", "case false:"), single}},

	// Three layers: the Add is compared with the members, the tree's keys are
	// counted, and the roster knows each device once.
	{name: "duplicate signature key", act: sameKey, away: "carol", within: founded, told: stuck,
		edits: []hearthtest.Edit{edit("mls/proposallist.go", "if added[string(m.Leaf.SignatureKey)] && !slices.Contains(pl.removes, m.Index) {", "if added[string(m.Leaf.SignatureKey)] && !slices.Contains(pl.removes, m.Index) && m.Index > 1<<30 {"),
			edit("mls/keyindex.go", "if x.count(f.id) <= 1 {", "if x.count(f.id) <= 2 {"),
			edit("core/roster/roster.go", "if _, ok := r.LeafOf(l.Account, l.Device); ok {", "if _, ok := r.LeafOf(l.Account, l.Device); ok && l.Index > 1<<30 {")}},

	{name: "flood of posts", act: flooding, away: "bob erin", told: map[string]string{"alice": "flood", "bob": "flood"},
		edits: []hearthtest.Edit{edit("core/flood.go", "tell := f.Posts >= floodPosts && !f.Told", "tell := false")}},

	// An admin may move a group as often as she likes. The others follow, and those
	// who can do something about it are asked to.
	{name: "endless founding", act: foundings, admin: true, away: "bob erin", gone: true,
		told:  map[string]string{"alice": often, "bob": often, "online": "moved moved moved moved moved", "away": "moved moved moved moved moved"},
		edits: []hearthtest.Edit{edit("core/successor.go", "if err != nil || len(kept) < oftenFounded ||", "if err != nil || len(kept) < oftenFounded+1 ||")}},
}

const often = "moved moved moved_often moved moved_often moved moved_often moved"

// seatOf is the seat that somebody has announced.
func seatOf(h *house, m *insider, name string) wire.SeatID {
	h.T.Helper()
	seat, err := m.p.Client.SeatOf(h.Group, m.leafOf(h.Person(name)))
	m.must(err)
	return seat
}

// garbageCommitted commits what nobody can open.
func garbageCommitted(_ *house, m *insider) {
	b := make([]byte, 3000)
	rand.Read(b)
	m.sendCommit(b, wire.NewSecret().Hash(), nil, nil)
}

// forSome commits what carol and dave cannot follow.
func forSome(h *house, m *insider) {
	pending := leavingOut(h, m, "carol", "dave")
	h.strikes()
	m.sendCommit(pending.Message(), m.token(pending.Staged()).Hash(), nil, nil)
}

// leavingOut makes a commit that some cannot follow: what is sealed to their
// leaves is sealed to other keys.
func leavingOut(h *house, m *insider, names ...string) *mls.PendingCommit {
	h.T.Helper()
	m.commit(mls.CommitOptions{}) // after it our tree knows its hashes
	for _, name := range names {
		n, ok := m.Group.Member(m.leafOf(h.Person(name)))
		if !ok {
			h.T.Fatal("there is no such leaf")
		}
		other, _ := m.forged(m.chain.CredentialOf(m.key.ID()))
		n.EncryptionKey = bytes.Clone(other.Leaf().EncryptionKey)
	}
	pending, err := m.Group.Commit(mls.CommitOptions{})
	m.must(err)
	return pending
}

// seatsStripped commits nothing, and names some seats to the server.
func seatsStripped(h *house, m *insider) { strips(h, m, h.Bob, h.Person("dave")) }

// everySeatStripped leaves nobody but mallory a seat.
func everySeatStripped(h *house, m *insider) { strips(h, m, h.honest()...) }

func strips(h *house, m *insider, people ...*hearthtest.Person) {
	h.T.Helper()
	pending, err := m.Group.Commit(mls.CommitOptions{})
	m.must(err)
	var seats []wire.SeatID
	for _, p := range people {
		seats = append(seats, seatOf(h, m, p.Name))
	}
	m.sendCommit(pending.Message(), m.token(pending.Staged()).Hash(), seats, nil)
}

// bobsSeat announces bob's seat, so that it goes when mallory is removed.
func bobsSeat(h *house, m *insider) {
	m.say(content.KindAnnounce, core.Announcement(seatOf(h, m, "bob")))
	h.Sleep(time.Second)
	removed(h, m)
}

// removed is what the owner does about mallory.
func removed(h *house, m *insider) {
	h.T.Helper()
	_, err := h.Alice.Client.GroupRemove(h.Alice.Patience(), h.Group, []string{"mallory"})
	m.must(err)
}

// asBob renews the leaf with bob's identity.
func asBob(h *house, m *insider) {
	_, bob, _, err := h.Bob.Client.Identity()
	m.must(err)
	c := mls.BasicCredential(bob.CredentialOf(bob.Devices()[0].ID).Marshal())
	m.commit(mls.CommitOptions{Leaf: &mls.LeafChange{Credential: &c}})
}

// asOwner raises the committer.
func asOwner(_ *house, m *insider) {
	s := m.Roster.State()
	s.SetRole(m.chain.Account(), roster.RoleOwner)
	m.commit(changing(s, roster.Change{}))
}

// reInit ends the group for another one.
func reInit(_ *house, m *insider) {
	m.commit(mls.CommitOptions{ReInit: &mls.ReInit{GroupID: []byte("the next one"), Version: 1, Suite: core.Suite, Extensions: m.Group.Extensions()}})
}

// manyProposals commits ten thousand uses of one key.
func manyProposals(h *house, m *insider) {
	keys := make([]mls.PSK, 10_000)
	for i := range keys {
		keys[i] = mls.NewPSK(mls.PSKID{Type: mls.PSKExternal, ID: []byte("?")}, []byte("?"))
	}
	pending, err := m.Group.Commit(mls.CommitOptions{PSKs: keys})
	m.must(err)
	h.strikes()
	m.sendCommit(pending.Message(), m.token(pending.Staged()).Hash(), nil, nil)
}

// farAhead posts under generations that would have to be counted up to.
func farAhead(_ *house, m *insider) {
	for _, generation := range []uint32{1 << 20, 1<<32 - 1} {
		m.post(atGeneration(m, generation))
	}
}

// fromOutside joins by an external commit that puts out the leaf of before.
func fromOutside(_ *house, m *insider) {
	info, err := m.Group.GroupInfo(true, true)
	m.must(err)
	old := m.Group.OwnLeaf()
	msg, g, err := mls.JoinExternally(info, m.member, mls.Lifetime{NotAfter: 1 << 40}, mls.ExternalOptions{Remove: &old, Limits: core.Limits()})
	m.must(err)
	m.sendCommit(msg, m.token(g).Hash(), nil, nil)
}

// byReference proposes by itself that bob goes, and commits by reference.
func byReference(h *house, m *insider) {
	msg, ref, err := m.Group.Propose(mls.Proposal{Type: mls.ProposalRemove, Remove: m.leafOf(h.Bob)}, mls.ProposeOptions{})
	m.must(err)
	m.post(msg)
	m.Group = allowing(m)
	m.commit(mls.CommitOptions{ByReference: [][]byte{ref}})
}

// flooding posts what nobody can read.
func flooding(_ *house, m *insider) {
	for range 300 {
		b := make([]byte, 600)
		rand.Read(b)
		m.post(b)
	}
}

// foundings move the group again and again, until the owner removes who does it.
func foundings(h *house, m *insider) {
	h.Net.Online("mallory")
	for i := range 5 {
		server := h.Server([]string{"away", "home"}[i%2]).URL
		if _, err := h.mallory().Client.GroupMove(h.mallory().Patience(), h.Group, server); err != nil {
			h.T.Fatal(err)
		}
		h.Sleep(time.Second)
	}
	h.Net.Offline("mallory")
	h.Alice.Notice(core.NoticeFoundedOften)
	removed(h, m)
}

// atGeneration seals a message under a generation that its sender never reached;
// no key fits, which nobody may find out by counting up to it.
func atGeneration(m *insider, generation uint32) []byte {
	m.st.T.Helper()
	const marked = 7777
	g := copyOf(m)
	m.must(g.SkipTo(marked))
	b := g.MarshalRatchets()
	next := binary.BigEndian.AppendUint32(nil, marked)
	i := bytes.Index(b, append(next, 0, 32)) // with what follows it: not ended, a secret
	if i < 0 {
		m.st.T.Fatal("the generation was not found in the group's state")
	}
	binary.BigEndian.PutUint32(b[i:], generation)
	g, err := mls.ParseGroup(m.Group.MarshalEpoch(), b)
	m.must(err)
	sealed, err := g.Encrypt(m.envelope(content.KindContent, text(m, "never shown")), 0)
	m.must(err)
	m.Count--
	return sealed
}

// forgedTree puts dave out of step while all others are away, and answers his
// request with a Welcome whose tree is another than the group's.
func forgedTree(h *house, m *insider) {
	pending := leavingOut(h, m, "dave")
	h.strikes()
	link := letter.LinkKey{Epoch: wire.Epoch(m.Group.Epoch()), Key: core.LinkKey(m.Group)}
	var opened wire.SeatOpened
	m.must(m.raw.Ask(wire.OpSeatOpen, wire.SeatOpen{Handle: 1, Room: m.Room, Seat: m.Seat, Secret: m.Secret, Token: m.token(m.Group), Credit: 64}, &opened))
	m.sendCommit(pending.Message(), m.token(pending.Staged()).Hash(), nil, nil)
	m.Group = pending.Staged().Apply()
	q := asksAgain(h, m, link)
	o := carrying(roster.Change{Evidence: []roster.Evidence{q.Evidence}})
	o.Remove, o.Add = []mls.LeafIndex{m.leafOf(h.Person("dave"))}, []*mls.KeyPackage{q.kp}
	back := m.commit(o, m.newSeat())
	forged, err := m.Group.Commit(mls.CommitOptions{}) // a later tree
	m.must(err)
	_, chains := m.Roster.Succeed(0)
	blob, ref, err := letter.SealTree(letter.Tree{Ratchet: forged.RatchetTree(), Chains: chains})
	m.must(err)
	ref.Blob, err = h.PutBlob(m.Room, m.token(m.Group), blob)
	m.must(err)
	body, err := letter.SealWelcome(q.kp, m.key, letter.Wrapper{Welcome: back.Welcome(q.kp.Ref()), Tree: ref, Server: m.Server, Room: m.Room,
		Epoch: wire.Epoch(m.Group.Epoch()), Seat: wire.NewSeatID(m.Room.Region()), SeatSecret: wire.NewSecret(), State: m.Roster.State().Encode(),
		Account: m.chain.Account(), Chain: m.chain.Entries()})
	m.must(err)
	payload, err := letter.Seal(q.door, letter.KindWelcome, body)
	m.must(err)
	m.must(m.knock(q.door, payload))
}

// asking is somebody's request to be put back.
type asking struct {
	roster.Evidence
	kp   *mls.KeyPackage
	door letter.Door
}

// asksAgain reads from the log who asks to be put back.
func asksAgain(h *house, m *insider, link letter.LinkKey) (q asking) {
	h.T.Helper()
	for _, e := range m.raw.Entries(time.Second) {
		if e.Kind != wire.KindNotice {
			continue
		}
		n, err := letter.OpenNotice(m.Room, []letter.LinkKey{link}, e.Payload, func(n letter.Notice) (identity.PublicKey, bool) {
			l, ok := m.Roster.LeafOf(n.Account, n.Device)
			return l.Key, ok
		})
		m.must(err)
		body, err := letter.ParseRejoin(n.Body)
		m.must(err)
		rq, st, err := roster.ParseRejoin(body.Request, m.Roster.Chain)
		m.must(err)
		q.Evidence, q.kp = rq.Evidence, st.KeyPackage
		m.must(wire.Decode(st.Door, &q.door))
		return q
	}
	h.T.Fatal("nobody asks")
	return q
}

// expiringPackage lets somebody in by a KeyPackage that has expired by the time
// at which those who are away read of it.
func expiringPackage(h *house, m *insider) {
	gina := stranger(h.stage, h.Person("gina"))
	kp, _, err := mls.NewKeyPackage(core.Suite, gina.member, mls.Lifetime{NotAfter: uint64(time.Now().Add(time.Minute).Unix())}, nil)
	m.must(err)
	s := m.Roster.State()
	s.Put(gina.chain, roster.RoleMember)
	o := changing(s, roster.Change{Chains: []roster.ChainPart{{Account: gina.chain.Account(), Entries: gina.chain.Entries()}}})
	o.Add = []*mls.KeyPackage{kp}
	h.strikes()
	m.commit(o, m.newSeat())
}

// sameKey adds another leaf for mallory's own device, with the signature key
// that her first one has.
func sameKey(h *house, m *insider) {
	kp, _, err := mls.NewKeyPackage(core.Suite, m.member, mls.Lifetime{NotAfter: 1 << 40}, nil)
	m.must(err)
	key, err := mls.GenerateSignatureKey(core.Suite)
	m.must(err)
	as := func(key []byte) {
		leaf, _ := m.Group.Member(m.Group.OwnLeaf())
		leaf.SignatureKey = key
	}
	// All of it only so that our own side makes such a commit.
	as(key.Public())
	m.Group = copyOf(m) // that counts the other key
	as(m.Group.SignaturePublicKey())
	m.commit(mls.CommitOptions{}) // after it our tree knows its hashes
	as(key.Public())
	m.commit(mls.CommitOptions{Add: []*mls.KeyPackage{kp}, NoPath: true}, m.newSeat())
}
