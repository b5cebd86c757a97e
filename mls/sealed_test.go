package mls

import (
	"bytes"
	"testing"
)

func TestSealedToOneInitKeyUnderOneLabelAndContext(t *testing.T) {
	key, err := GenerateSignatureKey(XWing_CHACHA20POLY1305_SHA256_Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	fresh := func() (*KeyPackage, *KeyPackageSecrets) {
		kp, secrets, err := NewKeyPackage(XWing_CHACHA20POLY1305_SHA256_Ed25519, Member{Credential: Credential{Type: CredentialBasic, Identity: []byte("x")}, SignatureKey: key, Capabilities: DefaultCapabilities()}, Lifetime{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return kp, secrets
	}
	kp, secrets := fresh()
	_, other := fresh()
	sealed, err := kp.Seal("a", []byte("c"), []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := secrets.Open("a", []byte("c"), sealed); err != nil || !bytes.Equal(got, []byte("text")) {
		t.Fatalf("got %q, %v", got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"label":    func() ([]byte, error) { return secrets.Open("b", []byte("c"), sealed) },
		"context":  func() ([]byte, error) { return secrets.Open("a", []byte("d"), sealed) },
		"key":      func() ([]byte, error) { return other.Open("a", []byte("c"), sealed) },
		"cut":      func() ([]byte, error) { return secrets.Open("a", []byte("c"), sealed[:len(sealed)-1]) },
		"trailing": func() ([]byte, error) { return secrets.Open("a", []byte("c"), append(bytes.Clone(sealed), 0)) },
		"empty":    func() ([]byte, error) { return secrets.Open("a", []byte("c"), nil) },
	} {
		if got, err := open(); err == nil {
			t.Errorf("another %s opens it: %q", name, got)
		}
	}
}
