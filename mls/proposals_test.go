package mls

import (
	"bytes"
	"errors"
	"testing"
)

// everything turned on.
var openLimits = Limits{AllowExternalCommits: true, AllowExternalProposals: true, AllowProposalsByReference: true, KeepEpochs: 3}

func TestProposalsByReference(t *testing.T) {
	for _, public := range []bool{false, true} {
		people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 4, openLimits)
		a, b, c, d := people[0], people[1], people[2], people[3]
		o := ProposeOptions{Public: public, PadTo: 100}
		newKey, err := GenerateSignatureKey(b.key.suite)
		if err != nil {
			t.Fatal(err)
		}
		up := o
		up.Leaf = &LeafChange{SignatureKey: newKey}
		msg1, ref1, err := b.g.ProposeUpdate(up)
		if err != nil {
			t.Fatal(err)
		}
		msg2, ref2, err := c.g.Propose(Proposal{Type: ProposalRemove, Remove: d.g.OwnLeaf()}, o)
		if err != nil {
			t.Fatal(err)
		}
		e := newPerson(t, b.key.suite, "e")
		kp, secrets := e.keyPackage()
		msg3, ref3, err := a.g.Propose(Proposal{Type: ProposalAdd, Add: kp}, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []struct {
			from *person
			msg  []byte
		}{{b, msg1}, {c, msg2}, {a, msg3}} {
			for _, p := range []*person{a, b, c, d} {
				if p == m.from {
					if _, err := p.g.Process(m.msg); err != ErrOwnMessage {
						t.Errorf("own proposal: got %v, want ErrOwnMessage", err)
					}
					continue
				}
				p.read(m.msg)
			}
		}
		// b's state survives a restart with its pending Update key.
		b.g, err = ParseGroup(b.g.MarshalEpoch(), b.g.MarshalRatchets())
		if err != nil {
			t.Fatal(err)
		}
		pc := a.commit(CommitOptions{ByReference: [][]byte{ref1, ref2, ref3}}, b, c)
		ch := pc.Staged().Changes()
		if len(ch.Added) != 1 || len(ch.Removed) != 1 || len(ch.Updated) != 2 || len(ch.ByReference) != 3 || ch.Removed[0].Index != 3 {
			t.Errorf("changes: got %d added, %d removed, %d updated, %d by reference", len(ch.Added), len(ch.Removed), len(ch.Updated), len(ch.ByReference))
		}
		if e.g, _, err = Join(pc.Welcome(kp.Ref()), kp, secrets, JoinOptions{RatchetTree: pc.RatchetTree()}); err != nil {
			t.Fatal(err)
		}
		sameEpoch(t, a, b, c, e)
		if leaf, _ := a.g.Member(b.g.OwnLeaf()); !bytes.Equal(leaf.SignatureKey, newKey.Public()) {
			t.Error("the new signature key is not in the tree")
		}
		b.say("signed with the new key", a, c, e)
	}
}

func TestPSKs(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 3, openLimits)
	a, b, c := people[0], people[1], people[2]
	psk := NewPSK(PSKID{Type: PSKExternal, ID: []byte("shared")}, []byte("a secret they have"))
	past := a.g.ResumptionPSK(UsageApplication)
	a.commit(CommitOptions{}, b, c)

	d := newPerson(t, a.key.suite, "d")
	kp, secrets := d.keyPackage()
	pc, err := a.g.Commit(CommitOptions{Add: []*KeyPackage{kp}, PSKs: []PSK{psk, past}, NoPath: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.g.Process(pc.Message()); !errors.Is(err, ErrPSKUnknown) {
		t.Errorf("without the PSK: got %v, want ErrPSKUnknown", err)
	}
	wrong := NewPSK(psk.ID, []byte("another"))
	if _, err := b.g.Process(pc.Message(), WithPSKs(wrong)); !errors.Is(err, errConfirmationTag) {
		t.Errorf("with a wrong PSK: got %v, want errConfirmationTag", err)
	}
	for _, p := range []*person{b, c} {
		s, err := p.g.Process(pc.Message(), WithPSKs(psk))
		if err != nil {
			t.Fatal(err)
		}
		p.g = s.Apply()
	}
	a.g = pc.Staged().Apply()
	if _, _, err := Join(pc.WelcomeAll(), kp, secrets, JoinOptions{RatchetTree: pc.RatchetTree(), PSKs: []PSK{psk}}); !errors.Is(err, ErrPSKUnknown) {
		t.Errorf("joining without the resumption PSK: got %v, want ErrPSKUnknown", err)
	}
	if d.g, _, err = Join(pc.WelcomeAll(), kp, secrets, JoinOptions{RatchetTree: pc.RatchetTree(), PSKs: []PSK{psk, past}}); err != nil {
		t.Fatal(err)
	}
	sameEpoch(t, a, b, c, d)
}

// A PSK proposed by one member, a ReInit likewise, and a pending commit with
// both kinds of reference that survives a restart.
func TestReferencedPSK(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 3, openLimits)
	a, b, c := people[0], people[1], people[2]
	psk := NewPSK(PSKID{Type: PSKExternal, ID: []byte("shared")}, []byte("a secret they have"))
	msg, ref, err := b.g.Propose(Proposal{Type: ProposalPSK, PSK: psk.ID}, ProposeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a.read(msg)
	c.read(msg)
	key, err := GenerateSignatureKey(b.key.suite)
	if err != nil {
		t.Fatal(err)
	}
	msg, up, err := b.g.ProposeUpdate(ProposeOptions{Leaf: &LeafChange{SignatureKey: key, Extensions: []Extension{}}})
	if err != nil {
		t.Fatal(err)
	}
	a.read(msg)
	c.read(msg)
	if _, err := a.g.Commit(CommitOptions{ByReference: [][]byte{ref}}); !errors.Is(err, ErrPSKUnknown) {
		t.Errorf("committing an unknown PSK: got %v, want ErrPSKUnknown", err)
	}
	pc, err := a.g.Commit(CommitOptions{ByReference: [][]byte{ref, up}, ReferencedPSKs: []PSK{psk}})
	if err != nil {
		t.Fatal(err)
	}
	if a.g, err = ParseGroup(a.g.MarshalEpoch(), a.g.MarshalRatchets()); err != nil {
		t.Fatal(err)
	}
	if pc, err = a.g.ParsePendingCommit(pc.Marshal()); err != nil {
		t.Fatal(err)
	}
	// Looked at and dropped, then looked at again: our own Update's keys stay.
	st, err := b.g.Process(pc.Message(), WithPSKs(psk))
	if err != nil {
		t.Fatal(err)
	}
	st.Discard()
	for _, p := range []*person{b, c} {
		st, err := p.g.Process(pc.Message(), WithPSKs(psk))
		if err != nil {
			t.Fatal(err)
		}
		if ch := st.Changes(); len(ch.PSKs) != 1 || len(ch.ByReference) != 2 || !ch.Path {
			t.Errorf("changes: got %d PSKs, %d by reference, path %v", len(ch.PSKs), len(ch.ByReference), ch.Path)
		}
		p.g = st.Apply()
	}
	a.g = pc.Staged().Apply()
	sameEpoch(t, a, b, c)
	b.say("with the new key", a, c)
	b.commit(CommitOptions{}, a, c)
	sameEpoch(t, a, b, c)
}

// A re-initialised group goes on in another suite, RFC 9420 §11.2.
func TestReInit(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 2, Limits{})
	a, b := people[0], people[1]
	r := &ReInit{GroupID: []byte("second"), Version: 1, Suite: XWing_CHACHA20POLY1305_SHA256_Ed25519}
	a.commit(CommitOptions{ReInit: r, NoPath: true}, b)
	sameEpoch(t, a, b)
	if _, err := a.g.Encrypt([]byte("x"), 0); err != ErrReInitialised {
		t.Errorf("sending in a re-initialised group: got %v, want ErrReInitialised", err)
	}
	if _, err := a.g.Commit(CommitOptions{}); err != ErrReInitialised {
		t.Errorf("committing in a re-initialised group: got %v, want ErrReInitialised", err)
	}
	got := b.g.ReInit()
	a2, b2 := newPerson(t, got.Suite, "p0"), newPerson(t, got.Suite, "p1")
	var err error
	if a2.g, err = NewGroup(GroupConfig{Suite: got.Suite, GroupID: got.GroupID, Extensions: got.Extensions}, a2.member(), Lifetime{}); err != nil {
		t.Fatal(err)
	}
	kp, secrets := b2.keyPackage()
	pc := a2.commit(CommitOptions{Add: []*KeyPackage{kp}, PSKs: []PSK{a.g.ResumptionPSK(UsageReInit)}})
	if _, _, err := Join(pc.WelcomeAll(), kp, secrets, JoinOptions{RatchetTree: pc.RatchetTree(), PSKs: []PSK{b.g.ResumptionPSK(UsageReInit)}}); !errors.Is(err, errReInitUsage) {
		t.Errorf("without the old group: got %v, want errReInitUsage", err)
	}
	if b2.g, _, err = Join(pc.WelcomeAll(), kp, secrets, JoinOptions{RatchetTree: pc.RatchetTree(), Parent: b.g}); err != nil {
		t.Fatal(err)
	}
	sameEpoch(t, a2, b2)
}

// Part of a group starts one of its own, RFC 9420 §11.3.
func TestBranch(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 3, Limits{})
	a, b := people[0], people[1]
	a2, b2 := newPerson(t, a.key.suite, "p0"), newPerson(t, a.key.suite, "p1")
	var err error
	if a2.g, err = NewGroup(GroupConfig{Suite: a.key.suite}, a2.member(), Lifetime{}); err != nil {
		t.Fatal(err)
	}
	kp, secrets := b2.keyPackage()
	pc := a2.commit(CommitOptions{Add: []*KeyPackage{kp}, PSKs: []PSK{a.g.ResumptionPSK(UsageBranch)}})
	if b2.g, _, err = Join(pc.WelcomeAll(), kp, secrets, JoinOptions{RatchetTree: pc.RatchetTree(), Parent: b.g}); err != nil {
		t.Fatal(err)
	}
	sameEpoch(t, a2, b2)
}

func TestExternalCommit(t *testing.T) {
	for _, s := range Suites() {
		people := testGroup(t, s, 3, openLimits)
		a, b, c := people[0], people[1], people[2]
		info, err := a.g.GroupInfo(true, true)
		if err != nil {
			t.Fatal(err)
		}
		d := newPerson(t, s, "d")
		msg, g, err := JoinExternally(info, d.member(), Lifetime{}, ExternalOptions{Limits: openLimits})
		if err != nil {
			t.Fatal(err)
		}
		d.g = g
		for _, p := range people {
			st := p.read(msg)
			ch := st.Changes()
			if i, member := st.Sender(); !ch.External || member || i != d.g.OwnLeaf() || len(ch.Added) != 1 || ch.Added[0].Index != i {
				t.Error("the changes do not tell of an external join")
			}
		}
		sameEpoch(t, a, b, c, d)
		d.say("hello", a, b, c)
		b.commit(CommitOptions{}, a, c, d)
		sameEpoch(t, a, b, c, d)

		// Resync: the old leaf goes with the same commit; c's place is taken.
		if info, err = b.g.GroupInfo(true, false); err != nil {
			t.Fatal(err)
		}
		old := c.g.OwnLeaf()
		psk := NewPSK(PSKID{Type: PSKExternal, ID: []byte("x")}, []byte("y"))
		msg, g, err = JoinExternally(info, c.member(), Lifetime{}, ExternalOptions{RatchetTree: b.g.RatchetTree(), Remove: &old, PSKs: []PSK{psk}, Limits: openLimits})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []*person{a, b, d} {
			st, err := p.g.Process(msg, WithPSKs(psk))
			if err != nil {
				t.Fatal(err)
			}
			p.g = st.Apply()
		}
		st, err := c.g.Process(msg, WithPSKs(psk))
		if err != nil || !st.SelfRemoved() {
			t.Errorf("the old leaf: got %v", err)
		}
		c.g = g
		sameEpoch(t, a, b, c, d)
		if c.g.OwnLeaf() != old {
			t.Errorf("the joiner is at leaf %d, want the leftmost free one, %d", c.g.OwnLeaf(), old)
		}
		c.say("back", a, b, d)
	}
}

func TestExternalProposals(t *testing.T) {
	s := X25519_AES128GCM_SHA256_Ed25519
	key, err := GenerateSignatureKey(s)
	if err != nil {
		t.Fatal(err)
	}
	people := testGroupWith(t, GroupConfig{Suite: s, Limits: openLimits, Extensions: []Extension{
		ExternalSendersExtension([]ExternalSender{{key.Public(), BasicCredential([]byte("server"))}})}}, 3)
	a, b, c := people[0], people[1], people[2]
	raw, err := a.g.GroupInfo(false, false)
	if err != nil {
		t.Fatal(err)
	}
	info, err := ParseGroupInfo(raw)
	if err != nil {
		t.Fatal(err)
	}
	d := newPerson(t, s, "d")
	kp, secrets := d.keyPackage()
	join, err := ProposeJoin(info, kp, d.key)
	if err != nil {
		t.Fatal(err)
	}
	kick, err := ProposeExternally(info, 0, Proposal{Type: ProposalRemove, Remove: c.g.OwnLeaf()}, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		p.read(join)
		if st := p.read(kick); st.SenderKind() != FromExternal {
			t.Errorf("sender kind: got %d", st.SenderKind())
		}
	}
	refs, _ := a.g.PendingProposals()
	pc := a.commit(CommitOptions{ByReference: refs}, b)
	if d.g, _, err = Join(pc.WelcomeAll(), kp, secrets, JoinOptions{RatchetTree: pc.RatchetTree()}); err != nil {
		t.Fatal(err)
	}
	sameEpoch(t, a, b, d)
}

// Context extensions and custom proposals, and what Changes tells of them.
func TestContextAndCustom(t *testing.T) {
	people := testGroup(t, X25519_AES128GCM_SHA256_Ed25519, 3, Limits{})
	a, b, c := people[0], people[1], people[2]
	req := RequiredCapabilities{Proposals: []uint16{testCustomType}}
	pc, err := a.g.Commit(CommitOptions{Extensions: []Extension{req.Extension()}, Custom: []CustomProposal{{Type: testCustomType, Data: []byte("evidence")}}})
	if err != nil {
		t.Fatal(err)
	}
	token, err := pc.Staged().Export("post", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*person{b, c} {
		st := p.read(pc.Message())
		ch := st.Changes()
		if len(ch.Custom) != 1 || string(ch.Custom[0].Data) != "evidence" || ch.Custom[0].Sender != 0 {
			t.Errorf("custom proposals: got %v", ch.Custom)
		}
		if len(ch.ExtensionsBefore) != 0 || len(ch.ExtensionsAfter) != 1 {
			t.Errorf("extensions: got %d before, %d after", len(ch.ExtensionsBefore), len(ch.ExtensionsAfter))
		}
	}
	a.g = pc.Staged().Apply()
	sameEpoch(t, a, b, c)
	after, err := b.g.Export("post", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "exported before Apply", token, after)

	tbs, sig := b.g.mustStage(t, a).SignedContent()
	leaf, _ := b.g.Member(0)
	if err := VerifySigned(a.key.suite, leaf.SignatureKey, tbs, sig); err != nil {
		t.Errorf("the signed content does not verify: %v", err)
	}
	tbs[len(tbs)-1] ^= 1
	if VerifySigned(a.key.suite, leaf.SignatureKey, tbs, sig) == nil {
		t.Error("changed signed content verifies")
	}
}

// mustStage processes a message of another's.
func (g *Group) mustStage(t *testing.T, from *person) *Staged {
	t.Helper()
	msg, err := from.g.Encrypt([]byte("text"), 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := g.Process(msg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
