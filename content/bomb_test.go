package content

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"hearth/wire"
)

// bombs are bytes that say they are much more than they are, or that want to be
// followed very deep.
func bombs() map[string][]byte {
	huge := func(head byte) []byte { // a length of 2^63-1 behind it
		return append([]byte{head}, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	}
	long := func(head byte) []byte { // a length of 4 GiB
		return []byte{head, 0xff, 0xff, 0xff, 0xff}
	}
	out := map[string][]byte{
		"deep arrays":   append(bytes.Repeat([]byte{0x81}, 30000), 0),
		"deep maps":     append(bytes.Repeat([]byte{0xa1, 0x00}, 15000), 0),
		"deep tags":     append(bytes.Repeat([]byte{0xc1}, 30000), 0),
		"endless array": bytes.Repeat([]byte{0x9f}, 30000),
		"endless bytes": append([]byte{0x5f}, bytes.Repeat([]byte{0x41, 0}, 10000)...),
		"many items":    append([]byte{0x99, 0xff, 0xff}, bytes.Repeat([]byte{0}, 65535)...),
		"many keys":     append([]byte{0xb9, 0x40, 0x00}, bytes.Repeat([]byte{0}, 32768)...),
		"bignum":        append([]byte{0xc2, 0x59, 0x75, 0x30}, bytes.Repeat([]byte{0xff}, 30000)...),
		"nothing":       {},
		"nan":           {0xf9, 0x7e, 0x00},
		"undefined":     {0xf7},
	}
	for i, head := range []byte{0x5b, 0x7b, 0x9b, 0xbb, 0xdb} {
		out[fmt.Sprint("a length of 2^63, ", i)] = huge(head)
		out[fmt.Sprint("a length of 2^63 in an array, ", i)] = append([]byte{0x87, 0x50}, append(make([]byte, 16), huge(head)...)...)
	}
	for i, head := range []byte{0x5a, 0x7a, 0x9a, 0xba} {
		out[fmt.Sprint("a length of 4 GiB, ", i)] = long(head)
		out[fmt.Sprint("nested lengths of 4 GiB, ", i)] = bytes.Repeat(long(head), 1000)
	}
	return out
}

// TestBombs: every decoder refuses them at once and without much memory; inside a
// message that is otherwise right, too.
func TestBombs(t *testing.T) {
	decoders := map[string]func([]byte) error{
		"message":  func(b []byte) error { _, err := Parse(b); return err },
		"envelope": func(b []byte) error { _, err := ParseEnvelope(b); return err },
		"receipt":  func(b []byte) error { _, err := ParseReceipt(b); return err },
		"fleeting": func(b []byte) error { _, err := ParseFleeting(b); return err },
		"extension": func(b []byte) error {
			m := &Message{Part: Part{Body: Single{TextPlain, []byte("x")}}, Extensions: Extensions{KeyMarks: b, KeySent: b, KeyForwarded: b, KeyFile: b}}
			if _, known := m.Sent(); known || m.Forwarded() || len(m.Marks()) > 0 {
				return nil
			}
			return errForm
		},
		"poll, vote, place, contact": func(b []byte) error {
			for _, ct := range []string{PollType, VoteType, PlaceType, ContactType} {
				m := &Message{InReplyTo: &other, Part: Part{Body: Multi{ChooseOne, []Part{{Body: Single{ct, b}}, {Body: Single{TextPlain, []byte("words")}}}}}}
				if m.Kind() != Text || m.Line() != "words" {
					return nil
				}
			}
			return errForm
		},
	}
	for name, b := range bombs() {
		for what, decode := range decoders {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := decode(b)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s was read as %s", name, what)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > uint64(64*len(b)+1<<20) {
				t.Errorf("%s as %s took %d KiB for %d bytes", name, what, used>>10, len(b))
			}
		}
	}
}

// TestWrongValues: a value that is not what its type says, or holds what no line
// does, is not one: its words are read instead.
func TestWrongValues(t *testing.T) {
	long := strings.Repeat("x", MaxOption+1)
	for name, v := range map[string]struct {
		contentType string
		value       any
	}{
		"a poll without options":  {PollType, Question{Question: "q"}},
		"one option twice":        {PollType, Question{Question: "q", Options: []string{"a", "a"}}},
		"an option that turns":    {PollType, Question{Question: "q", Options: []string{"a", "b\u2066c"}}},
		"an option of two lines":  {PollType, Question{Question: "q", Options: []string{"a", "b\nc"}}},
		"a blank option":          {PollType, Question{Question: "q", Options: []string{"a", "  "}}},
		"a long option":           {PollType, Question{Question: "q", Options: []string{"a", long}}},
		"21 options":              {PollType, Question{Question: "q", Options: strings.Split(strings.Repeat("x,", 20)+"y", ",")}},
		"no text":                 {PollType, []any{1, []int{1}, true}},
		"more than a poll":        {PollType, []any{"q", []string{"a", "b"}, true, 1}},
		"a choice twice":          {VoteType, Ballot{Choices: []uint8{1, 1}}},
		"choices out of order":    {VoteType, Ballot{Choices: []uint8{2, 1}}},
		"a choice of nothing":     {VoteType, Ballot{Choices: []uint8{200}}},
		"a closing vote":          {VoteType, Ballot{Choices: []uint8{1}, Close: true}},
		"north of the pole":       {PlaceType, Spot{Lat: 90*degree + 1}},
		"round the world":         {PlaceType, Spot{Lon: -180*degree - 1}},
		"not a number":            {PlaceType, []any{0.5, 1, 2, ""}},
		"a label that turns":      {PlaceType, Spot{Label: "\u202egnp.exe"}},
		"a name with an escape":   {ContactType, Card{Name: "a\x1b[2J"}},
		"a name of two lines":     {ContactType, Card{Name: "a\u2028b"}},
		"no name":                 {ContactType, Card{Handle: "a@b"}},
		"a card for half a name":  {ContactType, []any{[]byte{1}, "x", "", ""}},
		"a handle with a newline": {ContactType, Card{Name: "a", Handle: "a@b\nc"}},
	} {
		m, err := newTyped(v.contentType, v.value, "words", Options{Sent: time.Now(), InReplyTo: &other})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if v.contentType == ContactType || v.contentType == PlaceType || v.contentType == PollType {
			m.InReplyTo = nil
		}
		m = must(Parse(m.mustEncode(t)))
		if m.Kind() != Text || m.Line() != "words" {
			t.Errorf("%s is taken for a %s: %q", name, m.Kind(), m.Line())
		}
	}
	// Bytes that say the same in another way are not the value.
	m := ok(t)(NewPlace(1, 2, 0, "x", Options{}))
	parts := m.Part.Body.(Multi).Parts
	parts[0].Body = Single{PlaceType, append([]byte{0x98, 4}, wire.Encode(Spot{Lat: 1, Label: "x"})[1:]...)}
	if m.Kind() != Text {
		t.Errorf("a longer form is a %s", m.Kind())
	}
}
