package main

import (
	"strings"
	"testing"
	"unicode"

	"hearth/core"
)

// TestRunsAreHarmless: nothing that somebody wrote reaches the terminal as anything
// but text, in whatever style, and a mention has the name that is known here.
func TestRunsAreHarmless(t *testing.T) {
	list := []core.Run{
		{Text: "\x1b[31mred\x1b[0m \u202eltr\n", Style: []string{"bold"}},
		{Text: "@the owner", Mention: "acc", Handle: "eve@h.example\x1b[2J"},
		{Text: "said\nhe", Style: []string{"quote", "none of ours"}},
		{Text: "done"},
	}
	want := "<U+001B>[31mred<U+001B>[0m <U+202E>ltr\n    @eve@h.example<U+001B>[2J> said\n    > hedone"
	if got := runs(list, false); got != want {
		t.Errorf("shown as %q, want %q", got, want)
	}
	got := runs(list, true)
	for _, ours := range []string{"\x1b[1m", "\x1b[4m", "\x1b[0m"} {
		if !strings.Contains(got, ours) {
			t.Errorf("without %q: %q", ours, got)
		}
		got = strings.ReplaceAll(got, ours, "")
	}
	if strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
		t.Errorf("controls are left: %q", got)
	}
}
