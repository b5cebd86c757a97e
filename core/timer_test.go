package core

import (
	"slices"
	"testing"
	"time"

	"hearth/wire"
)

// said returns the texts of the messages in a history.
func (h *home) said(room string) []string {
	h.t.Helper()
	events, err := h.c.History(h.ctx(), room, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	return texts(events)
}

// TestATimerOfOnesOwn: the shorter one wins, on the devices of who set it and
// nowhere else, for what is said from then on.
func TestATimerOfOnesOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, phone, bob, room := withPhone(t)
		pass(time.Hour)
		bob.got()
		phone.unplug()
		alice.arrange(room, Arrangement{Retention: on("1d")})
		pass(time.Hour)
		phone.plug()
		settle(alice, phone)
		tablet := w.link(alice, "tablet")
		mine := []*home{alice, phone, tablet}
		for _, h := range mine {
			if r := h.room(room); r.Retention != "30d" || r.OwnRetention != "1d" {
				t.Errorf("%s lists %+v", h.name, r)
			}
		}
		if r := bob.room(room); r.Retention != "30d" || r.OwnRetention != "" {
			t.Errorf("bob lists %+v", r)
		}
		bob.send(room, "from bob")
		bob.stop()
		phone.send(room, "from the phone")
		settle(phone, alice, tablet)
		deleted := alice.send(room, "said too much").ID
		settle(phone, alice)
		pass(20 * time.Hour)
		if _, err := alice.c.Amend(alice.ctx(), AmendOptions{Room: room, ID: deleted, Delete: true}); err != nil {
			t.Fatal(err)
		}
		settle(alice, phone, tablet)
		want := []string{"hello bob", "from bob", "from the phone", ""}
		for _, h := range mine {
			if got := h.said(room); !slices.Equal(got, want) {
				t.Errorf("after 20 hours %s has %q", h.name, got)
			}
		}
		pass(5 * time.Hour)
		for _, h := range mine {
			if got := h.said(room); !slices.Equal(got, want[:1]) {
				t.Errorf("after 25 hours %s has %q", h.name, got)
			}
		}
		// For others it lasts as long as ever, though they were away.
		pass(5 * 24 * time.Hour)
		bob.start()
		bob.got()
		if got := bob.said(room); !slices.Equal(got, want) {
			t.Errorf("after six days bob has %q", got)
		}
		// Taken back, the conversation's counts again.
		phone.arrange(room, Arrangement{Retention: on(AsConversation)})
		settle(phone, alice, tablet)
		bob.send(room, "to stay")
		settle(bob)
		pass(2 * 24 * time.Hour)
		for _, h := range mine {
			if got := h.said(room); !slices.Equal(got, []string{"hello bob", "to stay"}) {
				t.Errorf("taken back: %s has %q", h.name, got)
			}
		}
		// It never prolongs.
		alice.arrange(room, Arrangement{Retention: on("1y")})
		if r := alice.room(room); r.OwnRetention != "" {
			t.Errorf("a longer one: %+v", r)
		}
		bob.send(room, "for a month")
		settle(bob, alice)
		pass(31 * 24 * time.Hour)
		if got := alice.said(room); slices.Contains(got, "for a month") {
			t.Errorf("a longer one: %q", got)
		}
		for _, wrong := range []string{"keep", "soon"} {
			if _, err := alice.c.Arrange(alice.ctx(), room, Arrangement{Retention: &wrong}); code(err) != wire.BadInput {
				t.Errorf("the timer %q: %v", wrong, err)
			}
		}
	})
}

// TestTheDefaultTimerCountsWhereOthersBegan: in what they begin from then on with a
// longer one; not in what was there, and not against what is set there.
func TestTheDefaultTimerCountsWhereOthersBegan(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, phone, bob, room := withPhone(t)
		early := groupOf(t, "early", bob, alice)
		alice.configure(SettingsChange{Retention: on("7d")})
		settle(alice, phone)
		carol := w.person("carol")
		direct := carol.send("alice", "it is carol").Room
		settle(carol)
		phone.accept()
		late := groupOf(t, "late", bob, alice)
		bob.configure(SettingsChange{Retention: on("1d")})
		short := groupOf(t, "short", bob, alice)
		pass(time.Minute)
		settle(alice, phone, bob, carol)
		// One of them is to last as the others want.
		phone.arrange(late, Arrangement{Retention: on(AsConversation)})
		settle(phone, alice)
		tablet := w.link(alice, "tablet")
		for _, h := range []*home{alice, phone, tablet} {
			for at, want := range map[string]string{room: "", early: "", direct: "7d", late: "", short: ""} {
				if r := h.room(at); r.OwnRetention != want {
					t.Errorf("%s: %s with %s has a timer of its own of %q, want %q", h.name, r.Name, r.Retention, r.OwnRetention, want)
				}
			}
		}
		if a := alice.arrange(short, Arrangement{}); a.Retention != "" {
			t.Errorf("where others began with a shorter one: %+v", a)
		}
		if r := carol.room(direct); r.Retention != "30d" || r.OwnRetention != "" {
			t.Errorf("carol lists %+v", r)
		}
		carol.send("alice", "and this")
		settle(carol)
		pass(8 * 24 * time.Hour)
		for _, h := range []*home{alice, phone, tablet} {
			if got := h.said(direct); len(got) != 0 {
				t.Errorf("after eight days %s has %q", h.name, got)
			}
		}
		if got := carol.said(direct); len(got) != 2 {
			t.Errorf("after eight days carol has %q", got)
		}
		// What was set for it on another device counts, though it was set before.
		dave := w.person("dave")
		if _, err := alice.c.Safety(alice.ctx(), "dave"); err != nil {
			t.Fatal(err)
		}
		alice.unplug()
		alice.arrange("dave", Arrangement{Retention: on("14d")})
		pass(time.Hour)
		from := dave.send("alice", "it is dave").Room
		settle(dave)
		phone.accept()
		pass(time.Minute)
		if r := phone.room(from); r.OwnRetention != "7d" {
			t.Errorf("the phone lists %+v", r)
		}
		alice.plug()
		pass(time.Minute)
		settle(phone, alice, tablet)
		for _, h := range []*home{alice, phone, tablet} {
			if r := h.room(from); r.OwnRetention != "14d" {
				t.Errorf("%s lists %+v", h.name, r)
			}
		}
		// A device that comes in late does not bring the default back.
		phone.unplug()
		friday := groupOf(t, "friday", carol, alice)
		settle(alice)
		alice.arrange(friday, Arrangement{Retention: on(AsConversation)})
		pass(time.Hour)
		phone.plug()
		pass(time.Minute)
		settle(phone, alice)
		for _, h := range []*home{alice, phone} {
			if r := h.room(friday); r.OwnRetention != "" {
				t.Errorf("%s: late: %+v", h.name, r)
			}
		}
	})
}
