package content

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"hearth/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	sent  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	alice = wire.AccountID{1, 2, 3}
	room  = [32]byte{9, 9, 9}
	other = MessageID{1, 0xaa, 0xbb}
)

func file() External {
	return External{ContentType: "image/webp", URL: "https://example.org/b/1", Expires: 1775000000, Size: 1 << 33, EncAlg: 29,
		Key: bytes.Repeat([]byte{7}, 32), Nonce: make([]byte, 12), HashAlg: 1, ContentHash: bytes.Repeat([]byte{8}, 32), FileName: "cat.webp"}
}

// samples are one message of each sort, with fixed salts.
func samples(t testing.TB) map[string]*Message {
	o := Options{Sent: sent}
	reply := o
	reply.InReplyTo = &other
	timed := o
	timed.Expires = EndsAt(sent.Add(30 * time.Second))
	read := o
	read.Expires = EndsAfterReading(time.Minute)
	topic := Options{Topic: []byte("t")}
	all := map[string]*Message{
		"text":           ok(t)(NewText("meet me at noon", o)),
		"reply":          ok(t)(NewText("I'll be there ♥", reply)),
		"reaction":       ok(t)(NewReaction(other, "👍", o)),
		"edit":           ok(t)(NewEdit(other, "at one", o)),
		"delete":         NewDelete(other, o),
		"expires":        ok(t)(NewText("soon gone", timed)),
		"after reading":  ok(t)(NewText("soon gone", read)),
		"topic":          ok(t)(NewText("no time", topic)),
		"attachment":     ok(t)(NewAttachment(file(), "", o)),
		"captioned file": ok(t)(NewAttachment(file(), "look", o)),
		"unknown sort": {Part: Part{Disposition: 77, Language: "de,en", Body: Multi{ChooseOne, []Part{
			{Body: Single{"text/markdown;charset=utf-8", []byte("*x*")}},
			{Body: Multi{SingleUnit, []Part{{Body: Null{}}, {Disposition: Preview, Body: Single{"x/y", nil}}}}},
		}}}, Extensions: Extensions{{Int: 1}: wire.Encode("im:a"), {Int: -7}: wire.Encode([]int{1}), {Text: "hearth.x"}: wire.Encode(map[string]int{"a": 1})}},
	}
	all["poll"] = ok(t)(NewPoll(Question{Question: "Where?", Options: []string{"here", "there"}}, o))
	all["vote"] = ok(t)(NewVote(other, Ballot{Choices: []uint8{1, 0}}, "Voted: here, there", o))
	all["place"] = ok(t)(NewPlace(52.52, -13.405, 20, "the café", o))
	all["contact"] = ok(t)(NewContact(Card{Account: alice, Name: "Alice", Handle: "alice@h.example"}, o))
	marked := ok(t)(NewText("come now, @bob", o))
	if err := marked.Mark([]Mark{{Style: Bold, From: 5, Len: 3}, {Style: Mention, From: 10, Len: 4, Account: &alice}}); err != nil {
		t.Fatal(err)
	}
	all["formatted"] = marked
	for _, m := range all {
		m.Salt = [16]byte{0: 0xff, 15: 1}
	}
	return all
}

func ok(t testing.TB) func(*Message, error) *Message {
	return func(m *Message, err error) *Message {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

type golden struct{ Hex, ID string }

func TestEncodingIsAsPublished(t *testing.T) {
	const path = "testdata/messages.json"
	got := map[string]golden{}
	for name, m := range samples(t) {
		b := m.mustEncode(t)
		got[name] = golden{hex.EncodeToString(b), must(ID(alice, room, b)).String()}
	}
	if *update {
		b := append(must(json.MarshalIndent(got, "", "\t")), '\n')
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var want map[string]golden
	if err := json.Unmarshal(must(os.ReadFile(path)), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		for name := range got {
			if got[name] != want[name] {
				t.Errorf("%s: got %+v, want %+v", name, got[name], want[name])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d samples, %d golden", len(got), len(want))
		}
	}
	for name, g := range want {
		m, err := Parse(must(hex.DecodeString(g.Hex)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s := samples(t)[name]; normal(m) != normal(s) {
			t.Errorf("%s: read as\n%+v, was\n%+v", name, m, s)
		}
	}
}

func (m *Message) mustEncode(t testing.TB) []byte {
	t.Helper()
	return must(m.Encode())
}

// normal makes absent and empty byte strings the same.
func normal(m *Message) string { return hex.EncodeToString(m.marshal()) }

func TestKindsAndTexts(t *testing.T) {
	want := map[string]struct {
		kind Kind
		text string
	}{
		"text": {Text, "meet me at noon"}, "reply": {Text, "I'll be there ♥"}, "reaction": {React, "👍"}, "edit": {Edit, "at one"},
		"delete": {Delete, ""}, "expires": {Text, "soon gone"}, "after reading": {Text, "soon gone"}, "topic": {Text, "no time"},
		"attachment": {File, ""}, "captioned file": {File, "look"}, "unknown sort": {Unknown, ""},
		"poll": {Poll, "Where?\n1. here\n2. there"}, "vote": {Vote, "Voted: here, there"},
		"place": {Place, "the café\n52.52000, -13.40500 (within 20 m)"}, "contact": {Contact, "Contact: Alice\nalice@h.example"},
		"formatted": {Text, "come now, @bob"},
	}
	for name, m := range samples(t) {
		m = must(Parse(m.mustEncode(t)))
		text, _ := m.Text()
		if w, ok := want[name]; !ok || m.Kind() != w.kind || text != w.text {
			t.Errorf("%s: got %v %q, want %v %q", name, m.Kind(), text, w.kind, w.text)
		}
		if at, ok := m.Sent(); ok != (name != "topic" && name != "unknown sort") || ok && !at.Equal(sent) {
			t.Errorf("%s: sent %v, %v", name, at, ok)
		}
	}
}

func TestIDDependsOnSenderConversationAndEveryByte(t *testing.T) {
	b := samples(t)["text"].mustEncode(t)
	id := must(ID(alice, room, b))
	if id[0] != 1 {
		t.Errorf("hash algorithm: got %d, want 1", id[0])
	}
	if again := must(ID(alice, room, b)); again != id {
		t.Error("the id changes")
	}
	if must(ID(wire.AccountID{1}, room, b)) == id || must(ID(alice, [32]byte{9}, b)) == id {
		t.Error("another sender's or conversation's message has the same id")
	}
	b[5] ^= 1 // in the salt
	if must(ID(alice, room, b)) == id {
		t.Error("a message with another salt has the same id")
	}
	if p, err := ParseMessageID(id.String()); err != nil || p != id {
		t.Errorf("parse %q: %v", id, err)
	}
	for _, bad := range []string{"", "x", id.String()[:42], id.String() + "A", "B" + id.String()[1:], strings.Repeat("é", 20)} {
		if _, err := ParseMessageID(bad); !isCode(err, wire.BadInput) {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestEqualTextsHaveDifferentBytes(t *testing.T) {
	a, b := ok(t)(NewText("hi", Options{Sent: sent})), ok(t)(NewText("hi", Options{Sent: sent}))
	if bytes.Equal(a.mustEncode(t), b.mustEncode(t)) {
		t.Error("two messages with one salt")
	}
}

func isCode(err error, code wire.Code) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Code == code
}

// array encodes a message from bare items, to say what our types cannot.
func array(items ...any) []byte { return wire.Encode(items) }

func TestWrongMessagesAreRefused(t *testing.T) {
	salt := make([]byte, 16)
	null := []any{0, "", 0}
	text := []any{1, "", 1, TextPlain, []byte("x")}
	none := map[any]any{}
	ext := func(k, v any) map[any]any { return map[any]any{k: v} }
	deep := any(null)
	for range MaxDepth {
		deep = []any{0, "", 3, 0, []any{deep, null}}
	}
	many := []any{}
	for range MaxParts {
		many = append(many, null)
	}
	external := func(change int, v any) []any {
		f := []any{6, "", 2, "a/b", "u:x", 0, 0, 0, []byte{}, []byte{}, []byte{}, 0, []byte{}, "", ""}
		f[change] = v
		return f
	}
	if _, err := Parse(array(salt, nil, []byte{}, nil, nil, none, text)); err != nil {
		t.Fatalf("the good one is refused: %v", err)
	}
	if _, err := Parse(array(salt, nil, []byte{}, nil, nil, none, external(0, 6))); err != nil {
		t.Fatalf("the good external one is refused: %v", err)
	}
	tooManyExt := map[any]any{}
	for i := range MaxExtensions + 1 {
		tooManyExt[i] = 0
	}
	cases := map[string][]byte{
		"empty":                   {},
		"not an array":            wire.Encode(1),
		"six items":               array(salt, nil, []byte{}, nil, nil, none),
		"eight items":             array(salt, nil, []byte{}, nil, nil, none, text, 0),
		"short salt":              array(salt[:15], nil, []byte{}, nil, nil, none, text),
		"long salt":               array(make([]byte, 17), nil, []byte{}, nil, nil, none, text),
		"null salt":               array(nil, nil, []byte{}, nil, nil, none, text),
		"short id":                array(salt, make([]byte, 31), []byte{}, nil, nil, none, text),
		"long id":                 array(salt, nil, []byte{}, nil, make([]byte, 33), none, text),
		"null topic":              array(salt, nil, nil, nil, nil, none, text),
		"long topic":              array(salt, nil, make([]byte, 65), nil, nil, none, text),
		"text topic":              array(salt, nil, "t", nil, nil, none, text),
		"expiry of one":           array(salt, nil, []byte{}, []any{true}, nil, none, text),
		"expiry beyond 32 bits":   array(salt, nil, []byte{}, []any{true, 1 << 32}, nil, none, text),
		"negative expiry":         array(salt, nil, []byte{}, []any{false, -1}, nil, none, text),
		"null extensions":         array(salt, nil, []byte{}, nil, nil, nil, text),
		"empty extension name":    array(salt, nil, []byte{}, nil, nil, ext("", 1), text),
		"long extension name":     array(salt, nil, []byte{}, nil, nil, ext(strings.Repeat("x", 256), 1), text),
		"boolean extension key":   array(salt, nil, []byte{}, nil, nil, ext(true, 1), text),
		"huge extension":          array(salt, nil, []byte{}, nil, nil, ext(9, make([]byte, MaxExtension)), text),
		"too many extensions":     array(salt, nil, []byte{}, nil, nil, tooManyExt, text),
		"null part":               array(salt, nil, []byte{}, nil, nil, none, nil),
		"empty part":              array(salt, nil, []byte{}, nil, nil, none, []any{}),
		"null disposition":        array(salt, nil, []byte{}, nil, nil, none, []any{nil, "", 0}),
		"disposition 256":         array(salt, nil, []byte{}, nil, nil, none, []any{256, "", 0}),
		"cardinality 4":           array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 4}),
		"null with content":       array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 0, "x"}),
		"single without content":  array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 1, TextPlain}),
		"single, text for bytes":  array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 1, TextPlain, "x"}),
		"single without type":     array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 1, "", []byte{}}),
		"text of half a rune":     array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 1, TextPlain, []byte{0xc3}}),
		"text too long":           array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 1, TextPlain, bytes.Repeat([]byte("x"), MaxText+1)}),
		"long media type":         array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 1, strings.Repeat("x", 256), []byte{}}),
		"long language":           array(salt, nil, []byte{}, nil, nil, none, []any{0, strings.Repeat("x", 256), 0}),
		"multi of one":            array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 3, 0, []any{text}}),
		"multi of none":           array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 3, 0, []any{}}),
		"multi, semantics 3":      array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 3, 3, []any{text, text}}),
		"multi, null for parts":   array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 3, 0, nil}),
		"too deep":                array(salt, nil, []byte{}, nil, nil, none, deep),
		"too many parts":          array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 3, 0, many}),
		"external without URL":    array(salt, nil, []byte{}, nil, nil, none, external(4, "")),
		"external, long URL":      array(salt, nil, []byte{}, nil, nil, none, external(4, strings.Repeat("x", 2049))),
		"external, long key":      array(salt, nil, []byte{}, nil, nil, none, external(8, make([]byte, 129))),
		"external, hash 256":      array(salt, nil, []byte{}, nil, nil, none, external(11, 256)),
		"external, long name":     array(salt, nil, []byte{}, nil, nil, none, external(14, strings.Repeat("x", 256))),
		"external, null key":      array(salt, nil, []byte{}, nil, nil, none, external(8, nil)),
		"external, a field less":  array(salt, nil, []byte{}, nil, nil, none, external(0, 6)[:14]),
		"external, a field more":  array(salt, nil, []byte{}, nil, nil, none, append(external(0, 6), 1)),
		"trailing byte":           append(array(salt, nil, []byte{}, nil, nil, none, text), 0),
		"tagged":                  wire.Encode(cbor.Tag{Number: 55, Content: []any{salt, nil, []byte{}, nil, nil, none, text}}),
		"longer than a post":      array(salt, nil, []byte{}, nil, nil, none, []any{0, "", 1, "a/b", make([]byte, MaxMessage)}),
		"integer in a wider form": bytes.Replace(array(salt, nil, []byte{}, nil, nil, none, text), []byte{0x85, 1, 0x60, 1}, []byte{0x85, 0x18, 1, 0x60, 1}, 1),
		"indefinite array":        append(append([]byte{0x9f}, array(salt, nil, []byte{}, nil, nil, none, text)[1:]...), 0xff),
	}
	for name, b := range cases {
		if m, err := Parse(b); !isCode(err, wire.BadInput) {
			t.Errorf("%s: got %+v, %v", name, m, err)
		}
	}
	good := array(salt, nil, []byte{}, nil, nil, none, text)
	for i := range good {
		if _, err := Parse(good[:i]); err == nil {
			t.Errorf("cut at %d and accepted", i)
		}
	}
}

func TestWhatCannotBeSentIsNotEncoded(t *testing.T) {
	for name, m := range map[string]*Message{
		"no body":      {},
		"long message": {Part: Part{Body: Single{"a/b", make([]byte, MaxMessage)}}},
		"bad value":    {Part: Part{Body: Null{}}, Extensions: Extensions{{Int: 5}: {0xff}}},
		"two names":    {Part: Part{Body: Null{}}, Extensions: Extensions{{Int: 5, Text: "x"}: {0}}},
	} {
		if _, err := m.Encode(); !isCode(err, wire.BadInput) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, text := range map[string]string{"empty": "", "long": strings.Repeat("x", MaxText+1), "not UTF-8": "\xff"} {
		if _, err := NewText(text, Options{}); !isCode(err, wire.BadInput) {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := NewReaction(other, text, Options{}); !isCode(err, wire.BadInput) {
			t.Errorf("%s reaction: got %v", name, err)
		}
	}
	if _, err := NewAttachment(External{}, "x", Options{}); !isCode(err, wire.BadInput) {
		t.Errorf("empty attachment: got %v", err)
	}
	if _, err := NewText(strings.Repeat("x", MaxText), Options{Sent: sent}); err != nil {
		t.Errorf("the longest text: %v", err)
	}
}

func TestEarliestEndWins(t *testing.T) {
	at := func(d time.Duration) time.Time { return sent.Add(d) }
	min30, day := 30*time.Minute, 24*time.Hour
	for name, c := range map[string]struct {
		expires        *Expiration
		received, read time.Time
		room           time.Duration
		want           time.Time
	}{
		"kept":                        {want: time.Time{}},
		"kept, received":              {received: at(1), want: time.Time{}},
		"the room's":                  {received: at(time.Minute), room: day, want: at(day)},
		"received before it was sent": {received: at(-time.Hour), room: day, want: at(day - time.Hour)},
		"received late":               {received: at(3 * day), room: day, want: at(day)},
		"the sender's":                {expires: EndsAt(at(min30)), received: at(time.Minute), room: day, want: at(min30)},
		"the sender's, room shorter":  {expires: EndsAt(at(2 * day)), received: at(0), room: day, want: at(day)},
		"the sender's clock is fast":  {expires: EndsAt(at(min30)), received: at(-time.Hour), want: at(min30 - time.Hour)},
		"the sender's, never read":    {expires: EndsAfterReading(min30), received: at(0), room: day, want: at(day)},
		"the sender's, read":          {expires: EndsAfterReading(min30), received: at(0), read: at(time.Hour), room: day, want: at(time.Hour + min30)},
		"the sender's, read, kept":    {expires: EndsAfterReading(min30), received: at(0), read: at(time.Hour), want: at(time.Hour + min30)},
	} {
		m := ok(t)(NewText("x", Options{Sent: sent, Expires: c.expires}))
		if got := m.End(c.received, c.read, c.room); !got.Equal(c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	m := ok(t)(NewText("x", Options{}))
	if got := m.End(at(0), time.Time{}, day); !got.Equal(at(day)) {
		t.Errorf("without a time of sending: got %v", got)
	}
	for _, bad := range []any{uint64(1) << 63, uint64(1) << 60, -1, "noon"} {
		m.Extensions = Extensions{KeySent: wire.Encode(bad)}
		if at, ok := m.Sent(); ok {
			t.Errorf("a time of sending from %v: %v", bad, at)
		}
	}
}

func TestEnvelope(t *testing.T) {
	e := Envelope{Kind: KindContent, Count: 7, Ends: 1 << 31, Commit: 12, CommitHash: [32]byte{5}, Body: []byte("body")}
	b := must(e.Encode())
	got, err := ParseEnvelope(b)
	e.Version = EnvelopeVersion
	if err != nil || !reflect.DeepEqual(got, e) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if want := "87020107" + "1a80000000" + "0c" + "5820" + "05" + strings.Repeat("00", 31) + "44626f6479"; hex.EncodeToString(b) != want {
		t.Errorf("encoding: got %x, want %s", b, want)
	}
	newer := e
	newer.Version = EnvelopeVersion + 1
	if _, err := ParseEnvelope(wire.Encode(newer)); !isCode(err, wire.Unsupported) {
		t.Errorf("newer version: got %v", err)
	}
	none, old, zero, never, first, before, far := e, e, e, e, e, e, e
	none.Version, old.Version, zero.Count, never.Ends, first.Count, before.Ends, far.Ends = 0, 1, 0, 0, 1, -1, MaxEnds+1
	for name, bad := range map[string][]byte{
		"version 0": wire.Encode(none), "version 1": wire.Encode(old), "count 0": wire.Encode(zero),
		"one before it that has no end": wire.Encode(never), "none before it that has an end": wire.Encode(first),
		"an end before all time": wire.Encode(before), "an end after all time": wire.Encode(far), "trailing": append(bytes.Clone(b), 0), "empty": {},
		"short hash": array(2, 1, 7, 9, 12, make([]byte, 31), []byte{}), "null body": array(2, 1, 7, 9, 12, make([]byte, 32), nil),
		"long": array(2, 1, 7, 9, 12, make([]byte, 32), make([]byte, MaxEnvelope)),
	} {
		if _, err := ParseEnvelope(bad); !isCode(err, wire.BadInput) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	e.Body = make([]byte, MaxMessage)
	e.Kind, e.Count, e.Ends, e.Commit = 0x7f, 1<<63, MaxEnds, 1<<63
	if b, err := e.Encode(); err != nil || len(b) > MaxEnvelope {
		t.Errorf("the longest message doesn't fit its envelope: %d, %v", len(b), err)
	}
	e.Body = make([]byte, MaxEnvelope)
	if _, err := e.Encode(); !isCode(err, wire.BadInput) {
		t.Errorf("a body too long: %v", err)
	}
}

func TestPaddingHasFewSizesAndFits(t *testing.T) {
	seen := map[int]bool{}
	last := 0
	for n := 0; n <= MaxEnvelope; n++ {
		p := PadTo(n)
		if p < n+signedOverhead || p < last {
			t.Fatalf("%d padded to %d", n, p)
		}
		seen[p], last = true, p
	}
	if len(seen) != 5 || last != MaxPadded || PadTo(1) != 256 || PadTo(256) != 1024 {
		t.Errorf("sizes: %v", seen)
	}
	if MaxPadded+mlsOverhead > wire.MaxPost {
		t.Error("the largest doesn't fit a post")
	}
}

func FuzzParse(f *testing.F) {
	for _, m := range samples(f) {
		f.Add(m.mustEncode(f))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted %x, encodes as %x, %v", b, again, err)
		}
		m.Kind()
		m.End(sent, sent, time.Hour)
	})
}

func FuzzParseEnvelope(f *testing.F) {
	f.Add(must(Envelope{Kind: KindContent, Count: 7, Ends: 1 << 31, Commit: 12, Body: []byte("body")}.Encode()))
	f.Add(must(Envelope{Kind: KindAnnounce, Count: 1, Commit: 12, Body: []byte("body")}.Encode()))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEnvelope(b)
		if err != nil {
			return
		}
		if again, err := e.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted %x, encodes as %x, %v", b, again, err)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
