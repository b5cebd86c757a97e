package roster

import (
	"errors"
	"testing"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// The attacks of Matrix, WhatsApp, Marmot and others that fall to this package,
// each as the attacker would try it. A03 and A05, and A02 on the chain alone,
// are in package identity.

// A01: a server adds an account that it controls. It is no member, so it can
// make no commit; and what it sends as one from outside is refused.
func TestA01ServerCannotAddAMember(t *testing.T) {
	w := newWorld(t)
	server := newPerson(t, 1)
	invite := func(d *draft) { d.invite(server, RoleMember, free) }
	for name, ch := range map[string]mls.Changes{
		"from outside":          w.commit(free, func(d *draft) { invite(d); d.External = true }),
		"from a leaf of no one": w.commit(free, invite),
		"by a proposal of its own, taken up by a member": w.commit(alice0, func(d *draft) {
			invite(d)
			d.ByReference = []mls.Proposed{{}}
		}),
		"with a state that no member signed": w.commit(alice0, func(d *draft) {
			d.tamper = func(ch *mls.Changes) {
				s := w.State()
				s.Put(server.Chain, RoleMember)
				ch.Custom = []mls.CustomProposal{{Type: ChangeProposal, Data: Change{State: s.Encode()}.Encode(), Sender: alice0}}
			}
		}),
	} {
		if _, err := w.Judge(ch); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
	if _, err := w.Judge(w.commit(alice0, invite)); err != nil {
		t.Errorf("the owner cannot do it either, so this proves nothing: %v", err)
	}
}

// A02: a server puts a device of its own into a member's device list. No leaf of
// it passes, by Add or in a Welcome's tree, with or without entries of its own.
func TestA02ServerCannotAddADevice(t *testing.T) {
	w := newWorld(t)
	ghost := identity.NewDeviceKey()
	forged := newPerson(t, 1) // a chain that the server can write
	c, _, err := forged.Chain.AddDevice(forged.Device, ghost.Candidate(forged.id()))
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*draft){
		"an Add by an unwitting owner": func(d *draft) { d.add(w.dave, ghost, free) },
		"an Add with an entry of the server's": func(d *draft) {
			d.add(w.dave, ghost, free)
			d.tamperChange = func(ch *Change) {
				ch.Chains = []ChainPart{{Account: w.dave.id(), Entries: c.EntriesFrom(1)}}
			}
		},
		"an Add with a chain of the server's under the member's id": func(d *draft) {
			d.add(w.dave, ghost, free)
			d.tamperChange = func(ch *Change) { ch.Chains = []ChainPart{{Account: w.dave.id(), Entries: c.Entries()}} }
		},
	} {
		if _, err := w.Judge(w.commit(alice0, edit)); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
	members := append(w.members(), mls.MemberInfo{Index: free, Leaf: w.dave.node(ghost)})
	if _, err := JudgeWelcome(w.state.Encode(), Extensions(w.state), members, w.Chains()); !errors.Is(err, ErrRefused) {
		t.Errorf("in a Welcome's tree: got %v, want it refused", err)
	}
}

// A06: group management that is not authenticated, or can be replayed. A commit
// is judged against the epoch that it was made in: the same bytes, or the same
// changes from an earlier state, mean nothing later.
func TestA06ManagementCannotBeReplayed(t *testing.T) {
	w := newWorld(t)
	promote := w.commit(alice0, func(d *draft) { d.after.SetRole(w.dave.id(), RoleOwner) })
	demote := func(d *draft) { d.after.SetRole(w.dave.id(), RoleMember) }
	apply := func(ch mls.Changes) {
		t.Helper()
		after, err := w.Judge(ch)
		if err != nil {
			t.Fatal(err)
		}
		w.Roster = after
	}
	apply(promote)
	apply(w.commit(alice0, demote))
	// The state is what it was, so that only MLS's transcript tells the epochs
	// apart for this commit; with anything else changed in between, this package
	// does so by itself.
	apply(w.commit(alice0, func(d *draft) { d.after.Name = "old friends" }))
	if _, err := w.Judge(promote); !errors.Is(err, ErrRefused) {
		t.Errorf("the old commit once more: got %v, want it refused", err)
	}
	replayed := w.commit(alice0, func(d *draft) { d.tamper = func(ch *mls.Changes) { ch.Custom = promote.Custom } })
	if _, err := w.Judge(replayed); !errors.Is(err, ErrRefused) {
		t.Errorf("its change in a new commit: got %v, want it refused", err)
	}
	// Without the role, nothing of it stands.
	if _, err := w.Judge(w.commit(dave5, func(d *draft) { d.after.SetRole(w.dave.id(), RoleOwner) })); !errors.Is(err, ErrRefused) {
		t.Errorf("a member who gives itself the role: got %v, want it refused", err)
	}
}

// A08: a code that links a device is passed off as an invitation. What it holds
// is bound to one account and one purpose: it is no evidence, no credential and
// no change, the consent of a device for one account adds it to no other, and
// what was added by mistake shows in the chain and is undone there.
func TestA08LinkIsNothingElse(t *testing.T) {
	w := newWorld(t)
	attacker := identity.NewDeviceKey()
	link := wire.Encode(attacker.Candidate(w.dave.id()))
	if _, err := ParseEvidence(link); err == nil {
		t.Error("a link passes for evidence")
	}
	if _, err := ParseChange(link); err == nil {
		t.Error("a link passes for a change")
	}
	if _, err := identity.ParseCredential(link); err == nil {
		t.Error("a link passes for a credential")
	}
	if _, _, err := ParseRejoin(link, w.Chain); err == nil {
		t.Error("a link passes for a request to rejoin")
	}
	if _, _, err := w.carol.Chain.AddDevice(w.carol.Device, attacker.Candidate(w.dave.id())); err == nil {
		t.Error("a consent for one account adds the device to another")
	}
	// The proof that the link holds signs nothing else, under any label.
	proof := attacker.Candidate(w.dave.id()).Proof
	chain, _, err := w.dave.Chain.AddDevice(w.dave.Device, attacker.Candidate(w.dave.id()))
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []identity.Label{identity.LabelRejoin, identity.LabelLeave, identity.LabelAnswer} {
		if chain.SignedBy(attacker.ID(), label, link, proof) == nil {
			t.Errorf("the proof in a link passes as %q", label)
		}
	}
	// Taken in by mistake, it shows, takes nothing into a group by itself, and
	// is undone.
	w.dave.Chain = chain
	if o := w.Owed(func(a wire.AccountID) (*identity.Chain, bool) { return chain, a == w.dave.id() }); len(o.Add) != 1 {
		t.Error("a new device does not show")
	}
	w.dave.revoke(t, attacker)
	if _, err := w.Judge(w.commit(bob2, func(d *draft) { d.raise(w.dave); d.add(w.dave, attacker, free) })); !errors.Is(err, ErrRefused) {
		t.Errorf("after it was undone: got %v, want it refused", err)
	}
}

// A12: an update, or any other path by which a leaf can change, swaps the
// identity that was checked when it was added.
func TestA12EveryPathChecksEveryLeaf(t *testing.T) {
	w := newWorld(t)
	admin := w.bob.devices[0]
	swaps := map[string]*mls.LeafNode{
		"an admin's credential with its own key": nodeFor(w.bob.Chain.CredentialOf(admin.ID()), w.dave.devices[0].Public()),
		"an admin's credential with its key":     w.bob.node(admin),
		"its own credential with another key":    nodeFor(w.dave.Chain.CredentialOf(w.dave.devices[0].ID()), identity.NewDeviceKey().Public()),
		"a stranger's credential":                w.erin.node(w.erin.devices[0]),
		"a device of its account not yet added":  w.dave.node(identity.NewDeviceKey()),
		"no credential":                          {SignatureKey: w.nodes[dave5].SignatureKey, Credential: mls.BasicCredential(nil)},
	}
	for name, n := range swaps {
		for path, ch := range map[string]mls.Changes{
			"UpdatePath leaf": w.commit(dave5, func(d *draft) { d.Path = true; d.update(dave5, n) }),
			"Update proposal": w.commit(alice0, func(d *draft) { d.update(dave5, n) }),
			"Add by a member": w.commit(carol3, func(d *draft) { d.Added = []mls.MemberInfo{{Index: free, Leaf: n}} }),
			"external commit": w.commit(free, func(d *draft) { d.External = true; d.Added = []mls.MemberInfo{{Index: free, Leaf: n}} }),
		} {
			if _, err := w.Judge(ch); !errors.Is(err, ErrRefused) {
				t.Errorf("%s, by %s: got %v, want it refused", name, path, err)
			}
		}
		members := w.members()
		members[dave5].Leaf = n
		if _, err := JudgeWelcome(w.state.Encode(), Extensions(w.state), members, w.Chains()); !errors.Is(err, ErrRefused) {
			t.Errorf("%s, in a Welcome's tree: got %v, want it refused", name, err)
		}
		if err := w.Check(Extensions(w.state), members); !errors.Is(err, ErrRefused) {
			t.Errorf("%s, on replay from disk: got %v, want it refused", name, err)
		}
	}
	if _, err := w.Judge(w.commit(dave5, func(d *draft) { d.Path = true; d.update(dave5, w.dave.node(w.dave.devices[0])) })); err != nil {
		t.Errorf("an honest renewal is refused too, so this proves nothing: %v", err)
	}
}
