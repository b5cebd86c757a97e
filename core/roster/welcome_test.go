package roster

import (
	"errors"
	"strings"
	"testing"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// TestJudgeWelcome: what a joiner, a founder and a replay from disk refuse.
func TestJudgeWelcome(t *testing.T) {
	type welcome struct {
		w       *world
		s       State
		exts    []mls.Extension // nil: those of s
		raw     []byte          // nil: s encoded
		members []mls.MemberInfo
		chains  [][][]byte
	}
	for name, row := range map[string]struct {
		edit func(t *testing.T, in *welcome)
		want string
	}{
		"the group as it is": {func(t *testing.T, in *welcome) {}, ""},
		"chains with entries behind the group's": {func(t *testing.T, in *welcome) {
			in.w.dave.link(t)
			in.chains[3] = in.w.dave.Chain.Entries()
		}, ""},
		"an account without a leaf":    {func(t *testing.T, in *welcome) { in.members = in.members[:5] }, ""},
		"a state that is not signed":   {func(t *testing.T, in *welcome) { in.exts = Extensions(in.s); in.s.Name = "x" }, "not the one that the group has signed"},
		"a role that is not signed":    {func(t *testing.T, in *welcome) { in.exts = Extensions(in.s); in.s.SetRole(in.w.dave.id(), RoleOwner) }, "not the one that the group has signed"},
		"no extensions":                {func(t *testing.T, in *welcome) { in.exts = []mls.Extension{} }, "not the one that the group has signed"},
		"an unreadable state":          {func(t *testing.T, in *welcome) { in.raw = []byte{0xff} }, "could not be read"},
		"a state with a trailing byte": {func(t *testing.T, in *welcome) { in.raw = append(in.s.Encode(), 0) }, "could not be read"},
		"a missing chain":              {func(t *testing.T, in *welcome) { in.chains = in.chains[1:] }, "chain of a member is missing"},
		"a chain twice":                {func(t *testing.T, in *welcome) { in.chains = append(in.chains, in.chains[0]) }, "or twice"},
		"a stranger's chain":           {func(t *testing.T, in *welcome) { in.chains = append(in.chains, in.w.erin.Chain.Entries()) }, "not in the roster"},
		"an older chain than signed":   {func(t *testing.T, in *welcome) { in.chains[0] = in.chains[0][:1] }, "not the one the group knows"},
		"a forked chain": {func(t *testing.T, in *welcome) {
			c, _, err := mustPrefix(t, in.w.alice.Chain, 1).AddDevice(in.w.alice.Device, identity.NewDeviceKey().Candidate(in.w.alice.id()))
			if err != nil {
				t.Fatal(err)
			}
			in.chains[0] = c.Entries()
		}, "not the one the group knows"},
		"a chain that does not verify": {func(t *testing.T, in *welcome) { in.chains[0] = in.chains[0][1:] }, "chain"},
		"a ghost's leaf": {func(t *testing.T, in *welcome) {
			ghost := identity.NewDeviceKey()
			in.members = append(in.members, mls.MemberInfo{Index: 6, Leaf: in.w.dave.node(ghost)})
		}, "a device that the chain does not hold"},
		"a ghost's key on a member's leaf": {func(t *testing.T, in *welcome) {
			n := nodeFor(in.w.dave.Chain.CredentialOf(in.w.dave.devices[0].ID()), identity.NewDeviceKey().Public())
			in.members[5].Leaf = n
		}, "whose key is not its device's"},
		"a leaf of an account not in the roster": {func(t *testing.T, in *welcome) {
			in.members = append(in.members, mls.MemberInfo{Index: 6, Leaf: in.w.erin.node(in.w.erin.devices[0])})
		}, "not in the roster"},
		"two leaves of one device": {func(t *testing.T, in *welcome) {
			in.members = append(in.members, mls.MemberInfo{Index: 6, Leaf: in.w.dave.node(in.w.dave.devices[0])})
		}, "a second leaf of one device"},
		"two leaves in one place": {func(t *testing.T, in *welcome) { in.members[5].Index = 4 }, "two leaves in one place"},
		"a leaf of a revoked device": {func(t *testing.T, in *welcome) {
			in.w.carol.revoke(t, in.w.carol.devices[1])
			in.s.Put(in.w.carol.Chain, RoleMember)
			in.chains[2] = in.w.carol.Chain.Entries()
		}, "revoked device"},
		"a leaf from ahead of the state": {func(t *testing.T, in *welcome) {
			in.w.dave.link(t)
			in.members[5].Leaf = in.w.dave.node(in.w.dave.devices[0])
		}, "ahead of the chain"},
		"a place without a leaf": {func(t *testing.T, in *welcome) { in.members[5].Leaf = nil }, "not there"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			in := &welcome{w: w, s: w.State(), members: w.members(), chains: [][][]byte{
				w.alice.Chain.Entries(), w.bob.Chain.Entries(), w.carol.Chain.Entries(), w.dave.Chain.Entries(),
			}}
			row.edit(t, in)
			if in.exts == nil {
				in.exts = Extensions(in.s)
			}
			if in.raw == nil {
				in.raw = in.s.Encode()
			}
			r, err := JudgeWelcome(in.raw, in.exts, in.members, in.chains)
			if row.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Check(in.exts, in.members); err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want …%s…", err, row.want)
			}
		})
	}
}

// TestDirect: two accounts for ever, with one right each.
func TestDirect(t *testing.T) {
	open := func(t *testing.T) *world {
		w := &world{alice: newPerson(t, 1), bob: newPerson(t, 2), carol: newPerson(t, 1), nodes: map[mls.LeafIndex]*mls.LeafNode{}}
		s := NewDirect(w.bob.Chain, w.alice.Chain, 60)
		if s.ID != DirectID(w.alice.id(), w.bob.id()) {
			t.Fatal("the two sides name their conversation differently")
		}
		w.open(t, s, w.alice, w.bob) // leaves 0 | 1, 2
		return w
	}
	for name, row := range map[string]struct {
		edit func(t *testing.T, w *world, d *draft)
		want string
	}{
		"either sets the timer": {func(t *testing.T, w *world, d *draft) { d.after.Retention = 0 }, ""},
		"either adds a device of the other": {func(t *testing.T, w *world, d *draft) {
			k := w.bob.link(t)
			d.raise(w.bob)
			d.add(w.bob, k, 3)
		}, ""},
		"a declined invitation takes the leaves out and keeps the conversation": {func(t *testing.T, w *world, d *draft) {
			d.remove(1, 2)
			d.evidence = append(d.evidence, w.leave(w.bob, w.bob.devices[1], 1, 2))
		}, ""},
		"the other's account is closed": {func(t *testing.T, w *world, d *draft) {
			w.bob.close(t)
			d.raise(w.bob)
			d.remove(1, 2)
		}, ""},
		"a third account": {func(t *testing.T, w *world, d *draft) { d.invite(w.carol, RoleMember, 3) }, "size limit"},
		"a third account and a higher limit": {func(t *testing.T, w *world, d *draft) {
			d.after.Limit = 3
			d.invite(w.carol, RoleMember, 3)
		}, "exactly two accounts"},
		"another in the other's place": {func(t *testing.T, w *world, d *draft) {
			d.after.Drop(w.bob.id())
			d.remove(1, 2)
			d.invite(w.carol, RoleMember, 1)
		}, "that of its two accounts"},
		"one account alone":            {func(t *testing.T, w *world, d *draft) { d.after.Drop(w.bob.id()); d.remove(1, 2) }, "exactly two accounts"},
		"the other's leaves taken out": {func(t *testing.T, w *world, d *draft) { d.remove(1, 2) }, "without its account"},
		"a role":                       {func(t *testing.T, w *world, d *draft) { d.after.SetRole(w.alice.id(), RoleOwner) }, "no roles"},
		"a name":                       {func(t *testing.T, w *world, d *draft) { d.after.Name = "us" }, "has no name"},
		"tracing":                      {func(t *testing.T, w *world, d *draft) { d.after.Traced = true }, "not traced"},
		"a leave that leaves out a device": {func(t *testing.T, w *world, d *draft) {
			d.remove(1)
			d.evidence = append(d.evidence, w.leave(w.bob, w.bob.devices[1], 1))
		}, "without its account"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			_, err := w.Judge(w.commit(0, func(d *draft) { row.edit(t, w, d) }))
			switch {
			case row.want == "" && err != nil:
				t.Fatal(err)
			case row.want != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), row.want)):
				t.Errorf("got %v, want …%s…", err, row.want)
			}
		})
	}
}

// TestSelf: one account's devices and nobody else's.
func TestSelf(t *testing.T) {
	w := &world{alice: newPerson(t, 2), bob: newPerson(t, 1), nodes: map[mls.LeafIndex]*mls.LeafNode{}}
	w.open(t, NewSelf(w.alice.Chain, 0), w.alice)
	k := w.alice.link(t)
	if _, err := w.Judge(w.commit(1, func(d *draft) { d.raise(w.alice); d.add(w.alice, k, 2) })); err != nil {
		t.Errorf("a new device: %v", err)
	}
	for name, edit := range map[string]func(*draft){
		"another account":   func(d *draft) { d.invite(w.bob, RoleMember, 2) },
		"a sibling put out": func(d *draft) { d.remove(0) },
		"a name":            func(d *draft) { d.after.Name = "me" },
		"a lower role":      func(d *draft) { d.after.SetRole(w.alice.id(), RoleMember) },
	} {
		if _, err := w.Judge(w.commit(1, edit)); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

func TestRankAndHeir(t *testing.T) {
	w := newWorld(t)
	after, err := w.Judge(w.commit(alice0, func(d *draft) { d.after.SetRole(w.dave.id(), RoleAdmin) }))
	if err != nil {
		t.Fatal(err)
	}
	want := []mls.LeafIndex{alice0, alice1, bob2, dave5, carol3, carol4}
	for i, l := range after.Rank() {
		if l != want[i] {
			t.Fatalf("rank is %v, want %v", after.Rank(), want)
		}
	}
	gone := after.Without(w.alice.id(), w.bob.id())
	if m, _ := gone.Member(w.dave.id()); m.Role != RoleOwner {
		t.Error("the remaining admin does not inherit")
	}
	if gone = after.Without(w.dave.id()); len(gone.Members) != 3 {
		t.Error("Without takes out another account too")
	}
	if m, _ := gone.Member(w.bob.id()); m.Role != RoleAdmin {
		t.Error("somebody inherits though the owner stays")
	}
}

// TestPropose: what Propose makes, Judge accepts; what it cannot make, it says.
func TestPropose(t *testing.T) {
	w := newWorld(t)
	commit := func(p Proposal, by mls.LeafIndex) mls.Changes {
		ch := mls.Changes{Committer: by, ExtensionsBefore: Extensions(w.state), ExtensionsAfter: Extensions(w.state), Custom: p.Custom}
		for i := range ch.Custom {
			ch.Custom[i].Sender = by
		}
		if p.Extensions != nil {
			ch.ExtensionsAfter = p.Extensions
		}
		return ch
	}
	k := w.dave.link(t)
	s := w.State()
	s.Put(w.erin.Chain, RoleMember)
	p, err := w.Propose(s, []*identity.Chain{w.erin.Chain, w.dave.Chain, w.bob.Chain})
	if err != nil {
		t.Fatal(err)
	}
	ch := commit(p, bob2)
	ch.Added = []mls.MemberInfo{{Index: 6, Leaf: w.erin.node(w.erin.devices[0])}, {Index: 7, Leaf: w.dave.node(k)}}
	after, err := w.Judge(ch)
	if err != nil {
		t.Fatal(err)
	}
	if after.State().Hash() != p.State.Hash() {
		t.Error("the proposal tells another state than the commit makes")
	}
	if got, _ := after.Chain(w.dave.id()); got.Head() != w.dave.Chain.Head() {
		t.Error("the newer chain is not known after it")
	}
	if p, err = w.Propose(w.State(), nil); err != nil || p.Custom != nil || p.Extensions != nil {
		t.Errorf("a proposal of nothing is %+v, %v", p, err)
	}
	if _, err = w.Propose(w.State(), []*identity.Chain{w.erin.Chain}); !errors.Is(err, ErrRefused) {
		t.Error("a stranger's chain went in")
	}
	fork, _, err := mustPrefix(t, w.alice.Chain, 1).MoveServer(w.alice.Device, "https://b.example")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.Propose(w.State(), []*identity.Chain{fork}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "forks") {
		t.Errorf("a forked chain went in: %v", err)
	}
	if _, err = w.NewLeave(w.erin.devices[0], w.erin.id()); !errors.Is(err, ErrRefused) {
		t.Errorf("a stranger leaves: %v", err)
	}
	if _, err = w.Propose(s, []*identity.Chain{w.erin.Chain, w.erin.Chain}); !errors.Is(err, ErrRefused) {
		t.Error("a chain went in twice")
	}
}

func TestOwedIsComputed(t *testing.T) {
	w := newWorld(t)
	none := func(wire.AccountID) (*identity.Chain, bool) { return nil, false }
	if o := w.Owed(none); len(o.Add)+len(o.Remove)+len(o.Closed)+len(o.Chains) != 0 {
		t.Errorf("in a fresh group %+v is owed", o)
	}
	k := w.alice.link(t)
	w.carol.revoke(t, w.carol.devices[1])
	w.dave.close(t)
	people := []*person{w.alice, w.bob, w.carol, w.dave}
	o := w.Owed(func(a wire.AccountID) (*identity.Chain, bool) {
		for _, p := range people {
			if p.id() == a {
				return p.Chain, true
			}
		}
		return nil, false
	})
	gone := map[mls.LeafIndex]bool{}
	for _, l := range o.Remove {
		gone[l.Index] = true
	}
	if len(o.Add) != 1 || o.Add[0].Device != k.ID() || len(gone) != 2 || !gone[carol4] || !gone[dave5] ||
		len(o.Closed) != 1 || o.Closed[0] != w.dave.id() || len(o.Chains) != 3 {
		t.Errorf("owed is %+v", o)
	}
}

// TestCheckAndParse: a roster from the disk is proven again, and only fits the
// group it belongs to.
func TestCheckAndParse(t *testing.T) {
	w := newWorld(t)
	r, err := Parse(w.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	exts := Extensions(r.State())
	if err := r.Check(exts, w.members()); err != nil {
		t.Fatal(err)
	}
	other := newWorld(t)
	swapped := w.members()
	swapped[5].Leaf = w.dave.node(w.dave.devices[0])
	for name, err := range map[string]error{
		"another group's extensions": r.Check(Extensions(other.State()), w.members()),
		"a leaf less":                r.Check(exts, w.members()[:5]),
		"another leaf":               r.Check(exts, swapped),
		"another group's leaves":     r.Check(exts, other.members()),
	} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
	ghost := identity.NewDeviceKey()
	for name, change := range map[string]func(*stored){
		"another version":        func(s *stored) { s.Version = 9 },
		"a chain less":           func(s *stored) { s.Chains = s.Chains[:3] },
		"a chain more":           func(s *stored) { s.Chains = append(s.Chains, w.erin.Chain.Entries()) },
		"chains swapped":         func(s *stored) { s.Chains[0], s.Chains[1] = s.Chains[1], s.Chains[0] },
		"a shorter chain":        func(s *stored) { s.State = w.raised(t).Encode() },
		"a ghost's key":          func(s *stored) { s.Leaves[2].Key = ghost.Public() },
		"a ghost's device":       func(s *stored) { s.Leaves[2].Device = ghost.ID() },
		"a stranger's account":   func(s *stored) { s.Leaves[2].Account = w.erin.id() },
		"leaves out of order":    func(s *stored) { s.Leaves[0], s.Leaves[1] = s.Leaves[1], s.Leaves[0] },
		"a state without owners": func(s *stored) { st := w.State(); st.SetRole(w.alice.id(), RoleMember); s.State = st.Encode() },
	} {
		var s stored
		if err := wire.Decode(w.Marshal(), &s); err != nil {
			t.Fatal(err)
		}
		change(&s)
		if _, err := Parse(wire.Encode(s)); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

// raised returns the state as it would be with a longer chain of dave's.
func (w *world) raised(t *testing.T) State {
	w.dave.link(t)
	s := w.State()
	s.Put(w.dave.Chain, RoleMember)
	return s
}

// TestLargestStateFits: the state of a group of MaxLimit accounts, with every
// field at its longest, is no larger than MaxState.
func TestLargestStateFits(t *testing.T) {
	s := State{Version: stateVersion, ID: NewGroupID(), Kind: Group, Name: strings.Repeat("n", MaxName), Limit: MaxLimit, Retention: MaxRetention, Traced: true}
	for i := range MaxLimit {
		m := Member{Account: wire.AccountID{byte(i >> 8), byte(i), 1}, Role: RoleOwner, Position: identity.Position{Recovery: identity.MaxEntries, Length: identity.MaxEntries}}
		s.Members = append(s.Members, m)
	}
	got, err := ParseState(s.Encode())
	if err != nil || len(got.Members) != MaxLimit {
		t.Errorf("%d bytes: %v", len(s.Encode()), err)
	}
	t.Logf("%d accounts take %d bytes", MaxLimit, len(s.Encode()))
	if _, err := ParseState(make([]byte, MaxState+1)); err == nil || !strings.Contains(err.Error(), "larger than any") {
		t.Errorf("an oversized state: got %v", err)
	}
}

// TestLeavesAreBounded: no more leaves than a room has seats.
func TestLeavesAreBounded(t *testing.T) {
	w := &world{nodes: map[mls.LeafIndex]*mls.LeafNode{}}
	var people []*person
	for range wire.MaxSeats / identity.MaxDevices {
		people = append(people, newPerson(t, identity.MaxDevices))
	}
	people = append(people, newPerson(t, 1))
	s := NewGroup(NewGroupID(), "many", people[0].Chain, 0)
	var members []mls.MemberInfo
	var chains [][][]byte
	for _, p := range people {
		role := RoleMember
		if p == people[0] {
			role = RoleOwner
		}
		s.Put(p.Chain, role)
		chains = append(chains, p.Chain.Entries())
		for _, k := range p.devices {
			members = append(members, mls.MemberInfo{Index: mls.LeafIndex(len(members)), Leaf: p.node(k)})
		}
	}
	var err error
	if w.Roster, err = JudgeWelcome(s.Encode(), Extensions(s), members[:wire.MaxSeats], chains); err != nil {
		t.Fatal(err)
	}
	if _, err := JudgeWelcome(s.Encode(), Extensions(s), members, chains); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "more leaves") {
		t.Errorf("a leaf too many in a Welcome: got %v", err)
	}
	if _, err := w.Judge(w.commit(0, func(d *draft) { d.Added = members[wire.MaxSeats:] })); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "more leaves") {
		t.Errorf("a leaf too many in a commit: got %v", err)
	}
}
