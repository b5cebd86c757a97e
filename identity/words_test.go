package identity

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func TestWordsRoundTrip(t *testing.T) {
	for range 50 {
		k := NewRecoveryKey()
		words := k.Words()
		if n := len(strings.Fields(words)); n != 18 {
			t.Fatalf("%d words, want 18", n)
		}
		for _, typed := range []string{
			words, strings.ToUpper(words), strings.ReplaceAll(words, " ", "-"),
			"  " + strings.ReplaceAll(words, " ", ",\n ") + ".\n",
		} {
			got, err := ParseRecovery(typed)
			if err != nil {
				t.Fatal(err)
			}
			if *got.seed.b != *k.seed.b || got.Public() != k.Public() {
				t.Fatal("another key came back")
			}
		}
	}
}

// TestWordsGolden pins the encoding: words written on paper must open the same
// account for ever.
func TestWordsGolden(t *testing.T) {
	var seed [RecoverySize]byte
	for i := range seed {
		seed[i] = byte(i * 7)
	}
	k := RecoveryKey{seed: secretFrom(seed[:])}
	const want = "babam bunik dubog fonud gobuz hipav kidis lapop madum murak nufig porod rofoz siruv tigas vasip lobow bofow"
	if got := k.Words(); got != want {
		t.Errorf("got %q", got)
	}
}

func TestWordsSayWhatIsWrong(t *testing.T) {
	words := strings.Fields(NewRecoveryKey().Words())
	change := func(at ...int) string {
		w := append([]string(nil), words...)
		for _, i := range at {
			for w[i] == words[i] {
				w[i] = string([]byte{
					consonants[rand.IntN(16)], vowels[rand.IntN(4)], consonants[rand.IntN(16)], vowels[rand.IntN(4)], consonants[rand.IntN(16)],
				})
			}
		}
		return strings.Join(w, " ")
	}
	swapped := append([]string(nil), words...)
	for i := range swapped { // two words that differ
		if swapped[i] != swapped[3] {
			swapped[i], swapped[3] = swapped[3], swapped[i]
			break
		}
	}
	for name, row := range map[string]struct{ typed, want string }{
		"one word mistyped":      {change(6), "word 7 of the recovery key is mistyped"},
		"the first":              {change(0), "word 1 of"},
		"a checking word":        {change(17), "word 18 of"},
		"two words":              {change(2, 9), "mistyped"},
		"two words swapped":      {strings.Join(swapped, " "), "changed places"},
		"a word missing":         {strings.Join(words[1:], " "), "has 18 words, this has 17"},
		"a word too many":        {strings.Join(words, " ") + " babab", "has 18 words, this has 19"},
		"no word at all":         {"", "this has 0"},
		"a letter not in use":    {strings.Replace(strings.Join(words, " "), words[4], "xalut", 1), "is not a recovery word"},
		"a word too short":       {strings.Replace(strings.Join(words, " "), words[11], "luna", 1), "is not a recovery word"},
		"letters of look-alikes": {"lunаt " + strings.Join(words[1:], " "), "word 1 is not"},
	} {
		_, err := ParseRecovery(row.typed)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want …%s…", name, err, row.want)
			continue
		}
		for _, w := range words {
			if strings.Contains(err.Error(), w) {
				t.Errorf("%s: the error repeats a word of the key", name)
			}
		}
	}
}

// TestWordsNameEveryMistypedWord: one wrong word, at each place, is always
// found and always named.
func TestWordsNameEveryMistypedWord(t *testing.T) {
	k := NewRecoveryKey()
	for i := range allWords {
		for bit := range 16 {
			words := strings.Fields(k.Words())
			v, _ := parseWord(words[i])
			v ^= 1 << bit
			words[i] = string([]byte{consonants[v>>12], vowels[v>>10&3], consonants[v>>6&15], vowels[v>>4&3], consonants[v&15]})
			_, err := ParseRecovery(strings.Join(words, " "))
			if err == nil || !strings.Contains(err.Error(), "word "+strconv.Itoa(i+1)+" of") {
				t.Fatalf("word %d, bit %d: got %v", i+1, bit, err)
			}
		}
	}
}

func FuzzParseRecovery(f *testing.F) {
	f.Add(NewRecoveryKey().Words())
	f.Add("babab")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseRecovery(s)
		if err != nil {
			return
		}
		typed := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" \t\r\n-,.", r) })
		if got := k.Words(); got != strings.Join(typed, " ") {
			t.Fatalf("accepted %q, is %q", s, got)
		}
	})
}
