package roster

import (
	"crypto/rand"
	"testing"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// person is an account with the keys of its devices, as its owner has it.
type person struct {
	identity.Created
	devices []identity.DeviceKey
}

func (p *person) id() wire.AccountID { return p.Chain.Account() }

func newPerson(t testing.TB, devices int) *person {
	t.Helper()
	a, err := identity.NewAccount("https://a.example")
	if err != nil {
		t.Fatal(err)
	}
	p := &person{Created: a, devices: []identity.DeviceKey{a.Device}}
	for len(p.devices) < devices {
		p.link(t)
	}
	return p
}

// link adds a device to the person's chain.
func (p *person) link(t testing.TB) identity.DeviceKey {
	t.Helper()
	k := identity.NewDeviceKey()
	c, _, err := p.Chain.AddDevice(p.Device, k.Candidate(p.id()))
	if err != nil {
		t.Fatal(err)
	}
	p.Chain, p.devices = c, append(p.devices, k)
	return k
}

// revoke ends a device in the person's chain.
func (p *person) revoke(t testing.TB, k identity.DeviceKey) {
	t.Helper()
	c, _, err := p.Chain.RevokeDevice(p.Recovery, k.ID())
	if err != nil {
		t.Fatal(err)
	}
	p.Chain = c
}

func (p *person) close(t testing.TB) {
	t.Helper()
	c, _, err := p.Chain.Close(p.Device)
	if err != nil {
		t.Fatal(err)
	}
	p.Chain = c
}

// node returns a fresh leaf for a device, as its owner's client makes it.
func (p *person) node(k identity.DeviceKey) *mls.LeafNode {
	return nodeFor(p.Chain.CredentialOf(k.ID()), k.Public())
}

func nodeFor(c identity.Credential, key identity.PublicKey) *mls.LeafNode {
	n := &mls.LeafNode{
		EncryptionKey: make([]byte, 32), SignatureKey: key[:], Credential: mls.BasicCredential(c.Marshal()),
		Capabilities: Capabilities(), Source: mls.LeafFromKeyPackage, Signature: make([]byte, 64),
	}
	rand.Read(n.EncryptionKey)
	return n
}

// world is a group of four people: alice owns it (leaves 0, 1), bob is admin
// (leaf 2), carol (leaves 3, 4) and dave (leaf 5) are members; erin is not in
// it.
type world struct {
	*Roster
	alice, bob, carol, dave, erin *person
	nodes                         map[mls.LeafIndex]*mls.LeafNode
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		alice: newPerson(t, 2), bob: newPerson(t, 1), carol: newPerson(t, 2), dave: newPerson(t, 1), erin: newPerson(t, 2),
		nodes: map[mls.LeafIndex]*mls.LeafNode{},
	}
	s := NewGroup(NewGroupID(), "friends", w.alice.Chain, 30*24*3600)
	s.Put(w.bob.Chain, RoleAdmin)
	s.Put(w.carol.Chain, RoleMember)
	s.Put(w.dave.Chain, RoleMember)
	w.open(t, s, w.alice, w.bob, w.carol, w.dave)
	return w
}

// open judges a group whose leaves are all devices of people, in order.
func (w *world) open(t testing.TB, s State, people ...*person) {
	t.Helper()
	var chains [][][]byte
	for _, p := range people {
		for _, k := range p.devices {
			w.nodes[mls.LeafIndex(len(w.nodes))] = p.node(k)
		}
		chains = append(chains, p.Chain.Entries())
	}
	var err error
	if w.Roster, err = JudgeWelcome(s.Encode(), Extensions(s), w.members(), chains); err != nil {
		t.Fatal(err)
	}
}

func (w *world) members() (out []mls.MemberInfo) {
	for i := mls.LeafIndex(0); int(i) < 64; i++ {
		if n := w.nodes[i]; n != nil {
			out = append(out, mls.MemberInfo{Index: i, Leaf: n})
		}
	}
	return out
}

// draft is a commit in the making. Its change is encoded as it stands, so that
// a test can make one that no client of ours would.
type draft struct {
	mls.Changes
	w        *world
	after    State
	chains   []*identity.Chain
	evidence []Evidence
	// tamper is called on the change before it is encoded, and on the commit at
	// the end.
	tamperChange func(*Change)
	tamper       func(*mls.Changes)
}

func (d *draft) add(p *person, k identity.DeviceKey, at mls.LeafIndex) *mls.LeafNode {
	n := p.node(k)
	d.Added = append(d.Added, mls.MemberInfo{Index: at, Leaf: n})
	return n
}

func (d *draft) remove(at ...mls.LeafIndex) {
	for _, i := range at {
		d.Removed = append(d.Removed, mls.MemberInfo{Index: i, Leaf: d.w.nodes[i]})
	}
}

func (d *draft) update(at mls.LeafIndex, n *mls.LeafNode) {
	d.Updated = append(d.Updated, mls.LeafChanged{Index: at, Old: d.w.nodes[at], New: n})
}

// invite adds an account with one leaf.
func (d *draft) invite(p *person, r Role, at mls.LeafIndex) {
	d.after.Put(p.Chain, r)
	d.chains = append(d.chains, p.Chain)
	d.add(p, p.devices[0], at)
}

// raise takes in a member's newer chain.
func (d *draft) raise(p *person) {
	if m, ok := d.after.Member(p.id()); ok {
		d.after.Put(p.Chain, m.Role)
	}
	d.chains = append(d.chains, p.Chain)
}

// commit makes what mls would tell of a commit by a leaf.
func (w *world) commit(by mls.LeafIndex, edit func(*draft)) mls.Changes {
	d := &draft{w: w, after: w.State()}
	d.Committer = by
	d.ExtensionsBefore = Extensions(w.state)
	edit(d)
	d.ExtensionsAfter = Extensions(d.after)
	c := Change{Version: changeVersion, Evidence: d.evidence}
	if d.after.Hash() != w.state.Hash() {
		c.State = d.after.Encode()
	}
	for _, chain := range d.chains {
		part := ChainPart{Account: chain.Account(), Entries: chain.Entries()}
		if known, ok := w.chains[chain.Account()]; ok {
			part.Entries = chain.Since(known)
		}
		i, _ := c.findChain(part.Account)
		c.Chains = append(c.Chains[:i], append([]ChainPart{part}, c.Chains[i:]...)...)
	}
	if d.tamperChange != nil {
		d.tamperChange(&c)
	}
	if len(c.State) > 0 || len(c.Chains) > 0 || len(c.Evidence) > 0 {
		d.Custom = append(d.Custom, mls.CustomProposal{Type: ChangeProposal, Data: wire.Encode(c), Sender: by})
	}
	if d.tamper != nil {
		d.tamper(&d.Changes)
	}
	return d.Changes
}

// rejoin makes a device's request for a fresh leaf n, naming old ones.
func (w *world) rejoin(p *person, k identity.DeviceKey, n *mls.LeafNode, old ...mls.LeafIndex) Evidence {
	b := rejoin{Version: 1, Conversation: w.state.ID, Account: p.id(), Device: k.ID(), Position: p.Chain.Position(), New: HashLeaf(n)}
	for _, i := range old {
		b.Leaves = append(b.Leaves, HashLeaf(w.nodes[i]))
	}
	body := wire.Encode(b)
	return Evidence{Kind: EvidenceRejoin, Body: body, Signature: k.Sign(identity.LabelRejoin, body)}
}

// leave makes a device's signed leave, naming leaves.
func (w *world) leave(p *person, k identity.DeviceKey, leaves ...mls.LeafIndex) Evidence {
	b := leave{Version: 1, Conversation: w.state.ID, Account: p.id(), Device: k.ID(), Position: p.Chain.Position()}
	for _, i := range leaves {
		b.Leaves = append(b.Leaves, HashLeaf(w.nodes[i]))
	}
	body := wire.Encode(b)
	return Evidence{Kind: EvidenceLeave, Body: body, Signature: k.Sign(identity.LabelLeave, body)}
}
