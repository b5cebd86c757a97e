package content

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hearth/wire"
)

// drawn writes a text with its marks as tags, to be read by people.
func drawn(text string, marks []Mark) string {
	var b strings.Builder
	for _, r := range Runs(text, marks) {
		tags := fmt.Sprint(r.Styles)
		if r.Mention != nil {
			tags += fmt.Sprintf("@%d", r.Mention[0])
		}
		if tags == "[]" {
			b.WriteString(r.Text)
			continue
		}
		fmt.Fprintf(&b, "<%s:%s>", strings.Trim(tags, "[]"), r.Text)
	}
	return b.String()
}

func names(name string) (wire.AccountID, bool) {
	for i, n := range []string{"bob", "bob@h.example:8420", "ann-marie", "bjørn"} {
		if n == name {
			return wire.AccountID{byte(i + 1)}, true
		}
	}
	return wire.AccountID{}, false
}

func TestMarkup(t *testing.T) {
	for source, want := range map[string]string{
		"plain":                        "plain",
		"a *bold* move":                "a <bold:bold> move",
		"*b* _i_ ~s~ `c`":              "<bold:b> <italic:i> <strike:s> <code:c>",
		"*b _i_ b*":                    "<bold:b ><bold italic:i><bold: b>",
		"2*3*4 and snake_case_name":    "2*3*4 and snake_case_name",
		"* not * this":                 "* not * this",
		"*not\nthis*":                  "*not\nthis*",
		"**":                           "**",
		"``":                           "``",
		"*a _b* c_":                    "<bold:a _b> c_",
		"`*x* \\ @bob`":                "<code:*x* \\ @bob>",
		`\*x\* \@bob \\`:               `*x* @bob \`,
		"> said\n> he\nyes\n> no":      "<quote:said\nhe>\nyes\n<quote:no>",
		"> *x*":                        "<bold quote:x>",
		"hi @bob!":                     "hi <]@1:@bob>!",
		"hi @bob.":                     "hi <]@1:@bob>.",
		"@bob@h.example:8420: hello":   "<]@2:@bob@h.example:8420>: hello",
		"@bob@h.example.":              "<]@1:@bob>@h.example.",
		"mail a@bob, @eve, @bobby, @":  "mail a@bob, @eve, @bobby, @",
		"@ann-marie-2 @bjørn":          "<]@3:@ann-marie>-2 <]@4:@bjørn>",
		"*@bob _x_*":                   "<bold]@1:@bob><bold: ><bold italic:x>",
		"(*x*), \"_y_\"":               "(<bold:x>), \"<italic:y>\"",
		"*ünïcode* ~日本~ **twice** `*`": "<bold:ünïcode> <strike:日本> **twice** <code:*>",
	} {
		text, marks := Markup(source, names)
		m := ok(t)(NewText("x", Options{}))
		m.Part.Body = Single{TextPlain, []byte(text)}
		if err := m.Mark(marks); err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		m = must(Parse(m.mustEncode(t)))
		if got := drawn(text, m.Marks()); strings.ReplaceAll(got, "]@", "@") != strings.ReplaceAll(want, "]@", "@") {
			t.Errorf("%q is read as %q, want %q", source, got, want)
		}
	}
}

// TestMarksThatLieWrong: none of a wrong list counts, and the text is still read.
func TestMarksThatLieWrong(t *testing.T) {
	who := &wire.AccountID{1}
	text := "añb"
	for name, marks := range map[string][]Mark{
		"empty":               {{Style: Bold}},
		"beyond":              {{Style: Bold, From: 2, Len: 3}},
		"far beyond":          {{Style: Bold, From: 1<<32 - 1, Len: 1<<32 - 1}},
		"within a character":  {{Style: Bold, From: 2, Len: 1}},
		"ends within one":     {{Style: Bold, Len: 2}},
		"no style":            {{Len: 1}},
		"out of order":        {{Style: Bold, From: 1, Len: 2}, {Style: Italic, Len: 1}},
		"twice":               {{Style: Bold, Len: 1}, {Style: Bold, Len: 1}},
		"overlapping":         {{Style: Bold, Len: 3}, {Style: Bold, From: 1, Len: 2}},
		"overlapping mention": {{Style: Mention, Len: 3, Account: who}, {Style: Mention, From: 1, Len: 2, Account: who}},
		"a mention of nobody": {{Style: Mention, Len: 1}},
		"somebody in bold":    {{Style: Bold, Len: 1, Account: who}},
		"too many":            make([]Mark, MaxMarks+1),
	} {
		m := ok(t)(NewText(text, Options{}))
		if err := m.Mark(marks); err == nil && name != "out of order" { // it orders them
			t.Errorf("%s: sent", name)
		}
		m.Extensions = Extensions{KeyMarks: wire.Encode(marks)}
		m = must(Parse(m.mustEncode(t)))
		if got, _ := m.Text(); len(m.Marks()) != 0 || got != text {
			t.Errorf("%s: counts", name)
		}
	}
	m := ok(t)(NewText(text, Options{}))
	later := []Mark{{Style: Bold, Len: 1}, {Style: 99, Len: 3}}
	slices.SortFunc(later, compareMarks)
	m.Extensions = Extensions{KeyMarks: wire.Encode(later)}
	if got := m.Marks(); !reflect.DeepEqual(got, []Mark{{Style: Bold, Len: 1}}) {
		t.Errorf("beside a later version's: %v", got)
	}
	m.Extensions = Extensions{KeyMarks: wire.Encode("x")}
	if got := m.Marks(); got != nil {
		t.Errorf("of no list: %v", got)
	}
}

// FuzzMarkup: whatever is typed is marks that lie well, over pieces that are the
// text, in time.
func FuzzMarkup(f *testing.F) {
	for _, s := range []string{"*a* _b_ `c` ~d~\n> e @bob", strings.Repeat("*_~`@", 6000), strings.Repeat("`", 32000), strings.Repeat("*a", 16000), strings.Repeat("@bob.", 6000), "\\", "@", "> ", "\xff*\xff*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > MaxText {
			return
		}
		text, marks := Markup(source, names)
		slices.SortFunc(marks, compareMarks)
		if !marksLie(text, marks) && strings.ToValidUTF8(source, "") == source {
			t.Fatalf("%q: %v lies wrong over %q", source, marks, text)
		}
		if len(marks) > MaxMarks {
			return
		}
		joined := ""
		for _, r := range Runs(text, marks) {
			joined += r.Text
		}
		if joined != text {
			t.Fatalf("%q is cut into %q", text, joined)
		}
	})
}

// TestAForwardMentionsNobody: who was mentioned is not told to others.
func TestAForwardMentionsNobody(t *testing.T) {
	m := ok(t)(NewForward(samples(t)["formatted"], Options{}))
	if got := m.Marks(); len(got) != 1 || got[0].Style != Bold {
		t.Errorf("sent on with %v", got)
	}
}
