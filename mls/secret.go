package mls

import (
	"crypto/subtle"
	"fmt"
)

// secret holds key material. It prints as "secret", is never marshalled by
// accident, and can be wiped. Its bytes are behind two pointers: in an
// unexported field fmt skips Format, and for a verb like %s it follows one
// pointer. Copies share the bytes: wiping one wipes all.
type secret struct{ p **[]byte }

// newSecret takes b over; the caller keeps no copy.
func newSecret(b []byte) secret {
	p := &b
	return secret{&p}
}

// bytes returns the key itself, not a copy; nil once wiped.
func (s secret) bytes() []byte {
	if s.p == nil {
		return nil
	}
	return **s.p
}

// present says whether there is a key: it was set and not wiped.
func (s secret) present() bool { return len(s.bytes()) > 0 }

// wipe overwrites the key (RFC 9420 §9.2) and forgets it in every copy.
func (s secret) wipe() {
	if s.p != nil {
		clear(**s.p)
		**s.p = nil
	}
}

// clone returns the same key in memory of its own.
func (s secret) clone() secret { return newSecret(clone(s.bytes())) }

// same compares in constant time.
func (s secret) same(t secret) bool {
	return subtle.ConstantTimeCompare(s.bytes(), t.bytes()) == 1
}

// String hides the key.
func (secret) String() string { return "secret" }

// Format hides the key for every verb.
func (secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, "secret") }

// MarshalText hides the key from encoders that look for it.
func (secret) MarshalText() ([]byte, error) { return []byte("secret"), nil }
