package peertest

import (
	"crypto/ecdh"
	"crypto/hpke"
	"testing"
)

// A suite to be tested. All of them hash with SHA-256 and sign with Ed25519.
type suite struct {
	name   string
	number uint16
	kem    hpke.KEM
	aead   hpke.AEAD
}

// suites are the two most used of RFC 9420 §17.1 and the two hybrid ones.
var suites = []suite{
	{"1", 1, hpke.DHKEM(ecdh.X25519()), hpke.AES128GCM()},
	{"3", 3, hpke.DHKEM(ecdh.X25519()), hpke.ChaCha20Poly1305()},
	{"F001", 0xF001, hpke.MLKEM768X25519(), hpke.ChaCha20Poly1305()},
	{"F002", 0xF002, hpke.MLKEM768X25519(), hpke.AES128GCM()},
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
