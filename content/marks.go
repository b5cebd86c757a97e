package content

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"hearth/wire"
)

// KeyMarks is the extension that says how parts of a message's text look, and whom
// they mention: a list of Mark. A client that does not know it shows the text.
var KeyMarks = ExtensionKey{Text: "hearth.marks"}

// MaxMarks bounds the marks of one text.
const MaxMarks = 64

// Mark gives a part of a text a style.
type Mark struct {
	_     struct{} `cbor:",toarray"`
	Style Style
	// From and Len are in bytes of the text's UTF-8; both ends lie between characters.
	From, Len uint32
	// Account is whom a Mention mentions, else nil.
	Account *wire.AccountID
}

func (k Mark) end() uint32 { return k.From + k.Len }

// Style is how a part of a text looks.
type Style uint8

// The styles. One that is not known is passed over.
const (
	Bold Style = iota + 1
	Italic
	Strike
	Code
	Quote // whole lines
	Mention

	numStyles
)

// String returns the style's name in the API.
func (s Style) String() string {
	switch s {
	case Bold:
		return "bold"
	case Italic:
		return "italic"
	case Strike:
		return "strike"
	case Code:
		return "code"
	case Quote:
		return "quote"
	case Mention:
		return "mention"
	}
	return ""
}

// Mark puts marks over the message's text, in the place of those it had. They are
// put in order; they fail if one of them lies wrong, or there are too many.
func (m *Message) Mark(marks []Mark) error {
	delete(m.Extensions, KeyMarks)
	if len(marks) == 0 {
		return nil
	}
	marks = slices.Clone(marks)
	slices.SortFunc(marks, compareMarks)
	text, _ := m.Text()
	if len(marks) > MaxMarks {
		return wire.Errorf(wire.BadInput, "a message has at most %d formatted parts and mentions", MaxMarks).WithNext("send it in parts")
	}
	if !marksLie(text, marks) {
		return refused(errForm)
	}
	if m.Extensions == nil {
		m.Extensions = Extensions{}
	}
	m.Extensions[KeyMarks] = wire.Encode(marks)
	return nil
}

// Marks returns the marks over the message's text, in order. Of a list in which
// something is wrong there are none.
func (m *Message) Marks() []Mark {
	raw, ok := m.Extensions[KeyMarks]
	if !ok {
		return nil
	}
	var marks []Mark
	text, ok := m.Text()
	if !ok || decMode.Unmarshal(raw, &marks) != nil || len(marks) > MaxMarks || !marksLie(text, marks) {
		return nil
	}
	return slices.DeleteFunc(marks, func(k Mark) bool { return k.Style >= numStyles })
}

// compareMarks orders marks by where they begin, the longer first.
func compareMarks(a, b Mark) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.Len, a.Len), cmp.Compare(a.Style, b.Style))
}

// marksLie reports whether marks stand in order, each within the text and between
// characters, those of a style apart from each other, and only mentions name
// somebody.
func marksLie(text string, marks []Mark) bool {
	between := func(at uint64) bool {
		return at == uint64(len(text)) || at < uint64(len(text)) && utf8.RuneStart(text[at])
	}
	var behind [256]uint32 // where the last mark of a style ended
	for i, k := range marks {
		switch {
		case k.Style == 0, k.Len == 0, uint64(k.From)+uint64(k.Len) > uint64(len(text)),
			!between(uint64(k.From)), !between(uint64(k.From) + uint64(k.Len)),
			i > 0 && compareMarks(marks[i-1], k) >= 0,
			(k.Style == Mention) != (k.Account != nil) && k.Style < numStyles,
			k.From < behind[k.Style]:
			return false
		}
		behind[k.Style] = k.end()
	}
	return true
}

// Run is a piece of a text that looks the same throughout.
type Run struct {
	Text   string
	Styles []Style // in their order; Mention is not among them
	// Mention is who is mentioned by the whole piece.
	Mention *wire.AccountID
}

// Runs cuts a text at its marks, which are in order and lie well. Joined, the
// pieces are the text.
func Runs(text string, marks []Mark) []Run {
	cuts := []uint32{0, uint32(len(text))}
	for _, k := range marks {
		cuts = append(cuts, k.From, k.end())
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out []Run
	for i := 1; i < len(cuts); i++ {
		r := Run{Text: text[cuts[i-1]:cuts[i]]}
		for _, k := range marks {
			if k.From > cuts[i-1] || k.end() < cuts[i] {
				continue
			}
			if k.Style == Mention {
				r.Mention = k.Account
				continue
			}
			r.Styles = append(r.Styles, k.Style)
		}
		slices.Sort(r.Styles)
		// Another style within a mention does not make two mentions of it.
		if last := len(out) - 1; last >= 0 && r.Mention != nil && out[last].Mention == r.Mention {
			out[last].Text += r.Text
			continue
		}
		out = append(out, r)
	}
	return out
}
