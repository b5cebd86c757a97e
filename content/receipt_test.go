package content

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"hearth/wire"
)

func messageID(n byte) MessageID { return MessageID{hashSHA256, n} }

func TestReceipt(t *testing.T) {
	r := Receipt{Delivered: []MessageID{messageID(3), messageID(2)}, Read: []MessageID{messageID(1)}}
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	id := func(n string) string { return "5820" + "01" + n + strings.Repeat("00", 30) }
	if want := "82" + "82" + id("02") + id("03") + "81" + id("01"); hex.EncodeToString(b) != want {
		t.Errorf("encoding: got %x, want %s", b, want)
	}
	got, err := ParseReceipt(b)
	r.Delivered = []MessageID{messageID(2), messageID(3)}
	if err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v, %v, want %+v", got, err, r)
	}

	one, two := messageID(1), messageID(2)
	other := one
	other[0] = 2
	var many []MessageID
	for i := range MaxReceipt + 1 {
		many = append(many, messageID(byte(i)))
	}
	ids := func(list ...MessageID) []MessageID { return list }
	for name, bad := range map[string][]byte{
		"empty":           {},
		"names nothing":   array(ids(), ids()),
		"null":            array(nil, ids(one)),
		"not in order":    array(ids(two, one), ids()),
		"twice":           array(ids(one, one), ids()),
		"in both":         array(ids(one), ids(one)),
		"another hash":    array(ids(other), ids()),
		"too many":        array(many, ids()),
		"too many in all": array(many[:MaxReceipt], ids(messageID(255))),
		"a short id":      array([][]byte{one[:31]}, ids()),
		"a long id":       array([][]byte{append(one[:], 0)}, ids()),
		"one list":        array(ids(one)),
		"three lists":     array(ids(one), ids(), ids()),
		"trailing":        append(bytes.Clone(b), 0),
	} {
		if _, err := ParseReceipt(bad); !isCode(err, wire.BadInput) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := (Receipt{Read: many}).Encode(); !isCode(err, wire.BadInput) {
		t.Errorf("too many to send: got %v", err)
	}
}

// TestReceiptsArePaddedLikeMessages: a receipt in a conversation of two is as
// long as a short text (attack A47).
func TestReceiptsArePaddedLikeMessages(t *testing.T) {
	of := func(kind EnvelopeKind, body []byte) int {
		e, err := Envelope{Kind: kind, Count: 1 << 20, Ends: 1 << 31, Commit: 1 << 20, Body: body}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return PadTo(len(e))
	}
	text := of(KindContent, ok(t)(NewText("yes", Options{Sent: sent})).mustEncode(t))
	for _, r := range []Receipt{{Delivered: []MessageID{messageID(1)}}, {Read: []MessageID{messageID(1)}}, {Delivered: []MessageID{messageID(2)}, Read: []MessageID{messageID(1)}}} {
		b, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got := of(KindReceipt, b); got != text || got != 256 {
			t.Errorf("a receipt of %d ids is padded to %d, a short text to %d", len(r.Delivered)+len(r.Read), got, text)
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	for _, r := range []Receipt{{Read: []MessageID{messageID(1)}}, {Delivered: []MessageID{messageID(2), messageID(3)}, Read: []MessageID{messageID(1)}}} {
		b, err := r.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseReceipt(b)
		if err != nil {
			return
		}
		if again, err := r.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("accepted %x, encodes as %x, %v", b, again, err)
		}
	})
}
