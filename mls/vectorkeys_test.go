package mls

// fullScalar restores the leading zeros that the vector files leave out of
// private keys: a P-521 scalar has 66 bytes.
func fullScalar(s Suite, raw []byte) []byte {
	n := map[Suite]int{2: 32, 5: 66, 7: 48}[s]
	for len(raw) < n {
		raw = append([]byte{0}, raw...)
	}
	return raw
}
