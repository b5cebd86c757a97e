package core

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestARestoredOwnerIsLetIntoItsGroup: roles stay with the account, and what was
// said while it was away is not there.
func TestARestoredOwnerIsLetIntoItsGroup(t *testing.T) {
	t.Run("others stay", func(t *testing.T) { restoredOwner(t, false) })
	t.Run("others go", func(t *testing.T) { restoredOwner(t, true) })
}

func restoredOwner(t *testing.T, alone bool) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		bob, carol := w.person("bob"), w.person("carol")
		v := newOwner(t, w, "dora", bob, carol)
		g := v.room
		if _, err := v.alice.c.BackupCreate(v.alice.ctx(), BackupOptions{To: "d"}); err != nil {
			t.Fatal(err)
		}
		v.alice.stop()
		bob.send(g, "while dora was away")
		h, _, err := v.restore(RestoreOptions{From: "d", Words: v.recovery, RevokeOthers: alone})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		h.send(g, "dora again")
		for _, m := range []*home{bob, carol} {
			if got := texts(m.got()); !slices.Contains(got, "dora again") {
				t.Errorf("%s: %q", m.name, got)
			}
		}
		carol.send(g, "hello dora")
		got := texts(h.got())
		if !slices.Contains(got, "hello dora") || slices.Contains(got, "while dora was away") {
			t.Errorf("dora: %q", got)
		}
		seven := "7d"
		if _, err := h.c.GroupSet(h.ctx(), g, GroupSettings{Retention: &seven}); err != nil {
			t.Errorf("the owner's right: %v", err)
		}
	})
}

// TestARestoredOwnerWaitsForItsGroup: a backup doesn't say who of a group has
// accepted, so that nobody who is silent passes for gone.
func TestARestoredOwnerWaitsForItsGroup(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		bob, carol := w.person("bob"), w.person("carol")
		v := newOwner(t, w, "dora", bob, carol)
		if _, err := v.alice.c.BackupCreate(v.alice.ctx(), BackupOptions{To: "d"}); err != nil {
			t.Fatal(err)
		}
		for _, h := range []*home{v.alice, bob, carol} {
			h.stop()
		}
		h, _, err := v.restore(RestoreOptions{From: "d", Words: v.recovery, RevokeOthers: true})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(33 * day)
		h.inRoom(v.room, func(_ *step, r *roomRecord, _ *conversation) error {
			if r.State != roomOutOfStep {
				t.Errorf("state %d", r.State)
			}
			return nil
		})
	})
}
