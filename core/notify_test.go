package core

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth/wire"
)

// TestWhatAPersonIsCalledFor: by what is set for a conversation, on every device,
// and how many unread messages mention the person.
func TestWhatAPersonIsCalledFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "hello").Room
		bob.accept()
		phone := w.link(bob, "phone")
		bob.got()
		phone.got()
		on, off := true, false
		notify := func(s string) *string { return &s }
		for _, c := range []struct {
			a    Arrangement
			want string // of a plain message and of one that mentions him
		}{
			{Arrangement{}, "false false"},
			{Arrangement{Notify: notify(NotifyMentions)}, "true false"},
			{Arrangement{Notify: notify(NotifyNothing)}, "true true"},
			{Arrangement{Muted: &on}, "true true"},
			{Arrangement{Notify: notify(NotifyAll)}, "true false"},
			{Arrangement{Muted: &off}, "false false"},
		} {
			must(bob.c.Arrange(bob.ctx(), "alice", c.a))
			time.Sleep(time.Minute)
			for _, text := range []string{"plain", "for @bob"} {
				if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: text, Format: true}); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			for _, r := range must(bob.c.Rooms(bob.ctx())) {
				if r.Room == room && (r.Unread != 2 || r.Mentions != 1) {
					t.Errorf("%+v: %d unread, %d mention him", c.a, r.Unread, r.Mentions)
				}
			}
			for _, h := range []*home{phone, bob} {
				var got []string
				for _, e := range h.got() {
					if e.Type == EventMessage {
						got = append(got, fmt.Sprint(e.Muted))
					}
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("%+v: %s was called for %v, want %s", c.a, h.name, got, c.want)
				}
			}
			for _, r := range must(bob.c.Rooms(bob.ctx())) {
				if r.Unread+r.Mentions != 0 {
					t.Errorf("read: %d unread, %d mention him", r.Unread, r.Mentions)
				}
			}
		}
		if _, err := bob.c.Arrange(bob.ctx(), "alice", Arrangement{Notify: notify("x")}); code(err) != wire.BadInput {
			t.Errorf("called for x: %v", err)
		}
		// A mention that ends, or is deleted, is not counted any more.
		if _, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "@bob", Format: true, Expire: time.Minute}); err != nil {
			t.Fatal(err)
		}
		m, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "@bob", Format: true})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		count := func() int {
			for _, r := range must(bob.c.Rooms(bob.ctx())) {
				if r.Room == room {
					return r.Mentions
				}
			}
			return -1
		}
		if count() != 2 {
			t.Errorf("%d mention him, want 2", count())
		}
		time.Sleep(2 * time.Minute)
		if count() != 1 {
			t.Errorf("after one has ended %d mention him", count())
		}
		alice.amend(AmendOptions{Room: room, ID: m.ID, Delete: true})
		synctest.Wait()
		if count() != 0 {
			t.Errorf("after the other was deleted %d mention him", count())
		}
	})
}

// TestDetails: who has got and read a message, who has not said, and when it ends.
func TestDetails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "club", alice, bob, carol)
		carol.stop()
		m, err := alice.c.Send(alice.ctx(), SendOptions{To: room, Text: "plan", Expire: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		read := time.Now()
		bob.got()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		d := must(alice.c.Details(alice.ctx(), room, m.ID))
		if r := d.Message.Receipts; len(r) != 1 || r[0].State != StateRead || r[0].Handle != "bob@home.example" || r[0].At.Before(read) {
			t.Errorf("receipts: %+v", r)
		}
		if len(d.Waiting) != 1 || d.Waiting[0].Handle != "carol@home.example" || d.Waiting[0].State != StateSent || !d.Waiting[0].At.IsZero() {
			t.Errorf("waiting: %+v", d.Waiting)
		}
		if e := d.Message.Expires; e == nil || time.Until(*e) > 55*time.Minute || d.Message.Text != "plan" {
			t.Errorf("message: %+v", d.Message)
		}
		// To look at the details is not to read.
		m2 := alice.send(room, "unread")
		synctest.Wait()
		must(bob.c.Details(bob.ctx(), room, m2.ID))
		for _, r := range must(bob.c.Rooms(bob.ctx())) {
			if r.Room == room && r.Unread != 1 {
				t.Errorf("%d unread", r.Unread)
			}
		}
		time.Sleep(2 * time.Hour)
		if _, err := alice.c.Details(alice.ctx(), room, m.ID); code(err) != wire.NotFound {
			t.Errorf("after its end: %v", err)
		}
	})
}
