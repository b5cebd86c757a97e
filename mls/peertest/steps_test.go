package peertest

import (
	"fmt"
	"slices"
	"testing"
)

// eachSuite runs a test in every suite, with a peer of its own.
func eachSuite(t *testing.T, of []suite, f func(t *testing.T, p *peer, s suite)) {
	for _, s := range of {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			f(t, startPeer(t), s)
		})
	}
}

// side names who does something, in the names of subtests.
func side(theirs bool) string {
	if theirs {
		return "ts-mls"
	}
	return "ours"
}

// eitherSide runs a test once with the first member in ts-mls, once with it ours.
func eitherSide(t *testing.T, of []suite, f func(t *testing.T, p *peer, s suite, theirs bool)) {
	eachSuite(t, of, func(t *testing.T, p *peer, s suite) {
		for _, theirs := range []bool{true, false} {
			t.Run("by "+side(theirs), func(t *testing.T) { f(t, p, s, theirs) })
		}
	})
}

// TestSteps takes a group created by either side through everything once: the
// other side and more of the same are added, talk, update, remove.
func TestSteps(t *testing.T) {
	eitherSide(t, slices.Concat(suites, others), func(t *testing.T, p *peer, s suite, theirs bool) {
		r := newRoom(t, p, s, theirs)
		creator := r.pick(theirs)

		other := r.newMember(!theirs)
		r.commit(creator, plan{}, other)
		r.converse()
		r.commit(other, plan{inlineTree: true}, r.newMember(theirs), r.newMember(!theirs))
		r.converse()
		for _, m := range slices.Clone(r.members) {
			r.commit(m, plan{})
		}
		r.converse()
		r.commit(other, plan{public: true})
		r.commit(creator, plan{public: true})

		// One out and two in, with one commit by each side.
		r.commit(creator, plan{proposals: []proposal{r.removeOf(r.members[2])}}, r.newMember(true), r.newMember(false))
		r.converse()
		r.commit(other, plan{proposals: []proposal{r.removeOf(r.members[2])}, inlineTree: true}, r.newMember(true), r.newMember(false))
		r.converse()
		r.commit(creator, plan{proposals: []proposal{{Kind: "psk", ID: []byte("first")}}})
		r.commit(other, plan{proposals: []proposal{{Kind: "psk", ID: []byte("first")}, {Kind: "psk", ID: []byte("second")}}}, r.newMember(!theirs))
		r.commit(creator, plan{proposals: []proposal{{Kind: "resumption"}}})
		r.commit(other, plan{proposals: []proposal{{Kind: "resumption"}}, newLeaf: true})
		r.commit(creator, plan{newLeaf: true})
		r.converse()
		r.commit(creator, plan{proposals: []proposal{{Kind: "custom", Type: customProposal, Data: []byte("custom")}}})
		r.commit(other, plan{proposals: []proposal{{Kind: "custom", Type: customProposal}, r.removeOf(creator)}})
		r.commit(other, plan{})
		r.converse()
		t.Log(&r.did)
	})
}

// TestExtensions has the GroupContext extensions replaced; ts-mls cannot commit
// that (see known_test.go), so ours does.
func TestExtensions(t *testing.T) {
	eitherSide(t, suites, func(t *testing.T, p *peer, s suite, theirs bool) {
		r := newRoom(t, p, s, theirs, extension{groupExtension, []byte("as created")})
		r.commit(r.pick(theirs), plan{}, r.newMember(!theirs), r.newMember(theirs))
		ours := r.pick(false)
		for _, data := range []string{"", "changed", "changed again"} {
			r.commit(ours, plan{proposals: []proposal{{Kind: "extensions", Extensions: []extension{{groupExtension, []byte(data)}}}}})
			r.commit(r.pick(true), plan{}, r.newMember(true), r.newMember(false))
			r.converse()
		}
	})
}

// TestByReference has proposals of both sides committed by reference by either.
func TestByReference(t *testing.T) {
	eitherSide(t, suites, func(t *testing.T, p *peer, s suite, theirs bool) {
		r := newRoom(t, p, s, theirs)
		creator, other := r.pick(theirs), r.newMember(!theirs)
		r.commit(creator, plan{}, other, r.newMember(true), r.newMember(true), r.newMember(false), r.newMember(false))
		for _, public := range []bool{true, false} {
			t.Run(fmt.Sprintf("public=%v", public), func(t *testing.T) {
				r.t = t
				for _, committer := range []member{creator, other} {
					for _, m := range r.members[2:4] {
						r.propose(m, proposal{Kind: "update"}, public)
					}
					joiner := r.newMember(public)
					r.propose(r.members[2], addOf(joiner), public)
					r.propose(r.members[3], r.removeOf(r.members[4]), public)
					r.commitProposed(committer, joiner)
					r.converse()
				}
			})
		}
	})
}

// TestExternalJoin has either kind join by an external commit on a GroupInfo of
// either kind, with and without the tree in it.
func TestExternalJoin(t *testing.T) {
	eitherSide(t, suites, func(t *testing.T, p *peer, s suite, theirs bool) {
		r := newRoom(t, p, s, theirs)
		r.commit(r.pick(theirs), plan{}, r.newMember(!theirs), r.newMember(false))
		for _, joiner := range []bool{true, false} {
			for _, inlineTree := range []bool{true, false} {
				j := r.newMember(joiner)
				r.joinExternally(j, r.pick(theirs), inlineTree)
				r.converse()
				r.commit(j, plan{})
			}
		}
	})
}

// TestOrder delivers messages in order, reversed, and across a gap, and each a
// second time, which must be refused.
func TestOrder(t *testing.T) {
	eitherSide(t, suites, func(t *testing.T, p *peer, s suite, theirs bool) {
		r := newRoom(t, p, s, theirs)
		r.commit(r.pick(theirs), plan{}, r.newMember(!theirs), r.newMember(true), r.newMember(false))
		for _, from := range slices.Clone(r.members) {
			var letters []letter
			for i := range 12 {
				letters = append(letters, r.write(from, make([]byte, 100*i)))
			}
			r.deliver(letters[:4], func([]letter) {})
			r.deliver(letters[8:], slices.Reverse[[]letter])
			r.deliver(letters[4:8], slices.Reverse[[]letter])
			for _, l := range letters {
				r.refuse(l)
			}
		}
		if r.did.outOfOrder == 0 || r.did.refused == 0 {
			t.Errorf("nothing was out of order or refused: %v", &r.did)
		}
	})
}

// TestLost has both sides commit at once, several times: one wins, the other
// drops what it made and processes the winner.
func TestLost(t *testing.T) {
	eitherSide(t, suites, func(t *testing.T, p *peer, s suite, theirs bool) {
		r := newRoom(t, p, s, theirs)
		r.commit(r.pick(theirs), plan{}, r.newMember(!theirs), r.newMember(true), r.newMember(false))
		for range 3 {
			r.loseTo(r.pick(!theirs), r.pick(theirs), plan{})
			r.loseTo(r.pick(theirs), r.pick(!theirs), plan{})
			r.converse()
		}
	})
}
