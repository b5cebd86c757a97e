package identity

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// A recovery key is shown as 18 pronounceable words of five letters, each 16
// bits: consonant, vowel, consonant, vowel, consonant. 16 words are the key,
// two are a Reed-Solomon check over GF(2^16), which finds any two wrong words
// and says which one is wrong when it is one
// (docs/decisions/0003-recovery-words.md).
const (
	consonants = "bdfghklmnprstvwz" // 4 bits each
	vowels     = "aiou"             // 2 bits each
	dataWords  = RecoverySize / 2
	allWords   = dataWords + 2
)

// Words returns the key as words, for the one time that it is shown.
func (k RecoveryKey) Words() string {
	var w [allWords]uint16
	for i := range dataWords {
		w[i] = binary.BigEndian.Uint16(k.seed.bytes()[2*i:])
	}
	// Both syndromes of all words are to be zero: w16+w17 = s0 and
	// x^16·w16 + x^17·w17 = s1, where s0 and s1 are those of the data.
	s0, s1 := syndromes(w[:dataWords])
	p, q := power(dataWords), power(dataWords+1)
	w[dataWords] = times(s1^times(q, s0), inverse(p^q))
	w[dataWords+1] = s0 ^ w[dataWords]

	words := make([]string, allWords)
	for i, v := range w {
		words[i] = string([]byte{
			consonants[v>>12], vowels[v>>10&3], consonants[v>>6&15], vowels[v>>4&3], consonants[v&15],
		})
	}
	return strings.Join(words, " ")
}

// ParseRecovery reads words as a person types them: in any case, with any
// spaces, hyphens, commas or full stops between. The error says which word is
// wrong where that can be known, and never repeats one.
func ParseRecovery(s string) (RecoveryKey, error) {
	typed := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" \t\r\n-,.", r) })
	var w [allWords]uint16
	for i, word := range typed {
		if i == allWords {
			break
		}
		v, ok := parseWord(word)
		if !ok {
			return RecoveryKey{}, fmt.Errorf("%w: word %d is not a recovery word: look at its spelling, they are like %q", ErrInvalid, i+1, "lunat")
		}
		w[i] = v
	}
	if len(typed) != allWords {
		return RecoveryKey{}, fmt.Errorf("%w: a recovery key has %d words, this has %d: look for a missing or a repeated one", ErrInvalid, allWords, len(typed))
	}
	switch s0, s1 := syndromes(w[:]); {
	case s0 == 0 && s1 == 0:
	case s0 == 0:
		return RecoveryKey{}, fmt.Errorf("%w: two words of the recovery key seem to have changed places: look at their order", ErrInvalid)
	default:
		for i := range allWords {
			if times(s0, power(i)) == s1 {
				return RecoveryKey{}, fmt.Errorf("%w: word %d of the recovery key is mistyped: look at it again", ErrInvalid, i+1)
			}
		}
		return RecoveryKey{}, fmt.Errorf("%w: at least two words of the recovery key are mistyped: look at all of them again", ErrInvalid)
	}
	var seed [RecoverySize]byte
	for i := range dataWords {
		binary.BigEndian.PutUint16(seed[2*i:], w[i])
	}
	return RecoveryKey{seed: secretFrom(seed[:])}, nil
}

func parseWord(word string) (v uint16, ok bool) {
	if len(word) != 5 {
		return 0, false
	}
	for i := range 5 {
		letters, bits := consonants, 4
		if i%2 == 1 {
			letters, bits = vowels, 2
		}
		n := strings.IndexByte(letters, word[i])
		if n < 0 {
			return 0, false
		}
		v = v<<bits | uint16(n)
	}
	return v, true
}

// syndromes returns the sum of the words, and the sum of x^i times word i.
func syndromes(w []uint16) (s0, s1 uint16) {
	for i, v := range w {
		s0 ^= v
		s1 ^= times(v, power(i))
	}
	return s0, s1
}

// times multiplies in GF(2^16) modulo the primitive x^16 + x^12 + x^3 + x + 1.
// The running time depends on neither factor's bits.
func times(a, b uint16) (p uint16) {
	for range 16 {
		p ^= a & -(b & 1)
		b >>= 1
		a = a<<1 ^ 0x100B&-(a>>15)
	}
	return p
}

// power returns x^n.
func power(n int) uint16 {
	p := uint16(1)
	for range n {
		p = times(p, 2)
	}
	return p
}

// inverse returns 1/a, which is a^(2^16-2).
func inverse(a uint16) uint16 {
	p := uint16(1)
	for range 15 {
		a = times(a, a)
		p = times(p, a)
	}
	return p
}
