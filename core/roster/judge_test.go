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

// row is a commit in a fresh world and what is to become of it: want is part of
// the refusal's text, empty for a commit that is accepted.
type row struct {
	by   mls.LeafIndex
	edit func(t *testing.T, w *world, d *draft)
	want string
}

// Leaves of the world, by who commits.
const (
	alice0, alice1, bob2, carol3, carol4, dave5 mls.LeafIndex = 0, 1, 2, 3, 4, 5
	free                                        mls.LeafIndex = 6
)

func run(t *testing.T, rows map[string]row) {
	t.Helper()
	for name, r := range rows {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ch := w.commit(r.by, func(d *draft) { r.edit(t, w, d) })
			before := w.Marshal()
			after, err := w.Judge(ch)
			if !bytes.Equal(w.Marshal(), before) {
				t.Error("judging changed the roster")
			}
			if r.want != "" {
				if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), r.want) {
					t.Fatalf("got %v, want a refusal: …%s…", err, r.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(after.Marshal())
			if err != nil || !bytes.Equal(again.Marshal(), after.Marshal()) {
				t.Errorf("the roster after it does not survive the disk: %v", err)
			}
		})
	}
}

// TestAccepted holds what members may do: each is also the other half of a
// refusal below.
func TestAccepted(t *testing.T) {
	run(t, map[string]row{
		"a member renews its leaf":      {dave5, func(t *testing.T, w *world, d *draft) { d.update(5, w.dave.node(w.dave.devices[0])) }, ""},
		"a commit that changes nothing": {dave5, func(t *testing.T, w *world, d *draft) {}, ""},
		"an owner adds an admin":        {alice0, func(t *testing.T, w *world, d *draft) { d.invite(w.erin, RoleAdmin, free) }, ""},
		"an admin adds a member":        {bob2, func(t *testing.T, w *world, d *draft) { d.invite(w.erin, RoleMember, free) }, ""},
		"an account with two leaves comes": {bob2, func(t *testing.T, w *world, d *draft) {
			d.invite(w.erin, RoleMember, free)
			d.add(w.erin, w.erin.devices[1], 7)
		}, ""},
		"an owner removes an admin": {alice1, func(t *testing.T, w *world, d *draft) { d.after.Drop(w.bob.id()); d.remove(2) }, ""},
		"an admin removes a member": {bob2, func(t *testing.T, w *world, d *draft) { d.after.Drop(w.carol.id()); d.remove(3, 4) }, ""},
		"an added leaf takes a freed place": {bob2, func(t *testing.T, w *world, d *draft) {
			d.after.Drop(w.dave.id())
			d.remove(5)
			d.invite(w.erin, RoleMember, 5)
		}, ""},
		"an owner promotes an owner": {alice0, func(t *testing.T, w *world, d *draft) { d.after.SetRole(w.carol.id(), RoleOwner) }, ""},
		"an owner hands over": {alice0, func(t *testing.T, w *world, d *draft) {
			d.after.SetRole(w.bob.id(), RoleOwner)
			d.after.SetRole(w.alice.id(), RoleMember)
		}, ""},
		"an admin steps down": {bob2, func(t *testing.T, w *world, d *draft) { d.after.SetRole(w.bob.id(), RoleMember) }, ""},
		"an admin sets name, timer, limit, traced": {bob2, func(t *testing.T, w *world, d *draft) {
			d.after.Name, d.after.Retention, d.after.Limit, d.after.Traced = "x", 0, 9, true
		}, ""},
		"a member adds its new device": {carol3, func(t *testing.T, w *world, d *draft) {
			k := w.carol.link(t)
			d.raise(w.carol)
			d.add(w.carol, k, free)
		}, ""},
		"an admin adds another's new device": {bob2, func(t *testing.T, w *world, d *draft) {
			k := w.dave.link(t)
			d.raise(w.dave)
			d.add(w.dave, k, free)
		}, ""},
		"a member adds another's new device at its request": {carol3, func(t *testing.T, w *world, d *draft) {
			k := w.dave.link(t)
			d.raise(w.dave)
			d.evidence = append(d.evidence, w.rejoin(w.dave, k, d.add(w.dave, k, free)))
		}, ""},
		"a member refreshes another's device": {carol3, func(t *testing.T, w *world, d *draft) {
			d.remove(1)
			k := w.alice.devices[1]
			d.evidence = append(d.evidence, w.rejoin(w.alice, k, d.add(w.alice, k, 1), 5, 1))
		}, ""},
		"a leaf is renewed at a newer position": {dave5, func(t *testing.T, w *world, d *draft) {
			w.dave.link(t)
			d.raise(w.dave)
			d.update(5, w.dave.node(w.dave.devices[0]))
		}, ""},
		"a member removes a revoked device": {dave5, func(t *testing.T, w *world, d *draft) {
			w.carol.revoke(t, w.carol.devices[1])
			d.raise(w.carol)
			d.remove(4)
		}, ""},
		"a device's sibling removes it once revoked": {carol3, func(t *testing.T, w *world, d *draft) {
			w.carol.revoke(t, w.carol.devices[1])
			d.raise(w.carol)
			d.remove(4)
		}, ""},
		"a person whose only device was revoked stays in the roster": {carol3, func(t *testing.T, w *world, d *draft) {
			w.dave.revoke(t, w.dave.devices[0])
			d.raise(w.dave)
			d.remove(5)
		}, ""},
		"a member carries out a signed leave": {dave5, func(t *testing.T, w *world, d *draft) {
			d.after = w.Without(w.carol.id())
			d.remove(3, 4)
			d.evidence = append(d.evidence, w.leave(w.carol, w.carol.devices[1], 3, 4))
		}, ""},
		"the last owner leaves, the admin inherits": {dave5, func(t *testing.T, w *world, d *draft) {
			d.after = w.Without(w.alice.id())
			d.remove(0, 1)
			d.evidence = append(d.evidence, w.leave(w.alice, w.alice.devices[0], 0, 1))
			if m, _ := d.after.Member(w.bob.id()); m.Role != RoleOwner {
				t.Error("the next in rank does not inherit")
			}
		}, ""},
		"owner and admin leave at once, the lowest leaf inherits": {dave5, func(t *testing.T, w *world, d *draft) {
			d.after = w.Without(w.alice.id(), w.bob.id())
			d.remove(0, 1, 2)
			d.evidence = append(d.evidence, w.leave(w.alice, w.alice.devices[0], 0, 1), w.leave(w.bob, w.bob.devices[0], 2))
			if m, _ := d.after.Member(w.carol.id()); m.Role != RoleOwner {
				t.Error("the lowest leaf does not inherit")
			}
		}, ""},
		"a closed account goes, whoever commits": {carol4, func(t *testing.T, w *world, d *draft) {
			w.alice.close(t)
			d.after = w.Without(w.alice.id())
			d.chains = append(d.chains, w.alice.Chain)
			d.remove(0, 1)
		}, ""},
		"a recovery key takes a person's chain further": {carol3, func(t *testing.T, w *world, d *draft) {
			c, _, err := w.dave.Chain.MoveServer(w.dave.Recovery, "https://b.example")
			if err != nil {
				t.Fatal(err)
			}
			w.dave.Chain = c
			d.raise(w.dave)
		}, ""},
	})
}

func mustPrefix(t *testing.T, c *identity.Chain, n uint32) *identity.Chain {
	t.Helper()
	p, ok := c.Prefix(identity.Position{Length: n})
	if !ok {
		t.Fatal("no such prefix")
	}
	return p
}

// TestRefusedShapes: what no commit of a conversation holds.
func TestRefusedShapes(t *testing.T) {
	nothing := func(tamper func(*mls.Changes)) func(*testing.T, *world, *draft) {
		return func(t *testing.T, w *world, d *draft) { d.tamper = tamper }
	}
	custom := func(p mls.CustomProposal) func(*testing.T, *world, *draft) {
		return nothing(func(c *mls.Changes) { c.Custom = append(c.Custom, p) })
	}
	named := func(d *draft) { d.after.Name = "x" }
	change := func(f func(*Change)) func(*testing.T, *world, *draft) {
		return func(t *testing.T, w *world, d *draft) { named(d); d.tamperChange = f }
	}
	run(t, map[string]row{
		"an external commit":        {alice0, nothing(func(c *mls.Changes) { c.External = true }), "external commit"},
		"a proposal by reference":   {alice0, nothing(func(c *mls.Changes) { c.ByReference = make([]mls.Proposed, 1) }), "does not travel in its commit"},
		"a ReInit":                  {alice0, nothing(func(c *mls.Changes) { c.ReInit = new(mls.ReInit) }), "ReInit"},
		"a pre-shared key":          {alice0, nothing(func(c *mls.Changes) { c.PSKs = make([]mls.PSKID, 1) }), "pre-shared key"},
		"a commit from nowhere":     {free, nothing(func(*mls.Changes) {}), "a leaf that is not in the roster"},
		"a commit of another epoch": {alice0, nothing(func(c *mls.Changes) { c.ExtensionsBefore = nil }), "another group or epoch"},
		"another custom proposal":   {alice0, custom(mls.CustomProposal{Type: 0xF0A3}), "a type that there is not"},
		"two changes": {alice0, func(t *testing.T, w *world, d *draft) {
			named(d)
			d.tamper = func(c *mls.Changes) { c.Custom = append(c.Custom, c.Custom[0]) }
		}, "two changes"},
		"a change of another's proposal": {alice0, func(t *testing.T, w *world, d *draft) {
			named(d)
			d.tamper = func(c *mls.Changes) { c.Custom[0].Sender = 2 }
		}, "another than the committer"},
		"an unreadable change":         {alice0, custom(mls.CustomProposal{Type: ChangeProposal, Data: []byte{1}}), "could not be read"},
		"an empty change":              {alice0, custom(mls.CustomProposal{Type: ChangeProposal, Data: Change{}.Encode()}), "changes nothing"},
		"a change of another version":  {alice0, change(func(c *Change) { c.Version = 2 }), "another version"},
		"a chain part without entries": {alice0, change(func(c *Change) { c.Chains = []ChainPart{{}} }), "no entries"},
		"chain parts out of order":     {alice0, change(func(c *Change) { c.Chains = []ChainPart{{Entries: [][]byte{{}}}, {Entries: [][]byte{{}}}} }), "chains out of order"},
		"a state that stays and travels": {alice0, func(t *testing.T, w *world, d *draft) {
			d.tamperChange = func(c *Change) { c.State = w.state.Encode() }
		}, "travels though it stays"},
		"a new state that does not travel": {alice0, func(t *testing.T, w *world, d *draft) {
			named(d)
			d.tamperChange = func(c *Change) { c.State = nil }
		}, "not the one that the commit signs"},
		"another state than the signed one": {alice0, change(func(c *Change) { c.State = bytes.Replace(c.State, []byte("ax"), []byte("ay"), 1) }), "not the one that the commit signs"},
		"an extension more": {alice0, nothing(func(c *mls.Changes) {
			c.ExtensionsAfter = append(c.ExtensionsAfter, mls.Extension{Type: mls.ExtensionExternalSenders})
		}), "not the one that the commit signs"},
		"capabilities no longer required": {alice0, nothing(func(c *mls.Changes) { c.ExtensionsAfter = c.ExtensionsAfter[1:] }), "not the one that the commit signs"},
		"an unreadable state":             {alice0, change(func(c *Change) { c.State = []byte{0x80} }), "state could not be read"},
		"another conversation's state":    {alice0, func(t *testing.T, w *world, d *draft) { d.after.ID = NewGroupID() }, "id and kind never change"},
		"a position that is not the chain's": {alice0, func(t *testing.T, w *world, d *draft) {
			d.after.Members[0].Position.Length++
		}, "position in the state that is not the chain's"},
		"a head that is not the chain's": {alice0, func(t *testing.T, w *world, d *draft) { d.after.Members[0].Head[0] ^= 1 }, "position in the state that is not the chain's"},
		"a position that goes back": {alice0, func(t *testing.T, w *world, d *draft) {
			d.after.Put(mustPrefix(t, w.alice.Chain, 1), RoleOwner)
		}, "position in the state that is not the chain's"},
		"a chain raised without the state": {alice0, func(t *testing.T, w *world, d *draft) {
			w.dave.link(t)
			d.chains = append(d.chains, w.dave.Chain)
		}, "position in the state that is not the chain's"},
		"chain entries that are none": {alice0, change(func(c *Change) {
			c.Chains = []ChainPart{{Account: wire.AccountID{1}, Entries: [][]byte{{1}}}}
		}), "chain entries"},
		"chain entries already known": {alice0, func(t *testing.T, w *world, d *draft) {
			d.tamperChange = func(c *Change) {
				c.Chains = []ChainPart{{Account: w.bob.id(), Entries: w.bob.Chain.Entries()}}
			}
		}, "does not follow"},
		"a chain of a stranger": {alice0, func(t *testing.T, w *world, d *draft) { d.chains = append(d.chains, w.erin.Chain) }, "not in the roster"},
	})
}

// TestRefusedLeaves: credential and chain, for every way in which a leaf comes
// or changes.
func TestRefusedLeaves(t *testing.T) {
	run(t, map[string]row{
		"an added leaf of a device that the chain lacks": {bob2, func(t *testing.T, w *world, d *draft) {
			k := identity.NewDeviceKey()
			d.add(w.dave, k, free)
		}, "a device that the chain does not hold"},
		"an added leaf of a revoked device": {bob2, func(t *testing.T, w *world, d *draft) {
			k := w.dave.link(t)
			w.dave.revoke(t, k)
			d.raise(w.dave)
			d.add(w.dave, k, free)
		}, "revoked device"},
		"an added leaf with another's key": {bob2, func(t *testing.T, w *world, d *draft) {
			k := w.dave.link(t)
			d.raise(w.dave)
			n := nodeFor(w.dave.Chain.CredentialOf(k.ID()), w.bob.devices[0].Public())
			d.Added = append(d.Added, mls.MemberInfo{Index: free, Leaf: n})
		}, "whose key is not its device's"},
		"an added leaf of an account not in the roster": {bob2, func(t *testing.T, w *world, d *draft) { d.add(w.erin, w.erin.devices[0], free) }, "not in the roster"},
		"an added leaf from ahead of the chain": {bob2, func(t *testing.T, w *world, d *draft) {
			k := w.dave.link(t)
			now := w.dave.Chain
			w.dave.link(t)
			n := w.dave.node(k)
			w.dave.Chain = now
			d.raise(w.dave)
			d.Added = append(d.Added, mls.MemberInfo{Index: free, Leaf: n})
		}, "ahead of the chain"},
		"an added leaf from before its device": {bob2, func(t *testing.T, w *world, d *draft) {
			cred := w.dave.Chain.CredentialOf(w.dave.devices[0].ID())
			k := w.dave.link(t)
			d.raise(w.dave)
			cred.Device = k.ID()
			d.Added = append(d.Added, mls.MemberInfo{Index: free, Leaf: nodeFor(cred, k.Public())})
		}, "before its device was added"},
		"an added leaf with a certificate": {bob2, func(t *testing.T, w *world, d *draft) {
			k := w.dave.link(t)
			d.raise(w.dave)
			d.add(w.dave, k, free).Credential.Type = mls.CredentialX509
		}, "not a basic one"},
		"an added leaf with an unreadable credential": {bob2, func(t *testing.T, w *world, d *draft) {
			k := w.dave.link(t)
			d.raise(w.dave)
			d.add(w.dave, k, free).Credential.Identity = []byte("dave")
		}, "credential could not be read"},
		"a second leaf of one device":    {bob2, func(t *testing.T, w *world, d *draft) { d.add(w.dave, w.dave.devices[0], free) }, "a second leaf of one device"},
		"an added leaf in a taken place": {bob2, func(t *testing.T, w *world, d *draft) { d.invite(w.erin, RoleMember, 5) }, "two leaves in one place"},
		"an update for another account":  {dave5, func(t *testing.T, w *world, d *draft) { d.update(5, w.alice.node(w.alice.devices[0])) }, "to another account"},
		"an update for another device":   {carol3, func(t *testing.T, w *world, d *draft) { d.update(3, w.carol.node(w.carol.devices[1])) }, "to another device"},
		"an update with another key": {dave5, func(t *testing.T, w *world, d *draft) {
			d.update(5, nodeFor(w.dave.Chain.CredentialOf(w.dave.devices[0].ID()), w.bob.devices[0].Public()))
		}, "whose key is not its device's"},
		"an update that goes back": {carol3, func(t *testing.T, w *world, d *draft) {
			d.update(3, nodeFor(mustPrefix(t, w.carol.Chain, 1).CredentialOf(w.carol.devices[0].ID()), w.carol.devices[0].Public()))
		}, "older chain position"},
		"an update of a leaf that is not there": {dave5, func(t *testing.T, w *world, d *draft) { d.update(9, w.dave.node(w.dave.devices[0])) }, "not there"},
		"an update without a leaf":              {dave5, func(t *testing.T, w *world, d *draft) { d.update(5, nil) }, "not there"},
		"an update of a removed leaf": {bob2, func(t *testing.T, w *world, d *draft) {
			d.after.Drop(w.dave.id())
			d.remove(5)
			d.update(5, w.dave.node(w.dave.devices[0]))
		}, "not there"},
		"a removal of a leaf that is not there": {alice0, func(t *testing.T, w *world, d *draft) { d.remove(9) }, "not there"},
		"a removal twice":                       {alice0, func(t *testing.T, w *world, d *draft) { d.after.Drop(w.dave.id()); d.remove(5, 5) }, "not there"},
		"a commit that removes its sender":      {alice0, func(t *testing.T, w *world, d *draft) { d.remove(0) }, "removes its own sender"},
		"a removed account keeps a leaf":        {alice0, func(t *testing.T, w *world, d *draft) { d.after.Drop(w.carol.id()); d.remove(3) }, "keeps a leaf"},
		"a revocation without the removal": {dave5, func(t *testing.T, w *world, d *draft) {
			w.carol.revoke(t, w.carol.devices[1])
			d.raise(w.carol)
		}, "brings a revocation and leaves the leaf"},
		"a revoked device brings its own revocation": {carol4, func(t *testing.T, w *world, d *draft) {
			w.carol.revoke(t, w.carol.devices[1])
			d.raise(w.carol)
		}, "brings a revocation and leaves the leaf"},
		"a fork of a member's chain": {alice0, func(t *testing.T, w *world, d *draft) {
			base := mustPrefix(t, w.carol.Chain, 1)
			c, _, err := base.AddDevice(w.carol.devices[0], identity.NewDeviceKey().Candidate(w.carol.id()))
			if err != nil {
				t.Fatal(err)
			}
			w.carol.Chain = c
			d.after.Put(c, RoleMember)
			d.chains = append(d.chains, c)
			d.tamperChange = func(ch *Change) { ch.Chains = []ChainPart{{Account: w.carol.id(), Entries: c.Entries()}} }
		}, "does not follow"},
	})
}

// TestRefusedRights: who may do what.
func TestRefusedRights(t *testing.T) {
	run(t, map[string]row{
		"a member adds an account": {dave5, func(t *testing.T, w *world, d *draft) { d.invite(w.erin, RoleMember, free) }, "neither owner nor admin"},
		"an admin adds an admin":   {bob2, func(t *testing.T, w *world, d *draft) { d.invite(w.erin, RoleAdmin, free) }, "added with a role"},
		"an account without a leaf comes": {alice0, func(t *testing.T, w *world, d *draft) {
			d.after.Put(w.erin.Chain, RoleMember)
			d.chains = append(d.chains, w.erin.Chain)
		}, "without a leaf"},
		"an account without its chain comes": {alice0, func(t *testing.T, w *world, d *draft) { d.after.Put(w.erin.Chain, RoleMember) }, "without its chain"},
		"a member removes an account":        {dave5, func(t *testing.T, w *world, d *draft) { d.after.Drop(w.carol.id()); d.remove(3, 4) }, "role does not allow"},
		"an admin removes an owner":          {bob2, func(t *testing.T, w *world, d *draft) { d.after = w.Without(w.alice.id()); d.remove(0, 1) }, "role does not allow"},
		"an admin removes an admin": {bob2, func(t *testing.T, w *world, d *draft) {
			// As a second admin the world has only what an owner makes of carol.
			after, err := w.Judge(w.commit(alice0, func(d *draft) { d.after.SetRole(w.carol.id(), RoleAdmin) }))
			if err != nil {
				t.Fatal(err)
			}
			*w.Roster = *after
			d.after = w.State()
			d.ExtensionsBefore = Extensions(w.state)
			d.after.Drop(w.carol.id())
			d.remove(3, 4)
		}, "role does not allow"},
		"a member renames the group":  {dave5, func(t *testing.T, w *world, d *draft) { d.after.Name = "x" }, "setting changed"},
		"a member sets the timer":     {dave5, func(t *testing.T, w *world, d *draft) { d.after.Retention = 0 }, "setting changed"},
		"a member sets the limit":     {dave5, func(t *testing.T, w *world, d *draft) { d.after.Limit = 9 }, "setting changed"},
		"a member switches tracing":   {dave5, func(t *testing.T, w *world, d *draft) { d.after.Traced = true }, "setting changed"},
		"a member makes itself owner": {dave5, func(t *testing.T, w *world, d *draft) { d.after.SetRole(w.dave.id(), RoleOwner) }, "role changed"},
		"an admin makes itself owner": {bob2, func(t *testing.T, w *world, d *draft) { d.after.SetRole(w.bob.id(), RoleOwner) }, "role changed"},
		"an admin makes an admin":     {bob2, func(t *testing.T, w *world, d *draft) { d.after.SetRole(w.carol.id(), RoleAdmin) }, "role changed"},
		"an admin demotes the owner": {bob2, func(t *testing.T, w *world, d *draft) {
			d.after.SetRole(w.bob.id(), RoleOwner)
			d.after.SetRole(w.alice.id(), RoleMember)
		}, "role changed"},
		"the last owner steps down":        {alice0, func(t *testing.T, w *world, d *draft) { d.after.SetRole(w.alice.id(), RoleMember) }, "a group has an owner"},
		"a role that there is not":         {alice0, func(t *testing.T, w *world, d *draft) { d.after.SetRole(w.dave.id(), 4) }, "a role that there is not"},
		"a state of another version":       {alice0, func(t *testing.T, w *world, d *draft) { d.after.Version = 9 }, "a state of another version"},
		"another kind":                     {alice0, func(t *testing.T, w *world, d *draft) { d.after.Kind = 4 }, "a kind of conversation that there is not"},
		"an account at no position":        {alice0, func(t *testing.T, w *world, d *draft) { d.after.Members[0].Position.Length = 0 }, "without a chain position"},
		"more accounts than the limit":     {alice0, func(t *testing.T, w *world, d *draft) { d.after.Limit = 3 }, "more accounts than the size limit"},
		"a limit of none":                  {alice0, func(t *testing.T, w *world, d *draft) { d.after.Limit = 0 }, "limit out of range"},
		"a limit beyond all":               {alice0, func(t *testing.T, w *world, d *draft) { d.after.Limit = MaxLimit + 1 }, "limit out of range"},
		"a timer beyond all":               {alice0, func(t *testing.T, w *world, d *draft) { d.after.Retention = MaxRetention + 1 }, "timer out of range"},
		"a name that turns the text":       {alice0, func(t *testing.T, w *world, d *draft) { d.after.Name = "a\u202eb" }, "without control characters"},
		"no name":                          {alice0, func(t *testing.T, w *world, d *draft) { d.after.Name = "" }, "a name of 1 to 128"},
		"an owner takes a single leaf out": {alice0, func(t *testing.T, w *world, d *draft) { d.remove(4) }, "without its account"},
		"a device takes its sibling out":   {carol3, func(t *testing.T, w *world, d *draft) { d.remove(4) }, "without its account"},
		"a member adds another's new device": {carol3, func(t *testing.T, w *world, d *draft) {
			k := w.dave.link(t)
			d.raise(w.dave)
			d.add(w.dave, k, free)
		}, "without its request"},
		"accounts out of order": {alice0, func(t *testing.T, w *world, d *draft) {
			d.after.Members[0], d.after.Members[1] = d.after.Members[1], d.after.Members[0]
		}, "out of order"},
		"the last owner leaves and nobody inherits": {dave5, func(t *testing.T, w *world, d *draft) {
			d.after.Drop(w.alice.id())
			d.remove(0, 1)
			d.evidence = append(d.evidence, w.leave(w.alice, w.alice.devices[0], 0, 1))
		}, "a group has an owner"},
		"the last owner leaves and another inherits": {dave5, func(t *testing.T, w *world, d *draft) {
			d.after.Drop(w.alice.id())
			d.after.SetRole(w.dave.id(), RoleOwner)
			d.remove(0, 1)
			d.evidence = append(d.evidence, w.leave(w.alice, w.alice.devices[0], 0, 1))
		}, "next in rank"},
		"an owner leaves and one too many inherits": {dave5, func(t *testing.T, w *world, d *draft) {
			d.after = w.Without(w.alice.id())
			d.after.SetRole(w.dave.id(), RoleOwner)
			d.remove(0, 1)
			d.evidence = append(d.evidence, w.leave(w.alice, w.alice.devices[0], 0, 1))
		}, "role changed"},
	})
}

// TestRecoveryVoidsAThiefsDevice: who holds a stolen device adds one of its own
// and puts it in the group; the recovery key voids the entry, and whoever brings
// that in removes the leaf.
func TestRecoveryVoidsAThiefsDevice(t *testing.T) {
	w := newWorld(t)
	honest := w.carol.Chain
	thief := w.carol.link(t)
	after, err := w.Judge(w.commit(carol3, func(d *draft) { d.raise(w.carol); w.nodes[free] = d.add(w.carol, thief, free) }))
	if err != nil {
		t.Fatal(err)
	}
	w.Roster = after
	if w.carol.Chain, _, err = honest.MoveServer(w.carol.Recovery, "https://b.example"); err != nil {
		t.Fatal(err)
	}
	owed := w.Owed(func(a wire.AccountID) (*identity.Chain, bool) { return w.carol.Chain, a == w.carol.id() })
	if len(owed.Remove) != 1 || owed.Remove[0].Index != free || len(owed.Chains) != 1 || len(owed.Add) != 0 {
		t.Errorf("owed is %+v, want the thief's leaf gone", owed)
	}
	if _, err := w.Judge(w.commit(dave5, func(d *draft) { d.raise(w.carol) })); err == nil {
		t.Error("the thief's leaf stays")
	}
	after, err = w.Judge(w.commit(dave5, func(d *draft) { d.raise(w.carol); d.remove(free) }))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(after.LeavesOf(w.carol.id())); got != 2 {
		t.Errorf("carol has %d leaves, want her two", got)
	}
}
