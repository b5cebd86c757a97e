package core

import (
	"context"
	"testing"
	"time"

	"hearth/content"
	"hearth/wire"
)

// draft changes the draft of a conversation, with what it is then; nil: reads it.
func (h *home) draft(to string, text *string) string {
	h.t.Helper()
	d, err := h.c.Draft(h.ctx(), to, text)
	if err != nil {
		h.t.Fatalf("%s: draft: %v", h.name, err)
	}
	return d.Text
}

func drafted(t *testing.T, when, to, want string, homes ...*home) {
	t.Helper()
	for _, h := range homes {
		if got := h.draft(to, nil); got != want {
			t.Errorf("%s: the draft on %s is %q, want %q", when, h.name, got, want)
		}
	}
}

// TestDraftsGoFromDeviceToDevice: begun on one, gone on with on another, sent from
// there.
func TestDraftsGoFromDeviceToDevice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, phone, bob, room := withPhone(t)
		pass(time.Hour)
		before := bob.head(room)
		alice.draft(room, on("Soup on"))
		settle(alice, phone)
		drafted(t, "begun", "bob", "Soup on", alice, phone)
		if r := phone.room(room); r.Draft != "Soup on" {
			t.Errorf("the phone lists %+v", r)
		}
		phone.unplug()
		pass(time.Hour)
		phone.draft("bob", on("Soup on Sunday?"))
		phone.plug()
		settle(phone, alice)
		if bob.head(room) != before {
			t.Error("a draft was said in the conversation")
		}
		tablet := w.link(alice, "tablet")
		drafted(t, "gone on with", room, "Soup on Sunday?", alice, phone, tablet)
		// What is sent on, or said of another's words, leaves it alone.
		hello := phone.own(room)[0].ID
		if _, err := phone.c.Forward(phone.ctx(), ForwardOptions{Room: room, ID: hello, To: room}); err != nil {
			t.Fatal(err)
		}
		if _, err := phone.c.Amend(phone.ctx(), AmendOptions{Room: room, ID: hello, React: "👍"}); err != nil {
			t.Fatal(err)
		}
		settle(phone, alice, tablet)
		drafted(t, "sent on", room, "Soup on Sunday?", alice, phone, tablet)
		tablet.send(room, "Soup on Sunday?")
		settle(tablet, alice, phone)
		drafted(t, "sent", room, "", alice, phone, tablet)
		alice.draft(room, on("and"))
		alice.draft(room, on(""))
		settle(alice, phone)
		pass(5 * time.Minute)
		drafted(t, "taken away", room, "", alice, phone, tablet)
		// With somebody to whom nothing was said yet.
		w.person("carol")
		alice.draft("carol", on("Dear Carol"))
		settle(alice, phone)
		drafted(t, "to a stranger", "carol", "Dear Carol", phone)
		phone.send("carol", "Dear Carol")
		settle(phone, alice)
		drafted(t, "sent to a stranger", "carol", "", alice, phone)
		long := string(make([]byte, content.MaxText+1))
		for _, wrong := range []string{long, "\xff"} {
			if _, err := alice.c.Draft(alice.ctx(), room, &wrong); code(err) != wire.BadInput {
				t.Errorf("a draft of %d bytes: %v", len(wrong), err)
			}
		}
	})
}

// TestADraftEndsWithTheTimer: from when it was last edited, everywhere, and what
// waits of it in an outbox too.
func TestADraftEndsWithTheTimer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, alice, phone, _, room := withPhone(t)
		if _, err := alice.c.GroupSet(alice.ctx(), room, GroupSettings{Retention: on("1d")}); err != nil {
			t.Fatal(err)
		}
		settle(alice, phone)
		alice.draft(room, on("soon"))
		settle(alice, phone)
		pass(20 * time.Hour)
		d, err := phone.c.Draft(phone.ctx(), room, on("sooner"))
		if err != nil || d.Expires == nil || time.Until(*d.Expires) > 24*time.Hour || time.Until(*d.Expires) < 23*time.Hour {
			t.Fatalf("edited after 20 hours: %+v, %v", d, err)
		}
		settle(phone, alice)
		pass(20 * time.Hour)
		drafted(t, "20 hours after it was edited", room, "sooner", alice, phone)
		pass(5 * time.Hour)
		drafted(t, "25 hours after", room, "", alice, phone)

		// Off the net it waits for no longer, and then nothing of it is there.
		phone.unplug()
		phone.draft(room, on("never told"))
		pass(25 * time.Hour)
		phone.c.look(t.Context(), func(s *step) error {
			me, err := s.me()
			if err != nil {
				return err
			}
			r, _, err := s.selfRoom(me)
			if err != nil {
				return err
			}
			return s.rows(r.ID, func(w *row) (bool, error) {
				if w.Kind == content.KindSync {
					t.Errorf("a post with the draft waits until %v", end(w.Until))
				}
				return true, nil
			})
		})
		phone.plug()
		settle(phone, alice)
		drafted(t, "told too late", room, "", alice, phone)

		// Where messages are kept, drafts are not.
		if _, err := alice.c.GroupSet(alice.ctx(), room, GroupSettings{Retention: on("keep")}); err != nil {
			t.Fatal(err)
		}
		settle(alice, phone)
		alice.draft(room, on("for ever"))
		settle(alice, phone)
		pass(31 * 24 * time.Hour)
		drafted(t, "after 31 days", room, "", alice, phone)
	})
}

// TestDraftsAreToldInBatches: who writes changes a draft every second; the server
// is not told each time, and off the net one post waits.
func TestDraftsAreToldInBatches(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, alice, phone, _, room := withPhone(t)
		pass(time.Hour)
		posts := func() wire.Number {
			var n wire.Number
			alice.c.look(context.Background(), func(s *step) error {
				me, err := s.me()
				if err != nil {
					return err
				}
				r, _, err := s.selfRoom(me)
				n = r.Read
				return err
			})
			return n
		}
		before := posts()
		text := ""
		write := func(h *home, words string) {
			for _, c := range words {
				text += string(c)
				h.draft(room, &text)
				pass(time.Second)
			}
		}
		write(alice, "I bring bread and cheese and, if there is any, a pot of honey.")
		pass(2 * time.Minute)
		settle(alice, phone)
		drafted(t, "written", room, text, phone)
		if n := posts() - before; n > 5 {
			t.Errorf("%d posts while somebody wrote for a minute", n)
		}
		phone.unplug()
		write(phone, " And my cousin, who is a great eater, and her three children as well, if that is no trouble.")
		pass(2 * time.Minute)
		waits := 0
		phone.c.look(t.Context(), func(s *step) error {
			me, err := s.me()
			if err != nil {
				return err
			}
			r, _, err := s.selfRoom(me)
			if err != nil {
				return err
			}
			return s.rows(r.ID, func(w *row) (bool, error) {
				if w.Kind == content.KindSync {
					waits++
				}
				return true, nil
			})
		})
		if waits != 1 {
			t.Errorf("%d posts wait off the net", waits)
		}
		// Closed before the last of it was told.
		write(phone, " Or not?")
		phone.plug()
		pass(2 * time.Minute)
		settle(phone, alice)
		drafted(t, "written off the net", room, text, alice, phone)
	})
}
