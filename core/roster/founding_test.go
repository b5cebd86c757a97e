package roster

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// standing is what everybody in the world knows at epoch 7.
func (w *world) standing() Standing {
	return Standing{Newest: w.Roster, Epoch: 7, Transcript: [32]byte{7}, Before: &[32]byte{6}}
}

// founding is a proper one upon epoch 7.
func (w *world) founding() Founding {
	return Founding{Conversation: w.state.ID, Generation: 1, Base: 7, Transcript: [32]byte{7}, Info: [32]byte{1}}
}

// TestFounding holds who may found a successor and upon what, and the attacks of
// insiders on that.
func TestFounding(t *testing.T) {
	type draft struct {
		*world
		Founding
		standing Standing
		by       *person
		device   identity.DeviceKey
	}
	for name, c := range map[string]struct {
		edit func(d *draft)
		want string
	}{
		"an owner, at will":             {func(d *draft) {}, ""},
		"an owner's second device":      {func(d *draft) { d.device = d.alice.devices[1] }, ""},
		"an admin, at will":             {func(d *draft) { d.by = d.bob }, ""},
		"upon the epoch before":         {func(d *draft) { d.Base, d.Transcript = 6, [32]byte{6} }, ""},
		"upon the epoch that is broken": {func(d *draft) { d.Base, d.Transcript = 8, [32]byte{9} }, ""},
		"upon the epoch before ours": {func(d *draft) {
			d.Base, d.Transcript, d.standing.Before = 6, [32]byte{5}, nil
		}, ""},
		"a member, when another is out of step": {func(d *draft) {
			d.by, d.standing.OutOfStep = d.dave, []wire.AccountID{d.carol.id()}
		}, ""},
		"the next, after one that somebody could not follow": {func(d *draft) {
			d.Generation, d.standing.Accepted, d.standing.OutOfStep = 2, 1, []wire.AccountID{d.carol.id()}
		}, ""},

		"a member at will":                    {func(d *draft) { d.by = d.dave }, "nobody is out of step"},
		"a member upon its own word":          {func(d *draft) { d.by, d.standing.OutOfStep = d.dave, []wire.AccountID{d.dave.id()} }, "nobody is out of step"},
		"a member upon a stranger's word":     {func(d *draft) { d.by, d.standing.OutOfStep = d.dave, []wire.AccountID{d.erin.id()} }, "nobody is out of step"},
		"a founder who is not in the base":    {func(d *draft) { d.by = d.erin }, "no leaf"},
		"a device that is not in the base":    {func(d *draft) { d.device = d.alice.link(t) }, "no leaf"},
		"another conversation":                {func(d *draft) { d.Conversation = NewGroupID() }, "another conversation"},
		"the same generation":                 {func(d *draft) { d.Generation = 0 }, "another generation"},
		"a generation far ahead":              {func(d *draft) { d.Generation = 1 << 30 }, "another generation"},
		"a second one of a generation":        {func(d *draft) { d.standing.Accepted = 1 }, "another generation"},
		"the next though all could follow":    {func(d *draft) { d.Generation, d.standing.Accepted = 2, 1 }, "second founding"},
		"an older base":                       {func(d *draft) { d.Base = 5 }, "not the newest"},
		"a base far ahead":                    {func(d *draft) { d.Base = 9 }, "not the newest"},
		"a base that wraps around":            {func(d *draft) { d.Base, d.standing.Epoch = 1<<64-1, 0 }, "not the newest"},
		"another history":                     {func(d *draft) { d.Transcript[31] ^= 1 }, "another history"},
		"another history of the epoch before": {func(d *draft) { d.Base = 6 }, "another history"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := &draft{world: w, Founding: w.founding(), standing: w.standing(), by: w.alice}
			c.edit(d)
			device := d.by.devices[0].ID()
			if d.device != (identity.DeviceKey{}) {
				device = d.device.ID()
			}
			err := d.standing.Judge(d.Founding, d.by.id(), device)
			refusedWith(t, err, c.want)
		})
	}
}

func refusedWith(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Fatal(err)
	case want != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), want)):
		t.Fatalf("got %v, want a refusal: …%s…", err, want)
	}
}

// TestTwoCanFound: of two people one who is alone out of step may found.
func TestTwoCanFound(t *testing.T) {
	w := &world{alice: newPerson(t, 1), bob: newPerson(t, 1), nodes: map[mls.LeafIndex]*mls.LeafNode{}}
	s := NewGroup(NewGroupID(), "two", w.alice.Chain, 0)
	s.Put(w.bob.Chain, RoleMember)
	w.open(t, s, w.alice, w.bob)
	st := w.standing()
	refusedWith(t, st.Judge(w.founding(), w.bob.id(), w.bob.devices[0].ID()), "nobody is out of step")
	st.OutOfStep = []wire.AccountID{w.bob.id()}
	refusedWith(t, st.Judge(w.founding(), w.bob.id(), w.bob.devices[0].ID()), "")
}

// successor opens the successor's group as a founder makes it, changed by edit.
func (w *world) successor(t *testing.T, edit func(s *State, chains *[][][]byte), newer ...*identity.Chain) (*Roster, error) {
	t.Helper()
	s, chains := w.Succeed(1, newer...)
	if edit != nil {
		edit(&s, &chains)
	}
	var nodes []mls.MemberInfo
	for _, p := range []*person{w.alice, w.bob, w.carol, w.dave, w.erin} {
		if _, in := s.Member(p.id()); in {
			nodes = append(nodes, mls.MemberInfo{Index: mls.LeafIndex(len(nodes)), Leaf: p.node(p.devices[0])})
		}
	}
	return JudgeWelcome(s.Encode(), Extensions(s), nodes, chains)
}

// TestSuccessor holds what a founding may lead to, and what a founder would like
// it to.
func TestSuccessor(t *testing.T) {
	drop := func(p func(w *world) *person) func(w *world, s *State, chains *[][][]byte) {
		return func(w *world, s *State, chains *[][][]byte) {
			s.Drop(p(w).id())
			for i, c := range *chains {
				if bytes.Equal(c[0], p(w).Chain.Entries()[0]) {
					*chains = append((*chains)[:i], (*chains)[i+1:]...)
					return
				}
			}
		}
	}
	for name, c := range map[string]struct {
		edit func(w *world, s *State, chains *[][][]byte)
		want string
	}{
		"as it was":             {nil, ""},
		"a member is stripped":  {drop(func(w *world) *person { return w.dave }), "other people"},
		"the admin is stripped": {drop(func(w *world) *person { return w.bob }), "other people"},
		"a stranger comes in": {func(w *world, s *State, chains *[][][]byte) {
			s.Put(w.erin.Chain, RoleMember)
			*chains = append(*chains, w.erin.Chain.Entries())
		}, "other people"},
		"a role is raised":   {func(w *world, s *State, _ *[][][]byte) { s.SetRole(w.dave.id(), RoleOwner) }, "other people or roles"},
		"a role is lowered":  {func(w *world, s *State, _ *[][][]byte) { s.SetRole(w.bob.id(), RoleMember) }, "other people or roles"},
		"another name":       {func(w *world, s *State, _ *[][][]byte) { s.Name = "foes" }, "other settings"},
		"another timer":      {func(w *world, s *State, _ *[][][]byte) { s.Retention = 0 }, "other settings"},
		"another limit":      {func(w *world, s *State, _ *[][][]byte) { s.Limit = 300 }, "other settings"},
		"traced":             {func(w *world, s *State, _ *[][][]byte) { s.Traced = true }, "other settings"},
		"another id":         {func(w *world, s *State, _ *[][][]byte) { s.ID = NewGroupID() }, "another conversation"},
		"its old generation": {func(w *world, s *State, _ *[][][]byte) { s.Generation = 0 }, "another generation"},
		"a later generation": {func(w *world, s *State, _ *[][][]byte) { s.Generation = 2 }, "another generation"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			next, err := w.successor(t, func(s *State, chains *[][][]byte) {
				if c.edit != nil {
					c.edit(w, s, chains)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			refusedWith(t, w.JudgeSuccessor(w.founding(), next), c.want)
		})
	}
	t.Run("a chain that has grown", func(t *testing.T) {
		w := newWorld(t)
		w.dave.link(t)
		next, err := w.successor(t, nil, w.dave.Chain)
		if err != nil {
			t.Fatal(err)
		}
		refusedWith(t, w.JudgeSuccessor(w.founding(), next), "")
		if c, _ := next.Chain(w.dave.id()); c.Len() != w.dave.Chain.Len() {
			t.Error("the successor does not know the new device")
		}
	})
	t.Run("a chain cut back behind a revocation", func(t *testing.T) {
		w := newWorld(t)
		old := w.dave.Chain
		w.dave.link(t)
		w.dave.revoke(t, w.dave.devices[0])
		after, err := w.Judge(w.commit(bob2, func(d *draft) { d.raise(w.dave); d.remove(5) }))
		if err != nil {
			t.Fatal(err)
		}
		now := w.dave.Chain
		w.dave.Chain = old
		next, err := w.successor(t, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.dave.Chain = now
		refusedWith(t, after.JudgeSuccessor(w.founding(), next), "behind a chain")
	})
}

// TestAfter: what a commit does to a successor whose proposals were read though
// it could not be entered.
func TestAfter(t *testing.T) {
	w := newWorld(t)
	accounts := func(r *Roster) (n int) { return len(r.state.Members) }
	got := w.After(w.commit(alice0, func(d *draft) { d.after.Drop(w.dave.id()); d.remove(5) }))
	if _, in := got.state.Member(w.dave.id()); in || accounts(got) != 3 {
		t.Error("who was removed by an owner is still in the successor")
	}
	got = w.After(w.commit(dave5, func(d *draft) { d.after.Drop(w.carol.id()); d.remove(3, 4) }))
	if _, in := got.state.Member(w.dave.id()); in || accounts(got) != 3 || len(got.LeavesOf(w.dave.id())) > 0 {
		t.Error("who signed a change beyond its role is still in the successor")
	}
	if _, in := got.state.Member(w.carol.id()); !in {
		t.Error("its victim is not")
	}
	if _, err := Parse(got.Marshal()); err != nil {
		t.Errorf("the roster does not survive the disk: %v", err)
	}
	got = w.After(w.commit(alice0, func(d *draft) { d.after.Limit = 0 }))
	if accounts(got) != 4 || got.state.Limit != DefaultLimit {
		t.Error("a commit that does not hold has an effect")
	}
}

// TestFoundingCommit: a founder, whatever its role, brings in those whom the
// base names, and nobody else; nobody does it later.
func TestFoundingCommit(t *testing.T) {
	w := newWorld(t)
	s, chains := w.Succeed(1)
	r, err := JudgeWelcome(s.Encode(), Extensions(s), []mls.MemberInfo{{Leaf: w.dave.node(w.dave.devices[0])}}, chains)
	if err != nil {
		t.Fatal(err)
	}
	first := &world{Roster: r, nodes: map[mls.LeafIndex]*mls.LeafNode{0: w.dave.node(w.dave.devices[0])}}
	next, err := r.Judge(first.commit(0, func(d *draft) { d.add(w.alice, w.alice.devices[0], 1); d.add(w.carol, w.carol.devices[0], 2) }))
	refusedWith(t, err, "")
	_, err = r.Judge(first.commit(0, func(d *draft) { d.invite(w.erin, RoleMember, 1) }))
	refusedWith(t, err, "neither owner nor admin")
	_, err = r.Judge(first.commit(0, func(d *draft) { d.after.SetRole(w.dave.id(), RoleOwner) }))
	refusedWith(t, err, "not owner")
	later := &world{Roster: next, nodes: first.nodes}
	_, err = next.Judge(later.commit(0, func(d *draft) { d.add(w.bob, w.bob.devices[0], 3) }))
	refusedWith(t, err, "without its request")
	_, err = next.Judge(later.commit(1, func(d *draft) { d.after.Generation = 2 }))
	refusedWith(t, err, "generation that changes")
}

func FuzzParseFounding(f *testing.F) {
	w := newWorld(f)
	f.Add(w.founding().Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := ParseFounding(b); err == nil && !bytes.Equal(x.Encode(), b) {
			t.Fatalf("accepted %x, encodes to %x", b, x.Encode())
		}
	})
}
