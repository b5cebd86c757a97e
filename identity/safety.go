package identity

import (
	"bytes"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"strings"

	"hearth/wire"
)

// safetyRounds makes each try of someone who looks for an account with a
// matching number cost thousands of hashes; a person waits 2 ms for it.
const safetyRounds = 5000

// SafetyNumber returns 60 digits that two people compare to know that each
// sees the other's account and nobody else's. It covers the two account ids
// under a label and nothing else, whichever side computes it.
//
// H(0) = SHA-512(label, low id, high id); H(i) = SHA-512(H(i-1), low, high);
// each five bytes of the last, of 64, give five digits.
func SafetyNumber(a, b wire.AccountID) string {
	low, high := a, b
	if bytes.Compare(low[:], high[:]) > 0 {
		low, high = high, low
	}
	ids := append(low[:], high[:]...)
	sum := sha512.Sum512(append([]byte("hearth safety number v1\x00"), ids...))
	for range safetyRounds {
		sum = sha512.Sum512(append(sum[:], ids...))
	}
	var digits strings.Builder
	for i := range 12 {
		var n [8]byte
		copy(n[3:], sum[5*i:5*i+5])
		fmt.Fprintf(&digits, "%05d", binary.BigEndian.Uint64(n[:])%100_000)
	}
	return digits.String()
}
