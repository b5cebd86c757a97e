package content

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hearth/wire"
)

// What a message holds beside texts and files: polls and votes, places, contact
// cards. Each is a small value of a type of its own, and beside it the same in words
// for clients that do not know the type: the reader picks one.

// The media types.
const (
	PollType    = "application/vnd.hearth.poll"
	VoteType    = "application/vnd.hearth.vote"
	PlaceType   = "application/vnd.hearth.place"
	ContactType = "application/vnd.hearth.contact"
)

// Limits of these.
const (
	MaxQuestion = 1024 // bytes
	MaxOptions  = 20
	MaxOption   = 256 // bytes, and of a place's label and a contact's name
	maxLink     = 8 << 10
	maxTyped    = 16 << 10
	degree      = 10_000_000 // a degree's parts
)

// Question is a poll: its members answer with a Vote.
type Question struct {
	_        struct{} `cbor:",toarray"`
	Question string
	Options  []string
	// Multi lets one person choose several.
	Multi bool
}

// Ballot is what one member answers to a poll; their newest counts. Choices are
// numbers of options from 0, in order; none takes the answer back.
type Ballot struct {
	_       struct{} `cbor:",toarray"`
	Choices []uint8
	// Close, by who made the poll, ends it.
	Close bool
}

// Spot is a place on the earth.
type Spot struct {
	_        struct{} `cbor:",toarray"`
	Lat, Lon int32    // in ten-millionths of a degree
	Accuracy uint32   // metres around it; 0: not known
	Label    string
}

// Card is a person to get to know: an account, what to call it, and perhaps the way
// there. All of it is the sender's word; what the link leads to must be the account.
type Card struct {
	_       struct{} `cbor:",toarray"`
	Account wire.AccountID
	Name    string
	Handle  string
	Link    string
}

func (q Question) check() error {
	if len(q.Options) < 2 || len(q.Options) > MaxOptions || !line(q.Question, MaxQuestion) {
		return errForm
	}
	for i, o := range q.Options {
		if !line(o, MaxOption) || slices.Contains(q.Options[:i], o) {
			return errForm
		}
	}
	return nil
}

func (b Ballot) check() error {
	if len(b.Choices) > MaxOptions || b.Close && len(b.Choices) > 0 {
		return errForm
	}
	for i, c := range b.Choices {
		if c >= MaxOptions || i > 0 && b.Choices[i-1] >= c {
			return errForm
		}
	}
	return nil
}

func (p Spot) check() error {
	if p.Lat < -90*degree || p.Lat > 90*degree || p.Lon < -180*degree || p.Lon > 180*degree || p.Label != "" && !line(p.Label, MaxOption) {
		return errForm
	}
	return nil
}

func (c Card) check() error {
	if !line(c.Name, MaxOption) || c.Handle != "" && !line(c.Handle, MaxOption) || c.Link != "" && !line(c.Link, maxLink) {
		return errForm
	}
	return nil
}

// line reports whether a text is one visible line: nothing that breaks it, moves the
// cursor or turns the direction of writing.
func line(s string, most int) bool {
	if s == "" || len(s) > most || !utf8.ValidString(s) || strings.TrimSpace(s) == "" {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
	})
}

func (q Question) words() string {
	var b strings.Builder
	b.WriteString(q.Question)
	for i, o := range q.Options {
		fmt.Fprintf(&b, "\n%d. %s", i+1, o)
	}
	return b.String()
}

func (p Spot) words() string {
	at := fmt.Sprintf("%.5f, %.5f", p.Latitude(), p.Longitude())
	if p.Accuracy > 0 {
		at += fmt.Sprintf(" (within %d m)", p.Accuracy)
	}
	if p.Label != "" {
		return p.Label + "\n" + at
	}
	return at
}

// Latitude returns degrees north.
func (p Spot) Latitude() float64 { return float64(p.Lat) / degree }

// Longitude returns degrees east.
func (p Spot) Longitude() float64 { return float64(p.Lon) / degree }

func (c Card) words() string {
	return strings.TrimSpace("Contact: " + c.Name + "\n" + strings.TrimSpace(c.Handle+"\n"+c.Link))
}

// NewPoll returns a message that asks a question.
func NewPoll(q Question, o Options) (*Message, error) {
	if q.check() != nil {
		return nil, wire.Errorf(wire.BadInput, "a poll has a question of one line and 2 to %d different options of up to %d bytes", MaxOptions, MaxOption)
	}
	return newTyped(PollType, q, q.words(), o)
}

// NewVote returns a person's answer to a poll, or the end of one; words is what it
// is for those who do not know polls.
func NewVote(poll MessageID, b Ballot, words string, o Options) (*Message, error) {
	slices.Sort(b.Choices)
	if b.Choices == nil {
		b.Choices = []uint8{}
	}
	if b.check() != nil {
		return nil, wire.Errorf(wire.BadInput, "a vote names options of the poll, each once")
	}
	o.InReplyTo = &poll
	return newTyped(VoteType, b, words, o)
}

// NewPlace returns a message that shows a place, in degrees.
func NewPlace(lat, lon float64, accuracy uint32, label string, o Options) (*Message, error) {
	if !(lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180) { // not a number is neither
		return nil, wire.Errorf(wire.BadInput, "a place is -90 to 90 degrees north and -180 to 180 degrees east")
	}
	p := Spot{Lat: int32(lat * degree), Lon: int32(lon * degree), Accuracy: accuracy, Label: label}
	if p.check() != nil {
		return nil, wire.Errorf(wire.BadInput, "a place's name is one line of up to %d bytes", MaxOption)
	}
	return newTyped(PlaceType, p, p.words(), o)
}

// NewContact returns a message that introduces somebody.
func NewContact(c Card, o Options) (*Message, error) {
	if c.check() != nil {
		return nil, wire.Errorf(wire.BadInput, "a contact has a name of one line, of up to %d bytes", MaxOption)
	}
	return newTyped(ContactType, c, c.words(), o)
}

func newTyped(contentType string, v any, words string, o Options) (*Message, error) {
	m := newMessage(o, Part{Disposition: Render, Body: Multi{ChooseOne, []Part{
		{Disposition: Render, Body: Single{contentType, wire.Encode(v)}},
		{Disposition: Render, Body: Single{TextPlain, []byte(words)}},
	}}})
	if err := m.check(); err != nil {
		return nil, refused(err)
	}
	return m, nil
}

// typed reads the value of a type among a message's alternatives, strictly.
func typed[T interface{ check() error }](m *Message, contentType string) (v T, ok bool) {
	parts := []Part{m.Part}
	if multi, is := m.Part.Body.(Multi); is && multi.Semantics == ChooseOne {
		parts = multi.Parts
	}
	for _, p := range parts {
		s, is := p.Body.(Single)
		if !is || s.ContentType != contentType {
			continue
		}
		if len(s.Content) > maxTyped || decMode.Unmarshal(s.Content, &v) != nil || v.check() != nil || !bytes.Equal(wire.Encode(v), s.Content) {
			var none T
			return none, false
		}
		return v, true
	}
	return v, false
}

// Poll returns the question of a poll.
func (m *Message) Poll() (Question, bool) { return typed[Question](m, PollType) }

// Vote returns what a vote says.
func (m *Message) Vote() (Ballot, bool) { return typed[Ballot](m, VoteType) }

// Place returns a place.
func (m *Message) Place() (Spot, bool) { return typed[Spot](m, PlaceType) }

// Contact returns a contact card.
func (m *Message) Contact() (Card, bool) { return typed[Card](m, ContactType) }

// typedKind is the kind of a message that holds one of these and nothing that
// changes another message in another way.
func (m *Message) typedKind() (Kind, bool) {
	if m.Replaces != nil {
		return Unknown, false
	}
	if _, ok := m.Poll(); ok {
		return Poll, true
	}
	if _, ok := m.Vote(); ok && m.InReplyTo != nil {
		return Vote, true
	}
	if _, ok := m.Place(); ok {
		return Place, true
	}
	if _, ok := m.Contact(); ok {
		return Contact, true
	}
	return Unknown, false
}

// Words returns what the message says for those who read: of a value in words, the
// value and not what its sender wrote beside it.
func (m *Message) Words() (string, bool) {
	if q, ok := m.Poll(); ok {
		return q.words(), true
	}
	if p, ok := m.Place(); ok {
		return p.words(), true
	}
	if c, ok := m.Contact(); ok {
		return c.words(), true
	}
	return m.Text()
}
