package peertest

import (
	"bytes"
	"crypto/hpke"
	"slices"
	"testing"
)

// TestKEM compares the peer's HPKE with crypto/hpke by itself: the same key pair
// from the same secret, and each opens what the other sealed. Without this a
// difference in a KEM would show only as a commit that does not decrypt.
func TestKEM(t *testing.T) {
	p := startPeer(t)
	for _, s := range slices.Concat(suites, others) {
		t.Run(s.name, func(t *testing.T) {
			secret := bytes.Repeat([]byte{0x42}, 32)
			info, text := []byte("info"), []byte("a path secret")
			ours, err := s.kem.DeriveKeyPair(secret)
			if err != nil {
				t.Fatal(err)
			}
			private, err := ours.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			theirs := must(t)(p.call(call{Op: "deriveKeyPair", Suite: s.number, Data: secret}))
			// The private keys may differ: crypto/hpke has clamped that of X25519.
			if got, want := theirs.PublicKey, ours.PublicKey().Bytes(); !bytes.Equal(got, want) {
				t.Errorf("from one secret, ts-mls derives the key %x, crypto/hpke %x", got, want)
			}

			enc, sender, err := hpke.NewSender(ours.PublicKey(), s.kdf, s.aead, info)
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := sender.Seal(nil, text)
			if err != nil {
				t.Fatal(err)
			}
			opened := must(t)(p.call(call{Op: "open", Suite: s.number, PrivateKey: private, KEMOutput: enc, Ciphertext: sealed, Info: info}))
			if !bytes.Equal(opened.Data, text) {
				t.Errorf("ts-mls opened %q, sealed was %q", opened.Data, text)
			}

			back := must(t)(p.call(call{Op: "seal", Suite: s.number, PublicKey: ours.PublicKey().Bytes(), Data: text, Info: info}))
			recipient, err := hpke.NewRecipient(back.KEMOutput, ours, s.kdf, s.aead, info)
			if err != nil {
				t.Fatal(err)
			}
			got, err := recipient.Open(nil, back.Ciphertext)
			if err != nil {
				t.Fatalf("open what ts-mls sealed: %v", err)
			}
			if !bytes.Equal(got, text) {
				t.Errorf("opened %q, ts-mls sealed %q", got, text)
			}
		})
	}
}
