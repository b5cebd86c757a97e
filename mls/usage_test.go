package mls

import (
	"bytes"
	"errors"
	"testing"
)

// What a caller may not ask for is refused before anything is made, and the
// group stays as it was.
func TestUsage(t *testing.T) {
	f := newFixture(t)
	g := f.b.g
	f.mark()
	other := newPerson(t, X25519_CHACHA20POLY1305_SHA256_Ed25519, "other suite")
	otherKP, _ := other.keyPackage()
	info, err := f.a.g.GroupInfo(true, true)
	if err != nil {
		t.Fatal(err)
	}
	commit := func(o CommitOptions) error { _, err := g.Commit(o); return err }
	for _, row := range []struct {
		name string
		err  error
		want error
	}{
		{"a Remove without a path", commit(CommitOptions{NoPath: true, Remove: []LeafIndex{2}}), ErrUsage},
		{"an empty commit without a path", commit(CommitOptions{NoPath: true}), ErrUsage},
		{"a new leaf without a path", commit(CommitOptions{NoPath: true, Add: []*KeyPackage{f.bent(nil)}, Leaf: &LeafChange{}}), ErrUsage},
		{"a custom proposal of type 0", commit(CommitOptions{Custom: []CustomProposal{{Type: 0}}}), ErrUsage},
		{"a custom proposal of the RFC's type 3", commit(CommitOptions{Custom: []CustomProposal{{Type: 3}}}), ErrUsage},
		{"removing ourselves", commit(CommitOptions{Remove: []LeafIndex{1}}), errCommitRemovesSelf},
		{"removing nobody", commit(CommitOptions{Remove: []LeafIndex{3}}), errRemoveBlank},
		{"adding one of another suite", commit(CommitOptions{Add: []*KeyPackage{otherKP}}), errAddSuite},
		{"committing what was not proposed", commit(CommitOptions{ByReference: [][]byte{{1}}}), ErrProposalUnknown},
		{"an unsupported custom proposal", commit(CommitOptions{Custom: []CustomProposal{{Type: 0xF0BC}}}), errCustomSupport},
		{"an unsupported group extension", commit(CommitOptions{Extensions: []Extension{{Type: 0xF0BC}}}), ErrInvalid},
		{"a leaf that lacks its own suite", commit(CommitOptions{Leaf: &LeafChange{Capabilities: &Capabilities{Versions: []uint16{1}, Credentials: []uint16{1}}}}), ErrInvalid},
		{"an Update through Propose", func() error {
			_, _, err := g.Propose(Proposal{Type: ProposalUpdate, Update: f.update(nil)}, ProposeOptions{})
			return err
		}(), ErrUsage},
		{"proposing the Remove of nobody", func() error {
			_, _, err := g.Propose(Proposal{Type: ProposalRemove, Remove: 3}, ProposeOptions{})
			return err
		}(), errRemoveBlank},
		{"proposing what not all support", func() error {
			_, _, err := g.Propose(Proposal{Type: 0xF0BC}, ProposeOptions{})
			return err
		}(), errCustomSupport},
		{"an external commit with another suite's key", func() error {
			_, _, err := JoinExternally(info, other.member(), Lifetime{}, ExternalOptions{})
			return err
		}(), ErrUsage},
		{"an external commit by one who lacks the suite", func() error {
			m := newPerson(t, f.suite, "outsider").member()
			m.Capabilities.Suites = []uint16{3}
			_, _, err := JoinExternally(info, m, Lifetime{}, ExternalOptions{})
			return err
		}(), ErrInvalid},
		{"a group with another suite's key", func() error {
			_, err := NewGroup(GroupConfig{Suite: f.suite}, other.member(), Lifetime{})
			return err
		}(), errSignatureKey},
		{"a group of an unknown suite", func() error {
			_, err := NewGroup(GroupConfig{Suite: 4}, other.member(), Lifetime{})
			return err
		}(), ErrInvalid},
		{"a group whose extensions its founder does not support", func() error {
			_, err := NewGroup(GroupConfig{Suite: f.suite, Extensions: []Extension{{Type: 0xF0BC}}}, f.a.member(), Lifetime{})
			return err
		}(), ErrInvalid},
		{"a commit read as a GroupInfo", func() error { _, err := ParseGroupInfo(f.goodPublic()); return err }(), errWireFormat},
		{"a GroupInfo cut short", func() error { _, err := ParseGroupInfo(info[:9]); return err }(), ErrInvalid},
		{"a proposal with bytes after it", func() error { _, err := ParseProposal([]byte{0, 3, 0, 0, 0, 1, 0}); return err }(), ErrInvalid},
		{"an Update proposed from outside", func() error {
			i, err := ParseGroupInfo(info)
			if err != nil {
				t.Fatal(err)
			}
			_, err = ProposeExternally(i, 0, Proposal{Type: ProposalUpdate, Update: f.update(nil)}, f.external)
			return err
		}(), errExternalProposal},
	} {
		if !errors.Is(row.err, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, row.err, row.want)
		}
	}
	if !bytes.Equal(g.MarshalEpoch(), f.epoch) || !bytes.Equal(g.MarshalRatchets(), f.ratchets) {
		t.Error("a refused request changed the group")
	}
}

// A state that is over refuses everything, and never panics.
func TestGoneGroup(t *testing.T) {
	f := newFixture(t)
	g := f.b.g
	msg := f.goodPrivate()
	g.Wipe()
	g.Wipe()
	_, errE := g.Encrypt(nil, 0)
	_, errC := g.Commit(CommitOptions{})
	_, errP := g.Process(msg)
	_, errX := g.Export("x", nil, 32)
	_, errI := g.GroupInfo(true, true)
	_, _, errU := g.ProposeUpdate(ProposeOptions{})
	_, _, errR := g.Propose(Proposal{Type: ProposalRemove, Remove: 2}, ProposeOptions{})
	for i, err := range []error{errE, errC, errP, errX, errI, errU, errR, g.SkipTo(5)} {
		if !errors.Is(err, ErrRemoved) {
			t.Errorf("call %d on a wiped group: got %v, want ErrRemoved", i, err)
		}
	}
}

// Saved parts that do not belong together, and damaged ones, are told.
func TestDamagedState(t *testing.T) {
	f := newFixture(t)
	epoch, ratchets := f.a.g.MarshalEpoch(), f.a.g.MarshalRatchets()
	pc, err := f.a.g.Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	saved := pc.Marshal()
	f.a.g = pc.Staged().Apply()
	bad := func(name string, e, r []byte) {
		t.Helper()
		if _, err := ParseGroup(e, r); !errors.Is(err, ErrState) {
			t.Errorf("%s: got %v, want ErrState", name, err)
		}
	}
	bad("ratchets of the next epoch", epoch, f.a.g.MarshalRatchets())
	bad("the epoch after", f.a.g.MarshalEpoch(), ratchets)
	bad("nothing", nil, nil)
	bad("no ratchets", epoch, nil)
	for _, n := range []int{1, 2, 40, len(epoch) / 2, len(epoch) - 1} {
		bad("an epoch part cut short", epoch[:n], ratchets)
	}
	for _, n := range []int{1, 40, len(ratchets) / 2, len(ratchets) - 1} {
		bad("a ratchet part cut short", epoch, ratchets[:n])
	}
	bad("bytes after the epoch part", append(bytes.Clone(epoch), 0), ratchets)
	bad("bytes after the ratchet part", epoch, append(bytes.Clone(ratchets), 0))
	for _, part := range []int{0, 1} {
		e, r := bytes.Clone(epoch), bytes.Clone(ratchets)
		[][]byte{e, r}[part][0]++
		bad("a format of another version", e, r)
	}
	if _, err := f.a.g.ParsePendingCommit(saved); !errors.Is(err, ErrState) {
		t.Errorf("a pending commit of the epoch before: got %v, want ErrState", err)
	}
	g, err := ParseGroup(epoch, ratchets)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 20, len(saved) / 2, len(saved) - 1} {
		if _, err := g.ParsePendingCommit(saved[:n]); !errors.Is(err, ErrState) {
			t.Errorf("a pending commit cut short: got %v, want ErrState", err)
		}
	}
	if _, err := f.b.g.ParsePendingCommit(saved); err == nil {
		// Another member's state has the same group and epoch, but not the leaf.
		t.Error("a pending commit of another member was taken")
	}
	if _, err := g.ParsePendingCommit(saved); err != nil {
		t.Error(err)
	}
}
