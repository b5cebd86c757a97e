package core

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hearth/wire"
)

func (h *home) arrange(to string, a Arrangement) Arranged {
	h.t.Helper()
	out, err := h.c.Arrange(h.ctx(), to, a)
	if err != nil {
		h.t.Fatalf("%s: arrange: %v", h.name, err)
	}
	return out
}

func on[T any](v T) *T { return &v }

// TestNamesOfOnesOwn: a name is shown on all devices of who gave it, wherever the
// person or the conversation is, and told to nobody else.
func TestNamesOfOnesOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, phone, bob, room := withPhone(t)
		carol := w.person("carol")
		group := groupOf(t, "club", alice, bob, carol)
		pass(time.Hour)
		for _, h := range []*home{alice, phone, bob, carol} {
			h.got()
		}
		before, at := bob.head(room), bob.head(group)
		out := phone.arrange("bob", Arrangement{Nickname: on(" Uncle Bob ")})
		if out.Room != room || out.Handle != "bob@home.example" || out.Nickname != "Uncle Bob" {
			t.Errorf("given: %+v", out)
		}
		alice.arrange(group, Arrangement{Nickname: on("The Gang")})
		settle(alice, phone)
		if bob.head(room) != before || bob.head(group) != at {
			t.Error("something was said of it in a conversation")
		}
		first := bob.send(room, "to alice").ID
		bob.send(group, "to all")
		settle(bob)
		for _, h := range []*home{alice, phone} {
			if r := h.room(room); r.Nickname != "Uncle Bob" || r.Name != "" {
				t.Errorf("%s lists the direct conversation as %+v", h.name, r)
			}
			r := h.room(group)
			if r.Nickname != "The Gang" || r.Name != "club" {
				t.Errorf("%s lists the group as %+v", h.name, r)
			}
			if i := slices.IndexFunc(r.Members, func(m Member) bool { return m.Handle == "bob@home.example" }); i < 0 || r.Members[i].Nickname != "Uncle Bob" {
				t.Errorf("%s lists the members %+v", h.name, r.Members)
			}
			people, err := h.c.Contacts(h.ctx())
			if err != nil || !slices.ContainsFunc(people, func(c Contact) bool { return c.Nickname == "Uncle Bob" && c.Handle == "bob@home.example" }) {
				t.Errorf("%s knows %+v, %v", h.name, people, err)
			}
			heard := 0
			for _, e := range h.got() {
				if e.Type == EventMessage {
					heard++
					if e.Nickname != "Uncle Bob" || e.From != "bob@home.example" {
						t.Errorf("%s gives out %+v", h.name, e)
					}
				}
			}
			if heard != 2 {
				t.Errorf("%s gives out %d messages", h.name, heard)
			}
			if s, err := h.c.Safety(h.ctx(), "bob"); err != nil || s.Nickname != "Uncle Bob" {
				t.Errorf("%s: safety: %+v, %v", h.name, s, err)
			}
			if found, err := h.c.Search(h.ctx(), SearchOptions{Words: "uncle gang"}); err != nil || len(found) != 1 || found[0].Text != "to all" {
				t.Errorf("%s finds %+v, %v", h.name, found, err)
			}
		}
		if _, err := bob.c.Amend(bob.ctx(), AmendOptions{Room: room, ID: first, React: "👍"}); err != nil {
			t.Fatal(err)
		}
		settle(bob)
		events, err := alice.c.History(alice.ctx(), room, 1)
		if err != nil || len(events[0].Reactions) != 1 || events[0].Reactions[0].Nickname != "Uncle Bob" {
			t.Errorf("in the history: %+v, %v", events, err)
		}
		// Others see what they saw.
		if r := carol.room(group); r.Nickname != "" || r.Name != "club" {
			t.Errorf("carol lists the group as %+v", r)
		}
		for _, e := range append(bob.got(), carol.got()...) {
			if e.Nickname != "" || strings.Contains(e.Text, "Gang") {
				t.Errorf("another is told %+v", e)
			}
		}
		// And back.
		alice.arrange(room, Arrangement{Nickname: on("")})
		settle(alice, phone)
		if r := phone.room(room); r.Nickname != "" {
			t.Errorf("taken back: %+v", r)
		}
		for _, wrong := range []string{"two\nlines", strings.Repeat("x", 129), "\u202eboB"} {
			if _, err := alice.c.Arrange(alice.ctx(), "bob", Arrangement{Nickname: &wrong}); code(err) != wire.BadInput {
				t.Errorf("the name %q: %v", wrong, err)
			}
		}
		// One's own name stands for the notes to oneself.
		if got, err := alice.c.Arrange(alice.ctx(), "alice", Arrangement{Nickname: on("my notes")}); err != nil || got.Nickname != "my notes" || got.Account != "" {
			t.Errorf("a name for one's notes: %+v, %v", got, err)
		}
	})
}

// TestPinnedMutedPutAway: a list begins with what is pinned and ends with what was
// put away, on each device, and what comes into a muted conversation says so.
func TestPinnedMutedPutAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, alice, phone, bob, room := withPhone(t)
		groups := make([]string, 4)
		for i := range groups {
			groups[i] = groupOf(t, "group", alice, bob)
		}
		pass(time.Hour)
		alice.got()
		phone.got()
		phone.unplug()
		alice.arrange(room, Arrangement{Pinned: on(true), Muted: on(true)})
		alice.arrange(groups[0], Arrangement{Archived: on(true), Pinned: on(true)})
		phone.arrange(groups[1], Arrangement{Archived: on(true)})
		pass(time.Minute)
		phone.arrange("bob", Arrangement{Muted: on(false), Pinned: on(false)}) // as it is there: nothing is set
		phone.arrange(groups[2], Arrangement{Pinned: on(true)})
		phone.plug()
		settle(alice, phone)
		tablet := w.link(alice, "tablet")
		bob.send(room, "psst")
		bob.send(groups[3], "hello")
		settle(bob, alice, phone, tablet)
		for _, h := range []*home{alice, phone, tablet} {
			rooms, err := h.c.Rooms(h.ctx())
			if err != nil || len(rooms) != 6 { // with the self room
				t.Fatalf("%s: %d rooms, %v", h.name, len(rooms), err)
			}
			if !rooms[0].Pinned || !rooms[1].Pinned || rooms[2].Pinned || rooms[3].Archived || !rooms[4].Archived || !rooms[5].Archived {
				t.Errorf("%s lists %+v", h.name, rooms)
			}
			if r := h.room(room); !r.Muted || !r.Pinned || r.Archived {
				t.Errorf("%s: the direct conversation: %+v", h.name, r)
			}
			if !h.room(groups[0]).Archived || !h.room(groups[1]).Archived || !h.room(groups[2]).Pinned {
				t.Errorf("%s lists %+v", h.name, rooms)
			}
			for _, e := range h.got() {
				if e.Type == EventMessage && e.Muted != (e.Text == "psst") {
					t.Errorf("%s gives out %+v", h.name, e)
				}
			}
		}
		// And back.
		tablet.arrange(room, Arrangement{Muted: on(false), Pinned: on(false)})
		tablet.arrange(groups[0], Arrangement{Archived: on(false), Pinned: on(false)})
		settle(tablet, alice, phone)
		for _, h := range []*home{alice, phone, tablet} {
			if r, g := h.room(room), h.room(groups[0]); r.Muted || r.Pinned || g.Archived || g.Pinned {
				t.Errorf("%s: taken back: %+v, %+v", h.name, r, g)
			}
		}
	})
}
