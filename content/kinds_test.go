package content

import (
	"strings"
	"testing"
)

// examples are the samples of each kind; every kind has one at least.
func examples(t testing.TB) map[Kind][]*Message {
	out := map[Kind][]*Message{}
	for _, m := range samples(t) {
		out[m.Kind()] = append(out[m.Kind()], m)
	}
	return out
}

// TestEveryKindIsWhole: a kind that is shipped has a name, an end, a line in words
// and a way to be said, and travels there and back.
func TestEveryKindIsWhole(t *testing.T) {
	names := map[string]bool{}
	all := examples(t)
	for _, k := range Kinds() {
		s := k.Spec()
		if s.Name == "" || names[s.Name] {
			t.Errorf("kind %d has no name of its own: %q", k, s.Name)
		}
		names[s.Name] = true
		if s.Rule != EndsItself && s.Rule != EndsWithTarget {
			t.Errorf("%s has no end", k)
		}
		if s.line == nil {
			t.Errorf("%s has no line in words", k)
			continue
		}
		if (s.Method == "" || s.Command == "") && k != Unknown {
			t.Errorf("%s cannot be said: method %q, command %q", k, s.Method, s.Command)
		}
		if len(all[k]) == 0 {
			t.Errorf("%s has no sample among samples", k)
		}
		for _, m := range all[k] {
			read, err := Parse(m.mustEncode(t))
			if err != nil {
				t.Errorf("%s: %v", k, err)
				continue
			}
			if read.Kind() != k || normal(read) != normal(m) || read.Line() != m.Line() {
				t.Errorf("%s was read as %s, %q", k, read.Kind(), read.Line())
			}
			if strings.TrimSpace(read.Line()) == "" {
				t.Errorf("%s is shown as nothing", k)
			}
			if s.Rule == EndsWithTarget && read.InReplyTo == nil && read.Replaces == nil {
				t.Errorf("%s ends with another message and names none", k)
			}
		}
	}
	if Kind(200).Spec().Rule != 0 {
		t.Error("a kind that is none has a rule")
	}
}

// TestOlderClientsShowALine: what a client does not know yet it shows in words,
// whatever kind it is, and never as nothing.
func TestOlderClientsShowALine(t *testing.T) {
	for k, list := range examples(t) {
		for _, m := range list {
			old := *m
			old.Part = unknownTo(m.Part)
			read := must(Parse(old.mustEncode(t)))
			if strings.TrimSpace(read.Line()) == "" {
				t.Errorf("%s: a client that does not know its types shows nothing", k)
			}
			if read.Kind() != Unknown && read.Kind() != k && read.Kind() != Text {
				t.Errorf("%s is taken for %s", k, read.Kind())
			}
		}
	}
}

// unknownTo renames every type that is not the draft's own, as for a client that
// was made before it.
func unknownTo(p Part) Part {
	switch b := p.Body.(type) {
	case Single:
		if b.ContentType != TextPlain {
			b.ContentType = "application/vnd.hearth.of-the-future"
		}
		p.Body = b
	case Multi:
		parts := make([]Part, len(b.Parts))
		for i, part := range b.Parts {
			parts[i] = unknownTo(part)
		}
		b.Parts = parts
		p.Body = b
	}
	return p
}
