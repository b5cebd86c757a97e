package peertest

import (
	"crypto/ecdh"
	"crypto/hpke"
	"testing"
)

// A suite to be tested.
type suite struct {
	name   string
	number uint16
	kem    hpke.KEM
	kdf    hpke.KDF
	aead   hpke.AEAD
}

// suites are the two most used of RFC 9420 §17.1 and the two hybrid ones.
var suites = []suite{
	{"1", 1, hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.AES128GCM()},
	{"3", 3, hpke.DHKEM(ecdh.X25519()), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305()},
	{"F001", 0xF001, hpke.MLKEM768X25519(), hpke.HKDFSHA256(), hpke.ChaCha20Poly1305()},
	{"F002", 0xF002, hpke.MLKEM768X25519(), hpke.HKDFSHA256(), hpke.AES128GCM()},
}

// others are the rest of what both sides have. They are taken through the steps
// only.
var others = []suite{
	{"2", 2, hpke.DHKEM(ecdh.P256()), hpke.HKDFSHA256(), hpke.AES128GCM()},
	{"5", 5, hpke.DHKEM(ecdh.P521()), hpke.HKDFSHA512(), hpke.AES256GCM()},
	{"7", 7, hpke.DHKEM(ecdh.P384()), hpke.HKDFSHA384(), hpke.AES256GCM()},
}

// What leaves of either kind say they can do, beyond what is in every group.
const (
	groupExtension uint16 = 0xF0A1
	leafExtension  uint16 = 0xF0A2
	customProposal uint16 = 0xF0B1
)

// must makes an answer's error the end of the test.
func must(t testing.TB) func(answer, error) answer {
	return func(a answer, err error) answer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
}
