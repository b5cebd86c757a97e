package roster

import (
	"bytes"
	"testing"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

// Every decoder of outside bytes: accepted implies that it re-encodes to the
// same bytes.

func FuzzParseState(f *testing.F) {
	w := newWorld(f)
	f.Add(w.state.Encode())
	f.Add(NewDirect(w.alice.Chain, w.bob.Chain, 0).Encode())
	f.Add(NewSelf(w.alice.Chain, 60).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseState(b); err == nil && !bytes.Equal(s.Encode(), b) {
			t.Fatalf("accepted %x, encodes to %x", b, s.Encode())
		}
	})
}

func FuzzParseChange(f *testing.F) {
	w := newWorld(f)
	f.Add(Change{State: w.state.Encode(), Chains: []ChainPart{{Account: w.bob.id(), Entries: w.bob.Chain.Entries()}}}.Encode())
	f.Add(Change{Evidence: []Evidence{w.leave(w.carol, w.carol.devices[0], 3, 4)}}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseChange(b); err == nil && !bytes.Equal(c.Encode(), b) {
			t.Fatalf("accepted %x, encodes to %x", b, c.Encode())
		}
	})
}

func FuzzParseEvidence(f *testing.F) {
	w := newWorld(f)
	f.Add(w.leave(w.carol, w.carol.devices[0], 3, 4).Encode())
	f.Add(w.rejoin(w.carol, w.carol.devices[0], w.nodes[3], 3).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEvidence(b)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Encode(), b) {
			t.Fatalf("accepted %x, encodes to %x", b, e.Encode())
		}
		s, _ := e.read()
		again := wire.Encode(leave{Version: 1, Conversation: s.conversation, Account: s.account, Device: s.device, Position: s.position, Leaves: s.leaves})
		if e.Kind == EvidenceRejoin {
			again = wire.Encode(rejoin{
				Version: 1, Conversation: s.conversation, Account: s.account, Device: s.device, Position: s.position,
				Leaves: s.leaves, New: s.added, Door: s.door,
			})
		}
		if !bytes.Equal(again, e.Body) {
			t.Fatalf("accepted the body %x, encodes to %x", e.Body, again)
		}
	})
}

func FuzzParseRejoin(f *testing.F) {
	p := newPerson(f, 1)
	kp, _ := keyPackage(f, p, p.devices[0])
	q, err := NewRejoin(p.devices[0], p.Chain, NewGroupID(), nil, kp, []byte("door"), wire.AccountID{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(q.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		q, _, err := ParseRejoin(b, func(wire.AccountID) (*identity.Chain, bool) { return p.Chain, true })
		if err == nil && !bytes.Equal(q.Encode(), b) {
			t.Fatalf("accepted %x, encodes to %x", b, q.Encode())
		}
	})
}

func FuzzParse(f *testing.F) {
	w := newWorld(f)
	f.Add(w.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := Parse(b); err == nil && !bytes.Equal(r.Marshal(), b) {
			t.Fatal("accepted bytes that encode to others")
		}
	})
}

// FuzzJudge hands a member's own words to everybody else: whatever a committer
// puts into its change, judging ends with a verdict, and an accepted commit
// leaves a roster that proves itself again.
func FuzzJudge(f *testing.F) {
	w := newWorld(f)
	seed := func(edit func(*draft)) {
		ch := w.commit(dave5, edit)
		f.Add(ch.Custom[0].Data, uint32(5))
	}
	seed(func(d *draft) { d.after.Name = "x" })
	seed(func(d *draft) { d.evidence = append(d.evidence, w.leave(w.carol, w.carol.devices[0], 3, 4)) })
	f.Fuzz(func(t *testing.T, b []byte, by uint32) {
		ch := w.commit(mls.LeafIndex(by), func(d *draft) {})
		ch.Custom = []mls.CustomProposal{{Type: ChangeProposal, Data: b, Sender: mls.LeafIndex(by)}}
		if c, err := ParseChange(b); err == nil && len(c.State) > 0 {
			if s, err := ParseState(c.State); err == nil {
				ch.ExtensionsAfter = Extensions(s)
			}
		}
		after, err := w.Judge(ch)
		if err != nil {
			return
		}
		if _, err := Parse(after.Marshal()); err != nil {
			t.Fatalf("accepted, and the roster after it does not hold: %v", err)
		}
	})
}
