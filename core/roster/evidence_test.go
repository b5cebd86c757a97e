package roster

import (
	"strings"
	"testing"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// TestRefusedEvidence: what a signed statement is worth, and when it is spent.
func TestRefusedEvidence(t *testing.T) {
	goes := func(d *draft) { d.after.Drop(d.w.carol.id()); d.remove(3, 4) }
	refresh := func(change func(w *world, d *draft, k identity.DeviceKey, n *mls.LeafNode) Evidence) func(*testing.T, *world, *draft) {
		return func(t *testing.T, w *world, d *draft) {
			k := w.alice.devices[1]
			d.remove(1)
			d.evidence = append(d.evidence, change(w, d, k, d.add(w.alice, k, 1)))
		}
	}
	run(t, map[string]row{
		"a leave that leaves out a leaf": {dave5, func(t *testing.T, w *world, d *draft) {
			goes(d)
			d.evidence = append(d.evidence, w.leave(w.carol, w.carol.devices[0], 3))
		}, "role does not allow"},
		"a leave signed by another": {dave5, func(t *testing.T, w *world, d *draft) {
			goes(d)
			d.evidence = append(d.evidence, w.leave(w.carol, w.dave.devices[0], 3, 4))
		}, "signer is not a live device"},
		"a leave signed by a device since revoked": {dave5, func(t *testing.T, w *world, d *draft) {
			e := w.leave(w.carol, w.carol.devices[1], 3, 4)
			w.carol.revoke(t, w.carol.devices[1])
			goes(d)
			d.chains = append(d.chains, w.carol.Chain)
			d.evidence = append(d.evidence, e)
		}, "signer is not a live device"},
		"a leave of another conversation": {dave5, func(t *testing.T, w *world, d *draft) {
			goes(d)
			id := w.state.ID
			w.state.ID = NewGroupID()
			d.evidence = append(d.evidence, w.leave(w.carol, w.carol.devices[0], 3, 4))
			w.state.ID = id
		}, "another conversation"},
		"a leave from ahead of the chain": {dave5, func(t *testing.T, w *world, d *draft) {
			w.carol.link(t)
			goes(d)
			d.evidence = append(d.evidence, w.leave(w.carol, w.carol.devices[0], 3, 4))
		}, "ahead of the chain"},
		"a leave that was altered": {dave5, func(t *testing.T, w *world, d *draft) {
			goes(d)
			e := w.leave(w.carol, w.carol.devices[0], 3, 4)
			e.Signature[5] ^= 1
			d.evidence = append(d.evidence, e)
		}, "signer is not a live device"},
		"a leave of a stranger": {dave5, func(t *testing.T, w *world, d *draft) {
			d.evidence = append(d.evidence, w.leave(w.erin, w.erin.devices[0]))
		}, "not in the roster"},
		"a request by an account that this commit adds": {alice0, func(t *testing.T, w *world, d *draft) {
			k := w.erin.devices[0]
			d.after.Put(w.erin.Chain, RoleMember)
			d.chains = append(d.chains, w.erin.Chain)
			d.evidence = append(d.evidence, w.rejoin(w.erin, k, d.add(w.erin, k, free)))
		}, "evidence of an account that is not in the roster"},
		"evidence of another version": {dave5, func(t *testing.T, w *world, d *draft) {
			goes(d)
			body := wire.Encode(leave{Version: 2, Conversation: w.state.ID, Account: w.carol.id(), Device: w.carol.devices[0].ID(), Position: w.carol.Chain.Position()})
			d.evidence = append(d.evidence, Evidence{Kind: EvidenceLeave, Body: body, Signature: w.carol.devices[0].Sign(identity.LabelLeave, body)})
		}, "evidence of another version"},
		"more evidence than a change may carry": {dave5, func(t *testing.T, w *world, d *draft) {
			d.evidence = make([]Evidence, MaxLimit+1)
		}, "carries too much"},
		"a leave that is not carried out": {dave5, func(t *testing.T, w *world, d *draft) {
			d.evidence = append(d.evidence, w.leave(w.carol, w.carol.devices[0], 3, 4))
		}, "proves nothing"},
		"a leave after which the account stays": {dave5, func(t *testing.T, w *world, d *draft) {
			d.remove(3, 4)
			d.evidence = append(d.evidence, w.leave(w.carol, w.carol.devices[0], 3, 4))
		}, "account stays in the roster"},
		"a leave signed as a rejoin": {dave5, func(t *testing.T, w *world, d *draft) {
			goes(d)
			e := w.leave(w.carol, w.carol.devices[0], 3, 4)
			e.Signature = w.carol.devices[0].Sign(identity.LabelRejoin, e.Body)
			d.evidence = append(d.evidence, e)
		}, "signer is not a live device"},
		"a leave told as a rejoin": {dave5, func(t *testing.T, w *world, d *draft) {
			goes(d)
			e := w.leave(w.carol, w.carol.devices[0], 3, 4)
			e.Kind = EvidenceRejoin
			d.evidence = append(d.evidence, e)
		}, "evidence could not be read"},
		"evidence of an unknown kind": {dave5, func(t *testing.T, w *world, d *draft) { d.evidence = append(d.evidence, Evidence{Kind: 3}) }, "a kind that there is not"},
		"a rejoin for another's leaf": {carol3, refresh(func(w *world, d *draft, k identity.DeviceKey, n *mls.LeafNode) Evidence {
			return w.rejoin(w.alice, k, n, 0)
		}), "without evidence that names it"},
		"a rejoin by a sibling": {carol3, refresh(func(w *world, d *draft, k identity.DeviceKey, n *mls.LeafNode) Evidence {
			return w.rejoin(w.alice, w.alice.devices[0], n, 1)
		}), "without evidence that names it"},
		"a rejoin that adds another leaf": {carol3, refresh(func(w *world, d *draft, k identity.DeviceKey, n *mls.LeafNode) Evidence {
			return w.rejoin(w.alice, k, w.alice.node(k), 1)
		}), "without evidence that names it"},
		"a rejoin that names too many leaves": {carol3, refresh(func(w *world, d *draft, k identity.DeviceKey, n *mls.LeafNode) Evidence {
			return w.rejoin(w.alice, k, n, make([]mls.LeafIndex, maxNamed+1)...)
		}), "names too many leaves"},
		"a rejoin whose leaf does not come": {carol3, func(t *testing.T, w *world, d *draft) {
			k := w.alice.devices[1]
			d.remove(1)
			d.evidence = append(d.evidence, w.rejoin(w.alice, k, w.alice.node(k), 1))
		}, "without evidence that names it"},
		"an Add for a device that has a leaf": {carol3, func(t *testing.T, w *world, d *draft) {
			k := w.alice.devices[1]
			d.evidence = append(d.evidence, w.rejoin(w.alice, k, d.add(w.alice, k, free), 1))
		}, "a second leaf of one device"},
	})
}

// TestEvidenceIsSpent replays statements after they were carried out.
func TestEvidenceIsSpent(t *testing.T) {
	w := newWorld(t)
	k := w.alice.devices[1]
	n := w.alice.node(k)
	request := w.rejoin(w.alice, k, n, 1)
	refresh := func(d *draft) {
		d.remove(1)
		d.Added = append(d.Added, mls.MemberInfo{Index: 1, Leaf: n})
		d.evidence = append(d.evidence, request)
	}
	apply := func(by mls.LeafIndex, edit func(*draft)) {
		t.Helper()
		after, err := w.Judge(w.commit(by, edit))
		if err != nil {
			t.Fatal(err)
		}
		w.Roster = after
	}
	refused := func(by mls.LeafIndex, edit func(*draft), want string) {
		t.Helper()
		if _, err := w.Judge(w.commit(by, edit)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want …%s…", err, want)
		}
	}
	apply(carol3, refresh)
	w.nodes[1] = n
	refused(carol3, refresh, "without evidence that names it") // names the leaf that is gone, not the new one

	word := w.leave(w.dave, w.dave.devices[0], 5)
	goes := func(d *draft) {
		d.after.Drop(w.dave.id())
		d.remove(5)
		d.evidence = append(d.evidence, word)
	}
	apply(carol3, goes)
	back := w.dave.node(w.dave.devices[0])
	apply(bob2, func(d *draft) {
		d.after.Put(w.dave.Chain, RoleMember)
		d.chains = append(d.chains, w.dave.Chain)
		d.Added = append(d.Added, mls.MemberInfo{Index: 5, Leaf: back})
	})
	w.nodes[5] = back
	refused(carol3, goes, "role does not allow") // dave is back with another leaf

	// A person whose device was revoked has no leaf; an old leave is spent too.
	old := w.leave(w.carol, w.carol.devices[0], 3, 4)
	w.carol.revoke(t, w.carol.devices[1])
	fresh := w.carol.devices[0]
	lost := w.carol.link(t)
	w.carol.revoke(t, fresh)
	apply(bob2, func(d *draft) { d.raise(w.carol); d.remove(3, 4) })
	word = w.leave(w.carol, lost, 3, 4)
	for _, e := range []Evidence{old, word} {
		if _, err := w.Judge(w.commit(5, func(d *draft) {
			d.after.Drop(w.carol.id())
			d.evidence = append(d.evidence, e)
		})); err == nil {
			t.Error("a leave of leaves that are gone was carried out")
		}
	}
}
