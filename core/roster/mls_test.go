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

// Judge over real groups: what mls tells of its commits is what this package
// expects, and all members come to the same roster.

const suite = mls.XWing_CHACHA20POLY1305_SHA256_Ed25519

func member(t testing.TB, p *person, k identity.DeviceKey) mls.Member {
	t.Helper()
	key, err := mls.NewSignatureKey(suite, k.Seed())
	if err != nil {
		t.Fatal(err)
	}
	pub := k.Public()
	if !bytes.Equal(key.Public(), pub[:]) {
		t.Fatal("mls and identity make two keys of one seed")
	}
	return mls.Member{
		Credential: mls.BasicCredential(p.Chain.CredentialOf(k.ID()).Marshal()), SignatureKey: key, Capabilities: Capabilities(),
	}
}

func keyPackage(t testing.TB, p *person, k identity.DeviceKey) (*mls.KeyPackage, *mls.KeyPackageSecrets) {
	t.Helper()
	kp, secrets, err := mls.NewKeyPackage(suite, member(t, p, k), mls.Lifetime{NotAfter: 1 << 40}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return kp, secrets
}

// seated is one device in the group, with its own group state and roster.
type seated struct {
	group *mls.Group
	*Roster
}

// play is a group of seated devices.
type play struct {
	t     *testing.T
	seats []*seated
}

// commit has a device commit a proposal, and all others judge and apply it. It
// returns what joiners need.
func (w *play) commit(by *seated, p Proposal, o mls.CommitOptions) *mls.PendingCommit {
	w.t.Helper()
	o.Custom, o.Extensions = p.Custom, p.Extensions
	pending, err := by.group.Commit(o)
	if err != nil {
		w.t.Fatal(err)
	}
	var first []byte
	for _, s := range w.seats {
		staged := pending.Staged()
		if s != by {
			if staged, err = s.group.Process(pending.Message()); err != nil {
				w.t.Fatal(err)
			}
		}
		after, err := s.Judge(staged.Changes())
		if err != nil {
			w.t.Fatal(err)
		}
		if staged.SelfRemoved() {
			s.group = nil
			continue
		}
		s.group, s.Roster = staged.Apply(), after
		if err := s.Check(s.group.Extensions(), s.group.Members()); err != nil {
			w.t.Fatal(err)
		}
		if first == nil {
			first = after.Marshal()
		} else if !bytes.Equal(first, after.Marshal()) {
			w.t.Fatal("two members come to two rosters")
		}
	}
	return pending
}

func (w *play) join(pending *mls.PendingCommit, from *Roster, p Proposal, kp *mls.KeyPackage, secrets *mls.KeyPackageSecrets) *seated {
	w.t.Helper()
	g, _, err := mls.Join(pending.Welcome(kp.Ref()), kp, secrets, mls.JoinOptions{RatchetTree: pending.RatchetTree()})
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := JudgeWelcome(p.State.Encode(), g.Extensions(), g.Members(), from.Chains())
	if err != nil {
		w.t.Fatal(err)
	}
	if !bytes.Equal(r.Marshal(), from.Marshal()) {
		w.t.Fatal("a joiner comes to another roster")
	}
	s := &seated{g, r}
	w.seats = append(w.seats, s)
	return s
}

func TestJudgeOverRealGroups(t *testing.T) {
	alice, bob, carol := newPerson(t, 1), newPerson(t, 2), newPerson(t, 1)
	s := NewGroup(NewGroupID(), "friends", alice.Chain, 0)
	g, err := mls.NewGroup(mls.GroupConfig{Suite: suite, Extensions: Extensions(s)}, member(t, alice, alice.devices[0]), mls.Lifetime{NotAfter: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	r, err := JudgeWelcome(s.Encode(), g.Extensions(), g.Members(), [][][]byte{alice.Chain.Entries()})
	if err != nil {
		t.Fatal(err)
	}
	founder := &seated{g, r}
	w := &play{t: t, seats: []*seated{founder}}
	must := func(p Proposal, err error) Proposal {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}

	// The founder adds bob, with both devices, and carol.
	after := founder.State()
	after.Put(bob.Chain, RoleMember)
	after.Put(carol.Chain, RoleMember)
	p := must(founder.Propose(after, []*identity.Chain{bob.Chain, carol.Chain}))
	kps := make([]*mls.KeyPackage, 3)
	secrets := make([]*mls.KeyPackageSecrets, 3)
	kps[0], secrets[0] = keyPackage(t, bob, bob.devices[0])
	kps[1], secrets[1] = keyPackage(t, bob, bob.devices[1])
	kps[2], secrets[2] = keyPackage(t, carol, carol.devices[0])
	pending := w.commit(founder, p, mls.CommitOptions{Add: kps})
	bob0 := w.join(pending, founder.Roster, p, kps[0], secrets[0])
	w.join(pending, founder.Roster, p, kps[1], secrets[1])
	carol0 := w.join(pending, founder.Roster, p, kps[2], secrets[2])

	// A plain member renews its leaf.
	w.commit(carol0, must(carol0.Propose(carol0.State(), nil)), mls.CommitOptions{})

	// Bob's second device lost its state; carol, a plain member, refreshes it.
	lost, _ := bob0.LeafOf(bob.id(), bob.devices[1].ID())
	kp, sec := keyPackage(t, bob, bob.devices[1])
	q, err := NewRejoin(bob.devices[1], bob.Chain, s.ID, []LeafHash{lost.Hash}, kp, []byte("door"), wire.AccountID{})
	if err != nil {
		t.Fatal(err)
	}
	q, said, err := ParseRejoin(q.Encode(), carol0.Chain)
	if err != nil || said.Account != bob.id() || said.Device != bob.devices[1].ID() || string(said.Door) != "door" {
		t.Fatalf("the request says %+v, %v", said, err)
	}
	p = must(carol0.Propose(carol0.State(), nil, q.Evidence))
	w.seats = append(w.seats[:2], w.seats[3:]...) // the lost state
	pending = w.commit(carol0, p, mls.CommitOptions{Add: []*mls.KeyPackage{said.KeyPackage}, Remove: []mls.LeafIndex{lost.Index}})
	bob1 := w.join(pending, carol0.Roster, p, kp, sec)

	// The owner leaves by a signed word that bob carries out; bob inherits.
	word, err := founder.NewLeave(alice.devices[0], alice.id())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := word.ReadLeave(bob1.Chain); err != nil {
		t.Fatal(err)
	}
	p = must(bob1.Propose(bob1.Without(alice.id()), nil, word))
	w.commit(bob1, p, mls.CommitOptions{Remove: []mls.LeafIndex{founder.group.OwnLeaf()}})
	w.seats = w.seats[1:]
	if m, _ := p.State.Member(bob.id()); m.Role != RoleOwner {
		t.Errorf("bob is %v, want the next owner", m.Role)
	}

	// A renewal that swaps the credential is refused by everybody (A12).
	swapped := mls.BasicCredential(bob.Chain.CredentialOf(bob.devices[0].ID()).Marshal())
	bad, err := carol0.group.Commit(mls.CommitOptions{Leaf: &mls.LeafChange{Credential: &swapped}})
	if err != nil {
		t.Fatal(err)
	}
	staged, err := bob0.group.Process(bad.Message())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob0.Judge(staged.Changes()); !errors.Is(err, ErrRefused) {
		t.Errorf("a swapped credential: got %v, want it refused", err)
	}
}

// TestParseRejoinRefuses: a request whose parts do not belong together.
func TestParseRejoinRefuses(t *testing.T) {
	p := newPerson(t, 2)
	k := p.devices[0]
	kp, _ := keyPackage(t, p, k)
	other, _ := keyPackage(t, p, k)
	good, err := NewRejoin(k, p.Chain, NewGroupID(), nil, kp, []byte("door"), wire.AccountID{})
	if err != nil {
		t.Fatal(err)
	}
	chain := func(wire.AccountID) (*identity.Chain, bool) { return p.Chain, true }
	if _, _, err := ParseRejoin(good.Encode(), chain); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "a trailing byte": append(good.Encode(), 0)} {
		if _, _, err := ParseRejoin(b, chain); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "could not be read") {
			t.Errorf("%s: got %v, want it unread", name, err)
		}
		if _, err := ParseEvidence(b); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "could not be read") {
			t.Errorf("%s for evidence: got %v, want it unread", name, err)
		}
	}
	if _, err := good.Evidence.ReadLeave(chain); err == nil || !strings.Contains(err.Error(), "a leave that is none") {
		t.Errorf("a request read as a leave: got %v", err)
	}
	told := good
	told.Evidence = newWorld(t).leave(p, k)
	if _, _, err := ParseRejoin(told.Encode(), chain); err == nil || !strings.Contains(err.Error(), "rejoin that is none") {
		t.Errorf("a leave read as a request: got %v", err)
	}
	revoked := newPerson(t, 1)
	revoked.Created, revoked.devices = p.Created, p.devices
	revoked.revoke(t, k)
	for name, row := range map[string]struct {
		change func(*RejoinRequest)
		chain  func(wire.AccountID) (*identity.Chain, bool)
	}{
		"another door":             {func(q *RejoinRequest) { q.Door = []byte("elsewhere") }, chain},
		"another KeyPackage":       {func(q *RejoinRequest) { q.KeyPackage = other.Marshal() }, chain},
		"no KeyPackage":            {func(q *RejoinRequest) { q.KeyPackage = nil }, chain},
		"another signature":        {func(q *RejoinRequest) { q.Evidence.Signature = k.Sign(identity.LabelLeave, q.Evidence.Body) }, chain},
		"a device since revoked":   {func(*RejoinRequest) {}, func(wire.AccountID) (*identity.Chain, bool) { return revoked.Chain, true }},
		"an account nobody knows":  {func(*RejoinRequest) {}, func(wire.AccountID) (*identity.Chain, bool) { return nil, false }},
		"another account's chain":  {func(*RejoinRequest) {}, func(wire.AccountID) (*identity.Chain, bool) { return newPerson(t, 1).Chain, true }},
		"a chain from before then": {func(*RejoinRequest) {}, func(wire.AccountID) (*identity.Chain, bool) { return mustPrefix(t, p.Chain, 1), true }},
	} {
		q := good
		row.change(&q)
		if _, _, err := ParseRejoin(q.Encode(), row.chain); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}
