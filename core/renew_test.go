package core

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// state reads a room's record and its own leaf's generation.
func (h *home) record(room string) (r *room, generation uint32) {
	h.t.Helper()
	id, _ := parseConv(room)
	err := h.c.look(context.Background(), func(s *step) error {
		cv, err := s.conv(id)
		if err != nil {
			return err
		}
		if r, err = s.room(cv.Room); err != nil {
			return err
		}
		g, err := s.group(cv.Room)
		if err == nil && g != nil {
			generation = g.OwnGeneration()
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return r, generation
}

func TestLeavesAreRenewedLazily(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "hello").Room
		bob.accept()
		time.Sleep(15 * time.Minute) // bob renews after joining, at a random moment
		synctest.Wait()
		first, _ := alice.record(room)
		if first.Epoch != 2 {
			t.Fatalf("after bob joined and renewed the epoch is %d, want 2", first.Epoch)
		}
		if r, _ := bob.record(room); r.Old != nil {
			t.Error("bob's seat was not renamed with his leaf")
		}
		time.Sleep(8 * 24 * time.Hour)
		synctest.Wait()
		if r, _ := alice.record(room); r.Epoch != first.Epoch {
			t.Error("a silent room made traffic")
		}
		alice.send(room, "after a week")
		synctest.Wait()
		r, _ := alice.record(room)
		if r.Epoch != first.Epoch+1 || r.Seat.ID == first.Seat.ID {
			t.Errorf("alice wrote after a week with her old leaf or seat: epoch %d", r.Epoch)
		}
		alice.send(room, "again")
		if r, _ := alice.record(room); r.Epoch != first.Epoch+1 {
			t.Errorf("renewed twice: epoch %d", r.Epoch)
		}
		if got := texts(bob.got()); !slices.Equal(got, []string{"hello", "after a week", "again"}) {
			t.Errorf("bob: got %q", got)
		}
		agree(t, room, alice, bob)
	})
}

func TestCommitsBeforeGenerationsRunOut(t *testing.T) {
	defer func(n uint32) { commitBefore = n }(commitBefore)
	commitBefore = 10
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "0").Room
		bob.accept()
		bob.got()
		var want []string
		for i := range 30 {
			text := fmt.Sprintf("%02d", i)
			want = append(want, text)
			alice.send(room, text)
			if _, n := alice.record(room); n > commitBefore {
				t.Fatalf("generation %d was used in one epoch", n)
			}
		}
		if got := texts(bob.got()); !slices.Equal(got, want) {
			t.Errorf("bob: got %q", got)
		}
	})
}

func TestBackAfterRemoval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob, carol := w.person("alice"), w.person("bob"), w.person("carol")
		room := groupOf(t, "club", alice, bob, carol)
		if _, err := alice.c.GroupRemove(alice.ctx(), room, []string{"carol"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		bob.send(room, "without carol")
		if _, err := alice.c.GroupAdd(alice.ctx(), room, []string{"carol"}); err != nil {
			t.Fatal(err)
		}
		carol.accept()
		bob.send(room, "with carol")
		if got := texts(carol.got()); !slices.Equal(got, []string{"with carol"}) {
			t.Errorf("carol: got %q", got)
		}
		agree(t, room, alice, bob, carol)
	})
}

func TestLapsed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		alice, bob := w.person("alice"), w.person("bob")
		room := alice.send("bob", "hello").Room
		bob.accept()
		bob.got()
		time.Sleep(15 * time.Minute)
		bob.stop()
		week := "7d"
		if _, err := alice.c.GroupSet(alice.ctx(), room, GroupSettings{Retention: &week}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * 24 * time.Hour)
		bob.start()
		if got := codes(bob.got()); !slices.Contains(got, NoticeLapsed) {
			t.Errorf("a device that missed a commit for good reads the notices %q", got)
		}
		time.Sleep(time.Minute)
		if r := bob.room(room); r.State != RoomOK || r.Retention != "7d" {
			t.Errorf("a minute later the room is %s, with timer %s", r.State, r.Retention)
		}
	})
}

// TestAllCommitAtOnce: commits compete, one wins each epoch, the others rebase.
func TestAllCommitAtOnce(t *testing.T) {
	people, rounds := 16, 50
	if !full() {
		people, rounds = 8, 5
	}
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		var homes []*home
		for i := range people {
			homes = append(homes, w.person(fmt.Sprintf("p%02d", i)))
		}
		room := groupOf(t, "all", homes...)
		for range 3 {
			time.Sleep(6 * time.Hour) // everyone's renewal after joining is over
			synctest.Wait()
		}
		before, _ := homes[0].record(room)
		var want []string
		for round := range rounds {
			var wg sync.WaitGroup
			for i, h := range homes {
				text := fmt.Sprintf("%02d/%02d", round, i)
				want = append(want, text)
				wg.Go(func() {
					r, _ := h.record(room)
					h.c.step(context.Background(), func(s *step) error {
						r, err := s.room(r.ID)
						if err != nil {
							return err
						}
						s.plan(r, plan{}) // new keys and nothing else
						s.putRoom(r)
						return nil
					})
					h.send(room, text)
				})
			}
			wg.Wait()
			time.Sleep(time.Hour) // the server bounds commits by the hour
			synctest.Wait()
		}
		agree(t, room, homes...)
		after, _ := homes[0].record(room)
		if got := int(after.Epoch - before.Epoch); got != people*rounds {
			t.Errorf("%d commits came through, want %d", got, people*rounds)
		}
		slices.Sort(want)
		for i, h := range homes {
			mine := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return s[3:] == fmt.Sprintf("%02d", i) })
			if got := sortedTexts(h.got()); !slices.Equal(got, mine) {
				t.Errorf("%s: got %d messages, want %d", h.name, len(got), len(mine))
			}
			if r := h.room(room); r.State != RoomOK {
				t.Errorf("%s: the room is %q", h.name, r.State)
			}
		}
	})
}
