package letter

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"hearth/identity"
	"hearth/mls"
	"hearth/wire"
)

const server = "https://example.org"

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newDoor() Door {
	return Door{Server: server, ID: wire.NewRoomID(1), Key: wire.NewSecret(), Sealing: wire.NewSecret()}
}

func wantRefused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, ErrRefused) {
		t.Errorf("%s: got %v, want it refused", what, err)
	}
}

func wantCode(t *testing.T, what string, err error, code wire.Code) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != code || e.Next == "" {
		t.Errorf("%s: got %v, want code %s with a next step", what, err, code)
	}
}

func TestLetterReachesItsDoorOnly(t *testing.T) {
	d := newDoor()
	posted := must(Seal(d, KindAnswer, []byte("the body")))
	l, err := Open(d.ID, d.Sealing, posted)
	if err != nil || l.Kind != KindAnswer || string(l.Body) != "the body" {
		t.Fatalf("got %+v, %v", l, err)
	}
	if bytes.Contains(posted, []byte("the body")) {
		t.Error("the body is in clear")
	}
	_, err = Open(wire.NewRoomID(1), d.Sealing, posted)
	wantRefused(t, "another door", err)
	_, err = Open(d.ID, wire.NewSecret(), posted)
	wantRefused(t, "another key", err)
	_, err = Open(d.ID, wire.Secret{}, posted)
	wantRefused(t, "no key", err)
	for i := 0; i < len(posted); i++ {
		if i > 100 && i%97 != 0 {
			continue
		}
		bad := bytes.Clone(posted)
		bad[i] ^= 1
		_, err := Open(d.ID, d.Sealing, bad)
		wantRefused(t, fmt.Sprintf("byte %d changed", i), err)
		_, err = Open(d.ID, d.Sealing, posted[:i])
		wantRefused(t, fmt.Sprintf("cut at %d", i), err)
	}
	// What is sealed as a key package is no letter, and the reverse.
	claimed := must(SealPackage(d.ID, d.Sealing, wire.Encode(Letter{Version: 1, Kind: 1})))
	_, err = Open(d.ID, d.Sealing, claimed)
	wantRefused(t, "a key package as a letter", err)
	_, err = OpenPackage(d, posted)
	wantRefused(t, "a letter as a key package", err)
	if got, err := OpenPackage(d, must(SealPackage(d.ID, d.Sealing, []byte("kp")))); err != nil || string(got) != "kp" {
		t.Errorf("key package: got %q, %v", got, err)
	}
}

func TestInsideOfASealIsStrict(t *testing.T) {
	d := newDoor()
	letter := wire.Encode(Letter{Version: 1, Kind: 1})
	put := func(plain []byte, n int) []byte { // a length of n before plain
		b := seal(d.Sealing, purposePost, d.ID[:], plain, 8<<10)
		if n == len(plain) {
			return b
		}
		// The holder of the key can write any inside: build it from parts.
		whole := append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, plain...)
		return sealRaw(d.Sealing, purposePost, d.ID[:], whole)
	}
	if _, err := Open(d.ID, d.Sealing, put(letter, len(letter))); err != nil {
		t.Fatal(err)
	}
	for name, posted := range map[string][]byte{
		"length beyond the end":   put(letter, len(letter)+1),
		"huge length":             put(letter, 1<<32-1),
		"padding that isn't zero": put(append(bytes.Clone(letter), 0, 1), len(letter)),
		"newer letter":            put(wire.Encode(Letter{Version: 2}), len(letter)),
		"no letter":               put([]byte("x"), 1),
	} {
		_, err := Open(d.ID, d.Sealing, posted)
		wantRefused(t, name, err)
	}
}

// sealRaw seals plain as it stands, as only a test of the opener wants.
func sealRaw(key wire.Secret, purpose string, context, plain []byte) []byte {
	b := seal(key, purpose, context, plain[sealLength:], len(plain)+sealAdds)
	// Seal again with the wanted length: the same nonce is harmless in a test.
	nonce := b[1:25]
	enc, _ := derive(key, purpose, nonce)
	return append(b[:sealHead:sealHead], newAEAD(enc).Seal(nil, nonce, plain, context)...)
}

func TestSizesAreFew(t *testing.T) {
	d := newDoor()
	sizes := map[int]bool{}
	for n := 0; n <= MaxLetter-letterAdds; n += 501 {
		posted := must(Seal(d, KindWelcome, make([]byte, n)))
		sizes[len(posted)] = true
	}
	posted := must(Seal(d, KindWelcome, make([]byte, MaxLetter-letterAdds)))
	sizes[len(posted)] = true
	if want := map[int]bool{8 << 10: true, 16 << 10: true, 32 << 10: true, wire.MaxKnock: true}; !reflect.DeepEqual(sizes, want) {
		t.Errorf("letters: %v", sizes)
	}
	_, err := Seal(d, KindWelcome, make([]byte, MaxLetter))
	wantCode(t, "a letter too long", err, wire.Full)
	clear(sizes)
	for n := 0; n <= MaxKeyPackage; n += 97 {
		sizes[len(must(SealPackage(d.ID, d.Sealing, make([]byte, n))))] = true
	}
	sizes[len(must(SealPackage(d.ID, d.Sealing, make([]byte, MaxKeyPackage))))] = true
	if want := map[int]bool{4 << 10: true, 8 << 10: true, wire.MaxKeyPackage: true}; !reflect.DeepEqual(sizes, want) {
		t.Errorf("key packages: %v", sizes)
	}
	_, err = SealPackage(d.ID, d.Sealing, make([]byte, MaxKeyPackage+1))
	wantCode(t, "a key package too long", err, wire.Full)
}

type person struct {
	identity.Created
	kp      *mls.KeyPackage
	secrets *mls.KeyPackageSecrets
}

func newPerson(t testing.TB) person {
	t.Helper()
	p := person{Created: must(identity.NewAccount(server))}
	const suite = mls.XWing_CHACHA20POLY1305_SHA256_Ed25519
	key := must(mls.NewSignatureKey(suite, p.Device.Seed()))
	cred := p.Chain.CredentialOf(p.Device.ID())
	var err error
	p.kp, p.secrets, err = mls.NewKeyPackage(suite, mls.Member{
		Credential:   mls.Credential{Type: mls.CredentialBasic, Identity: cred.Marshal()},
		SignatureKey: key, Capabilities: mls.DefaultCapabilities(),
	}, mls.Lifetime{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p person) wrapper() Wrapper {
	return Wrapper{
		Welcome: []byte("welcome"), Tree: TreeRef{Blob: wire.BlobID{1, 2}, Key: wire.NewSecret(), Hash: [32]byte{3}},
		Server: server, Room: wire.NewRoomID(1), Epoch: 4, Seat: wire.NewSeatID(1), SeatSecret: wire.NewSecret(), State: []byte("state"),
		Account: p.Chain.Account(), Chain: p.Chain.Entries(), Doors: []Door{newDoor()},
		First:  &First{Content: []byte("hello"), TBS: []byte("tbs"), Signature: []byte("sig")},
		Places: []Place{{Leaf: 0, Seat: wire.NewSeatID(1), Doors: []Door{newDoor(), newDoor()}}, {Leaf: 7}},
	}
}

func TestWelcomeIsForOneJoinerAndSaysWhoInvites(t *testing.T) {
	alice, bob, carol := newPerson(t), newPerson(t), newPerson(t)
	w := alice.wrapper()
	body := must(SealWelcome(bob.kp, alice.Device, w))
	if ref, err := WelcomeRef(body); err != nil || !bytes.Equal(ref, bob.kp.Ref()) {
		t.Errorf("ref: %x, %v", ref, err)
	}
	got, chain, err := OpenWelcome(body, bob.secrets)
	if err != nil {
		t.Fatal(err)
	}
	w.Version, w.Device = WrapperVersion, alice.Device.ID()
	if !bytes.Equal(wire.Encode(got), wire.Encode(w)) || chain.Account() != alice.Chain.Account() {
		t.Errorf("got %+v", got)
	}
	_, _, err = OpenWelcome(body, carol.secrets)
	wantRefused(t, "another joiner", err)
	for i := 0; i < len(body); i += 31 {
		bad := bytes.Clone(body)
		bad[i] ^= 1
		_, _, err := OpenWelcome(bad, bob.secrets)
		wantRefused(t, fmt.Sprintf("byte %d changed", i), err)
	}
}

// forge seals whatever it is given to bob, as anybody can who has his key
// package.
func forge(bob person, wrapper, signature []byte) []byte {
	ref := bob.kp.Ref()
	plain := wire.Encode(signed{Body: wrapper, Signature: signature})
	return wire.Encode(sealedWelcome{Ref: ref, Sealed: must(bob.kp.Seal(wrapperLabel, ref, plain))})
}

func TestForgedWelcomesAreRefused(t *testing.T) {
	alice, bob, eve := newPerson(t), newPerson(t), newPerson(t)
	base := alice.wrapper()
	base.Version, base.Device = WrapperVersion, alice.Device.ID()
	signAs := func(p person, ref []byte, w Wrapper) []byte {
		b := wire.Encode(w)
		return forge(bob, b, p.Device.Sign(identity.LabelWrapper, wire.Encode(wrapperTBS{Ref: ref, Wrapper: b})))
	}
	if _, _, err := OpenWelcome(signAs(alice, bob.kp.Ref(), base), bob.secrets); err != nil {
		t.Fatal(err)
	}
	change := func(f func(*Wrapper)) []byte {
		w := base
		f(&w)
		return signAs(alice, bob.kp.Ref(), w)
	}
	longer, _, err := alice.Chain.MoveServer(alice.Device, "https://other.example")
	if err != nil {
		t.Fatal(err)
	}
	second := identity.NewDeviceKey()
	longer, _, err = longer.AddDevice(alice.Device, second.Candidate(alice.Chain.Account()))
	if err != nil {
		t.Fatal(err)
	}
	revoked, _, err := longer.RevokeDevice(second, alice.Device.ID())
	if err != nil {
		t.Fatal(err)
	}
	tbs := wire.Encode(wrapperTBS{Ref: bob.kp.Ref(), Wrapper: wire.Encode(base)})
	cases := map[string][]byte{
		"signed by another account":  signAs(eve, bob.kp.Ref(), base),
		"signed for another reader":  signAs(alice, eve.kp.Ref(), base),
		"signed under another label": forge(bob, wire.Encode(base), alice.Device.Sign(identity.LabelAnswer, tbs)),
		"signed without the reader":  forge(bob, wire.Encode(base), alice.Device.Sign(identity.LabelWrapper, wire.Encode(base))),
		"not signed":                 forge(bob, wire.Encode(base), nil),
		"chain of another account":   change(func(w *Wrapper) { w.Chain = eve.Chain.Entries() }),
		"another's name on eve's chain": signAs(eve, bob.kp.Ref(), func() Wrapper {
			w := base
			w.Chain, w.Device = eve.Chain.Entries(), eve.Device.ID()
			return w
		}()),
		"no chain":                     change(func(w *Wrapper) { w.Chain = nil }),
		"device not in the chain":      change(func(w *Wrapper) { w.Device = eve.Device.ID() }),
		"device revoked":               change(func(w *Wrapper) { w.Chain = revoked.Entries() }),
		"newer version":                change(func(w *Wrapper) { w.Version = WrapperVersion + 1 }),
		"no Welcome":                   change(func(w *Wrapper) { w.Welcome = nil }),
		"no state":                     change(func(w *Wrapper) { w.State = nil }),
		"no seat secret":               change(func(w *Wrapper) { w.SeatSecret = wire.Secret{} }),
		"no tree key":                  change(func(w *Wrapper) { w.Tree.Key = wire.Secret{} }),
		"server that is none":          change(func(w *Wrapper) { w.Server = "example.org" }),
		"door without a key":           change(func(w *Wrapper) { w.Doors = []Door{{Server: server, Sealing: wire.NewSecret()}} }),
		"door without a sealing key":   change(func(w *Wrapper) { w.Doors = []Door{{Server: server, Key: wire.NewSecret()}} }),
		"door on no server":            change(func(w *Wrapper) { w.Doors = []Door{{Key: wire.NewSecret(), Sealing: wire.NewSecret()}} }),
		"place with a bad door":        change(func(w *Wrapper) { w.Places = []Place{{Doors: []Door{{}}}} }),
		"too many doors":               change(func(w *Wrapper) { w.Doors = make([]Door, MaxDoors+1) }),
		"state too long":               change(func(w *Wrapper) { w.State = make([]byte, maxState+1) }),
		"trailing byte in the wrapper": forge(bob, append(wire.Encode(base), 0), nil),
		"sealed under another label":   wire.Encode(sealedWelcome{Ref: bob.kp.Ref(), Sealed: must(bob.kp.Seal("other", bob.kp.Ref(), nil))}),
		"no reference":                 wire.Encode(sealedWelcome{Sealed: []byte("x")}),
		"nothing":                      nil,
	}
	for name, body := range cases {
		_, _, err := OpenWelcome(body, bob.secrets)
		wantRefused(t, name, err)
	}
	// The newest chain is fine.
	if _, _, err := OpenWelcome(change(func(w *Wrapper) { w.Chain = longer.Entries() }), bob.secrets); err != nil {
		t.Errorf("a longer chain: %v", err)
	}
}

func TestWelcomeTooLargeIsSaidBeforeItLeaves(t *testing.T) {
	alice, bob := newPerson(t), newPerson(t)
	w := alice.wrapper()
	w.Places = nil
	for i := range 1000 {
		w.Places = append(w.Places, Place{Leaf: uint32(i), Doors: []Door{newDoor()}})
	}
	_, err := SealWelcome(bob.kp, alice.Device, w)
	wantCode(t, "a thousand places", err, wire.Full)
	w.Places = w.Places[:256]
	body, err := SealWelcome(bob.kp, alice.Device, w)
	if err != nil {
		t.Fatalf("256 places: %v", err)
	}
	if _, err := Seal(newDoor(), KindWelcome, body); err != nil {
		t.Errorf("256 places: %v", err)
	}
	w.Server = "nonsense"
	_, err = SealWelcome(bob.kp, alice.Device, w)
	wantRefused(t, "a wrapper that its reader would refuse", err)
}

func TestAnswerIsTheDevices(t *testing.T) {
	alice, eve := newPerson(t), newPerson(t)
	known := func(a wire.AccountID) (*identity.Chain, bool) {
		switch a {
		case alice.Chain.Account():
			return alice.Chain, true
		case eve.Chain.Account():
			return eve.Chain, true
		}
		return nil, false
	}
	accept := Answer{Conversation: [32]byte{1}, Ref: []byte("ref"), Account: alice.Chain.Account(), Accept: true, Doors: []Door{newDoor()}}
	decline := Answer{Conversation: [32]byte{1}, Ref: []byte("ref"), Account: alice.Chain.Account(), Leave: []byte("evidence")}
	for _, a := range []Answer{accept, decline} {
		got, err := ParseAnswer(must(NewAnswer(alice.Device, a)), known)
		a.Version, a.Device = AnswerVersion, alice.Device.ID()
		if err != nil || !bytes.Equal(wire.Encode(got), wire.Encode(a)) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	foreign := accept
	foreign.Account = eve.Chain.Account()
	stranger := accept
	stranger.Account = wire.AccountID{9}
	body := must(NewAnswer(alice.Device, accept))
	other := bytes.Clone(body)
	other[len(other)-1] ^= 1
	raw := func(a Answer) []byte {
		a.Version, a.Device = AnswerVersion, alice.Device.ID()
		b := wire.Encode(a)
		return wire.Encode(signed{Body: b, Signature: alice.Device.Sign(identity.LabelAnswer, b)})
	}
	both, neither, leaves := decline, decline, accept
	both.Doors, neither.Leave, leaves.Leave = accept.Doors, nil, []byte("x")
	b := wire.Encode(accept)
	for name, body := range map[string][]byte{
		"for another account":     must(NewAnswer(alice.Device, foreign)),
		"for an unknown account":  must(NewAnswer(alice.Device, stranger)),
		"by another device":       must(NewAnswer(eve.Device, accept)),
		"signature changed":       other,
		"under another label":     wire.Encode(signed{Body: b, Signature: alice.Device.Sign(identity.LabelLeave, b)}),
		"decline with doors":      raw(both),
		"decline without a leave": raw(neither),
		"acceptance with a leave": raw(leaves),
		"trailing byte":           append(bytes.Clone(body), 0),
		"nothing":                 nil,
	} {
		_, err := ParseAnswer(body, known)
		wantRefused(t, name, err)
	}
	_, err := NewAnswer(alice.Device, neither)
	wantRefused(t, "writing a decline without a leave", err)
}

func TestTreeIsTheOneThatWasNamed(t *testing.T) {
	tree := Tree{Ratchet: bytes.Repeat([]byte("tree"), 1000), Chains: [][][]byte{{[]byte("a"), []byte("b")}, {[]byte("c")}}, Places: []Place{{Leaf: 1}}}
	blob, ref, err := SealTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenTree(ref, blob)
	tree.Version = TreeVersion
	if err != nil || !bytes.Equal(wire.Encode(got), wire.Encode(tree)) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if bytes.Contains(blob, []byte("treetree")) || len(blob)%4096 != 0 {
		t.Errorf("the blob is in clear, or of %d bytes", len(blob))
	}
	blob2, ref2, _ := SealTree(tree)
	_, err = OpenTree(ref, blob2)
	wantRefused(t, "another blob", err)
	swapped := ref2
	swapped.Hash = ref.Hash
	_, err = OpenTree(swapped, blob)
	wantRefused(t, "another key", err)
	swapped = ref
	swapped.Hash[0] ^= 1
	_, err = OpenTree(swapped, blob)
	wantRefused(t, "another hash", err)
	blob[len(blob)/2] ^= 1
	_, err = OpenTree(ref, blob)
	wantRefused(t, "a changed blob", err)
	ref.Hash = TreeRef{}.Hash
	_, err = OpenTree(ref, nil)
	wantRefused(t, "no blob", err)
	for name, bad := range map[string]Tree{"no tree": {}, "too many chains": {Ratchet: []byte("x"), Chains: make([][][]byte, wire.MaxSeats+1)},
		"bad place": {Ratchet: []byte("x"), Places: []Place{{Doors: make([]Door, 1)}}}} {
		blob, ref, err := SealTree(bad)
		if err != nil {
			t.Fatal(err)
		}
		_, err = OpenTree(ref, blob)
		wantRefused(t, name, err)
	}
	_, _, err = SealTree(Tree{Ratchet: make([]byte, wire.MaxWhole)})
	wantCode(t, "a tree too large", err, wire.Full)
}

func TestNothingPrintsASecret(t *testing.T) {
	alice := newPerson(t)
	d, w := newDoor(), alice.wrapper()
	s := fmt.Sprintf("%v %+v %#v %v %+v", d, d, d, w, w)
	for _, secret := range []wire.Secret{d.Key, d.Sealing, w.SeatSecret, w.Tree.Key} {
		for _, form := range []string{"%x", "%d", "%v"} {
			if strings.Contains(s, strings.Trim(fmt.Sprintf(form, secret.Reveal()[:8]), "[]")) {
				t.Errorf("a secret is printed as %s", form)
			}
		}
	}
}
