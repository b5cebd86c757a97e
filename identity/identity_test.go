package identity

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hearth/wire"
)

func TestSecretsNeverPrint(t *testing.T) {
	a := newAccount(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d"} {
		for _, v := range []any{a.Device, &a.Device, a.Recovery, a, struct{ k DeviceKey }{a.Device}, struct{ r RecoveryKey }{a.Recovery}} {
			out := fmt.Sprintf(verb, v)
			for _, seed := range [][]byte{a.Device.seed.b[:], a.Recovery.seed.b[:]} {
				if strings.Contains(out, string(seed[:4])) || strings.Contains(out, fmt.Sprintf("%x", seed[:4])) ||
					strings.Contains(out, fmt.Sprintf("%d %d %d", seed[0], seed[1], seed[2])) {
					t.Errorf("%s of %T shows the secret's bytes", verb, v)
				}
			}
		}
	}
}

func TestDeviceKeyRoundTrip(t *testing.T) {
	k := NewDeviceKey()
	got, err := ParseDeviceKey(k.Marshal())
	if err != nil || got.ID() != k.ID() || got.Public() != k.Public() || !bytes.Equal(got.Seed(), k.Seed()) {
		t.Errorf("another key came back: %v", err)
	}
	for what, b := range map[string][]byte{
		"nothing": nil, "a trailing byte": append(k.Marshal(), 0), "another version": append([]byte{k.Marshal()[0], 2}, k.Marshal()[2:]...),
		"a short key": wire.Encode(deviceKeyState{Version: 1, ID: k.ID(), Seed: make([]byte, 31)}),
	} {
		if _, err := ParseDeviceKey(b); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s passed for a device key: %v", what, err)
		}
	}
	id, err := ParseDeviceID(k.ID().String())
	if err != nil || id != k.ID() {
		t.Errorf("another id came back: %v", err)
	}
	for _, s := range []string{"", "x", k.ID().String() + "A", strings.Repeat("=", 22)} {
		if _, err := ParseDeviceID(s); err == nil {
			t.Errorf("%q passed for a device id", s)
		}
	}
}

// A03: a signature under one label is nothing under another, nor for another
// message, device or revoked device.
func TestSignaturesAreForOnePurpose(t *testing.T) {
	a := newAccount(t)
	second := NewDeviceKey()
	c := must(t)(a.Chain.AddDevice(a.Device, second.Candidate(a.Chain.Account())))
	msg := []byte("message")
	sig := second.Sign(LabelLeave, msg)
	if err := c.SignedBy(second.ID(), LabelLeave, msg, sig); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"under another label":   c.SignedBy(second.ID(), LabelRejoin, msg, sig),
		"for another message":   c.SignedBy(second.ID(), LabelLeave, []byte("massage"), sig),
		"by another device":     c.SignedBy(a.Device.ID(), LabelLeave, msg, sig),
		"by an unknown device":  c.SignedBy(NewDeviceID(), LabelLeave, msg, sig),
		"by a device not added": a.Chain.SignedBy(second.ID(), LabelLeave, msg, sig),
		"by a revoked device":   must(t)(c.RevokeDevice(a.Device, second.ID())).SignedBy(second.ID(), LabelLeave, msg, sig),
		"without a signature":   c.SignedBy(second.ID(), LabelLeave, msg, nil),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
	labels := []Label{labelEntry, labelProof, LabelRejoin, LabelLeave, LabelAnswer, LabelWrapper, LabelJoin, LabelNotice, LabelVerdict}
	for i, l := range labels {
		for _, m := range labels[:i] {
			if l == m {
				t.Errorf("two purposes share the label %q", l)
			}
		}
	}
}

func TestKnock(t *testing.T) {
	a := newAccount(t)
	challenge := bytes.Repeat([]byte{7}, 32)
	k := wire.AccountKnock{Account: a.Chain.Account(), Knock: &wire.Knock{Door: wire.NewRoomID(1), Key: wire.NewSecret()}}
	a.Device.SignKnock(challenge, &k)
	if err := a.Chain.VerifyKnock(challenge, k); err != nil {
		t.Fatal(err)
	}
	change := func(f func(*wire.AccountKnock)) wire.AccountKnock { c := k; f(&c); return c }
	for name, bad := range map[string]wire.AccountKnock{
		"another door":    change(func(a *wire.AccountKnock) { a.Knock = &wire.Knock{} }),
		"no door":         change(func(a *wire.AccountKnock) { a.Knock = nil }),
		"another account": change(func(a *wire.AccountKnock) { a.Account[0] ^= 1 }),
		"another device":  change(func(a *wire.AccountKnock) { id := NewDeviceID(); a.Device = id[:] }),
		"a short device":  change(func(a *wire.AccountKnock) { a.Device = a.Device[:8] }),
	} {
		if err := a.Chain.VerifyKnock(challenge, bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
	if a.Chain.VerifyKnock(make([]byte, 32), k) == nil {
		t.Error("a knock door of another connection was accepted")
	}
	if must(t)(a.Chain.Close(a.Device)).VerifyKnock(challenge, k) == nil {
		t.Error("a closed account's knock door was accepted")
	}
}

func TestCredentialIsProvenByTheChain(t *testing.T) {
	a, b := newAccount(t), newAccount(t)
	second := NewDeviceKey()
	one := a.Chain
	two := must(t)(one.AddDevice(a.Device, second.Candidate(one.Account())))
	three := must(t)(two.RevokeDevice(a.Device, second.ID()))
	key := func(k DeviceKey) []byte { p := k.Public(); return p[:] }
	cred := two.CredentialOf(second.ID())
	if got, err := ParseCredential(cred.Marshal()); err != nil || got != cred {
		t.Fatalf("another credential came back: %v", err)
	}
	if err := two.Proves(cred, key(second)); err != nil {
		t.Fatal(err)
	}
	if err := two.Proves(one.CredentialOf(a.Device.ID()), key(a.Device)); err != nil {
		t.Errorf("an older position of a device that was there: %v", err)
	}
	early := cred
	early.Position = one.Position()
	for what, b := range map[string][]byte{
		"nothing": nil, "a trailing byte": append(cred.Marshal(), 0), "a name": []byte("alice"),
		"no position":     Credential{Account: cred.Account, Device: cred.Device}.Marshal(),
		"another version": append([]byte{cred.Marshal()[0], 2}, cred.Marshal()[2:]...),
	} {
		if _, err := ParseCredential(b); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s passed for a credential: %v", what, err)
		}
	}
	if err := b.Chain.Proves(cred, key(second)); err == nil || !strings.Contains(err.Error(), "another account") {
		t.Errorf("another account's chain: got %v", err)
	}
	for name, err := range map[string]error{
		"a device the chain does not hold":      one.Proves(cred, key(second)),
		"a key that is not the device's":        two.Proves(cred, key(a.Device)),
		"no key":                                two.Proves(cred, nil),
		"a revoked device":                      three.Proves(cred, key(second)),
		"a position from before the device":     two.Proves(early, key(second)),
		"a position ahead of the chain":         two.Proves(three.CredentialOf(a.Device.ID()), key(a.Device)),
		"a position with recoveries never made": two.Proves(Credential{one.Account(), a.Device.ID(), Position{Recovery: 1, Length: 1}}, key(a.Device)),
		"a closed account":                      must(t)(two.Close(a.Device)).Proves(cred, key(second)),
	} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}

// A05: the number covers both account ids under its label and nothing else; a
// device added or revoked does not change it, another account does.
func TestA05SafetyNumberCoversBothAccountsOnly(t *testing.T) {
	a, b, c := newAccount(t), newAccount(t), newAccount(t)
	n := SafetyNumber(a.Chain.Account(), b.Chain.Account())
	if len(n) != 60 || strings.Trim(n, "0123456789") != "" {
		t.Fatalf("%q is not 60 digits", n)
	}
	if SafetyNumber(b.Chain.Account(), a.Chain.Account()) != n {
		t.Error("the two sides see different numbers")
	}
	if SafetyNumber(a.Chain.Account(), c.Chain.Account()) == n || SafetyNumber(c.Chain.Account(), b.Chain.Account()) == n {
		t.Error("another account has the same number")
	}
	grown := must(t)(a.Chain.AddDevice(a.Device, NewDeviceKey().Candidate(a.Chain.Account())))
	if SafetyNumber(grown.Account(), b.Chain.Account()) != n {
		t.Error("a new device changed the number")
	}
	// Numbers that people wrote down stay as they are.
	var low, high wire.AccountID
	low[0], high[0] = 1, 2
	if got, want := SafetyNumber(low, high), "484179381790594202162584681495914842384937139410390298726899"; got != want {
		t.Errorf("the number for fixed ids is %s, was %s", got, want)
	}
}

func FuzzVerify(f *testing.F) {
	a := newAccount(f)
	second := NewDeviceKey()
	c := must(f)(a.Chain.AddDevice(a.Device, second.Candidate(a.Chain.Account())))
	c = must(f)(c.RevokeDevice(a.Recovery, second.ID()))
	for _, raw := range c.Entries() {
		f.Add(raw)
	}
	base := a.Chain
	f.Fuzz(func(t *testing.T, b []byte) {
		// Accepted in form: the parts say the same bytes again.
		if s, err := parseStep(b); err == nil {
			if !bytes.Equal(wire.Encode(s.entry), b) || !bytes.Equal(wire.Encode(s.body), s.Body) {
				t.Fatalf("accepted %x, encodes to other bytes", b)
			}
		}
		for _, grown := range []func() (*Chain, error){
			func() (*Chain, error) { return Verify([][]byte{b}) },
			func() (*Chain, error) { return base.Append(b) },
		} {
			if c, err := grown(); err == nil && !bytes.Equal(c.EntriesFrom(c.Len() - 1)[0], b) {
				t.Fatalf("accepted %x and kept other bytes", b)
			}
		}
	})
}

func FuzzParseCredential(f *testing.F) {
	f.Add(newAccount(f).Chain.CredentialOf(NewDeviceID()).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseCredential(b); err == nil && !bytes.Equal(c.Marshal(), b) {
			t.Fatalf("accepted %x, encodes to %x", b, c.Marshal())
		}
	})
}

func FuzzParseDeviceKey(f *testing.F) {
	f.Add(NewDeviceKey().Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := ParseDeviceKey(b); err == nil && !bytes.Equal(k.Marshal(), b) {
			t.Fatalf("accepted %x, encodes to other bytes", b)
		}
	})
}
