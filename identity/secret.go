package identity

import "crypto/rand"

// secret is 32 bytes that no formatting verb reaches. One pointer is not enough:
// fmt answers a verb that does not fit a pointer by printing what it points to.
type secret struct{ b *[32]byte }

func newSecret() *secret {
	s := &secret{new([32]byte)}
	rand.Read(s.b[:])
	return s
}

func secretFrom(b []byte) *secret {
	k := [32]byte(b)
	return &secret{&k}
}

// bytes returns the bytes themselves; all zero for no secret.
func (s *secret) bytes() []byte {
	if s == nil {
		return make([]byte, 32)
	}
	return s.b[:]
}
