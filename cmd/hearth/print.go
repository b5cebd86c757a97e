package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"hearth/wire"
)

// show prints one thing: as a line of JSON, or in words.
func show[T any](a *app, v T, words func(w io.Writer, v T)) error {
	if !a.json {
		var b strings.Builder
		words(&b, v)
		return a.print(b.String())
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return a.print(b.String())
}

// print writes to stdout; that it can't is an error, for something may wait at
// its other end.
func (a *app) print(s string) error {
	if _, err := io.WriteString(a.out, s); err != nil {
		return wire.Errorf(wire.Internal, "the answer can't be written: %w", err).WithNext("look at hearth history; what was done is done")
	}
	return nil
}

// note tells a person something beside the answer; scripts read stdout only.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }

// noteStale says that a list may lack what is new.
func (a *app) noteStale(fresh bool) {
	if !fresh {
		a.note("No connection. This is what was here before.")
	}
}

// table lays out rows of two cells or more under each other.
func table(w io.Writer, rows ...[]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	t.Flush()
}

// fact is a table of facts: those with an empty value are left out.
func facts(w io.Writer, pairs ...string) {
	var rows [][]string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			rows = append(rows, []string{"  " + pairs[i], pairs[i+1]})
		}
	}
	table(w, rows...)
}

// plain makes what others wrote harmless to a terminal and to the reader's eye:
// control characters and those that turn the direction of writing are shown as
// codes. Line breaks stay, indented.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("\n    ")
		case r == '\t':
			b.WriteRune(' ')
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d', r == '\u2028', r == '\u2029', r == unicode.ReplacementChar:
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// word is plain for names: no line break.
func word(s string) string { return strings.ReplaceAll(plain(s), "\n", " ") }

// when shows a moment in the reader's own time.
func when(t time.Time) string { return t.Local().Format("2 Jan 15:04") }

// until says when something ends; nil never does.
func until(t *time.Time) string {
	if t == nil {
		return "kept"
	}
	return when(*t)
}

// firstOf returns the first that is not empty.
func firstOf(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

// quantity says a number of things.
func quantity(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
