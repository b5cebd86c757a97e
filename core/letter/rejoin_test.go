package letter

import (
	"bytes"
	"testing"

	"hearth/identity"
	"hearth/wire"
)

func TestVerdictIsOfItsAccount(t *testing.T) {
	alice, bob := newPerson(t), newPerson(t)
	v := Verdict{Conversation: [32]byte{1}, Ref: []byte("ref"), Account: alice.Chain.Account(), Removed: true}
	body := must(NewVerdict(alice.Device, v))
	knows := func(c *identity.Chain) func(wire.AccountID) (*identity.Chain, bool) {
		return func(wire.AccountID) (*identity.Chain, bool) { return c, c != nil }
	}
	if got, err := ParseVerdict(body, knows(alice.Chain)); err != nil || !got.Removed || got.Device != alice.Device.ID() {
		t.Fatalf("got %+v, %v", got, err)
	}
	for name, c := range map[string]*identity.Chain{"an unknown account": nil, "another account": bob.Chain} {
		_, err := ParseVerdict(body, knows(c))
		wantRefused(t, name, err)
	}
	forged := must(NewVerdict(bob.Device, v))
	_, err := ParseVerdict(forged, knows(alice.Chain))
	wantRefused(t, "signed by another account", err)
	var s signed
	if err := wire.Decode(body, &s); err != nil {
		t.Fatal(err)
	}
	s.Signature = alice.Device.Sign(identity.LabelAnswer, s.Body)
	_, err = ParseVerdict(wire.Encode(s), knows(alice.Chain))
	wantRefused(t, "signed as an answer", err)
	v.Leaf = [32]byte{1}
	_, err = NewVerdict(alice.Device, v)
	wantRefused(t, "one that says two things", err)
	v.Leaf, v.Removed = [32]byte{}, false
	_, err = NewVerdict(alice.Device, v)
	wantRefused(t, "one that says nothing", err)
}

// What anyone may leave at a door.
func FuzzRejoin(f *testing.F) {
	a := newPerson(f)
	f.Add(Rejoin{Request: []byte("x"), Chain: a.Chain.Entries()}.Encode())
	f.Add(must(NewVerdict(a.Device, Verdict{Ref: []byte("r"), Removed: true})))
	f.Add(must(NewVerdict(a.Device, Verdict{Ref: []byte("r"), Leaf: [32]byte{1}})))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRejoin(b); err == nil && !bytes.Equal(r.Encode(), b) {
			t.Errorf("accepted %x", b)
		}
		if v, s, err := parseSigned[Verdict](b); err == nil && (!bytes.Equal(wire.Encode(s), b) || !bytes.Equal(wire.Encode(v), s.Body)) {
			t.Errorf("accepted %x", b)
		}
	})
}
