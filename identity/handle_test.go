package identity

import (
	"errors"
	"strings"
	"testing"
)

func TestParseName(t *testing.T) {
	for typed, want := range map[string]string{
		"alice": "alice", "Alice": "alice", "a": "a", "a.b_c-d": "a.b_c-d", "2cool": "2cool",
		"ЖЕНЯ": "женя", "straße": "straße", "たろう太郎": "たろう太郎", "ＡＢＣ": "abc", "José": "josé", "हिन्दी": "हिन्दी",
		strings.Repeat("x", 32): strings.Repeat("x", 32),
	} {
		if got, err := ParseName(typed); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", typed, got, err, want)
		}
	}
	for name, typed := range map[string]string{
		"empty": "", "too long": strings.Repeat("x", 33), "too long once mapped": strings.Repeat("я", 17),
		"a space": "a b", "an @": "a@b", "two separators": "a..b", "a leading separator": ".a", "a trailing separator": "a-",
		"only a separator": "_", "two scripts": "аlice", "Greek in Latin": "alicε", "not UTF-8": "a\xff", "a bidi control": "a\u202eb",
		"zero width": "a\u200bb", "an emoji": "a😀", "a symbol": "a$", "other digits": "a١", "a newline": "a\n", "NUL": "a\x00",
		"a mark alone": "\u0301a", "another script's mark": "aि", "a mark behind a digit": "1ि", "a ligature": "ﬁ", "right to left and left to right": "aא", "a roman numeral": "ⅷ",
	} {
		if got, err := ParseName(typed); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %q, %v, want it refused", name, got, err)
		}
	}
}

func TestParseHandle(t *testing.T) {
	for typed, want := range map[string]string{
		"Alice@A.Example": "alice@a.example", "a@localhost:8420": "a@localhost:8420", "a@127.0.0.1:1": "a@127.0.0.1:1",
		"a@[::1]:8420": "a@[::1]:8420", "a@[::1]": "a@[::1]", "a@xn--bcher-kva.example": "a@xn--bcher-kva.example",
	} {
		if got, err := ParseHandle(typed); err != nil || got.String() != want {
			t.Errorf("%q: got %v, %v", typed, got, err)
		}
	}
	for _, typed := range []string{
		"alice", "@a.example", "a@", "a@b@c", "a@bücher.example", "a@-x.example", "a@x-", "a@x..y", "a@x/", "a@x y", "a@x:0", "a@x:70000",
		"a@x:080", "a@x:", "a@[::1", "a@::1", "a@[x]:1", "a@[0:0::1]", "a@https://x", "a@" + strings.Repeat("x.", 130) + "y",
	} {
		if got, err := ParseHandle(typed); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: got %v, %v, want it refused", typed, got, err)
		}
	}
}

// A64: names that look alike have one skeleton; names that don't, do not.
func TestSkeleton(t *testing.T) {
	for _, pair := range [][2]string{
		{"paypal", "раураӏ"}, {"paypal", "paypa1"}, {"alice", "a1ice"}, {"alice", "al1ce"}, {"bob", "b0b"}, {"bob", "b.o-b"},
		{"modern", "modem"}, {"jose", "josé"}, {"vvv", "wv"}, {"a", "α"}, {"o", "օ"}, {"сосо", "coco"},
	} {
		if Skeleton(pair[0]) != Skeleton(pair[1]) {
			t.Errorf("%q and %q count as different: %q, %q", pair[0], pair[1], Skeleton(pair[0]), Skeleton(pair[1]))
		}
	}
	for _, pair := range [][2]string{{"alice", "bob"}, {"anna", "anne"}, {"jan", "lan"}, {"tom", "tim"}, {"user2", "user3"}} {
		if Skeleton(pair[0]) == Skeleton(pair[1]) {
			t.Errorf("%q and %q count as look-alikes", pair[0], pair[1])
		}
	}
	for from, to := range looksLike {
		if again, ok := looksLike[to]; ok && again != to {
			t.Errorf("%q leads to %q, which leads on", from, to)
		}
	}
}

func FuzzParseHandle(f *testing.F) {
	for _, s := range []string{"alice@a.example", "ЖЕНЯ@localhost:8420", "a@[::1]:1", "ǅ@x", "ſ@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHandle(s)
		if err != nil {
			return
		}
		if again, err := ParseHandle(h.String()); err != nil || again != h {
			t.Fatalf("%q is %q, which is %q, %v", s, h, again, err)
		}
	})
}
