package identity

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Skeleton returns what a name looks like: two names with one skeleton may not
// live on one server (attacks A64). Accents and separators are dropped, letters
// of other scripts that look like Latin ones become those, and so do digits and
// pairs that read as a letter. It is only ever compared, never shown. name is
// as ParseName returns it.
func Skeleton(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(name) {
		switch {
		case unicode.Is(unicode.Mn, r), r == '.', r == '_', r == '-':
			continue
		}
		if to, ok := looksLike[r]; ok {
			r = to
		}
		b.WriteRune(r)
	}
	return pairs.Replace(b.String())
}

// pairs that read as one letter in common fonts. 'l' here also stands for i
// and 1 (looksLike).
var pairs = strings.NewReplacer("rn", "m", "vv", "w", "cl", "d")

// looksLike maps lower-case letters and digits to the Latin letter that they
// resemble. It errs towards more: a refused look-alike costs another choice, an
// accepted one a mistaken person.
var looksLike = map[rune]rune{
	// digits and Latin
	'0': 'o', '1': 'l', '5': 's', 'i': 'l',
	'ı': 'l', 'ȷ': 'j', 'ł': 'l', 'ø': 'o', 'đ': 'd', 'ħ': 'h', 'ŧ': 't', 'ƒ': 'f', 'ɡ': 'g', 'ɑ': 'a', 'ə': 'e', 'ɩ': 'l', 'ŋ': 'n', 'ƙ': 'k', 'ɓ': 'b', 'ɗ': 'd', 'ɔ': 'c', 'ɛ': 'e', 'ʋ': 'u', 'ß': 'b', 'ſ': 'f', 'þ': 'p', 'ð': 'd',
	// Cyrillic
	'а': 'a', 'в': 'b', 'ь': 'b', 'с': 'c', 'ԁ': 'd', 'е': 'e', 'є': 'e', 'з': 'e', 'г': 'r', 'һ': 'h', 'н': 'h', 'і': 'l', 'ј': 'j', 'ӏ': 'l', 'к': 'k', 'м': 'm', 'п': 'n', 'о': 'o', 'р': 'p', 'ԛ': 'q', 'ѕ': 's', 'т': 't', 'и': 'u', 'ц': 'u', 'у': 'y', 'ү': 'y', 'ѵ': 'v', 'ѡ': 'w', 'ш': 'w', 'щ': 'w', 'ԝ': 'w', 'х': 'x', 'ж': 'x', 'б': 'b', 'д': 'd', 'я': 'r', 'л': 'n', 'ф': 'o', 'э': 'e', 'ө': 'o', 'ғ': 'f', 'қ': 'k', 'ң': 'h', 'ҳ': 'x', 'ҷ': 'y', 'ч': 'y',
	// Greek
	'α': 'a', 'β': 'b', 'ϲ': 'c', 'δ': 'd', 'ε': 'e', 'η': 'n', 'γ': 'y', 'ι': 'l', 'κ': 'k', 'μ': 'u', 'ν': 'v', 'ο': 'o', 'σ': 'o', 'ρ': 'p', 'τ': 't', 'υ': 'u', 'χ': 'x', 'ω': 'w', 'ϳ': 'j', 'ζ': 'z', 'θ': 'o', 'ς': 's', 'π': 'n', 'λ': 'a',
	// Armenian, Hebrew, Georgian and others, where a letter stands for itself
	'օ': 'o', 'ո': 'n', 'ս': 'u', 'հ': 'h', 'ց': 'g', 'զ': 'q', 'ա': 'w', 'ք': 'p', 'ւ': 'l', 'յ': 'l', 'ד': 't', 'ו': 'l', 'ן': 'l', 'ס': 'o', 'ი': 'o',
}
