package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/core"
)

// TestJSONHasExactlyTheFieldsOfTheContract compares each command's fields with
// the list in the contract of the command line. A field marked ? is absent when
// there is nothing to say.
func TestJSONHasExactlyTheFieldsOfTheContract(t *testing.T) {
	later := moment.Add(time.Hour)
	for _, c := range []struct {
		args   string
		fields string
		events []core.Event
	}{
		{args: "register bob --server http://x", fields: "handle? account device recovery"},
		{args: "whoami", fields: "handle? account device server locked"},
		{args: "invite", fields: "link expires?"},
		{args: "contact add https://x/i#y", fields: "account handle? verified"},
		{args: "draft bob", fields: "room text? edited? expires?"},
		{args: "draft bob not yet", fields: "room text? edited? expires?"},
		{args: "contact list", fields: "account handle? nickname? verified blocked?"},
		{args: "arrange bob", fields: "room account? handle? nickname? muted pinned archived notify retention?"},
		{args: "typing room", fields: "room told"},
		{args: "details room id", fields: "message waiting?"},
		{args: "safety bob", fields: "safety account handle? nickname? verified"},
		{args: "settings", fields: "receipts retention"},
		{args: "settings --receipts off --retention 30d", fields: "receipts retention"},
		{args: "send bob hi there", fields: "room id sent state"},
		{args: "requests", fields: "id kind from account room name? text sent expires?"},
		{args: "accept id", fields: "id room state"},
		{args: "decline id", fields: "id state"},
		{args: "block bob", fields: "account state"},
		{args: "unblock bob", fields: "account state"},
		{args: "rooms", fields: "room kind name? nickname? pinned? muted? archived? draft? members role retention own_retention? unread epoch state"},
		{args: "device list", fields: "device name? added? current"},
		{args: "device revoke dev", fields: "device name? added?"},
		{args: "device revoke --others", fields: "device name? added?"},
		{args: "device confirm dev", fields: "device name? added?"},
		{args: "group new Sunday bob", fields: "room name members skipped"},
		{args: "group add room bob", fields: "room changed skipped epoch"},
		{args: "group remove room bob", fields: "room changed skipped epoch"},
		{args: "group role room bob admin", fields: "account handle? role state"},
		{args: "group transfer room bob", fields: "account handle? role state"},
		{args: "group link room", fields: "link expires?"},
		{args: "group join https://x/g#y", fields: "room? name? state"},
		{args: "invite revoke https://x/i#y", fields: "link expires?"},
		{args: "group leave room", fields: "room state"},
		{args: "group move room --server http://x", fields: "room server state"},
		{args: "group set room --limit 12", fields: "room retention limit"},
		{args: "account delete --confirm bob", fields: "account state left rooms"},
		{args: "backup create --to file", fields: "items to phrase? made changed segments"},
		{args: "backup verify", fields: "items account handle? made ended? newest"},
		{args: "backup restore file --words lunat", fields: "items account handle? device made ended? newest"},
		{args: "recv", fields: "type room from account sent id text expires", events: []core.Event{
			{Type: core.EventMessage, Room: "room", From: "bob", Account: "acc", Sent: moment, ID: "id", Text: "hi", Expires: &later}}},
		{args: "history room", fields: "type room from account sent id text expires", events: []core.Event{
			{Type: core.EventMessage, Room: "room", From: "bob", Account: "acc", Sent: moment, ID: "id", Text: "hi"}}},
		{args: "history room", fields: "type room from account sent id text expires state receipts", events: []core.Event{
			{Type: core.EventMessage, Room: "room", From: "bob", Account: "acc", Sent: moment, ID: "id", Text: "hi", State: core.StateRead, Receipts: []core.Mark{{Account: "acc", State: core.StateRead, At: moment}}}}},
		{args: "recv", fields: "type room from account sent id state", events: []core.Event{
			{Type: core.EventReceipt, Room: "room", From: "bob", Account: "acc", Sent: moment, ID: "id", State: core.StateDelivered}}},
		{args: "recv", fields: "type room from account sent who by", events: []core.Event{
			{Type: core.EventLeft, Room: "room", From: "bob", Account: "acc", Sent: moment, Who: "carol", By: "bob"}}},
		{args: "recv", fields: "type room from account sent id kind name text", events: []core.Event{
			{Type: core.EventRequest, Room: "room", From: "bob", Account: "acc", Sent: moment, ID: "id", Kind: "group", Name: "Sunday", Text: "hi"}}},
	} {
		for _, bare := range []bool{false, true} {
			var want []string
			for f := range strings.FieldsSeq(c.fields) {
				name, optional := strings.CutSuffix(f, "?")
				if !optional || !bare {
					want = append(want, name)
				}
			}
			slices.Sort(want)
			h := &fakeHome{bare: bare, events: c.events}
			r := h.hearth(t, t.TempDir(), append(strings.Fields(c.args), "--json")...)
			if r.code != 0 || r.err != "" || strings.Count(r.out, "\n") != 1 {
				t.Errorf("%s: code %d, stdout %q, stderr %q; want one line", c.args, r.code, r.out, r.err)
				continue
			}
			if got := slices.Sorted(maps.Keys(object(t, r.out))); !slices.Equal(got, want) {
				t.Errorf("%s (bare: %v): fields %v, want %v", c.args, bare, got, want)
			}
		}
	}
}

func TestAKeptMessageSaysNull(t *testing.T) {
	h := &fakeHome{events: []core.Event{{Type: core.EventMessage, Room: "r", ID: "i", Text: "hi"}}}
	r := h.hearth(t, t.TempDir(), "recv", "--json")
	if !strings.Contains(r.out, `"expires":null`) {
		t.Errorf("printed %q", r.out)
	}
}

func TestAnEmptyListPrintsNothing(t *testing.T) {
	h := &fakeHome{}
	for _, args := range [][]string{{"recv"}, {"recv", "--json"}, {"history", "room"}, {"history", "room", "--json"}} {
		if r := h.hearth(t, t.TempDir(), args...); r != (output{}) {
			t.Errorf("%v: %+v, want silence and 0", args, r)
		}
	}
}

func TestWordsForPeople(t *testing.T) {
	h := &fakeHome{events: []core.Event{{Type: core.EventMessage, Room: "r", From: "bob\x1b[2J\u202e", Text: "hi\x1b]0;owned\a\nthere", Sent: moment}}}
	for args, says := range map[string]string{
		"register bob --server http://x": "not shown a second time",
		"whoami":                         "You are bob@example.org.",
		"invite":                         "Give it only to whom you mean.",
		"contact add l":                  "among your contacts, checked",
		"settings":                       "you see the same of them",
		"settings --receipts off":        "you do not see it of them",
		"settings --retention 30d":       "messages end after 30d",
		"contact list":                   "Bobby",
		"draft bob not yet":              "not yet",
		"draft bob --clear":              "There is no draft.",
		"arrange bob --pin on":           "pinned, muted",
		"arrange bob":                    "only what mentions you",
		"typing room":                    "Told.",
		"typing room --stopped":          "Nobody was told",
		"details room id":                "eve has not said",
		"safety bob":                     "01234 56789 01234 56789",
		"send bob hi":                    "Sent.",
		"recv":                           "bob<U+001B>[2J<U+202E>: hi<U+001B>]0;owned<U+0007>\n    there\n",
		"requests":                       "bob@example.org asks you into bob@example.org: hi",
		"accept id":                      "Accepted.",
		"decline id":                     "Declined.",
		"block bob":                      "no longer hear",
		"rooms":                          "messages end after 30d, on your devices after 1d",
		"account delete --confirm bob":   "the house keeps your account's id",
		"backup create --to f":           "They open the backup, and so do those of your registration.",
		"backup verify f":                "The backup is good: 3 things.",
		"backup restore f --words lunat": "let this device in again",
		"device list":                    "phone (this one)",
		"device link":                    "whoever uses it",
		"device link --yes":              "phone has everything.",
		"device link hearth-device:x":    "You are bob@example.org.",
		"device confirm dev":             "phone has everything.",
		"device refuse dev":              "Refused.",
		"device revoke dev":              "Nothing new reaches it.",
		"device revoke --others":         "Nothing new reaches it.",
		"group new Sunday bob":           "not eve: nobody is called that",
		"group add r bob":                "Asked in: 1 person.",
		"group role r bob admin":         "bob@example.org is admin now.",
		"group transfer r bob":           "bob@example.org is owner now.",
		"group link r":                   "It lets in anybody who has it",
		"group join l":                   "You are in Sunday.",
		"invite revoke l":                "lets nobody in",
		"group leave r":                  "You left.",
		"group move r --server http://x": "Moved. The others follow by themselves.",
		"group set r --limit 12":         "12 at most",
	} {
		r := h.hearth(t, t.TempDir(), strings.Fields(args)...)
		if r.code != 0 || !strings.Contains(r.out, says) {
			t.Errorf("%s: code %d, %q%s, want %q in it", args, r.code, r.out, r.err, says)
		}
		for _, jargon := range []string{" key", "server", "encryption", "epoch", "sync", "error"} {
			if strings.Contains(r.out, jargon) {
				t.Errorf("%s says %q: %q", args, jargon, r.out)
			}
		}
	}
}

func TestFiguresHaveThreeDigits(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 1: "1", 31844.2917: "31844", 128.05: "128", 27.5500001: "27.6", 3.14159: "3.14", 0.0123456: "0.0123", 0.5: "0.5", -2.25: "-2.25",
	} {
		if got := number(f); got != want {
			t.Errorf("%v is shown as %s, want %s", f, got, want)
		}
	}
}
