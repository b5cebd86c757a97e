package core_test

import (
	"bytes"
	"encoding/binary"

	"hearth/core"
	"hearth/core/letter"
	"hearth/core/roster"
	"hearth/hearthtest"
	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// silent takes out what a client says when it cannot follow.
var silent = edit("core/commit.go", "s.c.debug(\"a commit was refused\", err)", "return nil")

// Checks that several deviations meet.
var (
	proves = edit("core/roster/roster.go", "if err := c.Proves(cred, n.SignatureKey); err != nil {", "if err := error(nil); err != nil {")
	signs  = edit("core/roster/evidence.go", "if err := c.SignedBy(s.device, s.label, s.Body, s.Signature); err != nil {", "if false {")
	agrees = edit("core/roster/judge.go", "if !equalExtensions(ch.ExtensionsAfter, Extensions(s)) {", "if false {")
	remove = edit("core/roster/rights.go", "default:\n\t\t\treturn refuse(\"the removal of an account that the committer's role does not allow\")", "default:")
	named  = edit("core/roster/rights.go", "if !e.names(l.Hash) {", "if l.Index > 1<<30 {")
	single = edit("core/roster/rights.go", "return refuse(\"the removal of a leaf without its account, without evidence that names it\")", "continue")
)

// renamed is the group's state under another name.
func (m *insider) renamed() roster.State {
	s := m.Roster.State()
	s.Name = "cellar"
	return s
}

// claim takes a KeyPackage of somebody's from behind the handle.
func (m *insider) claim(name string) (kp *mls.KeyPackage, chain *identity.Chain, door letter.Door) {
	m.st.T.Helper()
	rec := m.raw.Record(name)
	door = letter.Door{Server: m.st.Server("home").URL, ID: rec.Knocks[0].Door, Key: rec.Knocks[0].Key, Sealing: rec.Knocks[0].Sealing}
	var c wire.DoorClaimed
	m.must(m.raw.Ask(wire.OpDoorClaim, wire.DoorClaim{Door: door.ID, Key: door.Key}, &c))
	b, entries, err := core.OpenPackage(door, c.Sealed)
	m.must(err)
	kp, err = mls.ParseKeyPackage(b)
	m.must(err)
	chain, err = identity.Verify(entries)
	m.must(err)
	return kp, chain, door
}

// forged makes a KeyPackage with somebody's credential and the insider's key.
func (m *insider) forged(credential identity.Credential) (*mls.KeyPackage, *mls.KeyPackageSecrets) {
	m.st.T.Helper()
	as := m.member
	as.Credential = mls.BasicCredential(credential.Marshal())
	key, err := mls.GenerateSignatureKey(core.Suite)
	m.must(err)
	as.SignatureKey = key
	kp, secrets, err := mls.NewKeyPackage(core.Suite, as, mls.Lifetime{NotAfter: 1 << 40}, nil)
	m.must(err)
	return kp, secrets
}

// newSeat is a provisional seat for somebody who is added.
func (m *insider) newSeat() wire.NewSeat {
	return wire.NewSeat{ID: wire.NewSeatID(m.Room.Region()), Hash: wire.NewSecret().Hash(), Provisional: true}
}

// leave is the word of bob's account that it leaves, signed by a key.
func leaveOf(m *insider, key identity.DeviceKey) roster.Evidence {
	m.st.T.Helper()
	e, err := m.Roster.NewLeave(key, account(m.st.Bob))
	m.must(err)
	return e
}

// Commits that the others must refuse.
var commitDeviations = []hearthtest.Deviation{
	refused("a plain member renames the group", func(m *insider) {
		m.commit(changing(m.renamed(), roster.Change{}))
	}, edit("core/roster/rights.go", "return refuse(\"a setting changed by one who is neither owner nor admin\")", "return nil")),

	refused("a plain member removes another", func(m *insider) {
		o := changing(m.Roster.Without(account(m.st.Bob)), roster.Change{})
		o.Remove = []mls.LeafIndex{m.leafOf(m.st.Bob)}
		m.commit(o)
	}, remove),

	refused("a plain member removes a device and not its account", func(m *insider) {
		m.commit(mls.CommitOptions{Remove: []mls.LeafIndex{m.leafOf(m.st.Bob)}})
	}, single),

	refused("a plain member invites", func(m *insider) {
		m.st.Person("dave")
		kp, chain, _ := m.claim("dave")
		s := m.Roster.State()
		s.Put(chain, roster.RoleMember)
		o := changing(s, roster.Change{Chains: []roster.ChainPart{{Account: chain.Account(), Entries: chain.Entries()}}})
		o.Add = []*mls.KeyPackage{kp}
		m.commit(o, m.newSeat())
	}, edit("core/roster/rights.go", "return refuse(\"an account added by one who is neither owner nor admin\")", "continue")),

	refused("a renewed leaf with a key that is not its device's", func(m *insider) {
		key, err := mls.GenerateSignatureKey(core.Suite)
		m.must(err)
		m.commit(mls.CommitOptions{Leaf: &mls.LeafChange{SignatureKey: key}})
	}, proves),

	refused("a renewed leaf for a device that its chain lacks", func(m *insider) {
		device := identity.NewDeviceKey()
		seed := device.Seed()
		key, err := mls.NewSignatureKey(core.Suite, seed)
		m.must(err)
		c := mls.BasicCredential(m.chain.CredentialOf(device.ID()).Marshal())
		m.commit(mls.CommitOptions{Leaf: &mls.LeafChange{Credential: &c, SignatureKey: key}})
	}, proves, edit("core/roster/judge.go", "case l.Device != old.Device:", "case false:")),

	refused("a leaf that goes back in its chain", func(m *insider) {
		longer, _, err := m.chain.MoveServer(m.key, "http://elsewhere.example")
		m.must(err)
		old := mls.BasicCredential(m.chain.CredentialOf(m.key.ID()).Marshal())
		now := mls.BasicCredential(longer.CredentialOf(m.key.ID()).Marshal())
		s := m.Roster.State()
		s.Put(longer, roster.RoleMember)
		o := changing(s, roster.Change{Chains: []roster.ChainPart{{Account: m.chain.Account(), Entries: longer.Since(m.chain)}}})
		o.Leaf = &mls.LeafChange{Credential: &now}
		m.commit(o)
		m.afterwards(m.st.Alice, m.st.Bob) // so far it is right
		m.commit(mls.CommitOptions{Leaf: &mls.LeafChange{Credential: &old}})
	}, edit("core/roster/judge.go", "case l.Position.Compare(old.Position) < 0:", "case false:")),

	refusedOfOwner("a state that the commit does not sign", func(m *insider) {
		o := changing(m.renamed(), roster.Change{})
		other := m.renamed()
		other.Name = "attic"
		o.Extensions = roster.Extensions(other)
		m.commit(o)
	}, agrees),

	refusedOfOwner("a state that changes and does not travel", func(m *insider) {
		m.commit(mls.CommitOptions{Extensions: roster.Extensions(m.renamed())})
	}, agrees),

	refusedOfOwner("a name that turns the direction of text", func(m *insider) {
		s := m.Roster.State()
		s.Name = "kitchen\u202e\u2066gnp.exe"
		m.commit(changing(s, roster.Change{}))
	}, edit("core/roster/state.go", "if s.ID == (ConversationID{}) || !goodName(s.Name) {", "if s.ID == (ConversationID{}) {")),

	refusedOfOwner("somebody added without a chain", func(m *insider) {
		m.st.Person("dave")
		kp, chain, _ := m.claim("dave")
		s := m.Roster.State()
		s.Put(chain, roster.RoleMember)
		o := changing(s, roster.Change{})
		o.Add = []*mls.KeyPackage{kp}
		m.commit(o, m.newSeat())
	}, edit("core/roster/judge.go", "return refuse(\"an account without its chain\")", "continue"),
		edit("core/roster/roster.go", "if _, ok := r.state.Member(cred.Account); !ok || c == nil {", "if c == nil {\n\t\treturn Leaf{Index: i, Account: cred.Account, Device: cred.Device, Position: cred.Position, Key: identity.PublicKey(n.SignatureKey), Hash: HashLeaf(n)}, nil\n\t}\n\tif _, ok := r.state.Member(cred.Account); !ok {"),
		edit("core/roster/roster.go", "\t\tout = append(out, r.chains[m.Account].Entries())", "\t\tif r.chains[m.Account] == nil {\n\t\t\tcontinue\n\t\t}\n\t\tout = append(out, r.chains[m.Account].Entries())")),

	refusedOfOwner("somebody added with another's chain", func(m *insider) {
		m.st.Person("dave")
		_, chain, _ := m.claim("dave")
		s := m.Roster.State()
		s.Put(chain, roster.RoleMember)
		for i := range s.Members {
			if s.Members[i].Account == chain.Account() {
				s.Members[i].Position, s.Members[i].Head = m.chain.Position(), m.chain.Head()
			}
		}
		kp, _ := m.forged(chain.CredentialOf(chain.Devices()[0].ID))
		o := changing(s, roster.Change{Chains: []roster.ChainPart{{Account: chain.Account(), Entries: m.chain.Entries()}}})
		o.Add = []*mls.KeyPackage{kp}
		m.commit(o, m.newSeat())
	}, proves, edit("core/roster/judge.go", "c, err = identity.VerifyFor(p.Account, p.Entries)", "c, err = identity.Verify(p.Entries)")),

	refusedOfOwner("a ghost device added for a member", func(m *insider) {
		_, bob, _, err := m.st.Bob.Client.Identity()
		m.must(err)
		kp, _ := m.forged(bob.CredentialOf(identity.NewDeviceKey().ID()))
		m.commit(mls.CommitOptions{Add: []*mls.KeyPackage{kp}}, m.newSeat())
	}, proves),

	refusedOfOwner("more people than the group's limit", func(m *insider) {
		m.st.Person("dave")
		kp, chain, _ := m.claim("dave")
		s := m.Roster.State()
		s.Limit = 3
		m.commit(changing(s, roster.Change{}))
		s.Put(chain, roster.RoleMember)
		o := changing(s, roster.Change{Chains: []roster.ChainPart{{Account: chain.Account(), Entries: chain.Entries()}}})
		o.Add = []*mls.KeyPackage{kp}
		m.commit(o, m.newSeat())
	}, edit("core/roster/state.go", "case len(s.Members) > int(s.Limit):", "case false:")),

	refused("a pre-shared key", func(m *insider) {
		m.commit(mls.CommitOptions{PSKs: []mls.PSK{m.Group.ResumptionPSK(mls.UsageApplication)}})
	}, edit("core/roster/judge.go", "case len(ch.PSKs) > 0:", "case false:")),

	refused("a change of a kind that there is not", func(m *insider) {
		m.commit(mls.CommitOptions{}) // after it our tree knows its hashes
		for _, i := range m.Group.Members() {
			// Only so that our own side makes it.
			i.Leaf.Capabilities.Proposals = append(i.Leaf.Capabilities.Proposals, 0xF0FF)
		}
		m.commit(mls.CommitOptions{Custom: []mls.CustomProposal{{Type: 0xF0FF, Data: []byte("?")}}})
	}, edit("core/roster/judge.go", "case p.Type != ChangeProposal:\n\t\t\treturn refuse(\"a custom proposal of a type that there is not\")", "case p.Type != ChangeProposal:\n\t\t\tcontinue"),
		edit("mls/proposallist.go", "return errCustomSupport", "return nil")),

	refused("a change of a later version", func(m *insider) {
		b := roster.Change{State: m.Roster.State().Encode()}.Encode()
		b[1] = 2
		m.commit(mls.CommitOptions{Custom: []mls.CustomProposal{{Type: roster.ChangeProposal, Data: b}}})
	}, edit("core/roster/change.go", "if c.Version != changeVersion {", "if false {"),
		edit("core/roster/judge.go", "return refuse(\"a state that travels though it stays as it was\")", "_ = s")),

	refused("a forged word that another leaves", func(m *insider) {
		o := changing(m.Roster.Without(account(m.st.Bob)), roster.Change{Evidence: []roster.Evidence{leaveOf(m, m.key)}})
		o.Remove = []mls.LeafIndex{m.leafOf(m.st.Bob)}
		m.commit(o)
	}, signs),

	refused("another's word to leave another conversation", func(m *insider) {
		key, _, _, err := m.st.Bob.Client.Identity()
		m.must(err)
		pair, err := m.st.Bob.Client.Inside(m.st.Pair)
		m.must(err)
		e, err := pair.Roster.NewLeave(key, account(m.st.Bob))
		m.must(err)
		o := changing(m.Roster.Without(account(m.st.Bob)), roster.Change{Evidence: []roster.Evidence{e}})
		o.Remove = []mls.LeafIndex{m.leafOf(m.st.Bob)}
		m.commit(o)
	}, edit("core/roster/judge.go", "if s.conversation != v.before.state.ID {", "if false {"),
		named),

	refused("a forged request to rejoin", func(m *insider) {
		kp, bob, _ := m.claim("bob")
		q, err := roster.NewRejoin(m.key, bob, m.Roster.State().ID, leavesOf(m, bob.Account()), kp, nil, wire.AccountID{})
		m.must(err)
		rejoin(m, kp, q.Evidence)
	}, signs, edit("core/roster/rights.go", "if e.Kind == EvidenceRejoin && e.account == l.Account && e.device == l.Device && e.names(l.Hash) && v.adds(e) {", "if e.Kind == EvidenceRejoin && e.account == l.Account && e.names(l.Hash) {"),
		edit("core/roster/rights.go", "if e.Kind == EvidenceRejoin && e.account == l.Account && e.device == l.Device && e.added == l.Hash {", "if e.Kind == EvidenceRejoin && e.account == l.Account && e.added == l.Hash {")),

	refused("a request to rejoin that is spent", func(m *insider) {
		// Bob asked once and was answered; the same request again names a leaf
		// that is gone.
		key, bob, _, err := m.st.Bob.Client.Identity()
		m.must(err)
		kp, _, _ := m.claim("bob")
		q, err := roster.NewRejoin(key, bob, m.Roster.State().ID, []roster.LeafHash{{1}}, kp, nil, wire.AccountID{})
		m.must(err)
		rejoin(m, kp, q.Evidence)
	}, edit("core/roster/rights.go", "e.names(l.Hash) && v.adds(e) {", "v.adds(e) {")),

	refused("a commit in the clear", func(m *insider) { m.commit(mls.CommitOptions{Public: true}) }, private),

	refused("a commit with data beside it", func(m *insider) { m.commit(mls.CommitOptions{AuthenticatedData: []byte("for the server")}) },
		edit("core/commit.go", "case len(staged.AuthenticatedData()) > 0:", "case false:")),
}

// private takes out that commits are PrivateMessages.
var private = edit("core/commit.go", "case !staged.Private():", "case false:")

// allowing returns the insider's group with everything optional on, as its own
// client would never have it.
func allowing(m *insider) *mls.Group {
	m.st.T.Helper()
	b := m.Group.MarshalEpoch()
	l := m.Group.Limits()
	var saved []byte
	for _, n := range []int{int(l.MaxForward), l.MaxSkipped, l.MaxSkippedTotal, l.KeepEpochs, l.MaxMembers} {
		saved = binary.BigEndian.AppendUint32(saved, uint32(n))
	}
	if i := bytes.Index(b, saved); i >= 0 {
		b[i+len(saved)] = 7
	}
	g, err := mls.ParseGroup(b, m.Group.MarshalRatchets())
	m.must(err)
	if !g.Limits().AllowProposalsByReference {
		m.st.T.Fatal("the limits were not found in the group's state")
	}
	return g
}

// leavesOf names an account's leaves.
func leavesOf(m *insider, a wire.AccountID) (out []roster.LeafHash) {
	for _, l := range m.Roster.LeavesOf(a) {
		out = append(out, l.Hash)
	}
	return out
}

// rejoin commits bob's leaf away and another in its place, with evidence.
func rejoin(m *insider, kp *mls.KeyPackage, e roster.Evidence) {
	m.st.T.Helper()
	o := carrying(roster.Change{Evidence: []roster.Evidence{e}})
	o.Remove, o.Add = []mls.LeafIndex{m.leafOf(m.st.Bob)}, []*mls.KeyPackage{kp}
	m.commit(o, m.newSeat())
}
