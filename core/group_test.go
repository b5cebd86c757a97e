package core

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// groupOf founds a group by the first of homes; all others accept.
func groupOf(t *testing.T, name string, homes ...*home) (room string) {
	t.Helper()
	var who []string
	for _, h := range homes[1:] {
		who = append(who, h.name)
	}
	g, err := homes[0].c.GroupNew(homes[0].ctx(), name, who)
	if err != nil {
		t.Fatalf("group new: %v", err)
	}
	if len(g.Skipped) != 0 || len(g.Members) != len(homes) {
		t.Fatalf("group new: got %+v", g)
	}
	for _, h := range homes[1:] {
		if q := h.request(); q.Kind != KindGroup || q.Name != name {
			t.Fatalf("%s: request: got %+v", h.name, q)
		}
		h.accept()
	}
	time.Sleep(time.Minute) // the card with the members' names arrives
	synctest.Wait()
	return g.Room
}

// members returns who is in a room, with role and state.
func (h *home) members(room string) map[string]string {
	h.t.Helper()
	rs, err := h.c.Rooms(h.ctx())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range rs {
		if r.Room == room {
			out := map[string]string{}
			for _, m := range r.Members {
				out[m.Handle] = m.Role + " " + m.State
			}
			return out
		}
	}
	return nil
}

func (h *home) room(room string) Room {
	h.t.Helper()
	rs, err := h.c.Rooms(h.ctx())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range rs {
		if r.Room == room {
			return r
		}
	}
	h.t.Fatalf("%s has no such room", h.name)
	return Room{}
}

func sortedTexts(events []Event) []string {
	out := texts(events)
	slices.Sort(out)
	return out
}

func TestGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol, dave := w.person("alice"), w.person("bob"), w.person("carol"), w.person("dave")
		room := groupOf(t, "friends", alice, bob, carol)
		for _, h := range []*home{alice, bob, carol} {
			m := h.members(room)
			if len(m) != 3 || m["alice@home.example"] != "owner joined" || m["bob@home.example"] != "member joined" || m["carol@home.example"] != "member joined" {
				t.Errorf("%s: members: got %v", h.name, m)
			}
		}
		bob.send(room, "one")
		carol.send(room, "two")
		alice.send(room, "three")
		if got := sortedTexts(carol.got()); !slices.Equal(got, []string{"one", "three"}) {
			t.Errorf("carol: got %q", got)
		}
		if got := sortedTexts(alice.got()); !slices.Equal(got, []string{"one", "two"}) {
			t.Errorf("alice: got %q", got)
		}

		// A fourth reads nothing earlier.
		ch, err := alice.c.GroupAdd(alice.ctx(), room, []string{"dave", "nobody", "bob"})
		if err != nil {
			t.Fatalf("add: %v", err)
		}
		if len(ch.Changed) != 1 || len(ch.Skipped) != 2 {
			t.Errorf("add: got %+v", ch)
		}
		if m := bob.members(room); m["dave@home.example"] != "" && m["dave@home.example"] != "member invited" {
			t.Errorf("bob sees dave as %q before he accepts", m["dave@home.example"])
		}
		dave.accept()
		synctest.Wait()
		if got := texts(dave.got()); len(got) != 0 {
			t.Errorf("dave read %q from before he came", got)
		}
		dave.send(room, "four")
		if got := texts(bob.got()); !slices.Contains(got, "four") {
			t.Errorf("bob: got %q", got)
		}

		// One who is removed reads nothing later.
		if _, err := bob.c.GroupRemove(bob.ctx(), room, []string{"dave"}); code(err) != "" || err != nil {
			t.Errorf("bob removes dave: %v", err)
		}
		ch, err = alice.c.GroupRemove(alice.ctx(), room, []string{"carol"})
		if err != nil || len(ch.Changed) != 1 {
			t.Fatalf("remove: %+v, %v", ch, err)
		}
		bob.send(room, "five")
		events := carol.got()
		if slices.Contains(texts(events), "five") {
			t.Error("carol reads on after she was removed")
		}
		if r := carol.room(room); r.State != RoomRemoved {
			t.Errorf("carol: room is %q, want removed", r.State)
		}
		for _, m := range carol.room(room).Members {
			if m.State != "joined" {
				t.Error("carol, who sees into the room no more, lists a member as invited")
			}
		}
		if _, err := carol.c.Send(carol.ctx(), SendOptions{To: room, Text: "six"}); err == nil {
			t.Error("carol could send after she was removed")
		}
		if got := texts(dave.got()); !slices.Equal(got, []string{"five"}) {
			t.Errorf("dave: got %q", got)
		}

		// Settings.
		keep := "7d"
		set, err := alice.c.GroupSet(alice.ctx(), room, GroupSettings{Retention: &keep})
		if err != nil || set.Retention != "7d" || set.Limit != 256 {
			t.Errorf("set: %+v, %v", set, err)
		}
		synctest.Wait()
		if r := bob.room(room); r.Retention != "7d" {
			t.Errorf("bob: retention %q", r.Retention)
		}

		// Leaving.
		if l, err := bob.c.GroupLeave(bob.ctx(), room); err != nil || l.State != RoomLeft {
			t.Errorf("leave: %+v, %v", l, err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if m := alice.members(room); len(m) != 2 {
			t.Errorf("after bob left alice sees %v", m)
		}
		if r := bob.room(room); r.State != RoomLeft {
			t.Errorf("bob: room is %q", r.State)
		}
		alice.send(room, "seven")
		if got := texts(dave.got()); !slices.Equal(got, []string{"seven"}) {
			t.Errorf("dave: got %q", got)
		}
	})
}

// TestBacklogAcrossACommit: one who was away reads messages of both epochs.
func TestBacklogAcrossACommit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol, dave := w.person("alice"), w.person("bob"), w.person("carol"), w.person("dave")
		room := groupOf(t, "friends", alice, bob, carol)
		bob.got()
		bob.stop()
		carol.send(room, "before")
		if _, err := alice.c.GroupAdd(alice.ctx(), room, []string{"dave"}); err != nil {
			t.Fatal(err)
		}
		dave.accept()
		alice.send(room, "after")
		dave.send(room, "mine")
		bob.start()
		if got := texts(bob.got()); !slices.Equal(got, []string{"before", "after", "mine"}) {
			t.Errorf("bob: got %q", got)
		}
	})
}

// TestGroupOfOne: a group may begin with its owner alone.
func TestGroupOfOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		g, err := alice.c.GroupNew(alice.ctx(), "notes", nil)
		if err != nil || len(g.Members) != 1 {
			t.Fatalf("group new: %+v, %v", g, err)
		}
		if s := alice.send(g.Room, "to myself"); s.State != StateSent {
			t.Errorf("send: %+v", s)
		}
		if ch, err := alice.c.GroupAdd(alice.ctx(), g.Room, []string{"bob"}); err != nil || len(ch.Changed) != 1 {
			t.Fatalf("add: %+v, %v", ch, err)
		}
		bob.accept()
		alice.send(g.Room, "to both")
		if got := texts(bob.got()); !slices.Equal(got, []string{"to both"}) {
			t.Errorf("bob: got %q", got)
		}
	})
}
