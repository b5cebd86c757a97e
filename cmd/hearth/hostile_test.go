package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"hearth/core"
)

// injections are some 500 strings that have harmed somebody somewhere.
func injections() (all []string) {
	seeds := []string{
		"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "'\"><svg/onload=alert(1)>", "{{7*7}}", "${7*7}", "#{7*7}",
		"' OR 1=1 --", "'; DROP TABLE rooms; --", "$(reboot)", "`reboot`", "; rm -rf ~", "| cat /etc/passwd", "&& id", "%s%s%s%n", "%x%x%x", "../../../../etc/passwd",
		"..\\..\\windows\\win.ini", "/dev/tty", "CON", "file:///etc/passwd", "=cmd|' /C calc'!A0", "@SUM(1+1)*cmd", "+1+1", "\x1b[2J", "\x1b]0;title\a",
		"\x1b]52;c;cm0gLXJm\a", "\x1b[8m", "\x1bP+q544e\x1b\\", "\x9b31m", "\x90q\x9c", "\x07", "\x08\x08\x08", "\r\nfrom: eve", "\x00", "\x7f", "\x0e", "\v\f",
		"\u202egnp.exe", "\u2066a\u2069", "\u200f", "\u200b\u200b", "\ufeff", "\u2028", "\u2029", "\u0085", "\u00ad", "\u061c", "\ufffe", "\U000e0001\U000e0041",
		"\xff\xfe", "\xc0\xae\xc0\xae/", "\xed\xa0\x80", strings.Repeat("\u0301", 200), strings.Repeat("\U0001f469\u200d", 100), "\ufdfd", "ʇxǝʇ", "ⓗⓔⓛⓛⓞ", "аdmin", "null", "undefined",
		"NaN", "-1", "1e309", "{\"a\":1}", "[]", "]]>", "<!--", "-->", "\\", "\\u0000", "\\\"", "%00", "%0d%0a", "&lt;", "--help", "-rf", "~root", "$HOME", "!!", "#", "\t\t",
	}
	for _, s := range seeds {
		all = append(all, s, "hi "+s, s+" hi", s+"\n"+s, "*"+s+"*", "a\u202e"+s+"\x1b[31m")
	}
	return all
}

// fill puts a text into every string of a value.
func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.Type().Elem() == reflect.TypeFor[time.Time]() {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), s)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), s)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(moment))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), s)
			}
		}
	case reflect.String:
		v.SetString(s)
	}
}

// TestHostileTexts: whatever somebody wrote, in whatever field of whatever event,
// reaches a terminal as text alone, and a program as one line of JSON.
func TestHostileTexts(t *testing.T) {
	if n := len(injections()); n < 480 {
		t.Fatalf("%d strings", n)
	}
	types := []string{core.EventMessage, core.EventEdit, core.EventDeletion, core.EventReaction, core.EventVote, core.EventRequest, core.EventJoined,
		core.EventLeft, core.EventExpired, core.EventReceipt, core.EventNotice, "of a later version"}
	a := new(app)
	for _, s := range injections() {
		for _, kind := range types {
			var e core.Event
			fill(reflect.ValueOf(&e).Elem(), s)
			for _, bare := range []bool{false, true} {
				e.Type, e.Room, e.ID, e.State = kind, "room", "id", core.StateRead // are this home's own
				if bare {                                                          // what else is said about it comes first
					e.Poll, e.File, e.Contact, e.Runs, e.Deleted = nil, nil, nil, nil, false
				}
				var b strings.Builder
				(&eventPrinter{ids: true}).words(&b, e)
				harmless(t, fmt.Sprintf("%s with %q", kind, s), b.String())
			}
			raw, err := json.Marshal(e)
			if err != nil || strings.ContainsAny(string(raw), "\n\r") || !json.Valid(raw) {
				t.Errorf("%s with %q is not a line of JSON: %v", kind, s, err)
			}
		}
		var b strings.Builder
		var r core.Room
		fill(reflect.ValueOf(&r).Elem(), s)
		r.Room, r.Role, r.State, r.Retention, r.OwnRetention = "room", "member", core.RoomOK, "30d", "1d"
		roomWords(&b, r, "me")
		var d core.Details
		fill(reflect.ValueOf(&d).Elem(), s)
		d.Message.State = core.StateRead
		a.detailWords(&b, d)
		harmless(t, fmt.Sprintf("a room with %q", s), b.String())
	}
}

// harmless fails if a text moves the cursor, hides something or turns the direction
// of writing.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for _, r := range text {
		if r == '\n' || r == '\u200d' { // joins emoji
			continue
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
			t.Errorf("%s: %U reaches the terminal", what, r)
			return
		}
	}
}
