package core_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"hearth/content"
	"hearth/core"
	"hearth/core/roster"
	"hearth/hearthtest"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// The evil member: it holds what its own client holds, and says what that never
// would. Its client is offline meanwhile.

func TestDeviations(t *testing.T) { hearthtest.Play(t, deviations()) }

func TestEveryCheckMatters(t *testing.T) {
	hearthtest.Checks(t, "core", map[string][]hearthtest.Deviation{"TestDeviations": deviations(), "TestHostile": hostile()})
}

// TestManyDeviations: with those of servers, which are in package hearthtest,
// there are far more than forty.
func TestManyDeviations(t *testing.T) {
	names := map[string]bool{}
	for _, d := range deviations() {
		if names[d.Name] {
			t.Errorf("two deviations are called %q", d.Name)
		}
		names[d.Name] = true
	}
	if len(names) < 40 {
		t.Errorf("%d deviations of members and strangers, want 40", len(names))
	}
}

func deviations() (all []hearthtest.Deviation) {
	for _, list := range [][]hearthtest.Deviation{commitDeviations, messageDeviations, receiptDeviations, inviteDeviations, coups} {
		all = append(all, list...)
	}
	return all
}

type stage = hearthtest.Stage

// deviation is one of the lists' entries.
func deviation(name string, run func(*stage), edits ...hearthtest.Edit) hearthtest.Deviation {
	return hearthtest.Deviation{Name: name, Run: run, Edits: edits}
}

func edit(file, old, new string) hearthtest.Edit {
	return hearthtest.Edit{File: file, Old: old, New: new}
}

// afterIt is a message by which the others' place in the log can be told.
const afterIt = "said afterwards"

// insider is somebody who has turned on the others.
type insider struct {
	core.Inside
	st     *stage
	p      *hearthtest.Person
	raw    *hearthtest.Raw
	key    identity.DeviceKey
	chain  *identity.Chain
	member mls.Member
	giveUp bool // what is refused ends the deed, not the test
}

// turn makes an insider of a person, in a conversation.
func turn(st *stage, p *hearthtest.Person, conversation string) *insider {
	st.T.Helper()
	m := stranger(st, p)
	var err error
	m.Inside, err = p.Client.Inside(conversation)
	m.must(err)
	return m
}

// stranger makes an insider of a person who need not be in any conversation.
func stranger(st *stage, p *hearthtest.Person) *insider {
	st.T.Helper()
	m := &insider{st: st, p: p}
	st.Net.Offline(p.Name)
	st.Sleep(time.Second)
	m.raw = st.Raw("insider")
	var err error
	m.key, m.chain, m.member, err = p.Client.Identity()
	m.must(err)
	return m
}

func (m *insider) must(err error) {
	m.st.T.Helper()
	if err != nil && m.giveUp {
		panic(givenUp{err})
	}
	if err != nil {
		m.st.T.Fatal(err)
	}
}

func (m *insider) token(e interface {
	Export(string, []byte, int) ([]byte, error)
}) wire.Secret {
	m.st.T.Helper()
	t, err := core.PostToken(e, m.Room)
	m.must(err)
	return t
}

// post posts bytes as they are.
func (m *insider) post(payload []byte) {
	m.st.T.Helper()
	m.must(m.raw.Ask(wire.OpRoomPost, wire.RoomPost{Room: m.Room, Epoch: wire.Epoch(m.Group.Epoch()), Token: m.token(m.Group),
		Payload: payload, TTL: 3600}, new(wire.Appended)))
}

// envelope is the next of the member's, right in all but what change does.
func (m *insider) envelope(kind content.EnvelopeKind, body []byte, change ...func(*content.Envelope)) []byte {
	m.st.T.Helper()
	m.Count++
	e := content.Envelope{Kind: kind, Count: m.Count, Ends: time.Now().Add(time.Hour).Unix(), Commit: m.Commit, CommitHash: core.CommitHash(m.Group), Body: body}
	for _, f := range change {
		f(&e)
	}
	b, err := e.Encode()
	m.must(err)
	return b
}

// seal encrypts an envelope as a client does.
func (m *insider) seal(plain []byte) []byte {
	m.st.T.Helper()
	b, err := m.Group.Encrypt(plain, content.PadTo(len(plain)))
	m.must(err)
	return b
}

// say posts one envelope.
func (m *insider) say(kind content.EnvelopeKind, body []byte, change ...func(*content.Envelope)) {
	m.st.T.Helper()
	m.post(m.seal(m.envelope(kind, body, change...)))
}

// text is the body of a text message, right in all but what change does.
func text(m *insider, s string, change ...func(*content.Message)) []byte {
	m.st.T.Helper()
	msg, err := content.NewText(s, content.Options{Sent: time.Now()})
	m.must(err)
	for _, f := range change {
		f(msg)
	}
	b, err := msg.Encode()
	m.must(err)
	return b
}

// afterwards says something proper, which the others must hear.
func (m *insider) afterwards(others ...*hearthtest.Person) {
	m.st.T.Helper()
	m.say(content.KindContent, text(m, afterIt))
	for _, p := range others {
		p.Expect(afterIt)
	}
}

// commit posts a commit with what it changes, and enters its epoch.
func (m *insider) commit(o mls.CommitOptions, seats ...wire.NewSeat) *mls.PendingCommit {
	m.st.T.Helper()
	pending, err := m.Group.Commit(o)
	m.must(err)
	var gone []wire.SeatID
	for range o.Remove {
		gone = append(gone, wire.NewSeatID(m.Room.Region()))
	}
	m.sendCommit(pending.Message(), m.token(pending.Staged()).Hash(), gone, seats)
	m.Group = pending.Staged().Apply()
	return pending
}

func (m *insider) sendCommit(payload []byte, next wire.SecretHash, gone []wire.SeatID, seats []wire.NewSeat) {
	m.st.T.Helper()
	var a wire.Appended
	m.must(m.raw.Ask(wire.OpRoomCommit, wire.RoomCommit{Room: m.Room, Epoch: wire.Epoch(m.Group.Epoch()), Seat: m.Seat, SeatSecret: m.Secret,
		Token: m.token(m.Group), Payload: payload, NewHash: next, Add: seats, Remove: gone}, &a))
	m.Commit = a.Number
}

// changing returns the options of a commit that leads to a state, with what
// proves it.
func changing(after roster.State, c roster.Change) mls.CommitOptions {
	c.State = after.Encode()
	o := carrying(c)
	o.Extensions = roster.Extensions(after)
	return o
}

// carrying returns the options of a commit that carries a change.
func carrying(c roster.Change) mls.CommitOptions {
	return mls.CommitOptions{Custom: []mls.CustomProposal{{Type: roster.ChangeProposal, Data: c.Encode()}}}
}

// account returns a person's account id.
func account(p *hearthtest.Person) wire.AccountID {
	_, chain, _, err := p.Client.Identity()
	if err != nil {
		panic(err)
	}
	return chain.Account()
}

// leafOf returns a person's leaf, as the insider sees it.
func (m *insider) leafOf(p *hearthtest.Person) mls.LeafIndex {
	m.st.T.Helper()
	l := m.Roster.LeavesOf(account(p))
	if len(l) != 1 {
		m.st.T.Fatalf("%s has %d leaves", p.Name, len(l))
	}
	return l[0].Index
}

// group is what a person's client says of the group, but for what is in step.
func group(st *stage, p *hearthtest.Person) core.Room {
	r := p.Room(st.Group)
	r.State, r.Unread, r.Epoch = "", 0, 0
	return r
}

// mustRefuse has an insider commit something that the others refuse: they say so
// and see the group as it was.
func mustRefuse(st *stage, m *insider, do func(m *insider)) {
	st.T.Helper()
	var others []*hearthtest.Person
	before := map[string]core.Room{}
	for _, p := range []*hearthtest.Person{st.Alice, st.Bob, st.Carol} {
		if p != m.p {
			others = append(others, p)
			before[p.Name] = group(st, p)
		}
	}
	do(m)
	for _, p := range others {
		p.Notice(core.NoticeOutOfStep)
		if got := p.State(st.Group); got != core.RoomOutOfStep {
			st.T.Errorf("%s's room is %s", p.Name, got)
		}
		if got := group(st, p); !reflect.DeepEqual(got, before[p.Name]) {
			st.T.Errorf("%s sees the group as\n%+v, want\n%+v", p.Name, got, before[p.Name])
		}
	}
}

// refused is a deviation that is one commit of carol's, a plain member.
func refused(name string, do func(m *insider), edits ...hearthtest.Edit) hearthtest.Deviation {
	return deviation(name, func(st *stage) { mustRefuse(st, turn(st, st.Carol, st.Group), do) }, edits...)
}

// refusedOfOwner is one of alice's, the owner.
func refusedOfOwner(name string, do func(m *insider), edits ...hearthtest.Edit) hearthtest.Deviation {
	return deviation(name, func(st *stage) { mustRefuse(st, turn(st, st.Alice, st.Group), do) }, edits...)
}

func isCode(err error, code wire.Code) bool { return errors.Is(err, &wire.Error{Code: code}) }
