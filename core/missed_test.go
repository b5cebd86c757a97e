package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const day = 24 * time.Hour

// linesOf returns the messages of a history, and the texts of a kind of notices.
func (h *home) linesOf(room, code string) (said, notices []string) {
	h.t.Helper()
	events, err := h.c.History(h.ctx(), room, 0)
	if err != nil {
		h.t.Fatalf("%s: history: %v", h.name, err)
	}
	for _, e := range events {
		if e.Type == EventNotice && e.Code == code {
			notices = append(notices, e.Text)
		}
	}
	return texts(events), notices
}

// quiet lets half an hour pass: time for whoever is out of step to come back.
func quiet() {
	time.Sleep(30 * time.Minute)
	synctest.Wait()
}

// sayWhileAway lets somebody say something every eighth day for forty days.
func sayWhileAway(h *home, rooms ...string) {
	for d := 8; d <= 40; d += 8 {
		time.Sleep(8 * day)
		for _, room := range rooms {
			h.send(room, fmt.Sprintf("day %d", d))
		}
	}
}

// TestWhatADeviceMissedComesFromItsSiblings: one is away for forty days, so that
// the server has nothing of many of them any more.
func TestWhatADeviceMissedComesFromItsSiblings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		alice.send("bob", "before")
		direct := bob.accept()
		group := groupOf(t, "club", alice, bob)
		keep := "keep"
		if _, err := alice.c.GroupSet(alice.ctx(), group, GroupSettings{Retention: &keep}); err != nil {
			t.Fatal(err)
		}
		settle(alice, bob)
		phone := w.link(alice, "phone")
		bob.send(direct, "to both")
		said := bob.send(group, "to all")
		phone.got()
		phone.stop()
		sayWhileAway(bob, direct, group)
		if _, err := bob.c.Amend(bob.ctx(), AmendOptions{Room: group, ID: said.ID, Text: "to all of you"}); err != nil {
			t.Fatal(err)
		}
		alice.send(group, "from the laptop")
		if _, err := alice.c.GroupAdd(alice.ctx(), group, []string{"carol"}); err != nil {
			t.Fatal(err)
		}
		carol.accept()
		carol.send(group, "from carol")
		alice.got()
		phone.start()
		quiet()
		bob.send(direct, "after")
		bob.send(group, "after all")
		settle(alice, bob, phone)

		for room, n := range map[string]int{direct: 5, group: 9} {
			want, _ := alice.linesOf(room, "")
			got, said := phone.linesOf(room, NoticeRejoined)
			if len(want) != n || !slices.Equal(got, want) {
				t.Errorf("the phone has\n%q\nthe laptop\n%q", got, want)
			}
			if len(said) != 1 || !strings.Contains(said[0], textFilled) {
				t.Errorf("the phone says %q", said)
			}
		}
		events, _ := phone.c.History(phone.ctx(), group, 0)
		if n := len(slices.DeleteFunc(events, func(e Event) bool { return e.Type != EventJoined || e.Who != "carol@home.example" })); n != 1 {
			t.Errorf("carol came %d times", n)
		}
		events = phone.got()
		if n := count(events, NoticeHistory); n < 2 {
			t.Error("it was not said that the history has arrived")
		}
		if got := texts(events); !slices.Equal(got, []string{"after", "after all"}) {
			t.Errorf("given out as new: %q", got)
		}
	})
}

// TestAGapThatNobodyCanFillStaysSaid: both devices were away.
func TestAGapThatNobodyCanFillStaysSaid(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		alice.send("bob", "before")
		room := bob.accept()
		settle(alice, bob)
		phone := w.link(alice, "phone")
		phone.got()
		alice.got()
		alice.stop()
		phone.stop()
		sayWhileAway(bob, room)
		phone.start()
		quiet()
		alice.start()
		time.Sleep(day)
		for _, h := range []*home{alice, phone} {
			if got, said := h.linesOf(room, NoticeRejoined); len(said) != 1 || !strings.Contains(said[0], textMissing) {
				t.Errorf("%s has %q, says %q", h.name, got, said)
			}
			if n := count(h.got(), NoticeHistory); n != 0 {
				t.Errorf("%s says that its history has arrived", h.name)
			}
		}
	})
}

// TestTheSecondSiblingAnswers: the first one is away, too, and comes later.
func TestTheSecondSiblingAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		alice.send("bob", "before")
		room := bob.accept()
		settle(alice, bob)
		phone, tablet := w.link(alice, "phone"), w.link(alice, "tablet")
		settle(alice, phone, tablet, bob)
		phone.got()
		alice.got()
		alice.stop()
		phone.stop()
		sayWhileAway(bob, room)
		phone.start()
		quiet()
		alice.start()
		quiet()
		settle(alice, phone, tablet, bob)
		want, _ := tablet.linesOf(room, "")
		for _, h := range []*home{alice, phone} {
			if got, said := h.linesOf(room, NoticeRejoined); !slices.Equal(got, want) || len(said) != 1 || !strings.Contains(said[0], textFilled) {
				t.Errorf("%s has %q, want %q, and says %q", h.name, got, want, said)
			}
		}
	})
}

// TestWhatTheServerForgotComesFromASibling: nothing of the group changed, so that
// the device never fell out of step.
func TestWhatTheServerForgotComesFromASibling(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		group := groupOf(t, "club", alice, bob)
		keep := "keep"
		if _, err := alice.c.GroupSet(alice.ctx(), group, GroupSettings{Retention: &keep}); err != nil {
			t.Fatal(err)
		}
		off := false // a receipt is a post, before which a leaf is renewed
		if _, err := alice.c.Configure(alice.ctx(), SettingsChange{Receipts: &off}); err != nil {
			t.Fatal(err)
		}
		phone := w.link(alice, "phone")
		time.Sleep(8 * day)
		bob.send(group, "before") // and renews his leaf
		quiet()
		phone.got()
		phone.stop()
		time.Sleep(day)
		bob.send(group, "meanwhile")
		alice.got()
		time.Sleep(40 * day)
		phone.start()
		quiet()
		settle(alice, phone)
		got, said := phone.linesOf(group, NoticeMissed)
		if !slices.Equal(got, []string{"before", "meanwhile"}) || len(said) != 1 || !strings.Contains(said[0], textFilled) {
			t.Errorf("the phone has %q and says %q", got, said)
		}
		if _, out := phone.linesOf(group, NoticeRejoined); len(out) != 0 {
			t.Errorf("the phone fell out of step: %q", out)
		}
	})
}

// TestDecisionsMissedCountWhenBack: what the account decided while a device was
// away counts there, whatever the device knew before.
func TestDecisionsMissedCountWhenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		alice.send("bob", "before")
		room := bob.accept()
		settle(alice, bob)
		phone := w.link(alice, "phone")
		set := func(h *home, name, value string) {
			if err := h.c.step(t.Context(), func(s *step) error { return s.shareSetting(name, []byte(value), 0) }); err != nil {
				t.Fatal(err)
			}
			settle(alice)
		}
		if _, err := alice.c.Block(alice.ctx(), "bob"); err != nil {
			t.Fatal(err)
		}
		set(alice, "one", "old")
		set(alice, "two", "old")
		settle(alice, phone)
		phone.got()
		phone.stop()
		if _, err := alice.c.Unblock(alice.ctx(), "bob"); err != nil {
			t.Fatal(err)
		}
		set(alice, "one", "new")
		set(alice, "two", "")
		sayWhileAway(bob, room)
		phone.start()
		quiet()
		settle(alice, phone)
		err := phone.c.look(t.Context(), func(s *step) error {
			one, err := s.setting("one")
			if err != nil || string(one) != "new" {
				t.Errorf("a setting that was changed meanwhile: %q, %v", one, err)
			}
			two, err := s.setting("two")
			if err != nil || len(two) != 0 {
				t.Errorf("a setting that was taken back meanwhile: %q, %v", two, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		bob.send(room, "after")
		settle(alice, phone)
		if got := texts(phone.got()); !slices.Equal(got, []string{"after"}) {
			t.Errorf("unblocked meanwhile, bob is heard as %q", got)
		}
	})
}
