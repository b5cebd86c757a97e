package mls

import (
	"bytes"
	"testing"
)

// reencodes is the property of every decoder: what is accepted encodes to the
// very same bytes.
func reencodes(t *testing.T, raw []byte, v wireValue) {
	t.Helper()
	if unmarshal(raw, v) != nil {
		return
	}
	if !bytes.Equal(marshal(v), raw) {
		t.Errorf("accepted %x, which encodes to %x", raw, marshal(v))
	}
}

// seeds are messages of every kind from a small group.
type seeds struct {
	*fixture
	messages  [][]byte
	proposals []Proposal
	commit    []byte
}

func newSeeds(f *testing.F) *seeds {
	s := &seeds{fixture: newFixture(f)}
	_, kp, _ := s.newcomer(nil)
	s.proposals = []Proposal{
		{Type: ProposalAdd, Add: kp},
		{Type: ProposalUpdate, Update: s.update(nil)},
		{Type: ProposalRemove, Remove: 2},
		s.psk(nil),
		{Type: ProposalReInit, ReInit: &ReInit{GroupID: []byte("n"), Version: 1, Suite: 1}},
		{Type: ProposalExternalInit, KEMOutput: []byte{1, 2, 3}},
		required(RequiredCapabilities{Proposals: []uint16{testCustomType}}),
		{Type: testCustomType, Custom: []byte("custom")},
	}
	for _, p := range s.proposals {
		s.messages = append(s.messages, s.list(p), s.byReference(s.a, p))
	}
	good := s.insider(insiderCommit{options: CommitOptions{Add: []*KeyPackage{kp}, Remove: []LeafIndex{2}}})
	s.commit = marshal(s.parsed(good).public.content.commit)
	pc, err := s.a.g.Commit(CommitOptions{Add: []*KeyPackage{kp}, InlineTree: true})
	if err != nil {
		f.Fatal(err)
	}
	info, err := s.a.g.GroupInfo(true, true)
	if err != nil {
		f.Fatal(err)
	}
	s.messages = append(s.messages, good, pc.Message(), pc.WelcomeAll(), info, marshal(&message{keyPackage: kp}),
		s.outsider(outsiderCommit{}), s.goodPublic(), s.goodPrivate(), s.old)
	return s
}

func FuzzMLSMessage(f *testing.F) {
	for _, m := range newSeeds(f).messages {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, b []byte) { reencodes(t, b, new(message)) })
}

func FuzzWelcome(f *testing.F) {
	s := newSeeds(f)
	for _, m := range s.messages {
		if w := s.parsed(m).welcome; w != nil {
			f.Add(marshal(w))
		}
	}
	f.Add(marshal(&groupSecrets{joiner: make([]byte, 32), pathSecret: make([]byte, 32), psks: []PSKID{s.proposals[3].PSK}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		reencodes(t, b, new(welcome))
		reencodes(t, b, new(groupSecrets))
	})
}

func FuzzGroupInfo(f *testing.F) {
	s := newSeeds(f)
	for _, m := range s.messages {
		if i := s.parsed(m).groupInfo; i != nil {
			f.Add(marshal(i))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { reencodes(t, b, new(GroupInfo)) })
}

func FuzzProposal(f *testing.F) {
	s := newSeeds(f)
	for i := range s.proposals {
		f.Add(s.proposals[i].Marshal())
	}
	f.Fuzz(func(t *testing.T, b []byte) { reencodes(t, b, new(Proposal)) })
}

func FuzzCommit(f *testing.F) {
	f.Add(newSeeds(f).commit)
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, b []byte) { reencodes(t, b, new(commit)) })
}

func FuzzParseGroup(f *testing.F) {
	s := newSeeds(f)
	s.b.read(s.byReference(s.c, s.proposals[2]))
	s.b.read(s.goodPrivate())
	for _, p := range []*person{s.a, s.b, s.c} {
		f.Add(p.g.MarshalEpoch(), p.g.MarshalRatchets())
	}
	f.Fuzz(func(t *testing.T, epoch, ratchets []byte) {
		g, err := ParseGroup(epoch, ratchets)
		if err != nil {
			return
		}
		if !bytes.Equal(g.MarshalEpoch(), epoch) || !bytes.Equal(g.MarshalRatchets(), ratchets) {
			t.Error("an accepted state encodes to other bytes")
		}
		// Whatever it is, it does not panic.
		g.Encrypt([]byte("x"), 0)
		g.Process(s.old)
		g.Commit(CommitOptions{})
	})
}

func FuzzPendingCommit(f *testing.F) {
	s := newSeeds(f)
	_, kp, _ := s.newcomer(nil)
	for _, o := range []CommitOptions{{}, {Add: []*KeyPackage{kp}}, {Remove: []LeafIndex{2}, Public: true}} {
		pc, err := s.a.g.Commit(o)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pc.Marshal())
	}
	epoch, ratchets := s.a.g.MarshalEpoch(), s.a.g.MarshalRatchets()
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := ParseGroup(epoch, ratchets)
		if err != nil {
			t.Fatal(err)
		}
		pc, err := g.ParsePendingCommit(b)
		if err != nil {
			return
		}
		if !bytes.Equal(pc.Marshal(), b) {
			t.Error("an accepted pending commit encodes to other bytes")
		}
		pc.Staged().Changes()
		pc.WelcomeAll()
	})
}

// FuzzProcess throws bytes at a group: as they are; as the content of a commit
// or proposal that an insider has signed; as the plaintext of a PrivateMessage.
// Nothing panics, and nothing changes whether the message is refused or not.
func FuzzProcess(f *testing.F) {
	s := newSeeds(f)
	for _, m := range s.messages {
		f.Add(uint8(0), m)
		if p := s.parsed(m).public; p != nil && p.content.sender.kind == senderMember {
			var e encoder
			p.content.encodeBody(&e)
			f.Add(uint8(p.content.contentType), e.b)
			f.Add(uint8(p.content.contentType)+4, e.b)
			p.auth.encode(&e, p.content.contentType)
			f.Add(uint8(p.content.contentType)+8, e.b)
		}
	}
	f.Add(uint8(12), marshal(&senderData{leaf: 1, generation: 7}))
	sealed := s.parsed(s.goodPrivate()).private
	f.Fuzz(func(t *testing.T, mode uint8, b []byte) {
		x := *s.fixture
		x.TB = t
		msg := b
		kind := ContentType(mode & 3)
		switch {
		case mode < 12 && mode&3 == 0:
		case mode < 8:
			// Signed and framed by the insider, from itself or as an outsider.
			a := x.content(x.a, wirePublicMessage, kind)
			d := &decoder{b: b}
			a.content.decodeBody(d)
			if d.err != nil || len(d.b) > 0 {
				return
			}
			if mode >= 4 {
				a.content.sender = sender{kind: senderNewMemberCommit}
			}
			x.sign(a, x.a)
			msg = x.public(a)
		case mode < 12:
			a := x.content(x.a, wirePrivateMessage, kind)
			a.content.application, a.content.proposal, a.content.commit = nil, &s.proposals[2], &commit{}
			msg = x.privateBody(a, 0, func([]byte) []byte { return b }, nil)
		default:
			m := *sealed
			x.sealSenderData(&m, b)
			msg = marshal(&message{private: &m})
		}
		x.mark()
		st, err := x.b.g.Process(msg)
		if err == nil {
			st.Changes()
			st.SignedContent()
			st.Discard()
		}
		if !bytes.Equal(x.b.g.MarshalEpoch(), x.epoch) || !bytes.Equal(x.b.g.MarshalRatchets(), x.ratchets) {
			t.Error("Process changed the group")
		}
	})
}
