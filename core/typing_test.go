package core

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/content"
	"hearth/wire"
)

// writing lists who is writing in a room, as a home sees it.
func (h *home) writing(room string) string {
	h.t.Helper()
	synctest.Wait()
	for _, r := range must(h.c.Rooms(h.ctx())) {
		if r.Room == room {
			var names []string
			for _, w := range r.Typing {
				names = append(names, strings.TrimSuffix(w.Handle, "@home.example"))
			}
			return strings.Join(names, " ")
		}
	}
	return "no room"
}

// TestTyping: who is there sees for a moment that somebody writes; it ends by itself,
// with the message and when the writer stops, and is kept nowhere.
func TestTyping(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "club", alice, bob, carol)
		types := func(h *home, stopped, want bool) {
			t.Helper()
			told, err := h.c.Typing(h.ctx(), room, stopped)
			if err != nil || told.Told != want {
				t.Errorf("%s types: %v, %v", h.name, told, err)
			}
		}
		types(alice, false, true)
		types(alice, false, false) // it was just said
		if got := bob.writing(room); got != "alice" {
			t.Errorf("bob sees %q writing", got)
		}
		if got := alice.writing(room); got != "" {
			t.Errorf("alice sees %q writing", got)
		}
		time.Sleep(6 * time.Second)
		types(alice, false, true)
		time.Sleep(6 * time.Second)
		if got := bob.writing(room); got != "alice" {
			t.Errorf("said again, bob sees %q", got)
		}
		time.Sleep(3 * time.Second)
		if got := bob.writing(room); got != "" {
			t.Errorf("after a while bob sees %q", got)
		}
		types(alice, true, true)
		types(alice, true, false)
		types(alice, false, true)
		if got := bob.writing(room); got != "alice" {
			t.Errorf("bob sees %q", got)
		}
		alice.send(room, "hello")
		if got := bob.writing(room); got != "" {
			t.Errorf("with the message bob sees %q", got)
		}
		types(alice, false, true) // the next one
		types(alice, true, true)
		if got := bob.writing(room); got != "" {
			t.Errorf("when she stopped bob sees %q", got)
		}
		// Whoever was away hears nothing of it later, and misses nothing.
		carol.stop()
		types(bob, false, true)
		bob.send(room, "written")
		carol.start()
		if got := texts(carol.got()); len(got) != 2 || got[1] != "written" {
			t.Errorf("carol got %q", got)
		}
		if got := carol.writing(room); got != "" {
			t.Errorf("carol sees %q", got)
		}
		for _, e := range must(carol.c.History(carol.ctx(), room, 0)) {
			if e.Type == EventNotice {
				t.Errorf("carol was told: %s", e.Text)
			}
		}
		// No receipts: neither said nor heard.
		bob.receipts(false)
		types(bob, false, false)
		types(alice, false, true)
		if got := bob.writing(room); got != "" {
			t.Errorf("without receipts bob sees %q", got)
		}
		if got := carol.writing(room); got != "alice" {
			t.Errorf("carol sees %q", got)
		}
		alice.stop() // a crash of the server or of a home leaves nothing
		alice.start()
		synctest.Wait()
		alice.send(room, "still in step")
		if got := texts(bob.got()); len(got) == 0 || got[len(got)-1] != "still in step" {
			t.Errorf("bob got %q", got)
		}
	})
}

// TestAMessageAsAFleetingPost: a server that passes a message off as fleeting makes
// nobody miss it, and what is fleeting changes no history.
func TestAMessageAsAFleetingPost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		direct := alice.send("bob", "hello").Room
		bob.accept()
		bob.got()
		id, _ := parseConv(direct)
		in := func(h *home, do func(s *step, r *room, cv *conversation) error) {
			t.Helper()
			err := h.c.step(h.ctx(), func(s *step) error {
				cv, err := s.conv(id)
				if err != nil {
					return err
				}
				r, err := s.room(cv.Room)
				if err != nil {
					return err
				}
				return do(s, r, cv)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		var payload []byte
		in(alice, func(s *step, r *room, cv *conversation) error {
			g, err := s.group(r.ID)
			if err != nil {
				return err
			}
			body := must(must(content.NewText("words", content.Options{Sent: time.Now()})).Encode())
			plain, padTo, err := envelope(r, g, &row{Kind: content.KindContent, Body: body, Count: r.Count + 1, Before: r.Ends})
			if err != nil {
				return err
			}
			payload, err = s.sealed(r, g, plain, padTo)
			return err
		})
		in(bob, func(s *step, r *room, cv *conversation) error {
			for range 3 {
				if err := s.entry(r.ID, &wire.Entry{Kind: wire.KindEphemeral, Epoch: r.Epoch, Payload: payload}); err != nil {
					return err
				}
			}
			return nil
		})
		if got := bob.told(direct); len(got) != 1 {
			t.Errorf("as a fleeting post bob has %q", got)
		}
		in(bob, func(s *step, r *room, cv *conversation) error {
			return s.post(r, cv, &wire.Entry{Kind: wire.KindPost, Epoch: r.Epoch, Payload: payload})
		})
		if got := bob.told(direct); len(got) != 2 || got[1] != "words" {
			t.Errorf("then bob has %q", got)
		}
		if _, err := content.ParseFleeting([]byte{0x82, 1, 1, 0}); err == nil {
			t.Error("more than a fleeting post was read")
		}
	})
}
