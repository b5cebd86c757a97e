package content

import "strings"

// Kind is what a message does.
type Kind uint8

// The kinds. What is Unknown came from a newer client: it is shown as such, not
// dropped. A new one needs a row in the table below.
const (
	Unknown Kind = iota
	Text
	React
	Edit
	Delete
	File
	Poll
	Vote
	Place
	Contact

	numKinds
)

// Rule is when a message of a kind ends. One without a rule is not kept at all.
type Rule uint8

// The rules.
const (
	// EndsItself: by its own end and the conversation's timer, and all that is said
	// of it later ends with it.
	EndsItself Rule = iota + 1
	// EndsWithTarget: it says something of another message and ends with that one,
	// or sooner; it never is in a history without it.
	EndsWithTarget
)

// Spec is what there is of a kind of content: all of it, or it is not shipped.
type Spec struct {
	// Name is the word for it in the API.
	Name string
	Rule Rule
	// Method and Command are how a program and a person say it; empty for what is
	// received only.
	Method, Command string
	// line is what Message.Line returns.
	line func(*Message) string
}

// specs is the table of all kinds of content. Tests demand of every row that it is
// whole, that what it says can be said and read, and that nothing of it is left in
// a home after its end.
var specs = [...]Spec{
	Unknown: {Name: "unknown", Rule: EndsItself, line: func(m *Message) string {
		if text, ok := m.Text(); ok {
			return text
		}
		return "Something that this version of Hearth cannot show. A newer one can."
	}},
	Text:   {Name: "text", Rule: EndsItself, Method: "send", Command: "send", line: textLine},
	React:  {Name: "reaction", Rule: EndsWithTarget, Method: "react", Command: "react", line: textLine},
	Edit:   {Name: "edit", Rule: EndsWithTarget, Method: "edit", Command: "edit", line: textLine},
	Delete: {Name: "delete", Rule: EndsWithTarget, Method: "delete", Command: "delete", line: func(*Message) string { return "A message was deleted." }},
	File: {Name: "file", Rule: EndsItself, Method: "send", Command: "send", line: func(m *Message) string {
		f, _ := m.File()
		text, _ := m.Text()
		return strings.TrimSpace("A file: " + f.FileName + "\n" + text)
	}},
	Poll:    {Name: "poll", Rule: EndsItself, Method: "poll", Command: "poll", line: wordsLine},
	Vote:    {Name: "vote", Rule: EndsWithTarget, Method: "vote", Command: "vote", line: wordsLine},
	Place:   {Name: "place", Rule: EndsItself, Method: "place", Command: "place", line: wordsLine},
	Contact: {Name: "contact", Rule: EndsItself, Method: "contact.share", Command: "contact share", line: wordsLine},
}

// The last kind has a row, or this does not compile.
var _ = [1]struct{}{}[len(specs)-int(numKinds)]

func textLine(m *Message) string {
	text, _ := m.Text()
	return text
}

func wordsLine(m *Message) string {
	text, _ := m.Words()
	return text
}

// Kinds lists all kinds of content.
func Kinds() (all []Kind) {
	for k := range numKinds {
		all = append(all, k)
	}
	return all
}

// Spec returns what there is of a kind.
func (k Kind) Spec() Spec {
	if k >= numKinds {
		return Spec{}
	}
	return specs[k]
}

// Editable reports whether another text may take the place of a message's.
func (k Kind) Editable() bool { return k == Text || k == File }

func (k Kind) String() string { return k.Spec().Name }

// Line returns the message in words, for whatever can show words only: a terminal,
// a notice, a search. Like Text it may hold any characters.
func (m *Message) Line() string { return m.Kind().Spec().line(m) }
