package peertest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
)

// A room is one group with everybody who is in it. Its methods do a step with
// all members and fail the test when any of them disagrees.
type room struct {
	t       testing.TB
	suite   uint16
	peer    *peer
	members []member
	named   int // members ever made, for their names
	did     tally
}

// A tally of what was done.
type tally struct {
	commits, byThem, byReference, lost                   int
	joins, joinsByThem, inline, external, externalTheirs int
	proposals, removals                                  int
	messages, deliveries, outOfOrder, refused            int
	largest                                              int
}

func (d tally) String() string {
	return fmt.Sprintf("%d commits (%d by ts-mls, %d with proposals by reference, %d lost to another), "+
		"%d joins (%d in ts-mls, %d with an inline tree) and %d external ones (%d in ts-mls), "+
		"%d proposals, %d removals, %d messages delivered %d times (%d out of order, %d more refused as used), at most %d members",
		d.commits, d.byThem, d.byReference, d.lost, d.joins, d.joinsByThem, d.inline, d.external, d.externalTheirs,
		d.proposals, d.removals, d.messages, d.deliveries, d.outOfOrder, d.refused, d.largest)
}

// newMember makes a client with a key package; it is in no group yet.
func (r *room) newMember(theirs bool) member {
	r.t.Helper()
	r.named++
	var m member
	var err error
	if theirs {
		m, err = newGuest(r.peer, r.suite, fmt.Sprintf("guest %d", r.named))
	} else {
		m, err = newHost(r.suite, fmt.Sprintf("host %d", r.named))
	}
	r.check(err)
	return m
}

func (r *room) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// checkBy is check with the name of the member it happened to.
func (r *room) checkBy(m member, doing string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %s: %v", m.name(), doing, err)
	}
}

// newRoom makes a room with one member, who created it.
func newRoom(t testing.TB, p *peer, s suite, theirs bool, extensions ...extension) *room {
	t.Helper()
	r := &room{t: t, suite: s.number, peer: p}
	m := r.newMember(theirs)
	r.checkBy(m, "create", m.create([]byte("a group of "+m.name()), extensions))
	r.members = []member{m}
	r.agree()
	return r
}

// index is the leaf of a member.
func (r *room) index(m member) uint32 {
	r.t.Helper()
	s, err := m.status()
	r.checkBy(m, "status", err)
	return s.own
}

// addOf is the proposal that adds a client.
func addOf(m member) proposal { return proposal{Kind: "add", KeyPackage: m.keyPackage()} }

// removeOf is the proposal that removes one.
func (r *room) removeOf(m member) proposal { return proposal{Kind: "remove", Index: r.index(m)} }

// commit has one member commit and all others process it; joiners join, and who
// is removed leaves the room. Then all must agree.
func (r *room) commit(by member, p plan, joiners ...member) {
	r.t.Helper()
	for _, j := range joiners {
		p.proposals = append(p.proposals, addOf(j))
	}
	m, err := by.commit(p)
	r.checkBy(by, "commit", err)
	r.deliverCommit(by, m.message)
	r.checkBy(by, "apply", by.apply())
	for _, j := range joiners {
		var tree []byte
		if !p.inlineTree {
			tree = m.tree
		}
		r.checkBy(j, "join what "+by.name()+" wrote", j.join(m.welcome(j.keyPackage()), tree))
		r.joined(j)
		if p.inlineTree {
			r.did.inline++
		}
	}
	r.agree()
}

// deliverCommit has everybody but the sender process a commit.
func (r *room) deliverCommit(by member, message []byte) {
	r.t.Helper()
	r.did.commits++
	if by.theirs() {
		r.did.byThem++
	}
	stay := r.members[:0:0]
	for _, m := range r.members {
		if m == by {
			stay = append(stay, m)
			continue
		}
		o, err := m.process(message)
		r.checkBy(m, "process the commit of "+by.name(), err)
		if o.kind != "commit" {
			r.t.Fatalf("%s: took a commit of %s for %q", m.name(), by.name(), o.kind)
		}
		if o.removed {
			r.did.removals++
			m.forget()
			continue
		}
		stay = append(stay, m)
	}
	r.members = stay
}

// joinExternally has somebody outside join by an external commit on the
// GroupInfo of a member.
func (r *room) joinExternally(j, of member, inlineTree bool) {
	r.t.Helper()
	info, err := of.groupInfo(inlineTree)
	r.checkBy(of, "group info", err)
	var tree []byte
	if !inlineTree {
		tree, err = of.tree()
		r.checkBy(of, "tree", err)
	}
	commit, err := j.joinExternally(info, tree)
	r.checkBy(j, "join externally by the GroupInfo of "+of.name(), err)
	r.deliverCommit(j, commit)
	r.checkBy(j, "apply", j.apply())
	r.members = append(r.members, j)
	r.did.external++
	if j.theirs() {
		r.did.externalTheirs++
	}
	r.agree()
}

// propose has one member propose and all others take note.
func (r *room) propose(by member, p proposal, public bool) {
	r.t.Helper()
	message, err := by.propose(p, public)
	r.checkBy(by, "propose "+p.Kind, err)
	r.did.proposals++
	for _, m := range r.members {
		if m == by {
			continue
		}
		o, err := m.process(message)
		r.checkBy(m, "process the proposal ("+p.Kind+") of "+by.name(), err)
		if o.kind != "proposal" {
			r.t.Fatalf("%s: took a proposal of %s for %q", m.name(), by.name(), o.kind)
		}
	}
}

// agree fails unless all members are in the same state, and each at a leaf of
// its own.
func (r *room) agree() {
	r.t.Helper()
	r.did.largest = max(r.did.largest, len(r.members))
	var first status
	at := map[uint32]string{}
	for i, m := range r.members {
		s, err := m.status()
		r.checkBy(m, "status", err)
		if other, taken := at[s.own]; taken {
			r.t.Fatalf("%s and %s are both at leaf %d", other, m.name(), s.own)
		}
		at[s.own] = m.name()
		s.own = 0
		if i == 0 {
			first = s
			// A value that is missing everywhere is equal everywhere.
			if len(s.authenticator) < 32 || len(s.exported) < 32 || len(s.treeHash) < 32 {
				r.t.Fatalf("%s: a status has a short value", m.name())
			}
		}
		if s != first {
			r.t.Fatalf("%s is in epoch %d with authenticator %x, exporter %x, tree hash %x, transcript hash %x;\n%s in epoch %d with %x, %x, %x, %x",
				r.members[0].name(), first.epoch, first.authenticator, first.exported, first.treeHash, first.transcript,
				m.name(), s.epoch, s.authenticator, s.exported, s.treeHash, s.transcript)
		}
	}
}

// A letter is an application message on its way.
type letter struct {
	from    member
	data    []byte
	message []byte
}

// write has a member encrypt a message, which nobody gets yet.
func (r *room) write(from member, data []byte) letter {
	r.t.Helper()
	message, err := from.encrypt(data)
	r.checkBy(from, "encrypt", err)
	r.did.messages++
	return letter{from, data, message}
}

// deliver hands letters to everybody but their senders, in the order that
// arrange gives for each receiver.
func (r *room) deliver(letters []letter, arrange func([]letter)) {
	r.t.Helper()
	for _, m := range r.members {
		order := slices.Clone(letters)
		arrange(order)
		for i, l := range order {
			if l.from == m {
				continue
			}
			o, err := m.process(l.message)
			r.checkBy(m, "decrypt a message of "+l.from.name(), err)
			if o.kind != "application" || !bytes.Equal(o.data, l.data) {
				r.t.Fatalf("%s: a message of %s came as %q with %d bytes, want %d", m.name(), l.from.name(), o.kind, len(o.data), len(l.data))
			}
			r.did.deliveries++
			if !bytes.Equal(l.message, letters[i].message) {
				r.did.outOfOrder++
			}
		}
	}
}

// refuse has everybody but the sender refuse a letter that they had already.
func (r *room) refuse(l letter) {
	r.t.Helper()
	for _, m := range r.members {
		if m == l.from {
			continue
		}
		if o, err := m.process(l.message); err == nil {
			r.t.Fatalf("%s: took a message of %s twice, the second time as %q", m.name(), l.from.name(), o.kind)
		}
		r.did.refused++
	}
}

// pick gives the first member of a kind.
func (r *room) pick(theirs bool) member {
	r.t.Helper()
	for _, m := range r.members {
		if m.theirs() == theirs {
			return m
		}
	}
	r.t.Fatal("no member of that kind")
	return nil
}

// converse has everybody say something that all others read.
func (r *room) converse() {
	r.t.Helper()
	var letters []letter
	for _, m := range r.members {
		letters = append(letters, r.write(m, []byte("from "+m.name())))
	}
	r.deliver(letters, func([]letter) {})
}

// commitProposed has a member commit what was proposed, by reference; the added
// ones join.
func (r *room) commitProposed(by member, joiners ...member) {
	r.t.Helper()
	m, err := by.commit(plan{})
	r.checkBy(by, "commit by reference", err)
	r.deliverCommit(by, m.message)
	r.checkBy(by, "apply", by.apply())
	r.did.byReference++
	for _, j := range joiners {
		r.checkBy(j, "join what "+by.name()+" wrote", j.join(m.welcome(j.keyPackage()), m.tree))
		r.joined(j)
	}
	r.agree()
}

// loseTo has two members commit at once and the second one win.
func (r *room) loseTo(loser, winner member, p plan, joiners ...member) {
	r.t.Helper()
	_, err := loser.commit(plan{})
	r.checkBy(loser, "commit", err)
	r.checkBy(loser, "drop", loser.drop())
	r.did.lost++
	r.commit(winner, p, joiners...)
}

// joined notes that a welcomed client is a member now.
func (r *room) joined(m member) {
	r.members = append(r.members, m)
	r.did.joins++
	if m.theirs() {
		r.did.joinsByThem++
	}
}
