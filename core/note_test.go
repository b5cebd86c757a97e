package core

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// TestNoteToSelf: a note is on all devices of its account, those that are linked
// later too, can be treated like any message, ends, and is nobody's unread one.
func TestNoteToSelf(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.person("alice")
		var rooms []string
		for _, to := range []string{"alice", "ALICE@home.example", must(alice.c.self(alice.ctx())).ID.String()} {
			s := alice.send(to, "note "+to[:5])
			if s.State != StateSent {
				t.Errorf("to %s: %s", to, s.State)
			}
			rooms = append(rooms, s.Room)
		}
		room := rooms[0]
		if len(slices.Compact(rooms)) != 1 {
			t.Fatalf("notes in %q", rooms)
		}
		phone := w.link(alice, "phone")
		synctest.Wait()
		if got := phone.told(room); len(got) != 3 || got[0] != "note alice" {
			t.Errorf("a phone that was linked later has %q", got)
		}
		m := phone.send(room, "milk")
		alice.amend(AmendOptions{Room: room, ID: m.ID, Text: "oat milk"})
		phone.amend(AmendOptions{Room: room, ID: m.ID, React: "👍"})
		for _, h := range []*home{alice, phone} {
			if got := h.told(room); len(got) != 4 || got[3] != "oat milk (edited) 👍alice" {
				t.Errorf("%s has %q", h.name, got)
			}
			for _, r := range must(h.c.Rooms(h.ctx())) {
				if r.Kind != KindSelf || r.Unread != 0 || len(r.Members) != 1 {
					t.Errorf("%s: %+v", h.name, r)
				}
			}
		}
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: "alice", Text: "for a minute", Expire: time.Minute}); err != nil {
			t.Fatal(err)
		}
		draft := "not yet"
		if d := must(alice.c.Draft(alice.ctx(), "alice", &draft)); d.Room != room {
			t.Errorf("a draft for %s", d.Room)
		}
		time.Sleep(2 * time.Minute)
		for _, h := range []*home{alice, phone} {
			if got := h.told(room); len(got) != 4 {
				t.Errorf("%s: after its minute %q", h.name, got)
			}
			h.holdsNone(t, "for a minute")
		}
		if d := must(phone.c.Draft(phone.ctx(), "alice", nil)); d.Text != draft {
			t.Errorf("the phone has the draft %q", d.Text)
		}
		// With the devices as they were before, and after.
		alice.stop()
		alice.start()
		alice.send("alice", "still")
		if got := phone.told(room); !slices.Contains(got, "still") {
			t.Errorf("then the phone has %q", got)
		}
		// Nobody else's.
		if _, err := w.person("bob").c.Send(alice.ctx(), SendOptions{To: room, Text: "x"}); code(err) != wire.NotFound {
			t.Errorf("bob said something there: %v", err)
		}
	})
}

// TestNotesAreRestored: a device that was restored in a lost one's place has the
// notes, and takes new ones.
func TestNotesAreRestored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		v := newSavers(t)
		room := v.alice.send("alice", "milk").Room
		v.backup("b")
		v.alice.stop() // and lost
		h, _, err := v.restore(RestoreOptions{From: "b", Words: v.recovery, RevokeOthers: true})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s := h.send("alice", "bread"); s.Room != room {
			t.Errorf("the new note is in %s", s.Room)
		}
		time.Sleep(2 * time.Hour)
		if got := h.told(room); !slices.Equal(got, []string{"milk", "bread"}) {
			t.Errorf("notes: %q", got)
		}
		for _, e := range must(h.c.History(h.ctx(), room, 0)) {
			if e.Text == "bread" && e.State != StateSent {
				t.Errorf("the new note is %s", e.State)
			}
		}
	})
}
